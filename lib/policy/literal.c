/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What bare words are to arguments: numbers, which are compared exactly and without floating point
 * as far as floating point would compare them so, true and false, networks.  Called by the reader,
 * and by args.c for the numbers of a request.
 */
#include <stdio.h>

#include "base/ascii.h"
#include "policy/pattern.h"
#include "policy/values.h"

/*
 * Servers keep a number in a double (RFC 8259 section 6), so two numbers that they may read as one
 * must not be two here.  A decimal of up to 15 significant digits goes into a double and comes back
 * unchanged (DBL_DIG), so two that differ are two doubles, and the larger is the larger double, for
 * rounding keeps the order.  With 16 digits that ends: 999999.99999999999 is 1000000.  Exponents,
 * with which a double also overflows, are not read.  The sizes of rules reach 2^53-1, where a
 * double holds each whole number.
 */
#define DIGITS_MAX          15
#define WHOLE_DIGITS_MAX    DIGITS_MAX /* 64 bits hold it */
#define FRACTION_DIGITS_MAX DIGITS_MAX /* behind the point, zeros that stand first as well */

static size_t count_digits(postern_bytes text)
{
    size_t n = 0;

    while (n < text.len && postern_ascii_is_digit(text.ptr[n]))
        n++;
    return n;
}

static int64_t value_of(const uint8_t *digits, size_t len)
{
    int64_t ret = 0;

    for (size_t i = 0; i < len; i++)
        ret = ret * 10 + (digits[i] - '0');
    return ret;
}

/* *ret_digits: how many of them count. */
static bool take_whole(postern_reader *r, int64_t *ret, size_t *ret_digits)
{
    size_t len = count_digits(r->rest);
    postern_bytes digits;

    if (len == 0 || len > WHOLE_DIGITS_MAX || (len > 1 && r->rest.ptr[0] == '0') ||
        !postern_reader_take_len(r, len, &digits))
        return false;
    *ret = value_of(digits.ptr, len);
    *ret_digits = *ret == 0 ? 0 : len;
    return true;
}

/* Zeros at the end say nothing.  Behind a 0 all others have room. */
static bool take_fraction(postern_reader *r, size_t whole_digits, int64_t *ret)
{
    size_t len = count_digits(r->rest), kept = len;
    postern_bytes digits;

    if (len == 0 || !postern_reader_take_len(r, len, &digits))
        return false;
    while (kept != 0 && digits.ptr[kept - 1] == '0')
        kept--;
    if (kept > FRACTION_DIGITS_MAX - whole_digits)
        return false;
    *ret = value_of(digits.ptr, kept);
    for (size_t i = kept; i < FRACTION_DIGITS_MAX; i++)
        *ret *= 10;
    return true;
}

bool postern_decimal_read(postern_bytes text, struct decimal *ret)
{
    postern_reader r = { text };
    bool is_negative = postern_reader_take_byte(&r, '-'); /* -0 is 0, as it is to a double */
    size_t whole_digits;

    *ret = (struct decimal){ 0 };
    if (!take_whole(&r, &ret->whole, &whole_digits) ||
        (postern_reader_take_byte(&r, '.') && !take_fraction(&r, whole_digits, &ret->fraction)) ||
        !postern_reader_is_done(&r))
        return false;
    if (is_negative)
        *ret = (struct decimal){ -ret->whole, -ret->fraction };
    return true;
}

static bool skip_digits(postern_reader *r)
{
    postern_bytes digits;
    size_t len = count_digits(r->rest);

    return len != 0 && postern_reader_take_len(r, len, &digits);
}

bool postern_decimal_is_too_long(postern_bytes text)
{
    postern_reader r = { text };
    struct decimal number;
    bool has_zero;

    (void)postern_reader_take_byte(&r, '-'); /* it may be left out */
    has_zero = r.rest.len > 1 && r.rest.ptr[0] == '0' && r.rest.ptr[1] != '.';
    return !has_zero && skip_digits(&r) &&
           (!postern_reader_take_byte(&r, '.') || skip_digits(&r)) && postern_reader_is_done(&r) &&
           !postern_decimal_read(text, &number);
}

int postern_decimal_compare(const struct decimal *a, const struct decimal *b)
{
    if (a->whole != b->whole)
        return a->whole < b->whole ? -1 : 1;
    return (a->fraction > b->fraction) - (a->fraction < b->fraction);
}

/* ---- sizes ---- */

const char *postern_value_read_size(const char *text, int64_t *ret)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = { { "", 1 }, { "KiB", 1024 }, { "MiB", 1048576 }, { "GiB", 1073741824 } };
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > WHOLE_DIGITS_MAX)
        return "is no size: a whole number of bytes, or with KiB, MiB or GiB";
    *ret = value_of((const uint8_t *)text, digits);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        if (*ret < 1 || *ret > POLICY_NUMBER_MAX / units[i].bytes)
            return "is out of range: 1 to 8388607GiB";
        *ret *= units[i].bytes;
        return NULL;
    }
    return "is no size: write bytes, or KiB, MiB or GiB behind the number";
}

/* ---- bare words ---- */

static bool is_boolean(postern_bytes word, bool *ret_is_true)
{
    *ret_is_true = postern_bytes_equal_str(word, "true");
    return *ret_is_true || postern_bytes_equal_str(word, "false");
}

bool postern_literal_read(postern_bytes word, struct literal *ret)
{
    char text[64]; /* the longest network has 43 characters */
    int64_t whole;

    *ret = (struct literal){ .kind = LITERAL_NUMBER };
    if (postern_decimal_read(word, &ret->number))
        return true;
    if (is_boolean(word, &ret->is_true)) {
        ret->kind = LITERAL_BOOLEAN;
        return true;
    }
    if (word.len >= sizeof text)
        return false;
    (void)snprintf(text, sizeof text, "%.*s", (int)word.len, (const char *)word.ptr); /* fits */
    if (postern_value_read_duration(text, &whole) == NULL ||
        postern_value_read_size(text, &whole) == NULL) {
        ret->number = (struct decimal){ whole, 0 };
        return true;
    }
    ret->kind = LITERAL_NET;
    return strchr(text, '/') != NULL && postern_net_read(text, &ret->net) == NULL;
}
