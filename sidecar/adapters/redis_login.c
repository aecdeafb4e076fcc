/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Redis login: AUTH or HELLO of an unchanged client, whose password is a token, and the same
 * at the backend, where it is the door's own.  Commands before it are answered as a server with a
 * password answers them.  redis.io/commands/auth, /hello
 */
#include "redis.h"

#include <stdlib.h>

#include "answer.h"
#include "credential.h"
#include "redis_state.h"

#define LOGIN_WORDS_MAX 8 /* HELLO 3 AUTH user password SETNAME name, and one too many */
#define NOAUTH_LINE "-NOAUTH Authentication required.\r\n"

/* ---- words ---- */

static void put_word(postern_bytes word, postern_buf *out)
{
    postern_buf_addf(out, "$%zu\r\n", word.len);
    postern_buf_add(out, word);
    postern_buf_add_str(out, "\r\n");
}

static void put_text(const char *word, postern_buf *out)
{
    put_word(postern_bytes_str(word), out);
}

void redis_put_hello(const struct redis_login *l, postern_buf *out)
{
    postern_buf_addf(out, "*%d\r\n", 2 + (l->has_auth ? 3 : 0) + (l->has_name ? 2 : 0));
    put_text("HELLO", out);
    put_text(l->protocol == 3 ? "3" : "2", out);
    if (l->has_auth) {
        put_text("AUTH", out);
        put_word(l->user, out);
        put_word(l->password, out);
    }
    if (l->has_name) {
        put_text("SETNAME", out);
        put_word(l->name, out);
    }
}

void redis_put_refusal(const char *word, const struct adapter_denied *d, postern_buf *out)
{
    postern_buf_addf(out, "-%s ", word);
    answer_put_refusal(d, NULL, out);
    postern_buf_add_str(out, "\r\n");
}

/* Undecided: what clients take for a server that is starting, and come back after a while. */
const char *redis_login_word(postern_err code)
{
    if (code == POSTERN_ERR_NO_TOKEN)
        return "NOAUTH";
    return postern_err_outcome(code) == POSTERN_REJECTED ? "WRONGPASS" : "LOADING";
}

static redis_login_form read_hello(struct redis_words w, struct redis_login *ret)
{
    if (w.count > 1 && !postern_bytes_equal_str(w.at[1], "2") &&
        !postern_bytes_equal_str(w.at[1], "3"))
        return REDIS_LOGIN_BAD;
    ret->protocol = w.count > 1 && w.at[1].ptr[0] == '3' ? 3 : 2;
    for (size_t i = 2; i < w.count; i++) {
        if (redis_word_is(w.at[i], "AUTH") && w.count - i > 2 && !ret->has_auth) {
            ret->has_auth = true;
            ret->user = w.at[i + 1];
            ret->password = w.at[i + 2];
            i += 2;
        } else if (redis_word_is(w.at[i], "SETNAME") && w.count - i > 1 && !ret->has_name) {
            ret->has_name = true;
            ret->name = w.at[++i];
        } else {
            return REDIS_LOGIN_BAD;
        }
    }
    return ret->name.len <= REDIS_CLIENT_NAME_MAX ? REDIS_LOGIN_GOOD : REDIS_LOGIN_BAD;
}

redis_login_form redis_login_read(struct redis_words w, struct redis_login *ret)
{
    memset(ret, 0, sizeof *ret);
    if (w.count == 0)
        return REDIS_LOGIN_NONE;
    if (redis_word_is(w.at[0], "HELLO"))
        return read_hello(w, ret);
    if (!redis_word_is(w.at[0], "AUTH"))
        return REDIS_LOGIN_NONE;
    if (w.count != 2 && w.count != 3)
        return REDIS_LOGIN_BAD;
    ret->has_auth = true;
    ret->password = w.at[w.count - 1];
    if (w.count == 3)
        ret->user = w.at[1];
    return REDIS_LOGIN_GOOD;
}

/* Libraries say "default" where they were given no name. */
postern_err redis_login_take(const struct redis_login *l, char **authzid,
                             struct adapter_login *ret, postern_error *err)
{
    postern_bytes user = postern_bytes_equal_str(l->user, "default") ? POSTERN_BYTES_NONE : l->user;

