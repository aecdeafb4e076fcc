/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arguments of an action and details of a token as values: from JSON that was scanned, from bytes by
 * their position, or from what an expect gives.  What is missing or of another kind is not known.
 * Called by match_test.c.
 */
#include "policy/args.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/json_text.h"
#include "policy/facts.h"

/* ---- texts ---- */

static size_t put_char(uint32_t c, uint8_t utf8[4])
{
    static const uint8_t first[] = { 0, 0x00, 0xC0, 0xE0, 0xF0 };
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        utf8[i] = (uint8_t)(0x80 | (c & 0x3F));
    utf8[0] = (uint8_t)(first[len] | c);
    return len;
}

/* False when it does not fit: then nobody knows what it says. */
static bool write_out(postern_bytes text, bool is_escaped, char room[ARG_TEXT_MAX],
                      postern_bytes *ret)
{
    postern_json_chars chars = { text.ptr, text.ptr + text.len, is_escaped };
    uint8_t utf8[4];
    size_t used = 0, len;

    *ret = text;
    if (!is_escaped)
        return true;
    for (uint32_t c; (c = postern_json_chars_next(&chars)) != POSTERN_JSON_NO_CHAR; used += len) {
        len = put_char(c, utf8);
        if (len > ARG_TEXT_MAX - used)
            return false;
        memcpy(room + used, utf8, len);
    }
    *ret = (postern_bytes){ (const uint8_t *)room, used };
    return true;
}

/* ---- JSON ---- */

static struct value json_value(const postern_json *j, uint32_t node, char room[ARG_TEXT_MAX])
{
    struct value ret = { .json = j, .node = node };
    postern_json_type type = postern_json_type_of(j, node);
    postern_bytes raw = postern_json_raw(j, node);

    switch (type) {
    case POSTERN_JSON_STRING:
        if (write_out((postern_bytes){ raw.ptr + 1, raw.len - 2 }, j->nodes[node].is_escaped, room,
                      &ret.text))
            ret.kind = VALUE_TEXT;
        break;
    case POSTERN_JSON_NUMBER:
        if (postern_decimal_read_range(raw, &ret.number))
            ret.kind = VALUE_NUMBER;
        break;
    case POSTERN_JSON_TRUE:
    case POSTERN_JSON_FALSE:
        ret.kind = VALUE_BOOLEAN;
        ret.is_true = type == POSTERN_JSON_TRUE;
        break;
    case POSTERN_JSON_ARRAY:
        ret.kind = VALUE_ARRAY;
        break;
    case POSTERN_JSON_NONE:
    case POSTERN_JSON_NULL:
    case POSTERN_JSON_OBJECT:
        break;
    }
    return ret;
}

/* A position as it is written: "0", "12"; false for anything else. */
static bool read_position(const char *part, size_t *ret)
{
    size_t len = strspn(part, "0123456789");

    *ret = 0;
    if (part[len] != '\0' || len == 0 || len > 5 || (part[0] == '0' && len != 1))
        return false;
    for (; *part != '\0'; part++)
        *ret = *ret * 10 + (size_t)(*part - '0');
    return true;
}

static uint32_t find_element(const postern_json *j, uint32_t array, const char *part)
{
    uint32_t node = postern_json_first(j, array);
    size_t i;

    if (!read_position(part, &i))
        return POSTERN_JSON_ABSENT;
    while (node != POSTERN_JSON_ABSENT && i-- != 0)
        node = postern_json_next(j, node);
    return node;
}

/* A number in a path counts in an array; in an object it is a name like any other. */
static uint32_t find_below(const postern_json *j, uint32_t node, const struct claim_name *name,
                           size_t from)
{
    for (size_t i = from; i < name->count && node != POSTERN_JSON_ABSENT; i++)
        node = postern_json_type_of(j, node) == POSTERN_JSON_ARRAY
                   ? find_element(j, node, name->parts[i])
                   : postern_json_member(j, node, name->parts[i]);
    return node;
}

/* ---- pairs of an expect ---- */

static struct value one_pair(const struct pair *pair)
{
    struct value ret = { .kind = VALUE_TEXT, .text = postern_bytes_str(pair->text) };

    if (pair->literal == NULL || pair->literal->kind == LITERAL_NET)
        return ret;
    ret.kind = pair->literal->kind == LITERAL_BOOLEAN ? VALUE_BOOLEAN : VALUE_NUMBER;
    ret.number = (struct decimal_range){ pair->literal->number, pair->literal->number };
    ret.is_true = pair->literal->is_true;
    return ret;
}

/* Said twice it is an array. */
static struct value pair_value(const struct pair *pair)
{
    if (pair == NULL)
        return (struct value){ .kind = VALUE_UNKNOWN };
    if (postern_pair_find(pair->next, pair->kind, &pair->claim) != NULL)
        return (struct value){ .kind = VALUE_ARRAY, .pair = pair };
    return one_pair(pair);
}

/* ---- arguments ---- */

static const struct pair *given(const struct asking *a)
{
    return a->s->facts == NULL ? NULL : a->s->facts->given;
}

static struct value list_value(const postern_policy_args *args, const struct claim_name *name)
{
    struct value ret = { .kind = VALUE_BYTES };
    size_t i;

    if (name->count != 1 || !read_position(name->parts[0], &i) || i >= args->count)
        return (struct value){ .kind = VALUE_UNKNOWN };
    ret.text = args->list[i];
    return ret;
}

/* What an expect writes of Redis has no type either. */
static struct value untyped(struct value v, const struct pair *pair)
{
    if (v.kind == VALUE_TEXT || v.kind == VALUE_NUMBER || v.kind == VALUE_BOOLEAN)
        return (struct value){ .kind = VALUE_BYTES, .text = postern_bytes_str(pair->text) };
    return v;
}

