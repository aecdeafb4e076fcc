/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one challenge of a failed login: JSON with a status, what scope is needed and where to learn
 * more (RFC 7628 §3.2.2, §4.3; XOAUTH2: HTTP-like numbers).  Written for servers, read for clients.
 * Never holds a token or a claim.
 */
#include <postern-private/json.h>

#include "sasl/message.h"

/* Bytes a client reads: five times what ours writes; other servers add members. */
#define CHALLENGE_MAX 8192
/* Every byte as \u00XX, and the names. */
#define UNTRIMMED_MAX (6 * (int)sizeof(postern_failure) + 256)

/* XOAUTH2 has no registry: Gmail, Microsoft and Dovecot send HTTP status numbers. */
static const struct {
    const char *oauth;
    const char *number;
} xoauth2_status[] = {
    { "invalid_request", "400" },
    { "invalid_token", "401" },
    { "insufficient_user_authentication", "401" }, /* RFC 9470 §3 */
    { "insufficient_scope", "403" },
};

/*
 * The status word of a rejection; NULL for an undecided end, which gets no challenge (SASL_UNAVAIL
 * instead).
 */
static const char *find_status(postern_mech m, postern_err code)
{
    const char *word = postern_err_oauth(code);

    /*
     * RFC 7628 §4.3 answers a discovery request as it answers a bad token; libpq goes on only if
     * the word is this one.
     */
    if (code == POSTERN_ERR_NO_TOKEN)
        word = "invalid_token";
    if (word == NULL || m == POSTERN_MECH_OAUTHBEARER)
        return word;
    for (size_t i = 0; i < sizeof xoauth2_status / sizeof xoauth2_status[0]; i++)
        if (strcmp(xoauth2_status[i].oauth, word) == 0)
            return xoauth2_status[i].number;
    return NULL;
}

/* Whom an administrator blocked will not get in by trying again, nor with another token.  The words
 * of a policy's rule are written for the agent that it refuses. */
static void write_advice(const postern_failure *f, postern_json_writer *w)
{
    if (f->code == POSTERN_ERR_POLICY && f->because[0] != '\0')
        postern_json_put_str(w, "because", f->because);
    if (f->code != POSTERN_ERR_BLOCKED)
        return;
    postern_json_put_str(w, "retry", "never");
    postern_json_put_str(w, "contact", f->contact);
}

/* `keep`: how many of the optional members to write, most useful first. */
static void write_challenge(postern_mech m, const char *status, const postern_failure *f, int keep,
                            postern_buf *out)
{
    postern_json_writer w = { .out = out };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "status", status);
    if (m == POSTERN_MECH_XOAUTH2)
        postern_json_put_str(&w, "schemes", "bearer");
    if (keep > 0)
        postern_json_put_str(&w, "ref", f->ref);
    if (keep > 1)
        write_advice(f, &w);
    if (keep > 2)
        postern_json_put_str(&w, "scope", f->scope);
    if (keep > 3)
        postern_json_put_str(&w, "openid-configuration", f->openid_configuration);
    if (keep > 4)
        postern_json_put_str(&w, "resource_metadata", f->resource_metadata);
    postern_json_close_object(&w);
}

postern_err postern_sasl_error_build(postern_mech m, const postern_failure *f, postern_buf *out,
                                     postern_error *err)
{
    const char *status = find_status(m, f->code);

    if (status == NULL)
        return POSTERN_FAIL(err, USAGE, "no challenge exists for %s", postern_err_reason(f->code));
    for (int keep = 5; keep >= 0;
         keep--) { /* escapes can make it too long: then without the least useful member */
        POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(UNTRIMMED_MAX);

        write_challenge(m, status, f, keep, &text);
        if (text.failed)
            break;
        if (text.len > POSTERN_ERROR_JSON_MAX)
            continue;
        postern_buf_add(out, postern_buf_bytes(&text));
        if (!out->failed)
            return POSTERN_OK;
        break;
    }
    return POSTERN_FAIL(err, NOMEM, "error challenge");
}

/*
 * The member as printable text; "" when absent, not a string, too long or not printable: it is only
 * shown to people.
 */
static void copy_member(const postern_json *j, const char *name, char *out, size_t out_size)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(CHALLENGE_MAX);
    postern_bytes text;

    out[0] = '\0';
    if (!postern_json_string(j, postern_json_member(j, 0, name), &scratch, &text))
        return;
    if (text.len >= out_size || !postern_bytes_is_printable(text))
        return;
    if (text.len != 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

postern_err postern_sasl_error_parse(postern_bytes json, postern_sasl_error *ret,
                                     postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    postern_sasl_error parsed = { 0 };
    postern_err scanned;

    if (json.len > CHALLENGE_MAX)
        return POSTERN_FAIL(err, LIMIT, "challenge is longer than %d bytes", CHALLENGE_MAX);
    scanned = postern_json_scan(&j, json, err);
    if (scanned == POSTERN_ERR_NOMEM || scanned == POSTERN_ERR_LIMIT)
        return scanned;
    if (scanned != POSTERN_OK || postern_json_type_of(&j, 0) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "challenge is not a JSON object");
    copy_member(&j, "status", parsed.status, sizeof parsed.status);
    if (parsed.status[0] == '\0')
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "challenge has no status");
    copy_member(&j, "scope", parsed.scope, sizeof parsed.scope);
    copy_member(&j, "openid-configuration", parsed.openid_configuration,
                sizeof parsed.openid_configuration);
    copy_member(&j, "ref", parsed.ref, sizeof parsed.ref);
    *ret = parsed;
    return POSTERN_OK;
}
