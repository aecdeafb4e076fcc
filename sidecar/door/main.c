/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door child (sidecar/role.h): its first thread listens to the supervisor, the issuer and
 * control, makes settings, and tells the loops.  Connections are the loops' business.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <postern-private/clock.h>
#include <postern-private/issuer_line.h>

#include "../audit/tally_memory.h"
#include "../log.h"
#include "../role.h"
#include "../supervisor_line.h"
#include "../timer.h"
#include "../upkeep.h"
#include "role_line.h"
#include "holds.h"
#include "holds_control.h"
#include "main.h"
#include "rates.h"
#include "taken_back.h"

#define LOOPS_MAX 64
#define NAME_MAX_BYTES 1025 /* with NUL: POSTERN_IDENTITY_MAX */
#define KILL_VALUE_MAX 2049 /* with NUL: the longest jti that a token may have */
/* Sessions are cut a moment before the supervisor's patience ends, so that their ends are
 * recorded. */
#define DRAIN_HEADROOM_MS 500
#define LINK_PATIENCE_S 1
/* The first "ready" waits that long for what was taken back; who comes before is undecided. */
#define TOLD_PATIENCE_MS 2000
/* Revocations on their way: a share of each kind. */
#define ACKS_MAX (POSTERN_REVOCATION_KINDS * POSTERN_REVOCATIONS_MAX)

/* A message that is answered when every loop has done what it asks. */
struct ack {
    struct role_line *to; /* NULL: gone meanwhile */
    int64_t      id;
};

struct main_batch;

struct door_main {
    struct event_base     *base;
    struct supervisor_line *supervisor_line;
    struct channel        *supervisor; /* the line's */
    struct event          *want_lines;
    struct door_process    process;
    struct settings_parts *parts;
    struct door_settings  *prepared, *current;
    struct upkeep         *upkeep; /* of what `current` fetches */
    struct own_certificate own;
    struct tally_memory   *tally; /* NULL: the loops count nothing */
    struct taken_back     *taken_back;
    struct role_line           *issuer, *control, *spawner;
    postern_issuer_line        *tokens; /* the issuer's line as the loops' validations see it */
    struct ack            *acks;   /* for the judgement that comes next */
    size_t                 ack_count, ack_room;
    bool                   owes_ready; /* the first settings are prepared, "ready" is not said */
    struct event          *told_patience;
    bool                   is_judging, wants_judging;
    size_t                 blocked_untold; /* sessions that a block ended and no answer counted */
    struct main_batch     *running, *kills; /* batches whose acks name links */
    bool                   is_spoiled;      /* a part of the coming settings is missing */
    bool                   is_draining;
    size_t                 drained;
    bool                   has_drained[LOOPS_MAX];
    int                    status;
};

/* What cannot be obeyed must not be forgotten: the supervisor starts another door, which is told
 * everything.  Other threads run still: nothing is cleaned up below them. */
static __attribute__((noreturn)) void give_up(const char *why)
{
    log_problem("%s; ending all sessions for a new start", why);
    _exit(EXIT_FAILURE);
}

static void put(struct loop *l, struct mail *take_mail)
{
    if (take_mail == NULL)
        give_up("out of memory for a message between threads");
    mailbox_put(l->box, take_mail);
}

/* ---- answers to lines ---- */

static void send_built(struct role_line *to, const postern_buf *message)
{
    if (message->failed)
        give_up("out of memory for an answer to another process of posternd");
    (void)role_line_send(to, postern_buf_bytes(message)); /* else the line closes itself */
}

static void send_done(struct door_main *m, struct role_line *to, int64_t id, int64_t ended)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(128);
    postern_json_writer w = { .out = &out };

    if (to == NULL)
        return;
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "done");
    postern_json_put_integer(&w, "id", id);
    if (to == m->control)
        postern_json_put_integer(&w, "ended", ended);
    postern_json_close_object(&w);
    send_built(to, &out);
}

/* ---- batches: one thing for all loops ---- */

struct main_batch {
    struct batch      batch; /* first */
    struct door_main *main;
    struct ack       *acks;
    size_t            ack_count;
    int64_t           started_us;
    struct main_batch *next; /* of m->kills */
};

static struct main_batch *new_batch(struct door_main *m, size_t parts,
                                    void (*deliver)(struct mail *, void *))
{
    struct main_batch *b = calloc(1, sizeof *b);

    if (b == NULL)
        give_up("out of memory for a message between threads");
    atomic_init(&b->batch.left, parts);
    b->batch.reply_to = m->process.box;
    b->batch.reply.deliver = deliver;
    b->main = m;
    b->started_us = clock_mono_us();
    return b;
}

static struct main_batch *batch_of(struct mail *reply)
{
    return (struct main_batch *)((char *)reply - offsetof(struct batch, reply));
}

static void log_ended(const struct main_batch *b, const char *what, size_t ended)
{
    if (ended != 0)
        log_note("%s: %zu sessions ended %" PRId64 " us after the word came", what, ended,
                 clock_mono_us() - b->started_us);
}

