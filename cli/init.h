/* SPDX-License-Identifier: BSD-2-Clause */
/* The pieces of `postern init` (init.c): what was asked for, what was found, and what is said of
 * it. */
#ifndef POSTERN_CLI_INIT_H
#define POSTERN_CLI_INIT_H

#include <postern/config.h>
#include <postern/survey.h>

#include "hosts.h"
#include "init_files.h"
#include "init_guess.h"

#define INIT_LIST_MAX 4096 /* bytes with NUL of a list in a file: scopes, users */

struct init {
    /* asked for */
    const char *service, *issuer, *host, *provider, *name, *audience, *tls_ca_file, *config_dir;
    char scopes[INIT_LIST_MAX], peers[INIT_LIST_MAX]; /* with blanks between */
    bool allow_loopback_http, is_dry, is_forced, is_help;
    uid_t loopback_uid;
    /* found */
    const struct host *row;
    bool is_known_issuer; /* a file of issuers/ has it already */
    bool is_embedded;     /* posternd's own (issuer.conf) */
    bool has_user;        /* one of `peers` is on this machine */
    char issuer_name[INIT_NAME_MAX], host_name[256], own_audience[512], jwks_file[INIT_PATH_MAX];
    char ca_path[INIT_PATH_MAX];
    postern_survey survey;
    struct init_file issuer_file, service_file;
};

/* What was found out about the issuer. */
void init_print_found(const struct init *in);
/* The host's own lines, what the provider needs, and what to do next. */
void init_print_steps(const struct init *in);

#endif
