/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of an administration request by one table of names and one of verbs; see admin_request.h.
 * Called by admin.c and by its fuzzer.
 */
#include "admin_request.h"

#include <postern-private/json.h>

#include "words.h"

enum member {
    MEMBER_VERB,
    MEMBER_NAME,
    MEMBER_SCOPES,
    MEMBER_RESOURCES,
    MEMBER_AFTER,
    MEMBER_REDIRECTS,
    MEMBER_TITLE,
    MEMBER_JWKS,
    MEMBER_PUBLIC,
    MEMBER_MAY_IMPERSONATE,
    MEMBER_MAY_INTROSPECT,
    MEMBER_USES,
    MEMBER_FOR,
    MEMBER_PASSWORD,
    MEMBERS
};
static const char *const member_names[MEMBERS] = {
    [MEMBER_VERB] = "verb",
    [MEMBER_NAME] = "name",
    [MEMBER_SCOPES] = "scopes",
    [MEMBER_RESOURCES] = "resources",
    [MEMBER_AFTER] = "after",
    [MEMBER_REDIRECTS] = "redirect_uris",
    [MEMBER_TITLE] = "title",
    [MEMBER_JWKS] = "jwks",
    [MEMBER_PUBLIC] = "public",
    [MEMBER_MAY_IMPERSONATE] = "may_impersonate",
    [MEMBER_MAY_INTROSPECT] = "may_introspect",
    [MEMBER_USES] = "uses",
    [MEMBER_FOR] = "for",
    [MEMBER_PASSWORD] = "password",
};

#define BIT(m) (1U << (m))
static const struct {
    const char *name;
    admin_verb verb;
    unsigned required, optional; /* members besides "verb" */
} verbs[] = {
    { "client_add", ADMIN_CLIENT_ADD, BIT(MEMBER_NAME) | BIT(MEMBER_RESOURCES),
      BIT(MEMBER_SCOPES) | BIT(MEMBER_REDIRECTS) | BIT(MEMBER_TITLE) | BIT(MEMBER_JWKS) |
          BIT(MEMBER_PUBLIC) | BIT(MEMBER_MAY_IMPERSONATE) | BIT(MEMBER_MAY_INTROSPECT) },
    { "client_list", ADMIN_CLIENT_LIST, 0, BIT(MEMBER_AFTER) },
    { "client_remove", ADMIN_CLIENT_REMOVE, BIT(MEMBER_NAME), 0 },
    { "client_show", ADMIN_CLIENT_SHOW, BIT(MEMBER_NAME), 0 },
    { "client_rotate_secret", ADMIN_CLIENT_ROTATE_SECRET, BIT(MEMBER_NAME), 0 },
    { "client_invite", ADMIN_CLIENT_INVITE, 0, BIT(MEMBER_USES) | BIT(MEMBER_FOR) },
    { "keys_list", ADMIN_KEYS_LIST, 0, 0 },
    { "keys_rotate", ADMIN_KEYS_ROTATE, 0, 0 },
    { "user_add", ADMIN_USER_ADD, BIT(MEMBER_NAME) | BIT(MEMBER_PASSWORD), 0 },
    { "user_list", ADMIN_USER_LIST, 0, BIT(MEMBER_AFTER) },
    { "user_remove", ADMIN_USER_REMOVE, BIT(MEMBER_NAME), 0 },
};

static postern_err read_string(const postern_json *j, uint32_t node, postern_buf *scratch,
                               postern_bytes *ret, postern_error *err)
{
    postern_buf_reset(scratch);
    if (postern_json_string(j, node, scratch, ret))
        return POSTERN_OK;
    if (postern_json_type_of(j, node) == POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, NOMEM, "a member of the request");
    return POSTERN_FAIL(err, MALFORMED,
                        "A member of the request is no string where one is wanted.");
}

static postern_err copy_text(const postern_json *j, uint32_t node, char *room, size_t room_size,
                             postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ADMIN_REQUEST_MAX);
    postern_bytes text;

    POSTERN_TRY(read_string(j, node, &scratch, &text, err));
    if (text.len >= room_size)
        return POSTERN_FAIL(err, MALFORMED, "A member of the request is longer than %zu bytes.",
                            room_size - 1);
    if (text.len != 0)
        memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return POSTERN_OK;
}

/* An array of strings without spaces, as words. */
static postern_err copy_words(const postern_json *j, uint32_t array, char *room, size_t room_size,
                              postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ADMIN_REQUEST_MAX);
    postern_bytes word;

    if (postern_json_type_of(j, array) != POSTERN_JSON_ARRAY)
        return POSTERN_FAIL(err, MALFORMED, "A list of the request is no array of strings.");
    for (uint32_t n = postern_json_first(j, array); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n)) {
        POSTERN_TRY(read_string(j, n, &scratch, &word, err));
        if (word.len == 0 || postern_bytes_find(word, ' ') != word.len)
            return POSTERN_FAIL(err, MALFORMED, "An element of a list is empty or holds a space.");
        if (!words_append(room, room_size, word))
            return POSTERN_FAIL(err, MALFORMED, "A list of the request is longer than %zu bytes.",
                                room_size - 1);
    }
    return POSTERN_OK;
}