/* Answer all who wait for it, the first of control with the number, which is 0 then: each session
 * ended once. */
static void finish_batch(struct main_batch *b, size_t *ended)
{
    for (size_t i = 0; i < b->ack_count; i++) {
        bool is_asked = b->acks[i].to != NULL && b->acks[i].to == b->main->control;

        send_done(b->main, b->acks[i].to, b->acks[i].id, is_asked ? (int64_t)*ended : 0);
        *ended = is_asked ? 0 : *ended;
    }
    free(b->acks);
    free(b);
}

/* ---- judging all sessions again; what comes meanwhile waits for the next round ---- */

static void judge(struct door_main *m);

static void deliver_judged(struct mail *reply, void *receiver)
{
    struct door_main *m = receiver;
    struct main_batch *b = batch_of(reply);
    size_t blocked = atomic_load(&b->batch.blocked);

    m->running = NULL;
    log_ended(b, "taken back", blocked + atomic_load(&b->batch.revoked));
    log_ended(b, "judged again", atomic_load(&b->batch.unfit));
    m->blocked_untold += blocked;
    finish_batch(b, &m->blocked_untold);
    m->is_judging = false;
    if (m->wants_judging)
        judge(m);
}

static void judge(struct door_main *m)
{
    struct main_batch *b;

    m->wants_judging = m->is_judging || m->current == NULL;
    if (m->is_judging)
        return;
    if (m->current == NULL) { /* no sessions yet */
        for (size_t i = 0; i < m->ack_count; i++)
            send_done(m, m->acks[i].to, m->acks[i].id, 0);
        m->ack_count = 0;
        m->wants_judging = false;
        return;
    }
    m->is_judging = true;
    m->running = b = new_batch(m, m->process.loop_count, deliver_judged);
    b->acks = m->acks;
    b->ack_count = m->ack_count;
    m->acks = NULL;
    m->ack_count = m->ack_room = 0;
    for (size_t i = 0; i < m->process.loop_count; i++)
        put(loop_at(&m->process, i), loop_mail_judge(&b->batch));
}

/* Answer `id` when all sessions were judged by what is known now. */
static void judge_and_ack(struct door_main *m, struct role_line *to, int64_t id)
{
    if (m->ack_count == m->ack_room) {
        size_t room = m->ack_room == 0 ? 16 : m->ack_room * 2;
        struct ack *grown = room > ACKS_MAX ? NULL : reallocarray(m->acks, room, sizeof *grown);

        if (grown == NULL)
            give_up("out of memory for what was revoked");
        m->acks = grown;
        m->ack_room = room;
    }
    m->acks[m->ack_count++] = (struct ack){ to, id };
    judge(m);
}

static void forget_link(struct door_main *m, const struct role_line *l)
{
    for (size_t i = 0; i < m->ack_count; i++)
        if (m->acks[i].to == l)
            m->acks[i].to = NULL;
    for (size_t i = 0; m->running != NULL && i < m->running->ack_count; i++)
        if (m->running->acks[i].to == l)
            m->running->acks[i].to = NULL;
    for (struct main_batch *b = m->kills; b != NULL; b = b->next)
        for (size_t i = 0; i < b->ack_count; i++)
            if (b->acks[i].to == l)
                b->acks[i].to = NULL;
}

/* ---- issuer ---- */

static postern_err tell_both(struct door_main *m,
                             postern_err (*tell)(postern_context *, void *, postern_error *),
                             void *arg, postern_error *err)
{
    struct door_settings *const all[] = { m->current, m->prepared };

    for (size_t i = 0; i < 2; i++) {
        postern_err e = all[i] == NULL ? POSTERN_OK : tell(settings_context(all[i]), arg, err);

        if (e != POSTERN_OK && e != POSTERN_ERR_USAGE) /* USAGE: nobody here trusts that issuer */
            return e;
    }
    return POSTERN_OK;
}

static postern_err tell_revoke(postern_context *ctx, void *arg, postern_error *err)
{
    const struct revoke_message *r = arg;

    return postern_context_revoke(ctx, r->issuer, r->kind, r->name, r->before_s, err);
}

static postern_err tell_ready(postern_context *ctx, void *arg, postern_error *err)
{
    return postern_context_revocations_ready(ctx, arg, err);
}

static void note_told(struct door_main *m);

static bool take_revocation(struct door_main *m, struct role_line *l)
{
    struct revoke_message r;
    postern_error err = { 0 };
    bool is_new = false;

    if (!revoke_message_read(role_line_channel(l), &r))
        return false;
    if (taken_back_revoke(m->taken_back, &r, clock_wall_s(), &is_new, &err) != POSTERN_OK ||
        tell_both(m, tell_revoke, &r, &err) != POSTERN_OK)
        give_up("a revocation cannot be obeyed");
    if (is_new)
        judge_and_ack(m, l, r.id);
    else
        send_done(m, l, r.id, 0);
    return true;
}

