/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole tokens: shape, header, what may be asked before the proof and what after. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/request.h>
#include <stdlib.h>

#include "jose/jwt.h"
#include "../support/jose_judge.h"
#include "../support/test_keys.h"

#define PAYLOAD "{\"iss\":\"https://as.example\",\"sub\":\"agent-7\"}"

static test_key *key, *other;
static char *jwks;        /* `key` as kid "k", and nothing else */
static postern_jwks *set; /* the same, parsed */
static postern_jwt *jwt;  /* one workspace for all tests: nothing may stay behind */

static int make_keys(void **state)
{
    (void)state;
    key = test_key_new("P-256");
    other = test_key_new("P-256");
    jwks = test_key_jwks(key, "k", "ES256");
    return postern_jwks_parse(postern_bytes_str(jwks), &set, NULL) == POSTERN_OK &&
                   postern_jwt_new(&jwt, NULL) == POSTERN_OK
               ? 0
               : -1;
}

static int free_keys(void **state)
{
    (void)state;
    test_key_free(key);
    test_key_free(other);
    free(jwks);
    postern_jwks_free(set);
    postern_jwt_free(jwt);
    return 0;
}

static postern_err parse(const char *token)
{
    return postern_jwt_parse(jwt, postern_bytes_str(token), NULL);
}

static postern_err judge_bytes(const void *token, size_t len)
{
    const postern_json *claims = NULL;

    POSTERN_TRY(postern_jwt_parse(jwt, (postern_bytes){ token, len }, NULL));
    POSTERN_TRY(postern_jwt_verify(jwt, set, &claims, NULL));
    assert_non_null(claims);
    return POSTERN_OK;
}

static postern_err judge(char *take_token)
{
    postern_err e = judge_bytes(take_token, strlen(take_token));

    free(take_token);
    return e;
}

static char *with_header(const char *header)
{
    return test_sign(key, "ES256", header, PAYLOAD);
}

/* ---- shape ---- */

static void a_good_token_is_proved_and_its_claims_come_out(void **state)
{
    char *token = test_token(key, "ES256", "k", PAYLOAD);
    const postern_json *claims = NULL;
    postern_bytes kid;

    (void)state;
    assert_reason(parse(token), POSTERN_OK);
    assert_int_equal(postern_jwt_alg(jwt), POSTERN_ALG_ES256);
    assert_true(postern_jwt_kid(jwt, &kid));
    assert_true(postern_bytes_equal_str(kid, "k"));
    assert_true(postern_bytes_equal_str(postern_jwt_typ(jwt), "at+jwt"));
    assert_reason(postern_jwt_verify(jwt, set, &claims, NULL), POSTERN_OK);
    assert_true(postern_json_string_is(claims, postern_json_member(claims, 0, "sub"), "agent-7"));
    free(token);
}

static void one_two_four_and_five_parts_are_malformed(void **state)
{
    char *token = test_token(key, "ES256", "k", PAYLOAD), *dot = strrchr(token, '.');
    static const char *const shapes[] = { "",
                                          ".",
                                          "..",
                                          "...",
                                          "....",
                                          "a",
                                          "a.b",
                                          ".a.b",
                                          "a..b",
                                          "..b",
                                          "a.b.c.d",
                                          "a.b.c.d.e",
                                          "eyJhbGciOiJFUzI1NiJ9.e30",
                                          "eyJhbGciOiJFUzI1NiJ9.e30." };

    (void)state;
    assert_reason(judge(test_printf("%s.", token)), POSTERN_ERR_MALFORMED);
    assert_reason(judge(test_printf(".%s", token)), POSTERN_ERR_MALFORMED);
    assert_reason(judge(test_printf("%s.e30", token)), POSTERN_ERR_MALFORMED);
    assert_reason(judge(test_printf("%s.e30.e30", token)), POSTERN_ERR_MALFORMED);
    assert_reason(judge(test_printf("%.*s", (int)(dot - token), token)), POSTERN_ERR_MALFORMED);
    assert_reason(judge(test_printf("%.*s", (int)(dot - token) + 1, token)), POSTERN_ERR_MALFORMED);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        assert_reason(judge_bytes(shapes[i], strlen(shapes[i])), POSTERN_ERR_MALFORMED);
    free(token);
}

