/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/grant/grant.c, reply.c and frame.c: what a grant promises, and that a reply which contradicts
 * itself is no verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <postern-private/reply.h>

#include "grant/grant.h"
#include "grant/reply.h"

#define NONCE "AAECAwQFBgcICQoLDA0ODw"

static const struct postern_grant_facts full_facts = {
    .service = { (const uint8_t *)"imap", 4 },
    .issuer = { (const uint8_t *)"https://as.example", 18 },
    .subject = { (const uint8_t *)"alice", 5 },
    .client_id = { (const uint8_t *)"agent-7", 7 },
    .user = { (const uint8_t *)"alice", 5 },
    .audience = { (const uint8_t *)"https://mail.example/imap", 25 },
    .jti = { (const uint8_t *)"j-1", 3 },
    .purpose = { (const uint8_t *)"read \"mail\"", 11 },
    .scope = { (const uint8_t *)"mail.read mail", 14 },
    .act = { { (const uint8_t *)"agent-7", 7 }, { (const uint8_t *)"planner", 7 } },
    .act_depth = 2,
    .exp_s = 2000,
    .iat_s = 1000,
    .claims = { (const uint8_t *)"{}", 2 },
};

static void a_proof_gives_every_field_as_text(void **state)
{
    postern_grant *g = NULL;

    (void)state;
    assert_int_equal(postern_grant_from_proof(&full_facts, &g, NULL), POSTERN_OK);
    assert_int_equal(postern_grant_origin(g), POSTERN_ORIGIN_LOCAL_PROOF);
    assert_string_equal(postern_grant_service(g), "imap");
    assert_string_equal(postern_grant_issuer(g), "https://as.example");
    assert_string_equal(postern_grant_subject(g), "alice");
    assert_string_equal(postern_grant_client_id(g), "agent-7");
    assert_string_equal(postern_grant_actor(g), "agent-7");
    assert_string_equal(postern_grant_user(g), "alice");
    assert_string_equal(postern_grant_audience(g), "https://mail.example/imap");
    assert_string_equal(postern_grant_jti(g), "j-1");
    assert_string_equal(postern_grant_purpose(g), "read \"mail\"");
    assert_string_equal(postern_grant_scope(g), "mail.read mail");
    assert_int_equal(postern_grant_act_depth(g), 2);
    assert_string_equal(postern_grant_act(g, 1), "planner");
    assert_null(postern_grant_act(g, 2));
    assert_int_equal(postern_grant_exp_s(g), 2000);
    assert_int_equal(postern_grant_iat_s(g), 1000);
    assert_null(postern_grant_ref(g));
    assert_true(postern_bytes_equal_str(postern_grant_claims(g), "{}"));
    postern_grant_free(g);
}

static void a_proof_keeps_where_the_token_comes_from(void **state)
{
    static const char claims[] = "{\"authorization_details\":[{\"type\":\"x\"}]}";
    struct postern_grant_facts facts = full_facts;
    postern_grant *g = NULL;

    (void)state;
    facts.claims = postern_bytes_str(claims);
    facts.authorization_details = (postern_bytes){ (const uint8_t *)claims + 25, 14 };
    facts.grant_id = postern_bytes_str("g-1");
    facts.derived_from[0] = postern_bytes_str("t-0");
    facts.derived_count = 1;
    facts.authcid = postern_bytes_str("agent-7");
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    assert_string_equal(postern_grant_grant_id(g), "g-1");
    assert_string_equal(postern_grant_derived_from(g, 0), "t-0");
    assert_null(postern_grant_derived_from(g, 1));
    assert_string_equal(postern_grant_authcid(g), "agent-7");
    assert_true(postern_bytes_equal_str(postern_grant_authorization_details(g),
                                        "[{\"type\":\"x\"}]"));
    postern_grant_free(g);
    assert_int_equal(postern_grant_from_proof(&full_facts, &g, NULL), POSTERN_OK);
    assert_null(postern_grant_grant_id(g));
    assert_null(postern_grant_derived_from(g, 0));
    assert_string_equal(postern_grant_authcid(g), "alice");
    assert_int_equal(postern_grant_authorization_details(g).len, 0);
    postern_grant_free(g);
}

