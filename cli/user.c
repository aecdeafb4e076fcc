/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern user add|list|remove`: the people who may log in at the embedded issuer's pages and let
 * agents act for them.  A password is never an argument, where others could read it.  Names and
 * passwords are judged by the issuer.  See postern(1).
 */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "admin_call.h"
#include "cli.h"
#include "client.h"
#include "options.h"
#include "password_input.h"
#include "secret_file.h"

struct user_request {
    struct client_request where; /* config_dir, socket */
    const char *name, *password_file;
    bool is_generated, is_json;
};

static void print_help(FILE *out)
{
    fputs("usage: postern user add NAME [--generate | --password-file FILE]\n"
          "       postern user list [--json]\n"
          "       postern user remove NAME\n"
          "\n"
          "  --generate            make a password and print it, this once\n"
          "  --password-file FILE  read the password from a file that only you can read\n"
          "                        (without either: asked for on the terminal, or one line of\n"
          "                        standard input)\n"
          "  --json                an array of objects instead of lines\n"
          "  --config DIR          folder with issuer.conf (default " POSTERN_SYSCONFDIR ")\n"
          "  --socket PATH         the issuer's administration socket, instead of what issuer.conf\n"
          "                        says\n"
          "\n"
          "Exit status: 0 done, 1 refused by the issuer, 2 usage, 3 not done or not known: see the\n"
          "message.\n",
          out);
}

/* ---- add ---- */

static postern_err find_password(const struct user_request *rq, postern_secret **ret,
                                 postern_error *err)
{
    if (rq->is_generated)
        return password_input_generate(ret, err);
    if (rq->password_file != NULL)
        return secret_file_read(rq->password_file, ret, err);
    return password_input_read(rq->name, ret, err);
}

static void write_add(const struct user_request *rq, postern_bytes password, postern_buf *request)
{
    postern_json_writer w = { request, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "user_add");
    postern_json_put_string(&w, "name", postern_bytes_str(rq->name));
    postern_json_put_string(&w, "password", password);
    postern_json_close_object(&w);
}

static postern_err add(const struct user_request *rq, postern_bytes password, int *ret_status,
                       postern_error *err)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };

    write_add(rq, password, &request);
    POSTERN_TRY(client_ask(&rq->where, &request, &reply, &j, err));
    *ret_status = admin_call_is_ok(&j) ? CLI_PROVED : client_print_refusal("user", &j);
    return POSTERN_OK;
}

static int add_user(const struct user_request *rq)
{
    POSTERN_AUTO(secret) password = NULL;
    postern_error err = { 0 };
    int status = CLI_UNDECIDED;

    if (find_password(rq, &password, &err) != POSTERN_OK ||
        add(rq, postern_secret_bytes(password), &status, &err) != POSTERN_OK)
        return cli_fail("user", &err);
    if (status != CLI_PROVED)
        return status;
    if (rq->is_generated) {
        postern_bytes made = postern_secret_bytes(password); /* base64url: prints as it is */

        printf("%.*s\n", (int)made.len, (const char *)made.ptr);
    }
    fprintf(stderr, "user %s may log in\n", rq->name);
    return status;
}

/* ---- list ---- */

static void print_user(const postern_json *j, uint32_t user)
{
    char name[CLIENT_TEXT_MAX], text[32];
    int64_t created_s = 0;
    struct tm parts;
    time_t t;

    printf("%s", admin_call_text(j, user, "name", name, sizeof name));
    if (postern_json_integer(j, postern_json_member(j, user, "created"), &created_s)) {
        t = (time_t)created_s;
        if (gmtime_r(&t, &parts) != NULL &&
            strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) != 0)
            printf("  added %s", text);
    }
    putchar('\n');
}

/* One page; `last` (name of its last person) says where to go on. */
static postern_err list_page(const struct user_request *rq, char last[CLIENT_TEXT_MAX],
                             bool *ret_more, int *ret_status, postern_error *err)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    bool is_first = last[0] == '\0';

    *ret_more = false;
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "user_list");
    postern_json_put_str(&w, "after", last);
    postern_json_close_object(&w);
    POSTERN_TRY(client_ask(&rq->where, &request, &reply, &j, err));
    if (!admin_call_is_ok(&j)) {
        *ret_status = client_print_refusal("user", &j);
        return POSTERN_OK;
    }
    for (uint32_t n = postern_json_first(&j, postern_json_member(&j, 0, "users"));
         n != POSTERN_JSON_ABSENT; n = postern_json_next(&j, n)) {
        postern_bytes raw = postern_json_raw(&j, n);

        if (rq->is_json)
            printf("%s%.*s", is_first ? "[" : ",\n", (int)raw.len, (const char *)raw.ptr);
        else
            print_user(&j, n);
        is_first = false;
        admin_call_text(&j, n, "name", last, CLIENT_TEXT_MAX);
    }
    *ret_more = postern_json_type_of(&j, postern_json_member(&j, 0, "more")) == POSTERN_JSON_TRUE &&
                last[0] != '\0';
    *ret_status = CLI_PROVED;
    return POSTERN_OK;
}

static int list_users(const struct user_request *rq)
{
    postern_error err = { 0 };
    char last[CLIENT_TEXT_MAX] = "";
    int status = CLI_UNDECIDED;
    bool has_more = true;

    while (has_more)
        if (list_page(rq, last, &has_more, &status, &err) != POSTERN_OK)
            return cli_fail("user", &err);
    if (rq->is_json && status == CLI_PROVED)
        puts(last[0] == '\0' ? "[]" : "]");
    return status;
}

/* ---- remove ---- */

static int remove_user(const struct user_request *rq)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    postern_error err = { 0 };
    int64_t ended = 0;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "user_remove");
    postern_json_put_string(&w, "name", postern_bytes_str(rq->name));
    postern_json_close_object(&w);
    if (client_ask(&rq->where, &request, &reply, &j, &err) != POSTERN_OK)
        return cli_fail("user", &err);
    if (!admin_call_is_ok(&j))
        return client_print_refusal("user", &j);
    (void)postern_json_integer(&j, postern_json_member(&j, 0, "grants_ended"),
                               &ended); /* 0 when it is not said */
    printf("user %s is removed; authorizations ended: %lld\n", rq->name, (long long)ended);
    return CLI_PROVED;
}

/* ---- the command line ---- */

enum option_id {
    OPTION_GENERATE = 1,
    OPTION_PASSWORD_FILE,
    OPTION_JSON,
    OPTION_CONFIG,
    OPTION_SOCKET,
    OPTION_HELP
};
#define BIT(o)          (1U << (o))
#define BITS_EVERYWHERE (BIT(OPTION_CONFIG) | BIT(OPTION_SOCKET))

static const struct verb {
    const char *name;
    bool takes_name;
    unsigned options;
    int (*run)(const struct user_request *rq);
} verbs[] = {
    { "add", true, BIT(OPTION_GENERATE) | BIT(OPTION_PASSWORD_FILE) | BITS_EVERYWHERE, add_user },
    { "list", false, BIT(OPTION_JSON) | BITS_EVERYWHERE, list_users },
    { "remove", true, BITS_EVERYWHERE, remove_user },
};

static bool set_option(int option, const char *value, struct user_request *rq)
{
    switch (option) {
    case OPTION_GENERATE:
        rq->is_generated = true;
        return rq->password_file == NULL;
    case OPTION_PASSWORD_FILE:
        rq->password_file = value;
        return !rq->is_generated;
    case OPTION_JSON:
        rq->is_json = true;
        return true;
    case OPTION_CONFIG:
        rq->where.config_dir = value;
        return true;
    case OPTION_SOCKET:
        rq->where.socket = value;
        return true;
    default:
        return false;
    }
}

/* A password that somebody wrote where none belongs is in no message: cli_options_read(). */
struct reading {
    const struct verb *verb;
    struct user_request *rq;
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
        { "generate", no_argument, NULL, OPTION_GENERATE },
        { "password-file", required_argument, NULL, OPTION_PASSWORD_FILE },
        { "json", no_argument, NULL, OPTION_JSON },
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "socket", required_argument, NULL, OPTION_SOCKET },
        { "help", no_argument, NULL, OPTION_HELP },
        { NULL, 0, NULL, 0 },
    };
    struct user_request rq = { .where = { .config_dir = POSTERN_SYSCONFDIR }, .name = "" };
    struct reading r = { verb, &rq, false };
    const struct cli_options reader = { "user", options, take_option, &r };
    postern_error err = { 0 };

    if (cli_options_read(&reader, argc, argv, &err) != POSTERN_OK)
        return cli_fail("user", &err);
    if (r.wants_help) {
        print_help(stdout);
        return CLI_PROVED;
    }
    if (verb->takes_name && rq.name[0] == '\0') {
        (void)POSTERN_FAIL(&err, USAGE, "name one person after %s; `postern user --help` explains",
                           verb->name);
        return cli_fail("user", &err);
    }
    return verb->run(&rq);
}

int command_user(int argc, char **argv)
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
