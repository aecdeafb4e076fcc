/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern keys`: which keys the embedded issuer signs with, announces and keeps; and a new one. */
#include "config.h"

#include <stdio.h>

#include "admin_call.h"
#include "cli.h"
#include "client.h"
#include "control.h"
#include "options.h"

struct keys_call {
    struct client_request rq; /* config_dir, socket, is_json */
    const char *verb;
    bool wants_help;
};

static void print_help(FILE *out)
{
    fputs(
        "usage: postern keys [list] [--json]\n"
        "       postern keys rotate [--json]\n"
        "\n"
        "  list          what signs, what is announced and will sign, what is kept for old tokens\n"
        "  rotate        announce a new key; it signs when readers of the key set had time to "
        "read it\n"
        "  --json        the issuer's answer\n"
        "  --config DIR  folder with issuer.conf (default " POSTERN_SYSCONFDIR ")\n"
        "  --socket PATH the issuer's administration socket, instead of what issuer.conf says\n"
        "\n"
        "Exit status: 0 done, 1 refused by the issuer, 2 usage, 3 not done or not known.\n",
        out);
}

/* ---- answers ---- */

static void print_time(const postern_json *j, uint32_t key, const char *name, const char *label)
{
    char room[CONTROL_TIME_MAX];
    int64_t when_s = control_number(j, key, name, 0);

    if (when_s != 0)
        printf("  %s: %s\n", label, control_time(when_s, room));
}

static void print_keys(const postern_json *j)
{
    char text[CONTROL_TEXT_MAX];
    uint32_t keys = postern_json_member(j, 0, "keys");

    for (uint32_t n = postern_json_first(j, keys); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n)) {
        printf("%s", control_text(j, n, "kid", text));
        printf(" %s\n", control_text(j, n, "state", text));
        print_time(j, n, "made", "made");
        print_time(j, n, "started", "signs since");
        print_time(j, n, "signs_from", "signs from");
        print_time(j, n, "retired", "signed until");
        print_time(j, n, "kept_until", "kept until");
    }
}

static void print_rotation(const postern_json *j)
{
    char text[CONTROL_TEXT_MAX];

    printf("%s", control_text(j, 0, "kid", text));
    printf(": %s\n", control_text(j, 0, "message", text));
}

static const struct {
    const char *name, *verb;
    void (*print)(const postern_json *j);
} verbs[] = {
    { "list", "keys_list", print_keys },
    { "rotate", "keys_rotate", print_rotation },
};

static postern_err ask(const struct keys_call *call, void (*print)(const postern_json *j),
                       int *ret_status, postern_error *err)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes raw;

    client_write_verb(&call->rq, call->verb, &request);
    POSTERN_TRY(client_ask(&call->rq, &request, &reply, &j, err));
    if (!admin_call_is_ok(&j)) {
        *ret_status = client_print_refusal("keys", &j);
        return POSTERN_OK;
    }
    raw = postern_json_raw(&j, 0);
    if (call->rq.is_json)
        printf("%.*s\n", (int)raw.len, (const char *)raw.ptr);
    else
        print(&j);
    *ret_status = CLI_PROVED;
    return POSTERN_OK;
}

/* ---- the command line ---- */

enum { OPTION_JSON = 1, OPTION_CONFIG, OPTION_SOCKET, OPTION_HELP };

static bool take_option(void *arg, int option, const char *value)
{
    struct keys_call *call = arg;

    switch (option) {
    case OPTION_JSON:
        call->rq.is_json = true;
        return true;
    case OPTION_CONFIG:
        call->rq.config_dir = value;
        return value[0] != '\0';
    case OPTION_SOCKET:
        call->rq.socket = value;
        return value[0] != '\0';
    case OPTION_HELP:
        call->wants_help = true;
        return true;
    default: /* a word: the verb, once */
        if (call->verb != NULL)
            return false;
        call->verb = value;
        return true;
    }
}

static int run(struct keys_call *call)
{
    const char *word = call->verb == NULL ? "list" : call->verb;
    postern_error err = { 0 };
    int status = CLI_UNDECIDED;

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(word, verbs[i].name) != 0)
            continue;
        call->verb = verbs[i].verb;
        return ask(call, verbs[i].print, &status, &err) == POSTERN_OK ? status
                                                                      : cli_fail("keys", &err);
    }
    print_help(stderr);
    return CLI_USAGE;
}

int command_keys(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, OPTION_JSON },
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "socket", required_argument, NULL, OPTION_SOCKET },
        { "help", no_argument, NULL, OPTION_HELP },
        { NULL, 0, NULL, 0 },
    };
    struct keys_call call = { .rq = { .config_dir = POSTERN_SYSCONFDIR, .name = "" } };
    const struct cli_options reader = { "keys", options, take_option, &call };
    postern_error err = { 0 };

    if (cli_options_read(&reader, argc, argv, &err) != POSTERN_OK)
        return cli_fail("keys", &err);
    if (call.wants_help) {
        print_help(stdout);
        return CLI_PROVED;
    }
    return run(&call);
}
