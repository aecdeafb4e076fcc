/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sender-constrained tokens: `cnf` against the certificate that the client showed on the connection
 * that brought the token.  One method of confirmation and no other than x5t#S256 can be proved
 * here; a token that is bound by anything else is refused, never taken for a bearer token.  RFC
 * 7800 §3.1, RFC 8705 §3, RFC 9449 §7.2.
 */
#include "claims.h"

#define THUMBPRINT_TEXT_LEN 43 /* base64url of 32 bytes, without padding */

/* The one member of `cnf` that can be compared; its name says by what. */
static postern_err find_thumbprint(const struct claim_reader *r, uint32_t cnf, uint32_t *ret,
                                   postern_error *err)
{
    uint32_t member;

    if (postern_json_type_of(r->j, cnf) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "cnf is not an object");
    if (r->j->nodes[cnf].child_count == 0)
        return POSTERN_FAIL(err, CNF, "cnf does not say what the token is bound to");
    if (r->j->nodes[cnf].child_count != 1) /* RFC 7800 §3.1: a single key */
        return POSTERN_FAIL(err, CNF, "the token is bound in more than one way (cnf)");
    member = postern_json_first(r->j, cnf);
    if (postern_json_name_is(r->j, member, "jkt"))
        return POSTERN_FAIL(err, CNF,
                            "the token is bound to a DPoP key, which no login here proves");
    if (!postern_json_name_is(r->j, member, "x5t#S256"))
        return POSTERN_FAIL(err, CNF,
                            "the token is bound in a way that cannot be proved here (cnf)");
    *ret = member;
    return POSTERN_OK;
}

static postern_err decode_thumbprint(struct claim_reader *r, uint32_t node,
                                     uint8_t ret[POSTERN_BOUND_CERT_LEN], postern_error *err)
{
    uint8_t room[POSTERN_BASE64URL_DECODED_MAX(THUMBPRINT_TEXT_LEN)];
    postern_bytes text;
    size_t len = 0;

    POSTERN_TRY(postern_claim_string(r, node, "x5t#S256", &text, err));
    if (text.len != THUMBPRINT_TEXT_LEN ||
        postern_base64url_decode(text, room, &len, NULL) != POSTERN_OK ||
        len != POSTERN_BOUND_CERT_LEN)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "x5t#S256 is not %d bytes in base64url",
                            POSTERN_BOUND_CERT_LEN);
    memcpy(ret, room, POSTERN_BOUND_CERT_LEN);
    return POSTERN_OK;
}

postern_err postern_claims_binding(struct claim_reader *r, const struct claim_login *login,
                                   struct postern_grant_facts *ret, postern_trail *trail,
                                   postern_error *err)
{
    uint32_t cnf = r->known[CLAIM_CNF], node = POSTERN_JSON_ABSENT;
    uint8_t wanted[POSTERN_BOUND_CERT_LEN];
    postern_bytes shown = login->client_cert_sha256;

    postern_trail_note(trail, "%s", cnf != POSTERN_JSON_ABSENT ? "cnf" : "no cnf");
    postern_trail_note(trail, "%s",
                       shown.len != 0 ? "the client showed a certificate"
                                      : "the client showed no certificate");
    if (cnf == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    POSTERN_TRY(find_thumbprint(r, cnf, &node, err));
    POSTERN_TRY(decode_thumbprint(r, node, wanted, err));
    if (shown.len == 0)
        return POSTERN_FAIL(err, CNF, "the token is bound to a certificate, and none was shown");
    if (!postern_bytes_equal_ct(shown, (postern_bytes){ wanted, sizeof wanted }))
        return POSTERN_FAIL(err, CNF, "the token is bound to another certificate than was shown");
    ret->bound_cert = shown;
    return POSTERN_OK;
}
