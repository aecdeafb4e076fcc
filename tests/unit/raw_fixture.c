/* SPDX-License-Identifier: BSD-2-Clause */
/* See raw_fixture.h. */
#include "raw_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/raw_judge.h"

void raw_open(struct raw_login *l)
{
    *l = (struct raw_login){ .adapter = adapter_find("raw"),
                             .used = SIZE_MAX,
                             .answer = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX) };
    assert_non_null(l->adapter);
    l->state = calloc(1, l->adapter->state_size);
    assert_non_null(l->state);
}

void raw_close(struct raw_login *l)
{
    l->adapter->wipe(l->state);
    for (size_t i = 0; i < l->adapter->state_size; i++)
        assert_int_equal(((uint8_t *)l->state)[i], 0);
    free(l->state);
    free(l->seen);
    postern_buf_free(&l->answer);
}

adapter_feed raw_give(struct raw_login *l, postern_bytes in)
{
    free(l->seen);
    l->seen = malloc(in.len == 0 ? 1 : in.len);
    assert_non_null(l->seen);
    memcpy(l->seen, in.ptr, in.len);
    l->seen_len = in.len;
    l->verdict = l->adapter->feed(l->state, (postern_bytes){ l->seen, in.len }, &l->used, &l->login,
                                  &l->err);
    return l->verdict;
}

adapter_feed raw_give_slowly(struct raw_login *l, postern_bytes in)
{
    adapter_feed verdict = ADAPTER_MORE;

    for (size_t len = 0; len <= in.len && verdict == ADAPTER_MORE; len++)
        verdict = raw_give(l, (postern_bytes){ in.ptr, len });
    return verdict;
}

const char *raw_denied(struct raw_login *l, postern_err code)
{
    postern_failure f = { .code = code, .ref = "R-7Q2M4XKD90" };
    struct adapter_denied d = { .failure = &f };

    postern_buf_reset(&l->answer);
    l->adapter->deny(l->state, &d, &l->answer);
    return postern_buf_cstr(&l->answer);
}

const char *raw_granted(struct raw_login *l)
{
    struct adapter_granted g = { "cache", 1780000000, 300, RAW("c2VjcmV0"), "R-7Q2M4XKD90" };

    postern_buf_reset(&l->answer);
    l->adapter->grant(l->state, &g, &l->answer);
    return postern_buf_cstr(&l->answer);
}

/* ---- assertions ---- */

/* As the client may see it: RFC 6750 §3 has no quote in a description. */
static bool holds_sentence(const char *answer, const char *detail)
{
    char text[sizeof((postern_error *)0)->detail];

    memcpy(text, detail, sizeof text);
    for (char *quote; (quote = strchr(text, '"')) != NULL;)
        *quote = '\'';
    return strstr(answer, text) != NULL;
}

static void check_refusal(const char *why, struct raw_login *l, postern_err want)
{
    const char *answer;

    if (l->verdict != ADAPTER_REJECT || l->login.code != want || l->err.code != want)
        fail_msg("%s: verdict %d, %s", why, (int)l->verdict,
                 l->verdict == ADAPTER_REJECT ? postern_err_reason(l->login.code) : "accepted");
    if (l->used != SIZE_MAX || l->login.token.len != 0 || l->err.detail[0] == '\0')
        fail_msg("%s: a refusal with a token, a length or no sentence", why);
    answer = raw_denied(l, want);
    if (answer == NULL || !holds_sentence(answer, l->err.detail))
        fail_msg("%s: the client is not told: %s", why, l->err.detail);
    if (strstr(answer, "eyJ") != NULL || strstr(answer, "hunter2") != NULL)
        fail_msg("%s: the answer repeats the login", why);
}

void assert_refused(const char *why, postern_bytes in, postern_err want, size_t refused_at)
{
    struct raw_login whole, slow;

    raw_open(&whole);
    raw_open(&slow);
    (void)raw_give(&whole, in);
    (void)raw_give_slowly(&slow, in);
    check_refusal(why, &whole, want);
    check_refusal(why, &slow, want);
    if (strcmp(whole.err.detail, slow.err.detail) != 0)
        fail_msg("%s: whole %s; slowly %s", why, whole.err.detail, slow.err.detail);
    if (refused_at != 0 && slow.seen_len != refused_at)
        fail_msg("%s: refused after %zu bytes", why, slow.seen_len);
    raw_close(&whole);
    raw_close(&slow);
}

