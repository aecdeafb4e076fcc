/* SPDX-License-Identifier: BSD-2-Clause */
/* getopt_long(3) for posternd.  Settings belong into files; the command line only says which files
 * and what to do. */
#include "config.h"

#include <getopt.h>

#include "options.h"

static const struct option long_options[] = {
    { "foreground", no_argument, NULL, 'f' },  { "config", required_argument, NULL, 'c' },
    { "check", no_argument, NULL, 't' },       { "dump-config", no_argument, NULL, 'T' },
    { "version", no_argument, NULL, 'V' },     { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static const struct { int letter; options_action action; } actions[] = {
    { 't', OPTIONS_CHECK }, { 'T', OPTIONS_DUMP }, { 'V', OPTIONS_VERSION }, { 'h', OPTIONS_HELP },
};

void options_print_help(FILE *out)
{
    fputs("usage: posternd [-f] [-c DIR] [-t | -T]\n\n"
          "  -c, --config DIR    configuration folder, instead of " POSTERN_SYSCONFDIR "\n"
          "  -f, --foreground    stay in the foreground (always so; accepted for service files)\n"
          "  -t, --check         read and judge the configuration, then exit: 0 good, 78 not\n"
          "  -T, --dump-config   print the whole configuration with the origin of each value\n"
          "      --version       print the version\n"
          "  -h, --help          print this\n\n"
          "Exit status: 0 stopped on request, 1 start failed, 2 usage, 78 configuration.  See posternd(8).\n",
          out);
}

static options_action action_of(int letter)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (actions[i].letter == letter)
            return actions[i].action;
    return OPTIONS_WRONG;
}

struct options options_parse(int argc, char **argv)
{
    struct options o = { .action = OPTIONS_RUN, .config_dir = POSTERN_SYSCONFDIR };
    int letter;

    optind = 0; /* begin anew, also when called twice (tests) */
    while ((letter = getopt_long(argc, argv, "fc:tTh", long_options, NULL)) != -1) {
        if (letter == 'f')
            continue;
        if (letter == 'c')
            o.config_dir = optarg;
        else if ((o.action = action_of(letter)) == OPTIONS_WRONG) { /* getopt said which */
            fputs("posternd: see posternd --help\n", stderr);
            return o;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "posternd: unexpected argument \"%s\"; see posternd --help\n", argv[optind]);
        o.action = OPTIONS_WRONG;
    }
    return o;
}
