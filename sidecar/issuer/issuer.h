/* SPDX-License-Identifier: BSD-2-Clause */
/* What the issuer's handlers share; main.c builds it, tests build it by hand.  One thread, one
 * event loop. */
#ifndef POSTERN_ISSUER_ISSUER_H
#define POSTERN_ISSUER_ISSUER_H

#include <postern/context.h>
#include <postern-private/mint.h>

#include "key_ring.h"
#include "rate.h"
#include "settings.h"
#include "store_clients.h"
#include "store_revocations.h"

struct issuer {
    const struct issuer_settings *settings;
    struct store          *store;
    const postern_signing_key    *key;           /* what signs now */
    struct key_ring              *keys;          /* NULL: `key` is all there is (tests) */
    struct rate_table            *rates;
    /* Validate our own tokens for whoami, for any of our resources; NULL until our jwks_file is
     * written (own_token.h). */
    postern_context              *whoami_tokens;
    postern_context              *own_tokens;
    postern_clock                 clock;         /* both functions set */
    /* Of the tokens issued by this process: a clock set back makes no removal older than them. */
    int64_t newest_iat_s;
    /* Tells helper and doors at once; NULL in tests that do not look. */
    void (*tell_revoked)(void *arg, const struct revocation *what);
    /* The key set is another one: publish it.  NULL: nobody. */
    void (*keys_changed)(void *arg);
    void *tell_arg;
    /* Random: what an unknown client's secret is compared with. */
    uint8_t no_client_sha256[CLIENT_SECRET_HASH];
};

static inline int64_t issuer_now_s(const struct issuer *is)
{
    return is->clock.now_s(is->clock.arg);
}
static inline int64_t issuer_mono_ms(const struct issuer *is)
{
    return is->clock.mono_ms(is->clock.arg);
}

/* `what` is remembered: from now on verifiers are told. */
static inline void issuer_tell_revoked(const struct issuer *is, const struct revocation *what)
{
    if (is->tell_revoked != NULL)
        is->tell_revoked(is->tell_arg, what);
}

/* Fill with bytes of getrandom(2).  False only when the kernel has none: refuse then. */
POSTERN_MUST_USE bool issuer_random(void *room, size_t len);

#endif
