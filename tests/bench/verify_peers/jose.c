/* SPDX-License-Identifier: BSD-2-Clause */
/* José: it reads the JSON form of a JWS, so the compact one is taken apart here; claims are its
 * caller's. */
#include "peer.h"

#include <jose/b64.h>
#include <jose/jws.h>
#include <stdlib.h>

#include "jansson_claims.h"

struct state {
    struct peer_setup want;
    json_t *key;
};

static void end(void *state)
{
    struct state *s = state;

    json_decref(s->key);
    free(s);
}

static void *begin(const struct peer_setup *setup)
{
    struct state *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->want = *setup;
    s->key = json_loads(setup->jwk, 0, NULL);
    if (s->key != NULL)
        return s;
    free(s);
    return NULL;
}

static bool is_header_right(const json_t *header, const struct peer_setup *want)
{
    return is_text(header, "alg", want->alg) && is_text(header, "typ", want->typ);
}

/* Header and payload are read out of their base64 as jose_b64_dec_load() does. */
static bool check_jws(const struct state *s, const json_t *jws)
{
    json_t *header = jose_b64_dec_load(json_object_get(jws, "protected"));
    json_t *claims = jose_b64_dec_load(json_object_get(jws, "payload"));
    bool ok = is_header_right(header, &s->want) && jose_jws_ver(NULL, jws, NULL, s->key, false) &&
              are_claims_right(claims, &s->want);

    json_decref(header);
    json_decref(claims);
    return ok;
}

static bool check(void *state, const char *token, size_t len)
{
    const char *first = memchr(token, '.', len);
    const char *second = first == NULL ? NULL : strchr(first + 1, '.');
    json_t *jws;
    bool ok;

    if (second == NULL)
        return false;
    jws = json_pack("{s:s%,s:s%,s:s%}", "protected", token, (size_t)(first - token), "payload",
                    first + 1, (size_t)(second - first - 1), "signature", second + 1,
                    len - (size_t)(second + 1 - token));
    ok = jws != NULL && check_jws(state, jws);
    json_decref(jws);
    return ok;
}

const struct verify_peer verify_peer = { "at+jwt", begin, check, end };
