/* SPDX-License-Identifier: BSD-2-Clause */
/* What several files of attacks are made by: see attack_table.h. */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

/* ---- by a part of the token ---- */

struct attack_text attack_text_of(char *take_text)
{
    return (struct attack_text){ take_text, strlen(take_text) };
}

struct attack_text attack_sign(const struct attack_world *w, const struct attack *a,
                               const void *header, size_t header_len, const void *payload,
                               size_t payload_len)
{
    return attack_text_of(test_sign_bytes(w->keys[a->key], a->alg == NULL ? "ES256" : a->alg,
                                          header, header_len, payload, payload_len));
}

static size_t get_len(const struct attack *a)
{
    return a->len != 0 ? a->len : strlen(a->a);
}

struct attack_text attack_by_claim(const struct attack_world *w, const struct attack *a)
{
    char *claims = attack_claims(a->site, a->a, a->b);
    const char *header = attack_header(a->site);
    struct attack_text t = attack_sign(w, a, header, strlen(header), claims, strlen(claims));

    free(claims);
    return t;
}

struct attack_text attack_by_payload(const struct attack_world *w, const struct attack *a)
{
    const char *header = attack_header(a->site);

    return attack_sign(w, a, header, strlen(header), a->a, get_len(a));
}

struct attack_text attack_by_header(const struct attack_world *w, const struct attack *a)
{
    char *claims = attack_claims(a->site, NULL, NULL);
    struct attack_text t = attack_sign(w, a, a->a, get_len(a), claims, strlen(claims));

    free(claims);
    return t;
}

struct attack_text attack_by_partner(const struct attack_world *w, const struct attack *a)
{
    char *claims = attack_claims(a->site, "iss", "\"" ATTACK_PARTNER "\"");
    struct attack_text t = attack_sign(w, a, a->a, strlen(a->a), claims, strlen(claims));

    free(claims);
    return t;
}

struct attack_text attack_by_nothing(const struct attack_world *w, const struct attack *a)
{
    return attack_text_of(attack_good(w, a->site));
}

char *attack_input(const char *header, const char *payload)
{
    char *h = test_base64url(header, strlen(header)), *p = test_base64url(payload, strlen(payload)),
         *input = test_printf("%s.%s", h, p);

    free(h);
    free(p);
    return input;
}

struct attack_text attack_join(char *take_input, const void *sig, size_t sig_len)
{
    char *s = test_base64url(sig, sig_len), *token = test_printf("%s.%s", take_input, s);

    free(take_input);
    free(s);
    return attack_text_of(token);
}

static void put(struct attack_text *t, const char *bytes, size_t len)
{
    char *longer = realloc(t->text, t->len + len + 1);

    if (longer == NULL)
        abort();
    memcpy(longer + t->len, bytes, len);
    t->text = longer;
    t->len += len;
    t->text[t->len] = '\0';
}

/* %h %p %s of `good`, %0. */
static struct attack_text fill(const char *good, const char *pattern)
{
    const char *first = strchr(good, '.'), *last = strrchr(good, '.');
    struct attack_text t = { NULL, 0 };

    put(&t, "", 0);
    for (const char *p = pattern; *p != '\0'; p++) {
        if (p[0] != '%') {
            put(&t, p, 1);
            continue;
        }
        p++;
        if (*p == 'h')
            put(&t, good, (size_t)(first - good));
        else if (*p == 'p')
            put(&t, first + 1, (size_t)(last - first - 1));
        else if (*p == 's')
            put(&t, last + 1, strlen(last + 1));
        else if (*p == '0')
            put(&t, "", 1);
        else
            put(&t, p, 1);
    }
    return t;
}

struct attack_text attack_by_text(const struct attack_world *w, const struct attack *a)
{
    char *good = attack_good(w, a->site);
    struct attack_text t = fill(good, a->a);

    free(good);
    return t;
}

struct attack_text attack_by_signed_text(const struct attack_world *w, const struct attack *a)
{
    char *good = attack_good(w, a->site);
    struct attack_text t = fill(good, a->a);
    unsigned char sig[128];
    size_t len = test_sign_raw(w->keys[KEY_EC], "ES256", t.text, t.len, sig, sizeof sig);
    char *s = test_base64url(sig, len);

    put(&t, ".", 1);
    put(&t, s, strlen(s));
    free(s);
    free(good);
    return t;
}

/* ---- by a signature ---- */

static const char *get_kid(enum attack_key key)
{
    switch (key) {
    case KEY_P384:
    case KEY_STRANGER_P384:
        return "p384";
    case KEY_P521:
    case KEY_STRANGER_P521:
        return "p521";
    case KEY_ED:
    case KEY_STRANGER_ED:
        return "ed";
    case KEY_RSA:
    case KEY_RSA_1024:
        return "rsa";
    default:
        return "a";
    }
}

struct attack_draft attack_draft_make(const struct attack_world *w, const struct attack *a)
{
    const char *alg = a->alg == NULL ? "ES256" : a->alg;
    char *header = test_printf("{\"typ\":\"at+jwt\",\"alg\":\"%s\",\"kid\":\"%s\"}", alg,
                               get_kid(a->key)),
         *claims = attack_claims(a->site, NULL, NULL);
    struct attack_draft d = { .input = attack_input(header, claims) };

    d.len = test_sign_raw(w->keys[a->key], alg, d.input, strlen(d.input), d.sig, sizeof d.sig);
    free(header);
    free(claims);
    return d;
}

struct attack_text attack_draft_finish(struct attack_draft *d)
{
    return attack_join(d->input, d->sig, d->len);
}

struct attack_text attack_by_other_scheme(const struct attack_world *w, const struct attack *a)
{
    char *header =
        test_printf("{\"typ\":\"at+jwt\",\"alg\":\"%s\",\"kid\":\"%s\"}", a->a, get_kid(a->key));
    struct attack own = *a;
    struct attack_text t;

    own.a = header;
    t = attack_by_header(w, &own);
    free(header);
    return t;
}

struct attack_text attack_by_length(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);

    if (a->b != NULL)
        memcpy(d.sig + d.len, d.sig, d.len);
    else if (a->a != NULL) {
        memmove(d.sig + (a->len - d.len), d.sig, d.len);
        memset(d.sig, 0, a->len - d.len);
    }
    d.len = a->len;
    return attack_draft_finish(&d);
}
