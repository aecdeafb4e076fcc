/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bare word of a rule, and behind a line end the number of an argument.  What is said of all that
 * the number may be is so of the double that it is read as, in its sign too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
    if (!claim)
        abort();
}

static double double_of(const struct decimal *d)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%s%" PRId64 ".%015" PRId64,
                   d->whole < 0 || d->fraction < 0 ? "-" : "", d->whole < 0 ? -d->whole : d->whole,
                   d->fraction < 0 ? -d->fraction : d->fraction);
    return strtod(text, NULL);
}

/* What was read has digits, a point and a sign alone, so strtod() reads all of it. */
static double double_of_text(postern_bytes text)
{
    char *copy = malloc(text.len + 1), *end;
    double ret;

    must(copy != NULL);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    ret = strtod(copy, &end);
    must(end == copy + text.len);
    free(copy);
    return ret;
}

static int sign(double a, double b)
{
    return (a > b) - (a < b);
}

static void check_number(postern_bytes text, const struct decimal *bound)
{
    struct decimal_range range;
    struct decimal number;
    double value;

    if (!postern_decimal_read_range(text, &range)) {
        must(!postern_decimal_read(text, &number));
        return;
    }
    value = double_of_text(text);
    must(double_of(&range.low) <= value && value <= double_of(&range.high));
    must(postern_decimal_compare(&range.low, &range.high) ==
         (postern_decimal_read(text, &number) ? 0 : -1));
    must(postern_decimal_is_too_long(text) == !postern_decimal_read(text, &number));
    if (bound != NULL)
        must(postern_decimal_compare(&range.low, bound) <= sign(value, double_of(bound)) &&
             sign(value, double_of(bound)) <= postern_decimal_compare(&range.high, bound));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_reader r = { { data, size } };
    struct literal literal;
    postern_bytes word;
    bool is_number;

    if (!postern_reader_take_until(&r, '\n', &word))
        word = r.rest;
    is_number = postern_literal_read(word, &literal) && literal.kind == LITERAL_NUMBER;
    check_number(word, is_number ? &literal.number : NULL);
    check_number(r.rest, is_number ? &literal.number : NULL);
    return 0;
}
