/* SPDX-License-Identifier: BSD-2-Clause */
/* "OK {…}" or "ERR {…}", strictly; what a refusal says is shown, escaped and cut. */
#include "config.h"

#include <string.h>

#include <postern-private/json.h>

#include "backend_answer.h"

#define WORD_MAX 64 /* bytes of a reason or a ref that are shown */

/* Text of a member, escaped for a record; "-" when there is none. */
static const char *show(const postern_json *j, const char *name, postern_buf *scratch, char *room,
                        size_t room_size)
{
    postern_bytes text;

    if (!postern_json_string(j, postern_json_member(j, 0, name), scratch, &text) || text.len == 0)
        return "-";
    return postern_error_quote(text.ptr, text.len < WORD_MAX ? text.len : WORD_MAX, room, room_size);
}

static postern_err refuse(const postern_json *j, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(BACKEND_ANSWER_MAX);
    char reason[4 * WORD_MAX + 1], ref[4 * WORD_MAX + 1];
    const char *why = show(j, "reason", &scratch, reason, sizeof reason);

    return POSTERN_FAIL(err, BACKEND, "it refuses the door's own token: %s, ref %s", why,
                        show(j, "ref", &scratch, ref, sizeof ref));
}

static bool is_base64url(postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                   text.ptr[i]) == NULL ||
            text.ptr[i] == '\0')
            return false;
    return text.len != 0;
}

static postern_err read_session(const postern_json *j, struct backend_answer *ret,
                                postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(BACKEND_ANSWER_MAX);
    postern_bytes text;

    if (!postern_json_string(j, postern_json_member(j, 0, "session"), &scratch, &text) ||
        text.len >= sizeof ret->session || !is_base64url(text))
        return POSTERN_FAIL(err, BACKEND, "its grant names no session, or a malformed one");
    memcpy(ret->session, text.ptr, text.len);
    ret->session[text.len] = '\0';
    return POSTERN_OK;
}

static postern_err read_grant(const postern_json *j, bool is_renewal, struct backend_answer *ret,
                              postern_error *err)
{
    *ret = (struct backend_answer){ .lease_s = -1 };
    if (!postern_json_integer(j, postern_json_member(j, 0, "lease"), &ret->lease_s) ||
        ret->lease_s < 0)
        return POSTERN_FAIL(err, BACKEND, "its grant says no lease");
    return is_renewal ? POSTERN_OK : read_session(j, ret, err);
}

postern_err backend_answer_read(postern_bytes line, bool is_renewal, struct backend_answer *ret,
                                postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    postern_reader r = { line };
    bool is_grant = postern_reader_take_lit(&r, "OK ");
    postern_err e;

    if (!is_grant && !postern_reader_take_lit(&r, "ERR "))
        return POSTERN_FAIL(err, BACKEND, "it answers as no raw door does");
    e = postern_json_scan(&j, r.rest, err);
    if (e == POSTERN_ERR_NOMEM)
        return e;
    if (e != POSTERN_OK || postern_json_type_of(&j, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, BACKEND, "its answer is no JSON object");
    return is_grant ? read_grant(&j, is_renewal, ret, err) : refuse(&j, err);
}
