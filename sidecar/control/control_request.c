/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of a control request by one table of names and one of verbs; see control_request.h.
 * Called by act.c and its fuzzer.
 */
#include "control_request.h"

#include <inttypes.h>
#include <stddef.h>

#include <postern-private/json.h>

enum member {
    MEMBER_VERB,
    MEMBER_AGENT,
    MEMBER_DOOR,
    MEMBER_USER,
    MEMBER_AFTER,
    MEMBER_BY,
    MEMBER_VALUE,
    MEMBER_REASON,
    MEMBER_REF,
    MEMBER_FOR,
    MEMBER_FROM,
    MEMBERS
};

/* Texts go into a room of the request; the others have a reader of their own. */
static const struct {
    const char *name;
    size_t at, size; /* 0: no text */
} members[MEMBERS] = {
/* clang-format off */
#define TEXT(m) #m, offsetof(struct control_request, m), sizeof(((struct control_request *)0)->m)
    /* clang-format on */
    [MEMBER_VERB] = { "verb", 0, 0 }, [MEMBER_AGENT] = { TEXT(agent) },
    [MEMBER_DOOR] = { TEXT(door) },   [MEMBER_USER] = { TEXT(user) },
    [MEMBER_AFTER] = { TEXT(after) }, [MEMBER_BY] = { "by", 0, 0 },
    [MEMBER_VALUE] = { TEXT(value) }, [MEMBER_REASON] = { TEXT(reason) },
    [MEMBER_REF] = { TEXT(ref) },
    [MEMBER_FOR] = { "for", 0, 0 },   [MEMBER_FROM] = { "from", 0, 0 },
#undef TEXT
};

#define BIT(m) (1U << (m))
static const struct {
    const char *name;
    unsigned required, optional; /* members besides "verb" */
    control_role least;          /* who may; each role may what the ones below it may */
} verbs[CONTROL_VERBS] = {
    [CONTROL_VERB_NONE] = { "none", 0, 0, CONTROL_ROLES },
    [CONTROL_SESSIONS] = { "sessions", 0,
                           BIT(MEMBER_AGENT) | BIT(MEMBER_DOOR) | BIT(MEMBER_USER) |
                               BIT(MEMBER_AFTER),
                           CONTROL_WATCHER },
    [CONTROL_KILL] = { "kill", BIT(MEMBER_BY) | BIT(MEMBER_VALUE), BIT(MEMBER_REASON),
                       CONTROL_ADMIN },
    [CONTROL_BLOCK] = { "block", BIT(MEMBER_AGENT), BIT(MEMBER_FOR) | BIT(MEMBER_REASON),
                        CONTROL_ADMIN },
    [CONTROL_UNBLOCK] = { "unblock", BIT(MEMBER_AGENT), 0, CONTROL_ADMIN },
    [CONTROL_BLOCKS] = { "blocks", 0, BIT(MEMBER_FROM), CONTROL_WATCHER },
    [CONTROL_STATUS] = { "status", 0, 0, CONTROL_WATCHER },
    [CONTROL_HELD] = { "held", 0, BIT(MEMBER_AFTER), CONTROL_WATCHER },
    [CONTROL_APPROVE] = { "approve", BIT(MEMBER_REF), BIT(MEMBER_REASON), CONTROL_NOBODY },
    [CONTROL_DENY] = { "deny", BIT(MEMBER_REF), BIT(MEMBER_REASON), CONTROL_NOBODY },
};

static const char *const kinds[] = { "session", "sub", "client", "jti", "agent" };

/* ---- rights ---- */

bool control_may(control_role role, control_verb verb)
{
    bool is_judged_by_rules = verb == CONTROL_APPROVE || verb == CONTROL_DENY;

    return role < CONTROL_ROLES && verb > CONTROL_VERB_NONE && verb < CONTROL_VERBS &&
           (is_judged_by_rules ||
            (verbs[verb].least > CONTROL_NOBODY && role >= verbs[verb].least));
}

const char *control_verb_name(control_verb verb)
{
    return verbs[verb < CONTROL_VERBS ? verb : CONTROL_VERB_NONE].name;
}

const char *control_role_name(control_role role)
{
    return role == CONTROL_ADMIN ? "admin" : role == CONTROL_WATCHER ? "watcher" : "nobody";
}

/* ---- members ---- */

