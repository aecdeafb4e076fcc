/* SPDX-License-Identifier: BSD-2-Clause */
/* One queue for each loop (recheck.h), first come, first served: whom the issuer has no room for goes to
 * its end, and all others of that issuer with it, so that a slow issuer's sessions neither keep those of
 * another waiting nor are tried in vain one after the other. */
#include "config.h"

#include <string.h>
#include <sys/random.h>

#include "recheck.h"

/* Through the event loop: what is made active at once would run before any socket is served. */
#define WAKE_MS 1

static uint32_t roll_dice(void)
{
    uint32_t dice;

    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != (ssize_t)sizeof dice)
        return 0; /* no jitter, then */
    return dice;
}

static int64_t part_of(int64_t most, uint32_t dice)
{
    return most <= 0 ? 0 : (int64_t)(dice % ((uint64_t)most + 1));
}

int64_t recheck_due_ms(int64_t word_ms, int64_t interval_ms, uint32_t dice)
{
    return word_ms + interval_ms / 2 + part_of(interval_ms / 6, dice);
}

int64_t recheck_pause_ms(unsigned failures, int64_t interval_ms, uint32_t dice)
{
    int64_t pause_ms = RECHECK_RETRY_FIRST_MS, longest_ms = interval_ms / 8;

    if (longest_ms > RECHECK_RETRY_LONGEST_MS)
        longest_ms = RECHECK_RETRY_LONGEST_MS;
    while (failures-- > 1 && pause_ms < longest_ms)
        pause_ms *= 2;
    if (pause_ms > longest_ms)
        pause_ms = longest_ms;
    return pause_ms - part_of(pause_ms / 2, dice);
}

/* ---- the queue ---- */

static void wake_later(struct loop *l)
{
    static const struct timeval wake = { .tv_usec = WAKE_MS * 1000 };

    if (!TAILQ_EMPTY(&l->rechecks))
        (void)event_add(l->recheck_wake, &wake); /* fails: the tick comes all the same */
}

static void enter_queue(struct recheck *c)
{
    if (c->is_queued)
        return;
    TAILQ_INSERT_TAIL(&c->loop->rechecks, c, in_queue);
    c->is_queued = true;
}

static void leave_queue(struct recheck *c)
{
    if (!c->is_queued)
        return;
    TAILQ_REMOVE(&c->loop->rechecks, c, in_queue);
    c->is_queued = false;
}

static void drop_question(struct recheck *c)
{
    leave_queue(c);
    gate_free(c->gate);
    c->gate = NULL;
}

/* ---- one look ---- */

static void on_verdict(void *arg, struct gate_result *take_result)
{
    struct recheck *c = arg;
    struct loop *l = c->loop;

    gate_free(c->gate);
    c->gate = NULL;
    if (take_result->code == POSTERN_ERR_BUSY) {
        l->recheck_busy_issuer = c->owner.issuer(c->owner.arg);
        enter_queue(c);
        gate_result_clear(take_result);
        return;
    }
    wake_later(l); /* there is room for one more */
    c->owner.heard(c->owner.arg, take_result);
}

static void copy_word(char *ret, size_t room, const char *word)
{
    size_t len = word == NULL ? 0 : strnlen(word, room - 1);

    if (len != 0)
        memcpy(ret, word, len);
    ret[len] = '\0';
}

static void tell_no_memory(struct recheck *c)
{
    struct gate_result r = { 0 };

    r.code = POSTERN_FAIL(&r.error, NOMEM, "a look at a live session");
    c->owner.heard(c->owner.arg, &r);
}

/* Where the session's client wanted to go was compared when it logged in: now the door says it in its
 * place. */
static void begin(struct recheck *c)
{
    struct gate_visit visit = { .is_look_again = true };
    struct adapter_login login = { .token = postern_secret_bytes(c->token),
                                   .carrier = POSTERN_CARRIER_RAW,
                                   .authzid = "" };

    c->owner.describe(c->owner.arg, &visit);
    copy_word(login.host, sizeof login.host,
              postern_section_item(visit.door->section, "server_names", 0));
    copy_word(login.port, sizeof login.port,
              postern_section_text(visit.door->section, "server_port"));
    c->gate = gate_new(c->loop, &visit, &login, (struct gate_owner){ on_verdict, c });
    if (c->gate == NULL)
        tell_no_memory(c); /* may end the session, and this with it */
    else
        gate_begin(c->gate); /* likewise */
}

/* Of the issuer that has just had no room. */
static bool is_passed_over(const struct recheck *c)
{
    const char *busy = c->loop->recheck_busy_issuer, *issuer = c->owner.issuer(c->owner.arg);

    return busy != NULL && issuer != NULL && strcmp(busy, issuer) == 0;
}

void recheck_run(struct loop *l)
{
    const struct recheck *first_passed = NULL;
    struct recheck *c;
    int begun = 0, passed = 0;

    l->recheck_busy_issuer = NULL; /* the one of another round, whose text may be gone */
    while (begun < RECHECKS_PER_WAKE && passed < RECHECKS_PASSED_PER_WAKE &&
           (c = TAILQ_FIRST(&l->rechecks)) != NULL && c != first_passed) {
        leave_queue(c);
        if (is_passed_over(c)) {
            enter_queue(c);
            passed++;
            first_passed = first_passed == NULL ? c : first_passed;
            continue;
        }
        begin(c);
        begun++;
    }
    if (l->recheck_busy_issuer == NULL) /* else when an answer has come, or at the next tick */
        wake_later(l);
}

/* ---- for the session ---- */

void recheck_note_word(struct recheck *c, int64_t word_ms, int64_t interval_ms)
{
    c->word_ms = word_ms;
    c->due_ms = recheck_due_ms(word_ms, interval_ms, roll_dice());
    c->failures = 0;
    c->last_failure = POSTERN_OK;
}

void recheck_watch(struct recheck *c, postern_secret *take_token)
{
    recheck_stop(c);
    c->token = take_token;
}

void recheck_stop(struct recheck *c)
{
    drop_question(c);
    postern_secret_free(c->token);
    c->token = NULL;
}

void recheck_note_failure(struct recheck *c, postern_err code, int64_t interval_ms)
{
    c->failures++;
    c->last_failure = code;
    c->due_ms = loop_now().boot_ms + recheck_pause_ms(c->failures, interval_ms, roll_dice());
}

void recheck_tick(struct recheck *c, int64_t now_ms)
{
    if (c->token == NULL || c->gate != NULL || now_ms < c->due_ms)
        return;
    enter_queue(c);
}
