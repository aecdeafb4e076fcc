/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Claims of a subject: prepared once, so that decisions need no memory, and the subject of a grant.
 * Called by hosts (prepare, subject_of) and by match.c (look-ups).
 */
#include "policy/facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- look-ups: an expect's pairs ---- */

static bool is_same_name(const struct claim_name *a, const struct claim_name *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->parts[i], b->parts[i]) != 0)
            return false;
    return true;
}

const struct pair *postern_pair_find(const struct pair *pair, enum pair_kind kind,
                                     const struct claim_name *name)
{
    while (pair != NULL && (pair->kind != kind || !is_same_name(&pair->claim, name)))
        pair = pair->next;
    return pair;
}

/* ---- look-ups: JSON ---- */

static uint32_t find_node(const struct postern_policy_facts *f, const struct claim_name *name)
{
    uint32_t node = 0;

    for (size_t i = 0; i < name->count; i++)
        node = postern_json_member(&f->claims, node, name->parts[i]);
    return node;
}

static postern_bytes string_at(const struct postern_policy_facts *f, uint32_t node)
{
    postern_bytes raw;

    if (f->texts != NULL && f->texts[node] != NULL)
        return postern_bytes_str(f->texts[node]);
    raw = postern_json_raw(&f->claims, node);
    return (postern_bytes){ raw.ptr + 1, raw.len - 2 }; /* without its quotes */
}

static bool text_at(const struct postern_policy_facts *f, uint32_t node, char *room,
                    postern_bytes *ret)
{
    int64_t number;

    switch (postern_json_type_of(&f->claims, node)) {
    case POSTERN_JSON_STRING:
        *ret = string_at(f, node);
        return true;
    case POSTERN_JSON_TRUE:
    case POSTERN_JSON_FALSE:
        *ret = postern_json_raw(&f->claims, node);
        return true;
    case POSTERN_JSON_NUMBER:
        if (!postern_json_integer(&f->claims, node, &number))
            return false;
        (void)snprintf(room, FACTS_DIGITS, "%" PRId64, number); /* 20 characters at most */
        *ret = postern_bytes_str(room);
        return true;
    default:
        return false;
    }
}

bool postern_facts_text(const struct postern_policy_facts *f, const struct claim_name *name,
                        char *room, postern_bytes *ret)
{
    const struct pair *pair = f == NULL ? NULL : postern_pair_find(f->given, PAIR_CLAIM, name);

    if (pair == NULL)
        return f != NULL && text_at(f, find_node(f, name), room, ret);
    *ret = postern_bytes_str(pair->text);
    return postern_pair_find(pair->next, PAIR_CLAIM, name) == NULL; /* two are an array */
}

bool postern_facts_number(const struct postern_policy_facts *f, const struct claim_name *name,
                          int64_t *ret)
{
    const struct pair *pair = f == NULL ? NULL : postern_pair_find(f->given, PAIR_CLAIM, name);

    if (pair == NULL)
        return f != NULL && postern_json_integer(&f->claims, find_node(f, name), ret);
    return postern_pair_find(pair->next, PAIR_CLAIM, name) == NULL &&
           postern_value_read_number(pair->text, ret) == NULL;
}

static enum match has_pair(const struct pair *pair, const struct claim_name *name,
                           const struct pattern *value, const struct pattern_names *names)
{
    enum match ret = MATCH_NO;

    for (; pair != NULL; pair = postern_pair_find(pair->next, PAIR_CLAIM, name)) {
        enum pattern_match m = postern_pattern_match(value, postern_bytes_str(pair->text), names);

        if (m == PATTERN_YES)
            return MATCH_YES;
        ret = m == PATTERN_NOT_KNOWN ? MATCH_UNKNOWN : ret;
    }
    return ret;
}

static enum match has_element(const struct postern_policy_facts *f, uint32_t array,
                              const struct pattern *value, const struct pattern_names *names)
{
    enum match ret = MATCH_NO;

    if (postern_json_type_of(&f->claims, array) != POSTERN_JSON_ARRAY)
        return MATCH_UNKNOWN;
    for (uint32_t i = postern_json_first(&f->claims, array); i != POSTERN_JSON_ABSENT;
         i = postern_json_next(&f->claims, i)) {
        enum pattern_match m = PATTERN_NOT_KNOWN;

        if (postern_json_type_of(&f->claims, i) == POSTERN_JSON_STRING)
            m = postern_pattern_match(value, string_at(f, i), names);
        if (m == PATTERN_YES)
            return MATCH_YES;
        ret = m == PATTERN_NOT_KNOWN ? MATCH_UNKNOWN : ret;
    }
    return ret;
}

enum match postern_facts_has(const struct postern_policy_facts *f, const struct claim_name *name,
                             const struct pattern *value, const struct pattern_names *names)
{
    const struct pair *pair = f == NULL ? NULL : postern_pair_find(f->given, PAIR_CLAIM, name);

    if (f == NULL)
        return MATCH_UNKNOWN;
    return pair != NULL ? has_pair(pair, name, value, names)
                        : has_element(f, find_node(f, name), value, names);
}

bool postern_facts_auth_age(const struct postern_policy_facts *f, int64_t now_s, int64_t *ret_s)
{
    int64_t time_s;

    if (f == NULL)
        return false;
    for (const struct pair *pair = f->given; pair != NULL; pair = pair->next)
        if (pair->kind == PAIR_AUTH_AGE) {
            *ret_s = pair->number;
            return true;
        }
    if (now_s < 0 ||
        !postern_json_date(&f->claims, postern_json_member(&f->claims, 0, "auth_time"), &time_s) ||
        time_s - POLICY_SKEW_MAX_S > now_s)
        return false;
    *ret_s = now_s > time_s ? now_s - time_s : 0;
    return true;
}