static void bytes_outside_of_base64url_are_malformed_in_every_part(void **state)
{
    static const char strangers[] = "+/=~ \t\r\n\"'\\\x7f\x80\xff"; /* and NUL */
    char *token = test_token(key, "ES256", "k", PAYLOAD);
    size_t len = strlen(token);

    (void)state;
    for (size_t at = 0; at < len; at += 1 + len / 50)
        for (size_t i = 0; i < sizeof strangers; i++) {
            char was = token[at];

            if (was == '.')
                continue;
            token[at] = strangers[i];
            assert_reason(judge_bytes(token, len), POSTERN_ERR_MALFORMED);
            assert_false(postern_jwt_is_shaped((postern_bytes){ (uint8_t *)token, len }));
            token[at] = was;
        }
    assert_reason(judge_bytes(token, len), POSTERN_OK);
    free(token);
}

static void padding_and_whitespace_around_a_token_are_malformed(void **state)
{
    char *token = test_token(key, "ES256", "k", PAYLOAD);
    static const char *const frames[] = { " %s", "%s ",  "%s\n",      "%s\r\n", "\t%s",
                                          "%s=", "%s==", "Bearer %s", "\"%s\"" };

    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        const char *at = strstr(frames[i], "%s");

        assert_reason(
            judge(test_printf("%.*s%s%s", (int)(at - frames[i]), frames[i], token, at + 2)),
            POSTERN_ERR_MALFORMED);
    }
    assert_reason(judge_bytes(token, strlen(token) + 1), POSTERN_ERR_MALFORMED); /* with its NUL */
    free(token);
}

/* 64 octets end in a character of which four bits are padding: set, the text is another but the
 * signature the same. */
static void a_last_character_that_is_not_canonical_is_malformed(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *token = test_token(key, "ES256", "k", PAYLOAD), *last = token + strlen(token) - 1;
    const char *was = strchr(alphabet, *last);

    (void)state;
    assert_int_equal((was - alphabet) % 16, 0);
    for (int more = 1; more < 16; more++) {
        *last = was[more];
        assert_reason(judge_bytes(token, strlen(token)), POSTERN_ERR_MALFORMED);
    }
    free(token);
}

static void a_token_of_16384_bytes_passes_and_one_more_is_over_the_limit(void **state)
{
    char *token = NULL;
    int pad = 12000;
    size_t len;

    (void)state;
    do { /* grow the payload until the token is as long as it may be, or one to three short of it */
        char *payload = test_printf("{\"pad\":\"%0*d\"}", pad++, 0);

        free(token);
        token = test_token(key, "ES256", "k", payload);
        len = strlen(token);
        free(payload);
    } while (len < POSTERN_TOKEN_MAX - 2);
    assert_true(len <= POSTERN_TOKEN_MAX);
    assert_reason(judge_bytes(token, len), POSTERN_OK);
    free(token);
    token = calloc(1, POSTERN_TOKEN_MAX + 1);
    memset(token, 'A', POSTERN_TOKEN_MAX + 1);
    assert_reason(judge_bytes(token, POSTERN_TOKEN_MAX + 1), POSTERN_ERR_LIMIT);
    assert_reason(judge_bytes(token, POSTERN_TOKEN_MAX), POSTERN_ERR_MALFORMED);
    free(token);
}

static void shape_tells_a_jws_from_an_opaque_token(void **state)
{
    static const char *const shaped[] = { "a.b.c", "a.b.", "eyJhbGciOiJub25lIn0.e30." };
    static const char *const opaque[] = {
        "",        "a",      "a.b",    ".b.c",   "a..c",
        "a.b.c.d", "a.b.c=", "a.b.c~", "a.b+.c", "2YotnFZFEjr1zCsicMWpAA"
    };

    (void)state;
    for (size_t i = 0; i < sizeof shaped / sizeof *shaped; i++)
        assert_true(postern_jwt_is_shaped(postern_bytes_str(shaped[i])));
    for (size_t i = 0; i < sizeof opaque / sizeof *opaque; i++)
        assert_false(postern_jwt_is_shaped(postern_bytes_str(opaque[i])));
}

/* ---- header ---- */

static void judge_headers(const char *const *headers, size_t count, postern_err want)
{
    for (size_t i = 0; i < count; i++) {
        postern_err got = judge(with_header(headers[i]));

        if (got != want)
            fail_msg("%s: %s", headers[i], postern_err_reason(got));
    }
}
#define JUDGE_HEADERS(headers, want) judge_headers(headers, sizeof headers / sizeof *headers, want)

