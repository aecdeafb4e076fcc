/* SPDX-License-Identifier: BSD-2-Clause */
/* See holds_control.h.  On the first thread of the door. */
#include "config.h"

#include <string.h>

#include "holds_control.h"

bool holds_control_is_for(const struct channel *c)
{
    return channel_type_is(c, "held") || channel_type_is(c, "hold") ||
           channel_type_is(c, "settle");
}

static void begin(postern_json_writer *w, const char *type, int64_t id)
{
    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "type", type);
    postern_json_put_integer(w, "id", id);
}

/* Fewer where they are long: an answer is one datagram. */
static bool answer_held(struct holds *h, struct channel *c, int64_t id, struct lease_clock now,
                        postern_buf *out)
{
    char after[POSTERN_REF_MAX] = "";
    int64_t limit = HOLDS_PAGE_MAX;

    (void)channel_text(c, "after", after, sizeof after); /* absent: from the first */
    for (; limit >= 1; limit /= 2) {
        postern_json_writer w = { .out = out };

        postern_buf_reset(out);
        begin(&w, "held", id);
        holds_list(h, after, (size_t)limit, now, &w);
        postern_json_close_object(&w);
        if (!out->failed)
            return true;
    }
    return false;
}

/* "a:b" in place. */
static size_t split(char *text, const char *ret[HOLDS_GROUPS_MAX])
{
    size_t count = 0;

    for (char *at = text; *at != '\0' && count < HOLDS_GROUPS_MAX;) {
        char *end = strchr(at, ':');

        ret[count++] = at;
        if (end == NULL)
            break;
        *end = '\0';
        at = end + 1;
    }
    return count;
}

static const char *word_of(postern_err e)
{
    return e == POSTERN_OK            ? "may"
           : e == POSTERN_ERR_HANDLE  ? "not_held"
           : e == POSTERN_ERR_AUTHZID ? "own_request"
                                      : "not_allowed";
}

static bool answer_hold(struct holds *h, struct channel *c, int64_t id, struct lease_clock now,
                        postern_buf *out)
{
    char ref[POSTERN_REF_MAX], user[HOLDS_APPROVER_MAX] = "", groups[HOLDS_GROUPS_TEXT_MAX] = "";
    const char *list[HOLDS_GROUPS_MAX];
    struct hold_approver who = { .user = user, .groups = list };
    postern_json_writer w = { .out = out };
    postern_error err = { 0 };
    int64_t admin = 0;

    if (!channel_text(c, "ref", ref, sizeof ref))
        return false;
    (void)channel_text(c, "user", user, sizeof user);       /* absent: without a name here */
    (void)channel_text(c, "groups", groups, sizeof groups); /* absent: in none */
    (void)channel_integer(c, "admin", &admin);              /* absent: none */
    who.group_count = split(groups, list);
    who.is_admin = admin == 1;
    begin(&w, "hold", id);
    postern_json_put_str(&w, "verdict", word_of(holds_judge(h, ref, &who, now, &w, &err)));
    postern_json_put_str(&w, "detail", err.detail);
    postern_json_close_object(&w);
    return true;
}

static bool answer_settle(struct holds *h, struct channel *c, int64_t id, struct lease_clock now,
                          postern_buf *out)
{
    char ref[POSTERN_REF_MAX], user[HOLDS_APPROVER_MAX], reason[POSTERN_BECAUSE_MAX] = "";
    postern_json_writer w = { .out = out };
    int64_t approve = -1;

    if (!channel_text(c, "ref", ref, sizeof ref) || !channel_text(c, "user", user, sizeof user) ||
        !channel_integer(c, "approve", &approve) || approve < 0 || approve > 1)
        return false;
    (void)channel_text(c, "reason", reason, sizeof reason); /* absent when empty */
    begin(&w, "settle", id);
    postern_json_put_integer(&w, "settled",
                             holds_settle(h, ref, approve == 1, user, reason, now.boot_ms));
    postern_json_close_object(&w);
    return true;
}

bool holds_control_answer(struct holds *h, struct channel *c, struct lease_clock now,
                          postern_buf *out)
{
    int64_t id;

    if (!channel_integer(c, "id", &id))
        return false;
    if (channel_type_is(c, "held"))
        return answer_held(h, c, id, now, out);
    if (channel_type_is(c, "hold"))
        return answer_hold(h, c, id, now, out);
    return answer_settle(h, c, id, now, out);
}
