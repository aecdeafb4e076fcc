/* SPDX-License-Identifier: BSD-2-Clause */
/* The audit chain, line by line (cli/audit_check.h). */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "audit_check.h"
#include "safe_text.h"

static struct audit_place place(const char *file, uint64_t number)
{
    struct audit_place p = { .line = number };
    size_t len = strlen(file), skip = len < sizeof p.file ? 0 : len - (sizeof p.file - 1);

    memcpy(p.file, file + skip, len - skip + 1);
    return p;
}

static bool break_at(struct audit_check *c, const struct audit_place *where, const char *what)
{
    int len = snprintf(c->what, sizeof c->what, "%s", what);

    c->broken = *where;
    return len < 0; /* false */
}

static bool is_chain_record(const struct audit_check *c, const char *reason)
{
    return postern_json_string_is(&c->json, postern_json_member(&c->json, 0, "event"), "chain") &&
           (reason == NULL ||
            postern_json_string_is(&c->json, postern_json_member(&c->json, 0, "reason"), reason));
}

/* The time of the first record, as text that can be printed. */
static void keep_time(struct audit_check *c)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(sizeof c->first_time);

    if (safe_member_add(&c->json, "time", &text) && postern_buf_cstr(&text) != NULL &&
        text.len < sizeof c->first_time)
        memcpy(c->first_time, postern_buf_cstr(&text), text.len + 1);
}

static bool is_zero(const uint8_t hash[AUDIT_HASH_LEN])
{
    static const uint8_t zeros[AUDIT_HASH_LEN];

    return memcmp(hash, zeros, sizeof zeros) == 0;
}

static bool is_beginning(const struct audit_check *c, const struct audit_link *link)
{
    return link->seq == 1 && is_zero(link->prev) && is_chain_record(c, NULL);
}

static void look_for_wanted(struct audit_check *c, int64_t seq, const uint8_t hash[AUDIT_HASH_LEN])
{
    c->is_wanted_found |= c->has_wanted && memcmp(hash, c->wanted_hash, AUDIT_HASH_LEN) == 0 &&
                          (!c->has_wanted_seq || seq == c->wanted_seq);
}

static bool add_record(struct audit_check *c, const struct audit_link *link,
                       const struct audit_place *here)
{
    c->record_count++;
    c->torn_count += c->damaged_count;
    c->damaged_count = 0;
    c->damaged.line = 0;
    c->head = link->head;
    c->last = *here;
    look_for_wanted(c, link->head.seq, link->head.hash);
    if (c->proof != NULL && !audit_proof_record(c->proof, &c->json, link))
        return break_at(c, here, c->proof->what);
    return true;
}

/* The last line of a file that is not here. */
static bool check_before(struct audit_check *c, const struct audit_link *link,
                         const struct audit_place *here)
{
    struct audit_head before = { .seq = link->seq - 1 };

    memcpy(before.hash, link->prev, sizeof before.hash);
    look_for_wanted(c, before.seq, before.hash);
    if (c->proof != NULL && !audit_proof_before(c->proof, &before))
        return break_at(c, here, c->proof->what);
    return true;
}

/* The first line with chain members. */
static bool begin_chain(struct audit_check *c, const struct audit_link *link,
                        const struct audit_place *here)
{
    if (c->damaged.line != 0)
        return break_at(c, &c->damaged, "this is not a record");
    if (link->seq == 1 && !is_beginning(c, link))
        return break_at(c, here, "record number 1 is not the beginning of a chain");
    if (link->seq != 1 && is_zero(link->prev))
        return break_at(c, here, "only the first record of a chain has none before it");
    if (c->unchained_count != 0 && link->seq != 1)
        return break_at(c, here, "the records before this one have lost their place in the chain");
    c->first_seq = link->seq;
    keep_time(c);
    if (link->seq > 1 && !check_before(c, link, here))
        return false;
    return add_record(c, link, here);
}

/* Why `link` does not go on from c->head. */
static bool explain_break(struct audit_check *c, const struct audit_link *link,
                          const struct audit_place *here)
{
    char what[sizeof c->what];
    int len;

    if (is_beginning(c, link))
        return break_at(
            c, here,
            "a new chain begins here; nothing binds the records before it to those behind it");
    if (link->seq == c->head.seq + 1)
        return break_at(c, &c->last,
                        "this record was changed, or the hash of it that the next one holds");
    if (link->seq > c->head.seq)
        len = snprintf(what, sizeof what,
                       "record %" PRId64 " follows record %" PRId64 ": %" PRId64 " are missing",
                       link->seq, c->head.seq, link->seq - c->head.seq - 1);
    else
        len = snprintf(what, sizeof what,
                       "record %" PRId64 " follows record %" PRId64
                       ": put in, twice, or in another order",
                       link->seq, c->head.seq);
    return break_at(c, here, len > 0 ? what : "the chain is broken");
}

static bool check_link(struct audit_check *c, const struct audit_link *link,
                       const struct audit_place *here)
{
    if (c->head.seq == 0)
        return begin_chain(c, link, here);
    if (c->damaged.line != 0 &&
        !(audit_chain_follows(&c->head, link) && is_chain_record(c, "torn")))
        return break_at(c, &c->damaged, "this is not a record: changed, or put in");
    if (!audit_chain_follows(&c->head, link))
        return explain_break(c, link, here);
    return add_record(c, link, here);
}

bool audit_check_line(struct audit_check *c, const char *file, uint64_t number, postern_bytes line,
                      bool is_whole, postern_error *err)
{
    struct audit_place here = place(file, number);
    struct audit_link link = { 0 };

    if (is_whole && audit_chain_read(line, &c->json, &link, err) != POSTERN_OK)
        return false;
    switch (link.kind) {
    case AUDIT_LINE_CHAINED:
        return check_link(c, &link, &here);
    case AUDIT_LINE_UNCHAINED:
        if (c->damaged.line != 0)
            return break_at(c, &c->damaged, "this is not a record");
        if (c->head.seq != 0)
            return break_at(c, &here, "a record without seq and prev within the chain");
        c->unchained_count++;
        return true;
    case AUDIT_LINE_DAMAGED:
        break;
    }
    if (c->damaged.line == 0)
        c->damaged = here;
    c->damaged_count++;
    return true;
}

bool audit_check_finish(struct audit_check *c)
{
    if (c->damaged.line != 0)
        return break_at(c, &c->damaged,
                        "this is not a whole record: changed, put in, or being written now (then "
                        "verify again)");
    return true;
}

void audit_check_free(struct audit_check *c)
{
    postern_json_free(&c->json);
}
