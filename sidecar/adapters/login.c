/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See login.h.  What fits no form is refused at the byte where that is seen.  `AUTH` and `RENEW`
 * are one line; CONNECT is raw_connect.c's.  RFC 7628 §3.1 for the message of AUTH.
 */
#include "login.h"

#define SESSION_SECRET_MAX 64 /* bytes: twice what 192 random bits need in base64url */

static const struct {
    const char *prefix;
    login_form form;
} forms[] = {
    { "AUTH ", LOGIN_FORM_AUTH },
    { "RENEW ", LOGIN_FORM_RENEW },
    { "CONNECT ", LOGIN_FORM_CONNECT },
};

static postern_err find_form(postern_bytes in, login_form *ret, postern_error *err)
{
    bool may_become_one = false;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        postern_bytes prefix = postern_bytes_str(forms[i].prefix);
        size_t len = in.len < prefix.len ? in.len : prefix.len;

        if (!postern_bytes_equal((postern_bytes){ in.ptr, len },
                                 (postern_bytes){ prefix.ptr, len }))
            continue;
        if (len == prefix.len) {
            *ret = forms[i].form;
            return POSTERN_OK;
        }
        may_become_one = true;
    }
    if (may_become_one)
        return POSTERN_AGAIN;
    return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                        "the login begins with neither AUTH nor RENEW nor CONNECT and one blank");
}

/* ---- the two lines ---- */

/* "AUTH OAUTHBEARER " base64 */
static postern_err read_auth(struct login *s, postern_bytes line, struct adapter_login *ret,
                             postern_error *err)
{
    postern_reader r = { line };

    if (postern_reader_take_lit(&r, "AUTH XOAUTH2"))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "XOAUTH2 is not taken here; send AUTH OAUTHBEARER (RFC 7628)");
    if (!postern_reader_take_lit(&r, "AUTH OAUTHBEARER ") || postern_reader_is_done(&r))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "the line is not AUTH OAUTHBEARER, one blank and base64");
    POSTERN_TRY(credential_decode(r.rest, &s->credential, err));
    return credential_read_sasl(s->credential, ret, err);
}

/* "RENEW " secret " " token */
static postern_err read_renew(postern_bytes line, struct adapter_login *ret, postern_error *err)
{
    postern_reader r = { line };

    if (!postern_reader_take_lit(&r, "RENEW ") ||
        !postern_reader_take_until(&r, ' ', &ret->session))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "the line is not RENEW, a session secret and a token");
    if (ret->session.len > SESSION_SECRET_MAX || !line_is_made_of(ret->session, LINE_BASE64URL))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED,
                            "the session secret is not 1 to 64 characters of base64url");
    POSTERN_TRY(credential_check_token(r.rest, err));
    ret->token = r.rest;
    return POSTERN_OK;
}

static postern_err read_line(struct login *s, postern_bytes in, struct adapter_login *ret,
                             postern_error *err)
{
    struct line line;

    POSTERN_TRY(line_next(&s->scan, in, ADAPTER_LOGIN_MAX, &line, err));
    return s->form == LOGIN_FORM_AUTH ? read_auth(s, line.text, ret, err)
                                      : read_renew(line.text, ret, err);
}

static postern_err read_login(struct login *s, postern_bytes in, struct adapter_login *ret,
                              postern_error *err)
{
    if (s->is_read || s->refusal != POSTERN_ERR_UNSET)
        return POSTERN_FAIL(err, USAGE, "the login was read already");
    if (s->form == LOGIN_FORM_NONE)
        POSTERN_TRY(find_form(in, &s->form, err));
    if (s->form == LOGIN_FORM_CONNECT)
        return connect_read(&s->head, &s->scan, in, &s->credential, ret, err);
    return read_line(s, in, ret, err);
}

/* ---- the whole login ---- */

/* Why a login cannot be read holds nothing of its bytes, and its author needs it; what failed here
 * is the operator's business. */
static void keep_refusal(struct login *s, postern_err code, const char *detail)
{
    size_t len = 0;

    s->refusal = code;
    if (postern_err_outcome(code) != POSTERN_REJECTED)
        return;
    for (; detail[len] != '\0' && len + 1 < sizeof s->sentence; len++)
        s->sentence[len] = detail[len] == '"' || detail[len] == '\\' ? '\'' : detail[len];
    s->sentence[len] = '\0';
}

adapter_feed login_feed(struct login *s, postern_bytes in, size_t *ret_used,
                        struct adapter_login *ret, postern_error *err)
{
    struct adapter_login login = { .authzid = "", .carrier = POSTERN_CARRIER_RAW };
    postern_error why = { 0 };
    postern_err e = read_login(s, in, &login, &why);

    if (e == POSTERN_AGAIN)
        return ADAPTER_MORE;
    if (e == POSTERN_OK) {
        s->is_read = true;
        *ret = login;
        *ret_used = s->scan.start;
        return s->form == LOGIN_FORM_RENEW ? ADAPTER_RENEW : ADAPTER_LOGIN;
    }
    if (s->refusal == POSTERN_ERR_UNSET && !s->is_read)
        keep_refusal(s, e, why.detail);
    *ret = (struct adapter_login){ .code = e, .authzid = "" };
    if (err != NULL)
        *err = why;
    return ADAPTER_REJECT;
}

void login_put_grant(const struct login *s, const struct adapter_granted *g, postern_buf *out)
{
    if (s->form == LOGIN_FORM_CONNECT) {
        connect_put_grant(g, out);
        return;
    }
    postern_buf_add_str(out, "OK ");
    answer_put_grant(g, out);
    postern_buf_add_str(out, "\r\n");
}

void login_put_refusal(const struct login *s, const struct adapter_denied *d, postern_buf *out)
{
    const char *sentence = d->failure->code == s->refusal ? s->sentence : NULL;

    if (s->form == LOGIN_FORM_CONNECT) {
        connect_put_refusal(&s->head, s->is_read, d, sentence, out);
        return;
    }
    postern_buf_add_str(out, "ERR ");
    answer_put_refusal(d, sentence, out);
    postern_buf_add_str(out, "\r\n");
}

void login_wipe(struct login *s)
{
    credential_free(s->credential);
    postern_wipe(s, sizeof *s);
}
