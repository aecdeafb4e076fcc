/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can only be judged when a section is complete, or when all are: required settings, URLs,
 * names, and that no two files claim the same thing.  Pure; called by config_load.c.
 */
#include "settings.h"

#include <stdio.h>
#include <sys/un.h>

#include <postern/oauthbearer.h>
#include <postern/request.h>

#include "identity.h"
#include "scope.h"
#include "url.h"
#include "username.h"

#define CLAIM_PATH_MAX 256 /* bytes: longest seen is a namespace URL with a name behind it */

/* NULL when `word` may stand there, else the end of a sentence that begins with it. */
typedef const char *(*word_fault)(const char *word);

static bool is_name(const char *word)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return strlen(word) < POSTERN_CONFIG_NAME_MAX && strspn(word, allowed) == strlen(word);
}

static const char *find_service_name_fault(const char *word)
{
    return is_name(word) ? NULL
                         : "is no service name: letters, digits, dots, underscores and hyphens";
}

/* NAME of policies/NAME.rules, so no path. */
static const char *find_policy_fault(const char *word)
{
    return is_name(word) && word[0] != '.'
               ? NULL
               : "is no policy name: letters, digits, dots, underscores and hyphens, no dot first";
}

static const char *find_claim_path_fault(const char *word)
{
    size_t len = strlen(word);

    if (len > CLAIM_PATH_MAX || strpbrk(word, " \t") != NULL)
        return "is no claim name";
    if (word[0] == '.' || word[len - 1] == '.' || strstr(word, "..") != NULL)
        return "has an empty part: a path is NAME.NAME";
    return NULL;
}

/* The list has split at blanks. */
static const char *find_scope_fault(const char *word)
{
    for (size_t i = 0; word[i] != '\0'; i++)
        if (!postern_is_scope_byte((uint8_t)word[i]))
            return "is no scope: printable ASCII without quotation mark and backslash";
    return NULL;
}

static const char *find_audience_fault(const char *word)
{
    if (strlen(word) > POSTERN_CONFIG_URL_MAX)
        return "is longer than 448 bytes";
    return postern_bytes_is_printable(postern_bytes_str(word))
               ? NULL
               : "holds a character that is not ASCII";
}

const char *postern_socket_fault(const char *word)
{
    if (word[0] != '/')
        return "is not an absolute path";
    return strlen(word) < sizeof((struct sockaddr_un *)0)->sun_path
               ? NULL
               : "is too long for a unix socket";
}

static const char *find_peer_fault(const char *word)
{
    if (strncmp(word, "group:", 6) == 0)
        word += 6;
    return word[0] == '\0' || strchr(word, ':') != NULL ? "is not USER, group:GROUP or a number"
                                                        : NULL;
}

static const char *find_account_fault(const char *word)
{
    return strpbrk(word, " \t:/") == NULL ? NULL : "is no user name";
}

static const char *find_chars_fault(const char *text)
{
    struct username_chars chars;

    return postern_username_chars_parse(text, &chars);
}

#define OPAQUE_PREFIX_MIN 4 /* bytes: what no password begins with by chance */

static const char *find_prefix_fault(const char *text)
{
    if (strlen(text) < OPAQUE_PREFIX_MIN)
        return "is shorter than 4 characters: a password could begin like that";
    if (strncmp(text, POSTERN_HANDLE_PREFIX, sizeof POSTERN_HANDLE_PREFIX - 1) == 0)
        return "begins like a token handle (postern handle)";
    if (strlen(text) >= POSTERN_OPAQUE_PREFIX_MAX)
        return "is longer than 63 characters: how a token begins, not a token";
    return strchr(text, ' ') == NULL && strchr(text, '.') == NULL &&
                   postern_bytes_is_printable(postern_bytes_str(text))
               ? NULL
               : "holds what no opaque token begins with: a blank, a dot or what is not ASCII";
}

static const char *find_map_fault(const char *word)
{
    return strcmp(word, "-") == 0 ? "is no file" : NULL;
}

static const char *find_status_fault(const char *word)
{
    return strcmp(word, "off") == 0 ? NULL : postern_address_fault(word);
}

static const char *find_saslauthd_fault(const char *word)
{
    return strcmp(word, "off") == 0 ? NULL : postern_socket_fault(word);
}

