/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern connect`: the agent's side of a raw door.  Takes a local client's bytes from standard
 * input or a local socket, logs in to the door with a token, relays, and keeps the session's lease.
 * What the token is for and where it goes is the user's word, never the door's.  See postern(1).
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "connect.h"
#include "options.h"

static void print_help(FILE *out)
{
    fputs(
        "usage: postern connect [OPTION ...] SERVICE://HOST:PORT\n"
        "       postern connect [OPTION ...] SERVICE+unix:///PATH\n"
        "       postern connect [OPTION ...] DOOR       (door: of clients/DOOR.conf)\n"
        "\n"
        "  --stdio                  relay standard input and output (default when input is no "
        "terminal)\n"
        "  --listen WHERE           unix:/PATH, 127.0.0.1:PORT or [::1]:PORT; each connection is "
        "a session\n"
        "  --door-tls-ca-file FILE  certificate authorities for the door alone\n"
        "\n"
        TOKEN_HELP_AGENT
        TOKEN_HELP_LOGIN
        "  --resource URI           what the token is for (default: https://HOST/SERVICE)\n"
        "  --scope SCOPES           scopes to ask for, blank-separated\n"
        "  --allow-loopback-http    http to an issuer on 127.0.0.1 or ::1\n"
        "  --loopback-user USER     who may own a listener there or a door's unix socket, besides "
        "root\n"
        "  --tls-ca-file FILE       certificate authorities for the issuer and the door\n"
        "  --no-cache               neither take nor leave a token in the user's store\n"
        "  --json                   say refusals as one JSON object on standard error\n"
        "  --quiet                  no advice, no line about where it listens\n"
        "\n"
        "Exit status: 0 the session ended, 1 refused, 2 usage, 3 undecided: door or server not "
        "reachable or not trusted, or misconfigured.\n",
        out);
}

static const struct option long_options[] = {
    TOKEN_LONG_OPTIONS,
    TOKEN_LOGIN_OPTIONS,
    { "stdio", no_argument, NULL, 'S' },
    { "listen", required_argument, NULL, 'L' },
    { "door-tls-ca-file", required_argument, NULL, 'A' },
    { NULL, 0, NULL, 0 },
};

static bool take_option(void *arg, int option, const char *value)
{
    struct connect_options *o = arg;

    switch (option) {
    case 0:
        if (o->door != NULL)
            return false;
        o->door = value;
        return true;
    case 'S':
        o->is_stdio = true;
        return true;
    case 'L':
        o->listen = value;
        return true;
    case 'A':
        o->door_tls_ca_file = value;
        return true;
    default:
        return token_options_take(&o->token, option, value);
    }
}

static postern_err check_options(struct connect_options *o, postern_error *err)
{
    bool is_name = o->door != NULL && !connect_target_is_url(o->door);

    if (o->is_stdio && o->listen != NULL)
        return POSTERN_FAIL(err, USAGE, "--stdio and --listen exclude each other");
    if (is_name && o->token.client != NULL)
        return POSTERN_FAIL(err, USAGE,
                            "a door's name is that of a client file, and --client names "
                            "another");
    if (!o->is_stdio && o->listen == NULL && isatty(STDIN_FILENO))
        return POSTERN_FAIL(err, USAGE, "standard input is a terminal: say --stdio or --listen");
    if (is_name)
        o->token.client = o->door;
    return POSTERN_OK;
}

/* ---- where to, and with whose token ---- */

static const postern_section *client_section(const struct connect_plan *plan)
{
    if (plan->settings.config == NULL)
        return NULL;
    return postern_config_section(plan->settings.config, POSTERN_SECTION_CLIENT, NULL);
}

/* The URL of the command line, else `door:`. */
static postern_err find_target(struct connect_plan *plan, postern_error *err)
{
    const postern_section *c = client_section(plan);
    const char *typed = plan->options->door, *url;

    if (typed != NULL && connect_target_is_url(typed))
        return connect_target_parse(typed, &plan->target, err);
    url = c == NULL ? NULL : postern_section_text(c, "door");
    if (url == NULL)
        return POSTERN_FAIL(err, USAGE, "no door: say SERVICE://HOST:PORT, or set door: in %s",
                            plan->settings.file != NULL ? plan->settings.file : "a client file");
    if (connect_target_parse(url, &plan->target, err) == POSTERN_OK)
        return POSTERN_OK;
    if (err != NULL) /* the same sentence, but about a file */
        err->code = POSTERN_ERR_CONFIG_VALUE;
    return POSTERN_ERR_CONFIG_VALUE;
}

/* A token goes to a host that hosts: names.  Who types both the URL and what the token is for has
 * said so for this once. */
static postern_err judge_target(struct connect_plan *plan, postern_error *err)
{
    const struct connect_options *o = plan->options;
    bool is_typed = o->door != NULL && connect_target_is_url(o->door) && o->token.resource != NULL;

    if (is_typed)
        return POSTERN_OK;
    return token_settings_allow(&plan->settings, plan->target.host, plan->target.service, err);
}

static postern_err make_trust(struct connect_plan *plan, postern_error *err)
{
    const postern_section *c = client_section(plan);
    const char *file = plan->options->door_tls_ca_file;
    struct connect_own own = { NULL, NULL };

    if (file == NULL && plan->options->token.tls_ca_file == NULL && c != NULL)
        file = postern_section_text(c, "door_tls_ca_file");
    if (file == NULL)
        file = plan->settings.tls_ca_file;
    if (c != NULL)
        own = (struct connect_own){ postern_section_text(c, "tls_cert_file"),
                                    postern_section_text(c, "tls_key_file") };
    return connect_trust_new(file, own, plan->settings.loopback_uid, &plan->trust, err);
}

static postern_err make_plan(struct connect_plan *plan, postern_error *err)
{
    POSTERN_TRY(token_settings_read(&plan->options->token, &plan->settings, err));
    POSTERN_TRY(find_target(plan, err));
    POSTERN_TRY(judge_target(plan, err));
    return make_trust(plan, err);
}

static int fail_plan(const struct connect_plan *plan, const postern_error *err)
{
    int status = connect_explain(plan, "", err);

    if (plan->options->listen == NULL)
        connect_mcp_refuse(plan, NULL, err, STDIN_FILENO, STDOUT_FILENO);
    return status;
}

static int run(const struct connect_options *o)
{
    struct connect_plan plan = { .options = o };
    postern_error err = { 0 };
    int status;

    if (make_plan(&plan, &err) != POSTERN_OK)
        status = fail_plan(&plan, &err);
    else if (o->listen != NULL)
        status = connect_listen_run(&plan, o->listen);
    else
        status = connect_session_run(&plan, STDIN_FILENO, STDOUT_FILENO);
    connect_trust_free(&plan.trust);
    token_settings_free(&plan.settings);
    return status;
}

/* A socket must not get the number of a standard descriptor that was closed. */
static bool has_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            return false;
    return true;
}

int command_connect(int argc, char **argv)
{
    struct connect_options o = { .is_stdio = false };
    const struct cli_options options = { "connect", long_options, take_option, &o };
    postern_error err = { 0 };
    int status;

    if (token_is_privileged("connect"))
        return CLI_USAGE;
    if (cli_options_read(&options, argc, argv, &err) != POSTERN_OK)
        return cli_fail("connect", &err);
    if (o.token.is_help) {
        print_help(stdout);
        return 0;
    }
    if (!has_standard_descriptors())
        return CLI_USAGE;
    if (check_options(&o, &err) != POSTERN_OK)
        return cli_fail("connect", &err);
    (void)signal(SIGPIPE, SIG_IGN); /* a client that has gone is no reason to die without a word */
    token_set_dumpable(false);
    status = run(&o);
    token_set_dumpable(true); /* all is wiped: leak checkers may look */
    return status;
}
