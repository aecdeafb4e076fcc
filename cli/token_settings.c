/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose token, from where, for what: options of `postern token` first, then the client file that
 * --client, POSTERN_CLIENT or the default places name.  postern.conf(5) lists the file's settings.
 */
#include "config.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host_match.h"
#include "token.h"

#define PATH_ROOM     4096 /* bytes: PATH_MAX */
#define SCOPE_ROOM    1024 /* bytes: postern_token_info.scope */
#define RESOURCE_ROOM 512  /* bytes: https:// HOST / SERVICE */

/* ---- the client file ---- */

static bool is_there(const char *path)
{
    return path != NULL && access(path, F_OK) == 0;
}

/* "$XDG_CONFIG_HOME/postern/" or "~/.config/postern/"; false when there is no home. */
static bool add_user_folder(postern_buf *path)
{
    const char *xdg = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");

    if (xdg != NULL &&
        xdg[0] == '/') { /* XDG Base Directory Specification: a relative one is ignored */
        postern_buf_add_str(path, xdg);
        postern_buf_add_str(path, "/postern/");
        return true;
    }
    if (home == NULL || home[0] != '/')
        return false;
    postern_buf_add_str(path, home);
    postern_buf_add_str(path, "/.config/postern/");
    return true;
}

/* FOLDER + prefix + name + suffix into `path`, when that file exists; first the user's folder, then
 * the system's. */
static bool find_file(const char *prefix, const char *name, const char *suffix, postern_buf *path)
{
    for (int i = 0; i < 2; i++) {
        postern_buf_reset(path);
        if (i == 1)
            postern_buf_add_str(path, POSTERN_SYSCONFDIR "/");
        else if (!add_user_folder(path))
            continue;
        postern_buf_add_str(path, prefix);
        postern_buf_add_str(path, name);
        postern_buf_add_str(path, suffix);
        if (is_there(postern_buf_cstr(path)))
            return true;
    }
    return false;
}

/* FILE holds a '/', NAME does not: clients/NAME.conf. */
static postern_err find_named(const char *client, postern_buf *path, postern_error *err)
{
    char room[260];

    if (strchr(client, '/') != NULL) {
        postern_buf_add_str(path, client);
        return postern_buf_cstr(path) != NULL
                   ? POSTERN_OK
                   : POSTERN_FAIL(err, USAGE, "the client file's name is too long");
    }
    if (client[0] == '.' || !find_file("clients/", client, ".conf", path))
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "no clients/%s.conf in ~/.config/postern or " POSTERN_SYSCONFDIR
                            " (a file's name holds a '/')",
                            postern_error_quote(client, strlen(client), room, sizeof room));
    return POSTERN_OK;
}

static postern_err find_client_file(const struct token_options *o, postern_buf *path,
                                    postern_error *err)
{
    const char *client = o->client != NULL ? o->client : secure_getenv("POSTERN_CLIENT");

    if (client != NULL && client[0] != '\0')
        return find_named(client, path, err);
    if (find_file("", "client", ".conf", path))
        return POSTERN_OK;
    return POSTERN_FAIL(err, CONFIG_FILE,
                        "no client file: --client, POSTERN_CLIENT, ~/.config/postern/client.conf "
                        "or " POSTERN_SYSCONFDIR
                        "/client.conf, or --issuer, --client-id and --secret-file together");
}

/* Words joined by one blank; NULL for none. */
static const char *join_list(const postern_section *c, const char *key, postern_buf *room)
{
    size_t n = postern_section_count(c, key);

    for (size_t i = 0; i < n; i++) {
        if (i != 0)
            postern_buf_add_byte(room, ' ');
        postern_buf_add_str(room, postern_section_item(c, key, i));
    }
    return n == 0 ? NULL : postern_buf_cstr(room);
}

static const char *either(const char *option, const char *setting)
{
    return option != NULL ? option : setting;
}