static const struct {
    const char *key;
    word_fault find_fault;
    postern_section_kind kind; /* NONE: wherever the key may stand */
} word_checks[] = {
    { "service_names", find_service_name_fault, POSTERN_SECTION_NONE },
    { "username_claim", postern_username_fault, POSTERN_SECTION_NONE },
    { "agent_claim", find_claim_path_fault, POSTERN_SECTION_NONE },
    { "scope_claim", find_claim_path_fault, POSTERN_SECTION_NONE },
    { "purpose_claim", find_claim_path_fault, POSTERN_SECTION_NONE },
    { "required_claims", find_claim_path_fault, POSTERN_SECTION_NONE },
    { "introspection_claims", find_claim_path_fault, POSTERN_SECTION_NONE },
    { "opaque_prefix", find_prefix_fault, POSTERN_SECTION_NONE },
    { "required_scopes", find_scope_fault, POSTERN_SECTION_NONE },
    { "required_scopes_any", find_scope_fault, POSTERN_SECTION_NONE },
    { "allowed_clients", find_audience_fault, POSTERN_SECTION_NONE },
    { "required_acr", find_audience_fault, POSTERN_SECTION_NONE },
    { "scope", find_scope_fault, POSTERN_SECTION_NONE },
    { "registration_scopes", find_scope_fault, POSTERN_SECTION_NONE },
    { "registration_resources", find_audience_fault, POSTERN_SECTION_NONE },
    { "audience", find_audience_fault, POSTERN_SECTION_NONE },
    { "username_chars", find_chars_fault, POSTERN_SECTION_NONE },
    { "username_map_file", find_map_fault, POSTERN_SECTION_NONE },
    { "helper_socket", postern_socket_fault, POSTERN_SECTION_NONE },
    { "saslauthd_socket", find_saslauthd_fault, POSTERN_SECTION_NONE },
    { "admin_socket", postern_socket_fault, POSTERN_SECTION_NONE },
    { "helper_peers", find_peer_fault, POSTERN_SECTION_NONE },
    { "handle_peers", find_peer_fault, POSTERN_SECTION_NONE },
    { "admin_peers", find_peer_fault, POSTERN_SECTION_NONE },
    { "helper_user", find_account_fault, POSTERN_SECTION_NONE },
    { "issuer_user", find_account_fault, POSTERN_SECTION_NONE },
    { "loopback_user", find_account_fault, POSTERN_SECTION_NONE },
    { "door_user", find_account_fault, POSTERN_SECTION_NONE },
    { "audit_user", find_account_fault, POSTERN_SECTION_NONE },
    { "control_user", find_account_fault, POSTERN_SECTION_NONE },
    { "spawner_user", find_account_fault, POSTERN_SECTION_NONE },
    { "exec_user", find_account_fault, POSTERN_SECTION_NONE },
    { "control_socket", postern_socket_fault, POSTERN_SECTION_NONE },
    { "control_admins", find_peer_fault, POSTERN_SECTION_NONE },
    { "control_watchers", find_peer_fault, POSTERN_SECTION_NONE },
    { "policy", find_policy_fault, POSTERN_SECTION_NONE },
    { "backend", postern_door_backend_fault, POSTERN_SECTION_NONE },
    { "status_listen", find_status_fault, POSTERN_SECTION_NONE },
    { "listen", postern_listen_fault, POSTERN_SECTION_SERVER },
    { "listen", postern_door_listen_fault, POSTERN_SECTION_DOOR },
};

static postern_err check_word(const postern_section *s, const char *key, const char *word,
                              word_fault find_fault, postern_error *err)
{
    const char *fault = find_fault(word);
    char quoted[300];

    if (fault == NULL)
        return POSTERN_OK;
    return postern_config_value_fail(s, key, err, "\"%s\" %s",
                                     postern_error_quote(word, strlen(word), quoted, sizeof quoted),
                                     fault);
}

static postern_err check_words(const postern_section *s, const char *key, word_fault find_fault,
                               postern_error *err)
{
    const struct config_value *v = postern_section_value(s, key);

    if (v->text != NULL && v->items == NULL)
        return check_word(s, key, v->text, find_fault, err);
    for (size_t i = 0; i < v->count; i++)
        POSTERN_TRY(check_word(s, key, v->items[i], find_fault, err));
    return POSTERN_OK;
}

static postern_err check_all_words(const postern_section *s, postern_error *err)
{
    for (size_t i = 0; i < sizeof word_checks / sizeof word_checks[0]; i++) {
        int key = postern_config_key_index(word_checks[i].key, s->kind);
        postern_section_kind only = word_checks[i].kind;

        if (postern_config_key_is_for(key, s->kind) &&
            (only == POSTERN_SECTION_NONE || only == s->kind))
            POSTERN_TRY(check_words(s, word_checks[i].key, word_checks[i].find_fault, err));
    }
    return POSTERN_OK;
}

