/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token's scopes as one string of words with single spaces, wherever its issuer puts them: a
 * string (RFC 8693 §4.2), or an array where scope_form allows it.  claims.c judges the words.
 */
#include "claims.h"

#include "scope.h"

/* One word of an array: what holds a blank would be two. */
static postern_err add_word(struct claim_reader *r, uint32_t node, const char *name,
                            postern_buf *out, postern_error *err)
{
    postern_bytes word;

    POSTERN_TRY(postern_claim_string(r, node, name, &word, err));
    if (word.len == 0)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "%s holds an empty scope", name);
    for (size_t i = 0; i < word.len; i++)
        if (!postern_is_scope_byte(word.ptr[i]))
            return POSTERN_FAIL(err, MALFORMED_CLAIM, "%s holds what is no scope", name);
    if (out->len != 0)
        postern_buf_add_byte(out, ' ');
    postern_buf_add(out, word);
    return POSTERN_OK;
}

static postern_err join_words(struct claim_reader *r, uint32_t array, const char *name,
                              postern_bytes *ret, postern_error *err)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(r->j->text.len);
    size_t begin;

    POSTERN_TRY(postern_claims_reserve(r->j, r->scratch, err));
    for (uint32_t n = postern_json_first(r->j, array); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(r->j, n))
        POSTERN_TRY(add_word(r, n, name, &words, err));
    begin = r->scratch->len;
    postern_buf_add(r->scratch, postern_buf_bytes(&words));
    if (words.failed || r->scratch->failed)
        return POSTERN_FAIL(err, NOMEM, "claims");
    *ret = (postern_bytes){ r->scratch->ptr + begin, words.len };
    return POSTERN_OK;
}

static uint32_t find_scope(const struct claim_reader *r, const struct claim_rules *rules,
                           const char **ret_name)
{
    *ret_name = "scope";
    if (rules->scope_claim_count == 0)
        return r->known[CLAIM_SCOPE];
    for (size_t i = 0; i < rules->scope_claim_count; i++) {
        uint32_t node = postern_claim_find(r, &rules->scope_claims[i]);

        *ret_name = rules->scope_claims[i].whole;
        if (node != POSTERN_JSON_ABSENT)
            return node;
    }
    return POSTERN_JSON_ABSENT;
}

postern_err postern_claims_scope(struct claim_reader *r, const struct claim_rules *rules,
                                 postern_bytes *ret, postern_error *err)
{
    const char *name;
    uint32_t node = find_scope(r, rules, &name);

    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    if (rules->takes_scope_array && postern_json_type_of(r->j, node) == POSTERN_JSON_ARRAY)
        return join_words(r, node, name, ret, err);
    return postern_claim_string(r, node, name, ret, err);
}
