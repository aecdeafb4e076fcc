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
 * rounding keeps the order.  With 16 digits that ends: 999999.99999999999 is 1000000.  So a longer
 * number is all from its first 15 digits to one more in the last of them (decision 0133): rounding
 * keeps it between these two, which have 15 digits themselves.  Exponents, with which a double also
 * overflows, are not read, nor are whole numbers of more digits, which do not fit the 64 bits of
 * some.  The sizes of rules reach 2^53-1, where a double holds each whole number.
 */
#define DIGITS_MAX          15
#define WHOLE_DIGITS_MAX    DIGITS_MAX /* 64 bits hold it */
#define FRACTION_DIGITS_MAX DIGITS_MAX /* behind the point, zeros that stand first as well */
#define FRACTION_ONE        INT64_C(1000000000000000)
#define DECIMAL_TEXT_MAX    1100 /* bytes: the longest double written out, 2^-1074, has 1077 */

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

static int64_t times_ten(int64_t n, size_t times)
{
    while (times-- != 0)
        n *= 10;
    return n;
}

/* Zeros at the end say nothing.  Behind a 0 all places have room. */
static bool take_fraction(postern_reader *r, size_t whole_digits, int64_t *ret, bool *ret_is_cut)
{
    size_t len = count_digits(r->rest), room = FRACTION_DIGITS_MAX - whole_digits, kept = len;
    postern_bytes digits;

    if (len == 0 || !postern_reader_take_len(r, len, &digits))
        return false;
    while (kept != 0 && digits.ptr[kept - 1] == '0')
        kept--;
    *ret_is_cut = kept > room;
    kept = *ret_is_cut ? room : kept;
    *ret = times_ten(value_of(digits.ptr, kept), FRACTION_DIGITS_MAX - kept);
    return true;
}

/* One more in the last place that counts: 1.99999999999999 is 2 then. */
static struct decimal next_above(struct decimal d, size_t whole_digits)
{
    d.fraction += times_ten(1, whole_digits);
    if (d.fraction == FRACTION_ONE)
        d = (struct decimal){ d.whole + 1, 0 };
    return d;
}

static struct decimal minus(struct decimal d)
{
    return (struct decimal){ -d.whole, -d.fraction };
}

bool postern_decimal_read_range(postern_bytes text, struct decimal_range *ret)
{
    postern_reader r = { text };
    bool is_negative = postern_reader_take_byte(&r, '-'); /* -0 is 0, as it is to a double */
    bool is_cut = false;
    struct decimal low = { 0 }, high;
    size_t whole_digits;

    if (text.len > DECIMAL_TEXT_MAX || !take_whole(&r, &low.whole, &whole_digits) ||
        (postern_reader_take_byte(&r, '.') &&
         !take_fraction(&r, whole_digits, &low.fraction, &is_cut)) ||
        !postern_reader_is_done(&r))
        return false;
    high = is_cut ? next_above(low, whole_digits) : low;
    *ret = is_negative ? (struct decimal_range){ minus(high), minus(low) }
                       : (struct decimal_range){ low, high };
    return true;
}

bool postern_decimal_read(postern_bytes text, struct decimal *ret)
{
    struct decimal_range range;

    if (!postern_decimal_read_range(text, &range) ||
        postern_decimal_compare(&range.low, &range.high) != 0)
        return false;
    *ret = range.low;
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
