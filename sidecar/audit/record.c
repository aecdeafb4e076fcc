/* SPDX-License-Identifier: BSD-2-Clause */
/* One JSON object per decision (sidecar/audit/record.h).  Formats; judges nothing, writes nothing.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <postern-private/json.h>

#include "record.h"

/* Texts are cut at the first size with which the record fits; with the last it always does: 40
 * texts, each byte of which may need six.  A UUID as jti has 36 bytes. */
static const size_t text_caps[] = { 256, 128, 64, 32, 12 };

struct line {
    postern_json_writer w;
    size_t text_max; /* bytes of one string */
    bool is_cut;
};

/* The longest beginning of at most `max` bytes that does not end inside a character. */
static size_t cut_utf8(postern_bytes text, size_t max)
{
    size_t len = max;

    if (text.len <= max)
        return text.len;
    while (len > 0 && (text.ptr[len] & 0xc0) == 0x80)
        len--;
    return len;
}

static void put_bytes(struct line *l, const char *name, postern_bytes text)
{
    size_t len = cut_utf8(text, l->text_max);

    if (text.len == 0)
        return;
    l->is_cut |= len < text.len;
    postern_json_put_string(&l->w, name, (postern_bytes){ text.ptr, len });
}

static void put_text(struct line *l, const char *name, const char *text)
{
    put_bytes(l, name, postern_bytes_str(text));
}

/* `count` digits in front of *at, which moves there. */
static void put_digits(char **at, int value, int count)
{
    for (; count > 0; count--, value /= 10)
        *--*at = (char)('0' + value % 10);
}

/* RFC 3339, UTC, milliseconds; what it cannot write (a year of five digits) is left out. */
static void put_time(struct line *l, const char *name, int64_t time_ms)
{
    time_t second = (time_t)(time_ms / 1000);
    char text[] = "0000-00-00T00:00:00.000Z", *at = text + sizeof text - 1;
    struct tm utc;

    if (time_ms < 0 || gmtime_r(&second, &utc) == NULL || utc.tm_year > 9999 - 1900)
        return;
    at--, put_digits(&at, (int)(time_ms % 1000), 3);
    at--, put_digits(&at, utc.tm_sec, 2);
    at--, put_digits(&at, utc.tm_min, 2);
    at--, put_digits(&at, utc.tm_hour, 2);
    at--, put_digits(&at, utc.tm_mday, 2);
    at--, put_digits(&at, utc.tm_mon + 1, 2);
    at--, put_digits(&at, utc.tm_year + 1900, 4);
    postern_json_put_str(&l->w, name, text);
}

static void put_grant(struct line *l, const postern_grant *g)
{
    put_text(l, "iss", postern_grant_issuer(g));
    put_text(l, "sub", postern_grant_subject(g));
    put_text(l, "client_id", postern_grant_client_id(g));
    put_text(l, "user", postern_grant_user(g));
    put_text(l, "jti", postern_grant_jti(g));
    put_text(l, "aud", postern_grant_audience(g));
    put_text(l, "scope", postern_grant_scope(g));
    put_text(l, "purpose", postern_grant_purpose(g));
    put_text(l, "grant_id", postern_grant_grant_id(g));
    postern_json_put_integer(&l->w, "exp", postern_grant_exp_s(g));
    if (postern_grant_act_depth(g) == 0)
        return;
    postern_json_open_array(&l->w, "act");
    for (size_t i = 0; i < postern_grant_act_depth(g); i++)
        put_text(l, NULL, postern_grant_act(g, i));
    postern_json_close_array(&l->w);
}

static void put_who_asked(struct line *l, const struct audit_record *r)
{
    put_text(l, "service", r->service);
    put_text(l, "peer", r->peer);
    if (r->pid != 0) {
        postern_json_put_integer(&l->w, "pid", r->pid);
        postern_json_put_integer(&l->w, "uid", r->uid);
    }
    put_text(l, "carrier", r->carrier);
    put_text(l, "tls", r->tls);
    put_text(l, "authzid", r->authzid);
    if (r->is_by_handle)
        postern_json_put_flag(&l->w, "handle", true);
}

/* Something that happened or was done, not a judgement. */
static bool is_deed(const char *event)
{
    static const char *const deeds[] = { "end", "held", "approve", "block", "unblock", "kill" };

    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        if (event != NULL && strcmp(event, deeds[i]) == 0)
            return true;
    return false;
}