/* Its own bytes: what is registered is what was sent. */
static postern_err copy_object(const postern_json *j, uint32_t node, char *room, size_t room_size,
                               postern_error *err)
{
    postern_bytes raw = postern_json_raw(j, node);

    if (postern_json_type_of(j, node) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "A key set is an object (RFC 7517).");
    if (raw.len >= room_size)
        return POSTERN_FAIL(err, MALFORMED, "A key set is longer than %zu bytes.", room_size - 1);
    memcpy(room, raw.ptr, raw.len);
    room[raw.len] = '\0';
    return POSTERN_OK;
}

static postern_err copy_flag(const postern_json *j, uint32_t node, bool *ret, postern_error *err)
{
    postern_json_type type = postern_json_type_of(j, node);

    if (type != POSTERN_JSON_TRUE && type != POSTERN_JSON_FALSE)
        return POSTERN_FAIL(err, MALFORMED, "A member is neither true nor false.");
    *ret = type == POSTERN_JSON_TRUE;
    return POSTERN_OK;
}

static postern_err copy_number(const postern_json *j, uint32_t node, int64_t *ret,
                               postern_error *err)
{
    if (!postern_json_integer(j, node, ret) || *ret <= 0)
        return POSTERN_FAIL(err, MALFORMED, "A member is no whole number above 0.");
    return POSTERN_OK;
}

static postern_err copy_member(const postern_json *j, uint32_t node, enum member m,
                               struct admin_request *rq, postern_error *err)
{
    switch (m) {
    case MEMBER_VERB:
        return POSTERN_OK; /* find_verb() compares it where it stands */
    case MEMBER_NAME:
        return copy_text(j, node, rq->name, sizeof rq->name, err);
    case MEMBER_AFTER:
        return copy_text(j, node, rq->after, sizeof rq->after, err);
    case MEMBER_PASSWORD:
        return copy_text(j, node, rq->password, sizeof rq->password, err);
    case MEMBER_SCOPES:
        return copy_words(j, node, rq->scopes, sizeof rq->scopes, err);
    case MEMBER_RESOURCES:
        return copy_words(j, node, rq->resources, sizeof rq->resources, err);
    case MEMBER_REDIRECTS:
        return copy_words(j, node, rq->redirects, sizeof rq->redirects, err);
    case MEMBER_TITLE:
        return copy_text(j, node, rq->title, sizeof rq->title, err);
    case MEMBER_JWKS:
        return copy_object(j, node, rq->jwks, sizeof rq->jwks, err);
    case MEMBER_PUBLIC:
        return copy_flag(j, node, &rq->is_public, err);
    case MEMBER_MAY_IMPERSONATE:
        return copy_flag(j, node, &rq->may_impersonate, err);
    case MEMBER_MAY_INTROSPECT:
        return copy_flag(j, node, &rq->may_introspect, err);
    case MEMBER_USES:
        return copy_number(j, node, &rq->uses, err);
    case MEMBER_FOR:
        return copy_number(j, node, &rq->for_s, err);
    case MEMBERS:
        break;
    }
    return POSTERN_FAIL(
        err, MALFORMED,
        "The request has a member that this issuer does not know; is postern newer than posternd?");
}

/* *ret_seen gets a bit for each member. */
static postern_err read_members(const postern_json *j, struct admin_request *rq, unsigned *ret_seen,
                                postern_error *err)
{
    *ret_seen = 0;
    for (uint32_t n = postern_json_first(j, 0); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n)) {
        enum member m = MEMBER_VERB;

        while (m < MEMBERS && !postern_json_name_is(j, n, member_names[m]))
            m++;
        POSTERN_TRY(copy_member(j, n, m, rq, err));
        *ret_seen |= BIT(m);
    }
    return POSTERN_OK;
}

static postern_err find_verb(const postern_json *j, unsigned seen, admin_verb *ret,
                             postern_error *err)
{
    uint32_t verb = postern_json_member(j, 0, "verb");

    seen &= ~BIT(MEMBER_VERB);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!postern_json_string_is(j, verb, verbs[i].name))
            continue;
        if ((seen & verbs[i].required) != verbs[i].required ||
            (seen & ~(verbs[i].required | verbs[i].optional)) != 0)
            return POSTERN_FAIL(err, MALFORMED,
                                "%s lacks a member, or has one that it does not take.",
                                verbs[i].name);
        *ret = verbs[i].verb;
        return POSTERN_OK;
    }
    return POSTERN_FAIL(err, MALFORMED, "The verb is none that this issuer knows.");
}

postern_err admin_request_parse(postern_bytes line, struct admin_request *ret, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct admin_request rq = { .verb = ADMIN_VERB_NONE };
    unsigned seen = 0;

    postern_err e;

    POSTERN_TRY(postern_json_scan(&j, line, err));
    if (postern_json_type_of(&j, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "A request is one JSON object.");
    e = read_members(&j, &rq, &seen, err);
    if (e == POSTERN_OK)
        e = find_verb(&j, seen, &rq.verb, err);
    if (e == POSTERN_OK)
        *ret = rq;
    postern_wipe(rq.password, sizeof rq.password);
    return e;
}
