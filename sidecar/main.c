/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posternd: reads the command line and the configuration, then runs the supervisor with the roles
 * that are built in.  See posternd(8).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <postern/config.h>

#include "crypto_memory.h"
#include "generation.h"
#include "log.h"
#include "options.h"
#include "sandbox.h"
#include "supervisor.h"

enum { EXIT_USAGE = 2 };

/* A first key and an empty store take well under a second, on a busy disk too; a hundred policies
 * and certificates no longer.  Tests of children that say nothing wait less. */
#ifndef ROLE_READY_MAX_MS
#define ROLE_READY_MAX_MS 30000
#endif

static const struct role roles[ROLE_COUNT] = {
    [ROLE_AUDIT] = { "audit", "posternd-audit", "audit_user", audit_main, true,
                     SANDBOX_NOTHING, ROLE_READY_MAX_MS },
    [ROLE_ISSUER] = { "issuer", "posternd-issuer", "issuer_user", issuer_main, false,
                      SANDBOX_READ | SANDBOX_STATE, ROLE_READY_MAX_MS },
    [ROLE_HELPER] = { "helper", "posternd-helper", "helper_user", helper_main, false,
                      SANDBOX_READ | SANDBOX_FETCH, ROLE_READY_MAX_MS },
    [ROLE_DOOR] = { "door", "posternd-door", "door_user", door_main, true,
                    SANDBOX_READ_ANYWHERE | SANDBOX_CONNECT, ROLE_READY_MAX_MS },
    [ROLE_CONTROL] = { "control", "posternd-ctl", "control_user", control_main, false,
                       SANDBOX_READ | SANDBOX_STATE, ROLE_READY_MAX_MS },
    [ROLE_SPAWNER] = { "spawner", "posternd-spawn", "spawner_user", spawner_main, true,
                       SANDBOX_START, ROLE_READY_MAX_MS },
};

/* Descriptors 0 to 2 exist, so that no socket of ours becomes somebody's standard error. */
static void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void)close(fd);
}

static int fail_config(const postern_error *err)
{
    log_error("configuration", err);
    return postern_err_class(err->code) == POSTERN_CLASS_CONFIG ? EX_CONFIG : EXIT_FAILURE;
}

static int check(const char *dir, postern_config *take_config)
{
    postern_error err;
    postern_err e = generation_check(take_config, roles, &err);

    postern_config_free(take_config);
    if (e != POSTERN_OK)
        return fail_config(&err);
    printf("posternd: configuration %s is good\n", dir);
    return EXIT_SUCCESS;
}

static int dump(postern_config *take_config)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(
        16u << 20); /* far above POSTERN_KEYFILE_MAX times any sane number of files */
    const char *text;

    postern_config_dump(take_config, &out);
    postern_config_free(take_config);
    text = postern_buf_cstr(&out);
    if (text == NULL || fputs(text, stdout) == EOF || fflush(stdout) != 0) {
        log_problem("the configuration could not be printed");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int run(const char *dir, postern_config *take_config)
{
    log_note("%s starting, configuration %s", PACKAGE_VERSION, dir);
    if (chdir("/") != 0) {
        postern_config_free(take_config);
        log_problem("chdir: %m");
        return EXIT_FAILURE;
    }
    (void)umask(077);
    return supervisor_run(dir, take_config, roles);
}

static int with_config(const struct options *o)
{
    char *dir = realpath(o->config_dir, NULL);
    postern_config *config;
    postern_error err;
    int status;

    if (dir == NULL) {
        log_problem("configuration folder %s: %m%s", o->config_dir,
                    errno != ENOENT ? ""
                                    : "; make it (`postern init --help`, postern.conf(5)), or name "
                                      "another with --config");
        return EX_CONFIG;
    }
    if (postern_config_load(dir, &config, &err) != POSTERN_OK)
        status = fail_config(&err);
    else if (o->action == OPTIONS_CHECK)
        status = check(dir, config);
    else
        status = o->action == OPTIONS_DUMP ? dump(config) : run(dir, config);
    free(dir);
    return status;
}

int main(int argc, char **argv)
{
    struct options o;

    fill_standard_descriptors();
    if (!crypto_memory_wipe_freed()) {
        log_problem("OpenSSL was in use before its memory could be made to wipe itself");
        return EXIT_FAILURE;
    }
    o = options_parse(argc, argv);
    switch (o.action) {
    case OPTIONS_VERSION:
        puts("posternd " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    case OPTIONS_HELP:
        options_print_help(stdout);
        return EXIT_SUCCESS;
    case OPTIONS_RUN:
    case OPTIONS_CHECK:
    case OPTIONS_DUMP:
        return with_config(&o);
    case OPTIONS_WRONG:
        break;
    }
    return EXIT_USAGE;
}
