/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks of `postern doctor` (doctor.c).  Each one adds what it finds to a report. */
#ifndef POSTERN_CLI_DOCTOR_H
#define POSTERN_CLI_DOCTOR_H

#include <postern/config.h>

#include "child_run.h"
#include "doctor_report.h"
#include "hosts.h"

struct doctor {
    /* asked for */
    const char *service, *config_dir, *module_dir, *conf_dir, *peer;
    uid_t helper_uid;
    bool is_json, is_help;
    /* in hand */
    const postern_config *config;
    const postern_section *section; /* the service's file */
    const char *host_service; /* as the host calls itself: where the file has service_names, one */
    const struct host *row;
    struct doctor_report report;
};

/* Folder and file of what the host loads, and what came of loading it. */
void doctor_check_plugin(struct doctor *d, const struct child_user *as);
void doctor_check_mechanism(struct doctor *d, const struct child_user *as);
void doctor_check_pam(struct doctor *d, const struct child_user *as);
void doctor_check_postgresql(struct doctor *d, const struct child_user *as);
/* The helper's sockets, as the users of helper_peers and of the host. */
void doctor_check_sockets(struct doctor *d);
/* Whom the host runs as; false: nobody is known, and the caller's own eyes must do. */
bool doctor_find_user(struct doctor *d, struct child_user *ret);
/* Every issuer that the service trusts: keys and clock. */
void doctor_check_issuers(struct doctor *d);
/* A token from standard input. */
void doctor_check_token(struct doctor *d);

/* What the child for libsasl is told, and does there (doctor_sasl.c, or doctor_nosasl.c where
 * Postern is built without SASL). */
struct doctor_sasl {
    const char *module_dir, *app, *service, *conf_dir, *conf_file; /* NULL: libsasl's own */
};
void doctor_sasl_load(void *arg, FILE *out);
void doctor_sasl_offer(void *arg, FILE *out);

#endif
