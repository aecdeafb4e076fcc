/* SPDX-License-Identifier: BSD-2-Clause */
/* See answer.h.  RFC 6749 §5.1 and RFC 8414 §3.2: both answers are application/json. */
#include "oauth/answer.h"

#define ANSWER_SCRATCH 65536 /* bytes that one unescaped member may need */

postern_err postern_answer_scan(const struct postern_http_response *r, postern_json *j,
                                postern_error *err)
{
    postern_error why = { 0 };
    char room[260];
    postern_err e;

    if (strcmp(r->content_type, "application/json") != 0)
        return POSTERN_FAIL(
            err, ISSUER_ANSWER, "answer with status %d is %s, not application/json", r->status,
            r->content_type[0] == '\0'
                ? "of no type"
                : postern_error_quote(r->content_type, strlen(r->content_type), room, sizeof room));
    e = postern_json_scan(j, postern_buf_bytes(&r->body), &why);
    if (e == POSTERN_ERR_NOMEM)
        return POSTERN_FAIL(err, NOMEM, "%s", why.detail);
    if (e != POSTERN_OK)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "answer is not strict JSON: %s", why.detail);
    if (postern_json_type_of(j, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "answer is not a JSON object");
    return POSTERN_OK;
}

postern_err postern_answer_text(const postern_json *j, const char *name, char *room,
                                size_t room_size, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ANSWER_SCRATCH);
    uint32_t node = postern_json_member(j, 0, name);
    postern_bytes text;

    room[0] = '\0';
    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    if (postern_json_type_of(j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "answer's \"%s\" is not a string", name);
    if (!postern_json_string(j, node, &scratch, &text))
        return POSTERN_FAIL(err, NOMEM, "answer's \"%s\"", name);
    if (text.len >= room_size || !postern_bytes_is_printable(text))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "answer's \"%s\" is too long or not printable",
                            name);
    if (text.len != 0)
        memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return POSTERN_OK;
}

bool postern_answer_lists(const postern_json *j, const char *name, const char *word)
{
    uint32_t list = postern_json_member(j, 0, name);

    if (postern_json_type_of(j, list) != POSTERN_JSON_ARRAY)
        return false;
    for (uint32_t n = postern_json_first(j, list); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n))
        if (postern_json_string_is(j, n, word))
            return true;
    return false;
}

postern_err postern_answer_refuse_status(const struct postern_http_response *r, const char *what,
                                         postern_error *err)
{
    if (r->status == 429 && r->retry_after_s >= 0)
        return POSTERN_FAIL(err, ISSUER_UNREACHABLE, "%s: too many requests, try again in %d s",
                            what, r->retry_after_s);
    if (r->status == 429 || (r->status >= 500 && r->status < 600))
        return POSTERN_FAIL(err, ISSUER_UNREACHABLE, "%s: status %d, try again later", what,
                            r->status);
    return POSTERN_FAIL(err, ISSUER_ANSWER, "%s: unexpected status %d", what, r->status);
}
