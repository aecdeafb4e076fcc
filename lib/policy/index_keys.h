/* SPDX-License-Identifier: BSD-2-Clause */
/* What making the index and asking it share: keys and slots.  lib/policy/index*.c only. */
#ifndef POSTERN_LIB_POLICY_INDEX_KEYS_H
#define POSTERN_LIB_POLICY_INDEX_KEYS_H

#include "base/ascii.h"
#include "policy/index.h"

/* Bytes of a name that are hashed: more tell few rules apart, and each costs a decision a step. */
#define PREFIX_MAX 64

enum dimension {
    DIM_AGENT = 0,
    DIM_CLIENT,
    DIM_USER,
    DIM_ISSUER,
    DIM_GROUP,
    DIM_RESOURCE,
    DIM_ACTION, /* one action of a protocol, or a service's login */
    DIM_REST,   /* a protocol, or all of them */
    DIM_COUNT
};

struct slot {
    uint64_t key;
    uint32_t start, count; /* of rules; count 0: free */
};

struct rule_index {
    uint64_t lengths[DIM_COUNT]; /* bit n-1: some key has n bytes */
    uint32_t *rules;             /* all lists, one after the other */
    struct slot *slots;          /* open addressing */
    size_t slot_count;           /* a power of two, at most half full */
    /* Denies that match what is not known, by what that is. */
    struct index_list unknown[DIM_COUNT];
    uint32_t *unknown_rules;
};

/* ---- keys: FNV-1a, 64 bits ---- */

static inline uint64_t key_begin(enum dimension dimension)
{
    return (UINT64_C(14695981039346656037) ^ (uint64_t)dimension) * UINT64_C(1099511628211);
}

static inline uint64_t key_add(uint64_t key, uint8_t byte)
{
    return (key ^ postern_ascii_to_lower(byte)) * UINT64_C(1099511628211);
}

static inline uint64_t key_of_text(enum dimension dimension, const char *text, size_t len)
{
    uint64_t key = key_begin(dimension);

    for (size_t i = 0; i < len; i++)
        key = key_add(key, (uint8_t)text[i]);
    return key;
}

static inline uint64_t key_of_number(enum dimension dimension, size_t protocol, size_t action)
{
    uint64_t key = key_add(key_begin(dimension), (uint8_t)(protocol & 0x1F));

    key = (key ^ (action & 0xFF)) * UINT64_C(1099511628211);
    return (key ^ (action >> 8 & 0xFF)) * UINT64_C(1099511628211);
}

static inline size_t slot_of(const struct rule_index *x, uint64_t key)
{
    return (size_t)(key ^ key >> 32) & (x->slot_count - 1);
}

#endif
