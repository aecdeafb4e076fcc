/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/helper/saslauthd.c, and what request.c makes of it: counted strings are read strictly, however they
 * are cut, and nothing that is too long is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "helper/request.h"
#include "../support/alloc_fail.h"

static uint8_t wire[SASLAUTHD_REQUEST_MAX + 64];
static size_t wire_len;

static void put(const char *text, size_t len)
{
    wire[wire_len++] = (uint8_t)(len >> 8);
    wire[wire_len++] = (uint8_t)len;
    memcpy(wire + wire_len, text, len);
    wire_len += len;
}

static void put_request(const char *login, const char *password, const char *service, const char *realm)
{
    wire_len = 0;
    put(login, strlen(login));
    put(password, strlen(password));
    put(service, strlen(service));
    put(realm, strlen(realm));
}

static saslauthd_progress read_wire(struct saslauthd_request *ret)
{
    return saslauthd_read((postern_bytes){ wire, wire_len }, ret);
}

static void four_fields_are_a_request_and_less_is_not(void **state)
{
    struct saslauthd_request rq;
    size_t whole;

    (void)state;
    put_request("alice", "eyJ.a.b", "imap", "example.org");
    assert_int_equal(read_wire(&rq), SASLAUTHD_WHOLE);
    assert_true(postern_bytes_equal_str(rq.login, "alice"));
    assert_true(postern_bytes_equal_str(rq.password, "eyJ.a.b"));
    assert_true(postern_bytes_equal_str(rq.service, "imap"));
    assert_true(postern_bytes_equal_str(rq.realm, "example.org"));
    assert_int_equal(rq.peer.len, 0);
    for (whole = wire_len; wire_len > 0;) {
        wire_len--;
        assert_int_equal(read_wire(&rq), SASLAUTHD_MORE);
    }
    assert_true(whole < sizeof wire);
}

static void a_fifth_field_is_taken_when_it_is_there_and_never_waited_for(void **state)
{
    struct saslauthd_request rq;

    (void)state;
    put_request("alice", "x", "imap", "");
    put("192.0.2.7", 9);
    assert_int_equal(read_wire(&rq), SASLAUTHD_WHOLE);
    assert_true(postern_bytes_equal_str(rq.peer, "192.0.2.7"));
    wire_len -= 4;
    assert_int_equal(read_wire(&rq), SASLAUTHD_WHOLE);
    assert_int_equal(rq.peer.len, 0);
    wire_len += 4;
    wire[wire_len++] = 0;
    assert_int_equal(read_wire(&rq), SASLAUTHD_REFUSED);
    put_request("alice", "x", "imap", "");
    wire[wire_len++] = 1; /* a fifth of 256 bytes and more */
    wire[wire_len++] = 0;
    assert_int_equal(read_wire(&rq), SASLAUTHD_REFUSED);
}

static void a_length_that_is_too_great_is_refused_before_its_bytes_come(void **state)
{
    static char text[POSTERN_TOKEN_MAX + 1];
    struct saslauthd_request rq;
    const size_t max[] = { SASLAUTHD_NAME_MAX, POSTERN_TOKEN_MAX, SASLAUTHD_NAME_MAX, SASLAUTHD_NAME_MAX };

    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t field = 0; field < 4; field++) {
        wire_len = 0;
        for (size_t i = 0; i < field; i++)
            put("a", 1);
        put(text, max[field]);
        assert_int_equal(read_wire(&rq), field == 3 ? SASLAUTHD_WHOLE : SASLAUTHD_MORE);
        wire_len = 0;
        for (size_t i = 0; i < field; i++)
            put("a", 1);
        put(text, max[field] + 1);
        wire_len -= max[field] + 1;
        assert_int_equal(read_wire(&rq), SASLAUTHD_REFUSED);
    }
}

static postern_err convert(const char *login, const char *realm, const char *service, const char *peer,
                           struct helper_request *ret)
{
    struct saslauthd_request rq = { .login = postern_bytes_str(login),
                                    .password = POSTERN_BYTES_LIT("eyJ.a.b"),
                                    .service = postern_bytes_str(service),
                                    .realm = postern_bytes_str(realm),
                                    .peer = postern_bytes_str(peer) };

    *ret = (struct helper_request){ 0 };
    return helper_request_from_saslauthd(&rq, ret, NULL);
}

static void a_name_and_its_realm_are_put_together_again(void **state)
{
    struct helper_request r;

    (void)state;
    assert_int_equal(convert("alice", "example.org", "imap", "192.0.2.7", &r), POSTERN_OK);
    assert_string_equal(r.rq.authzid, "alice@example.org");
    assert_string_equal(r.rq.service, "imap");
    assert_string_equal(r.rq.peer, "192.0.2.7");
    assert_true(postern_bytes_equal_str(r.rq.token, "eyJ.a.b"));
    assert_int_equal(r.rq.carrier, POSTERN_CARRIER_PASSWORD);
    assert_int_equal(r.rq.tls, POSTERN_TLS_UNKNOWN);
    helper_request_free(&r);
    assert_int_equal(convert("alice", "", "imap", "\x1b[2J", &r), POSTERN_OK);
    assert_string_equal(r.rq.authzid, "alice");
    assert_null(r.rq.peer);
    helper_request_free(&r);
}

static void what_is_no_name_is_refused(void **state)
{
    static const struct {
        const char *login, *realm, *service;
        postern_err want;
    } cases[] = {
        { "", "", "imap", POSTERN_ERR_AUTHZID },           { "al\nice", "", "imap", POSTERN_ERR_AUTHZID },
        { "\xff", "", "imap", POSTERN_ERR_AUTHZID },       { "alice", "\x01", "imap", POSTERN_ERR_AUTHZID },
        { "alice", "", "", POSTERN_ERR_HELPER_PROTOCOL },  { "alice", "", "im\tap", POSTERN_ERR_HELPER_PROTOCOL },
    };
    struct saslauthd_request nul = { .login = POSTERN_BYTES_LIT("alice\0bob"),
                                     .service = POSTERN_BYTES_LIT("imap") };
    struct helper_request r;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(convert(cases[i].login, cases[i].realm, cases[i].service, "", &r), cases[i].want);
        helper_request_free(&r);
    }
    r = (struct helper_request){ 0 };
    assert_int_equal(helper_request_from_saslauthd(&nul, &r, NULL), POSTERN_ERR_AUTHZID);
    helper_request_free(&r);
}

static postern_err convert_once(void *arg, postern_error *err)
{
    struct helper_request r = { 0 };
    postern_err e = helper_request_from_saslauthd(arg, &r, err);

    helper_request_free(&r);
    return e;
}

static void without_memory_there_is_no_request(void **state)
{
    struct saslauthd_request rq;

    (void)state;
    put_request("alice", "eyJ.a.b", "imap", "example.org");
    assert_int_equal(read_wire(&rq), SASLAUTHD_WHOLE);
    assert_true(alloc_fail_sweep(convert_once, &rq, POSTERN_OK) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_fields_are_a_request_and_less_is_not),
        cmocka_unit_test(a_fifth_field_is_taken_when_it_is_there_and_never_waited_for),
        cmocka_unit_test(a_length_that_is_too_great_is_refused_before_its_bytes_come),
        cmocka_unit_test(a_name_and_its_realm_are_put_together_again),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(without_memory_there_is_no_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
