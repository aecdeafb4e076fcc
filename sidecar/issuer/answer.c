/* SPDX-License-Identifier: BSD-2-Clause */
/* Error answers of the issuer; see answer.h.  RFC 6749 §5.2, RFC 6750 §3, RFC 6585 §4. */
#include "answer.h"

#define DESCRIPTION_MAX 512 /* one sentence */

/* %x20-21 / %x23-5B / %x5D-7E */
static bool is_description_byte(uint8_t c)
{
    return c >= 0x20 && c <= 0x7E && c != '"' && c != '\\';
}

static void put_description(postern_json_writer *w, const char *description)
{
    char clean[DESCRIPTION_MAX];
    size_t len = 0;

    for (const char *p = description; *p != '\0' && len + 1 < sizeof clean; p++)
        clean[len++] = is_description_byte((uint8_t)*p) ? *p : '?';
    clean[len] = '\0';
    postern_json_put_str(w, "error_description", clean);
}

void answer_free(struct answer *a)
{
    if (a->take_job != NULL)
        a->take_job->work.free(&a->take_job->work);
    a->take_job = NULL;
    postern_wipe(a->set_cookie, sizeof a->set_cookie);
    postern_wipe(a->set_known_cookie, sizeof a->set_known_cookie);
    postern_buf_free(&a->location);
    postern_buf_free(&a->body);
}

void answer_error(struct answer *a, int status, const char *error, const char *description,
                  const char *message)
{
    postern_json_writer w = { &a->body, false };

    postern_buf_reset(&a->body);
    a->status = status;
    a->challenge[0] = a->page_policy[0] = '\0';
    a->set_cookie[0] = a->set_known_cookie[0] = '\0'; /* what they would have named is not there */
    postern_buf_reset(&a->location);
    a->content_type = "application/json";
    a->cache_control = "no-store";
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "error", error);
    put_description(&w, description);
    postern_json_put_str(&w, "message", message);
    postern_json_close_object(&w);
}

void answer_too_many(struct answer *a, int wait_s, const char *description)
{
    answer_error(a, 429, "too_many_requests", description,
                 "Wait as many seconds as the Retry-After header says, then try again; keep a "
                 "token until it expires.");
    a->retry_after_s = wait_s;
}

void answer_busy(struct answer *a)
{
    answer_error(a, 503, "temporarily_unavailable", "too many logins at the same time",
                 "Try again in a few seconds.");
    a->retry_after_s = 2;
}

void answer_internal(struct answer *a)
{
    answer_error(
        a, 500, "server_error", "the authorization server could not complete the request",
        "Try again in a moment; if it stays, ask the administrator to read posternd's log.");
}
