/* SPDX-License-Identifier: BSD-2-Clause */
/* Elements of one array looked up in another; see exchange_details.h.  Called by grant_exchange.c.
 * Numbers are compared as they are written: 1 and 1.0 are two. */
#include "exchange_details.h"

#define ELEMENTS_MAX 64 /* of a token's details: 4096 bytes hold no more that say anything */
#define SCRATCH_MAX 16384 /* bytes: one string; a whole token has no more */

struct comparison {
    postern_json have, wanted;
    bool is_chosen[ELEMENTS_MAX]; /* elements of `have` */
    bool failed;                  /* no memory: nothing is proved */
};

static bool are_equal(struct comparison *c, uint32_t have, uint32_t wanted);

/* A string that was not read although it is short enough: there was no memory to unescape it. */
static bool note_read(struct comparison *c, bool is_read, postern_bytes raw)
{
    c->failed = c->failed || (!is_read && raw.len <= SCRATCH_MAX);
    return is_read;
}

static bool are_strings_equal(struct comparison *c, uint32_t have, uint32_t wanted)
{
    POSTERN_AUTO_BUF left = POSTERN_BUF_INIT(SCRATCH_MAX);
    POSTERN_AUTO_BUF right = POSTERN_BUF_INIT(SCRATCH_MAX);
    postern_bytes l, r;

    return note_read(c, postern_json_string(&c->have, have, &left, &l),
                     postern_json_raw(&c->have, have)) &&
           note_read(c, postern_json_string(&c->wanted, wanted, &right, &r),
                     postern_json_raw(&c->wanted, wanted)) &&
           postern_bytes_equal(l, r);
}

static bool are_arrays_equal(struct comparison *c, uint32_t have, uint32_t wanted)
{
    uint32_t h = postern_json_first(&c->have, have), w = postern_json_first(&c->wanted, wanted);

    for (; h != POSTERN_JSON_ABSENT && w != POSTERN_JSON_ABSENT;
         h = postern_json_next(&c->have, h), w = postern_json_next(&c->wanted, w))
        if (!are_equal(c, h, w))
            return false;
    return h == w; /* both ABSENT: as many */
}

/* A name of the token's has no more bytes than its details, so that the scratch is memory or none. */
static bool are_names_equal(struct comparison *c, uint32_t have, postern_bytes wanted)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(SCRATCH_MAX);
    postern_bytes name;

    if (postern_json_name(&c->have, have, &scratch, &name))
        return postern_bytes_equal(name, wanted);
    c->failed = true;
    return false;
}

/* The value of that name in `object` of the token's; ABSENT. */
static uint32_t find_member(struct comparison *c, uint32_t object, uint32_t wanted)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(SCRATCH_MAX);
    const postern_json_node *node = &c->wanted.nodes[wanted];
    postern_bytes raw = { c->wanted.text.ptr + node->key, node->key_end - node->key }, name;

    if (!note_read(c, postern_json_name(&c->wanted, wanted, &scratch, &name), raw))
        return POSTERN_JSON_ABSENT;
    for (uint32_t m = postern_json_first(&c->have, object); m != POSTERN_JSON_ABSENT;
         m = postern_json_next(&c->have, m))
        if (are_names_equal(c, m, name))
            return m;
    return POSTERN_JSON_ABSENT;
}

/* Names are unique in a document that was scanned. */
static bool are_objects_equal(struct comparison *c, uint32_t have, uint32_t wanted)
{
    if (c->have.nodes[have].child_count != c->wanted.nodes[wanted].child_count)
        return false;
    for (uint32_t w = postern_json_first(&c->wanted, wanted); w != POSTERN_JSON_ABSENT;
         w = postern_json_next(&c->wanted, w)) {
        uint32_t h = find_member(c, have, w);

        if (h == POSTERN_JSON_ABSENT || !are_equal(c, h, w))
            return false;
    }
    return true;
}

/* As deep as the scan allows. */
static bool are_equal(struct comparison *c, uint32_t have, uint32_t wanted)
{
    postern_json_type type = postern_json_type_of(&c->have, have);

    if (type != postern_json_type_of(&c->wanted, wanted))
        return false;
    switch (type) {
    case POSTERN_JSON_STRING:
        return are_strings_equal(c, have, wanted);
    case POSTERN_JSON_ARRAY:
        return are_arrays_equal(c, have, wanted);
    case POSTERN_JSON_OBJECT:
        return are_objects_equal(c, have, wanted);
    case POSTERN_JSON_NUMBER:
        return postern_bytes_equal(postern_json_raw(&c->have, have),
                                   postern_json_raw(&c->wanted, wanted));
    case POSTERN_JSON_NULL:
    case POSTERN_JSON_FALSE:
    case POSTERN_JSON_TRUE:
        return true;
    case POSTERN_JSON_NONE:
        break;
    }
    return false;
}

/* Which elements of the token's are `wanted`; false: none. */
static bool choose_one(struct comparison *c, uint32_t wanted)
{
    uint32_t h = postern_json_first(&c->have, 0);

    for (size_t i = 0; h != POSTERN_JSON_ABSENT && i < ELEMENTS_MAX;
         h = postern_json_next(&c->have, h), i++)
        if (are_equal(c, h, wanted)) {
            c->is_chosen[i] = true;
            return true;
        }
    return false;
}

static bool choose(struct comparison *c)
{
    for (uint32_t w = postern_json_first(&c->wanted, 0); w != POSTERN_JSON_ABSENT;
         w = postern_json_next(&c->wanted, w))
        if (!choose_one(c, w))
            return false;
    return true;
}

static void write_chosen(const struct comparison *c, postern_buf *ret)
{
    postern_json_writer w = { ret, false };
    uint32_t h = postern_json_first(&c->have, 0);

    postern_json_open_array(&w, NULL);
    for (size_t i = 0; h != POSTERN_JSON_ABSENT && i < ELEMENTS_MAX;
         h = postern_json_next(&c->have, h), i++)
        if (c->is_chosen[i])
            postern_json_put_raw(&w, NULL, postern_json_raw(&c->have, h));
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

static exchange_details narrow(struct comparison *c, postern_bytes have, postern_bytes wanted,
                               postern_buf *ret, postern_error *err)
{
    exchange_details e = scan(&c->have, have, err);
    bool is_all_there;

    if (e == EXCHANGE_DETAILS_NARROWED)
        e = scan(&c->wanted, wanted, err);
    if (e != EXCHANGE_DETAILS_NARROWED)
        return e;
    is_all_there = choose(c);
    if (is_all_there)
        write_chosen(c, ret);
    if (!c->failed && !ret->failed)
        return is_all_there ? EXCHANGE_DETAILS_NARROWED : EXCHANGE_DETAILS_REFUSED;
    (void)POSTERN_FAIL(err, NOMEM, "authorization_details"); /* the outcome says it failed */
    return EXCHANGE_DETAILS_FAILED;
}

exchange_details exchange_details_narrow(postern_bytes have, postern_bytes wanted, postern_buf *ret,
                                         postern_error *err)
{
    struct comparison c = { .failed = false };
    exchange_details e;

    if (have.len == 0)
        return EXCHANGE_DETAILS_REFUSED;
    e = narrow(&c, have, wanted, ret, err);
    postern_json_free(&c.have);
    postern_json_free(&c.wanted);
    return e;
}
