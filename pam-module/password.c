/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was typed in place of a password, and whether it is a token at all.  It may be a person's
 * password for the next module of the stack: then it stays here.  The rule is the helper's own (a
 * compact JWS, a token handle, or what the service's `opaque_prefix:` begins with), applied before
 * anything is sent.
 */
#include <security/pam_ext.h>

#include "module.h"

postern_err module_password_get(pam_handle_t *pamh, postern_bytes *ret, postern_error *err)
{
    const char *text = NULL;
    /* NULL: libpam's own words, which scripts and other modules know. */
    int code = pam_get_authtok(pamh, PAM_AUTHTOK, &text, NULL);

    if (code == PAM_CONV_AGAIN || code == PAM_INCOMPLETE)
        return POSTERN_AGAIN;
    if (code == PAM_BUF_ERR)
        return POSTERN_FAIL(err, NOMEM, "pam_get_authtok");
    if (code != PAM_SUCCESS || text == NULL)
        return POSTERN_FAIL(err, NO_TOKEN, "nothing came in place of a password (PAM %d)", code);
    *ret = postern_bytes_str(text);
    return POSTERN_OK;
}

static bool begins_with(postern_bytes b, const char *prefix)
{
    postern_reader r = { b };

    return prefix[0] != '\0' && postern_reader_take_lit(&r, prefix) && r.rest.len != 0;
}

/* Asked each time: a process that keeps no cache has none to go stale, and a round trip is short
 * beside a person's typing. */
static postern_err find_prefix(const postern_helper_place *o, char *ret, size_t ret_size,
                               postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    const postern_service_info *info;

    POSTERN_TRY(postern_client_describe_start(&o->where, o->service, &op, err));
    POSTERN_TRY(postern_op_run(op, err));
    info = postern_client_info(op);
    if (info == NULL)
        return POSTERN_FAIL(err, INTERNAL, "helper described nothing");
    if (!info->is_known)
        return POSTERN_FAIL(err, SERVICE_UNKNOWN, "no service file answers to %s", o->service);
    if (strlen(info->opaque_prefix) >= ret_size)
        return POSTERN_FAIL(err, INTERNAL, "opaque_prefix is too long");
    memcpy(ret, info->opaque_prefix, strlen(info->opaque_prefix) + 1);
    return POSTERN_OK;
}

postern_err module_password_is_token(const postern_helper_place *o, postern_bytes password,
                                     postern_error *err)
{
    char prefix[POSTERN_OPAQUE_PREFIX_MAX];

    if (password.len == 0)
        return POSTERN_FAIL(err, NO_TOKEN, "the password is empty");
    if (postern_token_is_compact_jws(password) || postern_token_is_handle(password) ||
        postern_token_is_opaque(password))
        return POSTERN_OK;
    if (postern_token_is_token68(password)) {
        POSTERN_TRY(find_prefix(o, prefix, sizeof prefix, err));
        if (begins_with(password, prefix))
            return POSTERN_OK;
    }
    return POSTERN_FAIL(err, MALFORMED, "a password, it seems; it was sent nowhere");
}
