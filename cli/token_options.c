/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands that need a token share: their options, and what a process with secrets in
 * its memory does not allow. */
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "token.h"

/* Where an option with a value goes; NULL: it has none. */
static const char **find_text(struct token_options *o, int option)
{
    switch (option) {
    case 'c':
        return &o->client;
    case 'i':
        return &o->issuer;
    case 'I':
        return &o->client_id;
    case 'f':
        return &o->secret_file;
    case 'r':
        return &o->resource;
    case 's':
        return &o->scope;
    case 'u':
        return &o->loopback_user;
    case 'a':
        return &o->tls_ca_file;
    case 'm':
        return &o->client_auth;
    case 'p':
        return &o->person;
    default:
        return NULL;
    }
}

static bool *find_flag(struct token_options *o, int option)
{
    switch (option) {
    case 'l':
        return &o->allow_loopback_http;
    case 'j':
        return &o->is_json;
    case 'n':
        return &o->use_no_cache;
    case 'q':
        return &o->is_quiet;
    case 'g':
        return &o->is_login;
    case 'h':
        return &o->is_help;
    default:
        return NULL;
    }
}

bool token_options_take(struct token_options *o, int option, const char *value)
{
    const char **text = find_text(o, option);
    bool *flag = find_flag(o, option);

    if (text != NULL)
        *text = value;
    else if (flag != NULL)
        *flag = true;
    return text != NULL || flag != NULL;
}

bool token_is_privileged(const char *command)
{
    if (getauxval(AT_SECURE) == 0)
        return false;
    fprintf(stderr, "postern %s: does not run setuid or setgid\n", command);
    return true;
}

void token_set_dumpable(bool is_dumpable)
{
    (void)prctl(PR_SET_DUMPABLE, is_dumpable ? 1 : 0, 0, 0, 0); /* fails with other values only */
}
