/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/values.c, literal.c and span.c: numbers, durations, networks, days and hours, by value. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/values.h"
#include <postern/policy.h>

static void a_number_is_whole_and_fits_json(void **state)
{
    static const char *const bad[] = { "",
                                       "-",
                                       "+1",
                                       "1.0",
                                       "1e3",
                                       " 1",
                                       "1 ",
                                       "0x1",
                                       "one",
                                       "9007199254740992",
                                       "-9007199254740992",
                                       "99999999999999999999" };
    int64_t n = 0;

    (void)state;
    assert_null(postern_value_read_number("9007199254740991", &n));
    assert_true(n == POLICY_NUMBER_MAX);
    assert_null(postern_value_read_number("-9007199254740991", &n));
    assert_true(n == -POLICY_NUMBER_MAX);
    assert_null(postern_value_read_number("007", &n));
    assert_true(n == 7);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(postern_value_read_number(bad[i], &n));
}

/* ---- decimals ---- */

static bool read_decimal(const char *text, struct decimal *ret)
{
    return postern_decimal_read(postern_bytes_str(text), ret);
}

static void a_decimal_has_fifteen_digits_that_count(void **state)
{
    static const struct {
        const char *text;
        bool is_read, is_too_long;
    } cases[] = {
        { "0", true, false },
        { "-0", true, false },
        { "0.000", true, false },
        { "123456789012345", true, false },
        { "-123456789012345.0000000000", true, false },
        { "1.23456789012345", true, false },
        { "1.234567890123450000", true, false },
        { "0.123456789012345", true, false },
        { "0.000000000000001", true, false },
        { "12345678901234.5", true, false },
        { "1234567890123456", false, true },
        { "1000000000000000", false, true },
        { "1000000000000000.0", false, true },
        { "1.234567890123456", false, true },
        { "-1.234567890123456", false, true },
        { "123456789012345.6", false, true },
        { "100000000000000.1", false, true },
        { "10.00000000000001", false, true },
        { "0.1234567890123456", false, true },
        { "0.0000000000000001", false, true },
        { "", false, false },
        { "-", false, false },
        { ".5", false, false },
        { "5.", false, false },
        { "+5", false, false },
        { "05", false, false },
        { "-05", false, false },
        { "00", false, false },
        { "0123456789012345678", false, false },
        { "1e3", false, false },
        { "12345678901234567e1", false, false },
        { "1.2.3", false, false },
        { "1234567890123456x", false, false },
        { "1234567890123456.", false, false },
        { "NaN", false, false },
    };
    struct decimal number;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (read_decimal(cases[i].text, &number) != cases[i].is_read ||
            postern_decimal_is_too_long(postern_bytes_str(cases[i].text)) != cases[i].is_too_long)
            fail_msg("%s", cases[i].text);
}

/* The same numbers in each run. */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* So many digits, the last so many of them behind the point. */
static void write_number(char text[64], uint64_t value, size_t behind, bool is_negative)
{
    char digits[32];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%0*llu", (int)behind + 1,
                                  (unsigned long long)value);

    (void)snprintf(text, 64, "%s%.*s%s%s", is_negative ? "-" : "", (int)(len - behind), digits,
                   behind == 0 ? "" : ".", digits + len - behind);
}

static int compare_doubles(const char *a, const char *b)
{
    double x = strtod(a, NULL), y = strtod(b, NULL);

    return (x > y) - (x < y);
}

/* Neighbours too: there a double would be the first to say that two are one. */
static void decimals_are_in_the_order_of_doubles(void **state)
{
    static const uint64_t tens[] = { 10, 1000, 1000000, 100000000000, 1000000000000000 };
    uint64_t seed = 88172645463325252u, a, b;
    struct decimal x, y;
    char text[64], other[64];

    (void)state;
    for (size_t i = 0; i < 200000; i++) {
        size_t behind = draw(&seed) % 16;

        a = draw(&seed) % tens[draw(&seed) % 5];
        b = i % 2 == 0 ? a + 1 - draw(&seed) % 2 : draw(&seed) % tens[draw(&seed) % 5];
        if (b == 1000000000000000)
            continue;
        write_number(text, a, behind, draw(&seed) % 4 == 0);
        write_number(other, b, i % 2 == 0 ? behind : draw(&seed) % 16, text[0] == '-');
        if (!read_decimal(text, &x) || !read_decimal(other, &y))
            fail_msg("%s or %s is not read", text, other);
        if (postern_decimal_compare(&x, &y) != compare_doubles(text, other))
            fail_msg("%s and %s", text, other);
    }
}

