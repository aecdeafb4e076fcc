/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/helper/request.c: a plugin's frame is read strictly, and what is refused is refused with
 * a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "helper/request.h"
#include "../support/alloc_fail.h"

#define NONCE "AAECAwQFBgcICQoLDA0ODw"
#define HEAD  "{\"v\":1,\"op\":\"verify\",\"nonce\":\"" NONCE "\",\"service\":\"imap\","
#define TAIL  "\"token\":\"a.b.c\",\"carrier\":\"sasl\",\"tls\":\"on\"}"

static postern_err read_text(const char *frame, struct helper_request *r, postern_error *err)
{
    *r = (struct helper_request){ 0 };
    return helper_request_read(postern_bytes_str(frame), r, err);
}

static void a_full_request_is_read_as_it_was_written(void **state)
{
    struct helper_request r;

    (void)state;
    assert_int_equal(read_text(HEAD "\"authzid\":\"al\\u0069ce\",\"peer\":\"192.0.2.1\",\"host\":"
                                    "\"mail.example\",\"port\":\"143\","
                                    "\"scopes\":[\"mail.read\",\"mail\"]," TAIL,
                               &r, NULL),
                     POSTERN_OK);
    assert_false(r.is_describe);
    assert_string_equal(r.nonce, NONCE);
    assert_string_equal(r.rq.service, "imap");
    assert_true(postern_bytes_equal_str(r.rq.token, "a.b.c"));
    assert_string_equal(r.rq.authzid, "alice");
    assert_string_equal(r.rq.peer, "192.0.2.1");
    assert_string_equal(r.rq.message_host, "mail.example");
    assert_string_equal(r.rq.message_port, "143");
    assert_string_equal(r.rq.extra_scopes[0], "mail.read");
    assert_string_equal(r.rq.extra_scopes[1], "mail");
    assert_null(r.rq.extra_scopes[2]);
    assert_int_equal(r.rq.client_cert_sha256.len, 0);
    assert_false(r.is_last);
    assert_int_equal(r.rq.carrier, POSTERN_CARRIER_SASL);
    assert_int_equal(r.rq.tls, POSTERN_TLS_ON);
    assert_int_equal(r.rq.size, sizeof r.rq);
    helper_request_free(&r);
}

#define HANDLE "{\"v\":1,\"op\":\"handle\",\"nonce\":\"" NONCE "\",\"service\":\"imap\",\"token\":\"a.b.c\""

static void a_handle_is_asked_for_with_its_uses(void **state)
{
    static const char *const refused[] = {
        HANDLE ",\"uses\":0}", HANDLE ",\"uses\":9}", HANDLE ",\"uses\":1.5}",
        HANDLE ",\"uses\":\"1\"}", HANDLE ",\"carrier\":\"sasl\"}",
        "{\"v\":1,\"op\":\"handle\",\"nonce\":\"" NONCE "\",\"service\":\"imap\"}",
    };
    struct helper_request r;

    (void)state;
    assert_int_equal(read_text(HANDLE "}", &r, NULL), POSTERN_OK);
    assert_true(r.is_handle && !r.is_describe);
    assert_int_equal(r.uses, 1);
    assert_true(postern_bytes_equal_str(r.rq.token, "a.b.c"));
    assert_int_equal(r.rq.carrier, POSTERN_CARRIER_PASSWORD);
    helper_request_free(&r);
    assert_int_equal(read_text(HANDLE ",\"uses\":8}", &r, NULL), POSTERN_OK);
    assert_int_equal(r.uses, 8);
    helper_request_free(&r);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(read_text(refused[i], &r, NULL), POSTERN_ERR_HELPER_PROTOCOL);
        helper_request_free(&r);
    }
}

static void a_certificate_is_told_by_its_digest(void **state)
{
    struct helper_request r;

    (void)state;
    assert_int_equal(read_text(HEAD "\"client_cert_sha256\":"
                                    "\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI\"," TAIL,
                               &r, NULL),
                     POSTERN_OK);
    assert_true(postern_bytes_equal_str(r.rq.client_cert_sha256,
                                        "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"));
    helper_request_free(&r);
}

