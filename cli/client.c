/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern client`: the agents that the embedded issuer knows.  The command line, how the issuer is
 * asked, and the verbs that need no file of their own.  Names, scopes, resources and addresses are
 * judged by the issuer.  See postern(1).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/config.h>

#include "admin_call.h"
#include "cli.h"
#include "client.h"
#include "options.h"

static void print_help(FILE *out)
{
    fputs(
        "usage: postern client add NAME --resource URI ... [--scope SCOPE ...] --secret-file FILE\n"
        "       postern client add NAME --resource URI ... [--scope SCOPE ...] --jwks FILE\n"
        "       postern client add NAME --resource URI ... --public --redirect-uri URI ...\n"
        "       postern client list [--json]\n"
        "       postern client show NAME [--json]\n"
        "       postern client rotate-secret NAME --secret-file FILE\n"
        "       postern client invite [--uses N] [--for TIME]\n"
        "       postern client remove NAME\n"
        "\n"
        "  --resource URI      service that the client may ask tokens for: an audience: of a "
        "service file\n"
        "  --scope SCOPE       scope that its tokens may have; several in one, with blanks "
        "between, are fine\n"
        "  --secret-file FILE  gets the new secret, mode 0600; add: must not exist; rotate-secret: "
        "is replaced\n"
        "  --jwks FILE         it proves itself by these public keys (private_key_jwt), not by a "
        "secret\n"
        "  --public            it has neither secret nor key: tokens of people only\n"
        "  --redirect-uri URI  where people come back to it from the login page\n"
        "  --title TEXT        what people read there instead of its name\n"
        "  --may-impersonate   it may exchange a person's token without being named in the new "
        "one\n"
        "  --may-introspect    it may ask about tokens of every service\n"
        "  --uses N, --for TIME\n"
        "                      clients that may register with what invite prints (1), until when "
        "(1d)\n"
        "  --json              an array of objects, or one object, instead of lines\n"
        "  --config DIR        folder with issuer.conf (default " POSTERN_SYSCONFDIR ")\n"
        "  --socket PATH       the issuer's administration socket, instead of what issuer.conf "
        "says\n"
        "\n"
        "Exit status: 0 done, 1 refused by the issuer, 2 usage, 3 not done or not known: see the "
        "message.\n",
        out);
}

/* ---- asking ---- */

static postern_err find_socket(const struct client_request *rq, postern_config **ret_config,
                               const char **ret, postern_error *err)
{
    const postern_section *server;

    if (rq->socket != NULL) {
        *ret = rq->socket;
        return POSTERN_OK;
    }
    POSTERN_TRY(postern_config_load(rq->config_dir, ret_config, err));
    server = postern_config_section(*ret_config, POSTERN_SECTION_SERVER, NULL);
    if (server == NULL)
        return POSTERN_FAIL(err, CONFIG_MISSING,
                            "%s has no issuer.conf: there is no issuer here to administer",
                            rq->config_dir);
    *ret = postern_section_text(server, "admin_socket");
    return POSTERN_OK;
}

postern_err client_ask(const struct client_request *rq, const postern_buf *request,
                       postern_buf *reply, postern_json *j, postern_error *err)
{
    POSTERN_AUTO(config) config = NULL;
    const char *path = NULL;

    if (request->failed)
        return POSTERN_FAIL(err, USAGE, "the command line is too long");
    POSTERN_TRY(find_socket(rq, &config, &path, err));
    return admin_call(&admin_issuer, path, postern_buf_bytes(request), reply, j, err);
}

int client_print_refusal(const char *command, const postern_json *j)
{
    char message[CLIENT_TEXT_MAX];

    admin_call_text(j, 0, "message", message, sizeof message);
    for (char *p = message; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
    fprintf(stderr, "postern %s: %s\n", command,
            message[0] == '\0' ? "the issuer refused and did not say why" : message);
    return CLI_REJECTED;
}

void client_write_verb(const struct client_request *rq, const char *verb, postern_buf *request)
{
    postern_json_writer w = { request, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", verb);
    postern_json_put_str(&w, "name", rq->name);
    postern_json_close_object(&w);
}

/* ---- invite ---- */

static postern_err ask_invitation(const struct client_request *rq, int *ret_status,
                                  postern_error *err)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    postern_bytes token;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "client_invite");
    if (rq->uses != 0)
        postern_json_put_integer(&w, "uses", rq->uses);
    if (rq->for_s != 0)
        postern_json_put_integer(&w, "for", rq->for_s);
    postern_json_close_object(&w);
    POSTERN_TRY(client_ask(rq, &request, &reply, &j, err));
    if (!admin_call_is_ok(&j)) {
        *ret_status = client_print_refusal("client", &j);
        return POSTERN_OK;
    }
    /* base64url: never escaped, so it stays in `reply`, which is wiped */
    if (!postern_json_string(&j, postern_json_member(&j, 0, "initial_access_token"), NULL,
                             &token) ||
        token.len == 0)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "the issuer's answer holds no token");
    if (fwrite(token.ptr, 1, token.len, stdout) != token.len || putchar('\n') == EOF ||
        fflush(stdout) != 0)
        return POSTERN_FAIL(err, SYSTEM, "writing the invitation: %m");
    *ret_status = CLI_PROVED;
    return POSTERN_OK;
}

static int invite_client(const struct client_request *rq)
{
    postern_error err = { 0 };
    int status = CLI_UNDECIDED;

    return ask_invitation(rq, &status, &err) == POSTERN_OK ? status : cli_fail("client", &err);
}

/* ---- remove ---- */

static bool is_silent(const postern_json *j, const char *who)
{
    return postern_json_string_is(j, postern_json_member(j, 0, who), "silent");
}

static int print_removal(const postern_json *j)
{
    char message[CLIENT_TEXT_MAX];

    puts(admin_call_text(j, 0, "message", message, sizeof message));
    /* Told and not confirmed: whether its tokens are refused already is not known. */
    return is_silent(j, "helper") || is_silent(j, "door") ? CLI_UNDECIDED : CLI_PROVED;
}

static int remove_client(const struct client_request *rq)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_error err = { 0 };

    client_write_verb(rq, "client_remove", &request);
    if (client_ask(rq, &request, &reply, &j, &err) != POSTERN_OK)
        return cli_fail("client", &err);
    return admin_call_is_ok(&j) ? print_removal(&j) : client_print_refusal("client", &j);
}

/* ---- the command line ---- */

enum option_id {
    OPTION_SCOPE = 1,
    OPTION_RESOURCE,
    OPTION_REDIRECT,
    OPTION_SECRET_FILE,
    OPTION_JWKS,
    OPTION_TITLE,
    OPTION_PUBLIC,
    OPTION_IMPERSONATE,
    OPTION_INTROSPECT,
    OPTION_USES,
    OPTION_FOR,
    OPTION_JSON,
    OPTION_CONFIG,
    OPTION_SOCKET,
    OPTION_HELP
};
#define BIT(o)          (1U << (o))
#define BITS_EVERYWHERE (BIT(OPTION_CONFIG) | BIT(OPTION_SOCKET))
#define BITS_ADD                                                                                   \
    (BIT(OPTION_SCOPE) | BIT(OPTION_RESOURCE) | BIT(OPTION_REDIRECT) | BIT(OPTION_SECRET_FILE) |   \
     BIT(OPTION_JWKS) | BIT(OPTION_TITLE) | BIT(OPTION_PUBLIC) | BIT(OPTION_IMPERSONATE) |         \
     BIT(OPTION_INTROSPECT))

static const struct verb {
    const char *name;
    bool takes_name;
    unsigned options;
    int (*run)(const struct client_request *rq);
} verbs[] = {
    { "add", true, BITS_ADD | BITS_EVERYWHERE, client_add },
    { "invite", false, BIT(OPTION_USES) | BIT(OPTION_FOR) | BITS_EVERYWHERE, invite_client },
    { "list", false, BIT(OPTION_JSON) | BITS_EVERYWHERE, client_list },
    { "remove", true, BITS_EVERYWHERE, remove_client },
    { "rotate-secret", true, BIT(OPTION_SECRET_FILE) | BITS_EVERYWHERE, client_rotate_secret },
    { "show", true, BIT(OPTION_JSON) | BITS_EVERYWHERE, client_show },
};

static bool add_word(const char **words, size_t *count, const char *word)
{
    if (*count == CLIENT_WORDS_MAX)
        return false;
    words[(*count)++] = word;
    return true;
}

/* A count of one to four digits: the issuer's limit is smaller. */
static bool set_uses(const char *value, int64_t *ret)
{
    size_t len = strspn(value, "0123456789");

    if (len == 0 || len > 4 || value[len] != '\0')
        return false;
    *ret = strtol(value, NULL, 10);
    return *ret > 0;
}

static bool set_text(const char **ret, const char *value)
{
    *ret = value;
    return true;
}

static bool set_flag(bool *ret)
{
    *ret = true;
    return true;
}

static bool set_option(int option, const char *value, struct client_request *rq)
{
    switch (option) {
    case OPTION_REDIRECT:
        return add_word(rq->redirects, &rq->redirect_count, value);
    case OPTION_JWKS:
        return set_text(&rq->jwks_file, value);
    case OPTION_TITLE:
        return set_text(&rq->title, value);
    case OPTION_PUBLIC:
        return set_flag(&rq->is_public);
    case OPTION_IMPERSONATE:
        return set_flag(&rq->may_impersonate);
    case OPTION_INTROSPECT:
        return set_flag(&rq->may_introspect);
    case OPTION_USES:
        return set_uses(value, &rq->uses);
    case OPTION_FOR:
        return cli_duration(value, &rq->for_s);
    case OPTION_SCOPE:
        return add_word(rq->scopes, &rq->scope_count, value);
    case OPTION_RESOURCE:
        return add_word(rq->resources, &rq->resource_count, value);
    case OPTION_SECRET_FILE:
        return set_text(&rq->secret_file, value);
    case OPTION_JSON:
        return set_flag(&rq->is_json);
    case OPTION_CONFIG:
        return set_text(&rq->config_dir, value);
    case OPTION_SOCKET:
        return set_text(&rq->socket, value);
    default:
        return false;
    }
}

static int fail_usage(const char *what, const char *which)
{
    fprintf(stderr, "postern client: %s%s; `postern client --help` explains\n", what, which);
    return CLI_USAGE;
}

static int check_request(const struct verb *verb, const struct client_request *rq)
{
    if (verb->takes_name && rq->name[0] == '\0')
        return fail_usage("name one client after ", verb->name);
    if (rq->is_public && rq->jwks_file != NULL)
        return fail_usage("a public client has no key: --jwks or --public", "");
    if ((rq->is_public || rq->jwks_file != NULL) && rq->secret_file != NULL)
        return fail_usage("a client with --jwks or --public has no secret to keep", "");
    if ((verb->run == client_add || verb->run == client_rotate_secret) && rq->secret_file == NULL &&
        !rq->is_public && rq->jwks_file == NULL)
        return fail_usage("--secret-file FILE is required: the secret is shown nowhere else", "");
    return CLI_PROVED;
}

/* A secret that somebody wrote where none belongs is in no message: cli_options_read(). */
struct reading {
    const struct verb *verb;
    struct client_request *rq;
    bool wants_help;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct reading *r = arg;

    if (option == 0) { /* a word: the name, once */
        if (!r->verb->takes_name || r->rq->name[0] != '\0')
            return false;
        r->rq->name = value;
        return true;
    }
    if (option == OPTION_HELP) {
        r->wants_help = true;
        return true;
    }
    return (r->verb->options & BIT(option)) != 0 && set_option(option, value, r->rq);
}

/* argv[0] is the verb. */
static int run_verb(const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        { "scope", required_argument, NULL, OPTION_SCOPE },
        { "resource", required_argument, NULL, OPTION_RESOURCE },
        { "redirect-uri", required_argument, NULL, OPTION_REDIRECT },
        { "jwks", required_argument, NULL, OPTION_JWKS },
        { "title", required_argument, NULL, OPTION_TITLE },
        { "public", no_argument, NULL, OPTION_PUBLIC },
        { "may-impersonate", no_argument, NULL, OPTION_IMPERSONATE },
        { "may-introspect", no_argument, NULL, OPTION_INTROSPECT },
        { "uses", required_argument, NULL, OPTION_USES },
        { "for", required_argument, NULL, OPTION_FOR },
        { "json", no_argument, NULL, OPTION_JSON },
        { "secret-file", required_argument, NULL, OPTION_SECRET_FILE },
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "socket", required_argument, NULL, OPTION_SOCKET },
        { "help", no_argument, NULL, OPTION_HELP },
        { NULL, 0, NULL, 0 },
    };
    struct client_request rq = { .config_dir = POSTERN_SYSCONFDIR, .name = "" };
    struct reading r = { verb, &rq, false };
    const struct cli_options reader = { "client", options, take_option, &r };
    postern_error err = { 0 };
    int status;

    if (cli_options_read(&reader, argc, argv, &err) != POSTERN_OK)
        return cli_fail("client", &err);
    if (r.wants_help) {
        print_help(stdout);
        return CLI_PROVED;
    }
    status = check_request(verb, &rq);
    return status == CLI_PROVED ? verb->run(&rq) : status;
}

int command_client(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return CLI_PROVED;
    }
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return run_verb(&verbs[i], argc - 1, argv + 1);
    print_help(stderr);
    return CLI_USAGE;
}
