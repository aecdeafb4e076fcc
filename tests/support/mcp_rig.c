/* SPDX-License-Identifier: BSD-2-Clause */
/* See mcp_rig.h. */
#include "config.h"

#include "mcp_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern-private/json.h>

#define FLOW_MAX (8u * 1024 * 1024)

static postern_failure failure_of(postern_err code)
{
    return (postern_failure){ .code = code,
                              .ref = "R-7Q2M4XKD90",
                              .scope = "files.read",
                              .resource_metadata = "https://tools.example/.well-known/x" };
}

/* ---- opening ---- */

static bool log_in(struct mcp_rig *r, const char *door)
{
    static const char login[] = "AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHQBAQ==\r\n";
    struct adapter_granted g = { door, 1780000000, 300, POSTERN_BYTES_LIT("c2VjcmV0"), "R-1" };
    struct adapter_login said = { 0 };
    size_t used = 0;

    if (r->adapter->feed(r->state, postern_bytes_str(login), &used, &said, NULL) != ADAPTER_LOGIN ||
        used != sizeof login - 1)
        return false;
    if (r->adapter->inspector->greet(r->state, NULL, &r->to_backend, NULL) != POSTERN_OK ||
        r->adapter->inspector->greeted(r->state, POSTERN_BYTES_NONE, &used, &r->to_backend, NULL) !=
            ADAPTER_STEP_PASS ||
        used != 0 || r->to_backend.len != 0)
        return false;
    r->adapter->grant(r->state, &g, &r->to_client);
    if (r->to_client.failed)
        return false;
    postern_buf_reset(&r->to_client);
    return true;
}

static bool see(void *arg, const char *action, postern_bytes resource)
{
    struct mcp_rig *r = arg;

    return r->may_see == NULL || r->may_see(r->arg, action, resource);
}

static void note_withdrawn(void *arg, uint64_t id)
{
    struct mcp_rig *r = arg;

    r->withdrawn_count++;
    r->withdrawn = id;
}

bool mcp_rig_open(struct mcp_rig *r, const char *door)
{
    memset(r, 0, sizeof *r);
    r->adapter = adapter_find("mcp");
    r->to_client = r->to_backend = POSTERN_BUF_INIT(FLOW_MAX);
    r->in[0] = r->in[1] = POSTERN_BUF_INIT(FLOW_MAX);
    r->state = calloc(1, r->adapter->state_size);
    r->actions = calloc(MCP_RIG_ACTIONS, sizeof *r->actions);
    if (r->state == NULL || r->actions == NULL)
        return false;
    r->host = (struct adapter_host){ .may_see = see, .withdrawn = note_withdrawn, .arg = r };
    if (!log_in(r, door))
        return false;
    r->adapter->inspector->begin(r->state, &r->host);
    r->last = ADAPTER_STEP_MORE;
    return true;
}

void mcp_rig_close(struct mcp_rig *r)
{
    if (r->state != NULL)
        r->adapter->wipe(r->state);
    for (size_t i = 0; r->state != NULL && i < r->adapter->state_size; i++)
        if (((uint8_t *)r->state)[i] != 0)
            abort();
    free(r->state);
    free(r->actions);
    r->state = NULL;
    r->actions = NULL;
    postern_buf_free(&r->to_client);
    postern_buf_free(&r->to_backend);
    postern_buf_free(&r->in[0]);
    postern_buf_free(&r->in[1]);
}

/* ---- actions ---- */

static void keep_text(char *room, size_t size, postern_bytes text)
{
    size_t len = text.len < size ? text.len : size - 1;

    if (len != 0)
        memcpy(room, text.ptr, len);
    room[len] = '\0';
}

static void keep_args(struct mcp_rig_action *to, const postern_policy_args *args)
{
    if (args->kind == POSTERN_POLICY_ARGS_JSON)
        keep_text(to->args, sizeof to->args, postern_json_raw(args->json, args->object));
    else
        keep_text(to->args, sizeof to->args, POSTERN_BYTES_LIT("?"));
}

static void keep_digested(struct mcp_rig_action *to, const struct adapter_action *a)
{
    size_t len = 0;

    for (size_t i = 0; i < a->digested_count; i++) {
        if (i != 0 && len + 1 < sizeof to->digested)
            to->digested[len++] = '|';
        keep_text(to->digested + len, sizeof to->digested - len, a->digested[i]);
        len += strlen(to->digested + len);
    }
}

static void copy_action(struct mcp_rig_action *to, const struct adapter_action *a)
{
    memset(to, 0, sizeof *to);
    to->id = a->id;
    to->from = a->from;
    keep_text(to->name, sizeof to->name, postern_bytes_str(a->name));
    keep_text(to->resource, sizeof to->resource,
              a->resource_count == 0 ? POSTERN_BYTES_LIT("?") : a->resources[0]);
    keep_args(to, &a->args);
    keep_text(to->purpose, sizeof to->purpose, postern_bytes_str(a->claimed_purpose));
    keep_digested(to, a);
    to->has_unnamed = a->has_unnamed;
    to->can_wait = a->can_wait;
}

static struct mcp_rig_action *keep_action(struct mcp_rig *r, const struct adapter_action *a)
{
    struct mcp_rig_action *to = &r->actions[r->action_count++ % MCP_RIG_ACTIONS];

    copy_action(to, a);
    return to;
}