static void the_last_request_of_a_connection_says_so(void **state)
{
    static const char *const refused[] = {
        HEAD "\"last\":1," TAIL, HEAD "\"last\":\"true\"," TAIL, HEAD "\"last\":null," TAIL,
        HEAD "\"last\":true,\"last\":true," TAIL, HANDLE ",\"last\":true}",
    };
    struct helper_request r;

    (void)state;
    assert_int_equal(read_text(HEAD "\"last\":true," TAIL, &r, NULL), POSTERN_OK);
    assert_true(r.is_last);
    helper_request_free(&r);
    assert_int_equal(read_text(HEAD "\"last\":false," TAIL, &r, NULL), POSTERN_OK);
    assert_false(r.is_last);
    helper_request_free(&r);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(read_text(refused[i], &r, NULL), POSTERN_ERR_HELPER_PROTOCOL);
        helper_request_free(&r);
    }
}

static void what_a_request_leaves_out_is_null(void **state)
{
    struct helper_request r;

    (void)state;
    assert_int_equal(read_text(HEAD TAIL, &r, NULL), POSTERN_OK);
    assert_null(r.rq.authzid);
    assert_null(r.rq.peer);
    assert_null(r.rq.message_host);
    assert_null(r.rq.extra_scopes);
    helper_request_free(&r);
}

static void a_description_needs_nothing_but_a_service(void **state)
{
    struct helper_request r;

    (void)state;
    assert_int_equal(read_text("{\"v\":1,\"op\":\"describe\",\"nonce\":\"" NONCE
                               "\",\"service\":\"imap\"}",
                               &r, NULL),
                     POSTERN_OK);
    assert_true(r.is_describe);
    assert_int_equal(r.rq.token.len, 0);
    helper_request_free(&r);
    assert_int_equal(read_text("{\"v\":1,\"op\":\"describe\",\"nonce\":\"" NONCE
                               "\",\"service\":\"imap\",\"token\":\"a\"}",
                               &r, NULL),
                     POSTERN_ERR_HELPER_PROTOCOL);
    helper_request_free(&r);
}

static const struct {
    const char *why, *frame, *sentence;
} bad_frames[] = {
    { "no JSON", "verify imap", "strict JSON" },
    { "lenient JSON", "{'v':1}", "strict JSON" },
    { "nothing", "", "empty" },
    { "a list", "[]", "version" },
    { "no version", "{\"op\":\"verify\"}", "version" },
    { "the next version", "{\"v\":2,\"op\":\"verify\",\"new\":1}", "protocol version 2" },
    { "version as text", "{\"v\":\"1\"}", "version" },
    { "no op", "{\"v\":1}", "op is missing" },
    { "unknown op", "{\"v\":1,\"op\":\"mint\"}", "member op" },
    { "unknown member", HEAD "\"admin\":true," TAIL, "does not know" },
    { "a member twice", HEAD "\"token\":\"x\"," TAIL, "strict JSON" },
    { "a member twice in disguise", HEAD "\"tok\\u0065n\":\"x\"," TAIL, "strict JSON" },
    { "no token", HEAD "\"carrier\":\"sasl\",\"tls\":\"on\"}", "token is missing" },
    { "an empty token", HEAD "\"token\":\"\",\"carrier\":\"sasl\",\"tls\":\"on\"}", "empty" },
    { "a token that is no text", HEAD "\"token\":[],\"carrier\":\"sasl\",\"tls\":\"on\"}",
      "token has a wrong type" },
    { "a token with a newline", HEAD "\"token\":\"a\\nb\",\"carrier\":\"sasl\",\"tls\":\"on\"}",
      "control character" },
    { "no carrier", HEAD "\"token\":\"a\",\"tls\":\"on\"}", "carrier is missing" },
    { "unknown carrier", HEAD "\"token\":\"a\",\"carrier\":\"smoke\",\"tls\":\"on\"}",
      "member carrier" },
    { "no word about TLS", HEAD "\"token\":\"a\",\"carrier\":\"sasl\"}", "tls is missing" },
    { "TLS as a flag", HEAD "\"token\":\"a\",\"carrier\":\"sasl\",\"tls\":true}",
      "tls has a wrong type" },
    { "an unknown kind of TLS", HEAD "\"token\":\"a\",\"carrier\":\"sasl\",\"tls\":\"yes\"}",
      "member tls" },
    { "a short nonce", "{\"v\":1,\"op\":\"describe\",\"nonce\":\"AAEC\",\"service\":\"imap\"}",
      "nonce" },
    { "a nonce with pad bits",
      "{\"v\":1,\"op\":\"describe\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODx\",\"service\":\"imap\"}",
      "nonce" },
    { "an empty service", "{\"v\":1,\"op\":\"describe\",\"nonce\":\"" NONCE "\",\"service\":\"\"}",
      "empty" },
    { "a service with NUL",
      "{\"v\":1,\"op\":\"describe\",\"nonce\":\"" NONCE "\",\"service\":\"imap\\u0000\"}",
      "strict JSON" },
    { "a port that is too long", HEAD "\"port\":\"123456\"," TAIL, "longer than 5" },
    { "a scope that is no text", HEAD "\"scopes\":[1]," TAIL, "another type" },
    { "seventeen scopes",
      HEAD "\"scopes\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"a\",\"b\",\"c\","
           "\"d\",\"e\",\"f\",\"g\",\"h\"]," TAIL,
      "scopes has more than 16" },
    { "a certificate's digest with a byte less",
      HEAD "\"client_cert_sha256\":\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQg\"," TAIL,
      "client_cert_sha256 is not 32 bytes" },
    { "with a byte more",
      HEAD "\"client_cert_sha256\":\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC\"," TAIL,
      "longer than 43" },
    { "with pad bits",
      HEAD "\"client_cert_sha256\":\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ\"," TAIL,
      "client_cert_sha256 is not 32 bytes" },
    { "empty", HEAD "\"client_cert_sha256\":\"\"," TAIL, "empty" },
    { "a list of certificates", HEAD "\"client_cert_sha256\":[]," TAIL, "wrong type" },
    { "something after the frame", HEAD TAIL "{}", "strict JSON" },
};

