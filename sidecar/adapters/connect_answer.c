/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers to a CONNECT: status line, headers, the JSON object; see raw_connect.h.  RFC 9110 §11.6,
 * §11.7, §15; RFC 6750 §3; RFC 9728 §5.1; RFC 6585 §5.
 */
#include "raw_connect.h"

#include <inttypes.h>

#include "answer.h"

#define REALM "Bearer realm=\"postern\""

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 400, "Bad Request" },         { 401, "Unauthorized" },
    { 403, "Forbidden" },           { 407, "Proxy Authentication Required" },
    { 421, "Misdirected Request" }, { 431, "Request Header Fields Too Large" },
    { 503, "Service Unavailable" },
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Service Unavailable";
}

static int status_of_token(postern_err code, bool is_origin, bool is_read)
{
    switch (code) {
    case POSTERN_ERR_LIMIT: /* of the head, unless a token was judged */
        if (!is_read)
            return 431;
        break;
    case POSTERN_ERR_NO_TOKEN: /* ncat and curl send theirs after this and no other */
        return 407;
    case POSTERN_ERR_MESSAGE_MALFORMED:
        return 400;
    case POSTERN_ERR_MESSAGE_SERVER:
        return 421;
    default:
        break;
    }
    return is_origin ? 401 : 407;
}

int connect_status(postern_err code, bool is_origin, bool is_read)
{
    switch (postern_err_class(code)) {
    case POSTERN_CLASS_TOKEN:
        return status_of_token(code, is_origin, is_read);
    case POSTERN_CLASS_SCOPE:
    case POSTERN_CLASS_IDENTITY:
    case POSTERN_CLASS_POLICY:
        return 403;
    case POSTERN_CLASS_TRANSPORT:
        return 400;
    case POSTERN_CLASS_INTERNAL:
    case POSTERN_CLASS_PROVED: /* no refusal at all: a bug of ours, and no door */
    case POSTERN_CLASS_AGAIN:
    case POSTERN_CLASS_REMOTE:
    case POSTERN_CLASS_RESOURCE:
    case POSTERN_CLASS_CONFIG:
    case POSTERN_CLASS_USAGE:
        break;
    }
    return 503;
}

/* Left out when it could end the line. */
static void add_header(postern_buf *out, const char *name, postern_bytes value)
{
    if (value.len == 0 || !postern_bytes_is_printable(value))
        return;
    postern_buf_add_str(out, name);
    postern_buf_add_str(out, ": ");
    postern_buf_add(out, value);
    postern_buf_add_str(out, "\r\n");
}

/* auth-param in quotes.  Left out where it needed an escape: few readers know them, and RFC 6750 §3
 * allows none in scope and error_description. */
static void add_param(postern_buf *out, const char *name, const char *value)
{
    postern_bytes v = postern_bytes_str(value);

    if (v.len == 0 || !postern_bytes_is_printable(v) || strpbrk(value, "\"\\") != NULL)
        return;
    postern_buf_addf(out, ", %s=\"%s\"", name, value);
}

static void add_challenge(const char *header, const postern_failure *f, const char *sentence,
                          postern_buf *out)
{
    postern_buf_addf(out, "%s: " REALM, header);
    if (f->code != POSTERN_ERR_NO_TOKEN) { /* RFC 6750 §3.1: no error where nothing was sent */
        add_param(out, "error", answer_error_word(f->code));
        add_param(out, "error_description", answer_sentence(f->code, sentence));
    }
    add_param(out, "scope", f->scope);
    add_param(out, "resource_metadata", f->resource_metadata);
    postern_buf_add_str(out, "\r\n");
}

static void add_challenges(int status, const postern_failure *f, const char *sentence,
                           postern_buf *out)
{
    if (status == 407) {
        add_challenge("Proxy-Authenticate", f, sentence, out);
        postern_buf_add_str(out, "Proxy-Authenticate: Basic realm=\"postern\"\r\n");
    } else if (status == 401 || postern_err_class(f->code) == POSTERN_CLASS_SCOPE) {
        add_challenge("WWW-Authenticate", f, sentence, out);
    }
}

void connect_put_refusal(const struct connect_head *h, bool is_read, const struct adapter_denied *d,
                         const char *sentence, postern_buf *out)
{
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(ANSWER_JSON_MAX);
    int status = connect_status(d->failure->code, h->is_origin, is_read);

    answer_put_refusal(d, sentence, &body);
    if (body.failed) {
        out->failed = true;
        return;
    }
    postern_buf_addf(out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    add_challenges(status, d->failure, sentence, out);
    if (status == 503 || answer_retry_after_s(d) > 0)
        postern_buf_addf(out, "Retry-After: %" PRId64 "\r\n", answer_retry_after_s(d));
    add_header(out, "Postern-Ref", postern_bytes_str(d->failure->ref));
    postern_buf_addf(out,
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                     body.len);
    postern_buf_add(out, postern_buf_bytes(&body));
}

/* RFC 9110 §9.3.6: no Content-Length, no body; what follows is the backend's. */
void connect_put_grant(const struct adapter_granted *g, postern_buf *out)
{
    postern_buf_addf(out,
                     "HTTP/1.1 200 Connection established\r\nPostern-Lease-End: %" PRId64
                     "\r\nPostern-Lease: %" PRId64 "\r\n",
                     g->lease_end_s, g->lease_s);
    add_header(out, "Postern-Session", g->session);
    add_header(out, "Postern-Ref", postern_bytes_str(g->ref));
    postern_buf_add_str(out, "\r\n");
}