static void details_that_are_not_the_claims_own_give_no_grant(void **state)
{
    static const char text[] = "{}[{}]";
    struct postern_grant_facts facts = full_facts;
    postern_grant *g = NULL;

    (void)state;
    facts.claims = (postern_bytes){ (const uint8_t *)text, 2 };
    facts.authorization_details = (postern_bytes){ (const uint8_t *)text + 2, 4 };
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_INTERNAL);
    facts.authorization_details = (postern_bytes){ (const uint8_t *)text + 1, 2 };
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_INTERNAL);
    facts.claims = POSTERN_BYTES_NONE;
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_INTERNAL);
    facts = full_facts;
    facts.derived_count = POSTERN_DERIVED_MAX + 1;
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_LIMIT);
    assert_null(g);
}

static void an_absent_text_is_null_and_an_absent_scope_is_empty(void **state)
{
    struct postern_grant_facts facts = { .client_id = POSTERN_BYTES_LIT("agent-7"),
                                         .exp_s = 1,
                                         .iat_s = -1 };
    postern_grant *g = NULL;

    (void)state;
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    assert_null(postern_grant_user(g));
    assert_null(postern_grant_subject(g));
    assert_null(postern_grant_jti(g));
    assert_string_equal(postern_grant_scope(g), "");
    assert_string_equal(postern_grant_actor(g), "agent-7");
    assert_false(postern_grant_has_scope(g, ""));
    assert_int_equal(postern_grant_claims(g).len, 0);
    postern_grant_free(g);
    postern_grant_free(NULL);
}

static void a_proof_without_bearer_or_end_is_an_internal_error(void **state)
{
    struct postern_grant_facts facts = full_facts;
    postern_grant *g = NULL;

    (void)state;
    facts.exp_s = -1;
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_INTERNAL);
    facts = full_facts;
    facts.subject = facts.client_id = POSTERN_BYTES_NONE;
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_INTERNAL);
    assert_null(g);
}

static void a_proof_with_unsafe_text_gives_no_grant(void **state)
{
    static const postern_bytes unsafe[] = {
        { (const uint8_t *)"a\0b", 3 },  { (const uint8_t *)"a\nb", 3 },
        { (const uint8_t *)"a\x7f", 2 }, { (const uint8_t *)"a\xc2\x9b", 3 },
        { (const uint8_t *)"a\xff", 2 },
    };
    struct postern_grant_facts facts = full_facts;
    postern_grant *g = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++) {
        facts = full_facts;
        facts.user = unsafe[i];
        assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_UNSAFE_IDENTITY);
        facts = full_facts;
        facts.act[1] = unsafe[i];
        assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_UNSAFE_IDENTITY);
    }
    assert_null(g);
}

static void a_proof_beyond_a_bound_gives_no_grant(void **state)
{
    static uint8_t long_text[POSTERN_SCOPE_CLAIM_MAX + 1];
    struct postern_grant_facts facts = full_facts;
    postern_grant *g = NULL;

    (void)state;
    memset(long_text, 'a', sizeof long_text);
    facts.subject = (postern_bytes){ long_text, POSTERN_IDENTITY_MAX + 1 };
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_LIMIT);
    facts = full_facts;
    facts.scope = (postern_bytes){ long_text, POSTERN_SCOPE_CLAIM_MAX + 1 };
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_LIMIT);
    facts = full_facts;
    facts.act_depth = POSTERN_ACT_DEPTH_MAX + 1;
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_ERR_LIMIT);
    assert_null(g);
    facts = full_facts;
    facts.subject = (postern_bytes){ long_text, POSTERN_IDENTITY_MAX };
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    postern_grant_free(g);
}

