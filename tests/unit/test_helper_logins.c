/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/helper/logins.c: who logged in where, within fixed memory, and how verdicts are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "grant/grant.h"
#include "helper/logins.h"

static int set_up(void **state)
{
    struct logins *l = NULL;
    postern_err e = logins_new(&l, NULL);

    *state = l;
    return e == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    logins_free(*state);
    return 0;
}

/* A grant for `client`, for whom `actor` acts (NULL: itself). */
static postern_grant *make_grant(const char *client, const char *actor, const char *service)
{
    postern_bytes act[1] = { postern_bytes_str(actor) };
    struct postern_grant_facts facts = {
        .service = postern_bytes_str(service),
        .issuer = POSTERN_BYTES_LIT("https://as.example"),
        .subject = POSTERN_BYTES_LIT("alice"),
        .user = POSTERN_BYTES_LIT("alice"),
        .client_id = postern_bytes_str(client),
        .audience = POSTERN_BYTES_LIT("https://mail.example/imap"),
        .exp_s = 9,
        .iat_s = 1,
    };
    postern_grant *g = NULL;

    if (actor != NULL) {
        memcpy(facts.act, act, sizeof act);
        facts.act_depth = 1;
    }
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    return g;
}

static void log_in(struct logins *l, const char *client, const char *actor, const char *service, int64_t now_s)
{
    POSTERN_AUTO(grant) g = make_grant(client, actor, service);

    logins_note(l, g, POSTERN_OK, now_s);
}

static void assert_logins(const struct logins *l, const char *agent, const char *want)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(65536);
    postern_json_writer w = { &out, false };

    logins_write(l, agent, NULL, &w);
    assert_string_equal(postern_buf_cstr(&out), want);
}

static void logins_are_counted_for_each_service(void **state)
{
    struct logins *l = *state;

    log_in(l, "a", NULL, "imap", 5);
    log_in(l, "a", NULL, "imap", 7);
    log_in(l, "b", NULL, "imap", 8);
    assert_logins(l, "a", "[{\"service\":\"imap\",\"count\":2,\"last\":7}]");
    assert_logins(l, "b", "[{\"service\":\"imap\",\"count\":1,\"last\":8}]");
    assert_logins(l, "c", "[]");
    assert_logins(l, "", "[]");
}

/* A block names the client or whoever acts for it: both are asked about. */
static void an_actor_and_its_client_are_both_found(void **state)
{
    struct logins *l = *state;

    log_in(l, "app", "agent-7", "ldap", 5);
    assert_logins(l, "agent-7", "[{\"service\":\"ldap\",\"count\":1,\"last\":5}]");
    assert_logins(l, "app", "[{\"service\":\"ldap\",\"count\":1,\"last\":5}]");
    log_in(l, "solo", "solo", "ldap", 6);
    assert_logins(l, "solo", "[{\"service\":\"ldap\",\"count\":1,\"last\":6}]");
}

static void what_was_not_proved_is_no_login(void **state)
{
    struct logins *l = *state;
    POSTERN_AUTO(grant) g = make_grant("a", NULL, "imap");

    logins_note(l, NULL, POSTERN_ERR_EXPIRED, 5);
    logins_note(l, g, POSTERN_ERR_AUDIT, 5);
    assert_logins(l, "a", "[]");
    logins_note(NULL, g, POSTERN_OK, 5);
}

static void the_login_longest_ago_is_forgotten_first(void **state)
{
    struct logins *l = *state;
    char name[32];

    log_in(l, "old", NULL, "imap", 1);
    log_in(l, "kept", NULL, "imap", 1);
    for (int i = 0; i < LOGINS_MAX - 2; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        log_in(l, name, NULL, "imap", 2);
    }
    log_in(l, "kept", NULL, "imap", 3);
    log_in(l, "one-more", NULL, "imap", 4);
    assert_logins(l, "old", "[]");
    assert_logins(l, "kept", "[{\"service\":\"imap\",\"count\":2,\"last\":3}]");
    assert_logins(l, "n0", "[{\"service\":\"imap\",\"count\":1,\"last\":2}]");
    log_in(l, "and-one", NULL, "imap", 5);
    assert_logins(l, "n0", "[]");
}

static void verdicts_are_counted_by_outcome(void **state)
{
    struct logins *l = *state;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);

    log_in(l, "a", NULL, "imap", 1);
    logins_note(l, NULL, POSTERN_ERR_EXPIRED, 1);
    logins_note(l, NULL, POSTERN_ERR_BLOCKED, 1);
    logins_note(l, NULL, POSTERN_ERR_NOMEM, 1);
    logins_note(l, NULL, POSTERN_ERR_AUDIT, 1);
    logins_note(l, NULL, POSTERN_ERR_KEYS_UNAVAILABLE, 1);
    logins_write_metrics(l, &out);
    assert_string_equal(postern_buf_cstr(&out), "# HELP postern_helper_verdicts_total Verdicts given to plugins.\n"
                                                "# TYPE postern_helper_verdicts_total counter\n"
                                                "postern_helper_verdicts_total{outcome=\"undecided\"} 3\n"
                                                "postern_helper_verdicts_total{outcome=\"rejected\"} 2\n"
                                                "postern_helper_verdicts_total{outcome=\"proved\"} 1\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(logins_are_counted_for_each_service),
        T(an_actor_and_its_client_are_both_found),
        T(what_was_not_proved_is_no_login),
        T(the_login_longest_ago_is_forgotten_first),
        T(verdicts_are_counted_by_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
