/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's reader of a plugin's frame: whatever is accepted keeps the bounds that the rest of
 * the helper relies on. */
#include <stdlib.h>

#include "helper/handles.h"
#include "helper/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void check_request(const struct helper_request *r)
{
    demand(strlen(r->nonce) == POSTERN_NONCE_TEXT_LEN);
    demand(r->rq.service[0] != '\0' && strlen(r->rq.service) <= REQUEST_SERVICE_MAX);
    demand(r->is_describe == (r->rq.token.len == 0) && r->rq.token.len <= POSTERN_TOKEN_MAX);
    demand(r->rq.authzid == NULL || !postern_bytes_has_control(postern_bytes_str(r->rq.authzid)));
    demand(!r->is_handle || (!r->is_describe && r->uses >= 1 && r->uses <= HANDLE_USES_MAX));
    demand(r->is_describe ||
           (helper_carrier_word(r->rq.carrier) != NULL && helper_tls_word(r->rq.tls) != NULL));
    for (size_t i = 0; r->rq.extra_scopes != NULL && r->rq.extra_scopes[i] != NULL; i++)
        demand(i < REQUEST_SCOPES_MAX && r->rq.extra_scopes[i][0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct helper_request r = { 0 };
    postern_error err = { 0 };
    postern_err e = helper_request_read((postern_bytes){ data, size }, &r, &err);

    demand(e == POSTERN_OK || e == POSTERN_ERR_HELPER_PROTOCOL);
    if (e == POSTERN_OK)
        check_request(&r);
    else
        demand(err.detail[0] != '\0');
    helper_request_free(&r);
    return 0;
}
