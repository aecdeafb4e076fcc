/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64url, base64 and hex: the vectors of RFC 4648 §10 and RFC 7515 appendix C, and canonical
 * form by exhaustion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <postern/bytes.h>

static const struct {
    const char *plain, *padded, *url;
} vectors[] = {
    /* RFC 4648 §10; url: the same without padding */
    { "", "", "" },
    { "f", "Zg==", "Zg" },
    { "fo", "Zm8=", "Zm8" },
    { "foo", "Zm9v", "Zm9v" },
    { "foob", "Zm9vYg==", "Zm9vYg" },
    { "fooba", "Zm9vYmE=", "Zm9vYmE" },
    { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    { "\xfb\xff\xbf", "+/+/", "-_-_" },
};

static void the_vectors_of_rfc_4648_go_both_ways(void **state)
{
    uint8_t out[64];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        postern_bytes plain = postern_bytes_str(vectors[i].plain);
        POSTERN_AUTO_BUF url = POSTERN_BUF_INIT(64);
        POSTERN_AUTO_BUF padded = POSTERN_BUF_INIT(64);

        postern_base64url_encode(plain, &url);
        postern_base64_encode(plain, &padded);
        assert_string_equal(postern_buf_cstr(&url), vectors[i].url);
        assert_string_equal(postern_buf_cstr(&padded), vectors[i].padded);
        assert_int_equal(
            postern_base64url_decode(postern_bytes_str(vectors[i].url), out, &len, NULL),
            POSTERN_OK);
        assert_true(postern_bytes_equal((postern_bytes){ out, len }, plain));
        assert_int_equal(
            postern_base64_decode(postern_bytes_str(vectors[i].padded), out, &len, NULL),
            POSTERN_OK);
        assert_true(postern_bytes_equal((postern_bytes){ out, len }, plain));
    }
}

static void the_example_of_rfc_7515_appendix_c_goes_both_ways(void **state)
{
    static const uint8_t plain[] = { 3, 236, 255, 224, 193 };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(64);
    uint8_t out[16];
    size_t len;

    (void)state;
    postern_base64url_encode((postern_bytes){ plain, sizeof plain }, &text);
    assert_string_equal(postern_buf_cstr(&text), "A-z_4ME");
    assert_int_equal(postern_base64url_decode(postern_buf_bytes(&text), out, &len, NULL),
                     POSTERN_OK);
    assert_int_equal(len, sizeof plain);
    assert_memory_equal(out, plain, sizeof plain);
}

/* Of all texts of two and three characters exactly one spells each byte or pair of bytes (RFC 4648
 * §3.5). */
static void no_byte_has_two_spellings(void **state)
{
    uint8_t out[8];
    size_t len;
    long accepted_two = 0, accepted_three = 0;

    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            uint8_t in[3] = { (uint8_t)a, (uint8_t)b, 0 };

            if (postern_base64url_decode((postern_bytes){ in, 2 }, out, &len, NULL) == POSTERN_OK)
                accepted_two++;
            for (unsigned c = 0; c < 256; c += 1) {
                in[2] = (uint8_t)c;
                if (postern_base64url_decode((postern_bytes){ in, 3 }, out, &len, NULL) ==
                    POSTERN_OK)
                    accepted_three++;
            }
        }
    assert_int_equal(accepted_two, 256);
    assert_int_equal(accepted_three, 65536);
}

static void every_position_of_a_group_judges_its_alphabet(void **state)
{
    uint8_t out[16];
    size_t len;

    (void)state;
    for (size_t at = 0; at < 8; at++) {
        long accepted_url = 0, accepted_plain = 0;

        for (unsigned c = 0; c < 256; c++) {
            uint8_t in[8] = "AAAAAAAA";

            in[at] = (uint8_t)c;
            accepted_url +=
                postern_base64url_decode((postern_bytes){ in, 8 }, out, &len, NULL) == POSTERN_OK;
            accepted_plain +=
                postern_base64_decode((postern_bytes){ in, 8 }, out, &len, NULL) == POSTERN_OK;
        }
        assert_int_equal(accepted_url, 64);
        assert_int_equal(accepted_plain,
                         at == 7 ? 65 : 64); /* a final '=' is padding with zero pad bits */
    }
}

static const char *const bad_url[] = {
    "A",
    "AAAAA",
    "Zg==",
    "Zm8=",
    "Zm9v=",
    "Zh",
    "Zm9",
    "Zm9vYh",
    " Zm9v",
    "Zm9v ",
    "Zm9v\n",
    "Zm\n9v",
    "Zm+v",
    "Zm/v",
    "Zm.v",
    ("\xc3\xa4"
     "AA"),
};
static const char *const bad_padded[] = {
    "A",    "Zg",       "Zg=",  "Zg===", "Zh==",   "Zm9=", "Zm8",  "====",     "A===",
    "Z===", "Zg==Zg==", "Zm=v", "=Zm9",  "Zm9v\n", "Zm-v", "Zm_v", "Zm9v====", "Zm8=\n",
};

static void what_is_not_canonical_is_malformed_and_writes_no_length(void **state)
{
    uint8_t out[32];
    postern_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad_url / sizeof bad_url[0]; i++) {
        size_t len = 777;

        assert_int_equal(postern_base64url_decode(postern_bytes_str(bad_url[i]), out, &len, &err),
                         POSTERN_ERR_MALFORMED);
        assert_int_equal(err.code, POSTERN_ERR_MALFORMED);
        assert_int_equal(len, 777);
    }
    for (size_t i = 0; i < sizeof bad_padded / sizeof bad_padded[0]; i++) {
        size_t len = 777;

        assert_int_equal(postern_base64_decode(postern_bytes_str(bad_padded[i]), out, &len, &err),
                         POSTERN_ERR_MALFORMED);
        assert_int_equal(len, 777);
    }
}

static void decoding_never_writes_past_the_promised_room(void **state)
{
    uint8_t out[200];
    char in[120];
    size_t len;

    (void)state;
    memset(in, 'A', sizeof in);
    for (size_t n = 0; n < sizeof in; n++) {
        size_t room = POSTERN_BASE64URL_DECODED_MAX(n);

        memset(out, 0xEE, sizeof out);
        (void)!postern_base64url_decode((postern_bytes){ (const uint8_t *)in, n }, out, &len, NULL);
        for (size_t k = room; k < sizeof out; k++)
            assert_int_equal(out[k], 0xEE);
    }
}

static void hex_is_lower_case(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(8);

    (void)state;
    postern_hex_encode(POSTERN_BYTES_LIT("\x00\xff\x1a"), &b);
    assert_string_equal(postern_buf_cstr(&b), "00ff1a");
    postern_hex_encode(POSTERN_BYTES_LIT("\x01\x02"), &b);
    assert_true(b.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_4648_go_both_ways),
        cmocka_unit_test(the_example_of_rfc_7515_appendix_c_goes_both_ways),
        cmocka_unit_test(no_byte_has_two_spellings),
        cmocka_unit_test(every_position_of_a_group_judges_its_alphabet),
        cmocka_unit_test(what_is_not_canonical_is_malformed_and_writes_no_length),
        cmocka_unit_test(decoding_never_writes_past_the_promised_room),
        cmocka_unit_test(hex_is_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
