/* SPDX-License-Identifier: BSD-2-Clause */
/* The issuer fixture with clients whose secret is known, people's grants, and a key that tests sign with. */
#ifndef TESTS_UNIT_GRANTS_FIXTURE_H
#define TESTS_UNIT_GRANTS_FIXTURE_H

#include "../support/test_keys.h"
#include "issuer/own_token.h"
#include "issuer/store_grants.h"
#include "issuer_fixture.h"

#define BOTH_RESOURCES FIXTURE_IMAP " " FIXTURE_LDAP
#define WHOAMI FIXTURE_ISSUER "/oauth/whoami"
#define REDIRECT "http://127.0.0.1:7777/cb"
#define VERIFIER "dBjftJeZ4CVP-mBQ92K27uhbUJU1p1r_wW1gFWFOEjXk" /* 44 characters */
#define EXCHANGE "grant_type=urn:ietf:params:oauth:grant-type:token-exchange"
#define ACCESS "urn:ietf:params:oauth:token-type:access_token"

#define TOLD_MAX 32

struct grants_fixture {
    struct fixture *f;
    test_key *key;
    char *header; /* of a token that we would have signed */
    char jwks_file[96];
    struct revocation told[TOLD_MAX]; /* what helper and doors heard */
    size_t told_count;
};

int grants_set_up(void **state);
int grants_tear_down(void **state);

/* Its secret is "secret-of-NAME" unless it is public. */
void grants_client(struct grants_fixture *g, const char *name, const char *scopes, const char *resources,
                   client_auth_method auth, unsigned flags);
/* alice allows `client` scopes at resources for `life_s`; `code` and VERIFIER redeem it. */
void grants_allow(struct grants_fixture *g, const char *id, const char *client, const char *scopes,
                  const char *resources, int64_t life_s, const char *code);
/* The same with what else a grant may have. */
void grants_allow_record(struct grants_fixture *g, const struct grant_record *grant, const char *code);
/* POST printf(fmt) to `path` as that client. */
void grants_post(struct grants_fixture *g, const char *path, const char *client, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A string member of the last answer; the caller free()s it. */
char *grants_take(struct grants_fixture *g, const char *member);
/* Redeem `code` as `client` and take the tokens (either NULL: not wanted). */
void grants_redeem(struct grants_fixture *g, const char *client, const char *code, char **ret_access, char **ret_refresh);
/* client_credentials for FIXTURE_IMAP. */
char *grants_own_token(struct grants_fixture *g, const char *client);
/* GET whoami with the token. */
void grants_whoami(struct grants_fixture *g, const char *token);
/* A claim of a token as raw JSON, "" when absent; the caller free()s it. */
char *grants_claim(const char *token, const char *name);
void assert_claim_is(const char *token, const char *name, const char *want_raw);
int64_t grants_number(const char *token, const char *name);
/* A token signed with our key by the test's own code: FIXTURE_ISSUER, now to now + 300, printf(fmt) are the other members. */
char *grants_sign(struct grants_fixture *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
