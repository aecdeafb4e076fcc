/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern client add|list|remove`: the agents that the embedded issuer knows.  A new secret goes
 * into a file of mode 0600 and nowhere else; the file is made before the issuer is asked, so that
 * no secret is made which nobody keeps. Names, scopes and resources are judged by the issuer.  See
 * postern(1).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/config.h>

#include "admin_call.h"
#include "cli.h"
#include "client.h"

static void print_help(FILE *out)
{
    fputs(
        "usage: postern client add NAME --resource URI ... [--scope SCOPE ...] --secret-file FILE\n"
        "       postern client list [--json]\n"
        "       postern client remove NAME\n"
        "\n"
        "  --resource URI      service that the client may ask tokens for: an audience: of a "
        "service file\n"
        "  --scope SCOPE       scope that its tokens may have; several in one, with blanks "
        "between, are fine\n"
        "  --secret-file FILE  gets the new secret, mode 0600; must not exist\n"
        "  --json              an array of objects instead of lines\n"
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

int client_print_refusal(const postern_json *j)
{
    char message[CLIENT_TEXT_MAX];

    admin_call_text(j, 0, "message", message, sizeof message);
    for (char *p = message; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
    fprintf(stderr, "postern client: %s\n",
            message[0] == '\0' ? "the issuer refused and did not say why" : message);
    return CLI_REJECTED;
}

/* ---- add ---- */

/* -1, and said why, when the file cannot be made anew. */
static int make_secret_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        fprintf(stderr,
                "postern client: %s exists: name another file, or remove this one if nobody uses "
                "its secret any more\n",
                path);
    else if (fd < 0)
        fprintf(stderr, "postern client: making %s: %m\n", path);
    return fd;
}

static postern_err write_secret(int fd, postern_bytes secret, postern_error *err)
{
    while (secret.len != 0) {
        ssize_t n = write(fd, secret.ptr, secret.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return POSTERN_FAIL(err, SYSTEM, "writing the secret: %m");
        secret = (postern_bytes){ secret.ptr + n, secret.len - (size_t)n };
    }
    return fsync(fd) == 0 ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "writing the secret: %m");
}

static void put_list(postern_json_writer *w, const char *name, const char *const *words,
                     size_t count)
{
    postern_json_open_array(w, name);
    for (size_t i = 0; i < count; i++) {
        const char *p = words[i] + strspn(words[i], " ");

        for (size_t len; (len = strcspn(p, " ")) != 0; p += strspn(p, " ")) {
            postern_json_put_string(w, NULL, (postern_bytes){ (const uint8_t *)p, len });
            p += len;
        }
    }
    postern_json_close_array(w);
}

static void write_add(const struct client_request *rq, postern_buf *request)
{
    postern_json_writer w = { request, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "client_add");
    postern_json_put_string(&w, "name", postern_bytes_str(rq->name));
    put_list(&w, "scopes", rq->scopes, rq->scope_count);
    put_list(&w, "resources", rq->resources, rq->resource_count);
    postern_json_close_object(&w);
}

/* Ask, and put the secret into fd.  *ret_status: exit status when the issuer answered. */
static postern_err add_into(const struct client_request *rq, int fd, int *ret_status,
                            postern_error *err)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes secret;

    write_add(rq, &request);
    POSTERN_TRY(client_ask(rq, &request, &reply, &j, err));
    if (!admin_call_is_ok(&j)) {
        *ret_status = client_print_refusal(&j);
        return POSTERN_OK;
    }
    /* base64url: never escaped, so it stays in `reply`, which is wiped */
    if (!postern_json_string(&j, postern_json_member(&j, 0, "client_secret"), NULL, &secret) ||
        secret.len == 0)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "the issuer's answer holds no secret");
    POSTERN_TRY(write_secret(fd, secret, err));
    *ret_status = CLI_PROVED;
    return POSTERN_OK;
}

static int add_client(const struct client_request *rq)
{
    postern_error err = { 0 };
    int fd = make_secret_file(rq->secret_file), status = CLI_UNDECIDED;

    if (fd < 0)
        return CLI_USAGE;
    if (add_into(rq, fd, &status, &err) != POSTERN_OK)
        status = cli_fail("client", &err);
    (void)close(fd); /* fsync() said whether the secret is there */
    if (status == CLI_PROVED)
        printf("client %s is registered; its secret is in %s\n", rq->name, rq->secret_file);
    else if (unlink(rq->secret_file) != 0)
        fprintf(stderr, "postern client: %s stays behind, empty: %m\n", rq->secret_file);
    if (err.code == POSTERN_ERR_SYSTEM || err.code == POSTERN_ERR_ISSUER_ANSWER)
        fprintf(stderr,
                "postern client: the client may be registered all the same: `postern client remove "
                "%s`, then add it again\n",
                rq->name);
    return status;
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
    postern_json_writer w = { &request, false };
    postern_error err = { 0 };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "client_remove");
    postern_json_put_string(&w, "name", postern_bytes_str(rq->name));
    postern_json_close_object(&w);
    if (client_ask(rq, &request, &reply, &j, &err) != POSTERN_OK)
        return cli_fail("client", &err);
    return admin_call_is_ok(&j) ? print_removal(&j) : client_print_refusal(&j);
}