struct value postern_arg_find(const struct asking *a, const struct claim_name *name,
                              char room[ARG_TEXT_MAX])
{
    const postern_policy_args *args = &a->q->args;
    const struct pair *pair;

    switch (args->kind) {
    case POSTERN_POLICY_ARGS_LIST:
        return list_value(args, name);
    case POSTERN_POLICY_ARGS_JSON:
        return json_value(args->json, find_below(args->json, args->object, name, 0), room);
    case POSTERN_POLICY_ARGS_UNKNOWN:
        break;
    }
    pair = postern_pair_find(given(a), PAIR_ARG, name);
    return policy_protocols[a->protocol].numbers_args ? untyped(pair_value(pair), pair)
                                                      : pair_value(pair);
}

/* ---- args only ---- */

static enum match name_is_among(postern_bytes name, const struct list *list, const struct asking *a)
{
    return postern_list_match(list, name, &a->names);
}

static enum match worse(enum match a, enum match b)
{
    if (a == MATCH_NO || b == MATCH_NO)
        return MATCH_NO;
    return a == MATCH_UNKNOWN || b == MATCH_UNKNOWN ? MATCH_UNKNOWN : MATCH_YES;
}

static enum match positions_are_among(size_t count, const struct list *list, const struct asking *a)
{
    enum match ret = MATCH_YES;
    char name[24]; /* 2^64 has 20 digits */

    for (size_t i = 0; i < count && ret == MATCH_YES; i++) {
        (void)snprintf(name, sizeof name, "%zu", i); /* fits */
        ret = name_is_among(postern_bytes_str(name), list, a);
    }
    return ret;
}

static enum match members_are_among(const postern_json *j, uint32_t object, const struct list *list,
                                    const struct asking *a)
{
    enum match ret = MATCH_YES;
    char room[ARG_TEXT_MAX];

    if (object == POSTERN_JSON_ABSENT) /* no arguments were given */
        return MATCH_YES;
    if (postern_json_type_of(j, object) != POSTERN_JSON_OBJECT)
        return MATCH_UNKNOWN;
    for (uint32_t i = postern_json_first(j, object); i != POSTERN_JSON_ABSENT && ret != MATCH_NO;
         i = postern_json_next(j, i)) {
        const postern_json_node *n = &j->nodes[i];
        postern_bytes raw = { j->text.ptr + n->key, n->key_end - n->key }, name;

        ret = worse(ret, write_out(raw, n->key_is_escaped, room, &name)
                             ? name_is_among(name, list, a)
                             : MATCH_UNKNOWN);
    }
    return ret;
}

static enum match pairs_are_among(const struct list *list, const struct asking *a)
{
    enum match ret = MATCH_YES;

    if (a->s->facts == NULL || !a->s->facts->is_expect)
        return MATCH_UNKNOWN;
    for (const struct pair *pair = given(a); pair != NULL; pair = pair->next)
        if (pair->kind == PAIR_ARG)
            ret = worse(ret, name_is_among(postern_bytes_str(pair->claim.parts[0]), list, a));
    return ret;
}

enum match postern_args_are_among(const struct asking *a, const struct list *list)
{
    const postern_policy_args *args = &a->q->args;

    switch (args->kind) {
    case POSTERN_POLICY_ARGS_LIST:
        return positions_are_among(args->count, list, a);
    case POSTERN_POLICY_ARGS_JSON:
        return members_are_among(args->json, args->object, list, a);
    case POSTERN_POLICY_ARGS_UNKNOWN:
        break;
    }
    return pairs_are_among(list, a);
}

/* ---- details ---- */

static bool next_pair_detail(struct detail_walk *w, struct value *ret)
{
    const struct pair *pair = postern_pair_find(w->facts->given, PAIR_DETAIL, w->name);

    if (w->is_begun || pair == NULL)
        return false;
    w->is_begun = true;
    *ret = pair_value(pair);
    return true;
}

/* The array; ABSENT when it is anything else. */
static uint32_t details_of(const postern_json *j)
{
    uint32_t node = postern_json_member(j, 0, "authorization_details");

    return postern_json_type_of(j, node) == POSTERN_JSON_ARRAY ? node : POSTERN_JSON_ABSENT;
}

bool postern_detail_next(struct detail_walk *w, char room[ARG_TEXT_MAX], struct value *ret)
{
    const postern_json *j;

    if (w->facts == NULL)
        return false;
    if (w->facts->is_expect)
        return next_pair_detail(w, ret);
    j = &w->facts->claims;
    for (;;) {
        w->node = w->is_begun ? postern_json_next(j, w->node)
                              : postern_json_first(j, details_of(j));
        w->is_begun = true;
        if (w->node == POSTERN_JSON_ABSENT)
            return false;
        if (postern_json_string_is(j, postern_json_member(j, w->node, "type"), w->name->parts[0])) {
            *ret = json_value(j, find_below(j, w->node, w->name, 1), room);
            return true;
        }
    }
}

/* ---- elements ---- */

bool postern_element_next(struct element_walk *w, char room[ARG_TEXT_MAX], struct value *ret)
{
    const struct value *array = w->array;

    if (array->json == NULL) {
        w->pair = w->is_begun ? postern_pair_find(w->pair->next, w->pair->kind, &w->pair->claim)
                              : array->pair;
        w->is_begun = true;
        if (w->pair != NULL)
            *ret = one_pair(w->pair);
        return w->pair != NULL;
    }
    w->node = w->is_begun ? postern_json_next(array->json, w->node)
                          : postern_json_first(array->json, array->node);
    w->is_begun = true;
    if (w->node == POSTERN_JSON_ABSENT)
        return false;
    *ret = json_value(array->json, w->node, room);
    return true;
}
