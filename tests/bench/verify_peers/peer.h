/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What another library has to say to be measured beside ours (tests/bench/verify_peers.c): one shared
 * object each, so that their symbols (two JSON libraries of the same names among them) never meet.
 */
#ifndef POSTERN_BENCH_PEER_H
#define POSTERN_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>

/* What a token must be; all texts live as long as the state. */
struct peer_setup {
    const char *alg;
    const char *jwk, *pem; /* the public key, either way */
    const char *issuer, *audience, *typ, *scope;
};

struct verify_peer {
    const char *typ; /* of the tokens that it is given: libjwt refuses every other than JWT */
    /* NULL: it cannot do that algorithm. */
    void *(*begin)(const struct peer_setup *setup);
    /* True when the signature holds and whatever claims it can check are right. */
    bool (*check)(void *state, const char *token, size_t len);
    void (*end)(void *state);
};

/* Each defines it. */
extern const struct verify_peer verify_peer;

#endif
