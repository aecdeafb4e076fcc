/* SPDX-License-Identifier: BSD-2-Clause */
/* Which handler answers which path and method; everything that http.c needs of the issuer. */
#ifndef POSTERN_ISSUER_ROUTES_H
#define POSTERN_ISSUER_ROUTES_H

#include "answer.h"
#include "issuer.h"

/* Path of a route behind the issuer's own path; NULL behind the last. */
const char *routes_path(size_t i);
bool routes_has(const char *path);
/* Always leaves a complete answer. */
void routes_answer(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