static postern_err check_required(const postern_section *s, postern_error *err)
{
    for (int key = 0; key < CONFIG_KEY_COUNT; key++)
        if (postern_config_key_is_for(key, s->kind) && postern_config_key_is_required(key) &&
            s->values[key].text == NULL)
            return POSTERN_FAIL(err, CONFIG_MISSING, "%s: required setting \"%s\" is missing: %s",
                                s->file, postern_config_keys[key].name,
                                postern_config_keys[key].meaning);
    return POSTERN_OK;
}

/* The embedded issuer is on loopback by nature (issuer.conf); everybody else must ask for http, and
 * a door, whose URL is a resource's name, has nothing to ask with. */
static enum url_loopback_http may_use_loopback_http(const postern_section *s)
{
    if (s->kind == POSTERN_SECTION_DOOR)
        return URL_LOOPBACK_HTTP_REFUSED;
    if (s->kind == POSTERN_SECTION_SERVER || postern_section_flag(s, "allow_loopback_http"))
        return URL_LOOPBACK_HTTP_ALLOWED;
    return URL_LOOPBACK_HTTP_REFUSED;
}

static postern_err check_urls(const postern_section *s, postern_error *err)
{
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        const char *fault, *text = s->values[key].text;
        char quoted[300];

        if (postern_config_keys[key].type != CONFIG_URL || text == NULL)
            continue;
        fault = postern_url_fault(text, may_use_loopback_http(s));
        if (fault != NULL)
            return postern_config_value_fail(
                s, postern_config_keys[key].name, err, "\"%s\" %s",
                postern_error_quote(text, strlen(text), quoted, sizeof quoted), fault);
    }
    return POSTERN_OK;
}

static postern_err check_server_port(const postern_section *s, postern_error *err)
{
    const struct config_value *port = postern_section_value(s, "server_port");

    if (port->text != NULL && postern_section_count(s, "server_names") == 0)
        return POSTERN_FAIL(err, CONFIG_CONFLICT,
                            "%s:%d:%d: server_port: means nothing without server_names", s->file,
                            port->line, port->column);
    return POSTERN_OK;
}

/* One source: two could hold different keys.  Without either, the issuer's metadata is asked. */
static postern_err check_keys_source(const postern_section *s, postern_error *err)
{
    const struct config_value *file = postern_section_value(s, "jwks_file");
    const struct config_value *uri = postern_section_value(s, "jwks_uri");

    if (file->text != NULL && uri->text != NULL)
        return POSTERN_FAIL(
            err, CONFIG_CONFLICT,
            "%s:%d:%d: jwks_uri: jwks_file is set as well; keys come from one place, so "
            "remove one of the two",
            s->file, uri->line, uri->column);
    return POSTERN_OK;
}

/* A delegated token's outermost actor is who acts (RFC 8693 §4.1): no other claim may come before
 * it. */
static postern_err check_agent_claim(const postern_section *s, postern_error *err)
{
    const struct config_value *agent = postern_section_value(s, "agent_claim");

    for (size_t i = 1; i < agent->count; i++)
        if (strcmp(agent->items[i], "act.sub") == 0)
            return postern_config_value_fail(s, "agent_claim", err, "act.sub must stand first");
    return POSTERN_OK;
}

static bool is_asked_about_tokens(const postern_section *issuer)
{
    return strcmp(postern_section_text(issuer, "introspection"), "no") != 0;
}

static postern_err check_issuer(const postern_section *s, postern_error *err)
{
    POSTERN_TRY(check_keys_source(s, err));
    POSTERN_TRY(check_agent_claim(s, err));
    if (is_asked_about_tokens(s) && postern_section_text(s, "client") == NULL)
        return postern_config_value_fail(s, "introspection", err,
                                         "needs client: as whom is the issuer asked?");
    if (!is_asked_about_tokens(s) && postern_section_text(s, "client") != NULL)
        return postern_config_value_fail(s, "client", err,
                                         "means nothing without introspection: set it, or remove "
                                         "this line");
    return POSTERN_OK;
}

/* An old key is kept for more than an hour: two or three at a time. */
#define KEY_ROTATION_MIN_S 3600

