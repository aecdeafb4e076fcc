/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA-256 over an action and its arguments (postern-private/args_digest.h). */
#include <postern-private/args_digest.h>

#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define DIGEST_LEN 32
#define LENGTH_LEN 8

static pthread_once_t hmac_once = PTHREAD_ONCE_INIT;
static EVP_MAC *fetched_hmac; /* once, for the process's life: as of SHA-256 in chain.c */

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

bool args_digest_make(const struct args_digest_key *key, const char *action, const char *database,
                      const postern_bytes *pieces, size_t count, char ret[ARGS_DIGEST_MAX])
{
    EVP_MAC_CTX *ctx = begin(key);
    uint8_t digest[DIGEST_LEN];
    size_t len = 0;
    bool is_made;

    ret[0] = '\0';
    is_made = ctx != NULL && add_head(ctx, postern_bytes_str(database)) &&
              add_all(ctx, postern_bytes_str(action), pieces, count) &&
              EVP_MAC_final(ctx, digest, &len, sizeof digest) == 1 && len == sizeof digest;
    EVP_MAC_CTX_free(ctx);
    return is_made && write_text(digest, ret);
}
