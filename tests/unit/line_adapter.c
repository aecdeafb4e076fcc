/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include "line_adapter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES ADAPTER_MESSAGE_MAX
#define KEYS_MAX 64

enum state { WAITS, REFUSED, SENT };

struct entry {
    struct entry *next;
    uint64_t id;
    enum state state;
    bool is_out; /* held: it left the queue */
    char *line;  /* with its end; of REFUSED the answer */
    size_t len;
};

struct line_state {
    struct entry *first, *outside;
    size_t count;
    uint64_t last_id;
    size_t passing[2]; /* bytes of each side that are passed still */
    long many_left, many_of;
    char many_word[32], many_key[24];
    bool is_greeted;
    char user[64], password[64];
    const struct adapter_host *host;
    postern_bytes keys[KEYS_MAX];
    char word[64];
};

/* ---- lines ---- */

static bool take_line(postern_bytes in, postern_bytes *ret)
{
    const uint8_t *end = in.len == 0 ? NULL : memchr(in.ptr, '\n', in.len);

    if (end == NULL)
        return false;
    *ret = (postern_bytes){ in.ptr, (size_t)(end - in.ptr) + 1 };
    return true;
}

/* The next word of a line; empty at its end. */
static postern_bytes next_word(postern_bytes *line)
{
    postern_bytes word;

    while (line->len != 0 && *line->ptr == ' ') {
        line->ptr++;
        line->len--;
    }
    word = (postern_bytes){ line->ptr, 0 };
    while (line->len != 0 && *line->ptr != ' ' && *line->ptr != '\n') {
        line->ptr++;
        line->len--;
        word.len++;
    }
    return word;
}

static void copy_word(postern_bytes word, char *ret, size_t room)
{
    size_t len = word.len < room ? word.len : room - 1;

    if (len != 0)
        memcpy(ret, word.ptr, len);
    ret[len] = '\0';
}

static size_t number_of(postern_bytes word)
{
    char text[24];

    copy_word(word, text, sizeof text);
    return (size_t)strtoul(text, NULL, 10);
}

/* ---- the queue ---- */

static struct entry *add(struct line_state *s, postern_bytes line)
{
    struct entry *e = calloc(1, sizeof *e), **at = &s->first;

    if (e == NULL || (e->line = malloc(line.len + 1)) == NULL) {
        free(e);
        return NULL;
    }
    memcpy(e->line, line.ptr, line.len);
    e->len = line.len;
    e->id = ++s->last_id;
    while (*at != NULL)
        at = &(*at)->next;
    *at = e;
    s->count++;
    return e;
}

static void free_entry(struct entry *e)
{
    free(e->line);
    free(e);
}

static void pop(struct line_state *s)
{
    struct entry *e = s->first;

    s->first = e->next;
    s->count--;
    free_entry(e);
}

/* Refusals whose turn it is. */
static void answer_first(struct line_state *s, struct adapter_flow *out)
{
    while (s->first != NULL && s->first->state == REFUSED) {
        postern_buf_add(out->to_client, (postern_bytes){ (uint8_t *)s->first->line, s->first->len });
        pop(s);
    }
}

static struct entry *find(struct entry **at, uint64_t id)
{
    struct entry *e = *at;

    while (e != NULL && e->id != id)
        e = e->next;
    return e;
}

static void unlink_entry(struct entry **at, struct entry *e)
{
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    e->next = NULL;
}

/* In the order of the lines: nothing overtakes what waits for its verdict. */
static void send_ready(struct line_state *s, struct adapter_flow *out)
{
    for (struct entry *e = s->first; e != NULL && e->state != WAITS; e = e->next)
        if (e->state == SENT && e->len != 0) {
            postern_buf_add(out->to_backend, (postern_bytes){ (uint8_t *)e->line, e->len });
            e->len = 0;
        }
}

/* ---- words of ours ---- */

static void put_denied(const struct adapter_denied *d, postern_buf *out)
{
    postern_buf_addf(out, "-%s %s %" PRId64 " %s\n", postern_err_reason(d->failure->code),
                     d->failure->ref[0] == '\0' ? "none" : d->failure->ref, d->retry_after_s,
                     d->because == NULL ? "" : d->because);
}

