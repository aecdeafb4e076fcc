/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Days and hours in the proleptic Gregorian calendar, with a fixed offset for a zone.  No zone
 * database: it is files, a decision opens none, and a sandbox may hide them.
 */
#include "policy/values.h"

#include <inttypes.h>

#include <postern/policy.h>

#include "base/ascii.h"

#define DAY_S      86400
#define DAY_MIN    1440
#define YEAR_LEAST 1970
#define YEAR_MOST  9999

static const char day_names[7][4] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

/* Exactly `count` digits at *text. */
static bool take_number(const char **text, int count, int *ret)
{
    *ret = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (!postern_ascii_is_digit((uint8_t) * *text))
            return false;
        *ret = *ret * 10 + (**text - '0');
    }
    return true;
}

static bool take_char(const char **text, char want)
{
    if (**text != want)
        return false;
    (*text)++;
    return true;
}

/* ---- dates ---- */

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year));
}

static int32_t leap_days_before(int year)
{
    int y = year - 1;

    return y / 4 - y / 100 + y / 400;
}

/* Days since 1970-01-01. */
static int32_t count_days(int year, int month, int day)
{
    int32_t days =
        (year - YEAR_LEAST) * 365 + leap_days_before(year) - leap_days_before(YEAR_LEAST);

    for (int m = 1; m < month; m++)
        days += days_of_month(year, m);
    return days + day - 1;
}

