/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A place where tokens can be judged: a folder of configuration with one issuer, a clock that
 * stands still, and tokens signed on demand.  Any failure ends the program.  For tests of
 * validate.c, keyring.c and context.c.
 */
#ifndef POSTERN_TESTS_TEST_LOGIN_H
#define POSTERN_TESTS_TEST_LOGIN_H

#include <postern/validate.h>

#include "test_folder.h"
#include "test_keys.h"

#define TEST_ISSUER   "https://sso.example.org/realms/agents"
#define TEST_AUDIENCE "https://mail.example.org/imap"
#define TEST_NOW_S    1800000000

typedef struct test_login {
    test_folder folder;
    test_key *key; /* P-256, kid "a" in keys.json */
    int64_t now_s, mono_ms;
    postern_clock clock;
    postern_context *context;
    postern_failure failure; /* of the last login */
    postern_error err;
    char events[512]; /* names of the last login's events, each with a blank behind */
} test_login;

/* issuers/sso.conf, services/imap.conf and keys.json; no context yet. */
void test_login_make(test_login *t);
/* A fresh context of the folder's files; drops the one before. */
void test_login_reload(test_login *t);
/* keys.json with this key under this kid. */
void test_login_put_key(test_login *t, const test_key *k, const char *kid);
void test_login_remove(test_login *t);

/* A good token's claims with `more` members, or with one of them changed: give NULL for both to get
 * it as it is.  free() it. */
char *test_login_claims(const char *name, const char *json);
/* Signed by t->key as at+jwt with kid "a". */
char *test_login_token(const test_login *t, const char *name, const char *json);
/* A request for service "imap" over a local connection. */
postern_request test_login_request(const char *token);
/* Start, run, note failure and events, free.  ret_grant may be NULL. */
postern_err test_login_run(test_login *t, const postern_request *rq, postern_grant **ret_grant);
/* A token made of one change, for service "imap". */
postern_err test_login_try(test_login *t, const char *name, const char *json);

#endif