static void print_decimal(const struct decimal *d, char text[64])
{
    int64_t whole = d->whole < 0 ? -d->whole : d->whole;
    int64_t fraction = d->fraction < 0 ? -d->fraction : d->fraction;

    (void)snprintf(text, 64, "%s%" PRId64 ".%015" PRId64,
                   d->whole < 0 || d->fraction < 0 ? "-" : "", whole, fraction);
}

static void a_longer_number_is_what_its_first_fifteen_digits_may_be(void **state)
{
    static const struct {
        const char *text, *low, *high; /* low NULL: refused */
    } cases[] = {
        { "19.990000000000002", "19.990000000000000", "19.990000000000100" },
        { "-19.990000000000002", "-19.990000000000100", "-19.990000000000000" },
        { "19.99", "19.990000000000000", "19.990000000000000" },
        { "19.9900000000000000000000", "19.990000000000000", "19.990000000000000" },
        { "9.9999999999999999", "9.999999999999990", "10.000000000000000" },
        { "-9.9999999999999999", "-10.000000000000000", "-9.999999999999990" },
        { "0.9999999999999999", "0.999999999999999", "1.000000000000000" },
        { "1.000000000000001", "1.000000000000000", "1.000000000000010" },
        { "10.00000000000001", "10.000000000000000", "10.000000000000100" },
        { "0.0000000000000001", "0.000000000000000", "0.000000000000001" },
        { "-0.0000000000000001", "-0.000000000000001", "0.000000000000000" },
        { "0.00012345678901234567", "0.000123456789012", "0.000123456789013" },
        { "99999999999999.99", "99999999999999.900000000000000",
          "100000000000000.000000000000000" },
        { "999999999999999.000000001", "999999999999999.000000000000000",
          "1000000000000000.000000000000000" },
        { "100000000000000.1", "100000000000000.000000000000000",
          "100000000000001.000000000000000" },
        { "1000000000000000", NULL, NULL },
        { "1000000000000000.5", NULL, NULL },
        { "18446744073709551616", NULL, NULL },
        { "1.0000000000000001e0", NULL, NULL },
        { "1.0000000000000001E5", NULL, NULL },
        { "1.0000000000000001.5", NULL, NULL },
        { "1.0000000000000001x", NULL, NULL },
        { "01.0000000000000001", NULL, NULL },
        { "+1.0000000000000001", NULL, NULL },
        { ".0000000000000001", NULL, NULL },
        { "1.", NULL, NULL },
        { " 1.0000000000000001", NULL, NULL },
        { "--1.0000000000000001", NULL, NULL },
        { "", NULL, NULL },
    };
    struct decimal_range range;
    struct decimal number;
    char low[64], high[64];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_read = postern_decimal_read_range(postern_bytes_str(cases[i].text), &range);

        if (is_read != (cases[i].low != NULL))
            fail_msg("%s", cases[i].text);
        if (!is_read)
            continue;
        print_decimal(&range.low, low);
        print_decimal(&range.high, high);
        assert_string_equal(low, cases[i].low);
        assert_string_equal(high, cases[i].high);
        assert_true(read_decimal(cases[i].text, &number) == (strcmp(low, high) == 0));
    }
}

static void a_number_has_an_end(void **state)
{
    struct decimal_range range;
    char text[1102];

    (void)state;
    memset(text, '1', sizeof text);
    memcpy(text, "-0.", 3);
    assert_true(postern_decimal_read_range((postern_bytes){ (const uint8_t *)text, 1100 }, &range));
    assert_false(
        postern_decimal_read_range((postern_bytes){ (const uint8_t *)text, 1101 }, &range));
    memset(text + 3, '0', sizeof text - 3);
    assert_true(postern_decimal_read_range((postern_bytes){ (const uint8_t *)text, 1100 }, &range));
    assert_false(
        postern_decimal_read_range((postern_bytes){ (const uint8_t *)text, 1101 }, &range));
}

/* ---- both readings of one number ---- */

