/* SPDX-License-Identifier: BSD-2-Clause */
/* A browser for unit tests: keeps the cookie, follows no redirect, finds hidden fields, sends forms. */
#ifndef TESTS_UNIT_PAGES_BROWSER_H
#define TESTS_UNIT_PAGES_BROWSER_H

#include "issuer_fixture.h"
#include "issuer/store_users.h"

#define ALICE_PASSWORD "correct horse battery staple"
#define AGENT_REDIRECT "http://127.0.0.1/callback"
#define AGENT_REDIRECT_SENT "http://127.0.0.1:40123/callback"
/* RFC 7636 appendix B. */
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
/* A good authorization request of agent-7. */
#define REQUEST                                                                                    \
    "response_type=code&client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%3A40123%2Fcallback"  \
    "&state=xyz&code_challenge=" CHALLENGE "&code_challenge_method=S256"                           \
    "&resource=https%3A%2F%2Fmail.example.org%2Fimap&scope=mail.read%20mail.send"

struct browser {
    struct fixture *f;
    char cookie[512]; /* the Cookie header; "": none */
    char known[128]; /* the other cookie, of a browser that is known; "": none */
    const char *source, *origin, *fetch_site;
};

/* agent-7 with two services, two scopes and a loopback redirect URI; alice. */
void browser_set_up_people(struct fixture *f);
void browser_add_agent(struct fixture *f, const char *name, const char *title, const char *redirects, unsigned flags);
void browser_add_user(struct fixture *f, const char *name, const char *password);

struct browser browser_new(struct fixture *f);
/* Answer in b->f->answer; jobs are run at once. */
void browser_get(struct browser *b, const char *path, const char *query);
void browser_post(struct browser *b, const char *path, const char *body);
/* As browser_post(), but the job is the caller's to run, finish and free; NULL: there was none. */
struct answer_job *browser_post_and_wait(struct browser *b, const char *path, const char *body);
/* A hidden field's value on the last page, unescaped; fails without one. */
const char *browser_hidden(struct browser *b, const char *name);
/* "form_token=…&request=…&" of the last page, encoded, and `more` behind it.  Free with free(). */
char *browser_form(struct browser *b, const char *more);
/* Log in through the page; the answer is the redirect. */
void browser_log_in(struct browser *b, const char *name, const char *password, const char *query);
/* Be logged in as alice without the cost of a hash. */
void browser_be_alice(struct browser *b);

const char *body_text(struct fixture *f);
void assert_page(struct fixture *f, int status, const char *holds);
void assert_redirect(struct fixture *f, const char *begins);
/* The decoded parameter of the last Location; NULL. */
const char *location_value(struct fixture *f, const char *name);

#endif