static bool on_issuer_message(void *arg, struct role_line *l)
{
    struct door_main *m = arg;
    struct channel *c = role_line_channel(l);
    char issuer[POSTERN_URL_MAX];
    postern_error err = { 0 };
    int64_t id;

    if (channel_type_is(c, "revoke"))
        return take_revocation(m, l);
    if (!channel_type_is(c, "revocations_ready") || !channel_integer(c, "id", &id) ||
        !channel_text(c, "issuer", issuer, sizeof issuer))
        return false;
    taken_back_set_ready(m->taken_back, issuer);
    if (tell_both(m, tell_ready, issuer, &err) != POSTERN_OK)
        give_up("revocations cannot be obeyed");
    judge_and_ack(m, l, id);
    note_told(m);
    return true;
}

/* ---- control ---- */

static postern_err tell_blocks(postern_context *ctx, void *arg, postern_error *err)
{
    return taken_back_tell_blocks(arg, ctx, err);
}

static bool take_block(struct door_main *m, struct channel *c)
{
    postern_error err = { 0 };
    postern_block b = { .agent = "" };

    if (!channel_text(c, "agent", b.agent, sizeof b.agent) || b.agent[0] == '\0' ||
        !channel_integer(c, "until", &b.until_s))
        return false;
    (void)channel_text(c, "reason", b.reason, sizeof b.reason); /* absent when empty */
    (void)channel_text(c, "contact", b.contact, sizeof b.contact);
    if (taken_back_add_block(m->taken_back, &b, &err) != POSTERN_OK)
        give_up("a list of blocks cannot be obeyed");
    return true;
}

static bool take_blocks_end(struct door_main *m, struct role_line *l)
{
    postern_error err = { 0 };
    int64_t id;

    if (!channel_integer(role_line_channel(l), "id", &id))
        return false;
    taken_back_end_blocks(m->taken_back);
    if (tell_both(m, tell_blocks, m->taken_back, &err) != POSTERN_OK)
        give_up("a list of blocks cannot be obeyed");
    judge_and_ack(m, l, id);
    note_told(m);
    return true;
}

/* Pages are smaller where names are long: an answer is one datagram. */
static bool answer_sessions(struct door_main *m, struct role_line *l)
{
    struct channel *c = role_line_channel(l);
    char after[SESSION_ID_MAX + 1] = "";
    int64_t id, limit = REGISTRY_PAGE_MAX;

    if (!channel_integer(c, "id", &id))
        return false;
    (void)channel_text(c, "after", after, sizeof after); /* absent: from the first */
    (void)channel_integer(c, "limit", &limit);
    if (limit < 1 || limit > REGISTRY_PAGE_MAX)
        limit = REGISTRY_PAGE_MAX;
    for (; limit >= 1; limit /= 2) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
        postern_json_writer w = { .out = &out };

        postern_json_open_object(&w, NULL);
        postern_json_put_str(&w, "type", "sessions");
        postern_json_put_integer(&w, "id", id);
        registry_list(m->process.registry, after, (size_t)limit, loop_now(), &w);
        postern_json_close_object(&w);
        if (!out.failed) {
            send_built(l, &out);
            return true;
        }
    }
    return false;
}

static void deliver_killed(struct mail *reply, void *receiver)
{
    struct door_main *m = receiver;
    struct main_batch *b = batch_of(reply), **at = &m->kills;
    size_t killed = atomic_load(&b->batch.killed);

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    log_ended(b, "killed", killed);
    finish_batch(b, &killed);
}

static bool take_kill(struct door_main *m, struct role_line *l)
{
    struct channel *c = role_line_channel(l);
    char by[16], value[KILL_VALUE_MAX], reason[POSTERN_BECAUSE_MAX] = "";
    struct session_place *places = NULL;
    struct main_batch *b;
    postern_error err = { 0 };
    size_t count = 0;
    int64_t id;

    if (!channel_integer(c, "id", &id) || !channel_text(c, "by", by, sizeof by) ||
        !channel_text(c, "value", value, sizeof value) ||
        registry_key_of(by) == REGISTRY_BY_NONE)
        return false;
    (void)channel_text(c, "reason", reason, sizeof reason); /* absent when empty */
    if (registry_match(m->process.registry, registry_key_of(by), value, &places, &count, &err) !=
        POSTERN_OK)
        give_up("sessions cannot be ended");
    if (count == 0) {
        send_done(m, l, id, 0);
        return true;
    }
    b = new_batch(m, count, deliver_killed);
    b->acks = calloc(1, sizeof *b->acks);
    if (b->acks == NULL)
        give_up("out of memory for a message between threads");
    b->acks[b->ack_count++] = (struct ack){ l, id };
    b->next = m->kills;
    m->kills = b;
    for (size_t i = 0; i < count; i++)
        put(loop_at(&m->process, places[i].loop),
            loop_mail_end(places[i].id, "killed", reason, &b->batch));
    free(places);
    return true;
}

static uint64_t sum(const struct door_main *m, size_t offset)
{
    uint64_t n = 0;

    for (size_t i = 0; i < m->process.loop_count; i++)
        n += atomic_load((_Atomic uint64_t *)(void *)((char *)&loop_at(&m->process, i)->counters +
                                                      offset));
    return n;
}