static void alg_none_in_every_spelling_is_not_allowed(void **state)
{
    static const char *const names[] = { "none",  "None",  "NONE",       "nOnE", "",
                                         " none", "none ", "no\\u006ee", "NoNe" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *header = test_printf("{\"alg\":\"%s\",\"kid\":\"k\"}", names[i]), *unsigned_token,
             *junk;

        unsigned_token = test_sign(key, "none", header, PAYLOAD);
        junk = test_printf("%sAAAA", unsigned_token);
        assert_reason(judge(unsigned_token), POSTERN_ERR_ALG_NOT_ALLOWED);
        assert_reason(judge(junk), POSTERN_ERR_ALG_NOT_ALLOWED);
        assert_reason(judge(with_header(header)), POSTERN_ERR_ALG_NOT_ALLOWED);
        free(header);
    }
}

static void algorithms_without_a_row_are_not_allowed(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":\"HS512\"}",
        "{\"alg\":\"ES256K\"}",
        "{\"alg\":\"RS1\"}",
        "{\"alg\":\"es256\"}",
        "{\"alg\":\"ES256 \"}",
        "{\"alg\":\"ES2566\"}",
        "{\"alg\":\"Ed448\"}",
        "{\"alg\":\"ML-DSA-44\"}",
        "{\"alg\":\"dir\",\"enc\":\"A128GCM\"}",
        "{\"alg\":\"RSA-OAEP\"}",
        "{\"alg\":\"PBES2-HS256+A128KW\",\"p2c\":2147483647}",
    };

    (void)state;
    JUDGE_HEADERS(headers, POSTERN_ERR_ALG_NOT_ALLOWED);
}

static void an_alg_that_is_no_string_is_malformed(void **state)
{
    static const char *const headers[] = { "{}",
                                           "{\"alg\":null}",
                                           "{\"alg\":256}",
                                           "{\"alg\":[\"ES256\"]}",
                                           "{\"alg\":{\"a\":\"ES256\"}}",
                                           "{\"alg\":true}",
                                           "{\"Alg\":\"ES256\"}",
                                           "{\"kid\":\"k\"}" };

    (void)state;
    JUDGE_HEADERS(headers, POSTERN_ERR_MALFORMED);
}

/* The public key's bytes as an HMAC secret: what a verifier that lets the token choose would do. */
static void hs256_with_the_public_key_as_secret_is_not_allowed(void **state)
{
    char *pem = test_key_public_pem(test_key_rsa()),
         *jwk = test_key_jwk(test_key_rsa(), "\"kid\":\"k\"");
    char *rsa_set = test_jwks(jwk, NULL);
    const char *const secrets[] = { pem, jwk };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *alg = test_printf("HS256:%s", secrets[i]);
        char *honest = test_sign(key, alg, "{\"alg\":\"HS256\",\"kid\":\"k\"}", PAYLOAD);
        char *lying = test_sign(key, alg, "{\"alg\":\"RS256\",\"kid\":\"k\"}", PAYLOAD);

        assert_reason(judge_token(rsa_set, honest), POSTERN_ERR_ALG_NOT_ALLOWED);
        assert_reason(judge_token(rsa_set, lying), POSTERN_ERR_BAD_SIGNATURE);
        free(alg);
        free(honest);
        free(lying);
    }
    free(pem);
    free(jwk);
    free(rsa_set);
}

static void a_header_that_is_not_one_strict_json_object_is_malformed(void **state)
{
    static const char *const headers[] = {
        "",
        "[]",
        "null",
        "\"ES256\"",
        "{",
        "{\"alg\":\"ES256\"",
        "{\"alg\":\"ES256\"}}",
        "{\"alg\":\"ES256\"} x",
        "{\"alg\":\"ES256\",}",
        "{'alg':'ES256'}",
        "{alg:\"ES256\"}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
        "{\"alg\":\"none\",\"al\\u0067\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"kid\":\"k\"}",
        "{\"alg\":\"ES256\",\"x\":\"\xff\"}",
        "{\"alg\":\"ES256\",\"x\":\"\xc0\x80\"}",
        "{\"alg\":\"ES256\",\"x\":\"\\ud800\"}",
        "{\"alg\":\"ES256\",\"x\":NaN}",
        "{\"alg\":\"ES256\",\"x\":01}",
        "\xef\xbb\xbf{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\\u0000\"}",
        "{\"alg\\u0000\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"x\":\"a\nb\"}",
        "{\"alg\":\"ES256\"}/**/",
        "{\"alg\":\"ES256\",\"jwk\":{\"a\":1,\"a\":2}}",
    };

    (void)state;
    JUDGE_HEADERS(headers, POSTERN_ERR_MALFORMED);
}

