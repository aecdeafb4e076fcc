/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slot of the counters, as a door that was broken into may leave it: the audit child makes a record of it that is one line of JSON, once,
 * whatever stands there.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "audit/sums.h"
#include "audit/tally_inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static struct tally_memory *get_memory(void)
{
    static struct tally_memory *m;
    int fd = -1;

    if (m == NULL) {
        demand(tally_memory_make(&fd, NULL) == POSTERN_OK && tally_memory_map(fd, &m, NULL) == POSTERN_OK);
        atomic_store(&m->shared->owner[0], OWNER_OF(1));
    }
    return m;
}

static void check_record(const struct tally_sum *s)
{
    const struct audit_record r = {
        .event = "actions",       .service = s->of.door,   .session = s->of.session, .agent = s->of.agent,
        .human = s->of.human,     .purpose = s->of.purpose, .action = s->of.action,  .rule = s->of.rule,
        .user_rule = s->of.user_rule, .code = POSTERN_OK, .count = s->count,       .first_ms = s->first_ms,
        .last_ms = s->last_ms,
    };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
    POSTERN_AUTO_JSON j = { 0 };

    demand(s->count >= 1 && s->count <= AUDIT_SEQ_MAX && s->first_ms <= s->last_ms);
    demand(audit_format(&r, &text));
    demand(postern_json_scan(&j, postern_buf_bytes(&text), NULL) == POSTERN_OK);
    demand(memchr(text.ptr, '\n', text.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tally_memory *m = get_memory();
    struct tally_slot *slot = &m->shared->slots[0][0];
    struct tally_cursor at = { 0 };
    struct tally_sum s;

    memset(slot, 0, sizeof *slot);
    memcpy(slot, data, size < sizeof *slot ? size : sizeof *slot);
    if (tally_next(m, &at, &s)) {
        check_record(&s);
        tally_mark(m, &s.place);
    }
    at = (struct tally_cursor){ 0 };
    demand(!tally_next(m, &at, &s));
    return 0;
}
