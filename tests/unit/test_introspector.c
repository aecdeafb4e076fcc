/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/introspector.c by itself: as whom an issuer may be asked, and which tokens were not
 * active a moment ago. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_keys.h"
#include "oauth/introspector.h"

#define ISSUER "https://sso.example.org"

static const struct server server = { .issuer = ISSUER };
static struct introspector *i;
static postern_error err;

static int set_up(void **state)
{
    (void)state;
    return postern_introspector_new(&server, NULL, &i, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    postern_introspector_free(i);
    return 0;
}

static postern_agent make_client(void)
{
    return (postern_agent){ .issuer = ISSUER,
                            .client_id = "posternd",
                            .credential = POSTERN_BYTES_LIT("s3cr3t") };
}

static void assert_refused(const postern_agent *client, const char *detail)
{
    if (postern_introspector_set_client(i, client, &err) != POSTERN_ERR_USAGE ||
        strcmp(err.detail, detail) != 0)
        fail_msg("wanted \"%s\", got \"%s\"", detail, err.detail);
    assert_null(postern_introspector_client_id(i));
}

static void whoever_asks_is_known_to_that_issuer_and_proves_it(void **state)
{
    char long_text[1026];
    postern_agent client = make_client();

    (void)state;
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    client.issuer = NULL;
    assert_refused(&client, ISSUER ": the client is registered at another issuer");
    client.issuer = ISSUER "/";
    assert_refused(&client, ISSUER ": the client is registered at another issuer");
    client = make_client();
    client.client_id = NULL;
    assert_refused(&client, "client_id is missing or longer than 512 bytes");
    client.client_id = "";
    assert_refused(&client, "client_id is missing or longer than 512 bytes");
    client.client_id = long_text + 512; /* 513 of them */
    assert_refused(&client, "client_id is missing or longer than 512 bytes");
    client = make_client();
    client.auth = POSTERN_CLIENT_AUTH_NONE;
    assert_refused(&client, "RFC 7662 section 2.1: a client that proves nothing is told nothing");
    client = make_client();
    client.credential = POSTERN_BYTES_NONE;
    assert_refused(&client, "RFC 7662 section 2.1: a client that proves nothing is told nothing");
    client.credential = postern_bytes_str(long_text);
    assert_refused(&client, "client secret is longer than 1024 bytes");
    client.credential = postern_bytes_str(long_text + 1);
    client.client_id = long_text + 513;
    assert_int_equal(postern_introspector_set_client(i, &client, &err), POSTERN_OK);
    assert_string_equal(postern_introspector_client_id(i), long_text + 513);
    assert_int_equal(postern_introspector_set_client(i, &client, &err), POSTERN_ERR_USAGE);
    assert_string_equal(err.detail, ISSUER ": there is a client already");
}

static void a_client_with_a_key_has_one_that_signs(void **state)
{
    test_key *key = test_key_new("P-256");
    char *pem = test_key_private_pem(key);
    postern_agent client = make_client();

    (void)state;
    client.auth = POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT;
    client.credential = POSTERN_BYTES_LIT("no key");
    assert_int_equal(postern_introspector_set_client(i, &client, &err), POSTERN_ERR_CONFIG_FILE);
    assert_null(postern_introspector_client_id(i)); /* it may be tried again */
    client.credential = postern_bytes_str(pem);
    assert_int_equal(postern_introspector_set_client(i, &client, &err), POSTERN_OK);
    assert_string_equal(postern_introspector_client_id(i), "posternd");
    free(pem);
    test_key_free(key);
}

static postern_err set_once(void *arg, postern_error *ret_err)
{
    postern_agent client = make_client();

    client.auth = POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT;
    client.credential = postern_bytes_str(arg);
    return postern_introspector_set_client(i, &client, ret_err);
}

/* On one introspector: each try goes on where memory lacked, until it has its client. */
static void a_client_for_which_memory_lacked_can_be_set_later(void **state)
{
    test_key *key = test_key_new("P-256");
    char *pem = test_key_private_pem(key);

    (void)state;
    assert_true(alloc_fail_sweep(set_once, pem, POSTERN_OK) >= 2);
    assert_string_equal(postern_introspector_client_id(i), "posternd");
    free(pem);
    test_key_free(key);
}

/* Two tokens may share the place of one; neither is told what the other was. */
static void only_the_very_token_at_that_service_was_not_active(void **state)
{
    static const int service, other_service;
    const struct cache_key key = { .service = &service, .digest = { 1, 2, 3 } };
    struct cache_key other = key;

    (void)state;
    assert_false(postern_introspector_is_inactive(i, &key, 1000));
    postern_introspector_note_inactive(i, &key, 1000);
    assert_true(postern_introspector_is_inactive(i, &key, 1000));
    assert_true(postern_introspector_is_inactive(i, &key, 1000 + POSTERN_INACTIVE_KEEP_MS - 1));
    assert_false(postern_introspector_is_inactive(i, &key, 1000 + POSTERN_INACTIVE_KEEP_MS));
    other.digest[2] = 4;
    assert_false(postern_introspector_is_inactive(i, &other, 1000));
    other = key;
    other.service = &other_service;
    assert_false(postern_introspector_is_inactive(i, &other, 1000));
    other = key;
    other.digest[31] = 1;
    postern_introspector_note_inactive(i, &other, 1000); /* pushes the first one out */
    assert_true(postern_introspector_is_inactive(i, &other, 1000));
    assert_false(postern_introspector_is_inactive(i, &key, 1000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whoever_asks_is_known_to_that_issuer_and_proves_it),
        TEST(a_client_with_a_key_has_one_that_signs),
        TEST(a_client_for_which_memory_lacked_can_be_set_later),
        TEST(only_the_very_token_at_that_service_was_not_active),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
