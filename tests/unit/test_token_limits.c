/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doc/design/limits.md: each constant has the value that stands there, and a test that is there; and
 * those boundaries, by value, that are no other test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/oauthbearer.h>

#include "jose/header.h"
#include "jose/jwks.h"
#include "oauth/claims.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define ROOM     32768

/* ---- the table ---- */

static const struct {
    const char *name;
    long value;
} limits[] = {
#define ROW(name) { #name, (long)(name) }
    ROW(POSTERN_TOKEN_MAX),       ROW(POSTERN_SASL_MESSAGE_MAX),  ROW(POSTERN_SASL_PAIRS_MAX),
    ROW(POSTERN_JWT_HEADER_MAX),  ROW(POSTERN_KID_MAX),           ROW(POSTERN_TYP_MAX),
    ROW(POSTERN_JSON_DEPTH_MAX),  ROW(POSTERN_JSON_NODES_MAX),    ROW(POSTERN_CLAIMS_MAX),
    ROW(POSTERN_AUD_ENTRIES_MAX), ROW(POSTERN_IDENTITY_MAX),      ROW(POSTERN_PURPOSE_MAX),
    ROW(POSTERN_SCOPE_CLAIM_MAX), ROW(POSTERN_ACT_DEPTH_MAX),     ROW(POSTERN_GRANT_ID_MAX),
    ROW(POSTERN_DERIVED_MAX),     ROW(POSTERN_DETAILS_ENTRIES_MAX), ROW(POSTERN_DETAILS_MAX),
    ROW(POSTERN_CLAIM_PARTS_MAX), ROW(POSTERN_BOUND_CERT_LEN),    ROW(POSTERN_JWKS_MAX),
    ROW(POSTERN_JWKS_KEYS_MAX),   ROW(POSTERN_RSA_BITS_MIN),      ROW(POSTERN_RSA_BITS_MAX),
#undef ROW
};

/* A file of the tree, whole; the caller frees it. */
static char *read_file(const char *name)
{
    const char *top = getenv("top_srcdir");
    char path[512];
    char *text = calloc(1, 1 << 18);
    FILE *in;

    assert_true(snprintf(path, sizeof path, "%s/%s", top == NULL ? "." : top, name) > 0);
    in = fopen(path, "r");
    if (in == NULL)
        fail_msg("%s is not there", path);
    assert_true(fread(text, 1, (1 << 18) - 1, in) > 0);
    fclose(in);
    return text;
}

/* "test_x.c `a_sentence`" at the end of a row: is it a test there? */
static void assert_tested(const char *row)
{
    char file[64], test[128], path[96], call[192];
    const char *end = strchr(row, '\n'), *at = end;
    char *source;

    while (at > row && strncmp(at, "| test_", 7) != 0)
        at--;
    if (sscanf(at, "| %63[a-z_.] `%127[a-z0-9_]`", file, test) != 2)
        fail_msg("no test in: %.60s", row);
    assert_true(snprintf(path, sizeof path, "tests/unit/%s", file) > 0);
    assert_true(snprintf(call, sizeof call, "static void %s(void **state)", test) > 0);
    source = read_file(path);
    if (strstr(source, call) == NULL)
        fail_msg("%s has no test %s", file, test);
    free(source);
}

static void each_limit_is_what_the_document_says_and_has_its_test(void **state)
{
    char *page = read_file("doc/design/limits.md");
    size_t rows = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(limits); i++) {
        char want[96];
        const char *row;

        assert_true(snprintf(want, sizeof want, "\n| `%s` | %ld | ", limits[i].name,
                             limits[i].value) > 0);
        row = strstr(page, want);
        if (row == NULL)
            fail_msg("doc/design/limits.md has no row%s", want);
        assert_tested(row + 1);
    }
    for (const char *row = page; (row = strstr(row, "\n| `POSTERN_")) != NULL; row++)
        rows++;
    assert_int_equal(rows, COUNT(limits)); /* none stands there that is not compared */
    free(page);
}

/* ---- boundaries ---- */

/* {"alg":"ES256","KEY":"…"} of `len` bytes of value, or of so many in all; parsed. */
static postern_err parse_header(const char *member, size_t value_len, size_t whole_len)
{
    static struct postern_jose_header h;
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(ROOM), json = POSTERN_BUF_INIT(ROOM);
    postern_err e;

    postern_buf_addf(&json, "{\"alg\":\"ES256\",\"%s\":\"", member);
    if (whole_len != 0)
        value_len = whole_len - json.len - 2;
    for (size_t i = 0; i < value_len; i++)
        postern_buf_add_byte(&json, 'k');
    postern_buf_add_str(&json, "\"}");
    postern_base64url_encode(postern_buf_bytes(&json), &text);
    assert_false(text.failed || json.failed);
    postern_jose_header_init(&h);
    e = postern_jose_header_parse(&h, postern_buf_bytes(&text), NULL);
    postern_json_free(&h.json);
    postern_buf_free(&h.scratch);
    return e;
}

