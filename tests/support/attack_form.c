/* SPDX-License-Identifier: BSD-2-Clause */
/* Attacks on a token's size and shape: RFC 7515 §5.2, RFC 7519 §7.2, RFC 4648 §3.5, RFC 8725 §3.11.
 */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

/* A claim of so many bytes, signed: the size is all that is wrong. */
static struct attack_text by_long_claim(const struct attack_world *w, const struct attack *a)
{
    static const char header[] = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}";
    char *filler = calloc(1, a->len + 3), *claims;
    struct attack_text t;

    if (filler == NULL)
        abort();
    memset(filler, 'x', a->len + 2);
    filler[0] = filler[a->len + 1] = '"';
    claims = attack_claims(a->site, "filler", filler);
    t = attack_sign(w, a, header, strlen(header), claims, strlen(claims));
    free(filler);
    free(claims);
    return t;
}

/* So many bytes of one character. */
static struct attack_text by_bytes(const struct attack_world *w, const struct attack *a)
{
    struct attack_text t = { malloc(a->len + 1), a->len };

    (void)w;
    if (t.text == NULL)
        abort();
    memset(t.text, a->a[0], a->len);
    t.text[a->len] = '\0';
    return t;
}

/* ---- parts of the good token ---- */

enum part { PART_HEADER = 'h', PART_PAYLOAD = 'p', PART_SIGNATURE = 's' };

static char *put_in(const char *text, size_t at, const char *what)
{
    return test_printf("%.*s%s%s", (int)at, text, what, text + at);
}

/* Parts of the good token, with room to change one of them. */
struct parts {
    char *h, *p, *s;
};

static struct parts split(char *take_token)
{
    char *first = strchr(take_token, '.'), *last = strrchr(take_token, '.');
    struct parts parts;

    *first = *last = '\0';
    parts = (struct parts){ test_printf("%s", take_token), test_printf("%s", first + 1),
                            test_printf("%s", last + 1) };
    free(take_token);
    return parts;
}

static char **pick(struct parts *parts, char part)
{
    return part == PART_HEADER ? &parts->h : part == PART_PAYLOAD ? &parts->p : &parts->s;
}

/* Signed again unless the signature itself was changed. */
static struct attack_text join(const struct attack_world *w, struct parts *parts, char changed)
{
    char *input = test_printf("%s.%s", parts->h, parts->p), *token;
    unsigned char sig[128];
    size_t len;

    if (changed != PART_SIGNATURE) {
        len = test_sign_raw(w->keys[KEY_EC], "ES256", input, strlen(input), sig, sizeof sig);
        free(parts->s);
        parts->s = test_base64url(sig, len);
    }
    token = test_printf("%s.%s", input, parts->s);
    free(input);
    free(parts->h);
    free(parts->p);
    free(parts->s);
    return attack_text_of(token);
}

/* `b` in the middle of part `a`. */
static struct attack_text by_insert(const struct attack_world *w, const struct attack *a)
{
    struct parts parts = split(attack_good(w, a->site));
    char **part = pick(&parts, a->a[0]), *old = *part;

    *part = put_in(old, strlen(old) / 2, a->b);
    free(old);
    return join(w, &parts, a->a[0]);
}

/* NUL in the middle of part `a`. */
static struct attack_text by_nul(const struct attack_world *w, const struct attack *a)
{
    struct attack_text t = attack_text_of(attack_good(w, a->site));
    const char *first = strchr(t.text, '.'), *last = strrchr(t.text, '.');
    size_t at = a->a[0] == PART_HEADER    ? 4
                : a->a[0] == PART_PAYLOAD ? (size_t)(first - t.text) + 5
                                          : (size_t)(last - t.text) + 5;

    t.text[at] = '\0';
    return t;
}

/* So many characters too many in part `a` that its length leaves 1 by 4: no octets encode so. */
static struct attack_text by_stray(const struct attack_world *w, const struct attack *a)
{
    struct parts parts = split(attack_good(w, a->site));
    char **part = pick(&parts, a->a[0]);

    do {
        char *old = *part;

        *part = put_in(old, strlen(old), "A");
        free(old);
    } while (strlen(*part) % 4 != 1);
    return join(w, &parts, a->a[0]);
}

/* One of the bits that the last character of part `a` has beyond the octets is 1: another spelling
 * of the same token. */
