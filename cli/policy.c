/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy VERB`: rules, tried before they are used and looked through afterwards.  Asks no
 * daemon.  See postern-policy(5) and postern(1).
 */
#include "policy.h"

#include <stdio.h>

#include "cli.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
} verbs[] = {
    { "actions", policy_actions }, { "check", policy_check }, { "explain", policy_explain },
    { "show", policy_show },       { "test", policy_test },   { "who-can", policy_who_can },
};

static void print_help(FILE *out)
{
    fputs("usage: postern policy check [OPTION ...] FILE...|DOOR\n"
          "       postern policy test [OPTION ...] FILE...|DOOR\n"
          "       postern policy explain [OPTION ...] FILE...|DOOR\n"
          "       postern policy who-can [OPTION ...] ACTION [on RESOURCE] FILE...|DOOR\n"
          "       postern policy show --agent NAME [OPTION ...] FILE...|DOOR\n"
          "       postern policy actions [OPTION ...] [PROTOCOL]\n"
          "\n"
          "  check      find mistakes, expects that fail and rules that can never decide\n"
          "  test       run each expect and say which rule decided it\n"
          "  explain    say what the policy decides, by which rule, and why not by others\n"
          "  who-can    list who may do something, and under which conditions\n"
          "  show       list what an agent may do, and what it is denied\n"
          "  actions    list what rules can name: classes, actions and their resources\n"
          "\n"
          "Files are one policy, in this order; DOOR is a door or service of the configuration.\n"
          "`postern policy VERB --help` has the options.\n",
          out);
}

int policy_fail_usage(const char *what, const char *which)
{
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);

    postern_buf_addf(&line, "postern policy: %s%s; `postern policy --help` explains\n", what,
                     which);
    (void)policy_put(&line, stderr);
    return CLI_USAGE;
}

int command_policy(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return CLI_PROVED;
    }
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    print_help(stderr);
    return CLI_USAGE;
}
