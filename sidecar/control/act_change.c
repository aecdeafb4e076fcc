/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kill, block and unblock, once their record is written; see act_inner.h.  A block's answer says
 * what is in force where: what the administrator must not have to guess.
 */
#include "act_inner.h"

#include <postern-private/clock.h>

#include "log.h"

const char *act_cannot(const struct act *a, const char **ret_message)
{
    const struct control *c = a->control;

    if (a->rq.verb == CONTROL_KILL && !link_is_there(c->door)) {
        *ret_message = c->has_doors
                           ? "The door child is away at the moment; nothing was ended. Try again."
                           : "No door is configured here: there are no sessions to end.";
        return c->has_doors ? "door_away" : "no_doors";
    }
    if (a->rq.verb == CONTROL_UNBLOCK &&
        !block_list_has(blocks_file_list(c->blocks), a->rq.agent, clock_wall_s())) {
        *ret_message = "This agent is not blocked.";
        return "not_blocked";
    }
    return NULL;
}

/* ---- kill ---- */

static void on_killed(void *arg, link_news news, const struct channel *answer)
{
    struct act *a = arg;
    postern_json_writer w = { &a->reply, false };
    int64_t ended = 0;

    if (news == LINK_AWAY) {
        act_refuse(a, CONTROL_FAILED, "door_away",
                   "The door child went away: whether sessions ended is not known. Try again.");
        return;
    }
    if (news == LINK_SILENT || !channel_integer(answer, "ended", &ended)) {
        act_refuse(a, CONTROL_FAILED, "door_silent",
                   "The door child was told and has not confirmed yet: see posternd's log.");
        return;
    }
    log_note("uid %ju ended %jd sessions by %s", (uintmax_t)a->uid, (intmax_t)ended, a->rq.by);
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_integer(&w, "ended", ended);
    postern_json_put_str(&w, "ref", a->ref);
    postern_json_close_object(&w);
    act_finish(a, CONTROL_DONE);
}

void act_kill(struct act *a)
{
    const struct link_member members[] = {
        { "by", a->rq.by, 0 },
        { "value", a->rq.value, 0 },
        { "reason", a->rq.reason, 0 },
    };

    link_ask(a->control->door, "kill", members, sizeof members / sizeof *members, on_killed, a);
}

/* ---- block and unblock ---- */

static void answer_block(struct act *a)
{
    postern_json_writer w = { &a->reply, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_str(&w, "agent", a->rq.agent);
    postern_json_put_str(&w, "ref", a->ref);
    postern_json_put_str(&w, "door", act_door_word(a->control, a->door));
    postern_json_put_str(&w, "helper", control_news_word(a->helper));
    if (a->rq.verb == CONTROL_BLOCK) {
        postern_json_put_integer(&w, "until", a->until_s);
        postern_json_put_integer(&w, "ended", a->ended);
    }
    if (a->logins_text.len != 0)
        postern_json_put_raw(&w, "logins", postern_buf_bytes(&a->logins_text));
    postern_json_close_object(&w);
    act_finish(a, CONTROL_DONE);
}

static void close_one(struct act *a)
{
    if (--a->open == 0)
        answer_block(a);
}

static void on_door(void *arg, link_news news, const struct channel *answer)
{
    struct act *a = arg;
    int64_t ended = 0;

    a->door = news;
    if (news == LINK_KNOWS && channel_integer(answer, "ended", &ended) && ended > 0)
        a->ended = ended;
    close_one(a);
}

static void on_helper(void *arg, link_news news, const struct channel *answer)
{
    struct act *a = arg;

    (void)answer; /* that it is there is all it says */
    a->helper = news;
    close_one(a);
}

static void copy_login(const postern_json *j, uint32_t node, postern_json_writer *w)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(CONTROL_NAME_MAX * 6);
    postern_bytes service;
    int64_t count = 0, last_s = 0;

    if (!postern_json_string(j, postern_json_member(j, node, "service"), &scratch, &service) ||
        !postern_json_integer(j, postern_json_member(j, node, "count"), &count) ||
        !postern_json_integer(j, postern_json_member(j, node, "last"), &last_s))
        return;
    postern_json_open_object(w, NULL);
    postern_json_put_string(w, "service", service);
    postern_json_put_integer(w, "count", count);
    postern_json_put_integer(w, "last", last_s);
    postern_json_close_object(w);
}

static void on_logins(void *arg, link_news news, const struct channel *answer)
{
    struct act *a = arg;
    postern_json_writer w = { &a->logins_text, false };

    if (news == LINK_KNOWS) {
        const postern_json *j = channel_message(answer);
        uint32_t list = postern_json_member(j, 0, "logins");

        postern_json_open_array(&w, NULL);
        for (uint32_t n = postern_json_first(j, list); n != POSTERN_JSON_ABSENT;
             n = postern_json_next(j, n))
            copy_login(j, n, &w);
        postern_json_close_array(&w);
        if (a->logins_text.failed)
            postern_buf_reset(&a->logins_text); /* then they are not known */
    }
    close_one(a);
}

static void await_children(struct act *a)
{
    struct control *c = a->control;
    const struct link_member who[] = { { "agent", a->rq.agent, 0 } };

    a->open = 3;
    link_await_blocks(c->door, on_door, a);
    link_await_blocks(c->helper, on_helper, a);
    if (a->rq.verb == CONTROL_BLOCK) {
        a->open++;
        link_ask(c->helper, "logins", who, 1, on_logins, a);
    }
    close_one(a); /* the one that kept it open while the others were asked */
}

/* The record says that it was done; this one says that it was not. */
static void take_back(struct act *a, postern_err e)
{
    struct audit_record r = act_record(a, e);
    postern_error err = { 0 };

    if (audit_line_send(a->control->audit, &r, NULL, NULL, &err) != POSTERN_OK)
        log_error("administration: the record of a failure", &err);
}

static const char *word_of(postern_err e)
{
    return e == POSTERN_ERR_BUSY          ? "busy"
           : e == POSTERN_ERR_CONFIG_FILE ? "blocks_file"
           : e == POSTERN_ERR_SYSTEM      ? "not_written"
                                          : "failed";
}

void act_block(struct act *a)
{
    const struct block_change change = {
        .agent = a->rq.agent,
        .is_added = a->rq.verb == CONTROL_BLOCK,
        .until_s = a->until_s,
        .reason = a->rq.reason,
        .now_s = clock_wall_s(),
    };
    postern_err e = blocks_file_change(a->control->blocks, &change, &a->error);

    if (e == POSTERN_OK) {
        await_children(a);
        return;
    }
    take_back(a, e);
    act_fail(a, word_of(e), &a->error);
}
