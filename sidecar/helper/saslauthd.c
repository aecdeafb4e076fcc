/* SPDX-License-Identifier: BSD-2-Clause */
/* saslauthd's protocol (sidecar/helper/saslauthd.h). */
#include "config.h"

#include "saslauthd.h"

/* One counted string.  A length that is too great is refused before a byte of it is waited for. */
static saslauthd_progress take_field(postern_bytes *in, size_t max, postern_bytes *ret)
{
    size_t len;

    if (in->len < 2)
        return SASLAUTHD_MORE;
    len = (size_t)in->ptr[0] << 8 | in->ptr[1];
    if (len > max)
        return SASLAUTHD_REFUSED;
    if (in->len - 2 < len)
        return SASLAUTHD_MORE;
    *ret = (postern_bytes){ in->ptr + 2, len };
    *in = (postern_bytes){ in->ptr + 2 + len, in->len - 2 - len };
    return SASLAUTHD_WHOLE;
}

/* For the record alone, so it is never waited for; but who sends more than that sends no request. */
static saslauthd_progress take_peer(postern_bytes in, postern_bytes *ret)
{
    saslauthd_progress p = take_field(&in, SASLAUTHD_NAME_MAX, ret);

    if (p == SASLAUTHD_MORE)
        return SASLAUTHD_WHOLE;
    return p == SASLAUTHD_WHOLE && in.len == 0 ? SASLAUTHD_WHOLE : SASLAUTHD_REFUSED;
}

saslauthd_progress saslauthd_read(postern_bytes in, struct saslauthd_request *ret)
{
    struct saslauthd_request rq = { .peer = POSTERN_BYTES_NONE };
    const struct {
        postern_bytes *field;
        size_t max;
    } fields[] = {
        { &rq.login, SASLAUTHD_NAME_MAX },
        { &rq.password, POSTERN_TOKEN_MAX },
        { &rq.service, SASLAUTHD_NAME_MAX },
        { &rq.realm, SASLAUTHD_NAME_MAX },
    };
    saslauthd_progress p;

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if ((p = take_field(&in, fields[i].max, fields[i].field)) != SASLAUTHD_WHOLE)
            return p;
    p = take_peer(in, &rq.peer);
    if (p == SASLAUTHD_WHOLE)
        *ret = rq;
    return p;
}
