/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The strict scan against its own promises and against json-c: what it accepts, json-c accepts
 * whole; every offset lies in the text; no two members of an object have one name (by brute force);
 * what the writer writes of it is read back the same.
 */
#include <stdlib.h>

#include <json.h>

#include <postern-private/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BRUTE_FORCE_MAX 200 /* members compared pair by pair */

static void must(bool claim)
{
    if (!claim)
        abort();
}

static bool is_valid(const char *text, size_t len, int flags)
{
    struct json_tokener *tokener = json_tokener_new_ex(POSTERN_JSON_DEPTH_MAX + 2);
    struct json_object *o;
    bool is_good;

    must(tokener != NULL);
    json_tokener_set_flags(tokener, flags);
    o = json_tokener_parse_ex(tokener, text, (int)len);
    is_good = json_tokener_get_error(tokener) == json_tokener_success;
    json_object_put(o);
    json_tokener_free(tokener);
    return is_good;
}

/* json-c 0.18 when it is strict takes all that is not ASCII for control characters. */
static int strictest(void)
{
    static int flags = -1;

    if (flags < 0)
        flags = JSON_TOKENER_VALIDATE_UTF8 |
                (is_valid("[\"\xc3\xa9\"]", 6, JSON_TOKENER_STRICT) ? JSON_TOKENER_STRICT : 0);
    return flags;
}

/* json-c is the more liberal one: it may never be the one that refuses. */
static void ask_json_c(const postern_json *j)
{
    must(is_valid((const char *)j->text.ptr, j->text.len, strictest()));
}

static void check_string(const postern_json *j, uint32_t node)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_JSON_TEXT_MAX);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(8 * POSTERN_JSON_TEXT_MAX);
    POSTERN_AUTO_BUF scratch_again = POSTERN_BUF_INIT(POSTERN_JSON_TEXT_MAX);
    POSTERN_AUTO_JSON again = { .nodes = NULL };
    postern_json_writer w = { &out, false };
    postern_bytes text, text_again;

    must(postern_json_string(j, node, &scratch, &text));
    must(postern_bytes_is_utf8(text) && postern_bytes_find(text, 0) == text.len);
    postern_json_put_string(&w, NULL, text);
    must(postern_json_scan(&again, postern_buf_bytes(&out), NULL) == POSTERN_OK);
    must(postern_json_string(&again, 0, &scratch_again, &text_again));
    must(postern_bytes_equal(text, text_again));
}

static void check_number(const postern_json *j, uint32_t node)
{
    const int64_t most = INT64_C(9007199254740991);
    int64_t integer, date_s;

    if (postern_json_integer(j, node, &integer))
        must(integer >= -most && integer <= most);
    if (postern_json_date(j, node, &date_s))
        must(date_s >= 0 && date_s <= most);
    if (postern_json_integer(j, node, &integer) && integer >= 0)
        must(postern_json_date(j, node, &date_s) && date_s == integer);
}

static postern_bytes name_of(const postern_json *j, uint32_t node, postern_buf *scratch)
{
    postern_bytes name;

    postern_buf_reset(scratch);
    must(postern_json_name(j, node, scratch, &name));
    return name;
}

static void check_names(const postern_json *j, uint32_t object)
{
    POSTERN_AUTO_BUF scratch_a = POSTERN_BUF_INIT(POSTERN_JSON_TEXT_MAX);
    POSTERN_AUTO_BUF scratch_b = POSTERN_BUF_INIT(POSTERN_JSON_TEXT_MAX);

    if (j->nodes[object].child_count > BRUTE_FORCE_MAX)
        return;
    for (uint32_t a = postern_json_first(j, object); a != POSTERN_JSON_ABSENT;
         a = postern_json_next(j, a))
        for (uint32_t b = postern_json_next(j, a); b != POSTERN_JSON_ABSENT;
             b = postern_json_next(j, b))
            must(!postern_bytes_equal(name_of(j, a, &scratch_a), name_of(j, b, &scratch_b)));
}

/* Children lie within the parent and in order; their number is as said. */
static void check_children(const postern_json *j, uint32_t container)
{
    const postern_json_node *n = &j->nodes[container];
    uint32_t at = n->start, count = 0;

    for (uint32_t i = postern_json_first(j, container); i != POSTERN_JSON_ABSENT;
         i = postern_json_next(j, i), count++) {
        must(i > container && i < j->count);
        must(j->nodes[i].start >= at && j->nodes[i].end <= n->end &&
             j->nodes[i].start <= j->nodes[i].end);
        must((j->nodes[i].key != 0) == (n->type == POSTERN_JSON_OBJECT));
        at = j->nodes[i].end;
    }
    must(count == n->child_count);
}

static void check_node(const postern_json *j, uint32_t node)
{
    postern_json_type type = postern_json_type_of(j, node);

    must(type != POSTERN_JSON_NONE && postern_json_raw(j, node).len != 0);
    if (type == POSTERN_JSON_STRING)
        check_string(j, node);
    if (type == POSTERN_JSON_NUMBER)
        check_number(j, node);
    if (type == POSTERN_JSON_OBJECT)
        check_names(j, node);
    check_children(j, node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    postern_error err;
    postern_err e = postern_json_scan(&j, (postern_bytes){ data, size }, &err);

    if (e != POSTERN_OK) {
        must((e == POSTERN_ERR_MALFORMED || e == POSTERN_ERR_LIMIT) && err.code == e &&
             j.count == 0);
        return 0;
    }
    must(postern_bytes_is_utf8((postern_bytes){ data, size }));
    for (uint32_t i = 0; i < j.count; i++)
        check_node(&j, i);
    if (j.nodes[0].type == POSTERN_JSON_OBJECT || j.nodes[0].type == POSTERN_JSON_ARRAY)
        ask_json_c(&j);
    return 0;
}
