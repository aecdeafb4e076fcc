/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The style sheet of the pages: calm, one column, readable on a phone, light or dark as the browser
 * wishes.  Contrasts are at least 4.5 to 1 for text and 3 to 1 for borders of controls (WCAG 2.2
 * §1.4.3, §1.4.11); nothing moves.
 */
#include "page.h"

static const char style[] =
    ":root{color-scheme:light dark;"
    "--ground:#f4f3ef;--card:#fffefb;--ink:#20242a;--soft:#5a616b;--line:#e2dfd6;--edge:#8a8f96;"
    "--accent:#0e5a52;--accent-ink:#fff;--accent-soft:#e6f0ee;--warn:#7a4a00;--warn-soft:#fbf1dd;"
    "--bad:#9c2323;--bad-soft:#fbeaea}"
    "@media (prefers-color-scheme:dark){:root{"
    "--ground:#14181b;--card:#1c2125;--ink:#e9e7e2;--soft:#a3abb3;--line:#30363b;--edge:#7d868f;"
    "--accent:#86cfc1;--accent-ink:#0c2420;--accent-soft:#1d302d;--warn:#edc27a;--warn-soft:#2f2718;"
    "--bad:#f2a3a3;--bad-soft:#331f1f}}"
    "*{box-sizing:border-box}"
    "html{-webkit-text-size-adjust:100%;text-size-adjust:100%}"
    "body{margin:0;min-height:100vh;background:var(--ground);color:var(--ink);"
    "font:1rem/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',sans-serif;"
    "display:flex;flex-direction:column;align-items:center;padding:0 1rem;overflow-wrap:anywhere}"
    "header,main,footer{width:100%;max-width:32rem}"
    "header{display:flex;align-items:center;gap:.75rem;padding:1.25rem .25rem;font-size:.9375rem}"
    ".brand{display:flex;align-items:center;gap:.5rem;font-weight:650;letter-spacing:.01em;margin-right:auto}"
    ".brand svg{width:1.125rem;height:1.375rem;color:var(--accent)}"
    "header form{display:flex;align-items:center;gap:.75rem;margin:0;min-width:0}"
    "header .me{color:var(--soft);min-width:0}"
    "main{background:var(--card);border:1px solid var(--line);border-radius:1rem;padding:1.75rem;"
    "box-shadow:0 1px 2px rgb(0 0 0/.04),0 8px 24px rgb(0 0 0/.05)}"
    "footer{padding:1.25rem .25rem 2rem;color:var(--soft);font-size:.875rem}"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem;font-weight:650;letter-spacing:-.01em}"
    "h2{font-size:1.0625rem;line-height:1.35;margin:0;font-weight:650}"
    "p{margin:0 0 1rem}.lead{color:var(--soft);margin-bottom:1.5rem}.lead b{color:var(--ink);font-weight:600}"
    "code{font:.875em ui-monospace,'SF Mono','Liberation Mono',monospace;color:var(--soft)}"
    "a{color:var(--accent);text-underline-offset:.15em}"
    "fieldset{border:0;margin:0 0 1.5rem;padding:0;min-width:0}"
    "legend{padding:0;font-weight:650;margin-bottom:.5rem}"
    ".field{margin:0 0 1.125rem}.field label{display:block;font-weight:600;margin-bottom:.375rem}"
    "input[type=text],input[type=password]{width:100%;font:inherit;color:inherit;background:var(--card);"
    "border:1px solid var(--edge);border-radius:.625rem;padding:.6875rem .875rem}"
    ".row{display:flex;gap:.75rem;align-items:flex-start;padding:.75rem .875rem;border:1px solid var(--line);"
    "border-bottom-width:0;cursor:pointer}"
    ".row:first-of-type{border-radius:.75rem .75rem 0 0}.row:last-of-type{border-bottom-width:1px;"
    "border-radius:0 0 .75rem .75rem}.row:first-of-type:last-of-type{border-radius:.75rem}"
    ".row input{flex:none;width:1.25rem;height:1.25rem;margin:.125rem 0 0;accent-color:var(--accent)}"
    ".row span{display:block;min-width:0}.row code{display:block}"
    ".row:has(input:checked){background:var(--accent-soft)}"
    ".pills{display:grid;grid-template-columns:repeat(auto-fit,minmax(6.25rem,1fr));gap:.5rem}"
    ".pills label{display:flex;align-items:center;gap:.375rem;min-height:2.75rem;padding:.5rem;"
    "border:1px solid var(--edge);border-radius:.75rem;cursor:pointer}"
    ".pills input{flex:none;width:1.125rem;height:1.125rem;margin:0;accent-color:var(--accent)}"
    ".pills label:has(input:checked){background:var(--accent-soft);border-color:var(--accent)}"
    ".quote{margin:0 0 1.5rem;padding:.125rem 0 .125rem 1rem;border-left:3px solid var(--line)}"
    ".quote blockquote{margin:0;font-style:italic}"
    ".quote figcaption{color:var(--soft);font-size:.875rem;margin-top:.25rem}"
    ".note{border-radius:.75rem;padding:.75rem .875rem;margin:0 0 1.5rem;font-size:.9375rem}"
    ".warn{background:var(--warn-soft);color:var(--warn)}.bad{background:var(--bad-soft);color:var(--bad)}"
    ".good{background:var(--accent-soft);color:var(--accent)}"
    "fieldset .note{margin-bottom:.75rem}h1+.note{margin-top:.875rem}main>:last-child{margin-bottom:0}"
    "details{margin:0 0 1.5rem}summary{cursor:pointer;font-weight:600;padding:.25rem 0}"
    "pre{margin:.5rem 0 0;padding:.75rem .875rem;background:var(--ground);border-radius:.75rem;white-space:pre-wrap;"
    "font:.8125rem/1.5 ui-monospace,'SF Mono','Liberation Mono',monospace}"
    "button{font:inherit;font-weight:600;min-height:2.875rem;padding:.5rem 1.25rem;border-radius:.75rem;cursor:pointer;"
    "border:1px solid var(--edge);background:transparent;color:var(--ink)}"
    "button.primary{background:var(--accent);border-color:var(--accent);color:var(--accent-ink)}"
    "button:hover{border-color:var(--ink)}button.primary:hover{filter:brightness(1.08)}"
    "button.small{min-height:2.25rem;padding:.25rem .875rem;border-radius:.625rem;font-size:.875rem}"
    "header button.small{border-color:var(--line);font-weight:500}"
    "button.end{color:var(--bad)}"
    ".actions{display:flex;flex-wrap:wrap;gap:.75rem}.actions button{flex:1 1 9rem}"
    ".after{color:var(--soft);font-size:.875rem;margin:1rem 0 0}"
    ":focus-visible{outline:3px solid var(--accent);outline-offset:2px}"
    "ul.grants{list-style:none;margin:0;padding:0}"
    "ul.grants>li{padding:1.25rem 0;border-top:1px solid var(--line)}ul.grants>li:last-child{padding-bottom:0}"
    ".head{display:flex;align-items:flex-start;gap:1rem;justify-content:space-between}.head form{margin:0;flex:none}"
    "dl{margin:.625rem 0 0;display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.25rem .875rem;"
    "font-size:.9375rem}"
    "dt{color:var(--soft)}dd{margin:0}"
    ".tag{display:inline-block;font-size:.8125rem;font-weight:600;border-radius:1rem;padding:.0625rem .625rem;"
    "background:var(--warn-soft);color:var(--warn)}"
    "@media (max-width:26rem){body{padding:0 .625rem}main{padding:1.25rem 1.125rem}h1{font-size:1.3125rem}}"
    "@media (forced-colors:active){.row,.pills label,button{border-color:ButtonText}}";

void page_style(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    (void)is; /* the same for everybody */
    (void)rq; /* likewise */
    postern_buf_add_str(&a->body, style);
    a->content_type = "text/css; charset=utf-8";
    a->cache_control = "public, max-age=300";
    a->status = 200;
}
