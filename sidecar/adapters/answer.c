/* SPDX-License-Identifier: BSD-2-Clause */
/* See answer.h.  RFC 6749 §5.2, RFC 6750 §3.1, RFC 7628 §3.2.2, RFC 9728 §5.1. */
#include "answer.h"

#include <postern-private/json.h>

/* Bytes of a first attempt, before members are left out: ten times what is sent. */
#define UNTRIMMED_MAX 16384

/* ---- words ---- */

static const char *const retry_names[] = {
    [ANSWER_RETRY_NEW_TOKEN] = "new_token",
    [ANSWER_RETRY_MORE_SCOPE] = "more_scope",
    [ANSWER_RETRY_LOGIN] = "login",
    [ANSWER_RETRY_LATER] = "later",
    [ANSWER_RETRY_NEVER] = "never",
    [ANSWER_RETRY_APPROVAL] = "approval",
};

static const struct class_row {
    answer_retry retry;
    const char *error; /* NULL: the code's own OAuth word */
} by_class[] = {
    [POSTERN_CLASS_INTERNAL] = { ANSWER_RETRY_LATER, "temporarily_unavailable" },
    [POSTERN_CLASS_PROVED] = { ANSWER_RETRY_LATER, "temporarily_unavailable" },
    [POSTERN_CLASS_AGAIN] = { ANSWER_RETRY_LATER, "temporarily_unavailable" },
    [POSTERN_CLASS_TOKEN] = { ANSWER_RETRY_NEW_TOKEN, NULL },
    [POSTERN_CLASS_SCOPE] = { ANSWER_RETRY_MORE_SCOPE, NULL },
    [POSTERN_CLASS_IDENTITY] = { ANSWER_RETRY_NEVER, "access_denied" },
    [POSTERN_CLASS_POLICY] = { ANSWER_RETRY_NEVER, "access_denied" },
    [POSTERN_CLASS_TRANSPORT] = { ANSWER_RETRY_NEVER, NULL },
    [POSTERN_CLASS_REMOTE] = { ANSWER_RETRY_LATER, "temporarily_unavailable" },
    [POSTERN_CLASS_RESOURCE] = { ANSWER_RETRY_LATER, "temporarily_unavailable" },
    [POSTERN_CLASS_CONFIG] = { ANSWER_RETRY_LATER, "temporarily_unavailable" },
    [POSTERN_CLASS_USAGE] = { ANSWER_RETRY_LATER, "temporarily_unavailable" },
};

/* Where the class is not the answer. */
static const struct {
    postern_err code;
    answer_retry retry;
} by_code[] = {
    /* The next token of that server would be the same: people must change server or door. */
    { POSTERN_ERR_LIMIT, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_ALG_NOT_ALLOWED, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_CRIT, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_ALG_KEY_MISMATCH, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_KEY_NOT_FOR_SIG, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_WEAK_KEY, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_CLAIM_MISSING, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_ACTOR_UNCLEAR, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_MALFORMED_CLAIM, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_UNSAFE_IDENTITY, ANSWER_RETRY_NEVER },
    /* A new token would tell of the same authentication (RFC 9470 §4). */
    { POSTERN_ERR_ACR, ANSWER_RETRY_LOGIN },
    { POSTERN_ERR_AUTH_AGE, ANSWER_RETRY_LOGIN },
    /* The issuer's ways, not this token. */
    { POSTERN_ERR_ACTOR_NOT_ALLOWED, ANSWER_RETRY_NEVER },
    /* The client is at fault, not its token. */
    { POSTERN_ERR_MESSAGE_MALFORMED, ANSWER_RETRY_NEVER },
    { POSTERN_ERR_MESSAGE_SERVER, ANSWER_RETRY_NEVER },
    /* The same again, when somebody has approved it, or when less was done for a while. */
    { POSTERN_ERR_HELD, ANSWER_RETRY_APPROVAL },
    { POSTERN_ERR_RATE, ANSWER_RETRY_LATER },
    /* It will be. */
    { POSTERN_ERR_NOT_YET_VALID, ANSWER_RETRY_LATER },
};

