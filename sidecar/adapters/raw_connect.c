/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A CONNECT head, line by line; see raw_connect.h.  RFC 9112 §2 to §6 (framing and what smuggles),
 * RFC 9110 §5.5, §5.6 (fields), §11.4 (credentials).  Whatever an intermediary before us might read
 * in another way ends the login.
 */
#include "raw_connect.h"

#define TCHAR LINE_ALNUM "!#$%&'*+-.^_`|~" /* RFC 9110 §5.6.2 */

typedef enum field_kind {
    FIELD_OTHER = 0,
    FIELD_HOST,
    FIELD_AUTHORIZATION,
    FIELD_PROXY_AUTHORIZATION,
    FIELD_BODY /* says that a body follows: the bytes behind the head are the backend's */
} field_kind;

static const struct {
    const char *name;
    field_kind kind;
} fields[] = {
    { "Host", FIELD_HOST },
    { "Authorization", FIELD_AUTHORIZATION },
    { "Proxy-Authorization", FIELD_PROXY_AUTHORIZATION },
    { "Content-Length", FIELD_BODY },
    { "Transfer-Encoding", FIELD_BODY },
};

static bool is_same_nocase(postern_bytes text, const char *want)
{
    postern_reader r = { text };

    return postern_reader_take_lit_nocase(&r, want) && postern_reader_is_done(&r);
}

static field_kind find_field(postern_bytes name)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (is_same_nocase(name, fields[i].name))
            return fields[i].kind;
    return FIELD_OTHER;
}

static struct connect_range range_of(postern_bytes in, postern_bytes part)
{
    return (struct connect_range){ (size_t)(part.ptr - in.ptr), part.len };
}

static postern_bytes bytes_of(postern_bytes in, struct connect_range r)
{
    return (postern_bytes){ in.ptr + r.at, r.len };
}

/* ---- lines ---- */

/* RFC 9112 §3: method SP request-target SP HTTP-version, no other blank anywhere. */
static postern_err read_request_line(struct connect_head *h, postern_bytes in, postern_bytes line,
                                     postern_error *err)
{
    postern_reader r = { line };
    postern_bytes target;

    if (!postern_reader_take_lit(&r, "CONNECT ") || !postern_reader_take_until(&r, ' ', &target))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "the request line is not CONNECT host:port HTTP/1.1");
    h->is_http_1_1 = postern_bytes_equal_str(r.rest, "HTTP/1.1");
    if (!h->is_http_1_1 && !postern_bytes_equal_str(r.rest, "HTTP/1.0"))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "the version is neither HTTP/1.1 nor HTTP/1.0");
    h->target = range_of(in, target);
    return connect_target_parse(target, h->host, h->port, err);
}

static postern_bytes trim(postern_bytes v)
{
    while (v.len != 0 && (v.ptr[0] == ' ' || v.ptr[0] == '\t')) {
        v.ptr++;
        v.len--;
    }
    while (v.len != 0 && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t'))
        v.len--;
    return v;
}

static bool is_equal_nocase(postern_bytes a, postern_bytes b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t x = a.ptr[i], y = b.ptr[i];

        if (x != y && !((x ^ y) == 0x20 && (x | 0x20) >= 'a' && (x | 0x20) <= 'z'))
            return false;
    }
    return true;
}

/* RFC 9112 §3.2: Host is the target's authority.  Some clients leave the port off. */
static postern_err check_host(const struct connect_head *h, postern_bytes in, postern_bytes value,
                              postern_error *err)
{
    postern_bytes target = bytes_of(in, h->target), host = target;

    host.len -= strlen(h->port) + 1;
    if (!is_equal_nocase(value, target) && !is_equal_nocase(value, host))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "Host is not the CONNECT target");
    return POSTERN_OK;
}

/* credentials = auth-scheme 1*SP token68; what scheme is not known here counts as none, so that the
 * client is told which are. */
