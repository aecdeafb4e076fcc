/* SPDX-License-Identifier: BSD-2-Clause */
/* Checkpoints against the records that they name (cli/audit_proof.h). */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_proof.h"

static bool say(struct audit_proof *p, const char *what)
{
    (void)snprintf(p->what, sizeof p->what, "%s", what); /* ours, and short */
    return false;
}

/* ---- signatures ---- */

static bool check_signature(struct audit_proof *p, const struct audit_checkpoint *c)
{
    int len = 0;

    switch (audit_checkpoint_verify(p->keys, c)) {
    case AUDIT_SIGNED_WELL:
        return true;
    case AUDIT_SIGNED_FOREIGN:
        /* The id is what a stranger wrote; only digits are repeated. */
        len = snprintf(p->what, sizeof p->what,
                       "this checkpoint is signed by a key that is not among those of --key: %.*s",
                       (int)strspn(c->key_id, "0123456789abcdef"), c->key_id);
        break;
    case AUDIT_SIGNED_BADLY:
        return say(p, "the signature of this checkpoint is wrong: it was changed, or made up");
    }
    return len < 0; /* false */
}

/* ---- those that were kept ---- */

static postern_err add_line(struct audit_proof *p, const struct audit_proof_line *line,
                            postern_error *err)
{
    if (p->line_count == p->room) {
        size_t room = p->room == 0 ? 1024 : p->room * 2;
        struct audit_proof_line *grown =
            room > AUDIT_PROOF_LINES_MAX ? NULL : reallocarray(p->lines, room, sizeof *grown);

        if (room > AUDIT_PROOF_LINES_MAX)
            return POSTERN_FAIL(err, LIMIT, "more than %u checkpoints", AUDIT_PROOF_LINES_MAX);
        if (grown == NULL)
            return POSTERN_FAIL(err, NOMEM, "checkpoints");
        p->lines = grown;
        p->room = room;
    }
    p->lines[p->line_count++] = *line;
    return POSTERN_OK;
}

/* It was handed out first and became the next record then; whoever took it from there has that
 * line. */
static postern_err find_own(postern_bytes line, postern_json *j, struct audit_proof_line *kept,
                            postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(AUDIT_LINE_MAX);
    struct audit_link link = { 0 };
    postern_err e;

    POSTERN_TRY(audit_chain_read(line, j, &link, err));
    if (audit_chain_follows(&kept->head, &link)) {
        kept->own = link.head;
        return POSTERN_OK;
    }
    kept->own = kept->head;
    if (link.kind == AUDIT_LINE_UNCHAINED)
        e = audit_chain_add(&kept->own, j, 0, &text, err);
    else
        e = POSTERN_ERR_MALFORMED;
    if (e != POSTERN_OK)
        kept->own = (struct audit_head){ 0 };
    return e == POSTERN_ERR_NOMEM ? e : POSTERN_OK;
}

postern_err audit_proof_keep(struct audit_proof *p, uint32_t file, uint64_t number,
                             postern_bytes line, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_checkpoint c;
    struct audit_proof_line kept = { .file = file, .line = number };
    postern_err e = postern_json_scan(&j, line, err);

    if (e == POSTERN_ERR_NOMEM)
        return e;
    if (e != POSTERN_OK || !audit_checkpoint_read(&j, 0, &c)) {
        p->other_count++;
        return POSTERN_OK;
    }
    if (!check_signature(p, &c))
        return POSTERN_FAIL(err, BAD_SIGNATURE, "%s", p->what);
    kept.head = c.head;
    POSTERN_TRY(find_own(line, &j, &kept, err));
    memcpy(kept.time, c.time, sizeof kept.time);
    return add_line(p, &kept, err);
}

static int compare(const void *a, const void *b)
{
    const struct audit_proof_line *x = a, *y = b;

    return x->head.seq < y->head.seq ? -1 : x->head.seq > y->head.seq;
}

void audit_proof_begin(struct audit_proof *p)
{
    if (p->line_count != 0)
        qsort(p->lines, p->line_count, sizeof *p->lines, compare);
}