static const struct class_row *row_of(postern_err code)
{
    size_t class = (size_t)postern_err_class(code);

    return &by_class[class < sizeof by_class / sizeof *by_class ? class : POSTERN_CLASS_INTERNAL];
}

answer_retry answer_retry_of(postern_err code)
{
    for (size_t i = 0; i < sizeof by_code / sizeof *by_code; i++)
        if (by_code[i].code == code)
            return by_code[i].retry;
    return row_of(code)->retry;
}

const char *answer_retry_name(answer_retry r)
{
    return (size_t)r < sizeof retry_names / sizeof *retry_names && retry_names[r] != NULL
               ? retry_names[r]
               : "later";
}

const char *answer_error_word(postern_err code)
{
    const char *word = row_of(code)->error;

    if (word == NULL)
        word = postern_err_oauth(code);
    return word == NULL ? "invalid_token" : word; /* a class with words, a code without one */
}

int64_t answer_retry_after_s(const struct adapter_denied *d)
{
    if (d->retry_after_s > 0)
        return d->retry_after_s;
    return answer_retry_of(d->failure->code) == ANSWER_RETRY_LATER ? ANSWER_RETRY_AFTER_S : 0;
}

const char *answer_sentence(postern_err code, const char *sentence)
{
    return sentence == NULL || sentence[0] == '\0' ? postern_err_text(code) : sentence;
}

/* ---- objects ---- */

void answer_put_grant(const struct adapter_granted *g, postern_buf *out)
{
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "service", g->service);
    postern_json_put_integer(&w, "lease_end", g->lease_end_s);
    postern_json_put_integer(&w, "lease", g->lease_s);
    if (g->session.len != 0)
        postern_json_put_string(&w, "session", g->session);
    postern_json_put_str(&w, "ref", g->ref);
    postern_json_close_object(&w);
}

/* Members that may be left out, in the order of their use to a client. */
enum optional { SCOPE = 1, CONTACT = 2, BECAUSE = 4, CONFIGURATION = 8, METADATA = 16, ALL = 31 };

static void put_optional(postern_json_writer *w, unsigned keep, enum optional which,
                         const char *name, const char *value)
{
    if ((keep & which) != 0)
        postern_json_put_str(w, name, value);
}

static void write_refusal(const struct adapter_denied *d, const char *sentence, unsigned keep,
                          postern_buf *out)
{
    const postern_failure *f = d->failure;
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "error", answer_error_word(f->code));
    postern_json_put_str(&w, "error_description", answer_sentence(f->code, sentence));
    postern_json_put_str(&w, "reason", postern_err_reason(f->code));
    put_optional(&w, keep, SCOPE, "scope", f->scope);
    put_optional(&w, keep, CONFIGURATION, "openid-configuration", f->openid_configuration);
    put_optional(&w, keep, METADATA, "resource_metadata", f->resource_metadata);
    postern_json_put_str(&w, "ref", f->ref);
    postern_json_put_str(&w, "retry", answer_retry_name(answer_retry_of(f->code)));
    put_optional(&w, keep, BECAUSE, "because", d->because);
    put_optional(&w, keep, CONTACT, "contact", d->contact);
    if (answer_retry_after_s(d) > 0)
        postern_json_put_integer(&w, "retry_after", answer_retry_after_s(d));
    postern_json_close_object(&w);
}

static bool fits(const struct adapter_denied *d, const char *sentence, unsigned keep,
                 postern_buf *text)
{
    postern_buf_reset(text);
    write_refusal(d, sentence, keep, text);
    return !text->failed && text->len <= ANSWER_JSON_MAX;
}

void answer_put_refusal(const struct adapter_denied *d, const char *sentence, postern_buf *out)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(UNTRIMMED_MAX);
    unsigned keep = 0;

    if (!fits(d, sentence, ALL, &text)) {
        for (unsigned bit = SCOPE; bit < ALL; bit <<= 1) /* each that fits beside those before it */
            if (fits(d, sentence, keep | bit, &text))
                keep |= bit;
        if (!fits(d, sentence, keep, &text)) { /* memory: what always stands there is short */
            out->failed = true;
            return;
        }
    }
    postern_buf_add(out, postern_buf_bytes(&text));
}
