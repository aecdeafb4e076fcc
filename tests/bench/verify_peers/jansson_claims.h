/* SPDX-License-Identifier: BSD-2-Clause */
/* Claims that a peer leaves to whoever calls it, over jansson, which three of them bring. */
#ifndef POSTERN_BENCH_JANSSON_CLAIMS_H
#define POSTERN_BENCH_JANSSON_CLAIMS_H

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "peer.h"

static inline bool is_text(const json_t *object, const char *name, const char *want)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL && strcmp(text, want) == 0;
}

/* As a whole word. */
static inline bool has_word(const char *words, const char *want)
{
    size_t len = strlen(want);

    for (const char *at = words; at != NULL && (at = strstr(at, want)) != NULL; at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static inline bool are_claims_right(const json_t *claims, const struct peer_setup *want)
{
    return is_text(claims, "iss", want->issuer) && is_text(claims, "aud", want->audience) &&
           json_integer_value(json_object_get(claims, "exp")) > time(NULL) &&
           has_word(json_string_value(json_object_get(claims, "scope")), want->scope);
}

#endif
