/* SPDX-License-Identifier: BSD-2-Clause */
/* A registration's body: what is read keeps its bounds and fits together; what is refused says why. */
#include <stdlib.h>

#include "issuer/register_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

static void check_read(const struct register_request *rq)
{
    require(memchr(rq->scopes, '\0', sizeof rq->scopes) != NULL && memchr(rq->title, '\0', sizeof rq->title) != NULL);
    require(memchr(rq->redirects, '\0', sizeof rq->redirects) != NULL && memchr(rq->jwks, '\0', sizeof rq->jwks) != NULL);
    require((rq->grants & REGISTER_GRANT_CODE) == 0 || rq->redirects[0] != '\0');
    require((rq->auth == CLIENT_AUTH_BY_KEY) == (rq->jwks[0] != '\0'));
    require(rq->auth != CLIENT_AUTH_BY_NOTHING || (rq->grants & (REGISTER_GRANT_CLIENT | REGISTER_GRANT_EXCHANGE)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct register_request rq;
    struct register_fault fault = { 0 };

    switch (register_request_read((postern_bytes){ data, size }, &rq, &fault)) {
    case REGISTER_READ:
        check_read(&rq);
        break;
    case REGISTER_REFUSED:
        require(fault.error != NULL && fault.description != NULL && fault.message != NULL);
        break;
    case REGISTER_FAILED:
        break;
    }
    return 0;
}
