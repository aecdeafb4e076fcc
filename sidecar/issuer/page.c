/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame of the pages; see page.h.  RFC 9700 §4.16 (no frames), OAuth 2.1 §7.5.3 (303). */
#include "page.h"

#include <stdio.h>

/* ---- headers ---- */

/*
 * What form-action may name for a redirect URI (Content Security Policy 3 §2.3.1): an origin, or a
 * scheme, which is all there is of a private one and all that can be said of [::1].  The URI is
 * registered, so its characters are harmless here.
 */
static postern_bytes source_of(const char *uri)
{
    size_t scheme = strcspn(uri, ":");
    bool is_web = strncmp(uri, "https://", 8) == 0 || strncmp(uri, "http://", 7) == 0;
    size_t authority = is_web ? scheme + 3 : scheme;

    if (uri[0] == '\0')
        return POSTERN_BYTES_NONE;
    if (!is_web || uri[authority] == '[')
        return (postern_bytes){ (const uint8_t *)uri, scheme + 1 };
    return (postern_bytes){ (const uint8_t *)uri, authority + strcspn(uri + authority, "/?") };
}

static void set_headers(const char *leads_to, struct answer *a)
{
    postern_bytes source = source_of(leads_to);

    a->content_type = "text/html; charset=utf-8";
    a->cache_control = "no-store";
    (void)snprintf(a->page_policy, sizeof a->page_policy,
                   "default-src 'none'; style-src 'self'; form-action 'self'%s%.*s; "
                   "base-uri 'none'; frame-ancestors 'none'",
                   source.len == 0 ? "" : " ", (int)source.len,
                   source.len == 0 ? "" : (const char *)source.ptr); /* fits: a redirect URI is bounded */
}

/* ---- the frame ---- */

static void put_user(const struct issuer *is, const struct page *page, postern_buf *out)
{
    if (page->user == NULL)
        return;
    HTML(out,
         "<form method=\"post\" action=\"{}/oauth/logout\"><span class=\"me\"><bdi>{}</bdi></span>"
         "<input type=\"hidden\" name=\"form_token\" value=\"{}\">"
         "<button class=\"small\">Log out</button></form>",
         is->settings->path, page->user, page->logout_token);
}

void page_open(const struct issuer *is, const struct page *page, struct answer *a)
{
    postern_buf *out = &a->body;

    postern_buf_reset(out);
    postern_buf_reset(&a->location);
    set_headers(page->leads_to, a);
    HTML(out,
         "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} · Postern</title>"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
         "<meta name=\"color-scheme\" content=\"light dark\">"
         "<meta name=\"robots\" content=\"noindex\">"
         "<link rel=\"stylesheet\" href=\"{}/oauth/style.css\"></head><body>",
         page->title, is->settings->path);
    HTML_TEXTLESS(out,
         "<header><span class=\"brand\"><svg viewBox=\"0 0 18 22\" fill=\"none\" stroke=\"currentColor\" "
         "stroke-width=\"2\" stroke-linecap=\"round\" aria-hidden=\"true\" focusable=\"false\">"
         "<path d=\"M2 21V9a7 7 0 0 1 14 0v12M1 21h16\"/><path d=\"M12 13.5h.01\"/></svg>Postern</span>");
    put_user(is, page, out);
    HTML_TEXTLESS(out, "</header>\n<main>");
}

void page_close(const struct issuer *is, int status, struct answer *a)
{
    HTML(&a->body, "</main>\n<footer>This is the login of <bdi>{}</bdi>.</footer></body></html>\n",
         is->settings->host);
    if (a->body.failed)
        answer_internal(a);
    else
        a->status = status;
}

/* ---- whole pages ---- */

void page_problem(const struct issuer *is, int status, const char *what, const char *advice,
                  struct answer *a)
{
    struct page page = { .title = what, .leads_to = "" };

    page_open(is, &page, a);
    HTML(&a->body, "<h1>{}</h1><p class=\"lead\">{}</p>", what, advice);
    page_close(is, status, a);
}

void page_internal(const struct issuer *is, struct answer *a)
{
    page_problem(is, 500, "That did not work",
                 "The server could not do it. Try again in a moment; if it stays so, ask the "
                 "administrator to read posternd's log.",
                 a);
}

void page_too_many(const struct issuer *is, int wait_s, struct answer *a)
{
    char advice[160];

    (void)snprintf(advice, sizeof advice,
                   "There were too many attempts to log in. Wait %d second%s, then try again.",
                   wait_s, wait_s == 1 ? "" : "s"); /* fits any int */
    page_problem(is, 429, "Slow down, please", advice, a);
    a->retry_after_s = wait_s;
}

void page_redirect(const struct issuer *is, const char *path, const char *query, struct answer *a)
{
    postern_buf_reset(&a->location);
    postern_buf_add_str(&a->location, is->settings->path);
    postern_buf_add_str(&a->location, path);
    if (query[0] != '\0')
        postern_buf_add_byte(&a->location, '?');
    postern_buf_add_str(&a->location, query);
    a->status = 303;
}
