/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of rates, as a door that was broken into may leave it.  The door behind it gives each agent exactly what is left of its
 * budget by the numbers that a door may have written, takes no other number for one, and leaves a memory that a third door reads alike.
 *
 * Input: a byte of how it is laid out, then slots.  The names that mean somebody are in tests/fuzz/dict/rates.dict.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "door/rates_memory.h"

#define COUNT      5
#define PERIOD_S   60
#define LONGEST_MS 63750 /* until what was done now is out of the window: 17 steps of 3750 */
#define SLOTS      12    /* of an input */
#define YEAR_S     (366 * 86400)

const unsigned long fuzz_replay_runs = 500; /* each makes and maps three memories of 3 MiB */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const agents[] = { "a", "b", "c" };
static const int64_t clocks_ms[] = { 0, 59000, 864000000, INT64_C(1) << 44 };

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* ---- what the bytes say, read in another way than the door does ---- */

static bool is_zero(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0 && at[len - 1] == 0)
        len--;
    return len == 0;
}

static int64_t step_of(const struct rate_slot *s)
{
    return (s->rate.period_s * 1000 + 15) / 16;
}

static bool is_a_doors(const struct rate_slot *s, int64_t now_ms)
{
    bool holds = !is_zero(s->name, sizeof s->name) && s->rate.count > 0 && s->rate.period_s > 0 &&
                 s->rate.period_s <= YEAR_S && s->newest >= 0 && s->newest <= now_ms / step_of(s);

    for (size_t i = 0; i < 17; i++)
        holds = holds && s->steps[i] <= UINT64_C(1) << 53;
    return holds;
}

/* What counts under the slot's own rate, and of that what is after then_ms. */
static uint64_t count_after(const struct rate_slot *s, int64_t now_ms, int64_t then_ms)
{
    uint64_t sum = 0;
    int64_t now = now_ms / step_of(s);

    for (int64_t n = s->newest; n > s->newest - 17; n--)
        if (n >= now - 16 && (then_ms == INT64_MIN || (n >= 0 && (n + 1) * step_of(s) > then_ms)))
            sum += s->steps[((n % 17) + 17) % 17];
    return sum;
}

/* The slot that is an agent's: with one that is called the same a door leaves the later one. */
static const struct rate_slot *find(const struct rate_slot *slots, size_t count, const uint8_t *name, int64_t now_ms)
{
    const struct rate_slot *found = NULL;

    for (size_t i = 0; i < count; i++)
        if (is_a_doors(&slots[i], now_ms) && memcmp(slots[i].name, name, RATE_NAME_LEN) == 0 &&
            count_after(&slots[i], now_ms, INT64_MIN) != 0)
            found = &slots[i];
    return found;
}

static uint64_t budget_of(const struct rate_slot *slots, size_t count, const char *agent, int64_t now_ms)
{
    char key[] = "i\0?\0f:r";
    uint8_t name[RATE_NAME_LEN];
    const struct rate_slot *s;
    uint64_t used;

    key[2] = agent[0];
    SHA256((const uint8_t *)key, sizeof key, name);
    s = find(slots, count, name, now_ms);
    if (s == NULL)
        return COUNT;
    if (s->rate.count == COUNT && s->rate.period_s == PERIOD_S)
        used = count_after(s, now_ms, INT64_MIN);
    else
        used = count_after(s, now_ms, now_ms - PERIOD_S * 1000);
    return used < COUNT ? COUNT - used : 0;
}

/* ---- doors ---- */

struct door {
    struct rates *rates;
    struct rate_slot *slots; /* another view of its memory */
};

static struct door start(struct rates_memory *m, int64_t now_ms)
{
    struct door d = { 0 };
    size_t used;
    int fd = -1;

    demand(rates_memory_renew(m, &fd, NULL) == POSTERN_OK);
    demand(rates_new(&d.rates, NULL) == POSTERN_OK && rates_share(d.rates, fd, now_ms, NULL) == POSTERN_OK);
    demand(rates_memory_map(fd, &d.slots, &used, NULL) == POSTERN_OK);
    return d;
}

static void end(struct door *d)
{
    rates_free(d->rates);
    rates_memory_unmap(d->slots);
}

static bool take(struct door *d, const char *agent, int64_t now_ms)
{
    const struct rate_use use = { "f:r", { COUNT, PERIOD_S } };
    int64_t wait_ms;
    postern_err e = rates_take(d->rates, "i", agent, &use, 1, now_ms, &wait_ms, NULL);

    demand(e == POSTERN_OK || (e == POSTERN_ERR_RATE && wait_ms > 0 && wait_ms <= LONGEST_MS));
    return e == POSTERN_OK;
}

static uint64_t take_all(struct door *d, const char *agent, int64_t now_ms)
{
    uint64_t taken = 0;

    while (taken <= COUNT && take(d, agent, now_ms))
        taken++;
    return taken;
}

/* Whatever stood there before: what stands there now is a door's, once under each name. */
static void check_memory(const struct rate_slot *slots, size_t count, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        demand(is_zero(&slots[i], sizeof slots[i]) || is_a_doors(&slots[i], now_ms));
        for (size_t k = 0; k < i; k++)
            demand(is_zero(slots[i].name, RATE_NAME_LEN) || memcmp(slots[i].name, slots[k].name, RATE_NAME_LEN) != 0);
    }
}

/* The memory that the first door left, in its first slots or in its last. */
static struct rates_memory *leave(const struct rate_slot *left, size_t count, size_t at)
{
    struct rates_memory *m = NULL;
    struct rate_slot *slots = NULL;
    size_t used;
    int fd = -1;

    demand(rates_memory_new(&m, NULL) == POSTERN_OK && rates_memory_renew(m, &fd, NULL) == POSTERN_OK);
    demand(rates_memory_map(fd, &slots, &used, NULL) == POSTERN_OK && used == 0);
    if (count != 0)
        memcpy(&slots[at], left, count * sizeof *slots);
    rates_memory_unmap(slots);
    return m;
}

static void run(struct rates_memory *m, const struct rate_slot *left, size_t count, size_t at, int64_t now_ms)
{
    struct door d = start(m, now_ms);

    check_memory(&d.slots[at], count, now_ms);
    for (size_t i = 0; i < 3; i++)
        demand(take_all(&d, agents[i], now_ms) == budget_of(left, count, agents[i], now_ms));
    check_memory(d.slots, SLOTS + 3, now_ms);
    check_memory(&d.slots[RATES_MAX - SLOTS], SLOTS, now_ms);
    end(&d);
    d = start(m, now_ms);
    for (size_t i = 0; i < 3; i++)
        demand(take_all(&d, agents[i], now_ms) == 0);
    for (size_t i = 0; i < 3; i++)
        demand(take_all(&d, agents[i], now_ms + LONGEST_MS) == COUNT);
    end(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rate_slot left[SLOTS];
    size_t count = 0, at = 0;
    struct rates_memory *m;
    int64_t now_ms = clocks_ms[0];

    memset(left, 0, sizeof left);
    if (size > 0) {
        at = data[0] >= 0xf8 ? RATES_MAX - SLOTS : 0; /* seldom: each slot before them is looked at */
        now_ms = clocks_ms[data[0] & 3];
        size = size - 1 < sizeof left ? size - 1 : sizeof left;
        memcpy(left, data + 1, size);
        count = (size + sizeof left[0] - 1) / sizeof left[0];
    }
    m = leave(left, count, at);
    run(m, left, count, at, now_ms);
    rates_memory_unref(m);
    return 0;
}