static void whitespace_inside_the_header_is_json(void **state)
{
    static const char *const headers[] = { "{\"alg\":\"ES256\",\"kid\":\"k\"}",
                                           " {\t\"alg\" :\r\n\"ES256\" , \"kid\":\"k\"} ",
                                           "{\"alg\":\"E\\u0053\\u003256\",\"kid\":\"\\u006b\"}" };

    (void)state;
    JUDGE_HEADERS(headers, POSTERN_OK);
}

static void critical_extensions_are_refused(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"crit\":[\"b64\"],\"b64\":true}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"crit\":null}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"crit\":[\"alg\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"crit\":\"exp\",\"exp\":1}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"b64\":false}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"b64\":\"true\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"b64\":0}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"b64\":null}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"\\u0063rit\":[\"x\"]}",
    };

    (void)state;
    JUDGE_HEADERS(headers, POSTERN_ERR_CRIT);
    assert_reason(judge(with_header("{\"alg\":\"ES256\",\"kid\":\"k\",\"b64\":true}")), POSTERN_OK);
    assert_reason(judge(with_header("{\"alg\":\"ES256\",\"kid\":\"k\",\"Crit\":[\"x\"]}")),
                  POSTERN_OK);
}

static void a_kid_that_cannot_name_a_key_is_refused(void **state)
{
    static const char *const malformed[] = { "{\"alg\":\"ES256\",\"kid\":null}",
                                             "{\"alg\":\"ES256\",\"kid\":1}",
                                             "{\"alg\":\"ES256\",\"kid\":[\"k\"]}",
                                             "{\"alg\":\"ES256\",\"kid\":{}}",
                                             "{\"alg\":\"ES256\",\"kid\":\"k\\u0000\"}" };
    static const char *const unknown[] = { "{\"alg\":\"ES256\",\"kid\":\"\"}",
                                           "{\"alg\":\"ES256\",\"kid\":\"../x\"}",
                                           "{\"alg\":\"ES256\",\"kid\":\"/etc/passwd\"}",
                                           "{\"alg\":\"ES256\",\"kid\":\"%2e%2e\"}",
                                           "{\"alg\":\"ES256\",\"kid\":\"K\"}",
                                           "{\"alg\":\"ES256\",\"kid\":\"k' OR 1=1--\"}" };
    char *longest = test_printf("{\"alg\":\"ES256\",\"kid\":\"%0256d\"}", 0),
         *too_long = test_printf("{\"alg\":\"ES256\",\"kid\":\"%0257d\"}", 0);
    char *huge = test_printf("{\"alg\":\"ES256\",\"kid\":\"%0*d\"}", 5000, 0);
    char *enormous = test_printf("{\"alg\":\"ES256\",\"kid\":\"%0*d\"}", 65536, 0);

    (void)state;
    JUDGE_HEADERS(malformed, POSTERN_ERR_MALFORMED);
    JUDGE_HEADERS(unknown, POSTERN_ERR_UNKNOWN_KID);
    assert_reason(judge(with_header(longest)), POSTERN_ERR_UNKNOWN_KID);
    assert_reason(judge(with_header(too_long)), POSTERN_ERR_MALFORMED);
    assert_reason(judge(with_header(huge)), POSTERN_ERR_LIMIT);
    assert_reason(judge(with_header(enormous)), POSTERN_ERR_LIMIT);
    free(longest);
    free(too_long);
    free(huge);
    free(enormous);
}