    POSTERN_TRY(credential_check_password(l->password, err));
    if (*authzid == NULL && (*authzid = calloc(1, POSTERN_AUTHZID_MAX)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "user name of %d bytes", POSTERN_AUTHZID_MAX);
    POSTERN_TRY(credential_take_user(user, *authzid, err));
    ret->token = l->password;
    ret->carrier = POSTERN_CARRIER_PASSWORD;
    ret->authzid = *authzid;
    return POSTERN_OK;
}

/* ---- the client's login ---- */

static postern_err take_login(struct redis_state *s, const struct redis_login *l,
                              struct adapter_login *ret, postern_error *err)
{
    POSTERN_TRY(redis_login_take(l, &s->authzid, ret, err));
    s->protocol = l->protocol;
    s->client_name = POSTERN_BUF_INIT(REDIS_CLIENT_NAME_MAX);
    postern_buf_add(&s->client_name, l->name);
    if (s->client_name.failed)
        return POSTERN_FAIL(err, NOMEM, "name of %zu bytes", l->name.len);
    s->is_read = true;
    return POSTERN_OK;
}

/* One request.  OK: it was the login · AGAIN: it was something else, and is answered. */
static postern_err read_request(struct redis_state *s, postern_bytes in, struct adapter_login *ret,
                                postern_error *err)
{
    postern_bytes words[LOGIN_WORDS_MAX];
    struct redis_words w = { words, s->scan.count };
    struct redis_login l;

    if (w.count > LOGIN_WORDS_MAX)
        w.count = LOGIN_WORDS_MAX;
    redis_scan_words(in, w.count, words);
    if (redis_word_is(words[0], "QUIT")) {
        s->has_quit = true;
        return POSTERN_FAIL(err, NO_TOKEN, "the client took its leave before a login");
    }
    switch (redis_login_read(w, &l)) {
    case REDIS_LOGIN_BAD:
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "AUTH or HELLO with words that mean nothing");
    case REDIS_LOGIN_GOOD:
        if (l.has_auth)
            return take_login(s, &l, ret, err);
        break;
    case REDIS_LOGIN_NONE:
        break;
    }
    if (s->early == REDIS_EARLY_MAX)
        return POSTERN_FAIL(err, NO_TOKEN, "%d commands and no login", REDIS_EARLY_MAX);
    s->early++;
    return POSTERN_AGAIN;
}

static postern_err read_login(struct redis_state *s, postern_bytes in, struct adapter_login *ret,
                              postern_error *err)
{
    if (s->is_read || s->refusal != POSTERN_ERR_UNSET)
        return POSTERN_FAIL(err, USAGE, "the login was read already");
    while (s->early_at < in.len) {
        postern_bytes rest = { in.ptr + s->early_at, in.len - s->early_at };
        size_t room = ADAPTER_LOGIN_MAX - s->early_at;
        postern_err e;

        switch (redis_scan_step(&s->scan, rest, room)) {
        case REDIS_SCAN_BROKEN:
            return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                                "what is sent is not an array of bulk strings");
        case REDIS_SCAN_LARGE:
            return POSTERN_FAIL(err, LIMIT, "the login is longer than %d bytes",
                                ADAPTER_LOGIN_MAX);
        case REDIS_SCAN_MORE:
            return in.len < ADAPTER_LOGIN_MAX
                       ? POSTERN_AGAIN
                       : POSTERN_FAIL(err, LIMIT, "the login is longer than %d bytes",
                                      ADAPTER_LOGIN_MAX);
        case REDIS_SCAN_DONE:
            break;
        }
        e = read_request(s, rest, ret, err);
        s->early_at += s->scan.at;
        memset(&s->scan, 0, sizeof s->scan);
        if (e != POSTERN_AGAIN)
            return e;
    }
    return in.len < ADAPTER_LOGIN_MAX
               ? POSTERN_AGAIN
               : POSTERN_FAIL(err, NO_TOKEN, "%d bytes and no login", ADAPTER_LOGIN_MAX);
}

static adapter_feed redis_feed(void *state, postern_bytes in, size_t *ret_used,
                               struct adapter_login *ret, postern_error *err)
{
    struct redis_state *s = state;
    struct adapter_login login = { .authzid = "", .carrier = POSTERN_CARRIER_PASSWORD };
    postern_error why = { 0 };
    postern_err e = read_login(s, in, &login, &why);

    if (e == POSTERN_AGAIN)
        return ADAPTER_MORE;
    if (e == POSTERN_OK) {
        *ret = login;
        *ret_used = s->early_at;
        return ADAPTER_LOGIN;
    }
    if (s->refusal == POSTERN_ERR_UNSET && !s->is_read)
        s->refusal = e;
    *ret = (struct adapter_login){ .code = e, .authzid = "" };
    if (err != NULL)
        *err = why;
    return ADAPTER_REJECT;
}

/* What other commands are told while there is no login. */
static void redis_chat(void *state, postern_buf *out)
{
    struct redis_state *s = state;

    for (; s->early_said < s->early; s->early_said++)
        postern_buf_add_str(out, NOAUTH_LINE);
}

static void redis_grant(void *state, const struct adapter_granted *g, postern_buf *out)
{
    struct redis_state *s = state;

    (void)g; /* AUTH and HELLO have no room for more */
    redis_chat(state, out);
    if (s->protocol == 0)
        postern_buf_add_str(out, "+OK\r\n");
    else
        postern_buf_add(out, postern_buf_bytes(&s->greeting));
    if (s->greeting.failed)
        out->failed = true;
    postern_buf_free(&s->greeting);
}

