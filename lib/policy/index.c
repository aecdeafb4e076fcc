/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking the index: what is filed under the beginnings of a question's names.  It is a superset of what
 * matches, in the order of the rules, so the first match stays the first.  Called by decide.c.
 */
#include "policy/index_keys.h"

static const struct slot *find_slot(const struct rule_index *x, uint64_t key)
{
    for (size_t i = slot_of(x, key);; i = (i + 1) & (x->slot_count - 1)) {
        if (x->slots[i].count == 0)
            return NULL;
        if (x->slots[i].key == key)
            return &x->slots[i];
    }
}

/* ---- asking ---- */

static void add_list(struct index_answer *ret, const uint32_t *rules, size_t count)
{
    if (count == 0)
        return;
    if (ret->count == INDEX_LISTS_MAX) {
        ret->is_overfull = true;
        return;
    }
    ret->lists[ret->count++] = (struct index_list){ rules, count };
}

static void add_key(const struct rule_index *x, uint64_t key, struct index_answer *ret)
{
    const struct slot *slot = find_slot(x, key);

    if (slot != NULL)
        add_list(ret, x->rules + slot->start, slot->count);
}

/* What is filed under a beginning of this name. */
static void add_name(const struct rule_index *x, enum dimension dimension, postern_bytes name,
                     struct index_answer *ret)
{
    uint64_t key = key_begin(dimension), lengths = x->lengths[dimension];

    for (size_t i = 0; i < name.len && lengths != 0; i++, lengths >>= 1) {
        key = key_add(key, name.ptr[i]);
        if ((lengths & 1) != 0)
            add_key(x, key, ret);
    }
}

static void add_unknown(const struct rule_index *x, enum dimension dimension,
                        struct index_answer *ret)
{
    add_list(ret, x->unknown[dimension].rules, x->unknown[dimension].count);
}

static void add_party(const struct rule_index *x, enum dimension dimension, postern_bytes name,
                      struct index_answer *ret)
{
    if (name.len == 0)
        add_unknown(x, dimension, ret);
    else
        add_name(x, dimension, name, ret);
}

/* "@example.org" is nobody where a host cuts its realm off. */
static bool is_cut_to_nothing(const struct asking *a, postern_bytes account)
{
    return a->protocol == PROTOCOL_LOGIN && account.len != 0 && account.ptr[0] == '@';
}

static void add_user(const struct rule_index *x, const struct asking *a, struct index_answer *ret)
{
    if (a->s->user == NULL)
        return;
    add_party(x, DIM_USER, a->user, ret);
    if (is_cut_to_nothing(a, a->user))
        add_unknown(x, DIM_USER, ret);
}

static void add_groups(const struct rule_index *x, const struct asking *a, struct index_answer *ret)
{
    const postern_policy_subject *s = a->s;

    if (s->groups == NULL && s->user != NULL)
        add_unknown(x, DIM_GROUP, ret);
    for (size_t i = 0; s->groups != NULL && i < s->group_count; i++)
        add_party(x, DIM_GROUP, postern_bytes_str(s->groups[i]), ret);
}

static void add_resource(const struct rule_index *x, const struct asking *a,
                         struct index_answer *ret)
{
    if (a->resource.ptr == NULL || a->resource.len == 0 || a->is_devious ||
        is_cut_to_nothing(a, a->resource))
        add_unknown(x, DIM_RESOURCE, ret);
    if (a->resource.ptr != NULL)
        add_name(x, DIM_RESOURCE, a->resource, ret);
}

static void add_action(const struct rule_index *x, const struct asking *a, struct index_answer *ret)
{
    size_t action = a->action == POLICY_NO_ACTION ? policy_protocols[a->protocol].row_count
                                                  : a->action;

    if (a->protocol == PROTOCOL_LOGIN)
        add_key(x, key_of_text(DIM_ACTION, a->service, strlen(a->service)), ret);
    else
        add_key(x, key_of_number(DIM_ACTION, a->protocol, action), ret);
    add_key(x, key_of_number(DIM_REST, a->protocol, 0), ret);
    add_key(x, key_of_number(DIM_REST, PROTOCOL_ANY, 0), ret);
}

void postern_index_find(const struct rule_index *x, const struct asking *a,
                        struct index_answer *ret)
{
    ret->count = 0;
    ret->is_overfull = false;
    add_party(x, DIM_AGENT, a->agent, ret);
    add_party(x, DIM_CLIENT, a->client, ret);
    add_party(x, DIM_ISSUER, a->issuer, ret);
    add_user(x, a, ret);
    add_groups(x, a, ret);
    add_resource(x, a, ret);
    add_action(x, a, ret);
}
