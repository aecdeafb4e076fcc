/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The name of a token's user, out of one claim or several; see the header.  Two tokens that differ
 * in a claim of the template never have one name: the text between two claims may not begin in the
 * first of them, so that the name could be taken apart again.
 */
#include "username.h"

#define CLAIM_PATH_MAX 256 /* bytes: longest seen is a namespace URL with a name behind it */

/* ---- the setting ---- */

static bool is_path(postern_bytes text)
{
    if (text.len == 0 || text.len > CLAIM_PATH_MAX || text.ptr[0] == '.' ||
        text.ptr[text.len - 1] == '.')
        return false;
    for (size_t i = 1; i < text.len; i++)
        if (text.ptr[i] == '.' && text.ptr[i - 1] == '.')
            return false;
    return memchr(text.ptr, ' ', text.len) == NULL && memchr(text.ptr, '\t', text.len) == NULL;
}

/* The text up to the next claim, and that claim; an empty path at the end.  False: no template. */
static bool take_part(postern_reader *r, postern_bytes *ret_before, postern_bytes *ret_path)
{
    *ret_path = POSTERN_BYTES_NONE;
    if (!postern_reader_take_until(r, '$', ret_before))
        return postern_reader_take_len(r, r->rest.len, ret_before);
    return postern_reader_take_byte(r, '{') && postern_reader_take_until(r, '}', ret_path) &&
           is_path(*ret_path) && memchr(ret_path->ptr, '$', ret_path->len) == NULL;
}

static bool is_text(postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7F || text.ptr[i] == '{' || text.ptr[i] == '}')
            return false;
    return true;
}

const char *postern_username_fault(const char *text)
{
    postern_reader r = { postern_bytes_str(text) };
    size_t claims = 0;

    if (strchr(text, '$') == NULL)
        return is_path(r.rest) ? NULL : "is no claim: NAME, NAME.NAME or a template of ${NAME}";
    while (!postern_reader_is_done(&r)) {
        postern_bytes before, path;

        if (!take_part(&r, &before, &path) || !is_text(before))
            return "is no template: claims are ${NAME}, the text around them ASCII without blanks "
                   "and braces";
        if (path.len == 0)
            break;
        if (claims != 0 && before.len == 0)
            return "has two claims without a text between them: alice + bob were ali + cebob";
        if (++claims > POSTERN_TEMPLATE_CLAIMS_MAX)
            return "has more than 4 claims";
    }
    return NULL;
}

static const char *copy(postern_arena *arena, postern_bytes text)
{
    return postern_arena_text(arena, text.len == 0 ? postern_bytes_str("") : text);
}

static postern_err add_claim(postern_arena *arena, postern_bytes before, postern_bytes path,
                             struct username_template *t, postern_error *err)
{
    const char *text = copy(arena, path);

    t->claims[t->count].before = copy(arena, before);
    if (text == NULL || t->claims[t->count].before == NULL)
        return POSTERN_FAIL(err, NOMEM, "rules");
    return postern_claim_path_parse(arena, text, &t->claims[t->count++].path, err);
}

static postern_err parse_template(postern_arena *arena, postern_reader r,
                                  struct username_template *t, postern_error *err)
{
    postern_bytes before = POSTERN_BYTES_NONE, path;

    while (!postern_reader_is_done(&r)) {
        if (!take_part(&r, &before, &path) || t->count == POSTERN_TEMPLATE_CLAIMS_MAX)
            return POSTERN_FAIL(err, CONFIG_VALUE, "username_claim");
        if (path.len == 0)
            break;
        POSTERN_TRY(add_claim(arena, before, path, t, err));
        before = POSTERN_BYTES_NONE;
    }
    t->after = copy(arena, before);
    return t->after != NULL ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "rules");
}

postern_err postern_username_parse(postern_arena *arena, const char *text,
                                   struct username_template *ret, postern_error *err)
{
    struct username_template t = { .text = text, .after = "" };
    postern_bytes whole = postern_bytes_str(text);

    if (strchr(text, '$') == NULL)
        POSTERN_TRY(add_claim(arena, POSTERN_BYTES_NONE, whole, &t, err));
    else
        POSTERN_TRY(parse_template(arena, (postern_reader){ whole }, &t, err));
    *ret = t;
    return POSTERN_OK;
}

/* ---- the name ---- */

