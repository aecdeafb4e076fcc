/* SPDX-License-Identifier: BSD-2-Clause */
/* The documents by which clients find their way: RFC 8414, OpenID Discovery 1.0 §3, RFC 9728,
 * RFC 7517.  Public. */
#ifndef POSTERN_ISSUER_METADATA_H
#define POSTERN_ISSUER_METADATA_H

#include "answer.h"
#include "issuer.h"

#define METADATA_SCOPES_MAX 65536 /* all services' required scopes together */

/* base + path as a member; the document fails when it does not fit. */
void metadata_put_url(postern_json_writer *w, const char *name, const char *base, const char *path);
/* Words: every scope that some service or door requires, once. */
void metadata_list_scopes(const struct issuer_settings *s, char ret[METADATA_SCOPES_MAX]);
/* A public document whose body is written: 200, or 500. */
void metadata_finish(struct answer *a);

/* One document for both well-known names: RFC 8414 §2 plus the members that OpenID Discovery
 * requires. */
void metadata_server(const struct issuer_settings *s, struct answer *a);
/* RFC 9728 §2 of a service. */
void metadata_service(const struct issuer_settings *s, const struct issuer_service *service,
                      struct answer *a);
/* RFC 9728 §2 of our own whoami. */
void metadata_whoami(const struct issuer_settings *s, struct answer *a);
/* The key set {"keys":[…]}, public members only.  POSTERN_OK · POSTERN_ERR_NOMEM ·
 * POSTERN_ERR_INTERNAL */
POSTERN_MUST_USE postern_err metadata_write_keys(const struct issuer *is, postern_buf *out,
                                                 postern_error *err);
void metadata_keys(const struct issuer *is, struct answer *a);

#endif
