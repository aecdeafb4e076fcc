/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern token`: what token.c, token_settings.c and token_print.c share. */
#ifndef POSTERN_CLI_TOKEN_H
#define POSTERN_CLI_TOKEN_H

#include <sys/types.h>

#include <postern/acquire.h>
#include <postern/config.h>

/* As written on the command line; NULL where not. */
struct token_options {
    const char *client, *issuer, *client_id, *secret_file, *resource, *scope, *for_host,
        *for_service;
    const char *loopback_user, *tls_ca_file;
    bool allow_loopback_http, is_json, is_quiet, is_help, use_no_cache;
};

/* What is asked for in the end: options first, then the client file.  Texts live in config, options
 * or the bufs. */
struct token_settings {
    postern_config *config; /* NULL: no client file was needed */
    const char *file;       /* the client file's name, for messages; NULL: none */
    const char *issuer, *client_id, *secret_file, *resource, *scope, *tls_ca_file;
    bool allow_loopback_http;
    uid_t loopback_uid;
    postern_buf file_room, resource_room, scope_room;
};

/*
 * Find and read the client file where one is needed, and judge --for-host.
 *   POSTERN_OK · USAGE · CONFIG_* · POLICY (the host is not in hosts:) · NOMEM
 */
POSTERN_MUST_USE postern_err token_settings_read(const struct token_options *o,
                                                 struct token_settings *ret, postern_error *err);
void token_settings_free(struct token_settings *s);

/* The token and a newline, or the members of RFC 6749 §5.1 as JSON, on standard output.  POSTERN_OK
 * · SYSTEM · NOMEM */
POSTERN_MUST_USE postern_err token_print(postern_bytes token, const postern_token_info *info,
                                         bool is_json, postern_error *err);
/* What failed, for whom, what to do, on standard error; returns the exit status.  oauth_error: the
 * server's word, or NULL. */
int token_explain(const struct token_options *o, const struct token_settings *s,
                  const char *oauth_error, const postern_error *err);

#endif
