/* SPDX-License-Identifier: BSD-2-Clause */
/* See fake_pam.h. */
#include "fake_pam.h"

#include <security/pam_ext.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_pam_start(struct pam_handle *h, const char *service, const char *user, const char *typed)
{
    memset(h, 0, sizeof *h);
    h->service = service;
    h->typed = typed;
    h->typed_code = PAM_CONV_ERR;
    if (user != NULL)
        (void)snprintf(h->user, sizeof h->user, "%s", user);
}

void fake_pam_end(struct pam_handle *h)
{
    (void)pam_set_data(h, "any", NULL, NULL);
}

int pam_get_item(const pam_handle_t *h, int item, const void **ret)
{
    switch (item) {
    case PAM_SERVICE:
        *ret = h->service;
        return PAM_SUCCESS;
    case PAM_USER:
        *ret = h->user[0] == '\0' ? NULL : h->user;
        return PAM_SUCCESS;
    case PAM_RHOST:
        *ret = h->rhost;
        return PAM_SUCCESS;
    default:
        abort(); /* nothing else is the module's business */
    }
}

int pam_set_item(pam_handle_t *h, int item, const void *value)
{
    if (h->set_item_code != PAM_SUCCESS)
        return h->set_item_code;
    if (item == PAM_AUTHTOK && value == NULL) {
        memset(h->authtok, 0, sizeof h->authtok);
        h->has_authtok = 0;
        return PAM_SUCCESS;
    }
    if (item != PAM_USER)
        abort();
    (void)snprintf(h->user, sizeof h->user, "%s", (const char *)value);
    return PAM_SUCCESS;
}

int pam_set_data(pam_handle_t *h, const char *name, void *data, void (*cleanup)(pam_handle_t *pamh, void *data, int status))
{
    (void)name;
    if (h->set_data_code != PAM_SUCCESS)
        return h->set_data_code;
    if (h->data != NULL && h->cleanup != NULL)
        h->cleanup(h, h->data, PAM_DATA_REPLACE);
    h->data = data;
    h->cleanup = cleanup;
    return PAM_SUCCESS;
}

int pam_get_data(const pam_handle_t *h, const char *name, const void **ret)
{
    (void)name;
    *ret = h->data;
    return h->data == NULL ? PAM_NO_MODULE_DATA : PAM_SUCCESS;
}

int pam_get_authtok(pam_handle_t *h, int item, const char **ret, const char *prompt)
{
    (void)item, (void)prompt;
    if (!h->has_authtok) {
        h->prompts++;
        if (h->typed == NULL)
            return h->typed_code;
        (void)snprintf(h->authtok, sizeof h->authtok, "%s", h->typed);
        h->has_authtok = 1;
    }
    *ret = h->authtok;
    return PAM_SUCCESS;
}

void pam_syslog(const pam_handle_t *h, int level, const char *fmt, ...)
{
    struct pam_handle *to = (struct pam_handle *)h;
    size_t len = strlen(to->log);
    va_list args;

    len += (size_t)snprintf(to->log + len, sizeof to->log - len, "%d ", level);
    va_start(args, fmt);
    len += (size_t)vsnprintf(to->log + len, sizeof to->log - len, fmt, args);
    va_end(args);
    if (len + 2 > sizeof to->log)
        abort();
    to->log[len] = '\n';
    to->log[len + 1] = '\0';
}