/* A key that the token brings along, or says where to fetch, verifies nothing (RFC 8725 §3.10). */
static void keys_in_the_header_are_not_looked_at(void **state)
{
    char *jwk = test_key_jwk(other, "\"kid\":\"k\"");
    const char *const places[] = { "\"jku\":\"https://evil.example/jwks\"",
                                   "\"x5u\":\"file:///etc/passwd\"", "\"x5c\":[\"MIIB\"]",
                                   "\"x5t\":\"AAAA\"", "\"x5t#S256\":\"AAAA\"" };
    char *header = test_printf("{\"alg\":\"ES256\",\"kid\":\"k\",\"jwk\":%s}", jwk);

    (void)state;
    assert_reason(judge(test_sign(other, "ES256", header, PAYLOAD)), POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(judge(test_sign(key, "ES256", header, PAYLOAD)), POSTERN_OK);
    free(header);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        header = test_printf("{\"alg\":\"ES256\",\"kid\":\"k\",%s}", places[i]);
        assert_reason(judge(test_sign(other, "ES256", header, PAYLOAD)), POSTERN_ERR_BAD_SIGNATURE);
        assert_reason(judge(test_sign(key, "ES256", header, PAYLOAD)), POSTERN_OK);
        free(header);
    }
    free(jwk);
}

static void typ_is_compared_without_case_and_without_application(void **state)
{
    static const struct {
        const char *typ;
        bool is_at_jwt;
    } cases[] = {
        { "at+jwt", true },
        { "AT+JWT", true },
        { "application/at+jwt", true },
        { "Application/At+Jwt", true },
        { "JWT", false },
        { "at+jw", false },
        { "at+jwtx", false },
        { " at+jwt", false },
        { "application/", false },
        { "", false },
        { "dpop+jwt", false },
        { "application/application/at+jwt", false },
        { "text/at+jwt", false },
        { "application/x/at+jwt", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *header = test_printf("{\"alg\":\"ES256\",\"typ\":\"%s\"}", cases[i].typ),
             *token = with_header(header);

        assert_reason(parse(token), POSTERN_OK);
        assert_true(postern_bytes_equal_str(postern_jwt_typ(jwt), cases[i].typ));
        assert_int_equal(postern_jwt_typ_is(jwt, "at+jwt"), cases[i].is_at_jwt);
        free(header);
        free(token);
    }
}

static void a_typ_that_is_absent_long_or_no_string_is_no_type(void **state)
{
    char *token = with_header("{\"alg\":\"ES256\"}"),
         *long_header = test_printf("{\"alg\":\"ES256\",\"typ\":\"at+jwt%0300d\"}", 0);

    (void)state;
    assert_reason(parse(token), POSTERN_OK);
    assert_int_equal(postern_jwt_typ(jwt).len, 0);
    assert_false(postern_jwt_typ_is(jwt, "at+jwt"));
    free(token);
    token = with_header(long_header);
    assert_reason(parse(token), POSTERN_OK);
    assert_false(postern_jwt_typ_is(jwt, "at+jwt"));
    assert_int_equal(postern_jwt_typ(jwt).len, 128);
    free(token);
    free(long_header);
    assert_reason(judge(with_header("{\"alg\":\"ES256\",\"typ\":null}")), POSTERN_ERR_MALFORMED);
    assert_reason(judge(with_header("{\"alg\":\"ES256\",\"typ\":[\"at+jwt\"]}")),
                  POSTERN_ERR_MALFORMED);
}

/* A remembered header must not be taken for one that only begins like it. */
static void tokens_with_like_headers_do_not_borrow_each_others(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"kid\":\"k\"}", "{\"alg\":\"ES256\",\"kid\":\"j\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k\"}", "{\"alg\":\"ES256\"}",
        "{\"alg\":\"none\",\"kid\":\"k\"}",  "{\"alg\":\"ES256\",\"kid\":\"k\"}"
    };
    static const postern_err want[] = { POSTERN_OK, POSTERN_ERR_UNKNOWN_KID,     POSTERN_OK,
                                        POSTERN_OK, POSTERN_ERR_ALG_NOT_ALLOWED, POSTERN_OK };

    (void)state;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
            assert_reason(judge(with_header(headers[i])), want[i]);
}

/* ---- before the proof and after ---- */

static void nothing_can_be_asked_of_a_token_that_did_not_parse(void **state)
{
    char *token = test_token(key, "ES256", "k", PAYLOAD);
    const postern_json *claims = NULL;
    postern_bytes view;

    (void)state;
    assert_reason(parse(token), POSTERN_OK);
    assert_reason(parse("eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.e30.!!!!"), POSTERN_ERR_MALFORMED);
    assert_int_equal(postern_jwt_alg(jwt), POSTERN_ALG_NONE);
    assert_false(postern_jwt_kid(jwt, &view));
    assert_int_equal(view.len, 0);
    assert_int_equal(postern_jwt_typ(jwt).len, 0);
    assert_reason(postern_jwt_verify(jwt, set, &claims, NULL), POSTERN_ERR_USAGE);
    assert_null(claims);
    free(token);
}