/* ---- preparing ---- */

static postern_err keep_escaped(struct postern_policy_facts *f, uint32_t node, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_JSON_TEXT_MAX);
    postern_bytes text;

    if (!postern_json_string(&f->claims, node, &scratch, &text))
        return POSTERN_FAIL(err, NOMEM, "claims");
    f->texts[node] = postern_arena_text(&f->arena, text);
    return f->texts[node] != NULL ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "claims");
}

static postern_err keep_all_escaped(struct postern_policy_facts *f, postern_error *err)
{
    for (uint32_t i = 0; i < f->claims.count; i++) {
        const postern_json_node *n = &f->claims.nodes[i];

        if (n->type != POSTERN_JSON_STRING || !n->is_escaped)
            continue;
        if (f->texts == NULL)
            f->texts = calloc(f->claims.count, sizeof *f->texts);
        if (f->texts == NULL)
            return POSTERN_FAIL(err, NOMEM, "claims");
        POSTERN_TRY(keep_escaped(f, i, err));
    }
    return POSTERN_OK;
}

/* An array of not too many strings; anything else leaves the groups unknown. */
static bool is_group_list(const postern_json *j, uint32_t array)
{
    if (postern_json_type_of(j, array) != POSTERN_JSON_ARRAY ||
        j->nodes[array].child_count > FACTS_GROUPS_MAX)
        return false;
    for (uint32_t i = postern_json_first(j, array); i != POSTERN_JSON_ABSENT;
         i = postern_json_next(j, i))
        if (postern_json_type_of(j, i) != POSTERN_JSON_STRING)
            return false;
    return true;
}

static postern_err read_groups(struct postern_policy_facts *f, size_t *ret_count,
                               postern_error *err)
{
    uint32_t array = postern_json_member(&f->claims, 0, "groups");
    size_t count = 0;

    if (!is_group_list(&f->claims, array))
        return POSTERN_OK;
    f->groups = calloc(f->claims.nodes[array].child_count + 1u, sizeof *f->groups);
    if (f->groups == NULL)
        return POSTERN_FAIL(err, NOMEM, "groups");
    for (uint32_t i = postern_json_first(&f->claims, array); i != POSTERN_JSON_ABSENT;
         i = postern_json_next(&f->claims, i)) {
        f->groups[count] = postern_arena_text(&f->arena, string_at(f, i));
        if (f->groups[count++] == NULL)
            return POSTERN_FAIL(err, NOMEM, "groups");
    }
    *ret_count = count;
    return POSTERN_OK;
}

static postern_err read_claims(postern_policy_subject *s, struct postern_policy_facts *f,
                               postern_error *err)
{
    size_t group_count = 0;

    if (s->claims.len == 0)
        return POSTERN_OK;
    POSTERN_TRY(postern_json_scan(&f->claims, s->claims, err));
    if (postern_json_type_of(&f->claims, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "claims are no JSON object");
    POSTERN_TRY(keep_all_escaped(f, err));
    if (s->groups != NULL)
        return POSTERN_OK;
    POSTERN_TRY(read_groups(f, &group_count, err));
    s->groups = f->groups;
    s->group_count = group_count;
    return POSTERN_OK;
}

static void free_facts(struct postern_policy_facts *f)
{
    if (f == NULL)
        return;
    postern_json_free(&f->claims);
    postern_arena_free(&f->arena);
    free(f->texts);
    free(f->groups);
    free(f);
}

postern_err postern_policy_subject_prepare(postern_policy_subject *s, postern_error *err)
{
    struct postern_policy_facts *f;
    postern_err e;

    if (s->facts != NULL)
        return POSTERN_FAIL(err, USAGE, "the subject is prepared already");
    f = calloc(1, sizeof *f);
    if (f == NULL)
        return POSTERN_FAIL(err, NOMEM, "claims");
    /* Each string is copied twice at most, with a NUL and alignment; the scan bounds their number.
     */
    f->arena = POSTERN_ARENA_INIT(2 * POSTERN_JSON_TEXT_MAX + 64 * POSTERN_JSON_NODES_MAX);
    e = read_claims(s, f, err);
    if (e != POSTERN_OK) {
        free_facts(f);
        return e;
    }
    s->facts = f;
    return POSTERN_OK;
}

void postern_policy_subject_clear(postern_policy_subject *s)
{
    free_facts(s->facts);
    *s = (postern_policy_subject){ 0 };
}

/* ---- the subject of a grant ---- */

postern_err postern_policy_subject_of(const postern_grant *g, postern_policy_subject *ret,
                                      postern_error *err)
{
    postern_policy_subject s = {
        .agent = postern_grant_actor(g),
        .client = postern_grant_client_id(g),
        .issuer = postern_grant_issuer(g),
        .scope = postern_grant_scope(g),
        .purpose = postern_grant_purpose(g),
        .chain = postern_grant_act_depth(g),
        .claims = postern_grant_claims(g),
    };

    if (postern_grant_has_human(g)) /* without a mapping, as in a token-only check, nobody knows who */
        s.user = postern_grant_user(g) == NULL ? "" : postern_grant_user(g);
    *ret = (postern_policy_subject){ 0 };
    POSTERN_TRY(postern_policy_subject_prepare(&s, err));
    *ret = s;
    return POSTERN_OK;
}