postern_err token_loopback_user(const char *name, uid_t *ret, postern_error *err)
{
    char room[260], *end;
    unsigned long number = strtoul(name, &end, 10);
    const struct passwd *pw;

    if (name[0] >= '0' && name[0] <= '9' && *end == '\0' && number < UINT32_MAX) {
        *ret = (uid_t)number;
        return POSTERN_OK;
    }
    if ((pw = getpwnam(name)) == NULL)
        return POSTERN_FAIL(err, CONFIG_VALUE, "loopback_user: no user %s here",
                            postern_error_quote(name, strlen(name), room, sizeof room));
    *ret = pw->pw_uid;
    return POSTERN_OK;
}

static const struct {
    const char *name;
    postern_client_auth auth;
} auths[] = {
    { "secret", POSTERN_CLIENT_AUTH_SECRET },
    { "private_key_jwt", POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT },
    { "none", POSTERN_CLIENT_AUTH_NONE },
};

static postern_err read_auth(const char *name, postern_client_auth *ret, postern_error *err)
{
    for (size_t i = 0; i < sizeof auths / sizeof *auths; i++)
        if (strcmp(auths[i].name, name) == 0) {
            *ret = auths[i].auth;
            return POSTERN_OK;
        }
    return POSTERN_FAIL(err, USAGE, "--client-auth is secret, private_key_jwt or none");
}

/* "" and NULL are one: no file. */
static postern_err check_credential(const struct token_settings *s, postern_error *err)
{
    if (s->auth != POSTERN_CLIENT_AUTH_NONE && s->secret_file == NULL)
        return POSTERN_FAIL(err, USAGE, "no --secret-file, and --client-auth is not none");
    if (s->auth == POSTERN_CLIENT_AUTH_NONE && s->secret_file != NULL)
        return POSTERN_FAIL(err, USAGE, "--client-auth none goes without a secret file");
    return POSTERN_OK;
}

static postern_err take_file(const postern_section *c, const struct token_options *o,
                             struct token_settings *s, postern_error *err)
{
    s->issuer = either(o->issuer, postern_section_text(c, "issuer"));
    s->client_id = either(o->client_id, postern_section_text(c, "client_id"));
    s->secret_file = either(o->secret_file, postern_section_text(c, "client_credential_file"));
    s->resource = either(o->resource, postern_section_text(c, "resource"));
    s->is_login = o->is_login || postern_section_flag(c, "login");
    s->person = either(o->person, postern_section_text(c, "person"));
    s->is_actor_self = strcmp(postern_section_text(c, "actor_token"), "self") == 0;
    s->scope = o->scope != NULL ? o->scope : join_list(c, "scope", &s->scope_room);
    s->tls_ca_file = either(o->tls_ca_file, postern_section_text(c, "tls_ca_file"));
    s->allow_loopback_http =
        o->allow_loopback_http || postern_section_flag(c, "allow_loopback_http");
    POSTERN_TRY(
        read_auth(either(o->client_auth, postern_section_text(c, "client_auth")), &s->auth, err));
    POSTERN_TRY(check_credential(s, err));
    if (s->scope_room.failed)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s: scope is longer than %d bytes", s->file,
                            SCOPE_ROOM - 1);
    return token_loopback_user(either(o->loopback_user, postern_section_text(c, "loopback_user")),
                               &s->loopback_uid, err);
}

static postern_err take_options(const struct token_options *o, struct token_settings *s,
                                postern_error *err)
{
    s->issuer = o->issuer;
    s->client_id = o->client_id;
    s->secret_file = o->secret_file;
    s->resource = o->resource;
    s->scope = o->scope;
    s->tls_ca_file = o->tls_ca_file;
    s->allow_loopback_http = o->allow_loopback_http;
    s->is_login = o->is_login;
    s->person = o->person;
    POSTERN_TRY(read_auth(either(o->client_auth, "secret"), &s->auth, err));
    POSTERN_TRY(check_credential(s, err));
    return token_loopback_user(either(o->loopback_user, "root"), &s->loopback_uid, err);
}

/* ---- --for-host ---- */

static postern_err check_hosts(const postern_section *c, const struct token_settings *s,
                               const char *host, postern_error *err)
{
    size_t n = c == NULL ? 0 : postern_section_count(c, "hosts");

    for (size_t i = 0; i < n; i++)
        if (host_matches(postern_section_item(c, "hosts", i), host))
            return POSTERN_OK;
    if (n == 0)
        return POSTERN_FAIL(
            err, POLICY,
            "%s names no hosts: a token goes to a server without asking only when hosts: names it",
            s->file != NULL ? s->file : "the command line");
    return POSTERN_FAIL(err, POLICY, "%s is not in hosts: of %s", host, s->file);
}