static void a_payload_is_read_only_behind_a_proof(void **state)
{
    char *good = test_token(key, "ES256", "k", PAYLOAD),
         *forged = test_token(other, "ES256", "k", PAYLOAD);
    const postern_json *claims = NULL;

    (void)state;
    assert_reason(parse(good), POSTERN_OK);
    assert_reason(postern_jwt_read(jwt, &claims, NULL), POSTERN_ERR_USAGE);
    assert_reason(postern_jwt_prove(jwt, set, NULL), POSTERN_OK);
    assert_null(claims);
    assert_reason(postern_jwt_read(jwt, &claims, NULL), POSTERN_OK);
    assert_non_null(claims);
    claims = NULL;
    assert_reason(parse(forged), POSTERN_OK); /* the proof of the one before does not count */
    assert_reason(postern_jwt_read(jwt, &claims, NULL), POSTERN_ERR_USAGE);
    assert_reason(postern_jwt_prove(jwt, set, NULL), POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(postern_jwt_read(jwt, &claims, NULL), POSTERN_ERR_USAGE);
    assert_null(claims);
    free(good);
    free(forged);
}

static void claims_after_a_refused_token_are_those_of_the_next(void **state)
{
    char *first = test_token(other, "ES256", "k", "{\"iss\":\"evil\",\"sub\":\"root\"}"),
         *second = test_token(key, "ES256", "k", PAYLOAD);
    const postern_json *claims = NULL;

    (void)state;
    assert_reason(parse(first), POSTERN_OK);
    assert_reason(postern_jwt_verify(jwt, set, &claims, NULL), POSTERN_ERR_BAD_SIGNATURE);
    assert_null(claims);
    assert_reason(parse(second), POSTERN_OK);
    assert_reason(postern_jwt_verify(jwt, set, &claims, NULL), POSTERN_OK);
    assert_true(postern_json_string_is(claims, postern_json_member(claims, 0, "sub"), "agent-7"));
    free(first);
    free(second);
}

static void a_signed_payload_that_is_not_one_strict_json_object_is_malformed(void **state)
{
    static const char *const payloads[] = {
        "[]",
        "null",
        "1",
        "\"x\"",
        "{",
        "{}x",
        "{}\n{}",
        "{\"a\":1,\"a\":2}",
        "{\"sub\":\"a\",\"s\\u0075b\":\"b\"}",
        "{\"sub\":\"a\\u0000b\"}",
        "{\"sub\\u0000\":\"a\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"exp\":NaN}",
        "{\"exp\":Infinity}",
        "{\"exp\":01}",
        "{\"exp\":1.}",
        "{\"exp\":+1}",
        "{\"a\":TRUE}",
        "{'a':1}",
        "{\"a\":{\"b\":1,\"b\":2}}",
        "foo",
    };

    (void)state;
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        postern_err got = judge(test_token(key, "ES256", "k", payloads[i]));

        if (got != POSTERN_ERR_MALFORMED)
            fail_msg("%s: %s", payloads[i], postern_err_reason(got));
        assert_reason(judge(test_token(other, "ES256", "k", payloads[i])),
                      POSTERN_ERR_BAD_SIGNATURE); /* the proof comes first */
    }
}

static void a_payload_deeper_than_16_is_over_the_limit(void **state)
{
    char deep[2100], *token;

    (void)state;
    for (size_t depth = 15; depth <= 1000;
         depth += depth < 16 ? 1 : 984) { /* 15, 16, 1000 arrays inside the object */
        int len = snprintf(deep, sizeof deep, "{\"a\":");

        memset(deep + len, '[', depth);
        memset(deep + len + depth, ']', depth);
        memcpy(deep + (size_t)len + 2 * depth, "}", 2);
        token = test_token(key, "ES256", "k", deep);
        assert_reason(judge(token), depth == 15 ? POSTERN_OK : POSTERN_ERR_LIMIT);
    }
}

