/* SPDX-License-Identifier: BSD-2-Clause */
/* Elements of one array looked up in another; see exchange_details.h.  Called by grant_exchange.c.
 * Numbers are compared as they are written: 1 and 1.0 are two. */
#include "exchange_details.h"

#define ELEMENTS_MAX 64 /* of a token's details: 4096 bytes hold no more that say anything */
#define SCRATCH_MAX 8192 /* unescaped strings of one comparison */

static bool are_equal(const postern_json *a, uint32_t x, const postern_json *b, uint32_t y);

static bool are_strings_equal(const postern_json *a, uint32_t x, const postern_json *b, uint32_t y)
{
    POSTERN_AUTO_BUF left = POSTERN_BUF_INIT(SCRATCH_MAX);
    POSTERN_AUTO_BUF right = POSTERN_BUF_INIT(SCRATCH_MAX);
    postern_bytes l, r;

    return postern_json_string(a, x, &left, &l) && postern_json_string(b, y, &right, &r) &&
           postern_bytes_equal(l, r);
}

static bool are_arrays_equal(const postern_json *a, uint32_t x, const postern_json *b, uint32_t y)
{
    uint32_t i = postern_json_first(a, x), k = postern_json_first(b, y);

    for (; i != POSTERN_JSON_ABSENT && k != POSTERN_JSON_ABSENT;
         i = postern_json_next(a, i), k = postern_json_next(b, k))
        if (!are_equal(a, i, b, k))
            return false;
    return i == k; /* both ABSENT: as many */
}

static uint32_t find_member(const postern_json *a, uint32_t member, const postern_json *b,
                            uint32_t object)
{
    POSTERN_AUTO_BUF left = POSTERN_BUF_INIT(SCRATCH_MAX);
    postern_bytes name;

    if (!postern_json_name(a, member, &left, &name))
        return POSTERN_JSON_ABSENT;
    for (uint32_t m = postern_json_first(b, object); m != POSTERN_JSON_ABSENT;
         m = postern_json_next(b, m)) {
        POSTERN_AUTO_BUF right = POSTERN_BUF_INIT(SCRATCH_MAX);
        postern_bytes other;

        if (postern_json_name(b, m, &right, &other) && postern_bytes_equal(name, other))
            return m;
    }
    return POSTERN_JSON_ABSENT;
}

/* Names are unique in a document that was scanned. */
static bool are_objects_equal(const postern_json *a, uint32_t x, const postern_json *b, uint32_t y)
{
    if (a->nodes[x].child_count != b->nodes[y].child_count)
        return false;
    for (uint32_t m = postern_json_first(a, x); m != POSTERN_JSON_ABSENT;
         m = postern_json_next(a, m)) {
        uint32_t other = find_member(a, m, b, y);

        if (other == POSTERN_JSON_ABSENT || !are_equal(a, m, b, other))
            return false;
    }
    return true;
}

/* As deep as the scan allows. */
static bool are_equal(const postern_json *a, uint32_t x, const postern_json *b, uint32_t y)
{
    postern_json_type type = postern_json_type_of(a, x);

    if (type != postern_json_type_of(b, y))
        return false;
    switch (type) {
    case POSTERN_JSON_STRING:
        return are_strings_equal(a, x, b, y);
    case POSTERN_JSON_ARRAY:
        return are_arrays_equal(a, x, b, y);
    case POSTERN_JSON_OBJECT:
        return are_objects_equal(a, x, b, y);
    case POSTERN_JSON_NUMBER:
        return postern_bytes_equal(postern_json_raw(a, x), postern_json_raw(b, y));
    case POSTERN_JSON_NULL:
    case POSTERN_JSON_FALSE:
    case POSTERN_JSON_TRUE:
        return true;
    case POSTERN_JSON_NONE:
        break;
    }
    return false;
}

/* Which elements of the token's the client wants; false: one that is not there. */
static bool choose(const postern_json *have, const postern_json *wanted, bool *is_chosen)
{
    for (uint32_t w = postern_json_first(wanted, 0); w != POSTERN_JSON_ABSENT;
         w = postern_json_next(wanted, w)) {
        bool is_found = false;
        size_t i = 0;

        for (uint32_t h = postern_json_first(have, 0);
             !is_found && h != POSTERN_JSON_ABSENT && i < ELEMENTS_MAX;
             h = postern_json_next(have, h), i++) {
            is_found = are_equal(have, h, wanted, w);
            is_chosen[i] = is_chosen[i] || is_found;
        }
        if (!is_found)
            return false;
    }
    return true;
}

static void write_chosen(const postern_json *have, const bool *is_chosen, postern_buf *ret)
{
    postern_json_writer w = { ret, false };
    size_t i = 0;

    postern_json_open_array(&w, NULL);
    for (uint32_t h = postern_json_first(have, 0); h != POSTERN_JSON_ABSENT && i < ELEMENTS_MAX;
         h = postern_json_next(have, h), i++)
        if (is_chosen[i])
            postern_json_put_raw(&w, NULL, postern_json_raw(have, h));
    postern_json_close_array(&w);
}

static exchange_details scan(postern_json *j, postern_bytes text, postern_error *err)
{
    postern_err e = postern_json_scan(j, text, err);

    if (e == POSTERN_ERR_NOMEM)
        return EXCHANGE_DETAILS_FAILED;
    return e == POSTERN_OK && postern_json_type_of(j, 0) == POSTERN_JSON_ARRAY &&
                   postern_json_first(j, 0) != POSTERN_JSON_ABSENT
               ? EXCHANGE_DETAILS_NARROWED
               : EXCHANGE_DETAILS_REFUSED;
}

exchange_details exchange_details_narrow(postern_bytes have, postern_bytes wanted, postern_buf *ret,
                                         postern_error *err)
{
    POSTERN_AUTO_JSON from = { 0 };
    POSTERN_AUTO_JSON to = { 0 };
    bool is_chosen[ELEMENTS_MAX] = { false };
    exchange_details e = have.len == 0 ? EXCHANGE_DETAILS_REFUSED : scan(&from, have, err);

    if (e == EXCHANGE_DETAILS_NARROWED)
        e = scan(&to, wanted, err);
    if (e != EXCHANGE_DETAILS_NARROWED)
        return e;
    if (!choose(&from, &to, is_chosen))
        return EXCHANGE_DETAILS_REFUSED;
    write_chosen(&from, is_chosen, ret);
    if (!ret->failed)
        return EXCHANGE_DETAILS_NARROWED;
    (void)POSTERN_FAIL(err, NOMEM, "authorization_details"); /* the outcome says it failed */
    return EXCHANGE_DETAILS_FAILED;
}