static const struct {
    const char *name, *help;
    size_t      offset;
} counter_rows[] = {
#define COUNTER(member, text)                                                                      \
    { "postern_door_" #member "_total", text, offsetof(struct loop_counters, member) }
    COUNTER(accepted, "connections taken"),
    COUNTER(refused_early, "connections ended before a verdict: limits, time-outs, TLS"),
    COUNTER(proved, "logins and renewals proved and allowed"),
    COUNTER(rejected, "logins and renewals rejected"),
    COUNTER(undecided, "logins and renewals undecided"),
    COUNTER(renewed, "leases renewed"),
    COUNTER(ended, "sessions ended"),
    COUNTER(revoked, "sessions ended by revocation, block or kill"),
    COUNTER(rechecked, "live sessions that their issuer was asked about and called active"),
    COUNTER(unheard, "sessions ended because nothing was heard of their issuer any more"),
#undef COUNTER
};

static void write_metrics(struct door_main *m, postern_buf *out)
{
    struct registry_totals t;

    registry_totals(m->process.registry, &t);
    for (size_t i = 0; i < sizeof counter_rows / sizeof counter_rows[0]; i++)
        postern_buf_addf(out, "# HELP %s %s\n# TYPE %s counter\n%s %" PRIu64 "\n",
                         counter_rows[i].name, counter_rows[i].help, counter_rows[i].name,
                         counter_rows[i].name, sum(m, counter_rows[i].offset));
    postern_buf_addf(out,
                     "# HELP postern_door_sessions live sessions\n"
                     "# TYPE postern_door_sessions gauge\n"
                     "postern_door_sessions{state=\"connecting\"} %zu\n"
                     "postern_door_sessions{state=\"open\"} %zu\n"
                     "postern_door_sessions{state=\"draining\"} %zu\n"
                     "# HELP postern_door_logins connections that are logging in\n"
                     "# TYPE postern_door_logins gauge\n"
                     "postern_door_logins %zu\n",
                     t.connecting, t.open, t.draining, limits_in_use(m->process.limits));
}

static bool answer_metrics(struct door_main *m, struct role_line *l)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX / 2);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    postern_json_writer w = { .out = &out };
    int64_t id;

    if (!channel_integer(role_line_channel(l), "id", &id))
        return false;
    write_metrics(m, &text);
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "metrics");
    postern_json_put_integer(&w, "id", id);
    postern_json_put_string(&w, "text", postern_buf_bytes(&text));
    postern_json_close_object(&w);
    send_built(l, &out);
    return true;
}

static bool answer_holds(struct door_main *m, struct role_line *l)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);

    if (!holds_control_answer(m->process.holds, role_line_channel(l), loop_now(), &out))
        return false;
    send_built(l, &out);
    return true;
}

static bool on_control_message(void *arg, struct role_line *l)
{
    struct door_main *m = arg;
    struct channel *c = role_line_channel(l);

    if (channel_type_is(c, "sessions"))
        return answer_sessions(m, l);
    if (channel_type_is(c, "metrics"))
        return answer_metrics(m, l);
    if (channel_type_is(c, "kill"))
        return take_kill(m, l);
    if (channel_type_is(c, "block"))
        return take_block(m, c);
    if (holds_control_is_for(c))
        return answer_holds(m, l);
    if (channel_type_is(c, "blocks_end"))
        return take_blocks_end(m, l);
    if (!channel_type_is(c, "blocks_begin"))
        return false;
    taken_back_begin_blocks(m->taken_back);
    return true;
}

/* Before the line is closed: loops ask over it. */
static void leave_issuer(struct door_main *m, const struct role_line *l)
{
    if (m->issuer == l && m->tokens != NULL)
        postern_issuer_line_set(m->tokens, -1);
}

static void on_link_gone(void *arg, struct role_line *l)
{
    struct door_main *m = arg;

    leave_issuer(m, l);
    forget_link(m, l);
    if (m->issuer == l)
        m->issuer = NULL;
    if (m->control == l)
        m->control = NULL;
    if (m->spawner == l) {
        m->spawner = NULL;
        spawner_line_set(m->process.spawner, -1);
    }
}

static void drop_line(struct door_main *m, struct role_line **at)
{
    leave_issuer(m, *at);
    forget_link(m, *at);
    role_line_free(*at);
    *at = NULL;
}

static void take_link(struct door_main *m, struct role_line **at, const char *name,
                      bool (*message)(void *, struct role_line *))
{
    int fd = channel_take_fd(m->supervisor);
    postern_error err = { 0 };

    drop_line(m, at);
    if (fd < 0)
        log_problem("the supervisor names %s without a descriptor", name);
    else if (role_line_new(m->base, fd, name, (struct role_line_owner){ message, on_link_gone, m },
                           at, &err) != POSTERN_OK)
        log_error(name, &err);
}

/* ---- loops ---- */

