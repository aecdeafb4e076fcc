/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of tests: numbers, durations, sizes, networks, days and hours.  Readers return NULL, or what is
 * wrong in words that follow the value in a refusal.  Texts are NUL-terminated and short.
 */
#ifndef POSTERN_LIB_POLICY_VALUES_H
#define POSTERN_LIB_POLICY_VALUES_H

#include <postern/bytes.h>

/* 2^53-1: what every JSON implementation agrees on (RFC 8259 §6). */
#define POLICY_NUMBER_MAX     INT64_C(9007199254740991)
#define POLICY_DURATION_MAX_S (366 * 86400) /* a longer lease or age is none */
/* RFC 7231 clocks differ, and clock_skew allows as much: what lies further ahead is no past. */
#define POLICY_SKEW_MAX_S 300
#define POLICY_ZONE_MAX_S (14 * 3600) /* Kiribati; the least is -12 */

const char *postern_value_read_number(const char *text, int64_t *ret);
/* "4096", "64KiB", "10MiB", "1GiB". */
const char *postern_value_read_size(const char *text, int64_t *ret);
const char *postern_value_read_duration(const char *text, int64_t *ret_s);
void postern_value_print_duration(int64_t s, postern_buf *out);
/* "UTC", "+02:00". */
const char *postern_value_read_zone(const char *text, int32_t *ret_s);
void postern_value_print_zone(int32_t s, postern_buf *out);

/* An address, or all that share its first `bits`.  IPv4 in the first four bytes. */
struct net {
    uint8_t address[16];
    uint8_t bits;
    bool is_v4;
};
const char *postern_net_read(const char *text, struct net *ret);
/* IPv4 in IPv6 (::ffff:192.0.2.1) is IPv4. */
bool postern_net_read_address(const char *text, struct net *ret);
bool postern_net_holds(const struct net *net, const struct net *address);

/* ±whole.fraction in units of 10^-15.  Both have its sign. */
struct decimal {
    int64_t whole, fraction;
};
/* What a number may be to whoever reads it: from `low` to `high`, both within.  They are one where
 * a double tells it apart: 15 digits, not counting zeros before the first and behind the last of
 * the fraction, none beyond 10^-15.  Of a longer one they are those digits, and one more in the
 * last. */
struct decimal_range {
    struct decimal low, high;
};
/* A number as JSON writes it.  False for what is none, has an exponent, more than 15 digits before
 * the point, or more than 1,100 bytes. */
bool postern_decimal_read_range(postern_bytes text, struct decimal_range *ret);
/* The same, of those alone that are one to everybody. */
bool postern_decimal_read(postern_bytes text, struct decimal *ret);
/* A number without an exponent that is only refused for its digits. */
bool postern_decimal_is_too_long(postern_bytes text);
int postern_decimal_compare(const struct decimal *a, const struct decimal *b); /* -1, 0, 1 */

/* What a bare word is to arguments and details, whose values have types. */
enum literal_kind { LITERAL_NUMBER = 0, LITERAL_BOOLEAN, LITERAL_NET };
struct literal {
    enum literal_kind kind;
    struct decimal number; /* NUMBER: also the seconds of 15m, the bytes of 64KiB */
    bool is_true;          /* BOOLEAN */
    struct net net;        /* NET: with its /; an address alone is a text */
};
bool postern_literal_read(postern_bytes word, struct literal *ret);

enum span_kind { SPAN_HOURS = 0, SPAN_FROM, SPAN_UNTIL };
#define SPAN_EVERY_DAY (-1)
struct span {
    enum span_kind kind;
    int first_day, last_day; /* Monday is 0; first_day SPAN_EVERY_DAY: none named */
    int start_min, end_min;  /* of the day, the end not within; end before start: over midnight */
    int32_t date;            /* days since 1970 */
};
bool postern_span_is_day(const char *text); /* "mon", "mon-fri": a span's first word */
const char *postern_span_read_days(const char *text, struct span *ret);
const char *postern_span_read_hours(const char *text, struct span *ret);
const char *postern_span_read_date(const char *text, int32_t *ret);
bool postern_span_holds(const struct span *span, int64_t now_s, int32_t zone_s);
void postern_span_print(const struct span *span, postern_buf *out);

#endif
