/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One HTTP request as the issuer's handlers see it and the answer they build: plain bytes, no
 * socket, no libevent. http.c translates both ways.  An answer nobody filled in has status 0 and
 * goes out as 500.
 */
#ifndef POSTERN_ISSUER_ANSWER_H
#define POSTERN_ISSUER_ANSWER_H

#include <postern/bytes.h>
#include <postern-private/json.h>

#include "job.h"

/* Metadata of some hundred services, and a page of a hundred grants, are the largest answers. */
#define ANSWER_BODY_MAX 262144
/* A redirect URI, and a state whose every byte is percent-encoded. */
#define ANSWER_LOCATION_MAX 16384
#define ANSWER_COOKIE_MAX 1024 /* its path is the issuer's */
#define ANSWER_POLICY_MAX 1024 /* fixed text and the origin of one redirect URI */
#define ANSWER_CHALLENGE_MAX 2048 /* two URLs of POSTERN_URL_MAX and a description */

struct http_request {
    const char   *method;        /* "GET" */
    const char   *path;          /* as received, without query; never decoded: no route needs it */
    const char   *query;         /* behind '?', as received; NULL: absent */
    /* Host, or the authority of an absolute request target; NULL: absent. */
    const char   *host;
    const char   *authorization; /* NULL: absent; secret */
    const char   *content_type;  /* NULL: absent */
    const char   *cookie;        /* NULL: absent; secret */
    const char   *origin;        /* NULL: absent (RFC 6454 §7) */
    const char   *fetch_site;    /* Sec-Fetch-Site; NULL: absent, as from programs */
    const char   *source;        /* peer's address without port: whom to rate */
    bool          has_repeated_header; /* a header that must be single stands twice */
    postern_bytes body;          /* secret */
};

struct answer;
/*
 * Work that would hold up the loop.  `work` runs in a thread (work.h) and touches nothing but its
 * own memory; `finish` runs on the loop then and fills in the answer.  Whoever embeds it frees it
 * in work.free.
 */
struct answer_job {
    struct job work;
    void (*finish)(struct answer_job *job, struct answer *a);
};

struct answer {
    int         status;
    const char *content_type;  /* static */
    const char *cache_control; /* static */
    const char *allow;         /* static; NULL: no Allow header */
    int         retry_after_s; /* 0: no Retry-After header */
    char        challenge[ANSWER_CHALLENGE_MAX]; /* WWW-Authenticate; "": none */
    postern_buf location;      /* empty: no Location header; may hold a code */
    char        set_cookie[ANSWER_COOKIE_MAX]; /* "": none; secret */
    char        set_known_cookie[ANSWER_COOKIE_MAX]; /* likewise, another one */
    /* Content-Security-Policy; not "": it is a page for people, with the headers of one. */
    char        page_policy[ANSWER_POLICY_MAX];
    /* Not NULL: everything else comes later, from the job. */
    struct answer_job *take_job;
    postern_buf body;          /* may hold a token: wiped on free */
};

#define ANSWER_INIT                                                                                \
    ((struct answer){ .content_type = "application/json",                                          \
                      .cache_control = "no-store",                                                 \
                      .location = POSTERN_BUF_INIT(ANSWER_LOCATION_MAX),                           \
                      .body = POSTERN_BUF_INIT(ANSWER_BODY_MAX) })
void answer_free(struct answer *a);
#define AUTO_ANSWER __attribute__((cleanup(answer_free))) struct answer

/*
 * The one shape of every error: {"error","error_description","message"} (RFC 6749 §5.2 and what
 * to do next).  Bytes that error_description may not hold (RFC 6749 §5.2) become '?'.  Replaces
 * what the body had.
 */
void answer_error(struct answer *a, int status, const char *error, const char *description,
                  const char *message);
/* 429 with Retry-After (RFC 6585 §4). */
void answer_too_many(struct answer *a, int wait_s, const char *description);
/* "503, too busy", with Retry-After. */
void answer_busy(struct answer *a);
/* Out of memory or a failed store: 500, without details. */
void answer_internal(struct answer *a);

#endif