static postern_err read_credentials(struct connect_head *h, postern_bytes in, field_kind kind,
                                    postern_bytes value, postern_error *err)
{
    postern_reader r = { value };
    postern_bytes scheme;
    bool has_rest = postern_reader_take_until(&r, ' ', &scheme);

    if (!has_rest)
        scheme = value;
    if (!line_is_made_of(scheme, TCHAR))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "credentials do not begin with a scheme");
    while (postern_reader_take_byte(&r, ' '))
        continue;
    if (is_same_nocase(scheme, "Bearer"))
        h->scheme = CONNECT_SCHEME_BEARER;
    else if (is_same_nocase(scheme, "Basic") && kind == FIELD_PROXY_AUTHORIZATION)
        h->scheme = CONNECT_SCHEME_BASIC;
    else
        return POSTERN_OK;
    if (!has_rest)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "nothing stands behind the scheme");
    h->is_origin = kind == FIELD_AUTHORIZATION;
    h->credentials = range_of(in, r.rest);
    return POSTERN_OK;
}

/* A header that may stand once, and one of the two that hold credentials. */
static postern_err check_alone(struct connect_head *h, field_kind kind, postern_error *err)
{
    const unsigned credentials = 1u << FIELD_AUTHORIZATION | 1u << FIELD_PROXY_AUTHORIZATION;

    if ((h->seen & 1u << kind) != 0)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "Host, Authorization or Proxy-Authorization stands twice");
    h->seen |= 1u << kind;
    if ((h->seen & credentials) == credentials)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "both Authorization and Proxy-Authorization were sent");
    return POSTERN_OK;
}

/* RFC 9112 §5: field-name ":" OWS field-value OWS */
static postern_err read_field(struct connect_head *h, postern_bytes in, postern_bytes line,
                              postern_error *err)
{
    postern_reader r = { line };
    postern_bytes name, value;
    field_kind kind;

    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "a header line begins with a blank");
    if (!postern_reader_take_until(&r, ':', &name) || !line_is_made_of(name, TCHAR))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "a header line is not a name, a colon at once and a value");
    value = trim(r.rest);
    kind = find_field(name);
    if (kind == FIELD_OTHER)
        return POSTERN_OK;
    if (kind == FIELD_BODY)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "a CONNECT has neither Content-Length nor Transfer-Encoding");
    POSTERN_TRY(check_alone(h, kind, err));
    if (kind == FIELD_HOST)
        return check_host(h, in, value, err);
    return read_credentials(h, in, kind, value, err);
}

static postern_err read_line(struct connect_head *h, postern_bytes in, const struct line *line,
                             postern_error *err)
{
    if (h->line_count++ == 0) {
        h->has_crlf = line->has_crlf;
        return read_request_line(h, in, line->text, err);
    }
    if (line->has_crlf != h->has_crlf)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "lines end in two ways");
    if (line->text.len == 0)
        return POSTERN_OK;
    if (h->line_count > CONNECT_LINES_MAX)
        return POSTERN_FAIL(err, LIMIT, "the head has more than %d lines", CONNECT_LINES_MAX);
    return read_field(h, in, line->text, err);
}

/* ---- the whole head ---- */

static postern_err read_token(const struct connect_head *h, postern_bytes in, struct credential **c,
                              struct adapter_login *ret, postern_error *err)
{
    postern_bytes credentials = bytes_of(in, h->credentials);

    switch (h->scheme) {
    case CONNECT_SCHEME_BEARER:
        POSTERN_TRY(credential_check_token(credentials, err));
        ret->token = credentials;
        return POSTERN_OK;
    case CONNECT_SCHEME_BASIC:
        POSTERN_TRY(credential_decode(credentials, c, err));
        return credential_read_basic(*c, ret, err);
    case CONNECT_SCHEME_NONE:
        break;
    }
    return POSTERN_FAIL(err, NO_TOKEN, "the request holds no bearer token");
}

static postern_err finish(const struct connect_head *h, postern_bytes in, struct credential **c,
                          struct adapter_login *ret, postern_error *err)
{
    if (h->is_http_1_1 && (h->seen & 1u << FIELD_HOST) == 0)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "an HTTP/1.1 request has a Host header");
    memcpy(ret->host, h->host, sizeof h->host);
    ret->has_target = true;
    memcpy(ret->port, h->port, sizeof h->port);
    return read_token(h, in, c, ret, err);
}

postern_err connect_read(struct connect_head *h, struct line_scan *s, postern_bytes in,
                         struct credential **c, struct adapter_login *ret, postern_error *err)
{
    for (;;) {
        struct line line;

        POSTERN_TRY(line_next(s, in, ADAPTER_LOGIN_MAX, &line, err));
        POSTERN_TRY(read_line(h, in, &line, err));
        if (line.text.len == 0)
            return finish(h, in, c, ret, err);
    }
}