/* As many digits behind the point as the longer of the two has. */
static int compare_sizes(const char *a, const char *b)
{
    size_t a_whole = strcspn(a, "."), b_whole = strcspn(b, ".");
    const char *x = a + a_whole, *y = b + b_whole;
    int sign = a_whole == b_whole ? memcmp(a, b, a_whole) : a_whole < b_whole ? -1 : 1;

    x += *x == '.';
    y += *y == '.';
    while (sign == 0 && (*x != '\0' || *y != '\0'))
        sign = (*x == '\0' ? '0' : *x++) - (*y == '\0' ? '0' : *y++);
    return (sign > 0) - (sign < 0);
}

static bool is_zero(const char *text)
{
    return text[strspn(text, "-0.")] == '\0';
}

/* Exactly, of texts without zeros at their beginning. */
static int compare_texts(const char *a, const char *b)
{
    bool a_negative = a[0] == '-', b_negative = b[0] == '-';

    if (is_zero(a) && is_zero(b))
        return 0;
    if (a_negative != b_negative)
        return a_negative ? -1 : 1;
    return a_negative ? compare_sizes(b + 1, a + 1) : compare_sizes(a, b);
}

/* The bound, and one unit more or less in some place behind it, or other digits: near it, mostly.
 */
static void write_neighbour(uint64_t *seed, const char *bound, char text[64])
{
    static const char *const tails[] = { "0", "9", "1", "5", "4999", "50", "" };
    size_t len = (size_t)snprintf(text, 64, "%s", bound);

    if (strchr(text, '.') == NULL)
        text[len++] = '.';
    while (len < 16 + draw(seed) % 12)
        text[len++] = "09"[draw(seed) % 8 == 0];
    for (size_t i = 0, n = draw(seed) % 4; i < n; i++) {
        len += (size_t)snprintf(text + len, 64 - len, "%s", tails[draw(seed) % 7]);
        text[len++] = (char)('0' + draw(seed) % 10);
    }
    text[len - (text[len - 1] == '.')] = '\0';
}

/* One less in its last place: 20 becomes 19. */
static void write_below(uint64_t *seed, char bound[64], char text[64])
{
    uint64_t value = draw(seed) % 1000000, behind = draw(seed) % 6;

    if (draw(seed) % 2 == 0)
        value = draw(seed) % 20;
    write_number(bound, value + 1, behind, false);
    write_number(text, value, behind, false);
    if (strchr(text, '.') == NULL)
        strcat(text, ".");
    for (size_t i = strlen(text), n = 14 + draw(seed) % 16; i < n; i++)
        strcat(text, draw(seed) % 16 == 0 ? "8" : "9");
}

static void draw_pair(uint64_t *seed, char bound[64], char text[64])
{
    static const uint64_t tens[] = { 10, 1000, 1000000, 100000000000, 1000000000000000 };
    char other[64];

    if (draw(seed) % 3 == 0) {
        write_below(seed, bound, text);
    } else {
        uint64_t value = draw(seed) % tens[draw(seed) % 5];

        write_number(bound, value, draw(seed) % 16, false);
        write_number(other, value, draw(seed) % 16, false);
        write_neighbour(seed, draw(seed) % 8 == 0 ? other : bound, text);
    }
    if (draw(seed) % 3 == 0) {
        (void)snprintf(other, sizeof other, "-%s", bound);
        memcpy(bound, other, 64);
        (void)snprintf(other, sizeof other, "-%.62s", text);
        memcpy(text, other, 64);
    }
}