static postern_err check_server(const postern_section *s, postern_error *err)
{
    int64_t rotation_s = postern_section_number(s, "key_rotation");

    if (rotation_s != 0 && rotation_s < KEY_ROTATION_MIN_S)
        return postern_config_value_fail(s, "key_rotation", err, "is less than 1h and not 0s");
    if (strcmp(postern_section_text(s, "registration"), "off") != 0 &&
        postern_section_count(s, "registration_resources") == 0)
        return postern_config_value_fail(s, "registration", err,
                                         "needs registration_resources: what may strangers ask "
                                         "tokens for?");
    return POSTERN_OK;
}

/* A public client has nothing to prove itself with; everybody else must. */
static postern_err check_client(const postern_section *s, postern_error *err)
{
    bool is_public = strcmp(postern_section_text(s, "client_auth"), "none") == 0;
    const struct config_value *file = postern_section_value(s, "client_credential_file");

    if (!is_public && file->text == NULL)
        return POSTERN_FAIL(err, CONFIG_MISSING,
                            "%s: required setting \"client_credential_file\" is missing: file with "
                            "the client secret or the private key",
                            s->file);
    if (is_public && file->text != NULL)
        return POSTERN_FAIL(err, CONFIG_CONFLICT,
                            "%s:%d:%d: client_credential_file: \"client_auth: none\" uses none",
                            s->file, file->line, file->column);
    return postern_config_check_door_agent(s, err);
}

/* A mode of nothing; and a name that rules cannot say, for which every login would be refused. */
static postern_err check_service(const postern_section *s, postern_error *err)
{
    bool has_policy = postern_section_count(s, "policy") != 0;

    if (!has_policy && strcmp(postern_section_text(s, "policy_mode"), "enforce") != 0)
        return postern_config_value_fail(s, "policy_mode", err, "means nothing without policy");
    if (has_policy && strcmp(s->name, "raw") == 0)
        return postern_config_value_fail(s, "policy", err,
                                         "no rule can name this service, because raw is a protocol of "
                                         "doors: rename its file, and name raw in service_names");
    return POSTERN_OK;
}

postern_err postern_config_check_section(const postern_section *s, postern_error *err)
{
    POSTERN_TRY(check_required(s, err));
    POSTERN_TRY(check_all_words(s, err));
    POSTERN_TRY(check_urls(s, err));
    if (s->kind == POSTERN_SECTION_SERVICE || s->kind == POSTERN_SECTION_DOOR)
        POSTERN_TRY(check_server_port(s, err));
    if (s->kind == POSTERN_SECTION_SERVICE)
        return check_service(s, err);
    if (s->kind == POSTERN_SECTION_SERVER)
        return check_server(s, err);
    if (s->kind == POSTERN_SECTION_DOOR)
        return postern_config_check_door(s, err);
    if (s->kind == POSTERN_SECTION_CLIENT)
        return check_client(s, err);
    return s->kind == POSTERN_SECTION_ISSUER ? check_issuer(s, err) : POSTERN_OK;
}

static postern_err check_issuer_is_unique(const postern_config *c, const postern_section *s,
                                          postern_error *err)
{
    const struct config_value *v = postern_section_value(s, "issuer");

    for (const postern_section *other = c->first[POSTERN_SECTION_ISSUER]; other != s;
         other = other->next)
        if (strcmp(postern_section_text(other, "issuer"), v->text) == 0)
            return POSTERN_FAIL(err, CONFIG_CONFLICT,
                                "%s:%d:%d: issuer: the same issuer stands in %s", s->file, v->line,
                                v->column, postern_section_origin(other, "issuer"));
    return POSTERN_OK;
}

/* Credentials go to the server that they are of, and something has to prove who asks. */
static postern_err check_issuer_client(const postern_config *c, const postern_section *s,
                                       postern_error *err)
{
    const char *name = postern_section_text(s, "client");
    const postern_section *client =
        name == NULL ? NULL : postern_config_section(c, POSTERN_SECTION_CLIENT, name);

    if (name == NULL)
        return POSTERN_OK;
    if (client == NULL)
        return postern_config_value_fail(s, "client", err, "there is no clients/%s.conf", name);
    if (strcmp(postern_section_text(client, "issuer"), postern_section_text(s, "issuer")) != 0)
        return POSTERN_FAIL(
            err, CONFIG_CONFLICT, "%s: client: %s is of another issuer: name a client of this one",
            postern_section_origin(s, "client"), postern_section_origin(client, "issuer"));
    if (strcmp(postern_section_text(client, "client_auth"), "none") == 0)
        return POSTERN_FAIL(err, CONFIG_CONFLICT,
                            "%s: client: %s proves nothing, and such a client is told nothing "
                            "(RFC 7662 section 2.1): give it a client_credential_file",
                            postern_section_origin(s, "client"),
                            postern_section_origin(client, "client_auth"));
    return POSTERN_OK;
}

