/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic of leases (lease.h).  Times come from a verified token (0..2^53), durations from the
 * configuration (at most a week): no sum here can overflow 64 bits. */
#include "lease.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Milliseconds from now to the earliest of the terms; may be negative. */
static int64_t span_ms(const struct lease_terms *t, int64_t max_boot_ms, struct lease_clock now)
{
    int64_t ms = least((t->exp_s + t->skew_s - now.now_s) * 1000, max_boot_ms - now.boot_ms);

    return t->policy_s > 0 ? least(ms, t->policy_s * 1000) : ms;
}

/* Up, because now_s was rounded down: session_max: 3s is not one second. */
static int64_t whole_seconds(int64_t ms)
{
    return ms > 0 ? (ms + 999) / 1000 : ms / 1000;
}

static struct lease make(const struct lease_terms *t, int64_t max_boot_ms, struct lease_clock now)
{
    int64_t ms = span_ms(t, max_boot_ms, now);

    return (struct lease){ .end_s = now.now_s + whole_seconds(ms),
                           .end_boot_ms = now.boot_ms + ms,
                           .max_boot_ms = max_boot_ms };
}

struct lease lease_begin(const struct lease_terms *t, struct lease_clock now)
{
    return make(t, now.boot_ms + t->session_max_s * 1000, now);
}

struct lease lease_renew(const struct lease *old, const struct lease_terms *t,
                         struct lease_clock now)
{
    return make(t, old->max_boot_ms, now);
}

void lease_limit(struct lease *l, int64_t since_boot_ms, const struct lease_terms *t,
                 struct lease_clock now)
{
    struct lease anew = make(t, since_boot_ms + t->session_max_s * 1000, now);

    l->max_boot_ms = anew.max_boot_ms;
    l->end_boot_ms = least(l->end_boot_ms, anew.end_boot_ms);
    l->end_s = least(l->end_s, anew.end_s);
}

/* ---- the issuer's word ---- */

void lease_hear(struct lease *l, int64_t word_ms, int64_t interval_ms)
{
    l->word_end_boot_ms = word_ms + interval_ms;
}

bool lease_is_unheard(const struct lease *l, struct lease_clock now)
{
    return l->word_end_boot_ms != 0 && now.boot_ms >= l->word_end_boot_ms;
}

static void end_by(struct lease *l, int64_t end_boot_ms, struct lease_clock now)
{
    l->end_boot_ms = least(l->end_boot_ms, end_boot_ms);
    l->end_s = least(l->end_s, now.now_s + whole_seconds(end_boot_ms - now.boot_ms));
}

void lease_hear_no_more(struct lease *l, struct lease_clock now)
{
    if (l->word_end_boot_ms != 0)
        end_by(l, l->word_end_boot_ms, now);
    l->word_end_boot_ms = 0;
}

void lease_cut(struct lease *l, struct lease_clock now)
{
    end_by(l, now.boot_ms, now);
    l->word_end_boot_ms = 0;
}

/* ---- its state ---- */

/* Milliseconds past the end, by the clock that is further; negative before it. */
static int64_t past_end_ms(const struct lease *l, struct lease_clock now)
{
    int64_t wall_ms = (now.now_s - l->end_s) * 1000, boot_ms = now.boot_ms - l->end_boot_ms;

    return wall_ms > boot_ms ? wall_ms : boot_ms;
}

lease_state lease_state_at(const struct lease *l, int64_t grace_s, struct lease_clock now)
{
    int64_t past_ms = past_end_ms(l, now);

    if (past_ms < 0)
        return LEASE_OPEN;
    return past_ms < grace_s * 1000 ? LEASE_GRACE : LEASE_OVER;
}

int64_t lease_left_s(const struct lease *l, struct lease_clock now)
{
    int64_t past_ms = past_end_ms(l, now);

    return past_ms >= 0 ? 0 : -past_ms / 1000;
}
