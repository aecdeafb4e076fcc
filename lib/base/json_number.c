/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integers and dates out of a scanned document, in decimal: no floating point, no locale, exact or
 * refused.  The grammar of numbers was checked by the scan.
 */
#include <postern-private/json.h>

#include <stddef.h>

/* 2^53-1: what every JSON implementation agrees on (RFC 8259 §6) */
#define INTEGER_MAX INT64_C(9007199254740991)
#define PLAIN_DIGITS_MAX 15 /* 10^15 is below INTEGER_MAX */
/* A longer exponent is cut to this: it moves the point out of any text as well. */
#define EXPONENT_MAX (2 * POSTERN_JSON_TEXT_MAX)

/* A number's parts: value = ±(digits without the point) · 10^(exponent - fraction.len). */
struct decimal {
    bool is_negative;
    postern_bytes whole, fraction;
    bool has_exponent;
    int exponent; /* within ±EXPONENT_MAX */
};

static postern_bytes take_digits(postern_reader *r)
{
    postern_bytes digits = { r->rest.ptr, 0 };

    while (digits.len < r->rest.len && r->rest.ptr[digits.len] >= '0' &&
           r->rest.ptr[digits.len] <= '9')
        digits.len++;
    (void)postern_reader_take_len(r, digits.len, &digits); /* cannot fail: just counted */
    return digits;
}

static int exponent_of(postern_bytes digits, bool is_negative)
{
    int value = 0;

    for (size_t i = 0; i < digits.len && value < EXPONENT_MAX; i++)
        value = value * 10 + (digits.ptr[i] - '0');
    if (value > EXPONENT_MAX)
        value = EXPONENT_MAX;
    return is_negative ? -value : value;
}

/* The grammar was checked by the scan. */
static bool take_decimal(const postern_json *j, uint32_t node, struct decimal *ret)
{
    postern_reader r = { postern_json_raw(j, node) };
    bool is_negative;

    if (postern_json_type_of(j, node) != POSTERN_JSON_NUMBER)
        return false;
    *ret = (struct decimal){ .is_negative = postern_reader_take_byte(&r, '-') };
    ret->whole = take_digits(&r);
    if (postern_reader_take_byte(&r, '.'))
        ret->fraction = take_digits(&r);
    ret->has_exponent = postern_reader_take_lit_nocase(&r, "e");
    is_negative = postern_reader_take_byte(&r, '-');
    (void)(!is_negative && postern_reader_take_byte(&r, '+')); /* a plus sign says nothing */
    ret->exponent = exponent_of(take_digits(&r), is_negative);
    return true;
}

static bool is_zero(postern_bytes digits)
{
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] != '0')
            return false;
    return true;
}

/* *value · 10 + digit, as long as it stays exact everywhere. */
static bool append_digit(int64_t *value, int digit)
{
    int64_t next = *value * 10 + digit;

    if (next > INTEGER_MAX)
        return false;
    *value = next;
    return true;
}

bool postern_json_integer(const postern_json *j, uint32_t node, int64_t *ret)
{
    struct decimal d;
    int64_t value = 0;

    if (!take_decimal(j, node, &d) || d.has_exponent || !is_zero(d.fraction))
        return false;
    for (size_t i = 0; i < d.whole.len; i++)
        if (!append_digit(&value, d.whole.ptr[i] - '0'))
            return false;
    *ret = d.is_negative ? -value : value;
    return true;
}

/* Digits alone, few enough to be below 2^53: nearly every date.  False for whatever else is a number. */
static bool read_plain(postern_bytes number, int64_t *ret)
{
    int64_t value = 0;

    if (number.len > PLAIN_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < number.len; i++) {
        unsigned digit = (unsigned)number.ptr[i] - '0';

        if (digit > 9)
            return false;
        value = value * 10 + (int64_t)digit;
    }
    *ret = value;
    return true;
}

/* Digits up to the (moved) point; what is behind it is cut off, what is missing before it is zero.
 */
bool postern_json_date(const postern_json *j, uint32_t node, int64_t *ret_s)
{
    struct decimal d;
    int64_t value = 0;
    ptrdiff_t digits, point;

    if (postern_json_type_of(j, node) == POSTERN_JSON_NUMBER &&
        read_plain(postern_json_raw(j, node), ret_s))
        return true;
    if (!take_decimal(j, node, &d))
        return false;
    if (is_zero(d.whole) && is_zero(d.fraction)) {
        *ret_s = 0;
        return true;
    }
    if (d.is_negative)
        return false;
    digits = (ptrdiff_t)(d.whole.len + d.fraction.len);
    point = (ptrdiff_t)d.whole.len + d.exponent;
    for (ptrdiff_t i = 0; i < point; i++) {
        int digit = 0;

        if (i < (ptrdiff_t)d.whole.len)
            digit = d.whole.ptr[i] - '0';
        else if (i < digits)
            digit = d.fraction.ptr[(size_t)i - d.whole.len] - '0';
        if (!append_digit(&value, digit))
            return false;
    }
    *ret_s = value;
    return true;
}
