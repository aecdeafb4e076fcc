/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of blocks: what parses holds only what a validation can compare, and a change of it parses again, holds the new block
 * and everything else that is not over. */
#include <stdlib.h>

#include "control/blocks_text.h"

#define NOW_S 1780000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static size_t count_others(const struct block_list *l, const char *agent)
{
    size_t n = 0;

    for (size_t i = 0; i < l->count; i++)
        n += strcmp(l->entries[i].agent, agent) != 0 && (l->entries[i].until_s == 0 || l->entries[i].until_s > NOW_S);
    return n;
}

static struct block_list *change(postern_bytes text, const struct block_change *c)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX);
    struct block_list *l = NULL;

    demand(blocks_text_change(text, c, &out, NULL) == POSTERN_OK);
    demand(block_list_parse(postern_buf_bytes(&out), &l, NULL) == POSTERN_OK);
    return l;
}

static void check_change(postern_bytes text, const struct block_list *l)
{
    const char *agent = l->count == 0 ? "new \"one\"" : l->entries[l->count - 1].agent;
    const struct block_change add = { agent, true, 0, "why not", NOW_S }, drop = { agent, false, 0, "", NOW_S };
    struct block_list *with = change(text, &add), *without = change(text, &drop);

    demand(block_list_has(with, agent, NOW_S) && !block_list_has(without, agent, NOW_S));
    demand(with->count == without->count + 1);
    demand(without->count == count_others(l, agent));
    block_list_release(with);
    block_list_release(without);
}

static void check_list(const struct block_list *l)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX);
    struct block_list *again = NULL;

    for (size_t i = 0; i < l->count; i++) {
        demand(block_agent_is_fine(postern_bytes_str(l->entries[i].agent)));
        demand(block_reason_is_fine(postern_bytes_str(l->entries[i].reason)));
        demand(l->entries[i].until_s >= 0);
    }
    block_list_write(l, &out);
    demand(block_list_parse(postern_buf_bytes(&out), &again, NULL) == POSTERN_OK && again->count == l->count);
    for (size_t i = 0; i < l->count; i++)
        demand(strcmp(again->entries[i].agent, l->entries[i].agent) == 0 &&
               strcmp(again->entries[i].reason, l->entries[i].reason) == 0 && again->entries[i].until_s == l->entries[i].until_s);
    block_list_release(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_bytes text = { data, size };
    struct block_list *l = NULL;
    postern_error err = { 0 };

    if (block_list_parse(text, &l, &err) != POSTERN_OK) {
        demand(err.code == POSTERN_ERR_CONFIG_FILE && strncmp(err.detail, "line ", 5) == 0);
        return 0;
    }
    check_list(l);
    check_change(text, l);
    block_list_release(l);
    return 0;
}
