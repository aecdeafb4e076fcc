/* SPDX-License-Identifier: BSD-2-Clause */
/* See above_keys.h. */
#include "policy/above_keys.h"

/* Bytes of a run that are hashed: one is looked for from each byte of a name on, so there are few. */
static const uint8_t run_lengths[] = { 1, 2, 3, 4, 6, 8, 12, 16, 24, 32 };
_Static_assert(sizeof run_lengths == RUN_LENGTHS, "as above.c has room for");

/* ---- keys ---- */

struct key postern_above_key(unsigned space, enum form form, const char *text, size_t len)
{
    struct key ret = {
        .hash = above_hash_begin(space, form), .space = space, .form = form, .len = len,
    };

    for (size_t i = 0; i < len; i++)
        ret.hash = above_hash_add(ret.hash, (uint8_t)text[i]);
    return ret;
}

static struct key key_of_number(unsigned space, size_t number, size_t second)
{
    const char text[] = { (char)number, (char)(second & 0xFF), (char)(second >> 8 & 0xFF) };

    return postern_above_key(space, FORM_WHOLE, text, sizeof text);
}

struct key postern_above_key_of_action(const struct target *t, size_t row)
{
    return key_of_number(SPACE_ACTION, t->protocol, row);
}

struct key postern_above_key_of_service(const struct target *t)
{
    return postern_above_key(SPACE_SERVICE, FORM_WHOLE, t->service, strlen(t->service));
}

struct key postern_above_key_of_protocol(size_t protocol)
{
    return key_of_number(SPACE_PROTOCOL, protocol, 0);
}

struct key postern_above_key_of_test(uint64_t test)
{
    return (struct key){ .hash = test, .space = SPACE_TEST, .form = FORM_WHOLE };
}

postern_err postern_above_hash_test(const struct test *test, uint64_t *ret, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POLICY_TEST_TEXT_MAX);

    postern_policy_print_test(test, &text);
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "policy");
    *ret = postern_above_key(SPACE_TEST, FORM_WHOLE, postern_buf_cstr(&text), text.len).hash;
    return POSTERN_OK;
}

/* ---- of one rule ---- */

static bool has_names(enum party_kind kind)
{
    return kind >= PARTY_AGENT && kind < PARTY_KINDS;
}

size_t postern_above_lists(const struct rule *r, struct way ret[WAYS_MAX])
{
    size_t count = 0;

    if (has_names(r->who.party.kind))
        ret[count++] = (struct way){ SPACE_PARTY + r->who.party.kind, &r->who.party.list };
    if (has_names(r->who.human.kind))
        ret[count++] = (struct way){ SPACE_HUMAN + r->who.human.kind, &r->who.human.list };
    if (r->target.has_resources)
        ret[count++] = (struct way){ SPACE_RESOURCE, &r->target.resources };
    return count;
}

/* So many of its first bytes are hashed. */
static size_t run_len(size_t len)
{
    size_t i = RUN_LENGTHS - 1;

    while (run_lengths[i] > len)
        i--;
    return run_lengths[i];
}

/* The most bytes behind the first operator between which no other stands. */
static postern_bytes longest_run(const struct pattern *p)
{
    postern_bytes ret = { NULL, 0 };

    for (size_t i = p->prefix_len, start = i; i <= p->len; i++)
        if ((uint8_t)p->ops[i] <= PATTERN_USER) { /* also the NUL behind the last */
            if (i - start > ret.len)
                ret = (postern_bytes){ (const uint8_t *)p->ops + start, i - start };
            start = i + 1;
        }
    return ret;
}

size_t postern_above_keys_of_pattern(unsigned space, const struct pattern *p, struct key ret[2])
{
    postern_bytes run;
    size_t count = 0;

    if (p->kind != PATTERN_GLOB) {
        ret[0] = postern_above_key(space, FORM_WHOLE, p->ops, p->len);
        return 1;
    }
    if (p->prefix_len != 0)
        ret[count++] = postern_above_key(space, FORM_BEGINNING, p->ops,
                                         p->prefix_len < BEGIN_MAX ? p->prefix_len : BEGIN_MAX);
    run = longest_run(p);
    if (run.len != 0)
        ret[count++] = postern_above_key(space, FORM_RUN, (const char *)run.ptr, run_len(run.len));
    return count;
}

size_t postern_above_keys_of_actions(const struct target *t, struct key ret[ACTIONS_MAX + 1])
{
    const struct protocol *protocol = &policy_protocols[t->protocol];
    size_t count = 0;

    if (t->protocol == PROTOCOL_ANY)
        return 0;
    if (t->protocol == PROTOCOL_LOGIN) {
        ret[0] = postern_above_key_of_service(t);
        return 1;
    }
    for (size_t i = 0; i < protocol->row_count; i++) {
        if (!postern_policy_action_is_in(t->known, i))
            continue;
        if (count == ACTIONS_MAX)
            return 0;
        ret[count++] = postern_above_key_of_action(t, i);
    }
    ret[count++] = postern_above_key_of_action(t, protocol->row_count);
    return count;
}
