/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA-256 over an action and its arguments (postern-private/args_digest.h). */
#include <postern-private/args_digest.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define DIGEST_LEN 32
#define LENGTH_LEN 8

static pthread_once_t hmac_once = PTHREAD_ONCE_INIT;
static EVP_MAC *fetched_hmac; /* once, for the process's life: as of SHA-256 in sha256.c */

static void fetch_hmac(void)
{
    fetched_hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static bool add(EVP_MAC_CTX *ctx, postern_bytes b)
{
    return b.len == 0 || EVP_MAC_update(ctx, b.ptr, b.len) == 1;
}

static bool add_number(EVP_MAC_CTX *ctx, uint64_t n)
{
    uint8_t text[LENGTH_LEN];

    for (size_t i = 0; i < LENGTH_LEN; i++)
        text[i] = (uint8_t)(n >> (8 * (LENGTH_LEN - 1 - i)));
    return add(ctx, (postern_bytes){ text, sizeof text });
}

static bool add_piece(EVP_MAC_CTX *ctx, postern_bytes piece)
{
    return add_number(ctx, piece.len) && add(ctx, piece);
}

static bool add_head(EVP_MAC_CTX *ctx, postern_bytes database)
{
    if (database.len == 0)
        return add(ctx, POSTERN_BYTES_LIT("postern args 1"));
    return add(ctx, POSTERN_BYTES_LIT("postern args 2")) && add_piece(ctx, database);
}

static bool add_all(EVP_MAC_CTX *ctx, postern_bytes action, const postern_bytes *pieces,
                    size_t count)
{
    if (!add_piece(ctx, action) || !add_number(ctx, count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!add_piece(ctx, pieces[i]))
            return false;
    return true;
}

static EVP_MAC_CTX *begin(const struct args_digest_key *key)
{
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
                            OSSL_PARAM_construct_end() };
    EVP_MAC_CTX *ctx;

    if (pthread_once(&hmac_once, fetch_hmac) != 0 || fetched_hmac == NULL)
        return NULL;
    ctx = EVP_MAC_CTX_new(fetched_hmac);
    if (ctx != NULL && EVP_MAC_init(ctx, key->bytes, sizeof key->bytes, params) == 1)
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

/* 43 characters: the buffer's storage is its own, and is wiped with it. */
static bool write_text(const uint8_t digest[DIGEST_LEN], char ret[ARGS_DIGEST_MAX])
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(ARGS_DIGEST_MAX);

    postern_base64url_encode((postern_bytes){ digest, DIGEST_LEN }, &text);
    if (text.failed || text.len != ARGS_DIGEST_MAX - 1)
        return false;
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
    return true;
}

/* With a context that has its key and nothing more. */
static bool make(EVP_MAC_CTX *ctx, const char *action, const char *database,
                 const postern_bytes *pieces, size_t count, char ret[ARGS_DIGEST_MAX])
{
    uint8_t digest[DIGEST_LEN];
    size_t len = 0;

    return add_head(ctx, postern_bytes_str(database)) &&
           add_all(ctx, postern_bytes_str(action), pieces, count) &&
           EVP_MAC_final(ctx, digest, &len, sizeof digest) == 1 && len == sizeof digest &&
           write_text(digest, ret);
}

bool args_digest_make(const struct args_digest_key *key, const char *action, const char *database,
                      const postern_bytes *pieces, size_t count, char ret[ARGS_DIGEST_MAX])
{
    EVP_MAC_CTX *ctx = begin(key);
    bool is_made;

    ret[0] = '\0';
    is_made = ctx != NULL && make(ctx, action, database, pieces, count, ret);
    EVP_MAC_CTX_free(ctx);
    return is_made;
}

/* ---- many under one key ---- */

struct args_digest_maker {
    struct args_digest_key key;
    EVP_MAC_CTX *ctx;
    bool begins_again; /* this library does as it should */
};

static bool make_again(struct args_digest_maker *m, const char *action, const char *database,
                       const postern_bytes *pieces, size_t count, char ret[ARGS_DIGEST_MAX])
{
    return EVP_MAC_init(m->ctx, NULL, 0, NULL) == 1 &&
           make(m->ctx, action, database, pieces, count, ret);
}

/* A context without a new key begins anew with its old one, but early releases of OpenSSL 3.0 went on behind
 * the text before: looked at, not believed. */
static bool check_beginnings(struct args_digest_maker *m)
{
    const postern_bytes piece = POSTERN_BYTES_LIT("a piece");
    char want[ARGS_DIGEST_MAX], got[ARGS_DIGEST_MAX];

    if (!args_digest_make(&m->key, "check", NULL, &piece, 1, want))
        return false;
    for (int i = 0; i < 3; i++)
        if (!make_again(m, "check", NULL, &piece, 1, got) || strcmp(got, want) != 0)
            return false;
    return true;
}

struct args_digest_maker *args_digest_maker_new(const struct args_digest_key *key)
{
    struct args_digest_maker *m = calloc(1, sizeof *m);

    if (m == NULL)
        return NULL;
    m->key = *key;
    m->ctx = begin(key);
    if (m->ctx == NULL) {
        args_digest_maker_free(m);
        return NULL;
    }
    m->begins_again = check_beginnings(m);
    return m;
}

void args_digest_maker_free(struct args_digest_maker *m)
{
    if (m == NULL)
        return;
    EVP_MAC_CTX_free(m->ctx);
    postern_wipe(&m->key, sizeof m->key);
    free(m);
}

bool args_digest_make_with(struct args_digest_maker *m, const char *action, const char *database,
                           const postern_bytes *pieces, size_t count, char ret[ARGS_DIGEST_MAX])
{
    ret[0] = '\0';
    return m->begins_again ? make_again(m, action, database, pieces, count, ret) :
                             args_digest_make(&m->key, action, database, pieces, count, ret);
}
