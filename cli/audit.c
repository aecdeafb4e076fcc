/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern audit VERB`: finds the verb, and the audit file.  See postern(1). */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "cli.h"

static const struct command verbs[] = {
    { "show", "print the records of the audit file, those that are asked for", audit_show },
    { "follow", "print them, and then what comes", audit_follow },
    { "verify", "check that no record was changed, removed or put in", audit_verify },
    { "key", "print the public key by which checkpoints are verified", audit_key },
    { "digest", "make the digest of an action's arguments, to compare", audit_digest },
    { NULL, NULL, NULL },
};

static void print_audit_usage(FILE *out)
{
    fputs("usage: postern audit VERB [OPTION ...]\n\n", out);
    for (const struct command *v = verbs; v->name != NULL; v++)
        fprintf(out, "  %-8s %s\n", v->name, v->summary);
    fputs("\n`postern audit VERB --help` explains one.\n", out);
}

int command_audit(int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_audit_usage(stdout);
        return AUDIT_DONE;
    }
    for (const struct command *v = verbs; argc >= 2 && v->name != NULL; v++)
        if (strcmp(v->name, argv[1]) == 0)
            return v->run(argc - 1, argv + 1);
    print_audit_usage(stderr);
    return AUDIT_USAGE;
}

postern_err audit_file_path(const char *named, const char *config_dir, const char *option,
                            postern_config **ret_config, const char **ret_path, postern_error *err)
{
    *ret_path = named;
    if (named != NULL)
        return POSTERN_OK;
    POSTERN_TRY(postern_config_load(config_dir, ret_config, err));
    *ret_path = postern_section_text(
        postern_config_section(*ret_config, POSTERN_SECTION_DAEMON, NULL), "audit_file");
    if (strcmp(*ret_path, "-") != 0)
        return POSTERN_OK;
    return POSTERN_FAIL(
        err, CONFIG_FILE,
        "audit records go to posternd's standard output; save them to a file and name it with %s",
        option);
}

postern_err audit_file_open(const char *path, int *ret_fd, postern_error *err)
{
    int fd =
        strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
    *ret_fd = fd;
    return POSTERN_OK;
}