/* An opaque token does not say whose it is, and whoever is asked learns it.  Two issuers that are
 * asked about signed tokens alone are no trouble: opaque ones are shown to none of them
 * (validate.c). */
static postern_err check_one_reader(const postern_config *c, const postern_section *s,
                                    postern_error *err)
{
    size_t asked = 0, of_opaque = 0;

    for (size_t i = 0; i < postern_config_issuer_count(s); i++) {
        const postern_section *issuer = postern_config_issuer_of(c, s, i);

        asked += is_asked_about_tokens(issuer);
        of_opaque += strcmp(postern_section_text(issuer, "introspection"), "opaque") == 0;
    }
    if (asked < 2 || of_opaque == 0)
        return POSTERN_OK;
    return postern_config_value_fail(s, "issuers", err,
                                     "of those that have introspection one is asked about opaque "
                                     "tokens, and an opaque token does not say whose it is; write "
                                     "introspection: always for all of them, or one service file "
                                     "for each");
}

/* Who else would give them, and know what they stand for? */
static postern_err check_token_format(const postern_config *c, const postern_section *s,
                                      postern_error *err)
{
    const postern_section *server = postern_config_section(c, POSTERN_SECTION_SERVER, NULL);

    if (strcmp(postern_section_text(s, "access_token_format"), "opaque") != 0)
        return POSTERN_OK;
    if (server == NULL)
        return postern_config_value_fail(s, "access_token_format", err,
                                         "opaque tokens come from the embedded issuer, and there is "
                                         "no issuer.conf");
    for (size_t i = 0; i < postern_config_issuer_count(s); i++)
        if (strcmp(postern_section_text(postern_config_issuer_of(c, s, i), "issuer"),
                   postern_section_text(server, "issuer")) == 0)
            return POSTERN_OK;
    return postern_config_value_fail(s, "access_token_format", err,
                                     "opaque tokens come from the embedded issuer, which this file "
                                     "does not trust");
}

static postern_err check_service_issuer(const postern_config *c, const postern_section *s,
                                        postern_error *err)
{
    const postern_section *first = c->first[POSTERN_SECTION_ISSUER];
    const struct config_value *v = postern_section_value(s, "issuers");
    char quoted[300];

    if (first == NULL)
        return POSTERN_FAIL(
            err, CONFIG_MISSING,
            "%s: no issuer is trusted yet: write issuers/NAME.conf with issuer:", s->file);
    if (v->count == 0 && first->next != NULL)
        return POSTERN_FAIL(
            err, CONFIG_MISSING,
            "%s: required setting \"issuers\" is missing: there are several files in issuers/",
            s->file);
    for (size_t i = 0; i < v->count; i++)
        if (postern_config_section(c, POSTERN_SECTION_ISSUER, v->items[i]) == NULL)
            return postern_config_value_fail(
                s, "issuers", err, "there is no issuers/%s.conf",
                postern_error_quote(v->items[i], strlen(v->items[i]), quoted, sizeof quoted));
    return POSTERN_OK;
}

/* The names that a section answers to beside its file's; a door has none. */
static const struct config_value *get_more_names(const postern_section *s)
{
    static const struct config_value none;

    return s->kind == POSTERN_SECTION_SERVICE ? postern_section_value(s, "service_names") : &none;
}

/* Calls itself so: by its file's name or by service_names. */
static bool is_called(const postern_section *s, const char *name)
{
    const struct config_value *v = get_more_names(s);

    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->items[i], name) == 0)
            return true;
    return strcmp(s->name, name) == 0;
}

static postern_err check_names_of_two(const postern_section *a, const postern_section *b,
                                      postern_error *err)
{
    const struct config_value *names = get_more_names(b);

    if (strcmp(a->name, b->name) == 0)
        return POSTERN_FAIL(err, CONFIG_CONFLICT,
                            "%s and %s have one name: audit records and --service could not tell "
                            "the two apart",
                            a->file, b->file);
    for (size_t i = 0; i < names->count; i++)
        if (is_called(a, names->items[i]))
            return POSTERN_FAIL(err, CONFIG_CONFLICT,
                                "%s:%d:%d: service_names: \"%s\" is also answered by %s", b->file,
                                names->line, names->column, names->items[i], a->file);
    names = get_more_names(a);
    if (!is_called(a, b->name))
        return POSTERN_OK;
    return POSTERN_FAIL(err, CONFIG_CONFLICT,
                        "%s:%d:%d: service_names: \"%s\" is also answered by %s", a->file,
                        names->line, names->column, b->name, b->file);
}

