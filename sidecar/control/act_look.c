/* SPDX-License-Identifier: BSD-2-Clause */
/* sessions, blocks and status: what changes nothing; see act_inner.h.  What the door says of its
 * sessions is copied member by member, never passed on as it is. */
#include "act_inner.h"

#include <inttypes.h>
#include <stdio.h>

#include <postern-private/clock.h>

/* ---- sessions ---- */

static const char *const session_texts[] = { "id",  "door", "agent",   "human", "user",  "client",
                                             "sub", "jti",  "purpose", "peer",  "state", "issuer", NULL };
static const char *const session_numbers[] = { "since", "lease_end", "up", "down", "asked", NULL };
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static bool matches(const postern_json *j, uint32_t session, const char *name, const char *want)
{
    return want[0] == '\0' ||
           postern_json_string_is(j, postern_json_member(j, session, name), want);
}

void act_copy_text(const postern_json *j, uint32_t object, const char *name, const char *as,
                   postern_json_writer *w)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    postern_bytes text;

    if (postern_json_string(j, postern_json_member(j, object, name), &scratch, &text))
        postern_json_put_string(w, as, text);
}

void act_copy_object(const postern_json *j, uint32_t object, const char *const *texts,
                     const char *const *numbers, postern_json_writer *w)
{
    int64_t n = 0;

    postern_json_open_object(w, NULL);
    for (; *texts != NULL; texts++)
        act_copy_text(j, object, *texts, *texts, w);
    for (; *numbers != NULL; numbers++)
        if (postern_json_integer(j, postern_json_member(j, object, *numbers), &n))
            postern_json_put_integer(w, *numbers, n);
    postern_json_close_object(w);
}

/* The page's last id, whether or not the filter lets it through: where the next page begins. */
static void write_sessions(struct act *a, const postern_json *j)
{
    postern_json_writer w = { &a->reply, false };
    uint32_t list = postern_json_member(j, 0, "sessions"), last = POSTERN_JSON_ABSENT;
    bool has_more = postern_json_type_of(j, postern_json_member(j, 0, "more")) == POSTERN_JSON_TRUE;

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_open_array(&w, "sessions");
    for (uint32_t n = postern_json_first(j, list); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n)) {
        last = n;
        if (matches(j, n, "agent", a->rq.agent) && matches(j, n, "door", a->rq.door) &&
            matches(j, n, "user", a->rq.user))
            act_copy_object(j, n, session_texts, session_numbers, &w);
    }
    postern_json_close_array(&w);
    if (has_more && last != POSTERN_JSON_ABSENT) {
        POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
        postern_bytes id;

        if (postern_json_string(j, postern_json_member(j, last, "id"), &scratch, &id))
            postern_json_put_string(&w, "next", id);
    }
    postern_json_close_object(&w);
}

static void on_sessions(void *arg, link_news news, const struct channel *answer)
{
    struct act *a = arg;

    if (news == LINK_AWAY && !a->control->has_doors) {
        postern_buf_add_str(&a->reply, "{\"ok\":true,\"sessions\":[]}");
        act_finish(a, CONTROL_DONE);
    } else if (news == LINK_AWAY) {
        act_refuse(a, CONTROL_FAILED, "door_away", "The door child is away at the moment.");
    } else if (news == LINK_SILENT || !channel_type_is(answer, "sessions")) {
        act_refuse(a, CONTROL_FAILED, "door_silent", "The door child does not answer.");
    } else {
        write_sessions(a, channel_message(answer));
        act_finish(a, CONTROL_DONE);
    }
}

void act_sessions(struct act *a)
{
    const struct link_member members[] = {
        { "after", a->rq.after, 0 },
        { "limit", NULL, CONTROL_SESSIONS_PAGE },
    };

    link_ask(a->control->door, "sessions", members, COUNT(members), on_sessions, a);
}

/* ---- blocks ---- */

static void put_block(const struct blocked *b, postern_json_writer *w)
{
    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "agent", b->agent);
    postern_json_put_integer(w, "until", b->until_s);
    postern_json_put_str(w, "reason", b->reason);
    postern_json_close_object(w);
}

/* From *from on as many as one answer holds; *from is behind them. */
static void put_blocks(const struct block_list *l, size_t *from, postern_json_writer *w)
{
    size_t i = *from, end = i + CONTROL_BLOCKS_PAGE;
    int64_t now_s = clock_wall_s();

    for (; i < l->count && i < end && w->out->len < CONTROL_BLOCKS_PAGE_LEN; i++)
        if (l->entries[i].until_s == 0 || l->entries[i].until_s > now_s)
            put_block(&l->entries[i], w); /* others are over and go at the next write */
    *from = i;
}

/* `list` tells whoever reads page by page that the file was another one for the page before. */
void act_blocks(struct act *a)
{
    const struct block_list *l = blocks_file_list(a->control->blocks);
    postern_json_writer w = { &a->reply, false };
    size_t from = (size_t)a->rq.from;
    char digest[17];

    (void)snprintf(digest, sizeof digest, "%016" PRIx64, l->digest);
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_open_array(&w, "blocks");
    put_blocks(l, &from, &w);
    postern_json_close_array(&w);
    if (from < l->count)
        postern_json_put_integer(&w, "next", (int64_t)from);
    postern_json_put_str(&w, "list", digest);
    postern_json_put_str(&w, "trouble", blocks_file_trouble(a->control->blocks));
    postern_json_close_object(&w);
    act_finish(a, CONTROL_DONE);
}

/* ---- status ---- */

static const char *state_of(const struct link *l, bool is_expected)
{
    if (!link_is_there(l))
        return is_expected ? "away" : "none";
    return link_is_told(l) ? "told" : "connected";
}

void act_status(struct act *a)
{
    const struct control *c = a->control;
    postern_json_writer w = { &a->reply, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_str(&w, "role", control_role_name(a->role));
    postern_json_put_str(&w, "door", state_of(c->door, c->has_doors));
    postern_json_put_str(&w, "helper", state_of(c->helper, true));
    postern_json_put_str(&w, "audit", c->is_audited ? "connected" : "away");
    postern_json_put_integer(&w, "blocks", (int64_t)blocks_file_list(c->blocks)->count);
    postern_json_put_str(&w, "trouble", blocks_file_trouble(c->blocks));
    postern_json_close_object(&w);
    act_finish(a, CONTROL_DONE);
}
