/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading one claim out of the flat index: by name, by configured path, as a string that may become
 * an identity.  Judges no value; claims.c does.
 */
#include "claims.h"

#define NAME(text)                                                                                 \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

/* In one piece, so that a look at a length and a letter rules nearly all of them out. */
static const struct {
    char text[sizeof "authorization_details"];
    uint8_t len;
} names[CLAIM_NAMES] = {
    [CLAIM_ISS] = NAME("iss"),
    [CLAIM_SUB] = NAME("sub"),
    [CLAIM_AUD] = NAME("aud"),
    [CLAIM_EXP] = NAME("exp"),
    [CLAIM_NBF] = NAME("nbf"),
    [CLAIM_IAT] = NAME("iat"),
    [CLAIM_JTI] = NAME("jti"),
    [CLAIM_AZP] = NAME("azp"),
    [CLAIM_CNF] = NAME("cnf"),
    [CLAIM_ACT] = NAME("act"),
    [CLAIM_ACR] = NAME("acr"),
    [CLAIM_CLIENT_ID] = NAME("client_id"),
    [CLAIM_MAY_ACT] = NAME("may_act"),
    [CLAIM_AUTH_TIME] = NAME("auth_time"),
    [CLAIM_SCOPE] = NAME("scope"),
    [CLAIM_GRANT_ID] = NAME("grant_id"),
    [CLAIM_DERIVED_FROM] = NAME("derived_from"),
    [CLAIM_AUTHORIZATION_DETAILS] = NAME("authorization_details"),
    [CLAIM_AT_HASH] = NAME("at_hash"),
    [CLAIM_C_HASH] = NAME("c_hash"),
};

#define LETTERS(a, b, c) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16)

/* Most claims that every token has are called by three letters: one comparison of a number each. */
static int find_short_name(const char *text)
{
    const uint8_t *t = (const uint8_t *)text;

    /* clang-format off */
    switch (LETTERS(t[0], t[1], t[2])) {
    case LETTERS('i', 's', 's'): return CLAIM_ISS;
    case LETTERS('s', 'u', 'b'): return CLAIM_SUB;
    case LETTERS('a', 'u', 'd'): return CLAIM_AUD;
    case LETTERS('e', 'x', 'p'): return CLAIM_EXP;
    case LETTERS('n', 'b', 'f'): return CLAIM_NBF;
    case LETTERS('i', 'a', 't'): return CLAIM_IAT;
    case LETTERS('j', 't', 'i'): return CLAIM_JTI;
    case LETTERS('a', 'z', 'p'): return CLAIM_AZP;
    case LETTERS('c', 'n', 'f'): return CLAIM_CNF;
    case LETTERS('a', 'c', 't'): return CLAIM_ACT;
    case LETTERS('a', 'c', 'r'): return CLAIM_ACR;
    default: return -1;
    }
    /* clang-format on */
}

static int find_name(const char *text, size_t len)
{
    if (len == 3)
        return find_short_name(text);
    for (int i = CLAIM_LONGER; i < CLAIM_NAMES; i++)
        if (names[i].len == len && names[i].text[0] == text[0] &&
            memcmp(names[i].text, text, len) == 0)
            return i;
    return -1;
}

/* Names with escapes are rare: the slow comparison is for them alone. */
static int find_name_of(const postern_json *j, uint32_t member)
{
    const postern_json_node *n = &j->nodes[member];

    if (!n->key_is_escaped)
        return find_name((const char *)j->text.ptr + n->key, n->key_end - n->key);
    for (int i = 0; i < CLAIM_NAMES; i++)
        if (postern_json_name_is(j, member, names[i].text))
            return i;
    return -1;
}

void postern_claim_reader_init(struct claim_reader *r, const postern_json *j, postern_buf *scratch)
{
    *r = (struct claim_reader){ .j = j, .scratch = scratch };
    for (int i = 0; i < CLAIM_NAMES; i++)
        r->known[i] = POSTERN_JSON_ABSENT;
    for (uint32_t m = postern_json_first(j, 0); m != POSTERN_JSON_ABSENT;
         m = postern_json_next(j, m)) {
        int name = find_name_of(j, m);

        if (name >= 0)
            r->known[name] = m; /* the scan refused duplicates */
    }
}

