/* SPDX-License-Identifier: BSD-2-Clause */
/* The application's and libpam's side for tests of the PAM module: holds the items and the note of one handle, records the log, answers what
 * a test says.  Defines the functions of libpam that the module calls; a test with it does not link libpam. */
#ifndef TESTS_SUPPORT_FAKE_PAM_H
#define TESTS_SUPPORT_FAKE_PAM_H

#include <security/pam_modules.h>

#define FAKE_PAM_TEXT 32768

struct pam_handle {
    const char *service, *rhost;  /* NULL: unset */
    char        user[1100];       /* "": unset */
    char        authtok[FAKE_PAM_TEXT];
    int         has_authtok;
    const char *typed;            /* what the user answers to a prompt; NULL: the conversation fails with typed_code */
    int         typed_code;
    int         set_item_code, set_data_code; /* not PAM_SUCCESS: that function fails */
    unsigned    prompts;
    void       *data;
    void      (*cleanup)(pam_handle_t *pamh, void *data, int status);
    char        log[8192];        /* "LEVEL text\n" for each line */
};

/* A handle for `service` and `user` (NULL: none), who types `typed`. */
void fake_pam_start(struct pam_handle *h, const char *service, const char *user, const char *typed);
void fake_pam_end(struct pam_handle *h);

#endif
