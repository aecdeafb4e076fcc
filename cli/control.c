/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines of `postern sessions`, `kill`, `block`, `unblock`, `blocks`, `held`, `approve` and
 * `deny`: one table of options, one of commands.  See postern(1).
 */
#include "config.h"

#include <stdio.h>

#include "cli.h"
#include "control.h"
#include "options.h"

enum option_id {
    OPTION_SESSION = 1,
    OPTION_SUB,
    OPTION_CLIENT,
    OPTION_JTI,
    OPTION_AGENT,
    OPTION_DOOR,
    OPTION_USER,
    OPTION_REASON,
    OPTION_FOR,
    OPTION_JSON,
    OPTION_CONFIG,
    OPTION_SOCKET,
    OPTION_HELP
};
#define BIT(o)          (1U << (o))
#define BITS_EVERYWHERE (BIT(OPTION_CONFIG) | BIT(OPTION_SOCKET))
#define BITS_WHOSE                                                                                 \
    (BIT(OPTION_SESSION) | BIT(OPTION_SUB) | BIT(OPTION_CLIENT) | BIT(OPTION_JTI) |                \
     BIT(OPTION_AGENT))

#define HELP_SOCKET                                                                                \
    "  --config DIR    folder with postern.conf (default " POSTERN_SYSCONFDIR ")\n"                \
    "  --socket PATH   the control socket, instead of what postern.conf says\n"                    \
    "\n"
#define HELP_APPROVERS                                                                             \
    HELP_SOCKET "Exit status: 0 done, 1 refused, 2 usage, 3 not done or not known: see the "        \
                "message.\nWho may: whom the rule that holds it names as approver; where it names " \
                "nobody,\ncontrol_admins: in postern.conf.  Nobody approves his own request.\n"
#define HELP_EXIT(one, who)                                                                        \
    HELP_SOCKET "Exit status: 0 done, 1 " one ", 2 usage, 3 not done or not known: see the "       \
                "message.\nWho may: control_admins:" who " in postern.conf.\n"
#define HELP_EVERYWHERE HELP_EXIT("refused", "")
#define HELP_LOOK       HELP_EXIT("refused", " and control_watchers:")

static const struct command_line {
    const char *name;
    unsigned options;
    enum { NO_WORD = 0, AGENT_WORD, REF_WORD } word; /* what it takes beside options */
    int (*run)(const struct control_call *call);
    const char *help;
} lines[] = {
    { "sessions",
      BIT(OPTION_DOOR) | BIT(OPTION_AGENT) | BIT(OPTION_USER) | BIT(OPTION_JSON) | BITS_EVERYWHERE,
      NO_WORD, control_sessions,
      "usage: postern sessions [--door NAME] [--agent AGENT] [--user USER] [--json]\n"
      "\n"
      "  --door NAME     only sessions of this door\n"
      "  --agent AGENT   only sessions of this agent\n"
      "  --user USER     only sessions for this user\n"
      "  --json          an array of objects instead of a table\n" HELP_LOOK },
    { "kill", BITS_WHOSE | BIT(OPTION_REASON) | BITS_EVERYWHERE, NO_WORD, control_kill,
      "usage: postern kill --session ID | --sub SUB | --client CLIENT | --jti JTI | --agent AGENT\n"
      "                    [--reason TEXT]\n"
      "\n"
      "  --session ID    the session with this id (`postern sessions`)\n"
      "  --sub SUB       sessions for this subject\n"
      "  --client CLIENT sessions of this OAuth client\n"
      "  --jti JTI       sessions that began or were renewed with this token\n"
      "  --agent AGENT   sessions of this agent\n"
      "  --reason TEXT   for the audit record\n" HELP_EXIT("refused or no session matched", "") },
    { "block", BIT(OPTION_FOR) | BIT(OPTION_REASON) | BITS_EVERYWHERE, AGENT_WORD, control_block,
      "usage: postern block AGENT [--for DURATION] [--reason TEXT]\n"
      "\n"
      "  --for DURATION  how long: a number with s, m, h or d (default: until it is unblocked)\n"
      "  --reason TEXT   told to the agent, and kept in file and audit record\n" HELP_EVERYWHERE },
    { "unblock", BITS_EVERYWHERE, AGENT_WORD, control_unblock,
      "usage: postern unblock AGENT\n"
      "\n" HELP_EVERYWHERE },
    { "blocks", BIT(OPTION_JSON) | BITS_EVERYWHERE, NO_WORD, control_blocks,
      "usage: postern blocks [--json]\n"
      "\n"
      "  --json          an array of objects instead of lines\n" HELP_LOOK },
    { "held", BIT(OPTION_JSON) | BITS_EVERYWHERE, NO_WORD, control_held,
      "usage: postern held [--json]\n"
      "\n"
      "  --json          an array of objects instead of a table\n" HELP_LOOK },
    { "approve", BIT(OPTION_REASON) | BIT(OPTION_JSON) | BITS_EVERYWHERE, REF_WORD, control_approve,
      "usage: postern approve REF [--reason TEXT] [--json]\n"
      "\n"
      "  --reason TEXT   for the audit record\n"
      "  --json          an object instead of a line\n" HELP_APPROVERS },
    { "deny", BIT(OPTION_REASON) | BIT(OPTION_JSON) | BITS_EVERYWHERE, REF_WORD, control_deny,
      "usage: postern deny REF [--reason TEXT] [--json]\n"
      "\n"
      "  --reason TEXT   told to the agent, and kept in the audit record\n"
      "  --json          an object instead of a line\n" HELP_APPROVERS },
};