static void a_frame_that_is_not_the_protocol_is_refused_with_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_frames / sizeof bad_frames[0]; i++) {
        struct helper_request r;
        postern_error err = { 0 };
        postern_err e = read_text(bad_frames[i].frame, &r, &err);

        if (e != POSTERN_ERR_HELPER_PROTOCOL || strstr(err.detail, bad_frames[i].sentence) == NULL)
            fail_msg("%s: %s: %s", bad_frames[i].why, postern_err_reason(e), err.detail);
        helper_request_free(&r);
    }
}

static void a_refused_frame_leaves_no_piece_of_its_token_in_the_sentence(void **state)
{
    struct helper_request r;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(
        read_text(HEAD "\"token\":\"CANARY\",\"CANARY\":1,\"carrier\":\"CANARY\",\"tls\":\"on\"}",
                  &r, &err),
        POSTERN_ERR_HELPER_PROTOCOL);
    assert_null(strstr(err.detail, "CANARY"));
    helper_request_free(&r);
    assert_int_equal(
        read_text(HEAD "\"token\":\"CANARY\",\"carrier\":\"CANARY\",\"tls\":\"on\"}", &r, &err),
        POSTERN_ERR_HELPER_PROTOCOL);
    assert_null(strstr(err.detail, "CANARY"));
    helper_request_free(&r);
}

static postern_err read_once(void *arg, postern_error *err)
{
    struct helper_request r = { 0 };
    postern_err e = helper_request_read(postern_bytes_str(arg), &r, err);

    helper_request_free(&r);
    return e;
}

static void every_allocation_may_fail(void **state)
{
    char frame[] = HEAD "\"authzid\":\"al\\u0069ce\"," TAIL;

    (void)state;
    assert_true(alloc_fail_sweep(read_once, frame, POSTERN_OK) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_request_is_read_as_it_was_written),
        cmocka_unit_test(a_handle_is_asked_for_with_its_uses),
        cmocka_unit_test(a_certificate_is_told_by_its_digest),
        cmocka_unit_test(the_last_request_of_a_connection_says_so),
        cmocka_unit_test(what_a_request_leaves_out_is_null),
        cmocka_unit_test(a_description_needs_nothing_but_a_service),
        cmocka_unit_test(a_frame_that_is_not_the_protocol_is_refused_with_a_sentence),
        cmocka_unit_test(a_refused_frame_leaves_no_piece_of_its_token_in_the_sentence),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
