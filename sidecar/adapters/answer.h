/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every protocol tells a client about its login: one JSON object for a grant, one for a
 * refusal (postern-raw(7) has every member), and the words in them.  Adapters put it into their own
 * frame.
 * Never holds a token, a claim or a detail of an error.
 */
#ifndef POSTERN_ADAPTERS_ANSWER_H
#define POSTERN_ADAPTERS_ANSWER_H

#include <postern/oauthbearer.h>

#include "adapter.h"

#define ANSWER_JSON_MAX     POSTERN_ERROR_JSON_MAX /* one size for every way to say no */
#define ANSWER_SENTENCE_MAX 160 /* bytes with NUL of an error_description: one sentence */
/* Seconds after which an undecided login is worth another try, where nobody knows better: longer
 * than one attempt may take, so that attempts do not pile up. */
#define ANSWER_RETRY_AFTER_S 6

/* What an agent does next. */
typedef enum answer_retry {
    ANSWER_RETRY_UNSET = 0,
    ANSWER_RETRY_NEW_TOKEN,  /* fetch one and come again */
    ANSWER_RETRY_MORE_SCOPE, /* fetch one with `scope` */
    ANSWER_RETRY_LOGIN,      /* a person authenticates again; then fetch one */
    ANSWER_RETRY_LATER,      /* nothing is wrong with the token: the same one again */
    ANSWER_RETRY_NEVER,      /* people must change something: `contact` */
    ANSWER_RETRY_APPROVAL    /* the same again, once somebody has approved `ref` */
} answer_retry;

/* Never UNSET.  What is no refusal (POSTERN_OK, POSTERN_AGAIN) is our bug and reads as one. */
answer_retry answer_retry_of(postern_err code);
const char  *answer_retry_name(answer_retry r);
/* RFC 6750 §3.1, or "access_denied" (identity, policy), "temporarily_unavailable" (undecided). */
const char  *answer_error_word(postern_err code);
/* Seconds to wait; 0 unless the answer is "later" or the caller knows. */
int64_t      answer_retry_after_s(const struct adapter_denied *d);
/* `sentence`, or the operator's sentence of the code when it is NULL or "". */
const char  *answer_sentence(postern_err code, const char *sentence);

/* {"service","lease_end","lease","session","ref"}.  On failure out->failed. */
void answer_put_grant(const struct adapter_granted *g, postern_buf *out);
/*
 * {"error","error_description","reason",…}, at most ANSWER_JSON_MAX bytes: what does not fit is
 * left out, the least useful member first.
 *
 *   sentence   printable ASCII without quote and backslash, less than ANSWER_SENTENCE_MAX bytes;
 *              NULL: the code's
 */
void answer_put_refusal(const struct adapter_denied *d, const char *sentence, postern_buf *out);

#endif
