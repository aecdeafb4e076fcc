/* SPDX-License-Identifier: BSD-2-Clause */
/* cjose: the signature; claims are its caller's. */
#include "peer.h"

#include <cjose/cjose.h>
#include <stdlib.h>

#include "jansson_claims.h"

struct state {
    struct peer_setup want;
    cjose_jwk_t *key;
};

static void end(void *state)
{
    struct state *s = state;

    cjose_jwk_release(s->key);
    free(s);
}

static void *begin(const struct peer_setup *setup)
{
    struct state *s = calloc(1, sizeof *s);
    cjose_err err;

    if (s == NULL)
        return NULL;
    s->want = *setup;
    s->key = cjose_jwk_import(setup->jwk, strlen(setup->jwk), &err);
    if (s->key != NULL)
        return s;
    free(s);
    return NULL;
}

static bool is_header_right(cjose_jws_t *jws, const struct peer_setup *want)
{
    cjose_header_t *header = cjose_jws_get_protected(jws);
    const char *alg, *typ;
    cjose_err err;

    alg = cjose_header_get(header, "alg", &err);
    typ = cjose_header_get(header, "typ", &err);
    return alg != NULL && strcmp(alg, want->alg) == 0 && typ != NULL && strcmp(typ, want->typ) == 0;
}

static bool check_jws(const struct state *s, cjose_jws_t *jws)
{
    uint8_t *text;
    size_t len;
    cjose_err err;
    json_t *claims;
    bool ok;

    if (!is_header_right(jws, &s->want) || !cjose_jws_verify(jws, s->key, &err) ||
        !cjose_jws_get_plaintext(jws, &text, &len, &err))
        return false;
    claims = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
    ok = are_claims_right(claims, &s->want);
    json_decref(claims);
    return ok;
}

static bool check(void *state, const char *token, size_t len)
{
    cjose_err err;
    cjose_jws_t *jws = cjose_jws_import(token, len, &err);
    bool ok = jws != NULL && check_jws(state, jws);

    cjose_jws_release(jws);
    return ok;
}

const struct verify_peer verify_peer = { "at+jwt", begin, check, end };
