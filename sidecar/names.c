/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * References and fingerprints (sidecar/names.h).  A fingerprint is keyed, per boot: two
 * lines of one log can be compared, but nobody can test a guessed token against a log.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "names.h"

/* For REFS_AT_ONCE references from one call: they need to be distinct, not secret.  A process that forks
 * takes none before (posternd's supervisor). */
#define REFS_AT_ONCE 25

static const uint8_t *take_random(void)
{
    static _Thread_local uint8_t pool[REFS_AT_ONCE * REF_DIGITS];
    static _Thread_local size_t left;

    if (left == 0 && getrandom(pool, sizeof pool, 0) != (ssize_t)sizeof pool)
        return NULL;
    left = (left == 0 ? sizeof pool : left) - REF_DIGITS;
    return pool + left;
}

bool make_ref(char ret[POSTERN_REF_MAX])
{
    static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const uint8_t *random = take_random();
    size_t at = strlen(REF_PREFIX);

    memset(ret, 0, POSTERN_REF_MAX);
    if (random == NULL)
        return false;
    memcpy(ret, REF_PREFIX, at);
    for (size_t i = 0; i < REF_DIGITS; i++)
        ret[at + i] = crockford[random[i] % 32]; /* 256 is a multiple of 32: no digit is likelier */
    return true;
}

postern_err fingerprint_start(struct fingerprint_key *k, postern_error *err)
{
    if (getrandom(k->key, sizeof k->key, 0) != (ssize_t)sizeof k->key)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %s", strerror(errno));
    return POSTERN_OK;
}

void fingerprint_token(const struct fingerprint_key *k, postern_bytes token,
                       char ret[FINGERPRINT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    memset(ret, 0, FINGERPRINT_LEN + 1);
    if (HMAC(EVP_sha256(), k->key, sizeof k->key, token.ptr, token.len, mac, &len) == NULL ||
        len < FINGERPRINT_LEN / 2)
        return;
    for (size_t i = 0; i < FINGERPRINT_LEN / 2; i++) {
        ret[2 * i] = hex[mac[i] >> 4];
        ret[2 * i + 1] = hex[mac[i] & 15];
    }
}
