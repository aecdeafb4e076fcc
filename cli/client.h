/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs of `postern client` share. */
#ifndef POSTERN_CLI_CLIENT_H
#define POSTERN_CLI_CLIENT_H

#include <postern-private/json.h>

#define CLIENT_REQUEST_MAX 32768 /* ADMIN_REQUEST_MAX of the issuer */
#define CLIENT_WORDS_MAX   64 /* scopes, or resources, of one command line */
#define CLIENT_TEXT_MAX    8192 /* one member of an answer, for people */

struct client_request {
    const char *config_dir, *socket, *secret_file, *name;
    const char *title, *jwks_file; /* NULL: not said */
    const char *scopes[CLIENT_WORDS_MAX], *resources[CLIENT_WORDS_MAX];
    const char *redirects[CLIENT_WORDS_MAX];
    size_t scope_count, resource_count, redirect_count;
    int64_t uses, for_s; /* of an invitation; 0: not said */
    bool is_json, is_public, may_impersonate, may_introspect;
};

/*
 * Ask the issuer that `rq` names.  Codes of admin_call(), and those of postern_config_load().
 */
POSTERN_MUST_USE postern_err client_ask(const struct client_request *rq, const postern_buf *request,
                                        postern_buf *reply, postern_json *j, postern_error *err);
/* The issuer's own words on standard error, without control characters; returns the exit status. */
int client_print_refusal(const char *command, const postern_json *j);
/* A request of a verb and, unless it is "", a name. */
void client_write_verb(const struct client_request *rq, const char *verb, postern_buf *request);
/* `postern client list`, `show`, `add`, `rotate-secret`; each returns the exit status. */
int client_list(const struct client_request *rq);
int client_show(const struct client_request *rq);
int client_add(const struct client_request *rq);
int client_rotate_secret(const struct client_request *rq);

#endif
