/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/introspector.c by itself: as whom an issuer may be asked, and which tokens were not
 * active a moment ago.  lib/oauth/introspection.c: what an answer beside a signed token changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_keys.h"
#include "oauth/introspection.h"
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

/* ---- an answer beside signed claims ---- */

#define LIT(s) POSTERN_BYTES_LIT(s)

static struct postern_grant_facts make_facts(void)
{
    return (struct postern_grant_facts){ .subject = LIT("alice"),
                                         .registered_client = LIT("agent-7"),
                                         .jti = LIT("t-1"),
                                         .act_depth = 2,
                                         .act = { LIT("agent-7"), LIT("agent-8") },
                                         .scope = LIT("a b c"),
                                         .exp_s = 1000 };
}

static postern_err narrow(const struct postern_grant_facts *told, struct postern_grant_facts *facts,
                          postern_buf *scratch)
{
    *facts = make_facts();
    return postern_introspection_narrow(told, facts, scratch, &err);
}

static void an_answer_of_another_token_is_refused_by_each_part(void **state)
{
    struct postern_grant_facts others[7], facts;
    static const char *const names[] = { "sub", "client_id", "jti", "act", "act", "act", "exp" };
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(100);
    char want[100];

    (void)state;
    for (size_t n = 0; n < 7; n++)
        others[n] = make_facts();
    others[0].subject = LIT("bob");
    others[1].registered_client = LIT("agent-9");
    others[2].jti = LIT("t-2");
    others[3].act_depth = 1;
    others[4].act[1] = LIT("agent-9");
    others[5].act_depth = 3;
    others[6].exp_s = 1001;
    for (size_t n = 0; n < 7; n++) {
        if (narrow(&others[n], &facts, &scratch) != POSTERN_ERR_ISSUER_ANSWER)
            fail_msg("difference %zu", n);
        (void)snprintf(want, sizeof want, "introspection answer is of another token: its %s %s",
                       names[n], n == 6 ? "is later" : "differs");
        assert_string_equal(err.detail, want);
    }
}

static void an_answer_takes_away_and_adds_nothing(void **state)
{
    static const uint8_t cert[32] = { 1 }, other_cert[32] = { 2 };
    struct postern_grant_facts told = make_facts(), facts;
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(100);

    (void)state;
    assert_int_equal(narrow(&told, &facts, &scratch), POSTERN_OK);
    assert_true(postern_bytes_equal_str(facts.scope, "a b c"));
    told = (struct postern_grant_facts){ .exp_s = 900, .scope = LIT("c d a") };
    assert_int_equal(narrow(&told, &facts, &scratch), POSTERN_OK); /* what it leaves out agrees */
    assert_true(postern_bytes_equal_str(facts.scope, "a c"));
    assert_true(postern_bytes_equal_str(facts.subject, "alice"));
    assert_int_equal(facts.act_depth, 2);
    assert_int_equal(facts.exp_s, 900);
    assert_int_equal(facts.bound_cert.len, 0);
    told.bound_cert = (postern_bytes){ cert, sizeof cert };
    assert_int_equal(narrow(&told, &facts, &scratch), POSTERN_OK);
    assert_ptr_equal(facts.bound_cert.ptr, cert);
    facts = make_facts();
    facts.bound_cert = (postern_bytes){ other_cert, sizeof other_cert };
    assert_int_equal(postern_introspection_narrow(&told, &facts, &scratch, &err), POSTERN_OK);
    assert_ptr_equal(facts.bound_cert.ptr, other_cert); /* the token's own was proved too */
}

static void an_opaque_token_is_printable_and_has_no_form_of_jose(void **state)
{
    (void)state;
    assert_true(postern_introspection_takes(LIT("opq_1")));
    assert_true(postern_introspection_takes(LIT("a.b")));
    assert_true(postern_introspection_takes(LIT("a.b.c.d")));
    assert_false(postern_introspection_takes(POSTERN_BYTES_NONE));
    assert_false(postern_introspection_takes(LIT("a.b.c")));
    assert_false(postern_introspection_takes(LIT("a.b.c.d.e")));
    assert_false(postern_introspection_takes(LIT("a b")));
    assert_false(postern_introspection_takes(LIT("caf\xc3\xa9")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whoever_asks_is_known_to_that_issuer_and_proves_it),
        TEST(a_client_with_a_key_has_one_that_signs),
        TEST(a_client_for_which_memory_lacked_can_be_set_later),
        TEST(only_the_very_token_at_that_service_was_not_active),
        TEST(an_answer_of_another_token_is_refused_by_each_part),
        TEST(an_answer_takes_away_and_adds_nothing),
        TEST(an_opaque_token_is_printable_and_has_no_form_of_jose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