static bool refuse(struct entry *e, const struct adapter_denied *d)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(4096);

    put_denied(d, &text);
    free(e->line);
    e->line = text.failed ? NULL : malloc(text.len);
    e->len = e->line == NULL ? 0 : text.len;
    if (e->len != 0)
        memcpy(e->line, text.ptr, e->len);
    e->state = REFUSED;
    return e->len != 0;
}

/* ---- the login ---- */

static adapter_feed line_feed(void *state, postern_bytes in, size_t *ret_used,
                              struct adapter_login *ret, postern_error *err)
{
    postern_bytes line, word;

    (void)state;
    *ret = (struct adapter_login){ .code = POSTERN_ERR_MESSAGE_MALFORMED, .authzid = "" };
    if (!take_line(in, &line))
        return ADAPTER_MORE;
    *ret_used = line.len;
    word = next_word(&line);
    ret->token = next_word(&line);
    if (postern_bytes_equal_str(word, "TOKEN") && ret->token.len != 0)
        return ADAPTER_LOGIN;
    ret->code = POSTERN_FAIL(err, MESSAGE_MALFORMED, "no TOKEN");
    return ADAPTER_REJECT;
}

static void line_grant(void *state, const struct adapter_granted *g, postern_buf *out)
{
    const struct line_state *s = state;

    postern_buf_addf(out, "OK %s\n", s->is_greeted ? g->service : "not greeted");
}

static void line_deny(void *state, const struct adapter_denied *d, postern_buf *out)
{
    (void)state;
    put_denied(d, out);
}

static void line_wipe(void *state)
{
    struct line_state *s = state;

    while (s->first != NULL)
        pop(s);
    while (s->outside != NULL) {
        struct entry *e = s->outside;

        s->outside = e->next;
        free_entry(e);
    }
}

/* ---- the greeting ---- */

static postern_err line_greet(void *state, const struct adapter_backend_login *as,
                              postern_buf *to_backend, postern_error *err)
{
    struct line_state *s = state;

    (void)to_backend;
    if (as->password.len >= sizeof s->password)
        return POSTERN_FAIL(err, USAGE, "a long password");
    snprintf(s->user, sizeof s->user, "%s", as->user == NULL ? "nobody" : as->user);
    copy_word(as->password, s->password, sizeof s->password);
    return POSTERN_OK;
}

static adapter_step line_greeted(void *state, postern_bytes in, size_t *ret_used,
                                 postern_buf *to_backend, postern_error *err)
{
    struct line_state *s = state;
    postern_bytes line;

    if (!take_line(in, &line))
        return ADAPTER_STEP_MORE;
    *ret_used = line.len;
    if (postern_bytes_equal_str(line, "HELLO\n")) {
        postern_buf_addf(to_backend, "USER %s %s\n", s->user, s->password);
        return ADAPTER_STEP_AGAIN;
    }
    if (postern_bytes_equal_str(line, "OK\n")) {
        s->is_greeted = true;
        return ADAPTER_STEP_PASS;
    }
    (void)POSTERN_FAIL(err, BACKEND, "it does not want us"); /* the step says it */
    return ADAPTER_STEP_BROKEN;
}

/* ---- the session ---- */

static void line_begin(void *state, const struct adapter_host *host)
{
    ((struct line_state *)state)->host = host;
}

/* Bytes that somebody announced; what is judged already. */
static adapter_step pass(struct line_state *s, enum adapter_side from, postern_bytes in,
                         size_t *ret_used)
{
    *ret_used = in.len < s->passing[from] ? in.len : s->passing[from];
    s->passing[from] -= *ret_used;
    return *ret_used == 0 ? ADAPTER_STEP_MORE : ADAPTER_STEP_PASS;
}

static void fill_action(struct line_state *s, postern_bytes words, struct adapter_action *ret)
{
    postern_bytes key;

    ret->name = s->word;
    while ((key = next_word(&words)).len != 0 && ret->resource_count < KEYS_MAX)
        s->keys[ret->resource_count++] = key;
    ret->resources = s->keys;
    ret->digested = s->keys;
    ret->digested_count = ret->resource_count;
    ret->args = (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_LIST,
                                       .list = s->keys,
                                       .count = ret->resource_count };
}