/* An address that nobody verified is whatever its owner typed (OpenID Connect Core §5.7).  The
 * claim that says so stands beside it. */
static postern_err check_email(const struct claim_reader *r, const struct claim_path *path,
                               postern_error *err)
{
    uint32_t beside = 0;

    if (strcmp(path->parts[path->count - 1], "email") != 0)
        return POSTERN_OK;
    for (size_t i = 0; i + 1 < path->count && beside != POSTERN_JSON_ABSENT; i++)
        beside = postern_json_member(r->j, beside, path->parts[i]);
    if (beside != POSTERN_JSON_ABSENT)
        beside = postern_json_member(r->j, beside, "email_verified");
    if (beside == POSTERN_JSON_ABSENT || postern_json_type_of(r->j, beside) != POSTERN_JSON_TRUE)
        return POSTERN_FAIL(err, EMAIL_UNVERIFIED, "%s without email_verified: true", path->whole);
    return POSTERN_OK;
}

static postern_err read_claim(struct claim_reader *r, const struct claim_path *path,
                              postern_bytes *ret, postern_error *err)
{
    uint32_t node = postern_claim_find_in(r->j, path);

    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, NO_MAPPING, "token has no %s (username_claim)", path->whole);
    POSTERN_TRY(check_email(r, path, err));
    return postern_claim_identity(r, node, path->whole, POSTERN_IDENTITY_MAX, ret, err);
}

/* Whether `what`, which stands behind `text`, begins in it already; partly in it counts: "a-"
 * before
 * "--" is "a" before "---". */
static bool begins_within(postern_bytes text, const char *what)
{
    size_t len = strlen(what);

    for (size_t i = 0; i < text.len; i++) {
        size_t inside = text.len - i < len ? text.len - i : len;

        if (memcmp(text.ptr + i, what, inside) == 0 &&
            memcmp(what, what + inside, len - inside) == 0)
            return true;
    }
    return false;
}

/* Of the claims but the last: the text behind one must not begin in it. */
static postern_err check_parts(const struct username_template *t, const postern_bytes *values,
                               postern_error *err)
{
    for (size_t i = 0; i + 1 < t->count; i++)
        if (begins_within(values[i], t->claims[i + 1].before))
            return POSTERN_FAIL(err, NO_MAPPING, "%s holds \"%s\", which separates it in %s",
                                t->claims[i].path.whole, t->claims[i + 1].before, t->text);
    return POSTERN_OK;
}

static postern_err join(const struct username_template *t, const postern_bytes *values,
                        postern_buf *scratch, postern_bytes *ret, postern_error *err)
{
    size_t begin = scratch->len, len = strlen(t->after);

    for (size_t i = 0; i < t->count; i++)
        len += strlen(t->claims[i].before) + values[i].len;
    if (len == 0 || len > POSTERN_IDENTITY_MAX)
        return POSTERN_FAIL(err, UNSAFE_IDENTITY, "%s would have %zu bytes, of at most %d", t->text,
                            len, POSTERN_IDENTITY_MAX);
    if (scratch->cap - scratch->len < len)
        return POSTERN_FAIL(err, INTERNAL, "no room was made for a name");
    for (size_t i = 0; i < t->count; i++) {
        postern_buf_add_str(scratch, t->claims[i].before);
        postern_buf_add(scratch, values[i]);
    }
    postern_buf_add_str(scratch, t->after);
    *ret = (postern_bytes){ scratch->ptr + begin, len };
    return scratch->failed ? POSTERN_FAIL(err, NOMEM, "claims") : POSTERN_OK;
}

bool postern_username_is_plain(const struct username_template *t)
{
    return t->count == 1 && t->claims[0].before[0] == '\0' && t->after[0] == '\0';
}

postern_err postern_claims_username(const struct username_template *t, const postern_json *j,
                                    postern_buf *scratch, postern_bytes *ret, postern_error *err)
{
    postern_bytes values[POSTERN_TEMPLATE_CLAIMS_MAX];
    struct claim_reader reader = { .j = j, .scratch = scratch }; /* claims are found without it */

    for (size_t i = 0; i < t->count; i++)
        POSTERN_TRY(read_claim(&reader, &t->claims[i].path, &values[i], err));
    if (postern_username_is_plain(t)) {
        *ret = values[0];
        return POSTERN_OK;
    }
    POSTERN_TRY(check_parts(t, values, err));
    return join(t, values, scratch, ret, err);
}