/* ---- the command line ---- */

enum option_id {
    OPTION_SCOPE = 1,
    OPTION_RESOURCE,
    OPTION_SECRET_FILE,
    OPTION_JSON,
    OPTION_CONFIG,
    OPTION_SOCKET,
    OPTION_HELP
};
#define BIT(o)          (1U << (o))
#define BITS_EVERYWHERE (BIT(OPTION_CONFIG) | BIT(OPTION_SOCKET) | BIT(OPTION_HELP))

static const struct verb {
    const char *name;
    bool takes_name;
    unsigned options;
    int (*run)(const struct client_request *rq);
} verbs[] = {
    { "add", true,
      BIT(OPTION_SCOPE) | BIT(OPTION_RESOURCE) | BIT(OPTION_SECRET_FILE) | BITS_EVERYWHERE,
      add_client },
    { "list", false, BIT(OPTION_JSON) | BITS_EVERYWHERE, client_list },
    { "remove", true, BITS_EVERYWHERE, remove_client },
};

static bool add_word(const char **words, size_t *count, const char *word)
{
    if (*count == CLIENT_WORDS_MAX)
        return false;
    words[(*count)++] = word;
    return true;
}

static bool set_option(int option, const char *value, struct client_request *rq)
{
    switch (option) {
    case OPTION_SCOPE:
        return add_word(rq->scopes, &rq->scope_count, value);
    case OPTION_RESOURCE:
        return add_word(rq->resources, &rq->resource_count, value);
    case OPTION_SECRET_FILE:
        rq->secret_file = value;
        return value[0] != '\0';
    case OPTION_JSON:
        rq->is_json = true;
        return true;
    case OPTION_CONFIG:
        rq->config_dir = value;
        return value[0] != '\0';
    case OPTION_SOCKET:
        rq->socket = value;
        return value[0] != '\0';
    default:
        return false;
    }
}

static int fail_usage(const char *what, const char *which)
{
    fprintf(stderr, "postern client: %s%s; `postern client --help` explains\n", what, which);
    return CLI_USAGE;
}

static int check_request(const struct verb *verb, int argc, char **argv, struct client_request *rq)
{
    if (verb->takes_name && optind + 1 != argc)
        return fail_usage("name one client after ", verb->name);
    if (!verb->takes_name && optind != argc)
        return fail_usage("unexpected: ", argv[optind]);
    rq->name = verb->takes_name ? argv[optind] : "";
    if (verb->run == add_client && rq->secret_file == NULL)
        return fail_usage("--secret-file FILE is required: the secret is shown nowhere else", "");
    return CLI_PROVED;
}

/* argv[0] is the verb.  CLI_PROVED: go on. */
static int read_options(const struct verb *verb, int argc, char **argv, struct client_request *rq,
                        bool *ret_help)
{
    static const struct option options[] = {
        { "scope", required_argument, NULL, OPTION_SCOPE },
        { "resource", required_argument, NULL, OPTION_RESOURCE },
        { "json", no_argument, NULL, OPTION_JSON },
        { "secret-file", required_argument, NULL, OPTION_SECRET_FILE },
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "socket", required_argument, NULL, OPTION_SOCKET },
        { "help", no_argument, NULL, OPTION_HELP },
        { NULL, 0, NULL, 0 },
    };
    int option;

    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == OPTION_HELP) {
            *ret_help = true;
            return CLI_PROVED;
        }
        if (option == '?' || (verb->options & BIT(option)) == 0 || !set_option(option, optarg, rq))
            return fail_usage("bad option or value: ", argv[optind - 1]);
    }
    return check_request(verb, argc, argv, rq);
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    struct client_request rq = { .config_dir = POSTERN_SYSCONFDIR };
    bool wants_help = false;
    int status = read_options(verb, argc, argv, &rq, &wants_help);

    if (wants_help) {
        print_help(stdout);
        return CLI_PROVED;
    }
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
