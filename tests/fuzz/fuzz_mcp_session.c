/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: the first byte is how bytes are cut; of every line the first says who sends it, and
 * what becomes of its action.  What reaches a side is a line of the other's that was released or is
 * an answer, a list with entries left out, or an error of the door's own; no request is answered
 * twice; the cuts change nothing.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern-private/json.h>

#include "../support/mcp_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const unsigned long fuzz_replay_runs;
const unsigned long fuzz_replay_runs = 10000; /* an input is two sessions: 100 us */

#define LINES_MAX 256

struct line {
    postern_bytes text;
    enum adapter_side from;
};

struct run {
    struct mcp_rig *rig;
    uint8_t ruling; /* of what the present line asks for */
    const struct line *lines;
    size_t line_count;
    size_t answers, requests; /* at and of the client */
    postern_buf heard[2];
};

static void require(bool claim)
{
    if (!claim)
        abort();
}

static mcp_rig_ruling decide(void *arg, const struct mcp_rig_action *a)
{
    const struct run *r = arg;
    mcp_rig_ruling ruling = r->ruling / 2 % 4;

    require(a->id != 0 && (a->name[0] != '\0' || !a->can_wait));
    return ruling == MCP_RIG_HOLD && !a->can_wait ? MCP_RIG_REFUSE : ruling;
}

static bool may_see(void *arg, const char *action, postern_bytes resource)
{
    (void)arg;
    return action[0] != 't' || (resource.len != 0 && resource.ptr[0] != 'x');
}

/* ---- what comes out ---- */

static bool was_said(const struct run *r, enum adapter_side from, postern_bytes text)
{
    for (size_t i = 0; i < r->line_count; i++)
        if (r->lines[i].from == from && postern_bytes_equal(r->lines[i].text, text))
            return true;
    return false;
}

/* Is `text` what is left of `whole` when some of it is left out? */
static bool is_left_of(postern_bytes text, postern_bytes whole)
{
    size_t at = 0;

    for (size_t i = 0; i < whole.len && at < text.len; i++)
        at += whole.ptr[i] == text.ptr[at];
    return at == text.len;
}

static bool is_cut_list(const struct run *r, enum adapter_side from, postern_bytes text)
{
    for (size_t i = 0; i < r->line_count && from == ADAPTER_BACKEND; i++)
        if (r->lines[i].from == from && is_left_of(text, r->lines[i].text))
            return true;
    return false;
}

static bool is_own_error(postern_bytes text)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":";

    return text.len > sizeof head && memcmp(text.ptr, head, sizeof head - 1) == 0 &&
           memmem(text.ptr, text.len, ",\"error\":{\"code\":-32", 20) != NULL;
}

static void check_line(struct run *r, enum adapter_side by, postern_bytes text)
{
    enum adapter_side from = by == ADAPTER_CLIENT ? ADAPTER_BACKEND : ADAPTER_CLIENT;
    POSTERN_AUTO_JSON j = { .nodes_max = POSTERN_JSON_NODES_LARGE };

    require(postern_json_scan(&j, text, NULL) == POSTERN_OK);
    require(was_said(r, from, text) || is_own_error(text) || is_cut_list(r, from, text));
    if (by == ADAPTER_CLIENT && postern_json_member(&j, 0, "method") == POSTERN_JSON_ABSENT)
        r->answers++;
}

static void check_heard(struct run *r, enum adapter_side by)
{
    postern_reader reader = { postern_bytes_str(mcp_rig_heard(r->rig, by)) };
    postern_bytes text;

    postern_buf_add(&r->heard[by], reader.rest);
    while (postern_reader_take_until(&reader, '\n', &text))
        check_line(r, by, text);
    require(postern_reader_is_done(&reader));
}

/* ---- what goes in ---- */

static size_t cut_lines(const uint8_t *data, size_t size, struct line *ret)
{
    postern_reader reader = { { data, size } };
    size_t count = 0;
    postern_bytes text;

    while (count < LINES_MAX && postern_reader_take_until(&reader, '\n', &text))
        if (text.len != 0)
            ret[count++] = (struct line){ { text.ptr + 1, text.len - 1 }, text.ptr[0] % 2 };
    return count;
}

/* What is held is the same action when it is judged again, but for a tool that has changed. */
static void check_again(struct run *r)
{
    const struct mcp_rig_action *last = mcp_rig_last(r->rig);
    struct mcp_rig_action again;

    if (last == NULL || !mcp_rig_again(r->rig, last->id, &again))
        return;
    require(again.has_unnamed || !last->has_unnamed);
    again.has_unnamed = last->has_unnamed;
    require(last->can_wait && memcmp(last, &again, sizeof again) == 0);
}

static void say(struct run *r, const struct line *line)
{
    r->ruling = line->text.ptr[-1];
    r->requests += line->from == ADAPTER_CLIENT; /* each line is answered once at most */
    mcp_rig_give(r->rig, line->from, line->text);
    if (r->rig->last != ADAPTER_STEP_BROKEN)
        mcp_rig_give(r->rig, line->from, POSTERN_BYTES_LIT("\n"));
    check_again(r);
    check_heard(r, ADAPTER_CLIENT);
    check_heard(r, ADAPTER_BACKEND);
    require(r->answers <= r->requests);
}

/* Whatever still waits gets its verdict. */
static void settle_rest(struct run *r)
{
    for (uint64_t id = 1; id <= r->rig->action_count; id++)
        mcp_rig_settle(r->rig, id, id % 2 == 0 ? MCP_RIG_RELEASE : MCP_RIG_REFUSE);
    check_heard(r, ADAPTER_CLIENT);
    check_heard(r, ADAPTER_BACKEND);
    mcp_rig_goodbye(r->rig, POSTERN_ERR_EXPIRED);
    check_heard(r, ADAPTER_CLIENT);
    require(r->answers <= r->requests && r->rig->to_backend.len == 0);
}

static void live(struct run *r, size_t step)
{
    static unsigned count;
    char door[16];

    /* Pins outlive sessions, and are never freed: a few doors, of which each run uses two. */
    (void)snprintf(door, sizeof door, "d%u", count++ % 8);
    r->rig = malloc(sizeof *r->rig);
    require(r->rig != NULL && mcp_rig_open(r->rig, door));
    r->rig->decide = decide;
    r->rig->may_see = may_see;
    r->rig->arg = r;
    r->rig->step = step;
    r->rig->rows_max = 3;
    r->rig->bytes_max = 300;
    r->heard[0] = r->heard[1] = POSTERN_BUF_INIT(64u << 20);
    for (size_t i = 0; i < r->line_count && r->rig->last != ADAPTER_STEP_BROKEN; i++)
        say(r, &r->lines[i]);
    settle_rest(r);
    mcp_rig_close(r->rig);
    free(r->rig);
}

static void end(struct run *r)
{
    postern_buf_free(&r->heard[0]);
    postern_buf_free(&r->heard[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct line lines[LINES_MAX];
    struct run whole = { .lines = lines }, cut = { .lines = lines };

    if (size == 0 || size > 65536 || memchr(data, '\0', size) != NULL) /* heard as C strings */
        return 0;
    whole.line_count = cut.line_count = cut_lines(data + 1, size - 1, lines);
    live(&whole, 0);
    live(&cut, 1 + data[0] % 16);
    require(whole.answers == cut.answers);
    require(
        postern_bytes_equal(postern_buf_bytes(&whole.heard[1]), postern_buf_bytes(&cut.heard[1])));
    end(&whole);
    end(&cut);
    return 0;
}
