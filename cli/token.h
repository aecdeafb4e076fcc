/* SPDX-License-Identifier: BSD-2-Clause */
/* What `postern token` and `postern connect` share: whose token, for what, and what is said when
 * there is none. */
#ifndef POSTERN_CLI_TOKEN_H
#define POSTERN_CLI_TOKEN_H

#include <sys/types.h>

#include <postern/agent.h>
#include <postern/config.h>

/* As written on the command line; NULL where not. */
struct token_options {
    const char *client, *issuer, *client_id, *client_auth, *secret_file, *resource, *scope,
        *for_host, *for_service, *person;
    const char *loopback_user, *tls_ca_file;
    bool allow_loopback_http, is_json, is_quiet, is_help, use_no_cache, is_login;
    /* The command's name, for messages; NULL: "token". */
    const char *command;
};

/* The first rows of both helps: who asks for the token, and of whom. */
#define TOKEN_HELP_AGENT                                                                           \
    "  --client FILE|NAME       client file, or NAME of clients/NAME.conf (default: "              \
    "POSTERN_CLIENT, then client.conf)\n"                                                          \
    "  --issuer URL             authorization server\n"                                            \
    "  --client-id ID           name under which the agent is registered\n"                        \
    "  --client-auth METHOD     secret (default), private_key_jwt or none\n"                       \
    "  --secret-file FILE       file with the client secret or the private key, mode 0600\n"
/* The next rows of those that may act for a person. */
#define TOKEN_HELP_LOGIN                                                                           \
    "  --login                  act for the person who authorized the agent (postern login)\n"     \
    "  --person NAME            the same, and which person\n"
/* Rows of a getopt_long(3) table; token_options_take() knows their letters. */
#define TOKEN_LONG_OPTIONS                                                                         \
    { "client", required_argument, NULL, 'c' }, { "issuer", required_argument, NULL, 'i' },        \
        { "client-id", required_argument, NULL, 'I' },                                             \
        { "client-auth", required_argument, NULL, 'm' },                                           \
        { "secret-file", required_argument, NULL, 'f' },                                           \
        { "resource", required_argument, NULL, 'r' }, { "scope", required_argument, NULL, 's' },   \
        { "allow-loopback-http", no_argument, NULL, 'l' },                                         \
        { "loopback-user", required_argument, NULL, 'u' },                                         \
        { "tls-ca-file", required_argument, NULL, 'a' }, { "json", no_argument, NULL, 'j' },       \
        { "no-cache", no_argument, NULL, 'n' }, { "quiet", no_argument, NULL, 'q' },               \
    {                                                                                              \
        "help", no_argument, NULL, 'h'                                                             \
    }
#define TOKEN_LOGIN_OPTIONS                                                                        \
    { "login", no_argument, NULL, 'g' }, { "person", required_argument, NULL, 'p' }
/* False: none of those. */
bool token_options_take(struct token_options *o, int option, const char *value);
/* Setuid or setgid: whose client file and whose secret would it be?  Says so when it is true. */
bool token_is_privileged(const char *command);
/* No core file, and no ptrace by the user's other processes, while secrets are in memory. */
void token_set_dumpable(bool is_dumpable);

/* What is asked for in the end: options first, then the client file.  Texts live in config, options
 * or the bufs. */
struct token_settings {
    postern_config *config; /* NULL: no client file was needed */
    const char *file;       /* the client file's name, for messages; NULL: none */
    const char *issuer, *client_id, *secret_file, *resource, *scope, *tls_ca_file;
    postern_client_auth auth;
    bool allow_loopback_http;
    bool is_login;      /* act for the person of a stored login */
    const char *person; /* whose; NULL: the only one */
    bool is_actor_self; /* an exchange brings the agent's own token */
    uid_t loopback_uid;
    postern_buf file_room, resource_room, scope_room;
};

/*
 * Find and read the client file where one is needed, and judge --for-host.
 *   POSTERN_OK · USAGE · CONFIG_* · POLICY (the host is not in hosts:) · NOMEM
 */
POSTERN_MUST_USE postern_err token_settings_read(const struct token_options *o,
                                                 struct token_settings *ret, postern_error *err);
/*
 * The same judgement for a target that was found later: `host` must be in hosts:, and without a
 * resource it is https://HOST/SERVICE.
 *   POSTERN_OK · POLICY (the host is not in hosts:) · USAGE (not a name) · NOMEM
 */
POSTERN_MUST_USE postern_err token_settings_allow(struct token_settings *s, const char *host,
                                                  const char *service, postern_error *err);
void token_settings_free(struct token_settings *s);
/* `loopback_user:` or its option: a number, or a user of this machine.  POSTERN_OK · CONFIG_VALUE */
POSTERN_MUST_USE postern_err token_loopback_user(const char *name, uid_t *ret, postern_error *err);

/* The token and a newline, or the members of RFC 6749 §5.1 as JSON, on standard output.  POSTERN_OK
 * · SYSTEM · NOMEM */
POSTERN_MUST_USE postern_err token_print(postern_bytes token, const postern_token_info *info,
                                         bool is_json, postern_error *err);
/* The same of an exchange (RFC 8693 §2.2.1). */
POSTERN_MUST_USE postern_err token_print_exchanged(postern_bytes token,
                                                   const postern_token_info *info, bool is_json,
                                                   postern_error *err);
/* The agent of the settings; the credential is borrowed. */
postern_agent token_agent(const struct token_settings *s, postern_bytes credential);
/* The advice for a failure, one sentence or two; NULL: there is none.  oauth_error: the server's
 * word, or "". */
const char *token_advice(postern_err code, const char *oauth_error);
/* What failed, for whom, what to do, on standard error; returns the exit status. */
int token_explain(const struct token_options *o, const struct token_settings *s,
                  const char *oauth_error, const postern_error *err);

#endif