/* A host's audience is https://HOST/SERVICE unless it is said otherwise. */
static postern_err choose_resource(struct token_settings *s, const char *host, const char *service,
                                   postern_error *err)
{
    bool is_ipv6 = strchr(host, ':') != NULL;

    if (s->resource != NULL)
        return POSTERN_OK;
    postern_buf_add_str(&s->resource_room, is_ipv6 ? "https://[" : "https://");
    for (const char *c = host; *c != '\0'; c++)
        postern_buf_add_byte(&s->resource_room,
                             (uint8_t)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c));
    postern_buf_add_str(&s->resource_room, is_ipv6 ? "]/" : "/");
    postern_buf_add_str(&s->resource_room, service);
    s->resource = postern_buf_cstr(&s->resource_room);
    return s->resource != NULL ? POSTERN_OK
                               : POSTERN_FAIL(err, USAGE, "the host's name is too long");
}

postern_err token_settings_allow(struct token_settings *s, const char *host, const char *service,
                                 postern_error *err)
{
    const postern_section *c =
        s->config == NULL ? NULL : postern_config_section(s->config, POSTERN_SECTION_CLIENT, NULL);

    POSTERN_TRY(check_hosts(c, s, host, err));
    return choose_resource(s, host, service, err);
}

static postern_err judge_target(const struct token_options *o, struct token_settings *s,
                                postern_error *err)
{
    if (o->for_host == NULL && o->for_service == NULL)
        return POSTERN_OK;
    if (o->for_host == NULL || o->for_service == NULL)
        return POSTERN_FAIL(err, USAGE, "--for-host and --for-service go together");
    if (!host_is_name(o->for_host) || !host_is_service(o->for_service))
        return POSTERN_FAIL(err, USAGE, "--for-host or --for-service is not a name");
    return token_settings_allow(s, o->for_host, o->for_service, err);
}

/* ---- both ---- */

/* Everything that a request needs is on the command line. */
static bool is_file_needed(const struct token_options *o)
{
    bool is_public = o->client_auth != NULL && strcmp(o->client_auth, "none") == 0;

    return o->client != NULL || o->issuer == NULL || o->client_id == NULL ||
           (o->secret_file == NULL && !is_public);
}

static postern_err read_settings(const struct token_options *o, struct token_settings *s,
                                 postern_error *err)
{
    if (!is_file_needed(o)) {
        POSTERN_TRY(take_options(o, s, err));
    } else {
        POSTERN_TRY(find_client_file(o, &s->file_room, err));
        s->file = postern_buf_cstr(&s->file_room);
        POSTERN_TRY(postern_config_load_client(s->file, &s->config, err));
        POSTERN_TRY(
            take_file(postern_config_section(s->config, POSTERN_SECTION_CLIENT, NULL), o, s, err));
    }
    s->is_login = s->is_login || o->person != NULL;
    return judge_target(o, s, err);
}

postern_err token_settings_read(const struct token_options *o, struct token_settings *ret,
                                postern_error *err)
{
    *ret = (struct token_settings){ .file_room = POSTERN_BUF_INIT(PATH_ROOM),
                                    .resource_room = POSTERN_BUF_INIT(RESOURCE_ROOM),
                                    .scope_room = POSTERN_BUF_INIT(SCOPE_ROOM) };
    return read_settings(o, ret, err);
}

postern_agent token_agent(const struct token_settings *s, postern_bytes credential)
{
    return (postern_agent){
        .issuer = s->issuer,
        .client_id = s->client_id,
        .auth = s->auth,
        .credential = credential,
        .tls_ca_file = s->tls_ca_file,
        .allow_loopback_http = s->allow_loopback_http,
        .loopback_uid = s->loopback_uid,
    };
}

void token_settings_free(struct token_settings *s)
{
    postern_config_free(s->config);
    postern_buf_free(&s->file_room);
    postern_buf_free(&s->resource_room);
    postern_buf_free(&s->scope_room);
}