static void stop_loops(struct door_main *m)
{
    for (size_t i = 0; i < m->process.loop_count; i++)
        put(loop_at(&m->process, i), loop_mail_stop());
}

/* When they were told to stop, or never started.  Mails that are on their way between them, and to
 * us, arrive while all their boxes stand. */
static void free_loops(struct door_main *m)
{
    bool is_any;

    for (size_t i = 0; i < m->process.loop_count; i++)
        loop_join(m->process.loops[i]);
    do {
        is_any = false;
        for (size_t i = 0; i < m->process.loop_count; i++)
            is_any |= mailbox_deliver(m->process.loops[i]->box);
    } while (is_any);
    for (size_t i = 0; i < m->process.loop_count; i++)
        loop_free(m->process.loops[i]);
    m->process.loop_count = 0;
}

/* ---- settings ---- */

static bool make_parts(struct door_main *m)
{
    if (m->parts == NULL)
        m->parts = settings_parts_new();
    return m->parts != NULL;
}

/* A part that does not fit spoils the set: "prepare" will say so. */
static void spoil(struct door_main *m, const postern_error *err)
{
    log_error("configuration", err);
    m->is_spoiled = true;
}

static void take_listener(void *arg)
{
    struct door_main *m = arg;
    char door[64], address[320];
    int64_t loop;
    int fd = channel_take_fd(m->supervisor);
    postern_error err = { .code = POSTERN_ERR_MALFORMED, .detail = "listener" };

    if (fd >= 0 && make_parts(m) && channel_text(m->supervisor, "door", door, sizeof door) &&
        channel_text(m->supervisor, "address", address, sizeof address) &&
        channel_integer(m->supervisor, "loop", &loop) && loop >= 0 && loop < LOOPS_MAX) {
        if (settings_add_listener(m->parts, door, address, (size_t)loop, fd, &err) == POSTERN_OK)
            return;
    } else if (fd >= 0) {
        (void)close(fd);
    }
    spoil(m, &err);
}

static void take_file(void *arg)
{
    struct door_main *m = arg;
    char door[64] = "", key[POSTERN_POLICY_NAME_MAX];
    bool is_policy = channel_type_is(m->supervisor, "policy");
    int fd = channel_take_fd(m->supervisor);
    postern_error err = { .code = POSTERN_ERR_MALFORMED, .detail = "file" };

    if (fd >= 0 && make_parts(m) &&
        channel_text(m->supervisor, is_policy ? "name" : "key", key, sizeof key) &&
        (is_policy || channel_text(m->supervisor, "door", door, sizeof door))) {
        postern_err e = is_policy ? settings_add_policy(m->parts, key, fd, &err)
                                  : settings_add_file(m->parts, door, key, fd, &err);

        if (e == POSTERN_OK)
            return;
    } else if (fd >= 0) {
        (void)close(fd);
    }
    spoil(m, &err);
}

/* Once, before the first settings; where it cannot be used, each action has a record of its own. */
static void take_tally(void *arg, int take_fd)
{
    struct door_main *m = arg;
    postern_error err = { 0 };

    if (m->tally == NULL && tally_memory_map(take_fd, &m->tally, &err) != POSTERN_OK)
        log_error("actions are not counted", &err);
    (void)close(take_fd);
}

/* Once; where it cannot be used, this door's rates end with it. */
static void take_rates(void *arg, int take_fd)
{
    struct door_main *m = arg;
    postern_error err = { 0 };

    if (m->process.loop_count == 0 &&
        rates_share(m->process.rates, take_fd, clock_boot_ms(), &err) != POSTERN_OK)
        log_error("rates are not kept", &err);
    (void)close(take_fd);
}

static void give_tally(struct door_main *m, struct loop *l)
{
    postern_error err = { 0 };

    if (m->tally != NULL && tally_new(m->tally, getpid(), &l->tally, &err) != POSTERN_OK)
        log_error("actions of a loop are not counted", &err);
}

/* What is held is held by its digest, and loops read the key without a lock: it is the process's. */
static void take_args_key(void *arg, int take_fd)
{
    struct door_main *m = arg;
    uint8_t room[ARGS_DIGEST_KEY_LEN + 1];
    ssize_t len = pread(take_fd, room, sizeof room, 0);

    (void)close(take_fd);
    if (len != ARGS_DIGEST_KEY_LEN) {
        log_problem("args.key of audit_key_dir has not the %d bytes of a key: what needs a digest "
                    "is not released",
                    ARGS_DIGEST_KEY_LEN);
    } else if (m->process.loop_count == 0) {
        memcpy(m->process.args_key.bytes, room, ARGS_DIGEST_KEY_LEN);
        m->process.has_args_key = true;
    } else if (!m->process.has_args_key ||
               CRYPTO_memcmp(m->process.args_key.bytes, room, ARGS_DIGEST_KEY_LEN) != 0) {
        log_note("another args.key in audit_key_dir takes effect when posternd is restarted");
    }
    postern_wipe(room, sizeof room);
}