static void redis_deny(void *state, const struct adapter_denied *d, postern_buf *out)
{
    struct redis_state *s = state;
    postern_err code = d->failure->code;

    redis_chat(state, out);
    if (s->has_quit)
        postern_buf_add_str(out, "+OK\r\n");
    else if (!s->is_read && code == POSTERN_ERR_MESSAGE_MALFORMED)
        postern_buf_add_str(out, "-ERR Protocol error: AUTH or HELLO was expected\r\n");
    else
        redis_put_refusal(redis_login_word(code), d, out);
}

/* ---- the door's own login ---- */

postern_err redis_greet(void *state, const struct adapter_backend_login *as,
                        postern_buf *to_backend, postern_error *err)
{
    struct redis_state *s = state;
    postern_bytes user = as == NULL ? POSTERN_BYTES_NONE : postern_bytes_str(as->user);
    postern_bytes password = as == NULL ? POSTERN_BYTES_NONE : as->password;
    struct redis_login l = { .protocol = s->protocol, .has_auth = password.len != 0,
                             .has_name = s->client_name.len != 0, .user = user,
                             .password = password, .name = postern_buf_bytes(&s->client_name) };

    if (password.len == 0 && user.len != 0)
        return POSTERN_FAIL(err, USAGE, "a user of Redis without a password");
    s->greeting = POSTERN_BUF_INIT(REDIS_GREETING_MAX);
    if (s->protocol != 0) {
        if (user.len == 0)
            l.user = postern_bytes_str("default");
        redis_put_hello(&l, to_backend);
    } else if (l.has_auth) {
        postern_buf_addf(to_backend, "*%d\r\n", user.len == 0 ? 2 : 3);
        put_text("AUTH", to_backend);
        if (user.len != 0)
            put_word(user, to_backend);
        put_word(password, to_backend);
    } else {
        postern_buf_add_str(to_backend, "*1\r\n$4\r\nPING\r\n"); /* is it one, without a password? */
    }
    return to_backend->failed ? POSTERN_FAIL(err, NOMEM, "greeting of the backend") : POSTERN_OK;
}

/* The answer is complete: is it what was asked for? */
static adapter_step judge_greeting(struct redis_state *s, postern_error *err)
{
    postern_bytes is = postern_buf_bytes(&s->greeting);
    bool is_good = s->protocol == 0
                       ? postern_bytes_equal_str(is, "+OK\r\n") ||
                             postern_bytes_equal_str(is, "+PONG\r\n")
                       : s->reply.type == (s->protocol == 3 ? '%' : '*') && !s->reply.is_null;

    if (!is_good) {
        (void)POSTERN_FAIL(err, BACKEND, "%s",
                           s->reply.is_error ? "the backend refuses the door's login, or HELLO"
                                             : "the backend's first answer is not Redis's");
        return ADAPTER_STEP_BROKEN;
    }
    s->is_resp3 = s->protocol == 3;
    s->is_greeted = true;
    memset(&s->reply, 0, sizeof s->reply);
    return ADAPTER_STEP_PASS;
}

adapter_step redis_greeted(void *state, postern_bytes in, size_t *ret_used,
                           postern_buf *to_backend, postern_error *err)
{
    struct redis_state *s = state;
    redis_reply_end end;

    (void)to_backend; /* everything was said */
    *ret_used = 0;
    if (s->is_greeted) {
        (void)POSTERN_FAIL(err, USAGE, "the backend was greeted already");
        return ADAPTER_STEP_BROKEN;
    }
    end = redis_reply_step(&s->reply, in, ret_used);
    if (end == REDIS_REPLY_BROKEN || s->greeting.len + *ret_used > REDIS_GREETING_MAX) {
        (void)POSTERN_FAIL(err, BACKEND, "the backend's first answer is not Redis's");
        return ADAPTER_STEP_BROKEN;
    }
    postern_buf_add(&s->greeting, (postern_bytes){ in.ptr, *ret_used });
    if (s->greeting.failed) {
        (void)POSTERN_FAIL(err, NOMEM, "greeting of the backend");
        return ADAPTER_STEP_BROKEN;
    }
    return end == REDIS_REPLY_DONE ? judge_greeting(s, err) : ADAPTER_STEP_MORE;
}

static void redis_wipe(void *state)
{
    struct redis_state *s = state;

    if (s->authzid != NULL)
        postern_wipe(s->authzid, POSTERN_AUTHZID_MAX);
    free(s->authzid);
    postern_buf_free(&s->client_name);
    postern_buf_free(&s->greeting);
    redis_queue_free(s);
    postern_wipe(s, sizeof *s);
}

const struct adapter redis_adapter = {
    .name = "redis",
    .state_size = sizeof(struct redis_state),
    .feed = redis_feed,
    .chat = redis_chat,
    .grant = redis_grant,
    .deny = redis_deny,
    .wipe = redis_wipe,
    .inspector = &redis_inspector,
};
