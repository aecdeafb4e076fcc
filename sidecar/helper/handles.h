/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Token handles: short names of tokens for password fields that are too short for one.  Who has the
 * name gets the token judged, as often as was agreed and for a minute.  Here are names and tokens;
 * that a token is good is judged before (login.c) and again when the handle comes back.  In memory
 * alone: they end with the helper child, at a reload too.  One loop; the time is a parameter.
 */
#ifndef POSTERN_SIDECAR_HELPER_HANDLES_H
#define POSTERN_SIDECAR_HELPER_HANDLES_H

#include <sys/types.h>

#include <event2/event.h>

#include <postern/client.h>
#include <postern/oauthbearer.h>

#define HANDLE_RANDOM  24 /* bytes: 192 bits, so that guessing needs no limit */
#define HANDLE_LEN     POSTERN_HANDLE_LEN
/* From the token to the login it is for: a program starts, a person looks at a prompt. */
#define HANDLE_LIFE_MS 60000
#define HANDLE_USES_MAX POSTERN_HANDLE_USES_MAX
/* Tokens in memory, of 16 KiB at most each: 16 MiB. */
#define HANDLES_MAX    1024
/* Of one user: a sixteenth, so that none can take them all. */
#define HANDLES_PER_USER_MAX 64

struct handles;

struct handle_order {
    postern_bytes token; /* copied */
    uid_t uid;           /* who asks */
    int64_t uses;        /* 1..HANDLE_USES_MAX */
    int64_t now_ms;      /* monotonic */
};

/*
 *   base   for a timer that wipes what is over; borrowed for life
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err handles_new(struct event_base *base, struct handles **ret,
                                         postern_error *err);
void handles_free(struct handles *h); /* wipes; NULL is fine */
/*
 *   ret   HANDLE_LEN characters and a NUL, untouched unless POSTERN_OK
 *   POSTERN_OK · POSTERN_ERR_USAGE (uses) · POSTERN_ERR_BUSY (too many) · POSTERN_ERR_SYSTEM (no random
 *   numbers) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err handles_mint(struct handles *h, const struct handle_order *order,
                                          char ret[HANDLE_LEN + 1], postern_error *err);
/*
 * Take one use of it: now, whatever becomes of the login, so that two at once cannot share the last.
 *   POSTERN_OK · POSTERN_ERR_HANDLE (unknown, used up or expired: nobody learns which) · NOMEM
 */
POSTERN_MUST_USE postern_err handles_redeem(struct handles *h, postern_bytes text, int64_t now_ms,
                                            postern_secret **ret, postern_error *err);
void handles_sweep(struct handles *h, int64_t now_ms);
size_t handles_count(const struct handles *h);

#endif
