/* SPDX-License-Identifier: BSD-2-Clause */
/* What children tell their supervisor (sidecar/role.h), and what follows from it; see generation.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "generation_inner.h"
#include "key_set.h"
#include "published_file.h"

#define CLOSED_MAX_MS 1000 /* between a child's end of file and its end lies its own tidying up */
#define CERTIFICATE_MAX 8192 /* bytes of PEM: one P-256 certificate has 800 */

static postern_err write_jwks(struct generation *g, const struct channel *channel, postern_error *err)
{
    const char *path = postern_section_text(server_section(g->config), "jwks_file");
    const postern_json *m = channel_message(channel);
    uint32_t set = postern_json_member(m, 0, "jwks");

    POSTERN_TRY(key_set_check(m, set, err));
    return published_file_write(path, postern_json_raw(m, set), err);
}

static void handle_jwks(struct generation *g, struct child *issuer)
{
    postern_error err;
    postern_err e = write_jwks(g, issuer->channel, &err);

    if (e == POSTERN_OK) {
        issuer->has_jwks_written = true;
        child_tell(issuer, "jwks_written", -1);
        return;
    }
    log_error("jwks_file", &err);
    child_condemn(issuer, e == POSTERN_ERR_MALFORMED ? "sent a key set that cannot be used" :
                                                 "has no key set on disk");
}

/* A certificate and nothing else: what is written there is trusted by clients. */
static postern_err write_certificate(struct generation *g, struct child *door, postern_error *err)
{
    const char *path = postern_section_text(daemon_section(g->config), "door_cert_file");
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    char pem[CERTIFICATE_MAX];

    if (!channel_text(door->channel, "pem", pem, sizeof pem) ||
        strncmp(pem, begin, sizeof begin - 1) != 0 || strstr(pem + 1, "-----BEGIN") != NULL)
        return POSTERN_FAIL(err, MALFORMED, "the door sent no certificate");
    return published_file_write(path, postern_bytes_str(pem), err);
}

static void handle_certificate(struct generation *g, struct child *door)
{
    postern_error err;
    postern_err e = write_certificate(g, door, &err);

    if (e == POSTERN_OK)
        return;
    log_error("door_cert_file", &err);
    if (e == POSTERN_ERR_MALFORMED)
        child_condemn(door, "sent what is no certificate");
}

#define PUBLIC_KEY_MAX 1024 /* bytes of PEM: a P-256 key has 178 */

/* Readers verify by what stands there: a public key and nothing else. */
static postern_err write_checkpoint_public(struct generation *g, struct child *audit,
                                           postern_error *err)
{
    const char *dir = postern_section_text(daemon_section(g->config), "audit_key_dir");
    static const char begin[] = "-----BEGIN PUBLIC KEY-----\n";
    char pem[PUBLIC_KEY_MAX], *path;
    postern_err e;

    if (!channel_text(audit->channel, "pem", pem, sizeof pem) ||
        strncmp(pem, begin, sizeof begin - 1) != 0 || strstr(pem + 1, "-----BEGIN") != NULL)
        return POSTERN_FAIL(err, MALFORMED, "the audit child sent no public key");
    path = audit_secrets_path(dir, AUDIT_CHECKPOINT_PUB);
    if (path == NULL)
        return POSTERN_FAIL(err, NOMEM, "audit_key_dir");
    e = published_file_write(path, postern_bytes_str(pem), err);
    free(path);
    return e;
}

static void handle_checkpoint_public(struct generation *g, struct child *audit)
{
    postern_error err;
    postern_err e = write_checkpoint_public(g, audit, &err);

    if (e == POSTERN_OK)
        return;
    log_error("audit_key_dir", &err);
    if (e == POSTERN_ERR_MALFORMED)
        child_condemn(audit, "sent what is no public key");
}

static void handle_ready(struct generation *g, struct child *c, const struct generation *asking,
                         int64_t now_ms)
{
    struct child *helper = &g->children[ROLE_HELPER];

    if (c->state != CHILD_STARTING)
        return; /* it drains already */
    c->state = CHILD_READY;
    c->ready_ms = now_ms;
    log_note("%s %ld is ready", c->role->name, (long)c->pid);
    if (c == &g->children[ROLE_ISSUER] && helper->state == CHILD_WAITING &&
        g->state == GENERATION_STARTING)
        helper->due_ms = now_ms;
    /* A reload that brings a door of its own will tell this one to go, or give up. */
    if (c == &g->children[ROLE_DOOR] && g->state == GENERATION_SERVING && asking == NULL)
        generation_commit_door(c, now_ms);
}

