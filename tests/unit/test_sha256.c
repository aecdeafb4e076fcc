/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/audit/sha256.c: FIPS 180-4's own examples, from many threads, and where OpenSSL fails. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include <postern-private/sha256.h>

int __real_EVP_Digest(const void *data, size_t count, unsigned char *md, unsigned *size, const EVP_MD *type,
                      ENGINE *impl);
int __wrap_EVP_Digest(const void *data, size_t count, unsigned char *md, unsigned *size, const EVP_MD *type,
                      ENGINE *impl);
EVP_MD *__real_EVP_MD_fetch(OSSL_LIB_CTX *ctx, const char *algorithm, const char *properties);
EVP_MD *__wrap_EVP_MD_fetch(OSSL_LIB_CTX *ctx, const char *algorithm, const char *properties);

static bool has_no_memory;
static int fetches;

int __wrap_EVP_Digest(const void *data, size_t count, unsigned char *md, unsigned *size, const EVP_MD *type,
                      ENGINE *impl)
{
    return has_no_memory ? 0 : __real_EVP_Digest(data, count, md, size, type, impl);
}

EVP_MD *__wrap_EVP_MD_fetch(OSSL_LIB_CTX *ctx, const char *algorithm, const char *properties)
{
    fetches++;
    return __real_EVP_MD_fetch(ctx, algorithm, properties);
}

static const struct {
    const char *text, *hex;
} examples[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static bool is_right(size_t i, postern_bytes text)
{
    POSTERN_AUTO_BUF hex = POSTERN_BUF_INIT(2 * SHA256_LEN + 1);
    uint8_t hash[SHA256_LEN];

    if (!sha256_make(text, hash))
        return false;
    postern_hex_encode((postern_bytes){ hash, sizeof hash }, &hex);
    return strcmp(postern_buf_cstr(&hex), examples[i].hex) == 0;
}

static void texts_have_the_hash_that_the_standard_gives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        assert_true(is_right(i, postern_bytes_str(examples[i].text)));
    assert_true(is_right(0, POSTERN_BYTES_NONE));
    assert_false(is_right(1, (postern_bytes){ (const uint8_t *)"abc", 4 })); /* its NUL is a byte */
    assert_false(is_right(1, (postern_bytes){ (const uint8_t *)"abc", 2 }));
}

static void *hash_often(void *arg)
{
    bool *ret = arg;

    *ret = true;
    for (int i = 0; i < 1000; i++)
        *ret = *ret && is_right(1, postern_bytes_str("abc"));
    return NULL;
}

static void threads_fetch_it_once(void **state)
{
    pthread_t threads[4];
    bool all_right[4] = { false };

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_often, &all_right[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(all_right[i]);
    }
    assert_int_equal(fetches, 1);
}

static void no_memory_is_no_hash(void **state)
{
    uint8_t hash[SHA256_LEN];

    (void)state;
    has_no_memory = true;
    assert_false(sha256_make(postern_bytes_str("abc"), hash));
    assert_false(sha256_make(POSTERN_BYTES_NONE, hash));
    has_no_memory = false;
    assert_true(sha256_make(postern_bytes_str("abc"), hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_fetch_it_once),
        cmocka_unit_test(texts_have_the_hash_that_the_standard_gives),
        cmocka_unit_test(no_memory_is_no_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
