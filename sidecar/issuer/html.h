/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTML from templates of ours and texts of strangers: a template is a literal, every "{}" in it
 * becomes the next text, escaped for element content and for a quoted attribute alike.  There is
 * no way to put a text in unescaped.  Pure.
 */
#ifndef POSTERN_ISSUER_HTML_H
#define POSTERN_ISSUER_HTML_H

#include <postern/bytes.h>

/* HTML(out, "<p>{} and {}</p>", a, b): as many texts as "{}", or `out` is failed. */
#define HTML(out, template, ...)                                                                   \
    html_put((out), "" template, (const char *const[]){ __VA_ARGS__, NULL })
/* A template without texts. */
#define HTML_TEXTLESS(out, template) html_put((out), "" template, (const char *const[]){ NULL })
void html_put(postern_buf *out, const char *template, const char *const *texts);
/*
 * What a page would not show as it is becomes U+FFFD: control characters, marks that turn the
 * direction of text (Unicode's "Trojan source" set), bytes that are not UTF-8.
 */
void html_escape(postern_buf *out, postern_bytes text);

#endif
