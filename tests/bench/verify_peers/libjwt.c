/* SPDX-License-Identifier: BSD-2-Clause */
/* libjwt 1.10: it reads the key from PEM for every token, and has no say on the type of a token. */
#include "peer.h"

#include <jwt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct state {
    struct peer_setup want;
    jwt_alg_t alg;
};

static void *begin(const struct peer_setup *setup)
{
    struct state *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->want = *setup;
    s->alg = jwt_str_alg(setup->alg);
    if (s->alg != JWT_ALG_INVAL)
        return s;
    free(s);
    return NULL;
}

static bool is_text(jwt_t *jwt, const char *name, const char *want)
{
    const char *text = jwt_get_grant(jwt, name);

    return text != NULL && strcmp(text, want) == 0;
}

static bool has_word(const char *words, const char *want)
{
    size_t len = strlen(want);

    for (const char *at = words; at != NULL && (at = strstr(at, want)) != NULL; at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static bool check(void *state, const char *token, size_t len)
{
    const struct state *s = state;
    const char *pem = s->want.pem;
    jwt_t *jwt = NULL;
    bool ok;

    (void)len;
    if (jwt_decode(&jwt, token, (const unsigned char *)pem, (int)strlen(pem)) != 0)
        return false;
    ok = jwt_get_alg(jwt) == s->alg && is_text(jwt, "iss", s->want.issuer) &&
         is_text(jwt, "aud", s->want.audience) && jwt_get_grant_int(jwt, "exp") > time(NULL) &&
         has_word(jwt_get_grant(jwt, "scope"), s->want.scope);
    jwt_free(jwt);
    return ok;
}

const struct verify_peer verify_peer = { "JWT", begin, check, free };
