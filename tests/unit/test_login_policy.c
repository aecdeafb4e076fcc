/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may act as whom, from the files to the verdict: sidecar/login_policies.c (and policy_ask.c)
 * reads what services/NAME.conf names, sidecar/helper/login_policy.c asks it about one login.
 * Attacks are named.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_folder.h"
#include "../support/test_policy.h"
#include "grant/grant.h"
#include "helper/login_policy.h"
#include "policy_ask.h"

#define ISSUER "issuer: https://as.example\njwks_file: /run/keys.json\n"
#define IMAP   "audience: https://mail.example/imap\nhelper_peers: root\n"

static test_folder folder;
static postern_config *config;
static struct login_policies policies;

static int make_folder(void **state)
{
    (void)state;
    test_folder_make(&folder);
    test_folder_put(&folder, "issuers/as.conf", ISSUER);
    return 0;
}

static void forget(void)
{
    login_policies_close(&policies);
    postern_config_free(config);
    config = NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    forget();
    test_folder_remove(&folder);
    return 0;
}

static void load_config(const char *service)
{
    postern_error err = { 0 };

    forget();
    test_folder_put(&folder, "services/imap.conf", service);
    if (postern_config_load(folder.path, &config, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
}

/* services/imap.conf with these lines, and its policy. */
static void load(const char *lines, const char *rules)
{
    char text[512];
    postern_error err = { 0 };

    assert_true((size_t)snprintf(text, sizeof text, IMAP "policy: mail\n%s", lines) < sizeof text);
    test_folder_put(&folder, "policies/mail.rules", rules);
    load_config(text);
    if (login_policies_open(config, &policies, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
}

static postern_err load_fails(const char *rules, postern_error *err)
{
    test_folder_put(&folder, "policies/mail.rules", rules);
    load_config(IMAP "policy: mail\n");
    return login_policies_open(config, &policies, err);
}

/* ---- one login ---- */

/* agent-7 for alice, whose token says so. */
static struct postern_grant_facts delegated(const char *user)
{
    return (struct postern_grant_facts){
        .service = POSTERN_BYTES_LIT("imap"),
        .issuer = POSTERN_BYTES_LIT("https://as.example"),
        .subject = POSTERN_BYTES_LIT("alice"),
        .client_id = POSTERN_BYTES_LIT("planner"),
        .act = { POSTERN_BYTES_LIT("agent-7") },
        .act_depth = 1,
        .user = postern_bytes_str(user),
        .scope = POSTERN_BYTES_LIT("mail.read"),
        .purpose = POSTERN_BYTES_LIT("invoice-7"),
        .audience = POSTERN_BYTES_LIT("https://mail.example/imap"),
        .exp_s = TEST_POLICY_NOW_S + 300,
        .iat_s = TEST_POLICY_NOW_S,
        .claims = POSTERN_BYTES_LIT("{\"acr\":\"high\",\"groups\":[\"finance\"]}"),
    };
}

static struct postern_grant_facts own(const char *user)
{
    struct postern_grant_facts facts = delegated(user);

    facts.subject = facts.client_id = POSTERN_BYTES_LIT("agent-7");
    facts.act_depth = 0;
    return facts;
}

static struct login_verdict verdict;
static postern_error why;

static postern_err ask_from(struct postern_grant_facts facts, const char *peer)
{
    POSTERN_AUTO(grant) g = NULL;
    struct login_visit visit = { .peer = peer, .now_s = TEST_POLICY_NOW_S };

    why = (postern_error){ 0 };
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    visit.service = postern_config_section(config, POSTERN_SECTION_SERVICE, "imap");
    visit.grant = g;
    return login_policy_ask(&policies, &visit, &verdict, &why);
}

static postern_err ask(struct postern_grant_facts facts)
{
    return ask_from(facts, NULL);
}

static void without_a_policy_the_mapping_decides(void **state)
{
    (void)state;
    load_config(IMAP);
    assert_int_equal(login_policies_open(config, &policies, NULL), POSTERN_OK);
    assert_int_equal(policies.count, 0);
    assert_int_equal(ask(delegated("alice")), POSTERN_OK);
    assert_string_equal(verdict.action, ""); /* it was not asked */
}

static void the_policy_says_who_may_act_as_whom(void **state)
{
    (void)state;
    load("", "# mail\nmine: allow agent agent-7 for anyone to imap:login on \"${user}\" "
             "if scope has mail.read\n"
             "no-boss: deny anyone to imap:login on boss because \"ask postmaster\"\n");
    assert_int_equal(ask(delegated("alice")), POSTERN_OK);
    assert_string_equal(verdict.action, "imap:login");
    assert_string_equal(verdict.decision.rule, "mail:mine");
    assert_null(policy_would(POSTERN_OK, &verdict.decision));
    assert_int_equal(ask(own("agent-7")), POSTERN_ERR_POLICY); /* for nobody */
    assert_string_equal(why.detail, "no rule of the policy allows it");
    assert_int_equal(ask(own("boss")), POSTERN_ERR_POLICY);
    assert_string_equal(why.detail, "rule mail:no-boss (policies/mail.rules:3)");
    assert_string_equal(verdict.decision.because, "ask postmaster");
}

static void a_scope_that_alone_is_wanting_is_named(void **state)
{
    struct postern_grant_facts facts = delegated("alice");

    (void)state;
    load("", "a: allow agent agent-7 to imap:login if scope has mail.write\n");
    assert_int_equal(ask(facts), POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_string_equal(verdict.decision.missing_scope, "mail.write");
    facts.scope = POSTERN_BYTES_LIT("mail.write");
    assert_int_equal(ask(facts), POSTERN_OK);
}

static void rules_of_another_service_or_of_doors_say_nothing(void **state)
{
    (void)state;
    load("", "allow anyone to smtp:login\nallow anyone to raw:connect\nallow anyone to IMAP:login\n");
    assert_int_equal(ask(delegated("alice")), POSTERN_ERR_POLICY);
    load("", "deny anyone to smtp:login\nallow anyone to *\n");
    assert_int_equal(ask(delegated("alice")), POSTERN_OK);
}

static void a_source_is_known_only_as_an_address(void **state)
{
    static const struct {
        const char *peer;
        bool allow, deny_spares; /* `allow if source in`, `allow unless denied by source != ` */
    } cases[] = {
        { "192.0.2.7;40123", true, true },
        { "192.0.2.7", true, true },
        { "::ffff:192.0.2.7;1", true, true },
        { "198.51.100.1;1", false, false },
        { NULL, false, false },
        { "", false, false },
        { ";40123", false, false },
        { "192.0.2.7.evil.example", false, false }, /* PAM_RHOST by a stranger's DNS */
        { "192.0.2.7 ;1", false, false },
        { "localhost", false, false },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;1", false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        load("", "allow anyone to imap:login if source in (192.0.2.0/24)\n");
        assert_int_equal(ask_from(delegated("alice"), cases[i].peer) == POSTERN_OK, cases[i].allow);
        load("", "deny anyone to * if not source in (192.0.2.0/24)\nallow anyone to *\n");
        assert_int_equal(ask_from(delegated("alice"), cases[i].peer) == POSTERN_OK,
                         cases[i].deny_spares);
    }
}

static void claims_purpose_and_issuer_are_the_tokens(void **state)
{
    static const struct {
        const char *rule;
        postern_err want;
    } cases[] = {
        { "allow group finance to imap:login if acr = high\n", POSTERN_OK },
        { "allow group ops to imap:login\n", POSTERN_ERR_POLICY },
        { "allow anyone to imap:login if acr = low\n", POSTERN_ERR_POLICY },
        { "allow anyone to imap:login if purpose like \"invoice-*\"\n", POSTERN_OK },
        { "allow anyone to imap:login if purpose = \"backup\"\n", POSTERN_ERR_POLICY },
        { "allow issuer \"https://as.example\" to imap:login\n", POSTERN_OK },
        { "allow client planner to imap:login\n", POSTERN_OK },
        { "allow agent planner to imap:login\n", POSTERN_ERR_POLICY }, /* the outermost actor acts */
        { "allow anyone to imap:login if time until 2026-12-01\n", POSTERN_OK },
        { "allow anyone to imap:login if time until 2026-11-30\n", POSTERN_ERR_POLICY },
        { "allow anyone to imap:login if chain = 1\n", POSTERN_OK },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        load("", cases[i].rule);
        if (ask(delegated("alice")) != cases[i].want)
            fail_msg("%s", cases[i].rule);
    }
}

/* ---- whose name it is ---- */

static void where_the_host_sees_the_agent_alone_the_name_is_the_agents(void **state)
{
    (void)state;
    load("login_as: agent\n", "allow agent agent-7 for anyone to imap:login on svc-mail\n");
    assert_int_equal(ask(delegated("svc-mail")), POSTERN_OK);
    assert_int_equal(ask(delegated("alice")), POSTERN_ERR_POLICY);
    /* The human has no local name there, and the agent's must not pass for it. */
    load("login_as: agent\n", "allow user svc-mail to imap:login\n"
                              "allow agent agent-7 to imap:login on \"${user}\"\n");
    assert_int_equal(ask(delegated("svc-mail")), POSTERN_ERR_POLICY);
    load("login_as: agent\n", "deny user bob to *\nallow anyone to *\n");
    assert_int_equal(ask(delegated("svc-mail")), POSTERN_ERR_POLICY); /* perhaps it is bob */
    assert_int_equal(ask(own("svc-mail")), POSTERN_OK);
}

static void with_both_names_the_name_is_the_humans(void **state)
{
    struct postern_grant_facts facts = delegated("alice");

    (void)state;
    facts.authcid = POSTERN_BYTES_LIT("agent-7");
    load("login_as: both\n", "allow agent agent-7 for anyone to imap:login on \"${user}\"\n");
    assert_int_equal(ask(facts), POSTERN_OK);
    load("login_as: both\n", "allow agent agent-7 to imap:login on agent-7\n");
    assert_int_equal(ask(facts), POSTERN_ERR_POLICY);
    facts = own("agent-7"); /* for itself it stands under one name */
    assert_int_equal(ask(facts), POSTERN_OK);
}

/* ---- attacks ---- */

/* A host folds case, or cuts its realm off, behind our back; the subject is the attacker's to choose. */
static void an_account_that_is_denied_is_denied_under_every_spelling(void **state)
{
    static const char *const names[] = { "root",           "Root",          "ROOT",
                                         "root@mail.example", "rOOt@a@b", "root@" };
    static const char *const rules[] = {
        "deny anyone to imap:login on root\nallow anyone to *\n",
        "deny anyone to imap:login on Root\nallow anyone to *\n",
        "deny anyone to imap:login on \"r?ot\"\nallow anyone to *\n",
        "deny anyone to * on \"ro*\"\nallow anyone to *\n",
        "deny user root to imap:login\nallow anyone to *\n",
        "deny agent * for user root to imap:login\nallow anyone to *\n",
    };

    (void)state;
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        load("", rules[r]);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (ask(delegated(names[i])) != POSTERN_ERR_POLICY)
                fail_msg("%s gets in by %s", names[i], rules[r]);
        assert_int_equal(ask(delegated("alice")), POSTERN_OK);
        assert_int_equal(ask(delegated("alice@root")), POSTERN_OK);
    }
    load("", "deny anyone to imap:login on \"root@a\"\nallow anyone to *\n");
    assert_int_equal(ask(delegated("ROOT@a@b")), POSTERN_ERR_POLICY);
    assert_int_equal(ask(delegated("root@b")), POSTERN_OK);
}

static void an_account_that_is_allowed_is_allowed_under_its_own_spelling_alone(void **state)
{
    static const char *const others[] = { "Alice", "alice@evil.example", "alic", "alicee" };

    (void)state;
    load("", "allow anyone to imap:login on alice\n");
    assert_int_equal(ask(delegated("alice")), POSTERN_OK);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(ask(delegated(others[i])), POSTERN_ERR_POLICY);
}

static void a_star_in_a_name_is_a_star(void **state)
{
    struct postern_grant_facts facts = delegated("bob");

    (void)state;
    facts.act[0] = POSTERN_BYTES_LIT("*");
    load("", "allow agent * to imap:login on \"mail-${agent}\"\n");
    facts.user = POSTERN_BYTES_LIT("mail-root");
    assert_int_equal(ask(facts), POSTERN_ERR_POLICY);
}

/* ---- shadow ---- */

static void in_shadow_a_denied_login_goes_on_and_is_noted(void **state)
{
    (void)state;
    load("policy_mode: shadow\n", "no: deny user alice to imap:login because \"not yet\"\n"
                                  "allow user bob to imap:login\n"
                                  "allow anyone to imap:login if scope has x\n");
    assert_int_equal(ask(delegated("alice")), POSTERN_OK);
    assert_string_equal(policy_would(POSTERN_OK, &verdict.decision), "deny");
    assert_string_equal(verdict.decision.rule, "mail:no");
    assert_string_equal(why.detail, "rule mail:no (policies/mail.rules:1)");
    assert_int_equal(ask(delegated("bob")), POSTERN_OK);
    assert_null(policy_would(POSTERN_OK, &verdict.decision));
    assert_int_equal(ask(delegated("carol")), POSTERN_OK); /* only a scope is wanting */
    assert_string_equal(policy_would(POSTERN_OK, &verdict.decision), "deny");
}

/* ---- what cannot be judged ---- */

static void a_policy_that_did_not_come_is_undecided_in_either_mode(void **state)
{
    static const char *const modes[] = { "", "policy_mode: shadow\n" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        load(modes[i], "allow anyone to *\n");
        login_policies_close(&policies);
        assert_int_equal(ask(delegated("alice")), POSTERN_ERR_INTERNAL);
        assert_int_equal(postern_err_outcome(POSTERN_ERR_INTERNAL), POSTERN_UNDECIDED);
        assert_null(policy_would(POSTERN_OK, &verdict.decision));
    }
    assert_null(login_policies_find(NULL, "imap"));
}

static void claims_that_nobody_can_read_refuse_in_either_mode(void **state)
{
    struct postern_grant_facts facts = delegated("alice");

    (void)state;
    facts.claims = POSTERN_BYTES_LIT("{");
    load("policy_mode: shadow\n", "allow anyone to *\n");
    assert_int_not_equal(ask(facts), POSTERN_OK);
    assert_null(policy_would(POSTERN_OK, &verdict.decision));
}

static void a_policy_with_a_mistake_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *rules, *want;
        postern_err code;
    } cases[] = {
        { "alow anyone to *\n", "policies/mail.rules:1:1: \"alow\" is no statement; did you mean \"allow\"?",
          POSTERN_ERR_RULES },
        { "allow anyone to imap:login\nexpect deny agent a to imap:login on root\n",
          "policies/mail.rules:2:1: expected deny, and mail:1 (policies/mail.rules:1) says allow",
          POSTERN_ERR_RULES_EXPECT },
    };
    postern_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(load_fails(cases[i].rules, &err), cases[i].code);
        assert_string_equal(err.detail, cases[i].want);
    }
    test_folder_drop(&folder, "policies/mail.rules");
    load_config(IMAP "policy: mail\n");
    assert_int_equal(login_policies_open(config, &policies, &err), POSTERN_ERR_CONFIG_FILE);
    test_folder_put(&folder, "policies/mail.rules", "allow anyone to *\n");
    test_folder_mode(&folder, "policies/mail.rules", 0666);
    load_config(IMAP "policy: mail\n");
    assert_int_equal(login_policies_open(config, &policies, &err), POSTERN_ERR_CONFIG_FILE);
}

static void of_several_issuers_a_rule_says_whose_agent_it_means(void **state)
{
    postern_error err;

    (void)state;
    test_folder_put(&folder, "issuers/b.conf", "issuer: https://b.example\njwks_file: /run/b.json\n"
                                               "username_claim: b-${sub}\n");
    test_folder_put(&folder, "issuers/as.conf", ISSUER "username_claim: a-${sub}\n");
    test_folder_put(&folder, "policies/mail.rules", "allow agent a to imap:login\n");
    load_config(IMAP "policy: mail\nissuers: as b\n");
    assert_int_equal(login_policies_open(config, &policies, &err), POSTERN_ERR_RULES);
    assert_non_null(strstr(err.detail, "policies/mail.rules:1:1: mail:1 must say whose agent"));
    forget();
    test_folder_put(&folder, "policies/mail.rules",
                    "allow agent a to imap:login if issuer = \"https://b.example\"\n");
    load_config(IMAP "policy: mail\nissuers: as b\n");
    assert_int_equal(login_policies_open(config, &policies, &err), POSTERN_OK);
    test_folder_drop(&folder, "issuers/b.conf");
    test_folder_put(&folder, "issuers/as.conf", ISSUER);
}

/* ---- memory ---- */

static postern_err open_once(void *arg, postern_error *err)
{
    struct login_policies s;
    postern_err e = login_policies_open(config, &s, err);

    (void)arg;
    login_policies_close(&s);
    return e;
}

static postern_err ask_once(void *arg, postern_error *err)
{
    struct login_visit *visit = arg;

    return login_policy_ask(&policies, visit, &verdict, err);
}

static void without_memory_nothing_is_allowed(void **state)
{
    struct postern_grant_facts facts = delegated("alice");
    POSTERN_AUTO(grant) g = NULL;
    struct login_visit visit = { .now_s = TEST_POLICY_NOW_S };

    (void)state;
    load("policy_mode: shadow\n", "allow group finance to imap:login\n");
    assert_true(alloc_fail_sweep(open_once, NULL, POSTERN_OK) >= 5);
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    visit.service = postern_config_section(config, POSTERN_SECTION_SERVICE, "imap");
    visit.grant = g;
    assert_true(alloc_fail_sweep(ask_once, &visit, POSTERN_OK) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_policy_the_mapping_decides),
        cmocka_unit_test(the_policy_says_who_may_act_as_whom),
        cmocka_unit_test(a_scope_that_alone_is_wanting_is_named),
        cmocka_unit_test(rules_of_another_service_or_of_doors_say_nothing),
        cmocka_unit_test(a_source_is_known_only_as_an_address),
        cmocka_unit_test(claims_purpose_and_issuer_are_the_tokens),
        cmocka_unit_test(where_the_host_sees_the_agent_alone_the_name_is_the_agents),
        cmocka_unit_test(with_both_names_the_name_is_the_humans),
        cmocka_unit_test(an_account_that_is_denied_is_denied_under_every_spelling),
        cmocka_unit_test(an_account_that_is_allowed_is_allowed_under_its_own_spelling_alone),
        cmocka_unit_test(a_star_in_a_name_is_a_star),
        cmocka_unit_test(in_shadow_a_denied_login_goes_on_and_is_noted),
        cmocka_unit_test(a_policy_that_did_not_come_is_undecided_in_either_mode),
        cmocka_unit_test(claims_that_nobody_can_read_refuse_in_either_mode),
        cmocka_unit_test(a_policy_with_a_mistake_is_refused_with_its_place),
        cmocka_unit_test(without_memory_nothing_is_allowed),
        cmocka_unit_test(of_several_issuers_a_rule_says_whose_agent_it_means),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
