/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the authentication phase leaves for the account phase on the same PAM handle: whom it proved
 * and until when.  libpam frees it with the handle.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "module.h"

#define PROOF_NAME "postern_proof"
/*
 * How long a login may take whose token was taken within the clock's leeway, after its `exp`: how
 * much leeway the service gives is posternd's to know.  Longer than any stack without a person
 * takes.
 */
#define LATE_LOGIN_S 10

static void free_proof(struct module_proof *p)
{
    if (p == NULL)
        return;
    free(p->user);
    free(p);
}

/* libpam's: at pam_end(), or when the note is replaced. */
static void on_end(pam_handle_t *pamh, void *data, int error_status)
{
    (void)pamh, (void)error_status;
    free_proof(data);
}

static struct module_proof *make_proof(const postern_grant *g, int64_t now_s)
{
    struct module_proof *p = calloc(1, sizeof *p);
    const char *ref = postern_grant_ref(g);

    if (p == NULL)
        return NULL;
    p->exp_s = postern_grant_exp_s(g);
    p->proved_s = now_s;
    if (ref != NULL && strlen(ref) < sizeof p->ref)
        memcpy(p->ref, ref, strlen(ref) + 1);
    p->user = strdup(postern_grant_user(g));
    if (p->user == NULL) {
        free_proof(p);
        return NULL;
    }
    return p;
}

postern_err module_proof_keep(pam_handle_t *pamh, const postern_grant *g, int64_t now_s,
                              postern_error *err)
{
    struct module_proof *p = make_proof(g, now_s);

    if (p == NULL)
        return POSTERN_FAIL(err, NOMEM, "account phase");
    if (pam_set_data(pamh, PROOF_NAME, p, on_end) != PAM_SUCCESS) {
        free_proof(p);
        return POSTERN_FAIL(err, NOMEM, "pam_set_data");
    }
    return POSTERN_OK;
}

postern_err module_proof_forget(pam_handle_t *pamh, postern_error *err)
{
    if (module_proof_find(pamh) == NULL)
        return POSTERN_OK;
    if (pam_set_data(pamh, PROOF_NAME, NULL, NULL) != PAM_SUCCESS)
        return POSTERN_FAIL(err, NOMEM, "pam_set_data");
    return POSTERN_OK;
}

const struct module_proof *module_proof_find(const pam_handle_t *pamh)
{
    const void *data = NULL;

    return pam_get_data(pamh, PROOF_NAME, &data) == PAM_SUCCESS ? data : NULL;
}

postern_err module_proof_check(const struct module_proof *p, const char *user, int64_t now_s,
                               postern_error *err)
{
    int64_t end_s = p->exp_s; /* RFC 7519 §4.1.4: "on or after" */

    if (p->proved_s >= p->exp_s)
        end_s = p->proved_s + LATE_LOGIN_S;
    if (user == NULL || strcmp(user, p->user) != 0)
        return POSTERN_FAIL(err, AUTHZID, "the user is another one than was proved");
    if (now_s >= end_s)
        return POSTERN_FAIL(err, EXPIRED, "since it was proved, %" PRId64 " s ago",
                            now_s - p->proved_s);
    return POSTERN_OK;
}