static postern_err start_loops(struct door_main *m, size_t count, postern_error *err)
{
    for (size_t i = 0; i < count; i++) {
        POSTERN_TRY(loop_new(&m->process, i, &m->process.loops[i], err));
        m->process.loop_count++;
        give_tally(m, m->process.loops[i]);
    }
    for (size_t i = 0; i < count; i++)
        POSTERN_TRY(loop_start(m->process.loops[i], err));
    return POSTERN_OK;
}

/* All of them or none: what is sent to a loop that does not run would never be done. */
static postern_err make_loops(struct door_main *m, size_t count, postern_error *err)
{
    postern_err e;

    if (m->process.loop_count == count)
        return POSTERN_OK;
    if (m->process.loop_count != 0)
        return POSTERN_FAIL(err, INTERNAL, "a door of %zu loops cannot become one of %zu",
                            m->process.loop_count, count);
    e = start_loops(m, count, err);
    if (e != POSTERN_OK) {
        stop_loops(m);
        free_loops(m);
    }
    return e;
}

static postern_err check_listeners(const struct door_settings *s, size_t loops, postern_error *err)
{
    for (size_t i = 0; i < settings_listener_count(s); i++)
        if (settings_listener(s, i)->loop >= loops)
            return POSTERN_FAIL(err, INTERNAL, "a listener of a loop that is not there");
    return POSTERN_OK;
}

static postern_err send_certificate(struct door_main *m, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    postern_json_writer w = { .out = &out };

    if (m->own.tls == NULL)
        return POSTERN_OK;
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "certificate");
    postern_json_put_string(&w, "pem", postern_buf_bytes(&m->own.pem));
    postern_json_close_object(&w);
    if (out.failed)
        return POSTERN_FAIL(err, NOMEM, "certificate");
    return channel_send(m->supervisor, postern_buf_bytes(&out), -1, err);
}

static postern_err prepare(struct door_main *m, int dump_fd, int64_t loops, postern_error *err)
{
    struct settings_parts *parts = m->parts;

    m->parts = NULL;
    settings_unref(m->prepared);
    m->prepared = NULL;
    if (m->is_spoiled || parts == NULL || dump_fd < 0 || loops < 1 || loops > LOOPS_MAX) {
        settings_parts_free(parts);
        m->is_spoiled = false;
        return POSTERN_FAIL(err, INTERNAL, "the configuration did not come whole");
    }
    POSTERN_TRY(settings_new(parts, dump_fd, &m->own, &m->prepared, err));
    postern_context_set_issuer_line(settings_context(m->prepared), m->tokens);
    POSTERN_TRY(check_listeners(m->prepared, (size_t)loops, err));
    POSTERN_TRY(taken_back_tell(m->taken_back, settings_context(m->prepared), err));
    POSTERN_TRY(make_loops(m, (size_t)loops, err));
    return send_certificate(m, err);
}

static void say_unready(struct door_main *m, const postern_error *why)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(2048);
    postern_json_writer w = { .out = &out };
    postern_error err = { 0 };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "unready");
    postern_json_put_str(&w, "detail", why->detail);
    postern_json_close_object(&w);
    if (out.failed || channel_send(m->supervisor, postern_buf_bytes(&out), -1, &err) != POSTERN_OK)
        give_up("the supervisor does not read");
}

static void say_ready(struct door_main *m)
{
    postern_error err = { 0 };

    m->owes_ready = false;
    (void)event_del(m->told_patience); /* not pending is fine */
    if (channel_send_type(m->supervisor, "ready", -1, &err) != POSTERN_OK)
        give_up("the supervisor does not read");
}

/* The first settings: said when it is known what was taken back, or after a while all the same. */
static void say_ready_when_told(struct door_main *m)
{
    static const struct timeval patience = { TOLD_PATIENCE_MS / 1000,
                                             TOLD_PATIENCE_MS % 1000 * 1000 };

    if (m->current != NULL ||
        taken_back_is_told(m->taken_back, settings_context(m->prepared)) ||
        event_add(m->told_patience, &patience) != 0)
        say_ready(m);
    else
        m->owes_ready = true;
}

static void note_told(struct door_main *m)
{
    if (m->owes_ready && m->prepared != NULL &&
        taken_back_is_told(m->taken_back, settings_context(m->prepared)))
        say_ready(m);
}

static void on_impatient(evutil_socket_t fd, short what, void *arg)
{
    struct door_main *m = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    if (!m->owes_ready)
        return;
    log_problem("issuer or control is silent about what was taken back: logins are undecided");
    say_ready(m);
}

static void take_prepare(void *arg)
{
    struct door_main *m = arg;
    postern_error err = { 0 };
    int64_t loops = 0;
    int fd = channel_take_fd(m->supervisor);
    postern_err e;

    (void)channel_integer(m->supervisor, "loops", &loops);
    e = prepare(m, fd, loops, &err);
    if (fd >= 0)
        (void)close(fd);
    if (e == POSTERN_OK) {
        say_ready_when_told(m);
        return;
    }
    settings_unref(m->prepared);
    m->prepared = NULL;
    say_unready(m, &err);
}

