/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token of ours, signed or opaque, that somebody brought back: proved by the library like at every
 * other door, then by the store, which knows at once what was taken back.  For whoami, exchange,
 * introspection and revocation.
 */
#ifndef POSTERN_ISSUER_OWN_TOKEN_H
#define POSTERN_ISSUER_OWN_TOKEN_H

#include <postern/grant.h>

#include "access_token.h"
#include "issuer.h"
#include "store_opaque.h"

struct own_token {
    postern_grant *grant;
    postern_json   claims; /* views into the grant's */
    postern_buf    scratch;
    char           jti[TOKEN_JTI_MAX];
    char           grant_id[GRANT_ID_MAX]; /* "": no person's authorization */
    char           parents[TOKEN_PARENTS_MAX][TOKEN_JTI_MAX];
    size_t         parent_count;
};
#define OWN_TOKEN_SCRATCH_MAX 16384 /* bytes: unescaped strings of one token */
#define OWN_TOKEN_INIT ((struct own_token){ .scratch = POSTERN_BUF_INIT(OWN_TOKEN_SCRATCH_MAX) })
void own_token_free(struct own_token *t);
#define AUTO_OWN_TOKEN __attribute__((cleanup(own_token_free))) struct own_token

/* An access token by its form, not a code or a refresh token, which have neither dot nor prefix. */
bool own_token_has_form(postern_bytes token);
/*
 * What tokens are judged by: our key set in its file, for whoami alone and for every resource that
 * is configured.  Called again whenever the file was written.
 *   POSTERN_OK · POSTERN_ERR_CONFIG_* · POSTERN_ERR_NOMEM; the old ones stay on failure
 */
POSTERN_MUST_USE postern_err own_token_load_keys(struct issuer *is, const char *jwks_file,
                                                 postern_error *err);
/*
 * Judge a token; `ctx` is is->whoami_tokens or is->own_tokens (NULL: keys are not there yet).
 *   POSTERN_OK: it lives · a rejection: it does not, POSTERN_ERR_REVOKED when somebody ended it ·
 *   an undecided code: nobody can say at the moment
 */
POSTERN_MUST_USE postern_err own_token_judge(struct issuer *is, postern_context *ctx,
                                             postern_bytes token, struct own_token *ret,
                                             postern_error *err);
/* The same by a verifier's measure: it lives until the longest clock_skew that one may have has passed.
 * For its end by a revocation, which is for nobody but them. */
POSTERN_MUST_USE postern_err own_token_judge_elsewhere(struct issuer *is, postern_bytes token,
                                                       struct own_token *ret, postern_error *err);
/* The same of an opaque token by its hash, for who asks in a verifier's place. */
POSTERN_MUST_USE postern_err own_token_judge_opaque(struct issuer *is,
                                                    const uint8_t sha256[OPAQUE_HASH],
                                                    struct own_token *ret, postern_error *err);
/* The raw JSON of a claim; empty: absent. */
postern_bytes own_token_claim(const struct own_token *t, const char *name);

#endif