static const struct option options[] = {
    { "session", required_argument, NULL, OPTION_SESSION },
    { "sub", required_argument, NULL, OPTION_SUB },
    { "client", required_argument, NULL, OPTION_CLIENT },
    { "jti", required_argument, NULL, OPTION_JTI },
    { "agent", required_argument, NULL, OPTION_AGENT },
    { "door", required_argument, NULL, OPTION_DOOR },
    { "user", required_argument, NULL, OPTION_USER },
    { "reason", required_argument, NULL, OPTION_REASON },
    { "for", required_argument, NULL, OPTION_FOR },
    { "json", no_argument, NULL, OPTION_JSON },
    { "config", required_argument, NULL, OPTION_CONFIG },
    { "socket", required_argument, NULL, OPTION_SOCKET },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};

static const char *option_name(int id)
{
    for (const struct option *o = options; o->name != NULL; o++)
        if (o->val == id)
            return o->name;
    return NULL;
}

/* kill: by which name; one is enough, and two would be a question of "and" or "or". */
static bool set_whose(int option, const char *value, struct control_call *call)
{
    if (call->by != NULL)
        return false;
    call->by = option_name(option);
    call->value = value;
    return true;
}

static bool set_option(const struct command_line *line, int option, const char *value,
                       struct control_call *call)
{
    if (line->run == control_kill && (BITS_WHOSE & BIT(option)) != 0)
        return set_whose(option, value, call);
    switch (option) {
    case OPTION_AGENT:
        call->agent = value;
        return true;
    case OPTION_DOOR:
        call->door = value;
        return true;
    case OPTION_USER:
        call->user = value;
        return true;
    case OPTION_REASON:
        call->reason = value;
        return true;
    case OPTION_FOR:
        return cli_duration(value, &call->for_s);
    case OPTION_JSON:
        call->is_json = true;
        return true;
    case OPTION_CONFIG:
        call->config_dir = value;
        return true;
    case OPTION_SOCKET:
        call->socket = value;
        return true;
    default:
        return false;
    }
}

static int fail_usage(const char *command, const char *what)
{
    fprintf(stderr, "postern %s: %s; `postern %s --help` explains\n", command, what, command);
    return CLI_USAGE;
}

static int check_call(const struct command_line *line, const struct control_call *call)
{
    if (line->word == AGENT_WORD && (call->agent == NULL || call->agent[0] == '\0'))
        return fail_usage(line->name, "name one agent");
    if (line->word == REF_WORD && (call->ref == NULL || call->ref[0] == '\0'))
        return fail_usage(line->name, "name one reference of `postern held`");
    if (line->run == control_kill && call->by == NULL)
        return fail_usage(line->name, "say whose: --session, --sub, --client, --jti or --agent");
    return CLI_PROVED;
}

/* A token that somebody wrote where none belongs is in no message: cli_options_read(). */
struct reading {
    const struct command_line *line;
    struct control_call *call;
    bool wants_help;
};

/* A word is the agent or the reference, once. */
static bool take_word(struct reading *r, const char *value)
{
    const char **at = r->line->word == AGENT_WORD ? &r->call->agent : &r->call->ref;

    if (r->line->word == NO_WORD || *at != NULL)
        return false;
    *at = value;
    return true;
}

static bool take_option(void *arg, int option, const char *value)
{
    struct reading *r = arg;

    if (option == 0)
        return take_word(r, value);
    if (option == OPTION_HELP) {
        r->wants_help = true;
        return true;
    }
    return (r->line->options & BIT(option)) != 0 && set_option(r->line, option, value, r->call);
}

static int run_line(const struct command_line *line, int argc, char **argv)
{
    struct control_call call = { .command = line->name, .config_dir = POSTERN_SYSCONFDIR };
    struct reading r = { line, &call, false };
    const struct cli_options reader = { line->name, options, take_option, &r };
    postern_error err = { 0 };
    int status;

    if (cli_options_read(&reader, argc, argv, &err) != POSTERN_OK)
        return cli_fail(line->name, &err);
    if (r.wants_help) {
        fputs(line->help, stdout);
        return CLI_PROVED;
    }
    status = check_call(line, &call);
    return status == CLI_PROVED ? line->run(&call) : status;
}

static int run_named(int (*run)(const struct control_call *call), int argc, char **argv)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (lines[i].run == run)
            return run_line(&lines[i], argc, argv);
    return CLI_USAGE;
}

int command_sessions(int argc, char **argv)
{
    return run_named(control_sessions, argc, argv);
}

int command_kill(int argc, char **argv)
{
    return run_named(control_kill, argc, argv);
}

int command_block(int argc, char **argv)
{
    return run_named(control_block, argc, argv);
}

int command_unblock(int argc, char **argv)
{
    return run_named(control_unblock, argc, argv);
}

int command_blocks(int argc, char **argv)
{
    return run_named(control_blocks, argc, argv);
}

int command_held(int argc, char **argv)
{
    return run_named(control_held, argc, argv);
}

int command_approve(int argc, char **argv)
{
    return run_named(control_approve, argc, argv);
}

int command_deny(int argc, char **argv)
{
    return run_named(control_deny, argc, argv);
}