static bool has_human(const char *subject, const char *client, const char *actor)
{
    struct postern_grant_facts facts = { .subject = postern_bytes_str(subject),
                                         .client_id = postern_bytes_str(client),
                                         .act = { postern_bytes_str(actor) },
                                         .act_depth = actor[0] != '\0',
                                         .exp_s = 1,
                                         .iat_s = -1 };
    postern_grant *g = NULL;
    bool ret;

    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    ret = postern_grant_has_human(g);
    postern_grant_free(g);
    return ret;
}

static void a_human_is_an_actors_or_a_subject_that_is_not_the_client(void **state)
{
    (void)state;
    assert_true(has_human("alice", "agent-7", ""));
    assert_true(has_human("alice", "", ""));
    assert_true(has_human("alice", "agent-7", "agent-7"));
    assert_false(has_human("agent-7", "agent-7", "agent-7"));
    assert_false(has_human("agent-7", "agent-7", ""));
    assert_true(has_human("Agent-7", "agent-7", ""));
    assert_false(has_human("", "agent-7", ""));
}

/* Two agents that exchange a token with each other make no human: "for anyone" is not for them. */
static void an_agent_whose_token_another_takes_further_is_no_human(void **state)
{
    struct postern_grant_facts facts = { .subject = POSTERN_BYTES_LIT("agent-7"),
                                         .client_id = POSTERN_BYTES_LIT("mcp"),
                                         .act = { POSTERN_BYTES_LIT("mcp"), POSTERN_BYTES_LIT("agent-7") },
                                         .act_depth = 2,
                                         .exp_s = 1,
                                         .iat_s = -1 };
    postern_grant *g = NULL;

    (void)state;
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    assert_false(postern_grant_has_human(g));
    postern_grant_free(g);
    facts.subject = POSTERN_BYTES_LIT("alice");
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    assert_true(postern_grant_has_human(g));
    postern_grant_free(g);
}

static void a_scope_counts_as_a_whole_word_only(void **state)
{
    postern_grant *g = NULL;

    (void)state;
    assert_int_equal(postern_grant_from_proof(&full_facts, &g, NULL), POSTERN_OK);
    assert_true(postern_grant_has_scope(g, "mail"));
    assert_true(postern_grant_has_scope(g, "mail.read"));
    assert_false(postern_grant_has_scope(g, "mail.r"));
    assert_false(postern_grant_has_scope(g, "Mail"));
    assert_false(postern_grant_has_scope(g, "mail.read mail"));
    assert_false(postern_grant_has_scope(g, "read"));
    assert_false(postern_grant_has_scope(g, ""));
    assert_false(postern_grant_has_scope(g, NULL));
    postern_grant_free(g);
}

/* ---- replies ---- */

static postern_err read_text(const char *frame, const char *service, postern_grant **ret,
                             postern_failure *failure)
{
    *ret = NULL;
    return postern_grant_from_reply(postern_bytes_str(frame), POSTERN_BYTES_LIT(NONCE), service,
                                    ret, failure, NULL);
}

