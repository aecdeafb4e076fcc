/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other libraries at the same tokens, each in a shared object of its own (verify_peers/build).  Before a
 * peer is timed it is shown tokens that are wrong in one way each; what it refuses is told beside its
 * figure, so that nobody compares a library that checks with one that does not.
 */
#include "config.h"

#include "verify_peers.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "verify_peers/peer.h"

static const char *const names[] = { "libjwt", "cjose", "rhonabwy", "jose" };

static bool accepts(const struct bench *b, char *take_text)
{
    bool ok = b->peer->check(b->peer_state, take_text, strlen(take_text));

    free(take_text);
    return ok;
}

static bool accepts_claims(const struct bench *b, char *take_claims)
{
    char *text = rig_sign(b, b->peer->typ, take_claims);

    free(take_claims);
    return accepts(b, text);
}

/* The first character of the signature is another one; its last may hold bits that say nothing. */
static bool accepts_forged(const struct bench *b)
{
    char *text = strdup(b->tokens[0].peer_text), *sig;

    if (text == NULL)
        rig_die("strdup", NULL);
    sig = strrchr(text, '.') + 1;
    *sig = *sig == 'A' ? 'B' : 'A';
    return accepts(b, text);
}

static bool accepts_type(const struct bench *b)
{
    char *claims = rig_claims(0, ISSUER, AUDIENCE, SCOPE, time(NULL));
    char *text = rig_sign(b, "logout+jwt", claims);

    free(claims);
    return accepts(b, text);
}

/* Letters as in the facts: s=signature e=exp i=iss a=aud t=typ c=scope. */
static void find_checks(const struct bench *b, char ret[7])
{
    long long now_s = time(NULL);

    if (!accepts_forged(b))
        *ret++ = 's';
    if (!accepts_claims(b, rig_claims(0, ISSUER, AUDIENCE, SCOPE, now_s - 3600)))
        *ret++ = 'e';
    if (!accepts_claims(b, rig_claims(0, ISSUER ".evil", AUDIENCE, SCOPE, now_s)))
        *ret++ = 'i';
    if (!accepts_claims(b, rig_claims(0, ISSUER, AUDIENCE "s", SCOPE, now_s)))
        *ret++ = 'a';
    if (!accepts_type(b))
        *ret++ = 't';
    if (!accepts_claims(b, rig_claims(0, ISSUER, AUDIENCE, SCOPE ".all", now_s)))
        *ret++ = 'c';
    *ret = '\0';
}

static void check_peer(struct bench *b, struct token *t)
{
    if (!b->peer->check(b->peer_state, t->peer_text, strlen(t->peer_text)))
        rig_die("a peer refuses a good token", NULL);
}

static void make_texts(struct bench *b)
{
    for (size_t i = 0; i < TOKENS; i++) {
        char *claims = rig_claims(i, ISSUER, AUDIENCE, SCOPE, time(NULL));

        b->tokens[i].peer_text = rig_sign(b, b->peer->typ, claims);
        free(claims);
    }
}

static void free_texts(struct bench *b)
{
    for (size_t i = 0; i < TOKENS; i++) {
        free(b->tokens[i].peer_text);
        b->tokens[i].peer_text = NULL;
    }
}

static void print_none(const struct bench *b, const char *name, const char *why)
{
    printf("{\"name\":\"verify/%s/%s\",\"none\":\"%s\"}\n", b->alg, name, why);
}

static void measure_peer(struct bench *b, const char *name, struct candidate base, int rounds)
{
    const char *good = b->tokens[0].peer_text;
    struct result r;
    char checks[7];

    if (!b->peer->check(b->peer_state, good, strlen(good))) {
        print_none(b, name, "cannot do it");
        return;
    }
    find_checks(b, checks);
    r = rig_measure(b, (struct candidate){ check_peer, NULL }, base, rounds);
    printf("{\"name\":\"verify/%s/%s\",\"value\":%.0f,\"unit\":\"1/s\",\"ratio\":%.3f,"
           "\"against\":\"evp-prepared\",\"checks\":\"%s\"}\n",
           b->alg, name, 1e9 / r.ns, r.ratio, checks);
    fflush(stdout);
}

static void begin_peer(struct bench *b, const char *name, struct candidate base, int rounds)
{
    char *jwk = test_key_jwk(b->key, "\"kid\":\"" KID "\"");
    char *pem = test_key_public_pem(b->key);
    const struct peer_setup setup = { b->alg, jwk, pem, ISSUER, AUDIENCE, b->peer->typ, SCOPE };

    b->peer_state = b->peer->begin(&setup);
    if (b->peer_state == NULL) {
        print_none(b, name, "cannot do it");
    } else {
        make_texts(b);
        measure_peer(b, name, base, rounds);
        free_texts(b);
        b->peer->end(b->peer_state);
    }
    free(jwk);
    free(pem);
}

void verify_measure_peers(struct bench *b, const char *folder, struct candidate base, int rounds)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = test_printf("%s/%s.so", folder, names[i]);
        void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        free(path);
        b->peer = object == NULL ? NULL : dlsym(object, "verify_peer");
        if (b->peer != NULL)
            begin_peer(b, names[i], base, rounds);
        else
            print_none(b, names[i], "not here");
        /* kept: some register what runs at exit */
    }
}