static void check_login(const char *why, struct raw_login *l, const char *token,
                        const char *authzid, const char *host, const char *port)
{
    const char *complaint;

    if (l->verdict != ADAPTER_LOGIN)
        fail_msg("%s: verdict %d, %s", why, (int)l->verdict, l->err.detail);
    complaint =
        raw_judge_login((postern_bytes){ l->seen, l->seen_len }, l->verdict, &l->login, l->used);
    if (complaint != NULL)
        fail_msg("%s: %s", why, complaint);
    if (!postern_bytes_equal_str(l->login.token, token) || strcmp(l->login.authzid, authzid) != 0 ||
        strcmp(l->login.host, host) != 0 || strcmp(l->login.port, port) != 0)
        fail_msg("%s: another login was read", why);
}

void assert_login(const char *why, postern_bytes in, const char *token, const char *authzid,
                  const char *host, const char *port)
{
    struct raw_login whole, slow;

    raw_open(&whole);
    raw_open(&slow);
    (void)raw_give(&whole, in);
    (void)raw_give_slowly(&slow, in);
    check_login(why, &whole, token, authzid, host, port);
    check_login(why, &slow, token, authzid, host, port);
    assert_int_equal(whole.used, in.len);
    assert_int_equal(slow.used, in.len);
    raw_close(&whole);
    raw_close(&slow);
}

/* ---- mutations ---- */

static size_t try_mutation(postern_bytes in)
{
    struct raw_login l;
    const char *complaint = NULL;
    bool is_accepted;

    raw_open(&l);
    (void)raw_give(&l, in);
    is_accepted = l.verdict == ADAPTER_LOGIN || l.verdict == ADAPTER_RENEW;
    if (is_accepted)
        complaint =
            raw_judge_login((postern_bytes){ l.seen, l.seen_len }, l.verdict, &l.login, l.used);
    if (complaint != NULL)
        fail_msg("%s: %.*s", complaint, (int)in.len, (const char *)in.ptr);
    raw_close(&l);
    return is_accepted;
}

size_t assert_mutations_are_honest(postern_bytes login)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(2 * ADAPTER_LOGIN_MAX);
    size_t accepted = 0;

    for (size_t i = 0; i < login.len; i++) {
        postern_bytes before = { login.ptr, i }, from = { login.ptr + i, login.len - i },
                      behind = { login.ptr + i + 1, login.len - i - 1 };

        for (unsigned c = 0; c < 256; c++) {
            postern_buf_reset(&b);
            postern_buf_add(&b, before);
            postern_buf_add_byte(&b, (uint8_t)c);
            postern_buf_add(&b, behind);
            if (c != login.ptr[i])
                accepted += try_mutation(postern_buf_bytes(&b));
            postern_buf_reset(&b);
            postern_buf_add(&b, before);
            postern_buf_add_byte(&b, (uint8_t)c);
            postern_buf_add(&b, from);
            accepted += try_mutation(postern_buf_bytes(&b));
        }
        postern_buf_reset(&b);
        postern_buf_add(&b, before);
        postern_buf_add(&b, behind);
        accepted += try_mutation(postern_buf_bytes(&b));
    }
    return accepted;
}

/* ---- logins ---- */

void raw_put_auth(postern_buf *b, postern_bytes message, const char *end)
{
    postern_buf_reset(b);
    postern_buf_add_str(b, "AUTH OAUTHBEARER ");
    postern_base64_encode(message, b);
    postern_buf_add_str(b, end);
    assert_false(b->failed);
}

void raw_put_basic(postern_buf *b, const char *user_and_password)
{
    postern_buf_reset(b);
    postern_buf_add_str(b, "CONNECT h:1 HTTP/1.0\r\nProxy-Authorization: Basic ");
    postern_base64_encode(postern_bytes_str(user_and_password), b);
    postern_buf_add_str(b, "\r\n\r\n");
    assert_false(b->failed);
}

void raw_fill(postern_buf *b, const char *prefix, char c, size_t count, const char *suffix)
{
    postern_buf_reset(b);
    postern_buf_add_str(b, prefix);
    for (size_t i = 0; i < count; i++)
        postern_buf_add_byte(b, (uint8_t)c);
    postern_buf_add_str(b, suffix);
    assert_false(b->failed);
}

postern_err raw_read_once(void *arg, postern_error *err)
{
    const struct adapter *raw = adapter_find("raw");
    void *room = test_calloc(1, raw->state_size); /* not refused: it is the caller's */
    struct adapter_login login = { 0 };
    size_t used = 0;
    adapter_feed verdict = raw->feed(room, *(const postern_bytes *)arg, &used, &login, err);

    raw->wipe(room);
    test_free(room);
    return verdict == ADAPTER_LOGIN ? POSTERN_OK : login.code;
}