static void deliver_committed(struct mail *reply, void *receiver)
{
    struct door_main *m = receiver;
    struct main_batch *b = batch_of(reply);
    size_t unfit = atomic_load(&b->batch.unfit);

    log_ended(b, "reload", unfit);
    finish_batch(b, &unfit); /* no other role waits */
    supervisor_line_tell(m->supervisor_line, "committed");
}

static void begin_upkeep(struct door_main *m)
{
    postern_error err = { 0 };

    upkeep_free(m->upkeep);
    m->upkeep = NULL;
    if (upkeep_new(m->base, settings_context(m->current), &m->upkeep, &err) != POSTERN_OK)
        log_error("fetching ahead: each login fetches for itself", &err);
}

static void take_commit(void *arg)
{
    struct door_main *m = arg;
    struct main_batch *b;

    if (m->prepared == NULL) {
        supervisor_line_tell(m->supervisor_line, "committed");
        return;
    }
    settings_unref(m->current);
    m->current = m->prepared;
    m->prepared = NULL;
    begin_upkeep(m);
    limits_set(m->process.limits, (size_t)settings_number(m->current, "login_max"),
               (size_t)settings_number(m->current, "login_max_per_source"));
    b = new_batch(m, m->process.loop_count, deliver_committed);
    for (size_t i = 0; i < m->process.loop_count; i++)
        put(loop_at(&m->process, i),
            loop_mail_settings(settings_ref(m->current), &b->batch));
}

static void take_abandon(void *arg)
{
    struct door_main *m = arg;

    settings_parts_free(m->parts);
    m->parts = NULL;
    m->is_spoiled = false;
    settings_unref(m->prepared);
    m->prepared = NULL;
}

static void take_audit(void *arg)
{
    struct door_main *m = arg;
    int fd = channel_take_fd(m->supervisor);
    int64_t loop = -1;

    if (fd >= 0 && channel_integer(m->supervisor, "loop", &loop) && loop >= 0 &&
        (size_t)loop < m->process.loop_count)
        put(loop_at(&m->process, (size_t)loop), loop_mail_audit(fd));
    else if (fd >= 0)
        (void)close(fd);
}

/* ---- the end ---- */

static void end_loops(struct door_main *m)
{
    stop_loops(m);
    (void)event_base_loopbreak(m->base); /* fails without a base only */
}

static void deliver_retired(struct mail *reply, void *receiver)
{
    struct door_main *m = receiver;
    size_t none = 0;

    finish_batch(batch_of(reply), &none);
    supervisor_line_tell(m->supervisor_line, "retired");
}

static void drain(void *arg)
{
    struct door_main *m = arg;
    struct main_batch *b;
    int64_t drain_ms;

    if (m->is_draining)
        return;
    m->is_draining = true;
    if (m->current == NULL || m->process.loop_count == 0) {
        end_loops(m);
        return;
    }
    drain_ms = settings_number(m->current, "drain_timeout") * 1000 - DRAIN_HEADROOM_MS;
    b = new_batch(m, m->process.loop_count, deliver_retired);
    for (size_t i = 0; i < m->process.loop_count; i++)
        put(loop_at(&m->process, i), loop_mail_drain(drain_ms, &b->batch));
}

struct number_mail {
    struct mail mail;
    size_t      number;
};

static void deliver_drained(struct mail *take_mail, void *receiver)
{
    struct number_mail *n = (struct number_mail *)take_mail;
    struct door_main *m = receiver;

    if (!m->has_drained[n->number]) {
        m->has_drained[n->number] = true;
        if (++m->drained == m->process.loop_count)
            end_loops(m);
    }
    free(n);
}

void main_note_drained(struct door_process *process, size_t loop)
{
    struct number_mail *n = calloc(1, sizeof *n);

    if (n == NULL)
        give_up("out of memory while draining");
    n->mail.deliver = deliver_drained;
    n->number = loop;
    mailbox_put(process->box, &n->mail);
}

/* ---- the supervisor ---- */

static void on_want_lines(evutil_socket_t fd, short what, void *arg)
{
    struct door_main *m = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    supervisor_line_want_lines(m->supervisor_line);
}

static void deliver_want(struct mail *take_mail, void *receiver)
{
    static const struct timeval wait = { LINK_PATIENCE_S, 0 };
    struct door_main *m = receiver;

    if (!event_pending(m->want_lines, EV_TIMEOUT, NULL))
        (void)event_add(m->want_lines, &wait);
    free(take_mail);
}

void main_want_lines(struct door_process *process)
{
    struct mail *mail = calloc(1, sizeof *mail);

    if (mail == NULL)
        return; /* it is asked again each second */
    mail->deliver = deliver_want;
    mailbox_put(process->box, mail);
}

static void take_issuer(void *arg)
{
    struct door_main *m = arg;

    take_link(m, &m->issuer, "issuer", on_issuer_message);
    if (m->issuer != NULL)
        postern_issuer_line_set(m->tokens, channel_fd(role_line_channel(m->issuer)));
}