/* The next double on the way to `y`; 0 stays, for no bound is that near. */
static double step_towards(double x, double y)
{
    int64_t bits; /* of numbers of one sign in the order of their sizes */

    memcpy(&bits, &x, sizeof bits);
    if (x != 0 && x != y)
        bits += (x < y) == (x > 0) ? 1 : -1;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* What is said of the whole range is so of the number, and of the double that it is read as; and it
 * is between the doubles of both ends, three units in the last place off or not. */
static void check_readings(const char *text, const char *bound, size_t *known)
{
    struct decimal_range range;
    struct decimal want;
    int exact = compare_texts(text, bound), rounded = compare_doubles(text, bound), low, high;
    double x = strtod(text, NULL), y = strtod(bound, NULL);

    if (!postern_decimal_read_range(postern_bytes_str(text), &range) || !read_decimal(bound, &want))
        fail_msg("%s or %s is not read", text, bound);
    low = postern_decimal_compare(&range.low, &want);
    high = postern_decimal_compare(&range.high, &want);
    if (low > high || exact < low || exact > high || rounded < low || rounded > high)
        fail_msg("%s and %s: %d to %d, but %d, as doubles %d", text, bound, low, high, exact,
                 rounded);
    *known += low == high;
    if (low != high || low == 0)
        return;
    for (int i = 0; i < 3; i++)
        x = step_towards(x, y);
    if ((x > y) - (x < y) != low)
        fail_msg("%s and %s: known, and within three units", text, bound);
}

static void no_reading_contradicts_what_is_known(void **state)
{
    uint64_t seed = 88172645463325252u;
    size_t known = 0, rounds = 400000;
    char text[64] = "", bound[64] = "";

    (void)state;
    for (size_t i = 0; i < rounds; i++) {
        draw_pair(&seed, bound, text);
        check_readings(text, bound, &known);
    }
    assert_in_range(known, rounds / 10,
                    rounds - rounds / 10); /* the pairs are near, and not all one */
}

static void a_duration_has_a_unit_and_an_end(void **state)
{
    static const struct {
        const char *text;
        int64_t want_s;
        const char *printed;
    } good[] = {
        { "1s", 1, "1s" },
        { "90s", 90, "90s" },
        { "60s", 60, "1m" },
        { "15m", 900, "15m" },
        { "24h", 86400, "1d" },
        { "25h", 90000, "25h" },
        { "366d", 31622400, "366d" },
        { "31622400s", 31622400, "366d" },
    };
    static const char *const bad[] = { "",
                                       "15",
                                       "0s",
                                       "m",
                                       "-5m",
                                       "5M",
                                       "5 m",
                                       "5mm",
                                       "1h30m",
                                       "367d",
                                       "31622401s",
                                       "8785h",
                                       "9999999999999999d" };
    int64_t s = 0;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(64);

        assert_null(postern_value_read_duration(good[i].text, &s));
        assert_true(s == good[i].want_s);
        postern_value_print_duration(s, &out);
        assert_string_equal(postern_buf_cstr(&out), good[i].printed);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(postern_value_read_duration(bad[i], &s));
}

static void a_zone_is_utc_or_an_offset(void **state)
{
    static const struct {
        const char *text;
        int32_t want_s;
        const char *printed;
    } good[] = {
        { "UTC", 0, "UTC" },          { "+00:00", 0, "UTC" },         { "-00:00", 0, "UTC" },
        { "+02:00", 7200, "+02:00" }, { "-03:30", -12600, "-03:30" }, { "+14:00", 50400, "+14:00" },
    };
    static const char *const bad[] = { "",      "utc",    "GMT",    "CET",    "Europe/Stockholm",
                                       "+2:00", "+0200",  "+14:01", "-14:01", "+02:60",
                                       "02:00", "+02:00 " };
    int32_t s = 0;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(64);

        assert_null(postern_value_read_zone(good[i].text, &s));
        assert_int_equal(s, good[i].want_s);
        postern_value_print_zone(s, &out);
        assert_string_equal(postern_buf_cstr(&out), good[i].printed);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(postern_value_read_zone(bad[i], &s));
}

static bool holds(const char *net_text, const char *address_text)
{
    struct net net, address;

    assert_null(postern_net_read(net_text, &net));
    assert_true(postern_net_read_address(address_text, &address));
    return postern_net_holds(&net, &address);
}

static void a_network_holds_what_shares_its_prefix(void **state)
{
    (void)state;
    assert_true(holds("10.0.0.0/8", "10.255.255.255"));
    assert_false(holds("10.0.0.0/8", "11.0.0.0"));
    assert_true(holds("192.0.2.128/25", "192.0.2.128"));
    assert_false(holds("192.0.2.128/25", "192.0.2.127"));
    assert_true(holds("0.0.0.0/0", "255.255.255.255"));
    assert_true(holds("192.0.2.1", "192.0.2.1"));
    assert_false(holds("192.0.2.1", "192.0.2.0"));
    assert_true(holds("192.0.2.1/32", "::ffff:192.0.2.1"));
    assert_true(holds("::ffff:192.0.2.1", "192.0.2.1"));
    assert_true(holds("2001:db8::/32", "2001:db8:ffff::1"));
    assert_false(holds("2001:db8::/32", "2001:db9::1"));
    assert_false(holds("::/0", "192.0.2.1"));
    assert_false(holds("0.0.0.0/0", "::1"));
    assert_true(holds("::1/128", "::1"));
}

static void a_bad_network_is_refused(void **state)
{
    static const char *const bad[] = { "",
                                       "10",
                                       "10.0.0",
                                       "10.0.0.0/",
                                       "/8",
                                       "10.0.0.0/33",
                                       "10.0.0.0/-1",
                                       "10.0.0.0/8x",
                                       "10.0.0.1/8",
                                       "010.0.0.0/8",
                                       "10.0.0.0/8/8",
                                       "::1/129",
                                       "2001:db8::1/32",
                                       "fe80::1%eth0",
                                       "::ffff:0:0/96",
                                       "localhost",
                                       "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb" };
    struct net net;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(postern_net_read(bad[i], &net));
}

static void a_time_is_rfc_3339(void **state)
{
    static const struct {
        const char *text;
        int64_t want_s;
    } good[] = {
        { "1970-01-01T00:00Z", 0 },
        { "2026-12-01T10:00Z", 1796119200 },
        { "2026-12-01T10:00:59Z", 1796119259 },
        { "2026-12-01T11:00+01:00", 1796119200 },
        { "2026-11-30T23:30-10:30", 1796119200 },
        { "2024-02-29T23:59:59Z", 1709251199 },
        { "9999-12-31T23:59:59Z", INT64_C(253402300799) },
    };
    static const char *const bad[] = { "",
                                       "2026-12-01",
                                       "2026-12-01T10:00",
                                       "2026-12-01 10:00Z",
                                       "2026-12-01T24:00Z",
                                       "2026-12-01T10:60Z",
                                       "2026-12-01T10:00:60Z",
                                       "2026-12-01T10:00:00.5Z",
                                       "2026-13-01T10:00Z",
                                       "2026-00-01T10:00Z",
                                       "2026-12-32T10:00Z",
                                       "2026-02-29T10:00Z",
                                       "1969-12-31T23:59Z",
                                       "2026-12-01T10:00ZZ",
                                       "1970-01-01T00:00+00:01",
                                       "2026-12-01T10:00+15:00",
                                       "now" };
    int64_t s = 0;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(postern_policy_read_time(good[i].text, &s));
        assert_true(s == good[i].want_s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(postern_policy_read_time(bad[i], &s));
}

/* Days around leap years, there and back. */
static void dates_count_as_the_calendar_does(void **state)
{
    static const char *const days[] = { "1970-01-01", "1999-12-31", "2000-02-29", "2000-03-01",
                                        "2100-02-28", "2100-03-01", "2399-12-31", "9999-12-31" };
    int32_t before = -1, day = 0;

    (void)state;
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(64);
        struct span span = { .kind = SPAN_UNTIL };

        assert_null(postern_span_read_date(days[i], &span.date));
        postern_span_print(&span, &out);
        assert_string_equal(postern_buf_cstr(&out) + strlen("until "), days[i]);
        assert_true(span.date > before);
        before = span.date;
    }
    assert_null(postern_span_read_date("2027-01-31", &day));
    assert_int_equal(day, 20849);
    assert_non_null(postern_span_read_date("2100-02-29", &day)); /* no leap year */
    assert_non_null(postern_span_read_date("10000-01-01", &day));
    assert_non_null(postern_span_read_date("1969-12-31", &day));
}

static struct span span_of(const char *days, const char *hours)
{
    struct span s = { .first_day = SPAN_EVERY_DAY, .last_day = SPAN_EVERY_DAY };

    if (days != NULL)
        assert_null(postern_span_read_days(days, &s));
    assert_null(postern_span_read_hours(hours, &s));
    return s;
}

#define MONDAY_S INT64_C(1796601600) /* 2026-12-07T00:00Z */

static void a_span_begins_on_its_minute_and_ends_before_its_last(void **state)
{
    struct span s = span_of("mon", "07:00-19:00");

    (void)state;
    assert_false(postern_span_holds(&s, MONDAY_S + 7 * 3600 - 1, 0));
    assert_true(postern_span_holds(&s, MONDAY_S + 7 * 3600, 0));
    assert_true(postern_span_holds(&s, MONDAY_S + 19 * 3600 - 1, 0));
    assert_false(postern_span_holds(&s, MONDAY_S + 19 * 3600, 0));
    assert_false(postern_span_holds(&s, MONDAY_S + 86400 + 8 * 3600, 0));
    assert_false(postern_span_holds(&s, MONDAY_S - 86400 + 8 * 3600, 0));
}

static void a_span_over_a_weekend_or_midnight_wraps(void **state)
{
    struct span weekend = span_of("sat-mon", "00:00-24:00"), night = span_of("sun", "23:00-01:00");

    (void)state;
    assert_true(postern_span_holds(&weekend, MONDAY_S, 0));
    assert_false(postern_span_holds(&weekend, MONDAY_S + 86400, 0));
    assert_true(postern_span_holds(&weekend, MONDAY_S - 2 * 86400, 0));
    assert_false(postern_span_holds(&weekend, MONDAY_S - 2 * 86400 - 1, 0));
    assert_true(postern_span_holds(&night, MONDAY_S - 3600, 0));
    assert_true(postern_span_holds(&night, MONDAY_S + 3600 - 1, 0));
    assert_false(postern_span_holds(&night, MONDAY_S + 3600, 0));
    assert_false(postern_span_holds(&night, MONDAY_S - 3601, 0));
    assert_false(postern_span_holds(&night, MONDAY_S + 23 * 3600, 0));
}

static void a_date_ends_at_its_own_midnight_in_its_zone(void **state)
{
    struct span until = { .kind = SPAN_UNTIL }, from = { .kind = SPAN_FROM };

    (void)state;
    assert_null(postern_span_read_date("2026-12-06", &until.date));
    assert_null(postern_span_read_date("2026-12-07", &from.date));
    assert_true(postern_span_holds(&until, MONDAY_S - 1, 0));
    assert_false(postern_span_holds(&until, MONDAY_S, 0));
    assert_false(postern_span_holds(&until, MONDAY_S - 1, 60));
    assert_true(postern_span_holds(&until, MONDAY_S + 3599, -3600));
    assert_false(postern_span_holds(&from, MONDAY_S - 1, 0));
    assert_true(postern_span_holds(&from, MONDAY_S, 0));
    assert_true(postern_span_holds(&from, MONDAY_S - 3600, 3600));
    assert_false(postern_span_holds(&from, 0, -POLICY_ZONE_MAX_S)); /* a day before 1970 */
}

static void a_bad_span_is_refused(void **state)
{
    static const char *const hours[] = { "",
                                         "07:00",
                                         "07:00-",
                                         "07:00-07:00",
                                         "24:00-01:00",
                                         "07:00-24:01",
                                         "07:60-08:00",
                                         "7:00-8:00",
                                         "07:00-19:00x" };
    static const char *const days[] = {
        "", "mo", "Mon", "mon-", "mon-fr", "monday", "mon-fri-sat"
    };
    struct span s;

    (void)state;
    for (size_t i = 0; i < sizeof hours / sizeof *hours; i++)
        assert_non_null(postern_span_read_hours(hours[i], &s));
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        assert_non_null(postern_span_read_days(days[i], &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_whole_and_fits_json),
        cmocka_unit_test(a_decimal_has_fifteen_digits_that_count),
        cmocka_unit_test(decimals_are_in_the_order_of_doubles),
        cmocka_unit_test(a_longer_number_is_what_its_first_fifteen_digits_may_be),
        cmocka_unit_test(a_number_has_an_end),
        cmocka_unit_test(no_reading_contradicts_what_is_known),
        cmocka_unit_test(a_duration_has_a_unit_and_an_end),
        cmocka_unit_test(a_zone_is_utc_or_an_offset),
        cmocka_unit_test(a_network_holds_what_shares_its_prefix),
        cmocka_unit_test(a_bad_network_is_refused),
        cmocka_unit_test(a_time_is_rfc_3339),
        cmocka_unit_test(dates_count_as_the_calendar_does),
        cmocka_unit_test(a_span_begins_on_its_minute_and_ends_before_its_last),
        cmocka_unit_test(a_span_over_a_weekend_or_midnight_wraps),
        cmocka_unit_test(a_date_ends_at_its_own_midnight_in_its_zone),
        cmocka_unit_test(a_bad_span_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
