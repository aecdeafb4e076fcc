/* SPDX-License-Identifier: BSD-2-Clause */
/* The head of an HTTP request to the status listener, judged as a whole: which of three pages, or
 * which refusal.  RFC 9112.  Pure. */
#ifndef POSTERN_CONTROL_STATUS_REQUEST_H
#define POSTERN_CONTROL_STATUS_REQUEST_H

#include <postern/bytes.h>

#define STATUS_HEAD_MAX 8192 /* bytes: probes send a few hundred */

typedef enum status_page {
    STATUS_MORE = 0,    /* the head is not complete */
    STATUS_BAD,         /* 400: no head of HTTP/1.x, a body, too long */
    STATUS_NOT_FOUND,   /* 404 */
    STATUS_NOT_ALLOWED, /* 405: anything but GET */
    STATUS_HEALTHZ,
    STATUS_READYZ,
    STATUS_METRICS
} status_page;

/* `head`: everything received so far. */
status_page status_request_read(postern_bytes head);

#endif
