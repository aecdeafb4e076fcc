/* SPDX-License-Identifier: BSD-2-Clause */
/* An issuer without sockets for unit tests: two services, a store in a folder of its own, a clock that stands still. */
#ifndef TESTS_UNIT_ISSUER_FIXTURE_H
#define TESTS_UNIT_ISSUER_FIXTURE_H

#include <postern-private/json.h>

#include "issuer/answer.h"
#include "issuer/clients.h"
#include "issuer/issuer.h"

#define FIXTURE_ISSUER "http://127.0.0.1:8414"
#define FIXTURE_HOST "127.0.0.1:8414"
#define FIXTURE_IMAP "https://mail.example.org/imap"
#define FIXTURE_LDAP "https://ldap.example.org/ldap"
#define FIXTURE_CACHE "https://cache.example.org/cache"
#define FIXTURE_NOW_S 1700000000

struct fixture {
    char dir[64];
    struct issuer is;
    struct issuer_settings settings;
    postern_config *config; /* that the settings borrow names from; NULL: none */
    postern_signing_key *key;
    int64_t now_s, mono_ms;
    struct answer answer;
    postern_json json; /* of the last answer */
};

/* cmocka set-up and tear-down; *state is a struct fixture. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);
/* The issuer with another identifier; services stay. */
void fixture_set_issuer(struct fixture *f, const char *issuer);
/* The settings of a folder of files instead: service "imap" and door "cache". */
void fixture_load_door(struct fixture *f);
/* Register; the secret is the caller's (postern_secret_free). */
postern_secret *fixture_add_client(struct fixture *f, const char *name, const char *scopes, const char *resources);

/* Ask routes_answer() and scan its JSON.  NULL fields of `rq` get the defaults of a form POST from ::1. */
void fixture_ask(struct fixture *f, struct http_request rq);
void fixture_get(struct fixture *f, const char *path);
void assert_status(const struct fixture *f, int want);
/* A string member of the last answer. */
void assert_text(const struct fixture *f, const char *name, const char *want);
void assert_absent(const struct fixture *f, const char *name);
/* The elements of an array member, joined by spaces. */
void assert_list(const struct fixture *f, const char *name, const char *want);
/* status, "error", and a description and message that are there and keep to their characters. */
void assert_error(const struct fixture *f, int status, const char *error);

#endif