static void take_control(void *arg)
{
    struct door_main *m = arg;

    take_link(m, &m->control, "control", on_control_message);
}

/* It answers on descriptors that come along with questions, and says nothing here. */
static bool on_spawner_message(void *arg, struct role_line *l)
{
    (void)arg;
    (void)l;
    return false;
}

static void take_spawner(void *arg)
{
    struct door_main *m = arg;

    take_link(m, &m->spawner, "spawner", on_spawner_message);
    spawner_line_set(m->process.spawner,
                     m->spawner == NULL ? -1 : channel_fd(role_line_channel(m->spawner)));
}

/* They take their descriptor themselves: a part without it spoils the set. */
static const struct supervisor_message messages[] = {
    { "listener", .obey = take_listener }, { "file", .obey = take_file },
    { "policy", .obey = take_file },       { "prepare", .obey = take_prepare },
    { "commit", .obey = take_commit },     { "abandon", .obey = take_abandon },
    { "audit", .obey = take_audit },       { "issuer", .obey = take_issuer },
    { "control", .obey = take_control },   { "spawner", .obey = take_spawner },
    { "tally", .take = take_tally },       { "args_key", .take = take_args_key },
    { "rates", .take = take_rates },
};

/* ---- beginning ---- */

static postern_err start(struct door_main *m, struct role_setup *setup, postern_error *err)
{
    m->base = event_base_new();
    if (m->base == NULL)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    m->process.loops = calloc(LOOPS_MAX, sizeof *m->process.loops);
    if (m->process.loops == NULL)
        return POSTERN_FAIL(err, NOMEM, "loops");
    POSTERN_TRY(supervisor_line_new(
        m->base, setup->supervisor_fd,
        (struct supervisor_line_owner){ messages, sizeof messages / sizeof *messages, drain, m },
        &m->supervisor_line, err));
    m->supervisor = supervisor_line_channel(m->supervisor_line);
    POSTERN_TRY(postern_issuer_line_new(&m->tokens, err));
    POSTERN_TRY(taken_back_new(&m->taken_back, err));
    POSTERN_TRY(registry_new(&m->process.registry, err));
    POSTERN_TRY(limits_new(&m->process.limits, err));
    POSTERN_TRY(spawner_line_new(&m->process.spawner, err));
    POSTERN_TRY(denials_new(DENIALS_OF_STRANGERS, &m->process.denials, err));
    POSTERN_TRY(denials_new(DENIALS_OF_AGENTS, &m->process.agent_denials, err));
    POSTERN_TRY(rates_new(&m->process.rates, err));
    POSTERN_TRY(holds_new(&m->process.holds, err));
    POSTERN_TRY(fingerprint_start(&m->process.fingerprint, err));
    POSTERN_TRY(mailbox_new(m->base, m, &m->process.box, err));
    m->want_lines = event_new(m->base, -1, 0, on_want_lines, m);
    m->told_patience = event_new(m->base, -1, 0, on_impatient, m);
    if (m->want_lines == NULL || m->told_patience == NULL)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    return POSTERN_OK;
}

static void take_apart(struct door_main *m)
{
    free_loops(m);
    drop_line(m, &m->issuer);
    drop_line(m, &m->control);
    drop_line(m, &m->spawner);
    m->wants_judging = false; /* there is nobody to judge */
    mailbox_free(m->process.box);
    upkeep_free(m->upkeep);
    settings_unref(m->current);
    settings_unref(m->prepared);
    settings_parts_free(m->parts);
    postern_issuer_line_free(m->tokens);
    SSL_CTX_free(m->own.tls);
    postern_buf_free(&m->own.pem);
    taken_back_free(m->taken_back);
    registry_free(m->process.registry);
    limits_free(m->process.limits);
    spawner_line_free(m->process.spawner);
    denials_free(m->process.denials);
    denials_free(m->process.agent_denials);
    rates_free(m->process.rates);
    holds_free(m->process.holds);
    free(m->process.loops);
    free(m->acks);
    timer_free(m->want_lines);
    timer_free(m->told_patience);
    supervisor_line_free(m->supervisor_line);
    if (m->base != NULL)
        event_base_free(m->base);
    tally_memory_free(m->tally);
    postern_wipe(&m->process.fingerprint, sizeof m->process.fingerprint);
    postern_wipe(&m->process.args_key, sizeof m->process.args_key);
}

int door_main(struct role_setup *setup)
{
    struct door_main m = { .status = EXIT_SUCCESS,
                           .process.denials_lock = PTHREAD_MUTEX_INITIALIZER };
    postern_error err = { 0 };

    postern_config_free(setup->take_config); /* it comes by message, at each reload anew */
    setup->take_config = NULL;
    if (start(&m, setup, &err) != POSTERN_OK) {
        log_error("door cannot start", &err);
        m.status = EXIT_FAILURE;
    } else if (event_base_dispatch(m.base) < 0 || supervisor_line_is_broken(m.supervisor_line)) {
        m.status = EXIT_FAILURE;
    }
    take_apart(&m);
    return m.status;
}