static bool take_date(const char **text, int32_t *ret)
{
    int year, month, day;

    if (!take_number(text, 4, &year) || !take_char(text, '-') || !take_number(text, 2, &month) ||
        !take_char(text, '-') || !take_number(text, 2, &day))
        return false;
    if (year < YEAR_LEAST || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return false;
    *ret = count_days(year, month, day);
    return true;
}

const char *postern_span_read_date(const char *text, int32_t *ret)
{
    return take_date(&text, ret) && *text == '\0' ? NULL : "is no date: write 2027-01-31";
}

static void print_date(int32_t days, postern_buf *out)
{
    int year = YEAR_LEAST, month = 1;

    while (year < YEAR_MOST && days >= 365 + is_leap(year))
        days -= 365 + is_leap(year++);
    while (days >= days_of_month(year, month))
        days -= days_of_month(year, month++);
    postern_buf_addf(out, "%04d-%02d-%02d", year, month, (int)days + 1);
}

/* ---- hours and zones ---- */

/* HH:MM, 24:00 at most, in minutes. */
static bool take_clock(const char **text, int *ret_min)
{
    int hour, minute;

    if (!take_number(text, 2, &hour) || !take_char(text, ':') || !take_number(text, 2, &minute) ||
        minute > 59)
        return false;
    *ret_min = hour * 60 + minute;
    return *ret_min <= DAY_MIN;
}

/* "+02:00". */
static bool take_offset(const char **text, int32_t *ret_s)
{
    bool is_west = **text == '-';
    int minutes;

    if (!(take_char(text, '+') || take_char(text, '-')) || !take_clock(text, &minutes))
        return false;
    *ret_s = (is_west ? -60 : 60) * minutes;
    return *ret_s <= POLICY_ZONE_MAX_S && *ret_s >= -POLICY_ZONE_MAX_S;
}

const char *postern_value_read_zone(const char *text, int32_t *ret_s)
{
    if (strcmp(text, "UTC") == 0) {
        *ret_s = 0;
        return NULL;
    }
    if (*text != '+' && *text != '-')
        return "is no zone that a policy can have: write UTC or a fixed offset like +02:00 (the "
               "names of zones and their summer time stand in files, and a policy reads none)";
    if (!take_offset(&text, ret_s) || *text != '\0')
        return "is no offset from UTC: write +02:00";
    return NULL;
}

void postern_value_print_zone(int32_t s, postern_buf *out)
{
    int minutes = (s < 0 ? -s : s) / 60;

    if (s == 0)
        postern_buf_add_str(out, "UTC");
    else
        postern_buf_addf(out, "%c%02d:%02d", s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

bool postern_policy_read_time(const char *text, int64_t *ret_s)
{
    int32_t date, offset = 0;
    int minutes, seconds = 0;

    if (!take_date(&text, &date) || !take_char(&text, 'T') || !take_clock(&text, &minutes) ||
        minutes == DAY_MIN)
        return false;
    if (take_char(&text, ':') && (!take_number(&text, 2, &seconds) || seconds > 59))
        return false;
    if (!take_char(&text, 'Z') && !take_offset(&text, &offset))
        return false;
    *ret_s = (int64_t)date * DAY_S + minutes * 60 + seconds - offset;
    return *text == '\0' && *ret_s >= 0;
}

/* ---- spans ---- */

static bool take_day(const char **text, int *ret)
{
    for (int day = 0; day < 7; day++)
        if (strncmp(*text, day_names[day], 3) == 0) {
            *ret = day;
            *text += 3;
            return true;
        }
    return false;
}

bool postern_span_is_day(const char *text)
{
    return postern_ascii_is_alpha((uint8_t)*text);
}

const char *postern_span_read_days(const char *text, struct span *ret)
{
    bool is_day = take_day(&text, &ret->first_day);

    ret->last_day = ret->first_day;
    if (is_day && take_char(&text, '-'))
        is_day = take_day(&text, &ret->last_day);
    return is_day && *text == '\0' ? NULL : "is no day: write mon-fri, or sat";
}

const char *postern_span_read_hours(const char *text, struct span *ret)
{
    if (!take_clock(&text, &ret->start_min) || !take_char(&text, '-') ||
        !take_clock(&text, &ret->end_min) || *text != '\0' || ret->start_min == DAY_MIN)
        return "is no span of hours: write 07:00-19:00";
    return ret->start_min == ret->end_min ? "is empty: a whole day is 00:00-24:00" : NULL;
}

static bool has_day(const struct span *s, int day)
{
    if (s->first_day == SPAN_EVERY_DAY)
        return true;
    return s->first_day <= s->last_day ? day >= s->first_day && day <= s->last_day
                                       : day >= s->first_day || day <= s->last_day;
}

/* The hours after midnight belong to the day on which the span began. */
static bool holds_hours(const struct span *s, int weekday, int minute)
{
    if (s->start_min < s->end_min)
        return minute >= s->start_min && minute < s->end_min && has_day(s, weekday);
    return (minute >= s->start_min && has_day(s, weekday)) ||
           (minute < s->end_min && has_day(s, (weekday + 6) % 7));
}

/* now_s is not negative and was bounded by the caller; a zone moves it by hours. */
bool postern_span_holds(const struct span *span, int64_t now_s, int32_t zone_s)
{
    int64_t local_s = now_s + zone_s + DAY_S; /* a day more, so that it is never negative */
    int64_t day = local_s / DAY_S - 1;

    switch (span->kind) {
    case SPAN_FROM:
        return day >= span->date;
    case SPAN_UNTIL:
        return day <= span->date;
    case SPAN_HOURS:
        break;
    }
    /* 1970-01-01 was a Thursday; day is -1 at least. */
    return holds_hours(span, (int)((day + 3 + 7) % 7), (int)(local_s % DAY_S / 60));
}

void postern_span_print(const struct span *span, postern_buf *out)
{
    if (span->kind != SPAN_HOURS) {
        postern_buf_add_str(out, span->kind == SPAN_FROM ? "from " : "until ");
        print_date(span->date, out);
        return;
    }
    if (span->first_day != SPAN_EVERY_DAY) {
        postern_buf_add_str(out, day_names[span->first_day]);
        if (span->last_day != span->first_day)
            postern_buf_addf(out, "-%s", day_names[span->last_day]);
        postern_buf_add_byte(out, ' ');
    }
    postern_buf_addf(out, "%02d:%02d-%02d:%02d", span->start_min / 60, span->start_min % 60,
                     span->end_min / 60, span->end_min % 60);
}
