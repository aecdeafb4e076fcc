/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JOSE header of a compact JWS (RFC 7515 §4), facts about an unproved token: what it says of
 * its algorithm, key and type.  `jwk`, `jku`, `x5u` and `x5c` are never looked at (RFC 8725
 * §3.10).  Called by jwt.c.
 */
#ifndef POSTERN_LIB_HEADER_H
#define POSTERN_LIB_HEADER_H

#include <postern-private/json.h>

#include "jwk.h"

#define POSTERN_JWT_HEADER_MAX 4096  /* bytes, decoded: alg, typ, kid and room for ignored x5c */
/* Bytes kept: RFC 6838 §4.2 allows 127 for each half, nobody uses 40. */
#define POSTERN_TYP_MAX 128

struct postern_jose_header {
    postern_alg   alg; /* NONE unless the last parse was POSTERN_OK */
    bool          has_kid;
    size_t        kid_len, typ_len; /* typ_len 0: absent */
    uint8_t       kid[POSTERN_KID_MAX];
    /* The first bytes of a longer one: it equals nothing we know. */
    uint8_t       typ[POSTERN_TYP_MAX];
    postern_json  json;                                /* storage, kept between headers */
    postern_buf   scratch;
    size_t        text_len;
    /* Of the last good header. */
    uint8_t       text[POSTERN_BASE64_ENCODED_MAX(POSTERN_JWT_HEADER_MAX)];
    uint8_t       octets[POSTERN_JWT_HEADER_MAX + 2];
};
/* Make zeroed memory ready. */
void postern_jose_header_init(struct postern_jose_header *h);
/*
 * Decode and read `text` (base64url).  The same text again costs a comparison: an issuer's
 * tokens share their header.
 *   POSTERN_OK · LIMIT · MALFORMED · ALG_NOT_ALLOWED · CRIT · NOMEM
 */
POSTERN_MUST_USE postern_err postern_jose_header_parse(struct postern_jose_header *h,
                                                       postern_bytes text, postern_error *err);
void postern_jose_header_clear(struct postern_jose_header *h);

#endif