/* Text that is there says something: an empty filter or name is a mistake of a script. */
static postern_err copy_text(const postern_json *j, uint32_t node, enum member m,
                             struct control_request *rq, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(CONTROL_REQUEST_MAX);
    char *room = (char *)rq + members[m].at;
    postern_bytes text;

    if (postern_json_type_of(j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, MALFORMED, "\"%s\" is no string.", members[m].name);
    if (!postern_json_string(j, node, &scratch, &text))
        return POSTERN_FAIL(err, NOMEM, "a member of the request");
    if (text.len >= members[m].size)
        return POSTERN_FAIL(err, MALFORMED, "\"%s\" is longer than %zu bytes.", members[m].name,
                            members[m].size - 1);
    if ((text.len == 0 && m != MEMBER_REASON) || postern_bytes_has_control(text))
        return POSTERN_FAIL(err, MALFORMED, "\"%s\" is empty or holds a control character.",
                            members[m].name);
    if (text.len != 0)
        memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return POSTERN_OK;
}

static postern_err read_number(const postern_json *j, uint32_t node, int64_t least, int64_t most,
                               int64_t *ret, postern_error *err)
{
    int64_t n = 0;

    if (!postern_json_integer(j, node, &n) || n < least || n > most)
        return POSTERN_FAIL(err, MALFORMED,
                            "A number of the request is none from %" PRId64 " to %" PRId64 ".",
                            least, most);
    *ret = n;
    return POSTERN_OK;
}

static postern_err read_kind(const postern_json *j, uint32_t node, struct control_request *rq,
                             postern_error *err)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (postern_json_string_is(j, node, kinds[i])) {
            rq->by = kinds[i];
            return POSTERN_OK;
        }
    return POSTERN_FAIL(err, MALFORMED, "\"by\" is none of session, sub, client, jti, agent.");
}

static postern_err read_member(const postern_json *j, uint32_t node, enum member m,
                               struct control_request *rq, postern_error *err)
{
    switch (m) {
    case MEMBER_VERB:
        return POSTERN_OK; /* find_verb() compares it where it stands */
    case MEMBER_BY:
        return read_kind(j, node, rq, err);
    case MEMBER_FOR:
        return read_number(j, node, 1, CONTROL_BLOCK_FOR_MAX_S, &rq->for_s, err);
    case MEMBER_FROM:
        return read_number(j, node, 0, POSTERN_BLOCKS_MAX, &rq->from, err);
    case MEMBERS:
        return POSTERN_FAIL(err, MALFORMED,
                            "The request has a member that is not known here; is postern newer "
                            "than posternd?");
    default:
        return copy_text(j, node, m, rq, err);
    }
}

/* *ret_seen gets a bit for each member. */
static postern_err read_members(const postern_json *j, struct control_request *rq,
                                unsigned *ret_seen, postern_error *err)
{
    *ret_seen = 0;
    for (uint32_t n = postern_json_first(j, 0); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n)) {
        enum member m = MEMBER_VERB;

        while (m < MEMBERS && !postern_json_name_is(j, n, members[m].name))
            m++;
        POSTERN_TRY(read_member(j, n, m, rq, err));
        *ret_seen |= BIT(m);
    }
    return POSTERN_OK;
}

static postern_err find_verb(const postern_json *j, unsigned seen, control_verb *ret,
                             postern_error *err)
{
    uint32_t node = postern_json_member(j, 0, "verb");

    seen &= ~BIT(MEMBER_VERB);
    for (control_verb v = CONTROL_VERB_NONE + 1; v < CONTROL_VERBS; v++) {
        if (!postern_json_string_is(j, node, verbs[v].name))
            continue;
        if ((seen & verbs[v].required) != verbs[v].required ||
            (seen & ~(verbs[v].required | verbs[v].optional)) != 0)
            return POSTERN_FAIL(err, MALFORMED,
                                "%s lacks a member, or has one that it does not take.",
                                verbs[v].name);
        *ret = v;
        return POSTERN_OK;
    }
    return POSTERN_FAIL(err, MALFORMED,
                        "The verb is none of sessions, kill, block, unblock, blocks, status, held, "
                        "approve, deny.");
}

static postern_err check_agent(const struct control_request *rq, postern_error *err)
{
    bool is_written = rq->verb == CONTROL_BLOCK || rq->verb == CONTROL_UNBLOCK;

    if (is_written && !block_agent_is_fine(postern_bytes_str(rq->agent)))
        return POSTERN_FAIL(err, MALFORMED, "\"agent\" is longer than %zu bytes.",
                            BLOCK_AGENT_MAX - 1);
    return POSTERN_OK;
}

postern_err control_request_parse(postern_bytes line, struct control_request *ret,
                                  postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct control_request rq = { .verb = CONTROL_VERB_NONE };
    unsigned seen = 0;

    POSTERN_TRY(postern_json_scan(&j, line, err));
    if (postern_json_type_of(&j, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "A request is one JSON object.");
    POSTERN_TRY(read_members(&j, &rq, &seen, err));
    POSTERN_TRY(find_verb(&j, seen, &rq.verb, err));
    POSTERN_TRY(check_agent(&rq, err));
    *ret = rq;
    return POSTERN_OK;
}
