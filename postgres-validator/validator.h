/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of postern_validator.so share.  The module is thin: the token of a connection goes
 * to posternd's helper, result.c maps the outcome to what the server does.  It holds no key, checks
 * no token, keeps nothing between logins and starts nothing.  Files that call the server include
 * postgres.h before this; the others know nothing of it.
 *
 * The server unwinds by longjmp, which runs no cleanup attribute: whatever of the core is alive while
 * the server is called is ask.c's, and what ask.c gives back is plain memory.
 */
#ifndef POSTGRES_VALIDATOR_VALIDATOR_H
#define POSTGRES_VALIDATOR_VALIDATOR_H

#include <netinet/in.h>

#include <postern/client.h>
#include <postern/oauthbearer.h>

/* ---- result.c ---- */
enum validator_end {
    VALIDATOR_REFUSE = 0, /* the server says that the token is bad, as RFC 7628 has no other words */
    VALIDATOR_ADMIT,      /* to the server's own user map */
    VALIDATOR_GIVE_UP     /* the login ends, and nothing is said of the token */
};
enum validator_end validator_end_of(postern_err e);

/* ---- hba.c: what the line of pg_hba.conf asks; pure ---- */
#define VALIDATOR_SCOPES_MAX 16 /* the helper's own limit (postern-helper(7)) */
struct validator_scopes {
    const char *list[VALIDATOR_SCOPES_MAX + 1]; /* NULL-terminated; point into `room` */
    char room[2048]; /* bytes: more than a line needs, and the whole list fits one frame */
};
/*
 * scope="…" as a list.
 *   POSTERN_OK · CONFIG_VALUE (too many, too long)
 */
POSTERN_MUST_USE postern_err validator_scopes_read(const char *hba_scope,
                                                   struct validator_scopes *ret,
                                                   postern_error *err);
/* Is `iss` the issuer of issuer="…", which is its name or the address of its document (RFC 8414 §3,
 * OpenID Connect Discovery §4)? */
bool validator_is_issuer(const char *hba_issuer, const char *iss);

/* ---- ask.c ---- */
/* What is left of a verdict when everything of the core is freed. */
struct validator_answer {
    postern_err code;
    char ref[POSTERN_REF_MAX];      /* "" nobody recorded it */
    char issuer[POSTERN_URL_MAX];   /* of a proved token */
    char user[POSTERN_AUTHZID_MAX]; /* likewise: the local user */
    bool has_two_names;             /* login_as: both */
    char detail[384];               /* one sentence of ours; "" none */
};
/*
 * Ask the helper and wait for it on the backend's latch: does not return when the server is told to
 * end the backend.
 *   ret   zeroed before; code is the verdict
 */
void validator_ask(const postern_helper_place *place, const postern_request *rq,
                   struct validator_answer *ret);

/* ---- connection.c ---- */
struct Port;
/* How the connection that brought the token is protected. */
postern_tls validator_tls_state(const struct Port *port);
/* The client's address, in `room`, or that there is none; for the policy and the record. */
const char *validator_peer(const struct Port *port, char room[INET6_ADDRSTRLEN]);

/* ---- verdict_log.c ---- */
/* One line of the server's log, never with a byte of a token. */
void validator_log(const char *service, const struct validator_answer *a);
/* Ends the backend. */
void validator_give_up(const struct validator_answer *a) __attribute__((noreturn));

#endif
