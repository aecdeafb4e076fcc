/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern psql`: psql of PostgreSQL 18 with a token of the agent's where it would send a person to
 * a browser.  Sets the environment and becomes psql; the token is fetched by libpostern-libpq.so in
 * there, and goes only to hosts that the client file names.  See postern(1).
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli.h"
#include "token.h"

#define HOOK_LIBRARY POSTERN_LIBDIR "/libpostern-libpq.so"
#define SERVICE_ROOM 4096 /* bytes of the section below: an issuer and a client's name */

struct psql_options {
    struct token_options token;
    const char *service;
    char **rest; /* psql's own, behind argv[0] */
};

static void print_help(FILE *out)
{
    fputs(
        "usage: postern psql [--client FILE|NAME] [--service NAME] [--] [PSQL-ARGUMENT ...]\n"
        "\n"
        "  --client FILE|NAME  client file, or NAME of clients/NAME.conf (default: POSTERN_CLIENT, "
        "then client.conf)\n"
        "  --service NAME      the token is for https://HOST/NAME unless the file names a resource "
        "[postgresql]\n"
        "\n"
        "Everything else is psql's.  The host must be in hosts: of the client file; but for "
        "localhost sslmode=verify-full.\n"
        "Exit status: psql's; 2 or 3 when it could not be started.\n",
        out);
}

/* Ours stand first; the first word that is none of them is psql's. */
static bool read_options(char **argv, struct psql_options *ret)
{
    char **at = argv + 1;

    for (; *at != NULL; at += 2) {
        if (strcmp(*at, "--client") == 0)
            ret->token.client = at[1];
        else if (strcmp(*at, "--service") == 0)
            ret->service = at[1];
        else
            break;
        if (at[1] == NULL || at[1][0] == '\0')
            return false;
    }
    if (*at != NULL && strcmp(*at, "--help") == 0)
        ret->token.is_help = true;
    else if (*at != NULL && strcmp(*at, "--") == 0)
        at++;
    ret->rest = at;
    return true;
}

/* ---- what libpq reads ---- */

static bool is_plain(const char *text)
{
    return postern_bytes_is_printable(postern_bytes_str(text));
}

/*
 * libpq has no variables for issuer and client, but a service file can name them.  It is one in
 * memory, which psql inherits: nothing to remove, and later connections of the same psql find it
 * too.  The issuer stands there by the address of its document, as the server would tell it: libpq
 * then makes no connection to ask for that, which psql's \\connect cannot wait for
 * (doc/decisions/0073).
 */
static postern_err write_service(const struct token_settings *s, int *ret_fd, postern_error *err)
{
    char text[SERVICE_ROOM];
    int len, fd;

    if (!is_plain(s->issuer) || !is_plain(s->client_id))
        return POSTERN_FAIL(err, CONFIG_VALUE, "issuer or client_id has a control character");
    len = snprintf(
        text, sizeof text,
        "[postern]\noauth_issuer=%s/.well-known/openid-configuration\noauth_client_id=%s\n",
        s->issuer, s->client_id);
    if (len < 0 || len >= (int)sizeof text)
        return POSTERN_FAIL(err, CONFIG_VALUE, "issuer and client_id are too long");
    fd = memfd_create("postern-psql", 0); /* no MFD_CLOEXEC: psql is to read it */
    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "memfd_create: %m");
    if (write(fd, text, (size_t)len) != len) {
        (void)close(fd);
        return POSTERN_FAIL(err, SYSTEM, "memfd: %m");
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

static postern_err set_variable(const char *name, const char *value, postern_error *err)
{
    if (setenv(name, value, 1) != 0)
        return POSTERN_FAIL(err, NOMEM, "%s", name);
    return POSTERN_OK;
}

/* A file by its whole path: psql can change its folder (\\cd), and reads the file again at each
 * connection. */
static postern_err set_client(const char *client, postern_error *err)
{
    char *path = strchr(client, '/') == NULL ? strdup(client) : realpath(client, NULL);
    postern_err e;

    if (path == NULL)
        return POSTERN_FAIL(err, CONFIG_FILE, "client file: %m");
    e = set_variable("POSTERN_CLIENT", path, err);
    free(path);
    return e;
}

static postern_err set_preload(postern_error *err)
{
    const char *others = secure_getenv("LD_PRELOAD");
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(SERVICE_ROOM);

    if (access(HOOK_LIBRARY, R_OK) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m; this Postern was built without it",
                            HOOK_LIBRARY);
    postern_buf_addf(&text, "%s%s%s", HOOK_LIBRARY, others == NULL || others[0] == '\0' ? "" : ":",
                     others == NULL ? "" : others);
    if (postern_buf_cstr(&text) == NULL)
        return POSTERN_FAIL(err, NOMEM, "LD_PRELOAD");
    return set_variable("LD_PRELOAD", postern_buf_cstr(&text), err);
}

/* libpq refuses an issuer by http, even one on this machine, unless it is told so.  Nothing of what
 * the word unlocks besides is done: the token does not come from libpq's own flow. */
static postern_err set_http(const struct token_settings *s, postern_error *err)
{
    if (!s->allow_loopback_http || strncmp(s->issuer, "http://", 7) != 0)
        return POSTERN_OK;
    return set_variable("PGOAUTHDEBUG", "UNSAFE", err);
}

static postern_err set_environment(const struct psql_options *o, const struct token_settings *s,
                                   postern_error *err)
{
    const char *client =
        o->token.client != NULL ? o->token.client : secure_getenv("POSTERN_CLIENT");
    char path[64];
    int fd = -1;

    if (secure_getenv("PGSERVICE") != NULL)
        return POSTERN_FAIL(err, CONFIG_CONFLICT,
                            "PGSERVICE is set: unset it, or write oauth_issuer=%s there and say "
                            "LD_PRELOAD=" HOOK_LIBRARY " psql",
                            s->issuer);
    POSTERN_TRY(set_preload(err));
    POSTERN_TRY(set_http(s, err));
    if (client != NULL && client[0] != '\0')
        POSTERN_TRY(set_client(client, err));
    if (o->service != NULL)
        POSTERN_TRY(set_variable("POSTERN_PSQL_SERVICE", o->service, err));
    POSTERN_TRY(write_service(s, &fd, err));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    POSTERN_TRY(set_variable("PGSERVICEFILE", path, err));
    return set_variable("PGSERVICE", "postern", err);
}

static postern_err become_psql(struct psql_options *o, postern_error *err)
{
    struct token_settings s;
    postern_err e = token_settings_read(&o->token, &s, err);

    if (e == POSTERN_OK)
        e = set_environment(o, &s, err);
    token_settings_free(&s);
    if (e != POSTERN_OK)
        return e;
    o->rest[-1] = (char *)(uintptr_t) "psql";
    (void)execvp("psql", o->rest - 1);
    return POSTERN_FAIL(err, CONFIG_FILE,
                        "psql: %m; it is in postgresql-client, from version 18 on");
}

int command_psql(int argc, char **argv)
{
    struct psql_options o = { .token.command = "psql" };
    postern_error err = { 0 };

    (void)argc;
    if (token_is_privileged("psql"))
        return CLI_USAGE;
    if (!read_options(argv, &o)) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (o.token.is_help) {
        print_help(stdout);
        return 0;
    }
    (void)become_psql(&o, &err);
    return cli_fail("psql", &err);
}
