/* SPDX-License-Identifier: BSD-2-Clause */
/* See sums.h. */
#include "config.h"

#include "record.h"
#include "sums.h"

static postern_err add_record(struct audit_file *f, const struct tally_sum *s, int64_t now_ms,
                              postern_error *err)
{
    const struct audit_record r = {
        .time_ms = now_ms,
        .event = "actions",
        .service = s->of.door,
        .code = POSTERN_OK, /* what is not allowed is not counted */
        .session = s->of.session,
        .agent = s->of.agent,
        .human = s->of.human,
        .purpose = s->of.purpose,
        .action = s->of.action,
        .rule = s->of.rule,
        .user_rule = s->of.user_rule,
        .count = s->count,
        .first_ms = s->first_ms,
        .last_ms = s->last_ms,
    };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
    POSTERN_AUTO_JSON j = { 0 };

    if (!audit_format(&r, &text))
        return POSTERN_FAIL(err, NOMEM, "record of what was counted");
    POSTERN_TRY(postern_json_scan(&j, postern_buf_bytes(&text), err));
    return audit_file_add(f, &j, 0, now_ms, err);
}

static postern_err gather(struct sums *s, struct audit_file *f, int64_t now_ms,
                          struct tally_place *list, size_t *ret_count, bool *ret_is_over,
                          postern_error *err)
{
    struct tally_sum sum;

    *ret_count = 0;
    while (*ret_count < AUDIT_BATCH_MAX && !audit_file_is_full(f)) {
        if (!tally_next(s->memory, &s->at, &sum)) {
            *ret_is_over = true;
            return POSTERN_OK;
        }
        POSTERN_TRY(add_record(f, &sum, now_ms, err));
        list[(*ret_count)++] = sum.place;
    }
    return POSTERN_OK;
}

postern_err sums_write(struct sums *s, struct audit_file *f, int64_t now_ms, bool *ret_is_over,
                       postern_error *err)
{
    struct tally_place list[AUDIT_BATCH_MAX];
    size_t count, whole = 0;
    postern_err added, e;

    *ret_is_over = s->memory == NULL;
    if (s->memory == NULL)
        return POSTERN_OK;
    added = gather(s, f, now_ms, list, &count, ret_is_over, err);
    e = audit_file_write(f, &whole, added == POSTERN_OK ? err : NULL);
    for (size_t i = 0; i < whole && i < count; i++)
        tally_mark(s->memory, &list[i]);
    if (added != POSTERN_OK || e != POSTERN_OK)
        *ret_is_over = true;
    if (*ret_is_over)
        s->at = (struct tally_cursor){ 0 };
    return added != POSTERN_OK ? added : e;
}

void sums_free(struct sums *s)
{
    tally_memory_free(s->memory);
    s->memory = NULL;
}