static void put_verdict(struct line *l, const struct audit_record *r)
{
    if (r->code != POSTERN_ERR_UNSET || !is_deed(r->event)) {
        postern_json_put_str(&l->w, "outcome", postern_outcome_name(postern_err_outcome(r->code)));
        postern_json_put_str(&l->w, "reason", postern_err_reason(r->code));
    }
    put_text(l, "detail", r->detail);
    put_text(l, "setting", r->setting);
    put_text(l, "origin", r->origin);
    if (r->grant != NULL) {
        put_grant(l, r->grant);
        return;
    }
    put_text(l, "iss", r->issuer);
    put_text(l, "fingerprint", r->fingerprint);
}

/* JSON integers are exact up to 2^53-1; no session carries eight petabytes, and no server has so many
 * databases. */
static int64_t clamp(uint64_t number)
{
    return number > AUDIT_SEQ_MAX ? AUDIT_SEQ_MAX : (int64_t)number;
}

/* Left out when not above zero. */
static void put_positive(struct line *l, const char *name, int64_t value)
{
    if (value > 0)
        postern_json_put_integer(&l->w, name, value);
}

static void put_session(struct line *l, const struct audit_record *r)
{
    put_text(l, "session", r->session);
    put_text(l, "agent", r->agent);
    put_text(l, "human", r->human);
    if (r->grant == NULL)
        put_text(l, "purpose", r->purpose);
    put_text(l, "authcid", r->authcid);
    put_text(l, "action", r->action);
    put_text(l, "resource", r->resource);
    put_positive(l, "more_resources", r->more_resources);
    if (r->database != NULL)
        put_positive(l, "database", clamp(strtoull(r->database, NULL, 10)));
    if (r->args_digest != NULL && r->args_digest[0] != '\0') /* never cut: half of it proves nothing */
        postern_json_put_str(&l->w, "args_digest", r->args_digest);
    put_text(l, "claimed_purpose", r->claimed_purpose);
    put_text(l, "approver", r->approver);
    put_text(l, "rule", r->rule);
    put_text(l, "user_rule", r->user_rule);
    put_text(l, "would", r->would);
    put_text(l, "because", r->because);
    put_text(l, "end", r->end);
    put_positive(l, "lease_end", r->lease_end_s);
    put_positive(l, "until", r->until_s);
    put_positive(l, "count", r->count);
    if (r->first_ms > 0)
        put_time(l, "first", r->first_ms);
    if (r->last_ms > 0)
        put_time(l, "last", r->last_ms);
    if (r->event == NULL || strcmp(r->event, "end") != 0)
        return;
    postern_json_put_integer(&l->w, "duration_ms", r->duration_ms);
    postern_json_put_integer(&l->w, "up", clamp(r->up));
    postern_json_put_integer(&l->w, "down", clamp(r->down));
}

static void format_object(struct line *l, const struct audit_record *r)
{
    postern_json_open_object(&l->w, NULL);
    put_time(l, "time", r->time_ms);
    put_text(l, "ref", r->ref);
    put_text(l, "event", r->event);
    put_who_asked(l, r);
    put_verdict(l, r);
    put_session(l, r);
    put_positive(l, "latency_us", r->latency_us);
    put_positive(l, "missed", r->missed);
    if (l->is_cut)
        postern_json_put_flag(&l->w, "cut", true);
    postern_json_close_object(&l->w);
}

bool audit_format(const struct audit_record *r, postern_buf *out)
{
    for (size_t i = 0; i < sizeof text_caps / sizeof text_caps[0]; i++) {
        struct line l = { .w = { .out = out }, .text_max = text_caps[i] };
        postern_buf_reset(out);
        format_object(&l, r);
        if (!out->failed)
            return true;
    }
    return false;
}

bool audit_format_chain(int64_t time_ms, const char *reason, postern_buf *out)
{
    struct line l = { .w = { .out = out }, .text_max = text_caps[0] };

    postern_json_open_object(&l.w, NULL);
    put_time(&l, "time", time_ms);
    postern_json_put_str(&l.w, "event", "chain");
    postern_json_put_str(&l.w, "reason", reason);
    postern_json_close_object(&l.w);
    return !out->failed;
}
