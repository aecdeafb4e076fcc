/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an authorization server says of a token (RFC 7662 §2.2): whether the answer is one, which
 * claims it holds, and whether it is of the token that was asked about.  Pure.  The claims are
 * judged by judge.c like signed ones.  doc/decisions/0051-introspection.md.
 */
#ifndef POSTERN_LIB_INTROSPECTION_H
#define POSTERN_LIB_INTROSPECTION_H

#include "answer.h"
#include "grant/grant.h"

/* Bytes of an answer: what the largest token could say, in clear. */
#define POSTERN_INTROSPECTION_MAX POSTERN_TOKEN_MAX

struct introspection {
    bool is_active; /* false: there is nothing else */
    postern_buf text;
    postern_json claims; /* of text; the root is an object */
};
#define POSTERN_INTROSPECTION_INIT                                                                 \
    ((struct introspection){ .text = { .max = POSTERN_INTROSPECTION_MAX } })

/*
 * An answer with status 200.
 *   ret   POSTERN_INTROSPECTION_INIT before; the caller's to free in any case
 *   POSTERN_OK · ISSUER_ANSWER (not JSON, too long, no boolean `active`) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_introspection_read(const struct postern_http_response *r,
                                                        struct introspection *ret,
                                                        postern_error *err);
void postern_introspection_free(struct introspection *i);
/*
 * Is it an access token's?  A refresh token is active too (RFC 7662 §4).
 *   POSTERN_OK · TYP · CNF (a DPoP token: no carrier brings its proof)
 */
POSTERN_MUST_USE postern_err postern_introspection_check_type(const postern_json *claims,
                                                              postern_error *err);
/*
 * A signed token whose issuer was asked as well: both count, so what is left is what both say.
 *   told      of the answer
 *   facts     of the token: exp and scope become narrower
 *   scratch   keep it as long as facts
 *   POSTERN_OK · ISSUER_ANSWER (it is of another token) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_introspection_narrow(const struct postern_grant_facts *told,
                                                          struct postern_grant_facts *facts,
                                                          postern_buf *scratch, postern_error *err);
/* Could the token be one that only its issuer can read?  Visible ASCII, and neither the two dots of
 * a JWS (RFC 7515 §7.1) nor the four of a JWE (RFC 7516 §7.1): those are what they look like or
 * nothing. */
bool postern_introspection_takes(postern_bytes token);

#endif
