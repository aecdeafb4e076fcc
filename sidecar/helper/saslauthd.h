/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * saslauthd's protocol, as libsasl's `pwcheck_method: saslauthd` speaks it: a stream with one request
 * and one answer.  Strings with a length of two bytes before them, the high one first: login, password,
 * service, realm; newer libraries add the client's address.  Pure: bytes in, views out.
 */
#ifndef POSTERN_SIDECAR_HELPER_SASLAUTHD_H
#define POSTERN_SIDECAR_HELPER_SASLAUTHD_H

#include <postern/request.h>

/* Bytes of login, service, realm and address each: a file name, a domain name; saslauthd's own limit is
 * 256 for every field. */
#define SASLAUTHD_NAME_MAX 255
/* Bytes of a whole request.  libsasl sends at most 8192; the longest token may come from others. */
#define SASLAUTHD_REQUEST_MAX (5 * 2 + 4 * SASLAUTHD_NAME_MAX + POSTERN_TOKEN_MAX)

struct saslauthd_request { /* views of what was read */
    postern_bytes login, password, service, realm;
    postern_bytes peer; /* the fifth; empty: did not come with the others */
};

typedef enum saslauthd_progress {
    SASLAUTHD_REFUSED = 0, /* a field is longer than it may be, or something stands behind the last */
    SASLAUTHD_MORE,        /* good so far */
    SASLAUTHD_WHOLE        /* all four are there */
} saslauthd_progress;

/* What came so far, from its first byte.  `ret` is set on SASLAUTHD_WHOLE. */
saslauthd_progress saslauthd_read(postern_bytes in, struct saslauthd_request *ret);

#endif
