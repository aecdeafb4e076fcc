/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * application/x-www-form-urlencoded, both ways: the issuer reads request bodies and HTTP Basic with
 * it, the client's side of lib/oauth writes them.  No I/O, knows no parameter.  WHATWG URL §5.1 and
 * §5.2, RFC 6749 appendix B.
 *
 * Stricter than WHATWG where leniency would let two readers differ: a '%' without two hex digits, a
 * NUL and bytes that are not UTF-8 are errors.
 */
#include <stdlib.h>

#include <postern-private/form.h>

struct form_field {
    size_t name_at; /* offsets into text: the buffer moves while it grows */
    size_t value_at;
};

struct postern_form {
    size_t count;
    struct form_field fields[POSTERN_FORM_FIELDS_MAX];
    postern_buf text; /* decoded names and values, a NUL behind each */
};

/* -1: not a hex digit. */
static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decode the byte at *at and move past it; -1 when it is a broken %xx. */
static int decode_byte(postern_bytes in, size_t *at)
{
    uint8_t c = in.ptr[*at];
    int high, low;

    if (c != '%') {
        *at += 1;
        return c == '+' ? ' ' : c;
    }
    if (in.len - *at < 3)
        return -1;
    high = hex_value(in.ptr[*at + 1]);
    low = hex_value(in.ptr[*at + 2]);
    if (high < 0 || low < 0)
        return -1;
    *at += 3;
    return high << 4 | low;
}

/* Append the decoded bytes, judge what was appended.  On failure `out` may hold a part of it. */
static postern_err append_decoded(postern_bytes in, postern_buf *out, postern_error *err)
{
    size_t start = out->len;

    for (size_t at = 0; at < in.len;) {
        size_t before = at;
        int c = decode_byte(in, &at);

        if (c < 0)
            return POSTERN_FAIL(err, MALFORMED,
                                "form: '%%' without two hex digits at byte %zu of a component",
                                before);
        if (c == 0)
            return POSTERN_FAIL(err, MALFORMED, "form: NUL at byte %zu of a component", before);
        postern_buf_add_byte(out, (uint8_t)c);
        if (out->failed && out->len == out->max)
            return POSTERN_FAIL(err, LIMIT, "form: component decodes to more than %zu bytes",
                                out->max - start);
        if (out->failed)
            return POSTERN_FAIL(err, NOMEM, "form: component of %zu bytes", in.len);
    }
    if (out->len != start &&
        !postern_bytes_is_utf8((postern_bytes){ out->ptr + start, out->len - start }))
        return POSTERN_FAIL(err, MALFORMED, "form: component is not UTF-8");
    return POSTERN_OK;
}

/* One `name=value`; an empty value is as good as none, a segment without '=' has an empty value. */
static postern_err add_field(postern_form *f, postern_bytes segment, postern_error *err)
{
    size_t split = postern_bytes_find(segment, '=');
    postern_bytes name = { segment.ptr, split };
    postern_bytes value = POSTERN_BYTES_NONE;
    struct form_field field;

    if (split < segment.len)
        value = (postern_bytes){ segment.ptr + split + 1, segment.len - split - 1 };
    if (f->count == POSTERN_FORM_FIELDS_MAX)
        return POSTERN_FAIL(err, LIMIT, "form: more than %d fields", POSTERN_FORM_FIELDS_MAX);
    field.name_at = f->text.len;
    POSTERN_TRY(append_decoded(name, &f->text, err));
    postern_buf_add_byte(&f->text, 0);
    field.value_at = f->text.len;
    POSTERN_TRY(append_decoded(value, &f->text, err));
    postern_buf_add_byte(&f->text, 0);
    if (f->text.failed)
        return POSTERN_FAIL(err, NOMEM, "form: field of %zu bytes", segment.len);
    if (value.len != 0)
        f->fields[f->count++] = field;
    return POSTERN_OK;
}

postern_err postern_form_parse(postern_bytes body, postern_form **ret, postern_error *err)
{
    POSTERN_AUTO(form) f = NULL;
    postern_bytes rest = body;

    if (body.len > POSTERN_FORM_BODY_MAX)
        return POSTERN_FAIL(err, LIMIT, "form: body of %zu bytes, at most %d", body.len,
                            POSTERN_FORM_BODY_MAX);
    if ((f = calloc(1, sizeof *f)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "form");
    f->text = POSTERN_BUF_INIT(
        2 * body.len +
        2); /* a one-byte segment, "a", needs two NULs and its own byte; '&' pays one */
    while (rest.len != 0) {
        size_t end = postern_bytes_find(rest, '&');

        if (end != 0)
            POSTERN_TRY(add_field(f, (postern_bytes){ rest.ptr, end }, err));
        if (end == rest.len)
            break;
        rest = (postern_bytes){ rest.ptr + end + 1, rest.len - end - 1 };
    }
    *ret = POSTERN_STEAL(f);
    return POSTERN_OK;
}

const char *postern_form_value_at(const postern_form *f, const char *name, size_t i)
{
    for (size_t at = 0; at < f->count; at++) {
        const char *text = (const char *)f->text.ptr;

        if (strcmp(text + f->fields[at].name_at, name) == 0 && i-- == 0)
            return text + f->fields[at].value_at;
    }
    return NULL;
}

size_t postern_form_count(const postern_form *f, const char *name)
{
    size_t n = 0;

    while (postern_form_value_at(f, name, n) != NULL)
        n++;
    return n;
}

const char *postern_form_value(const postern_form *f, const char *name)
{
    return postern_form_value_at(f, name, 0);
}

void postern_form_free(postern_form *f)
{
    if (f == NULL)
        return;
    postern_buf_free(&f->text);
    free(f);
}

/* WHATWG URL: everything outside the application/x-www-form-urlencoded percent-encode set. */
static bool is_form_safe(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*' ||
           c == '-' || c == '.' || c == '_';
}

void postern_form_encode(postern_bytes value, postern_buf *out)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];

        if (is_form_safe(c)) {
            postern_buf_add_byte(out, c);
        } else if (c == ' ') {
            postern_buf_add_byte(out, '+');
        } else {
            postern_buf_add_byte(out, '%');
            postern_buf_add_byte(out, (uint8_t)hex[c >> 4]);
            postern_buf_add_byte(out, (uint8_t)hex[c & 15]);
        }
    }
}

void postern_form_add(postern_buf *body, const char *name, postern_bytes value)
{
    if (body->len != 0)
        postern_buf_add_byte(body, '&');
    postern_form_encode(postern_bytes_str(name), body);
    postern_buf_add_byte(body, '=');
    postern_form_encode(value, body);
}

postern_err postern_form_decode(postern_bytes in, postern_buf *out, postern_error *err)
{
    return append_decoded(in, out, err);
}
