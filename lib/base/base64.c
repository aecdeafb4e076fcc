/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Base64url, base64 (RFC 4648) and hex.  Decoding takes the canonical form only: another spelling
 * of the same bytes would be another token for every cache and revocation list.  On the hot path of
 * each token: one table look-up a character, the verdict on the alphabet collected and judged once.
 */
#include <postern/bytes.h>

#include <endian.h>

/* Not of the alphabet: a bit that stays above a group's 24, wherever in the group it is shifted to. */
#define NO (UINT64_C(1) << 32)

struct alphabet {
    char encode[65];
    uint64_t decode[256];
};

/* clang-format off */
static const struct alphabet url_alphabet = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    {
        NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
        NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
        NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, NO,
        52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO,
        NO, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
        15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, 63,
        NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
        41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
        [128 ... 255] = NO,
    },
};
/* clang-format on */

/* clang-format off */
static const struct alphabet plain_alphabet = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    {
        NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
        NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
        NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, NO, NO, 63,
        52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO,
        NO, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
        15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, NO,
        NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
        41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
        [128 ... 255] = NO,
    },
};
/* clang-format on */

static inline uint64_t decode_group(const uint64_t *decode, const uint8_t *in)
{
    return decode[in[0]] << 18 | decode[in[1]] << 12 | decode[in[2]] << 6 | decode[in[3]];
}

/* Whole groups of four characters; returns the OR of all values, so that a foreign byte shows in the
 * upper half.  A group is written as four bytes, of which the next one covers the last. */
static uint64_t decode_groups(const uint64_t *decode, const uint8_t *in, size_t groups, uint8_t *out)
{
    uint64_t seen = 0, v;

    for (; groups > 1; groups--, in += 4, out += 3) {
        uint32_t octets;

        v = decode_group(decode, in);
        seen |= v;
        octets = htobe32((uint32_t)v << 8);
        memcpy(out, &octets, 4);
    }
    if (groups == 0)
        return seen;
    v = decode_group(decode, in);
    out[0] = (uint8_t)(v >> 16);
    out[1] = (uint8_t)(v >> 8);
    out[2] = (uint8_t)v;
    return seen | v;
}

/* The last two or three characters, 1 or 2 bytes; pad bits that are not zero show as a foreign byte
 * does. */
static uint64_t decode_tail(const uint64_t *decode, const uint8_t *in, size_t chars, uint8_t *out)
{
    uint64_t v = decode[in[0]] << 18 | decode[in[1]] << 12, pad_bits = UINT64_C(0xFFFF);

    out[0] = (uint8_t)(v >> 16);
    if (chars == 3) {
        v |= decode[in[2]] << 6;
        out[1] = (uint8_t)(v >> 8);
        pad_bits = UINT64_C(0xFF);
    }
    return v | ((v & pad_bits) != 0 ? NO : 0);
}

static postern_err decode_text(const struct alphabet *alphabet, postern_bytes in, uint8_t *out,
                               size_t *ret_len, postern_error *err)
{
    size_t groups = in.len / 4, tail = in.len % 4;
    uint64_t seen;

    if (tail == 1)
        return POSTERN_FAIL(err, MALFORMED, "base64 text cannot be %zu characters long", in.len);
    seen = decode_groups(alphabet->decode, in.ptr, groups, out);
    if (tail != 0)
        seen |= decode_tail(alphabet->decode, in.ptr + groups * 4, tail, out + groups * 3);
    if (seen >> 32 != 0)
        return POSTERN_FAIL(
            err, MALFORMED,
            "base64 text holds a foreign character or has pad bits that are not zero");
    *ret_len = groups * 3 + (tail == 0 ? 0 : tail - 1);
    return POSTERN_OK;
}

postern_err postern_base64url_decode(postern_bytes in, uint8_t *out, size_t *ret_len,
                                     postern_error *err)
{
    return decode_text(&url_alphabet, in, out, ret_len, err);
}

postern_err postern_base64_decode(postern_bytes in, uint8_t *out, size_t *ret_len,
                                  postern_error *err)
{
    if (in.len % 4 != 0)
        return POSTERN_FAIL(err, MALFORMED, "padded base64 cannot be %zu characters long", in.len);
    if (in.len != 0 && in.ptr[in.len - 1] == '=')
        in.len -= in.ptr[in.len - 2] == '=' ? 2 : 1;
    return decode_text(&plain_alphabet, in, out, ret_len, err);
}

static void encode_text(const char *alphabet, bool is_padded, postern_bytes in, postern_buf *out)
{
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i < 3 ? in.len - i : 3;
        uint32_t v = (uint32_t)in.ptr[i] << 16;
        uint8_t group[4];

        if (left > 1)
            v |= (uint32_t)in.ptr[i + 1] << 8;
        if (left > 2)
            v |= in.ptr[i + 2];
        for (size_t k = 0; k < 4; k++)
            group[k] = k <= left ? (uint8_t)alphabet[v >> (18 - 6 * k) & 63] : '=';
        postern_buf_add(out, (postern_bytes){ group, is_padded ? 4 : left + 1 });
    }
}

void postern_base64url_encode(postern_bytes in, postern_buf *out)
{
    encode_text(url_alphabet.encode, false, in, out);
}

void postern_base64_encode(postern_bytes in, postern_buf *out)
{
    encode_text(plain_alphabet.encode, true, in, out);
}

void postern_hex_encode(postern_bytes in, postern_buf *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < in.len; i++) {
        postern_buf_add_byte(out, (uint8_t)digits[in.ptr[i] >> 4]);
        postern_buf_add_byte(out, (uint8_t)digits[in.ptr[i] & 15]);
    }
}
