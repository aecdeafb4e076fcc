/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One HTTP request of a browser that comes back from the login page (RFC 9112, RFC 8252 §7.3): just
 * enough of HTTP to tell the one request that is waited for from all others, and the pages that are
 * answered.  Bytes in, bytes out; opens no socket.
 */
#ifndef POSTERN_CLI_LOGIN_CALLBACK_H
#define POSTERN_CLI_LOGIN_CALLBACK_H

#include <postern/bytes.h>

/* Bytes of a request's head: the query (8 KiB at most), and a browser's header fields. */
#define LOGIN_REQUEST_MAX 16384

enum login_request {
    LOGIN_REQUEST_BAD = 0,  /* not HTTP, too long, with a body: answer and close */
    LOGIN_REQUEST_MORE,     /* not whole yet */
    LOGIN_REQUEST_OTHER,    /* some other resource */
    LOGIN_REQUEST_START,    /* GET /start for this host: where is the login page? */
    LOGIN_REQUEST_CALLBACK, /* GET /callback?QUERY for this host */
};

/*
 *   head        all that came so far
 *   authority   "127.0.0.1:PORT": what Host must say, so that no other name was made to lead here
 *   ret_query   of CALLBACK: a view into head, without '?'
 */
enum login_request login_request_read(postern_bytes head, const char *authority,
                                      postern_bytes *ret_query);

enum login_page {
    LOGIN_PAGE_BAD = 0,    /* 400 */
    LOGIN_PAGE_NOT_FOUND,  /* 404 */
    LOGIN_PAGE_NOT_LED,    /* 404: somebody else's browser, or not known whose */
    LOGIN_PAGE_RECEIVED,   /* 200: the answer is here */
};
/* A whole response, static: no script, no reference, nothing of the request in it. */
postern_bytes login_page(enum login_page page);
/* The response that leads a browser to `url`, which holds URI characters alone. */
void login_lead(const char *url, postern_buf *out);

#endif
