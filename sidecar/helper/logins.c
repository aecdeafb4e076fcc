/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash table by agent, each entry in a list from the latest login to the one longest ago; see
 * logins.h.  Names come from proved tokens: a trusted issuer's, not a stranger's.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "../text_hash.h"
#include "logins.h"

#define BUCKETS 1024 /* a power of two */

struct login_entry {
    LIST_ENTRY(login_entry) in_bucket;
    TAILQ_ENTRY(login_entry) in_order;
    char *agent, *service; /* one allocation, with the entry */
    int64_t count, last_s;
};

struct logins {
    LIST_HEAD(bucket, login_entry) buckets[BUCKETS];
    TAILQ_HEAD(order, login_entry) order; /* latest first */
    size_t entry_count;
    uint64_t verdicts[POSTERN_PROVED + 1];
};

static size_t bucket_of(const char *agent)
{
    return text_hash(agent) & (BUCKETS - 1);
}

postern_err logins_new(struct logins **ret, postern_error *err)
{
    struct logins *l = calloc(1, sizeof *l);

    if (l == NULL)
        return POSTERN_FAIL(err, NOMEM, "table of logins");
    TAILQ_INIT(&l->order);
    *ret = l;
    return POSTERN_OK;
}

static void forget(struct logins *l, struct login_entry *e)
{
    LIST_REMOVE(e, in_bucket);
    TAILQ_REMOVE(&l->order, e, in_order);
    l->entry_count--;
    free(e);
}

void logins_free(struct logins *l)
{
    if (l == NULL)
        return;
    while (!TAILQ_EMPTY(&l->order))
        forget(l, TAILQ_FIRST(&l->order));
    free(l);
}

static struct login_entry *find(const struct logins *l, const char *agent, const char *service)
{
    struct login_entry *e;

    LIST_FOREACH (e, &l->buckets[bucket_of(agent)], in_bucket)
        if (strcmp(e->agent, agent) == 0 && strcmp(e->service, service) == 0)
            return e;
    return NULL;
}

static struct login_entry *add(struct logins *l, const char *agent, const char *service)
{
    size_t agent_size = strlen(agent) + 1, service_size = strlen(service) + 1;
    struct login_entry *e;

    if (l->entry_count == LOGINS_MAX)
        forget(l, TAILQ_LAST(&l->order, order));
    e = calloc(1, sizeof *e + agent_size + service_size);
    if (e == NULL)
        return NULL;
    e->agent = (char *)(e + 1);
    e->service = e->agent + agent_size;
    memcpy(e->agent, agent, agent_size);
    memcpy(e->service, service, service_size);
    LIST_INSERT_HEAD(&l->buckets[bucket_of(agent)], e, in_bucket);
    TAILQ_INSERT_HEAD(&l->order, e, in_order);
    l->entry_count++;
    return e;
}

static void remember(struct logins *l, const char *agent, const char *service, int64_t now_s)
{
    struct login_entry *e = find(l, agent, service);

    if (e == NULL)
        e = add(l, agent, service);
    if (e == NULL)
        return;
    e->count++;
    e->last_s = now_s;
    TAILQ_REMOVE(&l->order, e, in_order);
    TAILQ_INSERT_HEAD(&l->order, e, in_order);
}

void logins_note(struct logins *l, const postern_grant *g, postern_err code, int64_t now_s)
{
    const char *actor, *client, *service;

    if (l == NULL)
        return;
    l->verdicts[postern_err_outcome(code)]++;
    if (g == NULL || code != POSTERN_OK)
        return;
    actor = postern_grant_actor(g);
    client = postern_grant_client_id(g);
    service = postern_grant_service(g) == NULL ? "" : postern_grant_service(g);
    if (actor != NULL)
        remember(l, actor, service, now_s);
    if (client != NULL && (actor == NULL || strcmp(client, actor) != 0))
        remember(l, client, service, now_s);
}

void logins_write(const struct logins *l, const char *agent, const char *name,
                  postern_json_writer *w)
{
    const struct login_entry *e;
    size_t written = 0;

    postern_json_open_array(w, name);
    for (e = LIST_FIRST(&l->buckets[bucket_of(agent)]); e != NULL; e = LIST_NEXT(e, in_bucket)) {
        if (strcmp(e->agent, agent) != 0 || written == LOGINS_ANSWER_MAX)
            continue;
        postern_json_open_object(w, NULL);
        postern_json_put_string(w, "service", postern_bytes_str(e->service));
        postern_json_put_integer(w, "count", e->count);
        postern_json_put_integer(w, "last", e->last_s);
        postern_json_close_object(w);
        written++;
    }
    postern_json_close_array(w);
}

void logins_write_metrics(const struct logins *l, postern_buf *out)
{
    postern_buf_add_str(out, "# HELP postern_helper_verdicts_total Verdicts given to plugins.\n"
                             "# TYPE postern_helper_verdicts_total counter\n");
    for (postern_outcome o = POSTERN_UNDECIDED; o <= POSTERN_PROVED; o++)
        postern_buf_addf(out, "postern_helper_verdicts_total{outcome=\"%s\"} %ju\n",
                         postern_outcome_name(o), (uintmax_t)l->verdicts[o]);
}