/* WORD [key …], or what may stand before it. */
static void read_action(struct line_state *s, postern_bytes word, postern_bytes rest,
                        struct adapter_action *ret)
{
    ret->can_wait = postern_bytes_equal_str(word, "WAIT");
    ret->has_unnamed = postern_bytes_equal_str(word, "ANY");
    ret->is_partial = postern_bytes_equal_str(word, "PART");
    if (ret->can_wait || ret->has_unnamed || ret->is_partial)
        word = next_word(&rest);
    copy_word(word, s->word, sizeof s->word);
    fill_action(s, rest, ret);
}

static adapter_step judge(struct line_state *s, postern_bytes line, postern_bytes word,
                          postern_bytes rest, struct adapter_action *ret)
{
    struct entry *e = add(s, line);

    if (e == NULL)
        return ADAPTER_STEP_BROKEN;
    read_action(s, word, rest, ret);
    ret->id = e->id;
    return ADAPTER_STEP_JUDGE;
}

static bool line_again(void *state, uint64_t id, struct adapter_action *ret)
{
    struct line_state *s = state;
    const struct entry *e = find(&s->outside, id);
    postern_bytes rest, word;

    if (e == NULL)
        return false;
    rest = (postern_bytes){ (uint8_t *)e->line, e->len };
    word = next_word(&rest);
    *ret = (struct adapter_action){ .id = id };
    read_action(s, word, rest, ret);
    return true;
}

/* One of many; the line is used up with the last of them. */
static adapter_step judge_next(struct line_state *s, struct adapter_action *ret)
{
    long n = s->many_of - s->many_left + 1;
    char text[96];
    int len = snprintf(text, sizeof text, "%s %ld\n", s->many_word, n);
    struct entry *e = add(s, (postern_bytes){ (uint8_t *)text, (size_t)len });

    s->many_left--;
    if (e == NULL)
        return ADAPTER_STEP_BROKEN;
    ret->id = e->id;
    snprintf(s->word, sizeof s->word, "%s", s->many_word);
    snprintf(s->many_key, sizeof s->many_key, "%ld", n);
    fill_action(s, postern_bytes_str(s->many_key), ret);
    return ADAPTER_STEP_JUDGE;
}

static adapter_step read_client(struct line_state *s, postern_bytes in, size_t *ret_used,
                                struct adapter_action *ret, struct adapter_login *login,
                                postern_error *err)
{
    postern_bytes line, rest, word;

    if (s->count >= LINE_PENDING_MAX)
        return ADAPTER_STEP_FULL;
    if (s->many_left > 0)
        return judge_next(s, ret);
    if (s->passing[ADAPTER_CLIENT] != 0)
        return pass(s, ADAPTER_CLIENT, in, ret_used);
    if (!take_line(in, &line))
        return in.len > LINE_MAX_BYTES ? ADAPTER_STEP_BROKEN : ADAPTER_STEP_MORE;
    rest = line;
    word = next_word(&rest);
    if (postern_bytes_equal_str(word, "BROKEN"))
        return ADAPTER_STEP_BROKEN;
    if (postern_bytes_equal_str(word, "DENIED")) {
        (void)POSTERN_FAIL(err, POLICY, "what goes on is allowed no more"); /* told */
        return ADAPTER_STEP_BROKEN;
    }
    *ret_used = line.len;
    if (postern_bytes_equal_str(word, "SIZE")) {
        s->passing[ADAPTER_CLIENT] = number_of(next_word(&rest));
        return ADAPTER_STEP_PASS;
    }
    if (postern_bytes_equal_str(word, "MANY")) {
        copy_word(next_word(&rest), s->many_word, sizeof s->many_word);
        s->many_of = s->many_left = (long)number_of(next_word(&rest));
        return ADAPTER_STEP_AGAIN;
    }
    if (postern_bytes_equal_str(word, "AGAIN")) {
        *login = (struct adapter_login){ .token = next_word(&rest), .authzid = "" };
        return ADAPTER_STEP_LOGIN;
    }
    return judge(s, line, word, rest, ret);
}

static adapter_step read_backend(struct line_state *s, postern_bytes in, size_t *ret_used,
                                 struct adapter_action *ret, struct adapter_flow *out)
{
    postern_bytes line, rest;

