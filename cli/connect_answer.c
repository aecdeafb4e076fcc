/* SPDX-License-Identifier: BSD-2-Clause */
/* See connect_answer.h. */
#include <postern/oauthbearer.h>

#include "connect_answer.h"

/* ---- the line ---- */

/* Whether more bytes could make `in` begin with `want`, or it does already. */
static bool may_begin(postern_bytes in, const char *want)
{
    size_t len = strlen(want);

    return memcmp(in.ptr, want, in.len < len ? in.len : len) == 0;
}

/* Another protocol's greeting is told at its first bytes, not after a time-out. */
static bool may_become_answer(postern_bytes in)
{
    return in.len == 0 || may_begin(in, "OK {") || may_begin(in, "ERR {");
}

postern_err connect_answer_find(postern_bytes in, postern_bytes *ret_line, size_t *ret_used,
                                postern_error *err)
{
    size_t len = postern_bytes_find(in, '\n');

    if (!may_become_answer(in))
        return POSTERN_FAIL(err, DOOR_ANSWER, "what answers there is no raw door of Postern");
    if (len >= ANSWER_LINE_MAX)
        return POSTERN_FAIL(err, DOOR_ANSWER, "the answer is longer than %d bytes",
                            ANSWER_LINE_MAX);
    if (len == in.len)
        return POSTERN_AGAIN;
    if (len == 0 || in.ptr[len - 1] != '\r')
        return POSTERN_FAIL(err, DOOR_ANSWER, "the answer does not end with CR LF");
    *ret_line = (postern_bytes){ in.ptr, len - 1 };
    *ret_used = len + 1;
    return POSTERN_OK;
}

/* ---- its members ---- */

struct text_member {
    const char *name;
    char *room;
    size_t room_size;
};

/* Absent leaves ""; longer than its room is cut: it is for people. */
static postern_err read_text(const postern_json *j, const struct text_member *m, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ANSWER_LINE_MAX);
    uint32_t node = postern_json_member(j, 0, m->name);
    postern_bytes text;

    if (node == POSTERN_JSON_ABSENT || postern_json_type_of(j, node) == POSTERN_JSON_NULL)
        return POSTERN_OK;
    if (postern_json_type_of(j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, DOOR_ANSWER, "%s in the answer is not a string", m->name);
    if (!postern_json_string(j, node, &scratch, &text))
        return POSTERN_FAIL(err, NOMEM, "%s in the answer", m->name);
    if (text.len >= m->room_size)
        text.len = m->room_size - 1;
    if (text.len != 0)
        memcpy(m->room, text.ptr, text.len);
    m->room[text.len] = '\0';
    return POSTERN_OK;
}

static const struct {
    const char *word;
    answer_retry retry;
} retry_words[] = {
    { "new_token", ANSWER_RETRY_NEW_TOKEN }, { "more_scope", ANSWER_RETRY_MORE_SCOPE },
    { "later", ANSWER_RETRY_LATER },         { "approval", ANSWER_RETRY_APPROVAL },
    { "login", ANSWER_RETRY_LOGIN },         { "never", ANSWER_RETRY_NEVER },
};

static answer_retry read_retry(const postern_json *j)
{
    uint32_t node = postern_json_member(j, 0, "retry");

    for (size_t i = 0; i < sizeof retry_words / sizeof *retry_words; i++)
        if (postern_json_string_is(j, node, retry_words[i].word))
            return retry_words[i].retry;
    return ANSWER_RETRY_UNSAID;
}

static postern_err read_refusal(const postern_json *j, struct connect_answer *a, postern_error *err)
{
    const struct text_member members[] = {
        { "error", a->error, sizeof a->error },       { "reason", a->reason, sizeof a->reason },
        { "scope", a->scope, sizeof a->scope },       { "because", a->because, sizeof a->because },
        { "contact", a->contact, sizeof a->contact }, { "ref", a->ref, sizeof a->ref },
    };

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        POSTERN_TRY(read_text(j, &members[i], err));
    a->retry = read_retry(j);
    if (!postern_json_integer(j, postern_json_member(j, 0, "retry_after"), &a->retry_after_s) ||
        a->retry_after_s < 0 || a->retry_after_s > ANSWER_LEASE_MAX_S)
        a->retry_after_s = 0;
    return POSTERN_OK;
}

/* One word of characters that a RENEW line can carry: a door cannot have us say another line. */
static postern_err read_session(const postern_json *j, struct connect_answer *a, postern_error *err)
{
    char room[ANSWER_SESSION_MAX + 2] = "";
    const struct text_member member = { "session", room, sizeof room };
    postern_err e = read_text(j, &member, err);
    size_t len = strlen(room);

    if (e == POSTERN_OK && (len == 0 || len > ANSWER_SESSION_MAX ||
                            !postern_token_is_token68(postern_bytes_str(room))))
        e = POSTERN_FAIL(err, DOOR_ANSWER, "the answer names no session that can be renewed");
    if (e == POSTERN_OK)
        memcpy(a->session, room, len + 1);
    postern_wipe(room, sizeof room);
    return e;
}

static postern_err read_grant(const postern_json *j, bool is_renewal, struct connect_answer *a,
                              postern_error *err)
{
    const struct text_member ref = { "ref", a->ref, sizeof a->ref };

    if (!postern_json_integer(j, postern_json_member(j, 0, "lease"), &a->lease_s) ||
        a->lease_s < 0 || a->lease_s > ANSWER_LEASE_MAX_S)
        return POSTERN_FAIL(err, DOOR_ANSWER, "the answer's lease is no number of seconds");
    POSTERN_TRY(read_text(j, &ref, err));
    a->is_granted = true;
    return is_renewal ? POSTERN_OK : read_session(j, a, err);
}

postern_err connect_answer_parse(postern_bytes line, bool is_renewal, struct connect_answer *ret,
                                 postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    postern_reader r = { line };
    bool is_ok = postern_reader_take_lit(&r, "OK ");
    postern_err e;

    *ret = (struct connect_answer){ .is_granted = false };
    if (!is_ok && !postern_reader_take_lit(&r, "ERR "))
        return POSTERN_FAIL(err, DOOR_ANSWER, "what answers there is no raw door of Postern");
    e = postern_json_scan(&j, r.rest, err);
    if (e == POSTERN_ERR_NOMEM)
        return e;
    if (e != POSTERN_OK || postern_json_type_of(&j, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, DOOR_ANSWER, "the answer is not one JSON object");
    ret->json = r.rest;
    e = is_ok ? read_grant(&j, is_renewal, ret, err) : read_refusal(&j, ret, err);
    if (e != POSTERN_OK)
        connect_answer_wipe(ret); /* nothing of a broken answer counts */
    return e;
}

void connect_answer_wipe(struct connect_answer *a)
{
    postern_wipe(a, sizeof *a);
}
