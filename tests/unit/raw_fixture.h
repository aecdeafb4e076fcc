/* SPDX-License-Identifier: BSD-2-Clause */
/* One login at the raw adapter, given in one piece or byte by byte, and what it was answered. */
#ifndef TESTS_UNIT_RAW_FIXTURE_H
#define TESTS_UNIT_RAW_FIXTURE_H

#include "adapters/adapter.h"

#define RAW(s) POSTERN_BYTES_LIT(s)
#define TOKEN  "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"

struct raw_login {
    const struct adapter *adapter;
    void *state;
    uint8_t *seen; /* what feed() saw last, in a block of its own */
    size_t seen_len;
    adapter_feed verdict;
    struct adapter_login login;
    size_t used; /* SIZE_MAX when feed() said nothing */
    postern_error err;
    postern_buf answer;
};

/* A new connection that has sent nothing. */
void raw_open(struct raw_login *l);
void raw_close(struct raw_login *l);
/* feed() with all that came so far. */
adapter_feed raw_give(struct raw_login *l, postern_bytes in);
/* A connection whose bytes come one by one, until there is a verdict or none left. */
adapter_feed raw_give_slowly(struct raw_login *l, postern_bytes in);
/* The answer as text: to a refusal with that code and no more, or the fullest grant. */
const char *raw_denied(struct raw_login *l, postern_err code);
const char *raw_granted(struct raw_login *l);

/* Open, give all, close; asserts a refusal with that code, whole and byte by byte, whose answer
 * holds nothing of the login.  `refused_at`: how many bytes it took; 0: any number. */
void assert_refused(const char *why, postern_bytes in, postern_err want, size_t refused_at);
/* The same for an accepted login: token, authzid, host, port; every byte of it was needed. */
void assert_login(const char *why, postern_bytes in, const char *token, const char *authzid,
                  const char *host, const char *port);
/* Every byte replaced by every other, left out, and doubled: what is still accepted is accepted for
 * a token and target that stand in the bytes.  Returns how many were accepted. */
size_t assert_mutations_are_honest(postern_bytes login);

/* For alloc_fail_sweep(): a whole login (a postern_bytes) at a new connection. */
postern_err raw_read_once(void *arg, postern_error *err);

/* "AUTH OAUTHBEARER " base64 `end` into b. */
void raw_put_auth(postern_buf *b, postern_bytes message, const char *end);
/* A CONNECT whose Proxy-Authorization is Basic. */
void raw_put_basic(postern_buf *b, const char *user_and_password);
/* prefix, `count` times c, suffix */
void raw_fill(postern_buf *b, const char *prefix, char c, size_t count, const char *suffix);

#endif