bool mcp_rig_again(struct mcp_rig *r, uint64_t id, struct mcp_rig_action *ret)
{
    struct adapter_action a;

    if (!r->adapter->inspector->again(r->state, id, &a))
        return false;
    copy_action(ret, &a);
    return true;
}

const struct mcp_rig_action *mcp_rig_last(const struct mcp_rig *r)
{
    return r->action_count == 0 ? NULL : &r->actions[(r->action_count - 1) % MCP_RIG_ACTIONS];
}

void mcp_rig_settle(struct mcp_rig *r, uint64_t id, mcp_rig_ruling ruling)
{
    postern_failure f = failure_of(POSTERN_ERR_POLICY);
    struct adapter_verdict v = { .ruling = ADAPTER_REFUSE,
                                 .denied = { .failure = &f, .because = "not for agents" } };
    struct adapter_flow out = { &r->to_client, &r->to_backend };

    if (ruling == MCP_RIG_LATER)
        return;
    if (ruling != MCP_RIG_REFUSE)
        v = (struct adapter_verdict){
            .ruling = ruling == MCP_RIG_HOLD ? ADAPTER_HOLD : ADAPTER_RELEASE,
            .rows_max = r->rows_max,
            .bytes_max = r->bytes_max,
        };
    r->adapter->inspector->settle(r->state, id, &v, &out);
}

/* ---- bytes ---- */

static postern_buf *flow_of(struct mcp_rig *r, enum adapter_side side)
{
    return side == ADAPTER_CLIENT ? &r->to_client : &r->to_backend;
}

/* One read() of the side's bytes in a block of their own, so that an overread is seen. */
static size_t read_once(struct mcp_rig *r, enum adapter_side from)
{
    postern_buf *in = &r->in[from];
    uint8_t *block = malloc(in->len == 0 ? 1 : in->len);
    struct adapter_flow out = { &r->to_client, &r->to_backend };
    struct adapter_action action;
    struct adapter_login login;
    size_t used = 0;

    if (block == NULL)
        block = malloc(in->len == 0 ? 1 : in->len); /* a test let the first one fail: not for us */
    if (block == NULL)
        abort();
    if (in->len != 0)
        memcpy(block, in->ptr, in->len);
    r->last = r->adapter->inspector->read(r->state, from, (postern_bytes){ block, in->len }, &used,
                                          &action, &login, &out, &r->err);
    if (r->last == ADAPTER_STEP_PASS)
        postern_buf_add(flow_of(r, from == ADAPTER_CLIENT ? ADAPTER_BACKEND : ADAPTER_CLIENT),
                        (postern_bytes){ block, used });
    if (r->last == ADAPTER_STEP_JUDGE) {
        const struct mcp_rig_action *a = keep_action(r, &action);

        mcp_rig_settle(r, a->id, r->decide == NULL ? MCP_RIG_RELEASE : r->decide(r->arg, a));
    }
    free(block);
    return used;
}

static void take_off(postern_buf *b, size_t used)
{
    if (used > b->len)
        abort();
    memmove(b->ptr, b->ptr + used, b->len - used);
    b->len -= used;
}

static void read_side(struct mcp_rig *r, enum adapter_side from)
{
    do {
        size_t used = read_once(r, from);

        if (used != 0)
            take_off(&r->in[from], used);
    } while (r->last == ADAPTER_STEP_AGAIN || r->last == ADAPTER_STEP_PASS ||
             r->last == ADAPTER_STEP_JUDGE);
}

/* A test that lets one allocation fail does not mean this one. */
static void add_surely(postern_buf *b, postern_bytes more)
{
    postern_buf_add(b, more);
    if (!b->failed)
        return;
    b->failed = false; /* and nothing was added */
    postern_buf_add(b, more);
}

void mcp_rig_give(struct mcp_rig *r, enum adapter_side from, postern_bytes bytes)
{
    size_t step = r->step == 0 ? bytes.len : r->step;

    for (size_t at = 0; at < bytes.len && (at == 0 || r->last != ADAPTER_STEP_BROKEN); at += step) {
        size_t len = bytes.len - at < step ? bytes.len - at : step;

        add_surely(&r->in[from], (postern_bytes){ bytes.ptr + at, len });
        read_side(r, from);
    }
}

void mcp_rig_say(struct mcp_rig *r, enum adapter_side from, const char *message)
{
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(FLOW_MAX);

    postern_buf_add_str(&line, message);
    postern_buf_add_byte(&line, '\n');
    mcp_rig_give(r, from, postern_buf_bytes(&line));
}

void mcp_rig_go_on(struct mcp_rig *r)
{
    read_side(r, ADAPTER_CLIENT);
    read_side(r, ADAPTER_BACKEND);
}

void mcp_rig_goodbye(struct mcp_rig *r, postern_err code)
{
    postern_failure f = failure_of(code);
    struct adapter_denied d = { .failure = &f };
    struct adapter_flow out = { &r->to_client, &r->to_backend };

    r->adapter->inspector->goodbye(r->state, &d, &out);
}

const char *mcp_rig_heard(struct mcp_rig *r, enum adapter_side by)
{
    static char room[2][FLOW_MAX];
    postern_buf *flow = flow_of(r, by);

    if (flow->failed || flow->len >= FLOW_MAX)
        return NULL;
    if (flow->len != 0)
        memcpy(room[by], flow->ptr, flow->len);
    room[by][flow->len] = '\0';
    flow->len = 0;
    return room[by];
}