static bool take_word(struct child *door)
{
    char detail[LOG_LINE_MAX / 2] = "";

    if (channel_type_is(door->channel, "ready"))
        return true;
    (void)channel_text(door->channel, "detail", detail, sizeof detail);
    log_problem("door: %s", detail);
    return false;
}

/* The door's word on a configuration: on its first, or on that of a generation that starts. */
static void handle_door(struct generation *g, struct child *door, struct generation *asking,
                        int64_t now_ms)
{
    bool is_good;

    if (door->questions == 0) {
        child_condemn(door, "answers what it was not asked");
        return;
    }
    if (--door->questions != 0)
        return; /* on a configuration that was given up; the word on the next one follows */
    is_good = take_word(door);
    if (door->state == CHILD_STARTING) {
        if (is_good)
            handle_ready(g, door, asking, now_ms);
        else
            child_condemn(door, "cannot use its configuration");
    } else if (asking != NULL && asking->door_is_awaited) {
        asking->door_is_prepared = is_good;
        asking->has_failed = asking->has_failed || !is_good;
    }
}

static void handle_committed(struct child *door)
{
    if (door->commits == 0)
        child_condemn(door, "confirms what it was not told");
    else if (--door->commits == 0)
        door->leave_due_ms = INT64_MAX; /* until it is told again */
}

/* Its lines broke while it lives on.  Not more often than this, whatever it asks. */
static void handle_link(struct child *c, int64_t now_ms)
{
    int64_t earliest_ms = c->linked_ms + LINK_INTERVAL_MS;

    c->link_due_ms = now_ms > earliest_ms ? now_ms : earliest_ms;
}

static void handle_message(struct generation *g, role_id id, struct generation *asking,
                           int64_t now_ms)
{
    struct child *c = &g->children[id];

    if (channel_type_is(c->channel, "link"))
        handle_link(c, now_ms);
    else if (id == ROLE_ISSUER && channel_type_is(c->channel, "jwks"))
        handle_jwks(g, c);
    else if (id == ROLE_AUDIT && channel_type_is(c->channel, "checkpoint_public"))
        handle_checkpoint_public(g, c);
    else if (id == ROLE_DOOR && channel_type_is(c->channel, "certificate"))
        handle_certificate(asking != NULL && asking->door_is_awaited ? asking : g, c);
    else if (id == ROLE_DOOR &&
             (channel_type_is(c->channel, "ready") || channel_type_is(c->channel, "unready")))
        handle_door(g, c, asking, now_ms);
    else if (id == ROLE_DOOR && channel_type_is(c->channel, "committed"))
        handle_committed(c);
    else if ((id == ROLE_HELPER || id == ROLE_DOOR) && channel_type_is(c->channel, "retired"))
        c->is_retired = true;
    else if (!channel_type_is(c->channel, "ready"))
        child_condemn(c, "sent a message that is not its to send");
    else if (id == ROLE_ISSUER && !c->has_jwks_written)
        child_condemn(c, "says ready before its key set is written");
    else
        handle_ready(g, c, asking, now_ms);
}

/* One message; false: nothing more now. */
static bool receive_one(struct generation *g, role_id id, struct generation *asking,
                        int64_t now_ms)
{
    struct child *c = &g->children[id];
    postern_error err;

    switch (channel_receive(c->channel, &err)) {
    case CHANNEL_MESSAGE:
        handle_message(g, id, asking, now_ms);
        return c->channel != NULL;
    case CHANNEL_NOTHING:
        return false;
    case CHANNEL_CLOSED:
        child_close_channel(c); /* its end follows, or its due time */
        if (c->state != CHILD_DRAINING) {
            c->state = CHILD_STARTING;
            c->due_ms = now_ms + CLOSED_MAX_MS;
        }
        return false;
    case CHANNEL_BROKEN:
        break;
    }
    log_error(c->role->name, &err);
    child_condemn(c, "sent what is no message");
    return false;
}

void generation_receive(struct generation *g, role_id id, struct generation *newest,
                        int64_t now_ms)
{
    struct generation *asking =
        newest->keeper == g && newest->state == GENERATION_STARTING ? newest : NULL;

    for (int i = 0; i < 64 && g->children[id].channel != NULL; i++) /* others want their turn */
        if (!receive_one(g, id, asking, now_ms))
            return;
}
