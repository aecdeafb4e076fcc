/* SPDX-License-Identifier: BSD-2-Clause */
/* saslauthd's protocol: whatever is accepted keeps its bounds, however it was cut on its way, and what
 * becomes of it in the helper is plain text or refused. */
#include <stdlib.h>

#include <postern/oauthbearer.h>

#include "helper/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static bool is_inside(postern_bytes view, const uint8_t *data, size_t size, size_t max)
{
    return view.len <= max &&
           (view.len == 0 || (view.ptr >= data && view.ptr + view.len <= data + size));
}

static void check_request(const struct saslauthd_request *s)
{
    struct helper_request r = { 0 };
    postern_err e = helper_request_from_saslauthd(s, &r, NULL);

    demand(e == POSTERN_OK || e == POSTERN_ERR_AUTHZID || e == POSTERN_ERR_HELPER_PROTOCOL);
    if (e == POSTERN_OK) {
        demand(r.is_saslauthd && r.rq.carrier == POSTERN_CARRIER_PASSWORD);
        demand(postern_bytes_equal_ct(r.rq.token, s->password));
        demand(r.rq.authzid[0] != '\0' && strlen(r.rq.authzid) < POSTERN_AUTHZID_MAX);
        demand(!postern_bytes_has_control(postern_bytes_str(r.rq.authzid)));
        demand(r.rq.service[0] != '\0' && strlen(r.rq.service) == s->service.len);
        demand(r.rq.peer == NULL || !postern_bytes_has_control(postern_bytes_str(r.rq.peer)));
    }
    helper_request_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct saslauthd_request s, cut;
    saslauthd_progress p = saslauthd_read((postern_bytes){ data, size }, &s);

    if (p == SASLAUTHD_WHOLE) {
        demand(is_inside(s.login, data, size, SASLAUTHD_NAME_MAX));
        demand(is_inside(s.password, data, size, POSTERN_TOKEN_MAX));
        demand(is_inside(s.service, data, size, SASLAUTHD_NAME_MAX));
        demand(is_inside(s.realm, data, size, SASLAUTHD_NAME_MAX));
        demand(is_inside(s.peer, data, size, SASLAUTHD_NAME_MAX));
        check_request(&s);
    }
    /* A beginning of what is not refused is not refused. */
    if (p != SASLAUTHD_REFUSED && size != 0)
        demand(saslauthd_read((postern_bytes){ data, size / 2 }, &cut) != SASLAUTHD_REFUSED);
    demand(p != SASLAUTHD_MORE || size < SASLAUTHD_REQUEST_MAX);
    return 0;
}
