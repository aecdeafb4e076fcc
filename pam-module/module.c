/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libpam calls.  The only way to PAM_SUCCESS of the authentication phase is a grant whose user
 * is PAM_USER; the only one of the account phase is what was proved on the same handle and still
 * holds.
 */
#include <time.h>

#include "module.h"

#define EXPORTED __attribute__((visibility("default")))

static int64_t wall_s(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
    return now.tv_sec;
}

const char *module_item(const pam_handle_t *pamh, int item)
{
    const void *value = NULL;

    return pam_get_item(pamh, item, &value) == PAM_SUCCESS ? value : NULL;
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

/* ---- authentication ---- */

/* One attempt, while pam_sm_authenticate() runs. */
struct attempt {
    postern_helper_place options;
    bool is_token; /* what was typed: no other module shall have it */
    postern_failure failure;
    postern_grant *grant;
    postern_error err;
};

/* The helper judges, the wanted user too. */
static postern_err ask_helper(pam_handle_t *pamh, struct attempt *a, postern_bytes token)
{
    POSTERN_AUTO(op) op = NULL;
    const postern_request rq = {
        .size = sizeof rq,
        .service = a->options.service,
        .token = token,
        .authzid = module_item(pamh, PAM_USER),
        .carrier = POSTERN_CARRIER_PASSWORD,
        .tls = POSTERN_TLS_UNKNOWN, /* PAM does not say */
        .peer = module_item(pamh, PAM_RHOST),
    };
    postern_err e;

    POSTERN_TRY(postern_client_verify_start(&a->options.where, &rq, &op, &a->err));
    e = postern_op_run(op, &a->err);
    a->failure = *postern_op_failure(op);
    if (e != POSTERN_OK)
        return e;
    a->grant = postern_op_take_grant(op);
    if (a->grant == NULL || is_empty(postern_grant_user(a->grant)))
        return POSTERN_FAIL(&a->err, INTERNAL, "helper proved a token but named no user");
    return POSTERN_OK;
}

/* The helper compared the names; nobody's word but our own is taken for it. */
static postern_err check_user(const pam_handle_t *pamh, struct attempt *a)
{
    const char *proved = postern_grant_user(a->grant), *wanted = module_item(pamh, PAM_USER);
    const char *authcid = postern_grant_authcid(a->grant);

    if (authcid != NULL && strcmp(authcid, proved) != 0)
        return POSTERN_FAIL(&a->err, CONFIG_CONFLICT,
                            "login_as: both is for hosts with two names, and PAM has one");
    if (!is_empty(wanted) && strcmp(wanted, proved) != 0)
        return POSTERN_FAIL(&a->err, AUTHZID, "the wanted user is not the token's");
    return POSTERN_OK;
}

/* A name that the host brought was compared and is never replaced; an empty one is the token's to
 * give. */
static postern_err fill_user(pam_handle_t *pamh, struct attempt *a)
{
    if (!is_empty(module_item(pamh, PAM_USER)))
        return POSTERN_OK;
    if (pam_set_item(pamh, PAM_USER, postern_grant_user(a->grant)) != PAM_SUCCESS)
        return POSTERN_FAIL(&a->err, NOMEM, "pam_set_item");
    return POSTERN_OK;
}

static postern_err judge(pam_handle_t *pamh, int argc, const char **argv, struct attempt *a)
{
    postern_bytes password = POSTERN_BYTES_NONE;

    POSTERN_TRY(module_proof_forget(pamh, &a->err));
    POSTERN_TRY(
        module_options_read(argc, argv, module_item(pamh, PAM_SERVICE), &a->options, &a->err));
    POSTERN_TRY(module_password_get(pamh, &password, &a->err));
    POSTERN_TRY(module_password_is_token(&a->options, password, &a->err));
    a->is_token = true;
    POSTERN_TRY(ask_helper(pamh, a, password));
    return check_user(pamh, a);
}

/*
 * A token is for its audience alone: the next module, which may send passwords to a directory, does
 * not get it.  A person's password stays for it.
 */
static postern_err clear_token(pam_handle_t *pamh, const struct attempt *a, postern_error *err)
{
    if (a->is_token && pam_set_item(pamh, PAM_AUTHTOK, NULL) != PAM_SUCCESS)
        return POSTERN_FAIL(err, INTERNAL, "the token could not be taken from PAM_AUTHTOK");
    return POSTERN_OK;
}

static postern_err admit(pam_handle_t *pamh, struct attempt *a)
{
    if (a->grant == NULL)
        return POSTERN_FAIL(&a->err, INTERNAL, "a verdict without a grant");
    POSTERN_TRY(module_proof_keep(pamh, a->grant, wall_s(), &a->err));
    return fill_user(pamh, a);
}

/* A reference leads to the helper's own record; only what the helper did not see needs its detail.
 */
static void log_attempt(pam_handle_t *pamh, const struct attempt *a, postern_err e)
{
    const char *ref = a->grant != NULL ? postern_grant_ref(a->grant) : a->failure.ref;
    bool is_helpers = a->grant == NULL && !is_empty(ref);

    module_log(pamh, &(struct module_verdict){
                         .service = a->options.service,
                         .code = e,
                         .ref = ref,
                         .user = e == POSTERN_OK ? postern_grant_user(a->grant) : NULL,
                         .detail = is_helpers ? "" : a->err.detail,
                     });
}

EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct attempt a = { 0 };
    postern_err e = judge(pamh, argc, argv, &a), cleared;

    (void)flags; /* an empty password is no token, and nothing is said to the user */
    if (e == POSTERN_AGAIN)
        return module_result_of(MODULE_AUTH, e);
    cleared = clear_token(pamh, &a, &a.err);
    if (e == POSTERN_OK)
        e = cleared;
    if (e == POSTERN_OK)
        e = admit(pamh, &a);
    log_attempt(pamh, &a, e);
    postern_grant_free(a.grant);
    return module_result_of(MODULE_AUTH, e);
}

/* ---- the rest ---- */

/* A token is no credential that a session could hold; a refusal here would undo the login. */
EXPORTED int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}

EXPORTED int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    const struct module_proof *p = module_proof_find(pamh);
    postern_helper_place options = { 0 };
    postern_error err = { 0 };
    postern_err e;

    (void)flags;
    /* Somebody else let this user in (a password, a key): not ours to judge.  Where this is the
     * only module of the phase, libpam makes a refusal of it. */
    if (p == NULL)
        return PAM_IGNORE;
    e = module_options_read(argc, argv, module_item(pamh, PAM_SERVICE), &options, &err);
    if (e == POSTERN_OK)
        e = module_proof_check(p, module_item(pamh, PAM_USER), wall_s(), &err);
    if (e != POSTERN_OK)
        module_log(
            pamh, &(struct module_verdict){
                      .service = options.service, .code = e, .ref = p->ref, .detail = err.detail });
    return module_result_of(MODULE_ACCOUNT, e);
}