static void note_proved(struct audit_proof *p, int64_t seq, const char *time, const char *host)
{
    p->proved_seq = seq;
    memcpy(p->proved_time, time, strlen(time) + 1);
    memcpy(p->proved_host, host, strlen(host) + 1);
}

/* All that were kept of this record agree with it. */
static bool compare_kept(struct audit_proof *p, const struct audit_head *head)
{
    while (p->at < p->line_count && p->lines[p->at].head.seq < head->seq)
        p->at++; /* of records in files that are not here */
    for (; p->at < p->line_count && p->lines[p->at].head.seq == head->seq; p->at++) {
        const struct audit_proof_line *l = &p->lines[p->at];

        if (memcmp(l->head.hash, head->hash, sizeof head->hash) != 0) {
            int len = snprintf(p->what, sizeof p->what,
                               "this is not record %" PRId64 " as it was at %s: a checkpoint that "
                               "was kept names another; records up to it were changed",
                               head->seq, l->time);

            return len < 0; /* false */
        }
        p->matched_seq = head->seq;
        note_proved(p, head->seq, l->time, "");
    }
    return true;
}

/* Are those of records that are not here followed by the first that is? */
static bool is_bound(struct audit_proof *p, const struct audit_head *before)
{
    const struct audit_proof_line *latest = p->at == 0 ? NULL : &p->lines[p->at - 1];
    int len;

    if (latest == NULL || latest->head.seq == before->seq)
        return true;
    for (size_t i = p->at; i > 0 && p->lines[i - 1].head.seq == latest->head.seq; i--)
        if (p->lines[i - 1].own.seq == before->seq &&
            memcmp(p->lines[i - 1].own.hash, before->hash, sizeof before->hash) == 0)
            return true;
    len = snprintf(p->what, sizeof p->what,
                   "the chain begins here, and nothing binds it to record %" PRId64
                   ", the latest before it of which a checkpoint was kept: verify it with the "
                   "files before it, or with newer checkpoints; else somebody has begun it anew",
                   latest->head.seq);
    return len < 0; /* false */
}

bool audit_proof_before(struct audit_proof *p, const struct audit_head *head)
{
    return compare_kept(p, head) && is_bound(p, head);
}

/* ---- those in the chain ---- */

/* A line that was kept is missing where there are some before and behind it. */
static void look_for_kept(struct audit_proof *p, int64_t seq)
{
    if (p->line_count == 0 || p->matched_seq == seq || seq < p->lines[0].head.seq ||
        seq > p->lines[p->line_count - 1].head.seq)
        return;
    if (p->missing_count++ == 0)
        p->missing_seq = seq;
}

static bool check_inside(struct audit_proof *p, const postern_json *j, const struct audit_link *link)
{
    struct audit_checkpoint c;

    p->inside_count++;
    if (p->keys == NULL)
        return true;
    if (!audit_checkpoint_read(j, 0, &c))
        return say(p, "this checkpoint is not as one is written");
    if (!check_signature(p, &c))
        return false;
    if (c.head.seq != link->seq - 1 || memcmp(c.head.hash, link->prev, sizeof link->prev) != 0)
        return say(p, "this checkpoint was made at another place: records before it were put in, "
                      "removed or changed");
    look_for_kept(p, c.head.seq);
    note_proved(p, c.head.seq, c.time, c.host);
    return true;
}

bool audit_proof_record(struct audit_proof *p, const postern_json *j, const struct audit_link *link)
{
    if (postern_json_string_is(j, postern_json_member(j, 0, "event"), "checkpoint") &&
        !check_inside(p, j, link))
        return false;
    return compare_kept(p, &link->head);
}

const struct audit_proof_line *audit_proof_cut_off(const struct audit_proof *p,
                                                   const struct audit_head *last)
{
    const struct audit_proof_line *l =
        p->line_count == 0 ? NULL : &p->lines[p->line_count - 1];

    return l != NULL && l->head.seq > last->seq ? l : NULL;
}

void audit_proof_free(struct audit_proof *p)
{
    free(p->lines);
    p->lines = NULL;
    p->line_count = p->room = 0;
}