static struct attack_text by_pad_bit(const struct attack_world *w, const struct attack *a)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *header = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"} ";
    char *claims = attack_claims(a->site, NULL, NULL), *padded = claims, *last;
    struct parts parts;

    while (strlen(padded) % 3 != 1) {
        claims = test_printf("%s ", padded);
        free(padded);
        padded = claims;
    }
    parts = split(test_sign(w->keys[KEY_EC], "ES256", header, padded));
    free(padded);
    last = *pick(&parts, a->a[0]);
    last += strlen(last) - 1;
    *last = strchr(alphabet, *last)[1];
    return join(w, &parts, a->a[0]);
}

/* The whole token once more in base64url. */
static struct attack_text by_wrapping(const struct attack_world *w, const struct attack *a)
{
    char *good = attack_good(w, a->site);
    struct attack_text t = attack_text_of(test_base64url(good, strlen(good)));

    free(good);
    return t;
}

#define ON_PART(recipe, place, part, what, words)                                                  \
    {                                                                                              \
        .reason = POSTERN_ERR_MALFORMED, .check = TRAIL_FORM, .field = place, .done = words,       \
        .make = recipe, .a = part, .b = what                                                       \
    }
#define OF_SIZE(place, recipe, what, size, words)                                                  \
    {                                                                                              \
        .reason = POSTERN_ERR_LIMIT, .check = TRAIL_SIZE, .field = place, .done = words,           \
        .make = recipe, .a = what, .len = size                                                     \
    }

