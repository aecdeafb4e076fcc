/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration, saslauthd style: `key: value` files below one folder, every setting a row of
 * lib/oauth/config_keys.def (name, sections, type, default, range, meaning).  Read once,
 * immutable after; see postern.conf(5).
 */
#ifndef POSTERN_CONFIG_H
#define POSTERN_CONFIG_H

#include <postern/bytes.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_CONFIG_DIR_DEFAULT "/etc/postern"

typedef struct postern_config  postern_config;
/* One file's settings, defaults filled in; owned by the config. */
typedef struct postern_section postern_section;

typedef enum postern_section_kind {
    POSTERN_SECTION_NONE = 0,
    POSTERN_SECTION_DAEMON,  /* postern.conf            (D) always there, perhaps all defaults */
    /* issuers/NAME.conf       (I) an authorization server that is trusted. */
    POSTERN_SECTION_ISSUER,
    POSTERN_SECTION_SERVICE, /* services/NAME.conf      (S) a host that asks the helper */
    POSTERN_SECTION_DOOR,    /* doors/NAME.conf         (L) a TCP service that posternd guards */
    POSTERN_SECTION_SERVER,  /* issuer.conf             (A) the embedded authorization server */
    POSTERN_SECTION_CLIENT   /* client.conf, clients/NAME.conf (C) an agent's own credentials */
} postern_section_kind;

/*
 * Read and judge a whole folder (DAEMON, ISSUER, SERVICE, DOOR, SERVER sections).  Blocking file
 * reads.
 *
 *   POSTERN_OK · POSTERN_ERR_CONFIG_* with file:line:column and, for an unknown key, the nearest
 *   name · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_config_load(const char *dir, postern_config **ret,
                                                 postern_error *err);
/*
 * Read what postern_config_dump() wrote, origins included: how a process that may open no
 * configuration file gets one.  No file is read; policies and keys are not part of it.
 *   POSTERN_OK · POSTERN_ERR_CONFIG_* (not a dump, or not one of this version) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_config_load_dump(postern_bytes dump, postern_config **ret,
                                                      postern_error *err);
/* policies/NAME.rules of the folder that `c` was loaded from.  POSTERN_OK · POSTERN_ERR_CONFIG_FILE
 * · POSTERN_ERR_USAGE (no folder) · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err postern_config_read_policy(const postern_config *c, const char *name,
                                                        postern_buf *out, postern_error *err);
/* Read one client file (CLIENT section). */
POSTERN_MUST_USE postern_err postern_config_load_client(const char *file, postern_config **ret,
                                                        postern_error *err);
/*
 * A configuration without files that trusts one issuer for one audience from one key-set file,
 * with token-only checks (no mapping, no TLS demand): `postern verify --issuer`.  The only
 * service is named "token".
 */
POSTERN_MUST_USE postern_err postern_config_new_token_check(
    const char *issuer, const char *audience, const char *jwks_file,
    const char *const *required_scopes, postern_config **ret, postern_error *err);
/* The same for several audiences (NULL behind the last), any of which will do: how an issuer judges
 * a token of its own that comes back.  clock_skew is the longest that a verifier may have. */
POSTERN_MUST_USE postern_err postern_config_new_audience_check(const char *issuer,
                                                               const char *const *audiences,
                                                               const char *jwks_file,
                                                               postern_config **ret,
                                                               postern_error *err);
/*
 * The whole configuration as valid files, one after the other, each behind a line "# ==
 * services/imap.conf ==" and each value under a comment with its origin.  Split there and loaded
 * again it holds the same settings; from then on the dump is the same byte for byte.
 */
void postern_config_dump(const postern_config *c, postern_buf *out);
/* One line for each default that a file has relaxed, to be logged at start; nothing when there
 * is none. */
void postern_config_relaxations(const postern_config *c, postern_buf *out);
void postern_config_free(postern_config *c);
static inline void postern_auto_config(postern_config **c) { postern_config_free(*c); }

/* NULL: none; name NULL for DAEMON, SERVER, CLIENT. */
const postern_section *postern_config_section(const postern_config *c, postern_section_kind kind,
                                              const char *name);
/* NULL past the end. */
const postern_section *postern_config_section_at(const postern_config *c, postern_section_kind kind,
                                                 size_t i);
/* By file name or service_names; a door is no service. */
const postern_section *postern_config_service_for(const postern_config *c,
                                                  const char *service_name);
/* The ith issuer file whose tokens a service or door takes; NULL past the last one. */
const postern_section *postern_config_trusted_by(const postern_config *c,
                                                 const postern_section *service, size_t i);
/* No letter may stand in a name in both cases, whichever of the issuers says it: where a host folds
 * names, ALICE of an issuer is then never its alice. */
bool postern_config_names_have_one_case(const postern_config *c, const postern_section *service);

/* Values.  Asking for a key that the table does not list for this kind of section aborts: a bug
 * of ours. */
const char *postern_section_name(const postern_section *s);                   /* "imap", or "" */
/* NULL when unset and without default. */
const char *postern_section_text(const postern_section *s, const char *key);
size_t      postern_section_count(const postern_section *s, const char *key); /* words of a list */
/* NULL past the end. */
const char *postern_section_item(const postern_section *s, const char *key, size_t i);
bool        postern_section_flag(const postern_section *s, const char *key);
/* Counts; durations in seconds. */
int64_t     postern_section_number(const postern_section *s, const char *key);
/* Written in a file, not a default. */
bool        postern_section_has(const postern_section *s, const char *key);
/* "services/imap.conf:3" or "default". */
const char *postern_section_origin(const postern_section *s, const char *key);

/* Command-line tools: print the table itself (manual page, shell completion). */
void postern_config_describe_keys(postern_buf *out);

#ifdef __cplusplus
}
#endif
#endif
