/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of pam_postern.so share.  The module is thin: what was typed in place of a
 * password goes to posternd's helper if it has the form of a token, result.c maps the outcome to a
 * PAM code. It holds no key, checks no token, keeps no state but one note on the PAM handle, starts
 * no thread and no process, and touches no signal: it is a guest in sshd and in PostgreSQL's
 * backends.
 */
#ifndef PAM_MODULE_MODULE_H
#define PAM_MODULE_MODULE_H

#include <security/pam_modules.h>

#include <postern/client.h>
#include <postern/oauthbearer.h>

/* ---- result.c ---- */
/* Which of libpam's questions is answered; each has codes of its own. */
enum module_phase { MODULE_AUTH = 0, MODULE_ACCOUNT };
int module_result_of(enum module_phase phase, postern_err e);

/* ---- options.c ---- */
/*
 * service= and helper_socket= of the PAM line; the service is PAM's own name of it where the line
 * has none.  use_first_pass and try_first_pass are obeyed by libpam, which reads the line too.
 *   pam_service   may be NULL
 *   POSTERN_OK · CONFIG_KEY (anything else on the line) · CONFIG_VALUE
 */
POSTERN_MUST_USE postern_err module_options_read(int argc, const char **argv,
                                                 const char *pam_service,
                                                 postern_helper_place *ret, postern_error *err);

/* ---- password.c ---- */
/*
 * What came in place of a password: from an earlier module or by a prompt without echo.
 *   ret   libpam's memory, wiped by libpam; until PAM_AUTHTOK is set again
 *   POSTERN_OK · NO_TOKEN (none, or nobody to ask) · NOMEM
 *   POSTERN_AGAIN: the application's conversation will have it later
 */
POSTERN_MUST_USE postern_err module_password_get(pam_handle_t *pamh, postern_bytes *ret,
                                                 postern_error *err);
/*
 * Is it a token?  A person's password is none, and no byte of it leaves this process: the helper is
 * asked only how opaque tokens of the service begin.
 *   POSTERN_OK · NO_TOKEN (empty) · MALFORMED (a password, it seems) · SERVICE_UNKNOWN · what
 *   postern_client_describe_start() lists
 */
POSTERN_MUST_USE postern_err module_password_is_token(const postern_helper_place *o,
                                                      postern_bytes password, postern_error *err);

/* ---- account.c ---- */
/* What was proved on this handle, kept for the account phase: no token, nothing secret. */
struct module_proof {
    int64_t exp_s;    /* seconds since 1970 */
    int64_t proved_s; /* likewise */
    char ref[POSTERN_REF_MAX];
    char *user;
};
/* Keep what `g` says; libpam frees it with the handle.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err module_proof_keep(pam_handle_t *pamh, const postern_grant *g,
                                               int64_t now_s, postern_error *err);
/* An attempt begins: what an earlier one on this handle proved counts no longer.  POSTERN_OK ·
 * NOMEM */
POSTERN_MUST_USE postern_err module_proof_forget(pam_handle_t *pamh, postern_error *err);
/* NULL: nothing was proved here. */
const struct module_proof *module_proof_find(const pam_handle_t *pamh);
/*
 * Is it still so?  Pure.
 *   user   PAM_USER as it stands, or NULL
 *   POSTERN_OK · EXPIRED · AUTHZID (another user than the one who was proved)
 */
POSTERN_MUST_USE postern_err module_proof_check(const struct module_proof *p, const char *user,
                                                int64_t now_s, postern_error *err);

/* ---- verdict_log.c ---- */
struct module_verdict {
    const char *service; /* "" unknown */
    postern_err code;
    const char *ref;  /* "" none */
    const char *user; /* who was proved, or NULL: what a stranger typed as his name is not logged */
    const char *detail; /* of ours; "" where the helper's record has more */
};
/* One line to authpriv, never with a byte of what was typed. */
void module_log(pam_handle_t *pamh, const struct module_verdict *v);

/* ---- module.c ---- */
/* A string item of the handle; NULL: it has none. */
const char *module_item(const pam_handle_t *pamh, int item);

#endif
