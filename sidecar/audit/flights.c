/* SPDX-License-Identifier: BSD-2-Clause */
/* See flights.h. */
#include "config.h"

#include <stdlib.h>

#include "flights.h"

/* ---- changing ---- */

void flights_init(struct flights *x)
{
    TAILQ_INIT(&x->list);
    TAILQ_INIT(&x->releases);
}

void flights_add(struct flights *x, struct flight *take_f)
{
    take_f->id = ++x->last_id;
    TAILQ_INSERT_TAIL(&x->list, take_f, entry);
    x->count++;
    x->fact_count += take_f->is_fact;
}

/* Whoever waits for this one waits for the audit child's word. */
static bool is_awaited(const struct flight *f)
{
    return f->state == FLIGHT_SENT && !f->is_fact;
}

void flights_set_state(struct flights *x, struct flight *f, flight_state state)
{
    if (f->state == FLIGHT_RELEASING)
        TAILQ_REMOVE(&x->releases, f, releasing);
    x->releasing_count -= f->state == FLIGHT_RELEASING;
    x->unwritten_count -= f->state == FLIGHT_UNWRITTEN;
    x->awaited_count -= is_awaited(f);
    f->state = state;
    x->awaited_count += is_awaited(f);
    x->unwritten_count += state == FLIGHT_UNWRITTEN;
    x->releasing_count += state == FLIGHT_RELEASING;
    if (state == FLIGHT_RELEASING)
        TAILQ_INSERT_TAIL(&x->releases, f, releasing);
}

void flights_free_one(struct flights *x, struct flight *f)
{
    flights_set_state(x, f, FLIGHT_HELD); /* which is in no other list or number */
    TAILQ_REMOVE(&x->list, f, entry);
    x->count--;
    x->fact_count -= f->is_fact;
    x->released_count -= f->was_released;
    postern_buf_free(&f->text);
    free(f);
}

void flights_make_fact(struct flights *x, struct flight *f)
{
    f->is_fact = f->was_released = true;
    x->fact_count++;
    x->released_count++;
    flights_set_state(x, f, FLIGHT_SENT);
}

void flights_hold_unwritten(struct flights *x, size_t count)
{
    struct flight *f;

    for (f = TAILQ_FIRST(&x->list); f != NULL && count > 0; f = TAILQ_NEXT(f, entry))
        if (f->state == FLIGHT_UNWRITTEN) {
            flights_set_state(x, f, FLIGHT_HELD);
            count--;
        }
}

/* ---- looking ---- */

size_t flights_decisions(const struct flights *x)
{
    return x->count - x->fact_count;
}

struct flight *flights_find_decision(const struct flights *x)
{
    struct flight *f = TAILQ_FIRST(&x->list);

    while (f != NULL && f->is_fact)
        f = TAILQ_NEXT(f, entry);
    return f;
}

static bool is_on_its_way(const struct flight *f)
{
    return f->state == FLIGHT_SENT || f->state == FLIGHT_RELEASING;
}

struct flight *flights_find(struct flights *x, int64_t id)
{
    struct flight *f = TAILQ_FIRST(&x->list);

    while (f != NULL && f->id < id) /* it is the first, but for records that timed out, and facts */
        f = TAILQ_NEXT(f, entry);
    return f != NULL && f->id == id && is_on_its_way(f) ? f : NULL;
}

struct flight *flights_first_of(struct flight *f)
{
    struct flight *before;

    while ((before = TAILQ_PREV(f, flight_list, entry)) != NULL && before->state == FLIGHT_HELD)
        f = before;
    return f;
}

size_t flights_count_run(const struct flight *f)
{
    size_t count = 1, bytes = f->text.len;
    const struct flight *next;

    while (count < AUDIT_MESSAGE_RECORDS_MAX && (next = TAILQ_NEXT(f, entry)) != NULL &&
           next->state == FLIGHT_HELD && next->id == f->id + 1 &&
           (bytes += next->text.len) <= AUDIT_MESSAGE_BYTES_MAX) {
        f = next;
        count++;
    }
    return count;
}

bool flights_are_facts(const struct flight *f, size_t count)
{
    for (; count > 0 && f->is_fact; count--)
        f = TAILQ_NEXT(f, entry);
    return count == 0;
}