    if (s->passing[ADAPTER_BACKEND] != 0)
        return pass(s, ADAPTER_BACKEND, in, ret_used);
    if (!take_line(in, &line))
        return ADAPTER_STEP_MORE;
    *ret_used = line.len;
    if (line.ptr[0] == '!') {
        rest = (postern_bytes){ line.ptr + 1, line.len - 1 };
        copy_word(next_word(&rest), s->word, sizeof s->word);
        ret->id = 1000000;
        ret->name = s->word;
        return ADAPTER_STEP_JUDGE;
    }
    if (line.ptr[0] == '$')
        s->passing[ADAPTER_BACKEND] =
            number_of((postern_bytes){ line.ptr + 1, line.len - 2 });
    postern_buf_add(out->to_client, line);
    if (s->first != NULL && s->first->state == SENT)
        pop(s);
    answer_first(s, out);
    return ADAPTER_STEP_AGAIN;
}

static adapter_step line_read(void *state, enum adapter_side from, postern_bytes in,
                              size_t *ret_used, struct adapter_action *ret,
                              struct adapter_login *login, struct adapter_flow *out,
                              postern_error *err)
{
    adapter_step step;

    ret->from = from;
    step = from == ADAPTER_CLIENT ? read_client(state, in, ret_used, ret, login, err)
                                  : read_backend(state, in, ret_used, ret, out);
    if (step == ADAPTER_STEP_BROKEN && err->code == POSTERN_ERR_UNSET) {
        postern_buf_add_str(out->to_client, "BYE broken\n");
        (void)POSTERN_FAIL(err, MESSAGE_MALFORMED, "a broken line"); /* the step says it */
    }
    return step;
}

static void settle_outside(struct line_state *s, struct entry *e, const struct adapter_verdict *v,
                           struct adapter_flow *out)
{
    unlink_entry(&s->outside, e);
    if (v->ruling == ADAPTER_RELEASE)
        postern_buf_add(out->to_backend, (postern_bytes){ (uint8_t *)e->line, e->len });
    else
        put_denied(&v->denied, out->to_client);
    free_entry(e);
}

static void line_settle(void *state, uint64_t id, const struct adapter_verdict *v,
                        struct adapter_flow *out)
{
    struct line_state *s = state;
    struct entry *e = find(&s->outside, id);

    if (id == 1000000) { /* the backend's own */
        postern_buf_add_str(v->ruling == ADAPTER_RELEASE ? out->to_client : out->to_backend,
                            v->ruling == ADAPTER_RELEASE ? "!asked\n" : "!denied\n");
        return;
    }
    if (e != NULL) {
        settle_outside(s, e, v, out);
        return;
    }
    e = find(&s->first, id);
    if (e == NULL)
        abort(); /* a verdict on nothing */
    if (v->ruling == ADAPTER_HOLD) {
        unlink_entry(&s->first, e);
        s->count--;
        e->next = s->outside;
        s->outside = e;
        postern_buf_add_str(out->to_client, "HELD\n");
    } else if (v->ruling == ADAPTER_RELEASE) {
        e->state = SENT;
    } else if (!refuse(e, &v->denied)) {
        out->to_client->failed = true;
    }
    send_ready(s, out);
    answer_first(s, out);
}

static void line_renewed(void *state, const struct adapter_granted *g,
                         const struct adapter_denied *d, struct adapter_flow *out)
{
    (void)state;
    if (g != NULL)
        postern_buf_addf(out->to_client, "RENEWED %" PRId64 "\n", g->lease_s);
    else
        put_denied(d, out->to_client);
}

static void line_goodbye(void *state, const struct adapter_denied *why, struct adapter_flow *out)
{
    (void)state;
    postern_buf_addf(out->to_client, "BYE %s\n", postern_err_reason(why->failure->code));
}

static bool line_is_quiet(const void *state)
{
    const struct line_state *s = state;

    return s->first == NULL && s->outside == NULL && s->passing[0] == 0 && s->passing[1] == 0;
}

static const struct adapter_inspector line_inspector = {
    .greet = line_greet,
    .greeted = line_greeted,
    .begin = line_begin,
    .read = line_read,
    .settle = line_settle,
    .again = line_again,
    .renewed = line_renewed,
    .goodbye = line_goodbye,
    .is_quiet = line_is_quiet,
};

const struct adapter line_adapter = {
    .name = "redis",
    .state_size = sizeof(struct line_state),
    .feed = line_feed,
    .grant = line_grant,
    .deny = line_deny,
    .wipe = line_wipe,
    .inspector = &line_inspector,
};

void *line_state_new(void)
{
    return calloc(1, sizeof(struct line_state));
}