static const struct attack rows[] = {
    ATTACK_TEXT(NO_TOKEN, SIZE, "token/empty", "", "nothing is sent"),
    OF_SIZE("token/length", by_bytes, ".", POSTERN_TOKEN_MAX + 1, "16385 dots"),
    OF_SIZE("token/length, signed", by_long_claim, NULL, 13000,
            "a signed token with a claim of 13000 bytes"),
    OF_SIZE("token/length, a megabyte", by_bytes, "A", 1 << 20, "a megabyte of letters"),

    ATTACK_TEXT(MALFORMED, FORM, "dots/none", "%h", "the header alone"),
    ATTACK_TEXT(MALFORMED, FORM, "dots/one", "%h.%p", "header and payload, no second dot"),
    ATTACK_TEXT(MALFORMED, FORM, "dots/three", "%h.%p.%s.", "a dot at the end"),
    ATTACK_TEXT(MALFORMED, FORM, "dots/in front", ".%h.%p.%s", "a dot in front"),
    ATTACK_TEXT(MALFORMED, FORM, "dots/doubled", "%h..%p.%s", "the first dot twice"),
    ATTACK_TEXT(MALFORMED, FORM, "dots/two signatures", "%h.%p.%s.%s", "four parts"),
    ATTACK_TEXT(MALFORMED, FORM, "dots/five parts", "%h.%p.%s.%p.%s", "the shape of a JWE"),
    ATTACK_TEXT(MALFORMED, FORM, "dots/alone", "..", "two dots and nothing else"),
    ATTACK_TEXT(MALFORMED, FORM, "dots/percent-encoded", "%h%%2E%p%%2E%s",
                "%2E in the place of dots"),
    { .reason = POSTERN_ERR_MALFORMED,
      .check = TRAIL_FORM,
      .field = "dots/16384",
      .done = "as many dots as a token may have bytes",
      .make = by_bytes,
      .a = ".",
      .len = POSTERN_TOKEN_MAX },
    ATTACK_TEXT(MALFORMED, FORM, "header/empty", ".%p.%s", "no header"),
    ATTACK_SIGNED(MALFORMED, FORM, "payload/empty", "%h.", "no payload, signed"),
    ATTACK_TEXT(MALFORMED, FORM, "signature/empty", "%h.%p.", "no signature under ES256"),

    ATTACK_SIGNED(MALFORMED, FORM, "header/padding", "%h=.%p", "`=` behind the header, signed"),
    ATTACK_SIGNED(MALFORMED, FORM, "payload/padding", "%h.%p=", "`=` behind the payload, signed"),
    ATTACK_TEXT(MALFORMED, FORM, "signature/padding", "%h.%p.%s==", "`==` behind the signature"),
    ON_PART(by_stray, "header/characters", "h", NULL, "a length that leaves 1 by 4"),
    ON_PART(by_stray, "payload/characters", "p", NULL, "a length that leaves 1 by 4"),
    ON_PART(by_stray, "signature/characters", "s", NULL, "a length that leaves 1 by 4"),
    ON_PART(by_pad_bit, "header/pad bits", "h", NULL, "a pad bit is 1: a second spelling"),
    ON_PART(by_pad_bit, "payload/pad bits", "p", NULL, "a pad bit is 1: a second spelling"),
    ON_PART(by_pad_bit, "signature/pad bits", "s", NULL, "a pad bit is 1: a second spelling"),

    ATTACK_TEXT(MALFORMED, FORM, "token/blank in front", " %h.%p.%s", "a blank in front"),
    ATTACK_TEXT(MALFORMED, FORM, "token/blank behind", "%h.%p.%s ", "a blank behind"),
    ATTACK_TEXT(MALFORMED, FORM, "token/newline behind", "%h.%p.%s\n", "a newline behind"),
    ATTACK_TEXT(MALFORMED, FORM, "token/CR behind", "%h.%p.%s\r", "a carriage return behind"),
    ATTACK_TEXT(MALFORMED, FORM, "token/tab behind", "%h.%p.%s\t", "a tab behind"),
    ATTACK_TEXT(MALFORMED, FORM, "token/NUL behind", "%h.%p.%s%0", "a NUL behind"),
    ATTACK_TEXT(MALFORMED, FORM, "token/NUL and more", "%h.%p.%s%0%p",
                "a NUL, and what C would not see"),
    ATTACK_TEXT(MALFORMED, FORM, "token/byte order mark", "\xef\xbb\xbf%h.%p.%s", "a BOM in front"),
    ATTACK_TEXT(MALFORMED, FORM, "token/scheme", "Bearer %h.%p.%s", "the scheme is still there"),
    ATTACK_TEXT(MALFORMED, FORM, "token/quotes", "\"%h.%p.%s\"", "in quotation marks"),
    ATTACK_TEXT(MALFORMED, FORM, "token/two", "%h.%p.%s,%h.%p.%s", "two tokens, a comma between"),
    ATTACK_TEXT(MALFORMED, FORM, "token/control character", "%h.%p.%s\x01", "a ^A behind"),
    ATTACK_TEXT(MALFORMED, FORM, "token/flattened JSON",
                "{\"payload\":\"%p\",\"protected\":\"%h\",\"signature\":\"%s\"}",
                "the JSON serialization of the same JWS"),
    ATTACK_TEXT(MALFORMED, FORM, "token/general JSON",
                "{\"payload\":\"%p\",\"signatures\":[{\"protected\":\"%h\",\"signature\":\"%s\"}]}",
                "the JSON serialization with a list of signatures"),
    ATTACK_TEXT(MALFORMED, FORM, "token/opaque", "2YotnFZFEjr1zCsicMWpAA",
                "an opaque token where none is asked for"),
    ATTACK_TEXT(MALFORMED, FORM, "token/password", "correct horse battery staple", "a password"),
    ON_PART(by_wrapping, "token/base64url", NULL, NULL, "the whole token in base64url once more"),

    ON_PART(by_insert, "header/newline", "h", "\n", "folded as in mail, signed"),
    ON_PART(by_insert, "payload/newline", "p", "\n", "folded as in mail, signed"),
    ON_PART(by_insert, "signature/newline", "s", "\n", "folded as in mail"),
    ON_PART(by_insert, "header/blank", "h", " ", "a blank inside, signed"),
    ON_PART(by_insert, "payload/blank", "p", " ", "a blank inside, signed"),
    ON_PART(by_insert, "signature/blank", "s", " ", "a blank inside"),
    ON_PART(by_nul, "header/NUL", "h", NULL, "a NUL inside"),
    ON_PART(by_nul, "payload/NUL", "p", NULL, "a NUL inside"),
    ON_PART(by_nul, "signature/NUL", "s", NULL, "a NUL inside"),
    ON_PART(by_insert, "header/plus", "h", "+", "`+` of the other alphabet, signed"),
    ON_PART(by_insert, "payload/plus", "p", "+", "`+` of the other alphabet, signed"),
    ON_PART(by_insert, "signature/plus", "s", "+", "`+` of the other alphabet"),
    ON_PART(by_insert, "header/slash", "h", "/", "`/` of the other alphabet, signed"),
    ON_PART(by_insert, "payload/slash", "p", "/", "`/` of the other alphabet, signed"),
    ON_PART(by_insert, "signature/slash", "s", "/", "`/` of the other alphabet"),
    ON_PART(by_insert, "header/not ASCII", "h", "\xc3\xa9", "a letter that is not ASCII, signed"),
    ON_PART(by_insert, "payload/not ASCII", "p", "\xc3\xa9", "a letter that is not ASCII, signed"),
    ON_PART(by_insert, "signature/not ASCII", "s", "\xc3\xa9", "a letter that is not ASCII"),
};

const struct attack_group attacks_on_form = ATTACK_GROUP(rows);