static postern_err check_audiences_of_two(const postern_section *a, const postern_section *b,
                                          postern_error *err)
{
    const struct config_value *mine = postern_section_value(b, "audience");
    const struct config_value *theirs = postern_section_value(a, "audience");

    if (postern_section_flag(a, "shared_audience") && postern_section_flag(b, "shared_audience"))
        return POSTERN_OK;
    for (size_t i = 0; i < mine->count; i++)
        for (size_t j = 0; j < theirs->count; j++)
            if (strcmp(mine->items[i], theirs->items[j]) == 0)
                return POSTERN_FAIL(
                    err, CONFIG_CONFLICT,
                    "%s:%d:%d: audience: the same stands in %s; a token for one would open the "
                    "other, unless both say \"shared_audience: yes\"",
                    b->file, mine->line, mine->column, theirs->origin);
    return POSTERN_OK;
}

/* Of all services, then all doors. */
static const postern_section *get_next_guarded(const postern_config *c, const postern_section *s)
{
    if (s == NULL)
        return c->first[POSTERN_SECTION_SERVICE] != NULL ? c->first[POSTERN_SECTION_SERVICE]
                                                         : c->first[POSTERN_SECTION_DOOR];
    if (s->next != NULL || s->kind == POSTERN_SECTION_DOOR)
        return s->next;
    return c->first[POSTERN_SECTION_DOOR];
}

static postern_err check_against_earlier(const postern_config *c, const postern_section *s,
                                         postern_error *err)
{
    for (const postern_section *other = get_next_guarded(c, NULL); other != s;
         other = get_next_guarded(c, other)) {
        POSTERN_TRY(check_names_of_two(other, s, err));
        POSTERN_TRY(check_audiences_of_two(other, s, err));
    }
    return POSTERN_OK;
}

/* A host that asks there for whatever it likes would get it: the list is never guessed. */
static postern_err check_saslauthd(const postern_config *c, const postern_section *daemon,
                                   postern_error *err)
{
    bool is_off = strcmp(postern_section_text(daemon, "saslauthd_socket"), "off") == 0;
    const char *name;
    char quoted[300];

    if (is_off && postern_section_count(daemon, "services") != 0)
        return postern_config_value_fail(daemon, "services", err,
                                         "means nothing without saslauthd_socket");
    if (!is_off && postern_section_count(daemon, "services") == 0)
        return postern_config_value_fail(daemon, "saslauthd_socket", err,
                                         "needs services: which service files it serves");
    for (size_t i = 0; (name = postern_section_item(daemon, "services", i)) != NULL; i++)
        if (postern_config_section(c, POSTERN_SECTION_SERVICE, name) == NULL)
            return postern_config_value_fail(
                daemon, "services", err, "there is no services/%s.conf",
                postern_error_quote(name, strlen(name), quoted, sizeof quoted));
    return POSTERN_OK;
}

postern_err postern_config_check_all(const postern_config *c, postern_error *err)
{
    const postern_section *daemon = postern_config_section(c, POSTERN_SECTION_DAEMON, NULL);

    if (daemon != NULL)
        POSTERN_TRY(check_saslauthd(c, daemon, err));
    for (const postern_section *s = c->first[POSTERN_SECTION_ISSUER]; s != NULL; s = s->next)
        POSTERN_TRY(check_issuer_is_unique(c, s, err));
    for (const postern_section *s = c->first[POSTERN_SECTION_ISSUER]; s != NULL; s = s->next)
        POSTERN_TRY(check_issuer_client(c, s, err));
    for (const postern_section *s = get_next_guarded(c, NULL); s != NULL;
         s = get_next_guarded(c, s)) {
        POSTERN_TRY(check_service_issuer(c, s, err));
        POSTERN_TRY(check_one_reader(c, s, err));
        POSTERN_TRY(check_token_format(c, s, err));
        POSTERN_TRY(check_against_earlier(c, s, err));
    }
    for (const postern_section *s = c->first[POSTERN_SECTION_DOOR]; s != NULL; s = s->next)
        POSTERN_TRY(postern_config_check_door_issuers(c, s, err));
    return postern_config_check_listens(c, err);
}