static void a_header_has_at_most_4096_bytes(void **state)
{
    (void)state;
    assert_int_equal(parse_header("x", 0, 4096), POSTERN_OK);
    assert_int_equal(parse_header("x", 0, 4097), POSTERN_ERR_LIMIT);
    assert_int_equal(parse_header("x", 0, 4098), POSTERN_ERR_LIMIT);
    assert_int_equal(parse_header("x", 0, 12000), POSTERN_ERR_LIMIT);
}

static void a_kid_has_at_most_256_bytes(void **state)
{
    (void)state;
    assert_int_equal(parse_header("kid", 256, 0), POSTERN_OK);
    assert_int_equal(parse_header("kid", 257, 0), POSTERN_ERR_MALFORMED);
    assert_int_equal(parse_header("kid", 3000, 0), POSTERN_ERR_MALFORMED);
}

static postern_err check_claims(const postern_buf *json)
{
    static const char *const audiences[] = { "imap" };
    const struct claim_rules rules = { .issuer = "i", .audiences = audiences, .audience_count = 1 };
    const struct claim_login login = { .now_s = 1000 };
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO_JSON j = { 0 };
    struct postern_grant_facts facts;

    assert_false(json->failed);
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(json), NULL), POSTERN_OK);
    return postern_claims_check(&rules, &j, &login, &scratch, NULL, &facts, NULL);
}

#define FOUR "{\"iss\":\"i\",\"aud\":\"imap\",\"exp\":2000,\"sub\":\""

static void add_members(postern_buf *json, unsigned count)
{
    postern_buf_add_str(json, FOUR "alice\"");
    for (unsigned i = 4; i < count; i++)
        postern_buf_addf(json, ",\"m%u\":1", i);
    postern_buf_add_byte(json, '}');
}

static postern_err check_members(unsigned count)
{
    POSTERN_AUTO_BUF json = POSTERN_BUF_INIT(ROOM);

    add_members(&json, count);
    return check_claims(&json);
}

static void a_token_has_at_most_1024_claims(void **state)
{
    (void)state;
    assert_int_equal(check_members(1024), POSTERN_OK);
    assert_int_equal(check_members(1025), POSTERN_ERR_LIMIT);
    assert_int_equal(check_members(2000), POSTERN_ERR_LIMIT);
}

static postern_err check_name(const char *member, size_t len)
{
    POSTERN_AUTO_BUF json = POSTERN_BUF_INIT(ROOM);

    postern_buf_addf(&json, FOUR "%s\",\"%s\":\"", strcmp(member, "sub") == 0 ? "" : "alice", member);
    if (strcmp(member, "sub") == 0) {
        postern_buf_reset(&json);
        postern_buf_add_str(&json, FOUR);
    }
    for (size_t i = 0; i < len; i++)
        postern_buf_add_byte(&json, 'n');
    postern_buf_add_str(&json, "\"}");
    return check_claims(&json);
}

/* `postern verify --explain` shows what it was, not the step before. */
static void a_token_of_too_many_claims_stops_at_its_own_step(void **state)
{
    static const char *const audiences[] = { "imap" };
    const struct claim_rules rules = { .issuer = "i", .audiences = audiences, .audience_count = 1 };
    const struct claim_login login = { .now_s = 1000 };
    POSTERN_AUTO_BUF json = POSTERN_BUF_INIT(ROOM), scratch = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO_JSON j = { 0 };
    POSTERN_AUTO(trail) trail = NULL;
    struct postern_grant_facts facts;
    postern_trail_step s;

    (void)state;
    add_members(&json, 1025);
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&json), NULL), POSTERN_OK);
    assert_int_equal(postern_trail_new(&trail, NULL), POSTERN_OK);
    postern_trail_enter(trail, TRAIL_ID_TOKEN);
    assert_int_equal(postern_claims_check(&rules, &j, &login, &scratch, trail, &facts, NULL),
                     POSTERN_ERR_LIMIT);
    postern_trail_end(trail, POSTERN_ERR_LIMIT);
    assert_int_equal(postern_trail_at(trail, TRAIL_CLAIMS, &s), 1);
    assert_string_equal(s.name, "claims");
    assert_int_equal(s.state, POSTERN_TRAIL_STOPPED);
    assert_string_equal(s.facts, "1025, at most 1024");
    assert_int_equal(postern_trail_at(trail, TRAIL_ID_TOKEN, &s), 1);
    assert_int_equal(s.state, POSTERN_TRAIL_PASSED);
}

static void a_name_has_at_most_1024_bytes(void **state)
{
    static const char *const members[] = { "sub", "client_id", "jti" };

    (void)state;
    for (size_t i = 0; i < COUNT(members); i++) {
        assert_int_equal(check_name(members[i], 1024), POSTERN_OK);
        assert_int_equal(check_name(members[i], 1025), POSTERN_ERR_UNSAFE_IDENTITY);
        assert_int_equal(check_name(members[i], 0), POSTERN_ERR_MALFORMED_CLAIM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_is_what_the_document_says_and_has_its_test),
        cmocka_unit_test(a_header_has_at_most_4096_bytes),
        cmocka_unit_test(a_kid_has_at_most_256_bytes),
        cmocka_unit_test(a_token_has_at_most_1024_claims),
        cmocka_unit_test(a_token_of_too_many_claims_stops_at_its_own_step),
        cmocka_unit_test(a_name_has_at_most_1024_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