postern_err postern_claim_path_parse(postern_arena *arena, const char *text, struct claim_path *ret,
                                     postern_error *err)
{
    struct claim_path path = { .known = find_name(text, strlen(text)) };
    char *rest = postern_arena_text(arena, postern_bytes_str(text));

    path.whole = postern_arena_text(arena, postern_bytes_str(text));
    if (rest == NULL || path.whole == NULL)
        return POSTERN_FAIL(err, NOMEM, "claim path");
    while (rest != NULL) {
        char *dot = strchr(rest, '.');

        if (path.count == POSTERN_CLAIM_PARTS_MAX)
            return POSTERN_FAIL(err, CONFIG_VALUE, "a claim path has more than %d parts",
                                POSTERN_CLAIM_PARTS_MAX);
        if (dot != NULL)
            *dot++ = '\0';
        path.parts[path.count++] = rest;
        rest = dot;
    }
    *ret = path;
    return POSTERN_OK;
}

static uint32_t follow_parts(const postern_json *j, const struct claim_path *path)
{
    uint32_t node = 0;

    for (size_t i = 0; i < path->count; i++) {
        if (postern_json_type_of(j, node) != POSTERN_JSON_OBJECT)
            return POSTERN_JSON_ABSENT;
        node = postern_json_member(j, node, path->parts[i]);
        if (node == POSTERN_JSON_ABSENT)
            return node;
    }
    return node;
}

uint32_t postern_claim_find_in(const postern_json *j, const struct claim_path *path)
{
    uint32_t node = follow_parts(j, path);

    if (node != POSTERN_JSON_ABSENT || path->count == 1) /* one part is the whole */
        return node;
    return postern_json_member(j, 0, path->whole);
}

uint32_t postern_claim_find(const struct claim_reader *r, const struct claim_path *path)
{
    return path->known >= 0 ? r->known[path->known] : postern_claim_find_in(r->j, path);
}

/* Of one string: as subject, agent, allowed client, actor, purpose, user name and scope when all
 * are configured to be one claim. */
#define READS_MAX 8
/* Joined and mapped names, of the user and of the agent. */
#define NAMES_ROOM (4 * POSTERN_IDENTITY_MAX)

/*
 * What is unescaped is no longer than what was escaped.  Who is first makes the room: whatever
 * stands in scratch was written after it was made.
 */
postern_err postern_claims_reserve(const postern_json *j, postern_buf *scratch, postern_error *err)
{
    static const uint8_t nothing[NAMES_ROOM];

    if (scratch->len != 0 || scratch->cap > READS_MAX * j->text.len + NAMES_ROOM)
        return POSTERN_OK;
    for (int i = 0; i < READS_MAX; i++)
        postern_buf_add(scratch, j->text);
    postern_buf_add(scratch, (postern_bytes){ nothing, sizeof nothing });
    if (scratch->failed)
        return POSTERN_FAIL(err, NOMEM, "claims");
    postern_buf_reset(scratch);
    return POSTERN_OK;
}

postern_err postern_claim_string(struct claim_reader *r, uint32_t node, const char *name,
                                 postern_bytes *ret, postern_error *err)
{
    if (postern_json_type_of(r->j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "%s is not a string", name);
    if (r->j->nodes[node].is_escaped)
        POSTERN_TRY(postern_claims_reserve(r->j, r->scratch, err));
    if (!postern_json_string(r->j, node, r->scratch, ret))
        return POSTERN_FAIL(err, NOMEM, "claims");
    return POSTERN_OK;
}

postern_err postern_claim_identity(struct claim_reader *r, uint32_t node, const char *name,
                                   size_t max, postern_bytes *ret, postern_error *err)
{
    postern_bytes text;

    POSTERN_TRY(postern_claim_string(r, node, name, &text, err));
    if (text.len == 0)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "%s is empty", name);
    if (text.len > max)
        return POSTERN_FAIL(err, UNSAFE_IDENTITY, "%s is longer than %zu bytes", name, max);
    if (postern_bytes_has_control(text))
        return POSTERN_FAIL(err, UNSAFE_IDENTITY, "%s holds a control character", name);
    *ret = text;
    return POSTERN_OK;
}
