/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy check|explain`: rules files, tried before they are used.  Asks no daemon and
 * reads no configuration.  See postern-policy(5) and postern(1).
 */
#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"

#define SUFFIX ".rules"

static void print_help(FILE *out)
{
    fputs("usage: postern policy check [OPTION ...] FILE...\n"
          "       postern policy explain [OPTION ...] FILE...\n"
          "\n"
          "  check      find mistakes, expects that fail and rules that can never decide\n"
          "  explain    say what the policy decides, by which rule, and why not by others\n"
          "\n"
          "The files are one policy, in this order.  `postern policy explain --help` has its "
          "options.\n",
          out);
}

int policy_fail_usage(const char *what, const char *which)
{
    fprintf(stderr, "postern policy: %s%s; `postern policy --help` explains\n", what, which);
    return CLI_USAGE;
}

int policy_exit_code(postern_err e)
{
    if (e == POSTERN_OK)
        return CLI_PROVED;
    return e == POSTERN_ERR_RULES || e == POSTERN_ERR_RULES_EXPECT ? CLI_REJECTED : CLI_UNDECIDED;
}

/* ---- reading files ---- */

/* One byte more than a policy may have is enough for its refusal. */
static postern_err read_open_file(int fd, const char *path, postern_buf *text, postern_error *err)
{
    uint8_t chunk[4096];
    ssize_t n;

    while (text->len <= POSTERN_POLICY_FILE_MAX && (n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
        postern_buf_add(text, (postern_bytes){ chunk, (size_t)n });
    }
    return text->failed ? POSTERN_FAIL(err, NOMEM, "%s", path) : POSTERN_OK;
}

static postern_err read_file(const char *path, postern_buf *text, postern_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    postern_err e;

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
    e = read_open_file(fd, path, text, err);
    (void)close(fd); /* only read */
    return e;
}

/* "policies/cache.rules" is named "cache". */
static postern_err name_of(const char *path, char *ret, postern_error *err)
{
    const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
    size_t len = strlen(base), suffix = strlen(SUFFIX);

    if (len > suffix && strcmp(base + len - suffix, SUFFIX) == 0)
        len -= suffix;
    if (len >= POSTERN_POLICY_NAME_MAX)
        return POSTERN_FAIL(err, USAGE, "%s: the name is too long", path);
    memcpy(ret, base, len);
    ret[len] = '\0';
    return POSTERN_OK;
}

static postern_err add_file(postern_policy *p, const char *path, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX + 4096);
    char name[POSTERN_POLICY_NAME_MAX];

    POSTERN_TRY(name_of(path, name, err));
    POSTERN_TRY(read_file(path, &text, err));
    return postern_policy_add(p, name, path, postern_buf_bytes(&text), err);
}

postern_err policy_load(char **paths, size_t count, policy_fault *fault, void *arg,
                        postern_policy **ret)
{
    POSTERN_AUTO(policy) p = NULL;
    postern_error err = { 0 };
    postern_err first = postern_policy_new(&p, &err);

    if (first != POSTERN_OK) {
        fault(arg, &err);
        return first;
    }
    for (size_t i = 0; i < count; i++) {
        postern_err e = add_file(p, paths[i], &err);

        if (e != POSTERN_OK)
            fault(arg, &err);
        first = first == POSTERN_OK ? e : first;
    }
    if (first != POSTERN_OK)
        return first;
    first = postern_policy_finish(p, &err);
    if (first != POSTERN_OK) {
        fault(arg, &err);
        return first;
    }
    *ret = POSTERN_STEAL(p);
    return POSTERN_OK;
}

int command_policy(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return CLI_PROVED;
    }
    if (argc > 1 && strcmp(argv[1], "check") == 0)
        return policy_check(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "explain") == 0)
        return policy_explain(argc - 1, argv + 1);
    print_help(stderr);
    return CLI_USAGE;
}
