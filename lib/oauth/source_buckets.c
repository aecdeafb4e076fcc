/* SPDX-License-Identifier: BSD-2-Clause */
/* See source_buckets.h.  A keyed hash says where a source stands, so that nobody can choose an
 * address whose bucket is another's. */
#include "source_buckets.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#define SETS     (POSTERN_SOURCES_MAX / POSTERN_SOURCE_WAYS)
#define TEXT_MAX 64                                     /* bytes of an address without its port */

struct bucket {
    uint64_t name; /* of the source; 0: free */
    int64_t drops; /* thousandths, at filled_ms */
    int64_t filled_ms;
};

struct source_buckets {
    int64_t full; /* thousandths of a drop */
    int per_s;
    uint8_t key[16];
    struct bucket sets[SETS][POSTERN_SOURCE_WAYS];
};

postern_err postern_source_buckets_new(struct source_rate rate, struct source_buckets **ret,
                                       postern_error *err)
{
    struct source_buckets *b = calloc(1, sizeof *b);

    if (b == NULL)
        return POSTERN_FAIL(err, NOMEM, "sources");
    b->full = (int64_t)rate.burst * 1000;
    b->per_s = rate.per_s;
    if (getrandom(b->key, sizeof b->key, 0) != (ssize_t)sizeof b->key) {
        free(b);
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    }
    *ret = b;
    return POSTERN_OK;
}

void postern_source_buckets_free(struct source_buckets *b)
{
    free(b);
}

/* ---- which source ---- */

/* Without port: behind ';', behind the one colon, or around "[…]". */
static void cut_port(char text[TEXT_MAX])
{
    char *end, *colon = strchr(text, ':');

    if ((end = strchr(text, ';')) != NULL)
        *end = '\0';
    if (text[0] == '[' && (end = strchr(text, ']')) != NULL) {
        *end = '\0';
        memmove(text, text + 1, strlen(text));
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0';
    }
}

/* The bytes by which two peers are one source. */
static postern_bytes read_source(const char *peer, char text[TEXT_MAX], uint8_t address[16])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    size_t len = peer == NULL ? 0 : strnlen(peer, TEXT_MAX - 1);

    if (len != 0)
        memcpy(text, peer, len);
    text[len] = '\0';
    cut_port(text);
    if (inet_pton(AF_INET, text, address) == 1)
        return (postern_bytes){ address, 4 };
    if (inet_pton(AF_INET6, text, address) != 1)
        return postern_bytes_str(text);
    if (memcmp(address, mapped, sizeof mapped) == 0)
        return (postern_bytes){ address + sizeof mapped, 4 };
    return (postern_bytes){ address, 8 };
}

/* False: no memory for the hash. */
static bool hash_source(const struct source_buckets *b, const char *peer, uint64_t *ret)
{
    char text[TEXT_MAX];
    uint8_t address[16], input[sizeof b->key + TEXT_MAX], digest[32];
    postern_bytes source = read_source(peer, text, address);

    memcpy(input, b->key, sizeof b->key);
    if (source.len != 0)
        memcpy(input + sizeof b->key, source.ptr, source.len);
    if (EVP_Digest(input, sizeof b->key + source.len, digest, NULL, EVP_sha256(), NULL) != 1) {
        ERR_clear_error();
        return false;
    }
    memcpy(ret, digest, sizeof *ret);
    *ret |= *ret == 0; /* never the name of a free place */
    return true;
}

/* ---- its bucket ---- */

static void fill_up(const struct source_buckets *b, struct bucket *one, int64_t now_ms)
{
    int64_t passed_ms = now_ms - one->filled_ms;

    one->filled_ms = now_ms;
    if (passed_ms <= 0)
        return;
    if (passed_ms >= b->full / b->per_s)
        one->drops = b->full;
    else
        one->drops += passed_ms * b->per_s;
    if (one->drops > b->full)
        one->drops = b->full;
}

/* The source's own; else a free one, or that of whoever could come again with the fullest: he loses
 * least. */
static struct bucket *find_bucket(struct source_buckets *b, uint64_t name, int64_t now_ms)
{
    struct bucket *set = b->sets[name % SETS], *fullest = &set[0];

    for (size_t i = 0; i < POSTERN_SOURCE_WAYS; i++) {
        if (set[i].name == name)
            return &set[i];
        if (set[i].name == 0) {
            set[i].drops = b->full;
            set[i].filled_ms = now_ms;
        }
        fill_up(b, &set[i], now_ms);
        if (set[i].drops > fullest->drops)
            fullest = &set[i];
    }
    *fullest = (struct bucket){ name, b->full, now_ms };
    return fullest;
}

bool postern_source_buckets_take(struct source_buckets *b, const char *peer, int64_t now_ms)
{
    struct bucket *mine;
    uint64_t name;

    if (!hash_source(b, peer, &name))
        return false;
    mine = find_bucket(b, name, now_ms);
    fill_up(b, mine, now_ms);
    if (mine->drops < 1000)
        return false;
    mine->drops -= 1000;
    return true;
}

void postern_source_buckets_give_back(struct source_buckets *b, const char *peer)
{
    struct bucket *set;
    uint64_t name;

    if (!hash_source(b, peer, &name))
        return;
    set = b->sets[name % SETS];
    for (size_t i = 0; i < POSTERN_SOURCE_WAYS; i++)
        if (set[i].name == name)
            set[i].drops = set[i].drops > b->full - 1000 ? b->full : set[i].drops + 1000;
}
