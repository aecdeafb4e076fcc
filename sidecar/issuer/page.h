/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all pages share: the frame around them, the style sheet, pages that say what went wrong, and
 * redirects.  Plain HTML and CSS, no script, nothing from elsewhere.
 */
#ifndef POSTERN_ISSUER_PAGE_H
#define POSTERN_ISSUER_PAGE_H

#include "answer.h"
#include "html.h"
#include "issuer.h"

struct page {
    const char *title;       /* static */
    /* Where its forms may lead beside ourselves (Content-Security-Policy: form-action; Chromium
     * holds a redirect after a form against it too): a redirect URI, or "". */
    const char *leads_to;
    const char *user;        /* whose log-out button stands on top; NULL: nobody's */
    const char *logout_token;
};

/* Begin a page: headers and the frame; the body's content goes to a->body then. */
void page_open(const struct issuer *is, const struct page *page, struct answer *a);
/* End it; a page that did not fit in memory becomes a 500. */
void page_close(const struct issuer *is, int status, struct answer *a);

/* A page of its own: `what` in a few words, `advice` in one or two sentences; both static. */
void page_problem(const struct issuer *is, int status, const char *what, const char *advice,
                  struct answer *a);
void page_internal(const struct issuer *is, struct answer *a);
/* 429 with Retry-After. */
void page_too_many(const struct issuer *is, int wait_s, struct answer *a);
/* 303 to a path of ours with `query` behind it ("": none). */
void page_redirect(const struct issuer *is, const char *path, const char *query,
                   struct answer *a);
/* GET /oauth/style.css */
void page_style(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
