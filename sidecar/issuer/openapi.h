/* SPDX-License-Identifier: BSD-2-Clause */
/* /openapi.json (OpenAPI 3.1): what agents may ask here, for the tools that read such documents.
 * Only routes that the server has are in it (routes.h). */
#ifndef POSTERN_ISSUER_OPENAPI_H
#define POSTERN_ISSUER_OPENAPI_H

#include "answer.h"
#include "issuer.h"

void openapi_document(const struct issuer *is, struct answer *a);
/* Is there a description of that path?  Pages for people have none: tests say which. */
bool openapi_describes(const char *path);

#endif