static void a_nul_in_header_or_payload_is_malformed(void **state)
{
    static const char header[] = "{\"alg\":\"ES256\",\"kid\":\"k\"}\0",
                      payload[] = "{\"sub\":\"x\"}\0{\"sub\":\"root\"}";

    (void)state;
    assert_reason(judge(test_sign_bytes(key, "ES256", header, sizeof header, "{}", 2)),
                  POSTERN_ERR_MALFORMED);
    assert_reason(judge(test_sign_bytes(key, "ES256", header, sizeof header - 2, payload,
                                        sizeof payload - 1)),
                  POSTERN_ERR_MALFORMED);
    assert_reason(judge(test_sign_bytes(key, "ES256", header, sizeof header - 2, payload, 11)),
                  POSTERN_OK);
}

static void a_tampered_token_is_a_bad_signature(void **state)
{
    char *token = test_token(key, "ES256", "k", PAYLOAD), *first_dot = strchr(token, '.'),
         *last_dot = strrchr(token, '.');
    char *mine = test_token(other, "ES256", "k", "{\"sub\":\"root\"}"),
         *mine_dot = strrchr(mine, '.');

    (void)state;
    assert_reason(judge(test_printf("%s%s", "", mine)), POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(judge(test_printf("%.*s%s", (int)(mine_dot - mine), mine, last_dot)),
                  POSTERN_ERR_BAD_SIGNATURE); /* other claims, our signature */
    assert_reason(judge(test_printf("%.*s%s", (int)(last_dot - token), token, mine_dot)),
                  POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(judge(test_printf("%.*s.e30%s", (int)(first_dot - token), token, last_dot)),
                  POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(judge(test_printf("%.*s.AAAA", (int)(last_dot - token), token)),
                  POSTERN_ERR_BAD_SIGNATURE);
    free(token);
    free(mine);
}

/* ---- whose ---- */

static const char *const issuers[] = { "https://as.example", "https://as.example/", "https://b" };

/* Of a token with that payload, whose signature is nobody's; count issuers[] are configured. */
static postern_err choose(const char *payload, size_t count, size_t *ret)
{
    char *token = test_token(other, "ES256", "k", payload);
    postern_err e = parse(token);

    if (e == POSTERN_OK)
        e = postern_jwt_choose_issuer(jwt, issuers, count, ret, NULL);
    free(token);
    return e;
}

static void iss_chooses_the_issuer_that_it_equals_byte_for_byte(void **state)
{
    static const struct {
        const char *payload;
        postern_err want;
        size_t index;
    } cases[] = {
        { PAYLOAD, POSTERN_OK, 0 },
        { "{\"iss\":\"https://as.example/\"}", POSTERN_OK, 1 },
        { "{\"sub\":{\"iss\":\"https://b\"},\"iss\":\"https:\\/\\/as.ex\\u0061mple\"}", POSTERN_OK, 0 },
        { "{\"\\u0069ss\":\"https://b\"}", POSTERN_OK, 2 },
        { "{\"iss\":\"https://AS.example\"}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":\"https://as.exampl\"}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":\"https://as.example:443\"}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":\"https://as.example//\"}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":\"https://as.example\\n\"}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":\" https://as.example\"}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":\"\"}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":\"https://c\"}", POSTERN_ERR_ISS, 0 },
        { "{}", POSTERN_ERR_ISS, 0 },
        { "{\"Iss\":\"https://b\"}", POSTERN_ERR_ISS, 0 },
        { "{\"claims\":{\"iss\":\"https://b\"}}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":[\"https://b\"]}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":{\"https://b\":1}}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":null}", POSTERN_ERR_ISS, 0 },
        { "{\"iss\":1}", POSTERN_ERR_ISS, 0 },
        { "[\"iss\",\"https://b\"]", POSTERN_ERR_MALFORMED, 0 },
        { "\"https://b\"", POSTERN_ERR_MALFORMED, 0 },
        { "{\"iss\":\"https://b\",\"iss\":\"https://b\"}", POSTERN_ERR_MALFORMED, 0 },
        { "{\"iss\":\"https://b\",\"\\u0069ss\":\"https://as.example\"}", POSTERN_ERR_MALFORMED, 0 },
        { "{\"iss\":\"https://b\\u0000\"}", POSTERN_ERR_MALFORMED, 0 },
        { "{\"iss\":\"https://b\"} x", POSTERN_ERR_MALFORMED, 0 },
        { "{\"iss\":\"https://b\"", POSTERN_ERR_MALFORMED, 0 },
        { "{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]],\"iss\":\"https://b\"}", POSTERN_ERR_LIMIT, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t index = 77;
        postern_err e = choose(cases[i].payload, 3, &index);

        if (e != cases[i].want)
            fail_msg("%s: wanted %s, got %s", cases[i].payload, postern_err_reason(cases[i].want),
                     postern_err_reason(e));
        assert_int_equal(index, e == POSTERN_OK ? cases[i].index : 77);
    }
    assert_reason(choose("{\"iss\":\"https://b\"}", 2, &(size_t){ 0 }), POSTERN_ERR_ISS);
}

/* What iss says is not proved by being read, and a choice leaves no claims behind for the next token. */
static void a_choice_proves_nothing(void **state)
{
    char *forged = test_token(other, "ES256", "k", PAYLOAD);
    char *good = test_token(key, "ES256", "k", "{\"iss\":\"https://b\",\"sub\":\"x\"}");
    const postern_json *claims = NULL;
    size_t i = 77;

    (void)state;
    postern_jwt_forget(jwt);
    assert_reason(postern_jwt_choose_issuer(jwt, issuers, 3, &i, NULL), POSTERN_ERR_USAGE);
    assert_reason(parse(forged), POSTERN_OK);
    assert_reason(postern_jwt_choose_issuer(jwt, issuers, 3, &i, NULL), POSTERN_OK);
    assert_reason(postern_jwt_verify(jwt, set, &claims, NULL), POSTERN_ERR_BAD_SIGNATURE);
    assert_null(claims);
    assert_reason(parse(good), POSTERN_OK);
    assert_reason(postern_jwt_verify(jwt, set, &claims, NULL), POSTERN_OK);
    assert_true(postern_json_string_is(claims, postern_json_member(claims, 0, "iss"), "https://b"));
    assert_reason(parse(good), POSTERN_OK);
    assert_reason(postern_jwt_choose_issuer(jwt, issuers, 3, &i, NULL), POSTERN_OK);
    assert_int_equal(i, 2);
    assert_reason(postern_jwt_verify(jwt, set, &claims, NULL), POSTERN_OK);
    assert_true(postern_json_string_is(claims, postern_json_member(claims, 0, "sub"), "x"));
    free(forged);
    free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iss_chooses_the_issuer_that_it_equals_byte_for_byte),
        cmocka_unit_test(a_choice_proves_nothing),
        cmocka_unit_test(a_good_token_is_proved_and_its_claims_come_out),
        cmocka_unit_test(one_two_four_and_five_parts_are_malformed),
        cmocka_unit_test(bytes_outside_of_base64url_are_malformed_in_every_part),
        cmocka_unit_test(padding_and_whitespace_around_a_token_are_malformed),
        cmocka_unit_test(a_last_character_that_is_not_canonical_is_malformed),
        cmocka_unit_test(a_token_of_16384_bytes_passes_and_one_more_is_over_the_limit),
        cmocka_unit_test(shape_tells_a_jws_from_an_opaque_token),
        cmocka_unit_test(alg_none_in_every_spelling_is_not_allowed),
        cmocka_unit_test(algorithms_without_a_row_are_not_allowed),
        cmocka_unit_test(an_alg_that_is_no_string_is_malformed),
        cmocka_unit_test(hs256_with_the_public_key_as_secret_is_not_allowed),
        cmocka_unit_test(a_header_that_is_not_one_strict_json_object_is_malformed),
        cmocka_unit_test(whitespace_inside_the_header_is_json),
        cmocka_unit_test(critical_extensions_are_refused),
        cmocka_unit_test(a_kid_that_cannot_name_a_key_is_refused),
        cmocka_unit_test(keys_in_the_header_are_not_looked_at),
        cmocka_unit_test(typ_is_compared_without_case_and_without_application),
        cmocka_unit_test(a_typ_that_is_absent_long_or_no_string_is_no_type),
        cmocka_unit_test(tokens_with_like_headers_do_not_borrow_each_others),
        cmocka_unit_test(nothing_can_be_asked_of_a_token_that_did_not_parse),
        cmocka_unit_test(a_payload_is_read_only_behind_a_proof),
        cmocka_unit_test(claims_after_a_refused_token_are_those_of_the_next),
        cmocka_unit_test(a_signed_payload_that_is_not_one_strict_json_object_is_malformed),
        cmocka_unit_test(a_payload_deeper_than_16_is_over_the_limit),
        cmocka_unit_test(a_nul_in_header_or_payload_is_malformed),
        cmocka_unit_test(a_tampered_token_is_a_bad_signature),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
