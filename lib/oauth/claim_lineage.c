/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a token comes from, so that it can end with that, and what was granted in detail.
 * `grant_id` names a person's authorization (as OAuth grant management does), `derived_from` every
 * token from which this one was exchanged; both are our issuer's own claims.  An issuer that means
 * something else by these names has its tokens refused: what cannot be read cannot be revoked.
 * `authorization_details`: RFC 9396 §9.1.
 */
#include "claims.h"

static postern_err read_grant_id(struct claim_reader *r, postern_bytes *ret, postern_error *err)
{
    uint32_t node = r->known[CLAIM_GRANT_ID];

    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    return postern_claim_identity(r, node, "grant_id", POSTERN_GRANT_ID_MAX, ret, err);
}

static postern_err check_array(const struct claim_reader *r, uint32_t array, const char *name,
                               size_t max, postern_error *err)
{
    if (postern_json_type_of(r->j, array) != POSTERN_JSON_ARRAY)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "%s is not an array", name);
    if (r->j->nodes[array].child_count == 0)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "%s is empty", name);
    if (r->j->nodes[array].child_count > max)
        return POSTERN_FAIL(err, LIMIT, "%s has more than %zu entries", name, max);
    return POSTERN_OK;
}

static postern_err read_parents(struct claim_reader *r, struct postern_grant_facts *ret,
                                postern_error *err)
{
    uint32_t array = r->known[CLAIM_DERIVED_FROM];

    if (array == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    POSTERN_TRY(check_array(r, array, "derived_from", POSTERN_DERIVED_MAX, err));
    for (uint32_t n = postern_json_first(r->j, array); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(r->j, n)) {
        POSTERN_TRY(postern_claim_identity(r, n, "derived_from", POSTERN_IDENTITY_MAX,
                                           &ret->derived_from[ret->derived_count], err));
        ret->derived_count++;
    }
    return POSTERN_OK;
}

/* RFC 9396 §2: each says by a string what type it is of; what else it says is its type's. */
static postern_err check_detail(const struct claim_reader *r, uint32_t node, postern_error *err)
{
    if (postern_json_type_of(r->j, node) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED_CLAIM,
                            "authorization_details holds something that is not an object");
    if (postern_json_type_of(r->j, postern_json_member(r->j, node, "type")) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "one of authorization_details has no type");
    return POSTERN_OK;
}

static postern_err read_details(const struct claim_reader *r, postern_bytes *ret,
                                postern_error *err)
{
    uint32_t array = r->known[CLAIM_AUTHORIZATION_DETAILS];
    postern_bytes raw;

    if (array == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    POSTERN_TRY(check_array(r, array, "authorization_details", POSTERN_DETAILS_ENTRIES_MAX, err));
    for (uint32_t n = postern_json_first(r->j, array); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(r->j, n))
        POSTERN_TRY(check_detail(r, n, err));
    raw = postern_json_raw(r->j, array);
    if (raw.len > POSTERN_DETAILS_MAX)
        return POSTERN_FAIL(err, LIMIT, "authorization_details is longer than %d bytes",
                            POSTERN_DETAILS_MAX);
    *ret = raw;
    return POSTERN_OK;
}

postern_err postern_claims_lineage(struct claim_reader *r, struct postern_grant_facts *ret,
                                   postern_error *err)
{
    POSTERN_TRY(read_grant_id(r, &ret->grant_id, err));
    POSTERN_TRY(read_parents(r, ret, err));
    return read_details(r, &ret->authorization_details, err);
}