static void a_written_grant_reads_back_as_the_same_grant(void **state)
{
    postern_grant *g = NULL, *again = NULL;
    postern_failure failure = { .ref = "R-0123456789" }, ret_failure;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    (void)state;
    assert_int_equal(postern_grant_from_proof(&full_facts, &g, NULL), POSTERN_OK);
    postern_reply_write(g, &failure, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_false(out.failed);
    assert_int_equal(postern_grant_from_reply(postern_buf_bytes(&out), POSTERN_BYTES_LIT(NONCE),
                                              "imap", &again, &ret_failure, NULL),
                     POSTERN_OK);
    assert_int_equal(postern_grant_origin(again), POSTERN_ORIGIN_HELPER);
    assert_string_equal(postern_grant_user(again), "alice");
    assert_string_equal(postern_grant_service(again), "imap");
    assert_string_equal(postern_grant_purpose(again), "read \"mail\"");
    assert_string_equal(postern_grant_scope(again), "mail.read mail");
    assert_string_equal(postern_grant_act(again, 1), "planner");
    assert_string_equal(postern_grant_ref(again), "R-0123456789");
    assert_int_equal(postern_grant_exp_s(again), 2000);
    assert_int_equal(postern_grant_claims(again).len, 0);
    postern_grant_free(g);
    postern_grant_free(again);
}

/* login_as: both.  A plugin of before refuses a member that it does not know: it must not log the
 * human in without the host's proxy policy. */
static void the_reply_tells_both_names_and_only_then_two(void **state)
{
    struct postern_grant_facts facts = full_facts;
    postern_grant *g = NULL, *again = NULL;
    postern_failure failure = { .ref = "R-0123456789" }, ret_failure;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    (void)state;
    facts.authcid = postern_bytes_str("agent-7");
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    postern_reply_write(g, &failure, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_int_equal(postern_grant_from_reply(postern_buf_bytes(&out), POSTERN_BYTES_LIT(NONCE),
                                              "imap", &again, &ret_failure, NULL),
                     POSTERN_OK);
    assert_string_equal(postern_grant_authcid(again), "agent-7");
    assert_string_equal(postern_grant_user(again), "alice");
    postern_grant_free(POSTERN_STEAL(g));
    postern_grant_free(POSTERN_STEAL(again));
    facts.authcid = facts.user; /* one name is no second one */
    facts.grant_id = postern_bytes_str("g-1");
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    postern_buf_reset(&out);
    postern_reply_write(g, &failure, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_null(strstr(postern_buf_cstr(&out), "authcid"));
    assert_null(strstr(postern_buf_cstr(&out), "grant_id"));
    postern_grant_free(g);
}

static void a_written_refusal_reads_back_with_code_and_discovery(void **state)
{
    postern_failure failure = { .code = POSTERN_ERR_INSUFFICIENT_SCOPE,
                                .ref = "R-0123456789",
                                .scope = "mail",
                                .openid_configuration =
                                    "https://as.example/.well-known/openid-configuration" };
    postern_failure read;
    postern_grant *g = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    (void)state;
    postern_reply_write(NULL, &failure, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_int_equal(postern_grant_from_reply(postern_buf_bytes(&out), POSTERN_BYTES_LIT(NONCE),
                                              "imap", &g, &read, NULL),
                     POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_null(g);
    assert_int_equal(read.code, POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_string_equal(read.ref, "R-0123456789");
    assert_string_equal(read.scope, "mail");
    assert_string_equal(read.openid_configuration, failure.openid_configuration);
    assert_string_equal(read.resource_metadata, "");
}

static void a_block_reads_back_with_its_reason_and_contact(void **state)
{
    postern_failure failure = { .code = POSTERN_ERR_BLOCKED,
                                .ref = "R-0123456789",
                                .because = "stolen \"laptop\"",
                                .contact = "security@example.org" };
    postern_failure read;
    postern_grant *g = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    (void)state;
    postern_reply_write(NULL, &failure, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_int_equal(postern_grant_from_reply(postern_buf_bytes(&out), POSTERN_BYTES_LIT(NONCE),
                                              "imap", &g, &read, NULL),
                     POSTERN_ERR_BLOCKED);
    assert_string_equal(read.because, failure.because);
    assert_string_equal(read.contact, failure.contact);
    /* Nothing of it stands in other refusals: a plugin of before reads those. */
    failure = (postern_failure){ .code = POSTERN_ERR_EXPIRED, .ref = "R-0123456789" };
    postern_buf_reset(&out);
    postern_reply_write(NULL, &failure, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_null(strstr(postern_buf_cstr(&out), "contact"));
    assert_null(strstr(postern_buf_cstr(&out), "because"));
}

static void a_refusal_without_a_reason_is_written_as_an_internal_error(void **state)
{
    postern_failure failure = { .ref = "R-0123456789" }, read;
    postern_grant *g = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    (void)state;
    postern_reply_write(NULL, &failure, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_int_equal(postern_grant_from_reply(postern_buf_bytes(&out), POSTERN_BYTES_LIT(NONCE),
                                              "imap", &g, &read, NULL),
                     POSTERN_ERR_INTERNAL);
    assert_null(g);
}

#define HEAD   "{\"v\":1,\"op\":\"verify\",\"nonce\":\"" NONCE "\",\"service\":\"imap\","
#define PROVED "\"outcome\":\"proved\",\"ref\":\"R-0123456789\","
#define GRANT(more)                                                                                \
    "\"grant\":{\"iss\":\"i\",\"sub\":\"s\",\"user\":\"u\",\"aud\":\"a\",\"exp\":9" more "}}"

static const struct {
    const char *why, *frame;
} bad_replies[] = {
    { "no JSON", "yes" },
    { "empty object", "{}" },
    { "an array", "[1]" },
    { "another version",
      "{\"v\":2,\"op\":\"verify\",\"nonce\":\"" NONCE "\",\"service\":\"imap\"," PROVED GRANT("") },
    { "version as text", "{\"v\":\"1\",\"op\":\"verify\",\"nonce\":\"" NONCE
                         "\",\"service\":\"imap\"," PROVED GRANT("") },
    { "another op", "{\"v\":1,\"op\":\"describe\",\"nonce\":\"" NONCE
                    "\",\"service\":\"imap\"," PROVED GRANT("") },
    { "another nonce",
      "{\"v\":1,\"op\":\"verify\",\"nonce\":\"BAECAwQFBgcICQoLDA0ODw\",\"service\":\"imap\"," PROVED
          GRANT("") },
    { "a shorter nonce",
      "{\"v\":1,\"op\":\"verify\",\"nonce\":\"AAEC\",\"service\":\"imap\"," PROVED GRANT("") },
    { "another service",
      "{\"v\":1,\"op\":\"verify\",\"nonce\":\"" NONCE "\",\"service\":\"ldap\"," PROVED GRANT("") },
    { "a service that only starts alike", "{\"v\":1,\"op\":\"verify\",\"nonce\":\"" NONCE
                                          "\",\"service\":\"imap\\u0000\"," PROVED GRANT("") },
    { "no nonce", "{\"v\":1,\"op\":\"verify\",\"service\":\"imap\"," PROVED GRANT("") },
    { "two outcomes", HEAD "\"outcome\":\"rejected\"," PROVED GRANT("") },
    { "unknown member", HEAD PROVED "\"extra\":1," GRANT("") },
    { "unknown member of the grant", HEAD PROVED GRANT(",\"admin\":true") },
    { "proved without a grant", HEAD "\"outcome\":\"proved\",\"ref\":\"R-0123456789\"}" },
    { "proved with a reason", HEAD PROVED "\"reason\":\"expired\"," GRANT("") },
    { "proved without a ref", HEAD "\"outcome\":\"proved\"," GRANT("") },
    { "refused with a grant",
      HEAD "\"outcome\":\"rejected\",\"reason\":\"expired\",\"ref\":\"R-0123456789\"," GRANT("") },
    { "refused without a reason", HEAD "\"outcome\":\"rejected\",\"ref\":\"R-0123456789\"}" },
    { "refused because ok",
      HEAD "\"outcome\":\"proved \",\"reason\":\"ok\",\"ref\":\"R-0123456789\"}" },
    { "unknown reason",
      HEAD "\"outcome\":\"rejected\",\"reason\":\"tuesday\",\"ref\":\"R-0123456789\"}" },
    { "outcome does not fit the reason",
      HEAD "\"outcome\":\"undecided\",\"reason\":\"expired\",\"ref\":\"R-0123456789\"}" },
    { "grant without a user",
      HEAD PROVED "\"grant\":{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"exp\":9}}" },
    { "grant with an empty user", HEAD PROVED
      "\"grant\":{\"iss\":\"i\",\"sub\":\"s\",\"user\":\"\",\"aud\":\"a\",\"exp\":9}}" },
    { "grant without subject and client",
      HEAD PROVED "\"grant\":{\"iss\":\"i\",\"user\":\"u\",\"aud\":\"a\",\"exp\":9}}" },
    { "grant without an end",
      HEAD PROVED "\"grant\":{\"iss\":\"i\",\"sub\":\"s\",\"user\":\"u\",\"aud\":\"a\"}}" },
    { "a negative end", HEAD PROVED
      "\"grant\":{\"iss\":\"i\",\"sub\":\"s\",\"user\":\"u\",\"aud\":\"a\",\"exp\":-1}}" },
    { "a control character in the user", HEAD PROVED
      "\"grant\":{\"iss\":\"i\",\"sub\":\"s\",\"user\":\"u\\nx\",\"aud\":\"a\",\"exp\":9}}" },
    { "an actor that is no text", HEAD PROVED GRANT(",\"act\":[1]") },
    { "nine actors",
      HEAD PROVED GRANT(",\"act\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]") },
    { "something after the frame", HEAD PROVED GRANT("") "x" },
};

static void a_reply_that_contradicts_itself_is_no_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_replies / sizeof bad_replies[0]; i++) {
        postern_grant *g;
        postern_failure failure;
        postern_err e = read_text(bad_replies[i].frame, "imap", &g, &failure);

        if (e != POSTERN_ERR_HELPER_PROTOCOL || g != NULL || failure.code != e)
            fail_msg("%s: %s", bad_replies[i].why, postern_err_reason(e));
    }
}

static void the_same_reply_without_the_fault_is_a_grant(void **state)
{
    postern_grant *g;
    postern_failure failure;

    (void)state;
    assert_int_equal(read_text(HEAD PROVED GRANT(""), "imap", &g, &failure), POSTERN_OK);
    assert_string_equal(postern_grant_user(g), "u");
    assert_int_equal(postern_grant_iat_s(g), -1);
    assert_string_equal(postern_grant_scope(g), "");
    postern_grant_free(g);
}

static void the_helpers_sentence_about_a_bad_request_is_passed_on(void **state)
{
    postern_error err = { 0 };
    postern_failure failure;
    postern_grant *g = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    (void)state;
    postern_reply_write_error("frame is of protocol version 2", &out);
    assert_int_equal(postern_grant_from_reply(postern_buf_bytes(&out), POSTERN_BYTES_LIT(NONCE),
                                              "imap", &g, &failure, &err),
                     POSTERN_ERR_HELPER_PROTOCOL);
    assert_non_null(strstr(err.detail, "protocol version 2"));
    assert_null(g);
}

static void a_helper_that_is_full_says_later_and_decides_nothing(void **state)
{
    postern_error err = { 0 };
    postern_failure failure;
    postern_service_info info;
    postern_bytes handle;
    postern_grant *g = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);
    POSTERN_AUTO_FRAME described = { 0 }, minted = { 0 };

    (void)state;
    postern_reply_write_busy("one user holds all: try again later", &out);
    assert_int_equal(postern_grant_from_reply(postern_buf_bytes(&out), POSTERN_BYTES_LIT(NONCE),
                                              "imap", &g, &failure, &err),
                     POSTERN_ERR_BUSY);
    assert_int_equal(postern_err_outcome(failure.code), POSTERN_UNDECIDED);
    assert_string_equal(err.detail, "helper: one user holds all: try again later");
    assert_null(g);
    assert_int_equal(postern_frame_open(&described, postern_buf_bytes(&out), NULL), POSTERN_OK);
    assert_int_equal(postern_reply_read_info(&described, POSTERN_BYTES_LIT(NONCE), "imap", &info, NULL),
                     POSTERN_ERR_BUSY);
    assert_int_equal(postern_frame_open(&minted, postern_buf_bytes(&out), NULL), POSTERN_OK);
    assert_int_equal(postern_reply_read_handle(&minted, POSTERN_BYTES_LIT(NONCE), "imap", &handle,
                                               &failure, NULL),
                     POSTERN_ERR_BUSY);
    /* No other reason gets through that way: a verdict is bound to its question. */
    assert_int_equal(read_text("{\"v\":1,\"op\":\"error\",\"reason\":\"expired\",\"detail\":\"x\"}", "imap",
                               &g, &failure),
                     POSTERN_ERR_HELPER_PROTOCOL);
    assert_int_equal(read_text("{\"v\":1,\"op\":\"error\",\"reason\":\"ok\",\"detail\":\"x\"}", "imap", &g,
                               &failure),
                     POSTERN_ERR_HELPER_PROTOCOL);
    assert_int_equal(read_text("{\"v\":1,\"op\":\"error\",\"reason\":\"busy\"}", "imap", &g, &failure),
                     POSTERN_ERR_HELPER_PROTOCOL);
}

static postern_err read_info(const postern_buf *out, postern_service_info *ret)
{
    POSTERN_AUTO_FRAME f = { 0 };

    POSTERN_TRY(postern_frame_open(&f, postern_buf_bytes(out), NULL));
    return postern_reply_read_info(&f, POSTERN_BYTES_LIT(NONCE), "imap", ret, NULL);
}

static void a_service_is_described_unknown_or_not_told(void **state)
{
    postern_service_info info = { .is_known = true,
                                  .has_xoauth2 = true,
                                  .opaque_prefix = "opq_",
                                  .discovery = { .scope = "mail" } },
                         read = { 0 };
    postern_failure refusal = { .code = POSTERN_ERR_PEER_NOT_ALLOWED, .ref = "R-0123456789" };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    (void)state;
    postern_reply_write_info(&info, NULL, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_int_equal(read_info(&out, &read), POSTERN_OK);
    assert_true(read.is_known && read.has_xoauth2 && !read.has_oauthbearer);
    assert_string_equal(read.discovery.scope, "mail");
    assert_string_equal(read.opaque_prefix, "opq_");
    assert_int_equal(read.discovery.code, POSTERN_ERR_NO_TOKEN);
    postern_buf_reset(&out);
    info.is_known = false;
    postern_reply_write_info(&info, NULL, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_int_equal(read_info(&out, &read), POSTERN_OK);
    assert_false(read.is_known || read.has_xoauth2);
    postern_buf_reset(&out);
    postern_reply_write_info(&info, &refusal, POSTERN_BYTES_LIT(NONCE), "imap", &out);
    assert_int_equal(read_info(&out, &read), POSTERN_ERR_PEER_NOT_ALLOWED);
    postern_buf_reset(&out);
    postern_reply_write_info(&info, NULL, POSTERN_BYTES_LIT("AAECAwQFBgcICQoLDA0ODQ"), "imap",
                             &out);
    assert_int_equal(read_info(&out, &read), POSTERN_ERR_HELPER_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proof_gives_every_field_as_text),
        cmocka_unit_test(a_proof_keeps_where_the_token_comes_from),
        cmocka_unit_test(details_that_are_not_the_claims_own_give_no_grant),
        cmocka_unit_test(an_absent_text_is_null_and_an_absent_scope_is_empty),
        cmocka_unit_test(a_proof_without_bearer_or_end_is_an_internal_error),
        cmocka_unit_test(a_human_is_an_actors_or_a_subject_that_is_not_the_client),
        cmocka_unit_test(an_agent_whose_token_another_takes_further_is_no_human),
        cmocka_unit_test(a_proof_with_unsafe_text_gives_no_grant),
        cmocka_unit_test(a_proof_beyond_a_bound_gives_no_grant),
        cmocka_unit_test(a_scope_counts_as_a_whole_word_only),
        cmocka_unit_test(a_written_grant_reads_back_as_the_same_grant),
        cmocka_unit_test(the_reply_tells_both_names_and_only_then_two),
        cmocka_unit_test(a_written_refusal_reads_back_with_code_and_discovery),
        cmocka_unit_test(a_block_reads_back_with_its_reason_and_contact),
        cmocka_unit_test(a_refusal_without_a_reason_is_written_as_an_internal_error),
        cmocka_unit_test(a_reply_that_contradicts_itself_is_no_verdict),
        cmocka_unit_test(the_same_reply_without_the_fault_is_a_grant),
        cmocka_unit_test(the_helpers_sentence_about_a_bad_request_is_passed_on),
        cmocka_unit_test(a_helper_that_is_full_says_later_and_decides_nothing),
        cmocka_unit_test(a_service_is_described_unknown_or_not_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
