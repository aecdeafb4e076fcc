/* SPDX-License-Identifier: BSD-2-Clause */
/* The two files of `postern init`: what stands in them, and how they come into the folder so that
 * it never holds half of one, and can be put back as it was. */
#ifndef POSTERN_CLI_INIT_FILES_H
#define POSTERN_CLI_INIT_FILES_H

#include <sys/types.h>

#include <postern/bytes.h>

#define INIT_TEXT_MAX 32768 /* a file of ours: a dozen lines, a few of them URLs */
#define INIT_PATH_MAX 4096

struct init_issuer_text {
    const char *issuer, *provider;
    const char *tls_ca_file, *jwks_file; /* NULL: none */
    bool allow_loopback_http;
};
struct init_service_text {
    const char *audience, *issuer_name, *peers, *scopes, *require_tls;
    const char *mech_list, *username_chars; /* these and scopes: "" for none */
};
void init_write_issuer(const struct init_issuer_text *t, postern_buf *out);
void init_write_service(const struct init_service_text *t, postern_buf *out);

/* One file on its way. */
struct init_file {
    char path[INIT_PATH_MAX];
    postern_buf text;
    postern_buf before; /* what was there, when `had` */
    mode_t mode;
    bool had, is_done;
};

/*
 * Put it there, mode 0644 or what one had that was there, all or nothing, with the folders above it
 * that are missing (0755).
 *   may_replace   false: one that is there already is an error, and stays
 *   POSTERN_OK · CONFIG_CONFLICT (it is there) · CONFIG_FILE · NOMEM
 */
POSTERN_MUST_USE postern_err init_file_put(struct init_file *f, bool may_replace,
                                           postern_error *err);
/* As it was before init_file_put(); nothing when that was not done. */
POSTERN_MUST_USE postern_err init_file_take_back(struct init_file *f, postern_error *err);
void init_file_free(struct init_file *f);

#endif
