/* SPDX-License-Identifier: BSD-2-Clause */
/* The header: base64url, strict JSON, alg, crit, typ, kid.  RFC 7515 §4.1, RFC 7797 §6, RFC 8725
 * §3.1. */
#include "jose/header.h"

void postern_jose_header_init(struct postern_jose_header *h)
{
    h->scratch = POSTERN_BUF_INIT(POSTERN_JWT_HEADER_MAX);
}

void postern_jose_header_clear(struct postern_jose_header *h)
{
    postern_json_free(&h->json);
    postern_buf_free(&h->scratch);
    h->alg = POSTERN_ALG_NONE;
    h->text_len = 0;
}

/*
 * A string member.  Absent: POSTERN_OK and *ret_has false.
 *   ret   a view that holds until the next call
 *   POSTERN_OK · MALFORMED · NOMEM
 */
static postern_err read_string(struct postern_jose_header *h, const char *name, bool *ret_has,
                               postern_bytes *ret, postern_error *err)
{
    uint32_t node = postern_json_member(&h->json, 0, name);

    *ret_has = node != POSTERN_JSON_ABSENT;
    *ret = POSTERN_BYTES_NONE;
    if (!*ret_has)
        return POSTERN_OK;
    if (postern_json_type_of(&h->json, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, MALFORMED, "`%s` in the header is not a string", name);
    postern_buf_reset(&h->scratch);
    if (!postern_json_string(&h->json, node, &h->scratch,
                             ret)) /* scratch holds a whole header: memory */
        return POSTERN_FAIL(err, NOMEM, "`%s` of the header", name);
    return POSTERN_OK;
}

static postern_err read_alg(struct postern_jose_header *h, postern_alg *ret, postern_error *err)
{
    char room[260];
    postern_bytes name;
    bool has_alg;

    POSTERN_TRY(read_string(h, "alg", &has_alg, &name, err));
    if (!has_alg) /* RFC 7515 §4.1.1: MUST be present */
        return POSTERN_FAIL(err, MALFORMED, "no `alg` in the header");
    *ret = postern_alg_from_name(name);
    if (*ret == POSTERN_ALG_NONE)
        return POSTERN_FAIL(err, ALG_NOT_ALLOWED, "alg %s",
                            postern_error_quote(name.ptr, name.len, room, sizeof room));
    return POSTERN_OK;
}

/* RFC 7515 §4.1.11: we understand no extension.  RFC 7797 §6: b64 false would change what is
 * signed. */
static postern_err check_extensions(const postern_json *json, postern_error *err)
{
    uint32_t b64 = postern_json_member(json, 0, "b64");

    if (postern_json_member(json, 0, "crit") != POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, CRIT, "header with `crit`");
    if (b64 != POSTERN_JSON_ABSENT && postern_json_type_of(json, b64) != POSTERN_JSON_TRUE)
        return POSTERN_FAIL(err, CRIT, "header with `b64` that is not true");
    return POSTERN_OK;
}

static postern_err read_typ(struct postern_jose_header *h, postern_error *err)
{
    postern_bytes typ;
    bool has_typ;

    POSTERN_TRY(read_string(h, "typ", &has_typ, &typ, err));
    h->typ_len = typ.len < sizeof h->typ ? typ.len : sizeof h->typ;
    if (h->typ_len != 0)
        memcpy(h->typ, typ.ptr, h->typ_len);
    return POSTERN_OK;
}

static postern_err read_kid(struct postern_jose_header *h, postern_error *err)
{
    postern_bytes kid;

    POSTERN_TRY(read_string(h, "kid", &h->has_kid, &kid, err));
    if (kid.len > sizeof h->kid)
        return POSTERN_FAIL(err, MALFORMED, "kid of %zu bytes, at most %zu", kid.len,
                            sizeof h->kid);
    h->kid_len = kid.len;
    if (kid.len != 0)
        memcpy(h->kid, kid.ptr, kid.len);
    return POSTERN_OK;
}

static postern_err read_members(struct postern_jose_header *h, postern_error *err)
{
    postern_alg alg = POSTERN_ALG_NONE;

    if (postern_json_type_of(&h->json, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "the header is not a JSON object");
    POSTERN_TRY(read_alg(h, &alg, err));
    POSTERN_TRY(check_extensions(&h->json, err));
    POSTERN_TRY(read_typ(h, err));
    POSTERN_TRY(read_kid(h, err));
    h->alg = alg;
    return POSTERN_OK;
}

postern_err postern_jose_header_parse(struct postern_jose_header *h, postern_bytes text,
                                      postern_error *err)
{
    size_t len;

    if (h->alg != POSTERN_ALG_NONE &&
        postern_bytes_equal(text, (postern_bytes){ h->text, h->text_len }))
        return POSTERN_OK;
    h->alg = POSTERN_ALG_NONE;
    if (text.len > sizeof h->text)
        return POSTERN_FAIL(err, LIMIT, "header of %zu characters, at most %zu", text.len,
                            sizeof h->text);
    POSTERN_TRY(postern_base64url_decode(text, h->octets, &len, err));
    if (len > POSTERN_JWT_HEADER_MAX) /* as many characters have room for one or two bytes more */
        return POSTERN_FAIL(err, LIMIT, "header of %zu bytes, at most %d", len,
                            POSTERN_JWT_HEADER_MAX);
    POSTERN_TRY(postern_json_scan(&h->json, (postern_bytes){ h->octets, len }, err));
    POSTERN_TRY(read_members(h, err));
    memcpy(h->text, text.ptr, text.len);
    h->text_len = text.len;
    return POSTERN_OK;
}
