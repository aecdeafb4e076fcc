/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The set of keys that one issuer publishes, and the choice among them.  Bytes in, keys out; who
 * fetched the bytes, and whether the issuer may be trusted, is lib/oauth/keyring.c's business.  RFC
 * 7517 §5, RFC 7515 §4.1.4.
 */
#include "jose/jwks.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "jose/jwk.h"

struct postern_jwks {
    atomic_uint refs;
    size_t member_count;
    size_t usable_count;
    struct postern_jwk members[]; /* as published, unusable ones too: they explain refusals */
};

static void free_members(postern_jwks *set)
{
    for (size_t i = 0; i < set->member_count; i++)
        postern_jwk_clear(&set->members[i]);
    free(set);
}

static postern_err read_members(const postern_json *doc, uint32_t keys, postern_jwks *set,
                                postern_error *err)
{
    for (uint32_t n = postern_json_first(doc, keys); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(doc, n)) {
        struct postern_jwk *member = &set->members[set->member_count++];

        POSTERN_TRY(postern_jwk_parse(doc, n, member, err));
        set->usable_count += member->usable == POSTERN_OK;
    }
    return POSTERN_OK;
}

postern_err postern_jwks_parse(postern_bytes json, postern_jwks **ret, postern_error *err)
{
    POSTERN_AUTO_JSON doc = { 0 };
    POSTERN_AUTO(jwks) set = NULL;
    uint32_t keys, count;

    if (json.len > POSTERN_JWKS_MAX)
        return POSTERN_FAIL(err, LIMIT, "key set of %zu bytes, at most %d", json.len,
                            POSTERN_JWKS_MAX);
    POSTERN_TRY(postern_json_scan(&doc, json, err));
    keys = postern_json_type_of(&doc, 0) == POSTERN_JSON_OBJECT
               ? postern_json_member(&doc, 0, "keys")
               : POSTERN_JSON_ABSENT;
    if (postern_json_type_of(&doc, keys) != POSTERN_JSON_ARRAY)
        return POSTERN_FAIL(err, MALFORMED, "no array `keys`");
    count = doc.nodes[keys].child_count;
    if (count > POSTERN_JWKS_KEYS_MAX)
        return POSTERN_FAIL(err, LIMIT, "key set of %u keys, at most %d", count,
                            POSTERN_JWKS_KEYS_MAX);
    if ((set = calloc(1, sizeof *set + count * sizeof *set->members)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "key set of %u keys", count);
    atomic_init(&set->refs, 1);
    POSTERN_TRY(read_members(&doc, keys, set, err));
    *ret = POSTERN_STEAL(set);
    return POSTERN_OK;
}

size_t postern_jwks_count(const postern_jwks *set)
{
    return set->usable_count;
}

size_t postern_jwks_skipped(const postern_jwks *set)
{
    return set->member_count - set->usable_count;
}

postern_alg_set postern_jwks_algs(const postern_jwks *set)
{
    postern_alg_set algs = 0;

    for (size_t i = 0; i < set->member_count; i++)
        if (set->members[i].usable == POSTERN_OK)
            algs |= set->members[i].algs;
    return algs;
}

postern_jwks *postern_jwks_ref(postern_jwks *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void postern_jwks_free(postern_jwks *set)
{
    if (set != NULL && atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1)
        free_members(set);
}

/* ---- choosing a key ---- */

/* Whether a key may check signatures of `alg` at all. */
static postern_err admit(const struct postern_jwk *k, postern_alg alg)
{
    if (alg >= POSTERN_ALG_COUNT || (k->algs & (1u << alg)) == 0)
        return POSTERN_ERR_ALG_KEY_MISMATCH;
    return k->usable;
}

/* How near a refusal came to success: the operator is told the nearest. */
static int rank(postern_err e)
{
    static const postern_err from_far[] = { POSTERN_ERR_UNKNOWN_KID, POSTERN_ERR_ALG_KEY_MISMATCH,
                                            POSTERN_ERR_KEY_NOT_FOR_SIG, POSTERN_ERR_WEAK_KEY,
                                            POSTERN_ERR_BAD_SIGNATURE };
    int i = 0;

    while (i < (int)(sizeof from_far / sizeof *from_far) - 1 && from_far[i] != e)
        i++;
    return i;
}

static postern_err fail_with(postern_err verdict, postern_alg alg, bool has_kid, postern_bytes kid,
                             postern_error *err)
{
    char room[260];

    return postern_error_set(err, verdict, __FILE__, __LINE__, "%s with %s%s",
                             postern_alg_name(alg), has_kid ? "kid " : "no kid",
                             has_kid ? postern_error_quote(kid.ptr, kid.len, room, sizeof room)
                                     : "");
}

postern_err postern_jwks_verify(const postern_jwks *set, postern_alg alg, bool has_kid,
                                postern_bytes kid, postern_bytes input, postern_bytes sig,
                                postern_error *err)
{
    postern_err verdict = POSTERN_ERR_UNKNOWN_KID, e;
    int tries = 0;

    for (size_t i = 0; i < set->member_count && tries < POSTERN_KID_LESS_TRIES; i++) {
        const struct postern_jwk *k = &set->members[i];

        if (has_kid && (!k->has_kid || !postern_bytes_equal(kid, postern_jwk_kid(k))))
            continue;
        if ((e = admit(k, alg)) == POSTERN_OK) {
            tries++;
            e = postern_jws_verify(k, alg, input, sig, NULL);
            if (postern_err_outcome(e) != POSTERN_REJECTED)
                return e == POSTERN_OK ? POSTERN_OK : fail_with(e, alg, has_kid, kid, err);
        }
        if (rank(e) > rank(verdict))
            verdict = e;
    }
    return fail_with(verdict, alg, has_kid, kid, err);
}
