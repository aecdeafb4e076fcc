/* SPDX-License-Identifier: BSD-2-Clause */
/* See options.h. */
#include <string.h>

#include "options.h"

/* getopt_long(3) takes "--secret X" for --secret-file, and then X would be named in a message: only
 * whole names count. */
static bool is_whole_name(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, len) == 0 &&
           (word[2 + len] == '\0' || word[2 + len] == '=');
}

/* The message names the option, never its value. */
static postern_err refuse_option(const struct cli_options *o, const char *word, postern_error *err)
{
    return POSTERN_FAIL(err, USAGE,
                        "bad option, or no value for it: %.*s; `postern %s --help` lists them",
                        (int)strcspn(word, "="), word, o->command);
}

static postern_err take_word(const struct cli_options *o, const char *word, postern_error *err)
{
    if (o->take(o->arg, 0, word))
        return POSTERN_OK;
    return POSTERN_FAIL(err, USAGE,
                        "there is a word that is no option; `postern %s --help` lists them",
                        o->command);
}

static bool take_option(const struct cli_options *o, int option, const char *value)
{
    return (value == NULL || value[0] != '\0') && o->take(o->arg, option, value);
}

/* Options up to the next word that is none. */
static postern_err read_run(const struct cli_options *o, int argc, char **argv, postern_error *err)
{
    int option, index = 0;

    for (int at = optind; (option = getopt_long(argc, argv, "+", o->table, &index)) != -1;
         at = optind)
        if (option == '?' || !is_whole_name(argv[at], o->table[index].name) ||
            !take_option(o, option, optarg))
            return refuse_option(o, argv[at], err);
    return POSTERN_OK;
}

postern_err cli_options_read(const struct cli_options *o, int argc, char **argv, postern_error *err)
{
    bool is_over = false; /* behind "--" */

    opterr = 0;
    optind = 1;
    while (optind < argc) {
        int at = optind;

        if (!is_over)
            POSTERN_TRY(read_run(o, argc, argv, err));
        is_over = is_over || (optind > at && strcmp(argv[optind - 1], "--") == 0);
        if (optind < argc)
            POSTERN_TRY(take_word(o, argv[optind++], err));
    }
    return POSTERN_OK;
}

bool cli_duration(const char *text, int64_t *ret_s)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    int64_t n = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++)
        if ((n = n * 10 + (*p - '0')) > INT64_C(1000000000))
            return false;
    for (size_t i = 0; p != text && i < sizeof units / sizeof *units; i++)
        if (p[0] == units[i].letter && p[1] == '\0') {
            *ret_s = n * units[i].seconds;
            return n > 0;
        }
    return false;
}
