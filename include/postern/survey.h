/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One look at an authorization server: its metadata (RFC 8414, OpenID Connect Discovery), its key
 * set (RFC 7517) and its clock.  For tools that set a service up or say what is wrong with it;
 * logins are judged by a context, which keeps what it fetches.  Asks by the same rules: https, http
 * to loopback where that is allowed, no redirects, and an issuer that names itself as it was called.
 */
#ifndef POSTERN_SURVEY_H
#define POSTERN_SURVEY_H

#include <sys/types.h>

#include <postern/op.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_SURVEY_URL_MAX  2048 /* bytes with NUL: the longest URL that is fetched */
#define POSTERN_SURVEY_ALGS_MAX 128  /* bytes with NUL: every algorithm that Postern knows, and room */

typedef struct postern_survey_target {
    const char *issuer;      /* URL without query */
    const char *jwks_uri;    /* NULL: by the metadata; otherwise no metadata is asked for */
    const char *jwks_file;   /* NULL: by HTTP; otherwise nobody is asked at all */
    const char *tls_ca_file; /* NULL: the system's */
    bool        allow_loopback_http;
    /* Loopback http: whose listener is believed, besides root's. */
    uid_t       listener_uid;
} postern_survey_target;

/* What was found as far as the look got; texts are "" where there is nothing. */
typedef struct postern_survey {
    char    metadata_url[POSTERN_SURVEY_URL_MAX];  /* where the document was */
    char    jwks_uri[POSTERN_SURVEY_URL_MAX];      /* or the file */
    char    introspection[POSTERN_SURVEY_URL_MAX]; /* introspection_endpoint, RFC 7662 */
    char    token_endpoint[POSTERN_SURVEY_URL_MAX];
    bool    has_keys;     /* a key set was read, perhaps an empty one */
    size_t  key_count;    /* usable ones */
    size_t  skipped_count;
    char    algorithms[POSTERN_SURVEY_ALGS_MAX]; /* that the keys can verify: "RS256 ES256" */
    int64_t max_age_s;    /* how long the set may be kept, by Cache-Control; -1: not said */
    int64_t written_s;    /* when the file was written; -1: no file */
    int64_t date_s;       /* the server's clock (Date); -1: not said */
    int64_t came_s;       /* ours, when that answer came, or the file was read */
} postern_survey;

/*
 *   target   copied
 *   clock    copied; NULL: the system's
 *   POSTERN_OK · POSTERN_ERR_USAGE (no issuer URL, a text that is too long) · POSTERN_ERR_NOMEM ·
 *   POSTERN_ERR_SYSTEM; postern_op_step() says ISSUER_UNREACHABLE · ISSUER_UNTRUSTED ·
 *   ISSUER_ANSWER · TIMEOUT · CONFIG_FILE (jwks_file, tls_ca_file) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_survey_start(const postern_survey_target *target,
                                                  const postern_clock *clock, postern_op **ret_op,
                                                  postern_error *err);
/* When there is a verdict, whichever; the op's own.  NULL: none yet, or another op. */
const postern_survey *postern_survey_result(const postern_op *op);

#ifdef __cplusplus
}
#endif
#endif
