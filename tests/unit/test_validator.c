/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postgres-validator/: result.c, hba.c, ask.c, connection.c, verdict_log.c, version.c, module.c.  The server and the helper are fakes: what
 * is alive of the core is counted whenever the server could unwind.  (--wrap; see validator.mk)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../postgres-validator/validator.h"
#include "../support/fake_postgres.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TOKEN    "eyJhbGciOiJFUzI1NiJ9.eyJzZWNyZXQiOiJTRUNSRVQifQ.SECRETSIGNATURE"
#define SECRET   "SECRET"
#define ISS      "https://sso.example.org/realm"

/* ---- a helper that answers what a test says ---------------------------------------------------------------------------- */

static struct {
    postern_err     start, verdict;
    unsigned        rounds; /* POSTERN_AGAIN so often first */
    int             fd;
    postern_failure failure;
    const char     *user, *authcid, *ref, *issuer; /* authcid NULL: the user */
    bool            has_no_grant;
    unsigned        verifies, open_ops, open_grants;
    char            service[200], authzid[1100], peer[64], path[128], scopes[600];
    postern_carrier carrier;
    postern_tls     tls;
    uid_t           uid;
} helper;

static char op_storage, grant_storage;

postern_err __wrap_postern_client_verify_start(const postern_helper_address *where, const postern_request *rq, postern_op **ret, postern_error *err);
postern_err __wrap_postern_op_step(postern_op *op, postern_error *err);
int __wrap_postern_op_fd(const postern_op *op);
int __wrap_postern_op_wait_ms(const postern_op *op);
const postern_failure *__wrap_postern_op_failure(const postern_op *op);
postern_grant *__wrap_postern_op_take_grant(postern_op *op);
void __wrap_postern_op_free(postern_op *op);
const char *__wrap_postern_grant_user(const postern_grant *g);
const char *__wrap_postern_grant_authcid(const postern_grant *g);
const char *__wrap_postern_grant_ref(const postern_grant *g);
const char *__wrap_postern_grant_issuer(const postern_grant *g);
void __wrap_postern_grant_free(postern_grant *g);

static void keep(char *to, size_t to_size, const char *from)
{
    assert_in_range(snprintf(to, to_size, "%s", from == NULL ? "(null)" : from), 0, to_size - 1);
}

postern_err __wrap_postern_client_verify_start(const postern_helper_address *where, const postern_request *rq, postern_op **ret, postern_error *err)
{
    helper.verifies++;
    assert_int_equal(rq->size, sizeof *rq);
    assert_true(postern_bytes_equal_str(rq->token, TOKEN));
    keep(helper.service, sizeof helper.service, rq->service);
    keep(helper.authzid, sizeof helper.authzid, rq->authzid);
    keep(helper.peer, sizeof helper.peer, rq->peer);
    keep(helper.path, sizeof helper.path, where->path);
    helper.scopes[0] = '\0';
    for (size_t i = 0; rq->extra_scopes[i] != NULL; i++) {
        strcat(helper.scopes, rq->extra_scopes[i]);
        strcat(helper.scopes, ",");
    }
    helper.uid = where->server_uid;
    helper.carrier = rq->carrier;
    helper.tls = rq->tls;
    if (helper.start != POSTERN_OK)
        return postern_error_set(err, helper.start, __FILE__, __LINE__, "no start");
    helper.open_ops++;
    *ret = (postern_op *)&op_storage;
    return POSTERN_OK;
}

postern_err __wrap_postern_op_step(postern_op *op, postern_error *err)
{
    assert_ptr_equal(op, &op_storage);
    if (helper.rounds != 0) {
        helper.rounds--;
        return POSTERN_AGAIN;
    }
    return helper.verdict == POSTERN_OK ? POSTERN_OK : postern_error_set(err, helper.verdict, __FILE__, __LINE__, "as the test said");
}

int __wrap_postern_op_fd(const postern_op *op)
{
    assert_ptr_equal(op, &op_storage);
    return helper.fd;
}

int __wrap_postern_op_wait_ms(const postern_op *op)
{
    assert_ptr_equal(op, &op_storage);
    return 1234;
}

const postern_failure *__wrap_postern_op_failure(const postern_op *op)
{
    assert_ptr_equal(op, &op_storage);
    return &helper.failure;
}

postern_grant *__wrap_postern_op_take_grant(postern_op *op)
{
    assert_ptr_equal(op, &op_storage);
    helper.open_grants += !helper.has_no_grant;
    return helper.has_no_grant ? NULL : (postern_grant *)&grant_storage;
}

void __wrap_postern_op_free(postern_op *op)
{
    helper.open_ops -= op != NULL;
}

const char *__wrap_postern_grant_user(const postern_grant *g)
{
    assert_ptr_equal(g, &grant_storage);
    return helper.user;
}

const char *__wrap_postern_grant_authcid(const postern_grant *g)
{
    assert_ptr_equal(g, &grant_storage);
    return helper.authcid == NULL ? helper.user : helper.authcid;
}

const char *__wrap_postern_grant_ref(const postern_grant *g)
{
    assert_ptr_equal(g, &grant_storage);
    return helper.ref;
}

const char *__wrap_postern_grant_issuer(const postern_grant *g)
{
    assert_ptr_equal(g, &grant_storage);
    return helper.issuer;
}

void __wrap_postern_grant_free(postern_grant *g)
{
    helper.open_grants -= g != NULL;
}

/* Nothing of the core may be alive when the server can leave by longjmp. */
static void nothing_is_alive(void)
{
    assert_int_equal(helper.open_grants, 0);
    if (fake_postgres.waits == 0 || fake_postgres.signal == FAKE_NO_SIGNAL) /* else the cleanup is watched */
        assert_int_equal(helper.open_ops, 0);
}

static int setup(void **state)
{
    (void)state;
    memset(&helper, 0, sizeof helper);
    memset(&fake_postgres, 0, sizeof fake_postgres);
    helper.start = helper.verdict = POSTERN_OK;
    helper.fd = 5;
    helper.user = "alice";
    helper.ref = "R-0000000001";
    helper.issuer = ISS;
    fake_postgres.issuer = ISS;
    fake_postgres.scope = "openid db.connect";
    fake_postgres.connection = FAKE_TLS;
    fake_postgres.on_server_call = nothing_is_alive;
    return 0;
}

static void login(const char *role)
{
    fake_postgres_login(TOKEN, role);
    assert_int_equal(helper.open_ops, 0);
    assert_int_equal(helper.open_grants, 0);
    assert_null(strstr(fake_postgres.log, SECRET));
    assert_null(strstr(fake_postgres.fatal, SECRET));
}

static void assert_admitted(void)
{
    assert_true(fake_postgres.has_returned && fake_postgres.has_said_done && fake_postgres.is_authorized);
    assert_string_equal(fake_postgres.fatal, "");
}

static void assert_refused(const char *reason)
{
    char word[64];

    (void)snprintf(word, sizeof word, "outcome=rejected reason=%s ", reason);
    assert_true(fake_postgres.has_returned && fake_postgres.has_said_done);
    assert_false(fake_postgres.is_authorized);
    assert_string_equal(fake_postgres.authn_id, "");
    if (strstr(fake_postgres.log, word) == NULL)
        fail_msg("no \"%s\" in: %s", word, fake_postgres.log);
}

static void assert_given_up(const char *reason)
{
    char word[64];

    (void)snprintf(word, sizeof word, "outcome=undecided reason=%s ", reason);
    assert_false(fake_postgres.has_returned);
    if (strstr(fake_postgres.log, word) == NULL)
        fail_msg("no \"%s\" in: %s", word, fake_postgres.log);
    if (strncmp(fake_postgres.fatal, "57P03 OAuth login could not be decided|", 39) != 0)
        fail_msg("%s", fake_postgres.fatal);
}

/* ---- verdicts ---------------------------------------------------------------------------------------------------------- */

static void every_class_has_its_end(void **state)
{
    (void)state;
    for (postern_err e = POSTERN_ERR_UNSET; e < POSTERN_ERR_COUNT; e++) {
        enum validator_end want = VALIDATOR_GIVE_UP;

        if (postern_err_outcome(e) == POSTERN_PROVED)
            want = VALIDATOR_ADMIT;
        else if (postern_err_outcome(e) == POSTERN_REJECTED)
            want = VALIDATOR_REFUSE;
        if (validator_end_of(e) != want)
            fail_msg("%s ends with %d", postern_err_reason(e), validator_end_of(e));
    }
    assert_int_equal(validator_end_of(POSTERN_ERR_UNSET), VALIDATOR_GIVE_UP);
    assert_int_equal(validator_end_of(POSTERN_AGAIN), VALIDATOR_GIVE_UP);
}

static void a_proved_token_is_its_users(void **state)
{
    (void)state;
    login("reporting");
    assert_admitted();
    assert_string_equal(fake_postgres.authn_id, "alice"); /* which roles that opens is the server's map */
    assert_string_equal(fake_postgres.log, "postern: service=postgresql outcome=proved ref=R-0000000001 user=alice\n");
    assert_string_equal(helper.authzid, "(null)");
    assert_string_equal(helper.service, "postgresql");
    assert_string_equal(helper.path, POSTERN_HELPER_SOCKET_DEFAULT);
    assert_string_equal(helper.scopes, "openid,db.connect,");
    assert_string_equal(helper.peer, "2001:db8::7");
    assert_int_equal(helper.uid, 0);
    assert_int_equal(helper.carrier, POSTERN_CARRIER_SASL);
    assert_string_equal(fake_postgres_module_name(), "postern_validator");
}

static void the_clients_address_is_not_what_its_name_server_says(void **state)
{
    static const struct {
        enum fake_connection connection;
        const char *peer;
    } cases[] = {
        { FAKE_REMOTE, "192.0.2.7" }, { FAKE_TLS, "2001:db8::7" }, { FAKE_LOOPBACK4, "127.9.9.9" }, { FAKE_UNIX, "[local]" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake_postgres.connection = cases[i].connection;
        login("reporting");
        assert_admitted();
        assert_string_equal(helper.peer, cases[i].peer);
    }
}

static void a_rejected_token_is_refused_with_its_reference(void **state)
{
    (void)state;
    helper.verdict = helper.failure.code = POSTERN_ERR_EXPIRED;
    strcpy(helper.failure.ref, "R-0000000002");
    login("alice");
    assert_refused("expired");
    assert_non_null(strstr(fake_postgres.log, "ref=R-0000000002: token has expired\n"));
    helper.verdict = helper.failure.code = POSTERN_ERR_INSUFFICIENT_SCOPE;
    login("alice");
    assert_refused("insufficient_scope");
    helper.verdict = helper.failure.code = POSTERN_ERR_BLOCKED;
    login("alice");
    assert_refused("blocked");
}

static void what_the_helper_did_not_see_is_explained(void **state)
{
    (void)state;
    helper.verdict = helper.failure.code = POSTERN_ERR_LIMIT;
    login("alice");
    assert_refused("limit");
    assert_non_null(strstr(fake_postgres.log, "ref=-: token or message exceeds a size limit: as the test said\n"));
}

static void an_undecided_login_says_nothing_bad_of_the_token(void **state)
{
    (void)state;
    helper.verdict = helper.failure.code = POSTERN_ERR_HELPER_UNAVAILABLE;
    login("alice");
    assert_given_up("helper_unavailable");
    assert_null(strstr(fake_postgres.fatal, "Reference"));
    helper.verdict = helper.failure.code = POSTERN_ERR_KEYS_UNAVAILABLE;
    strcpy(helper.failure.ref, "R-0000000003");
    login("alice");
    assert_given_up("keys_unavailable");
    assert_non_null(strstr(fake_postgres.fatal, "|Reference R-0000000003.|"));
    helper.start = POSTERN_ERR_NOMEM;
    login("alice");
    assert_given_up("nomem");
}

static void a_helper_that_proves_nothing_proves_nothing(void **state)
{
    (void)state;
    helper.has_no_grant = true;
    login("alice");
    assert_given_up("internal");
    helper.has_no_grant = false;
    helper.user = NULL;
    login("alice");
    assert_given_up("internal");
    helper.user = "";
    login("alice");
    assert_given_up("internal");
    helper.user = "alice";
    helper.issuer = NULL;
    login("alice");
    assert_given_up("internal");
}

static void a_service_with_two_names_cannot_be_used(void **state)
{
    (void)state;
    helper.authcid = "agent-7";
    login("alice");
    assert_given_up("config_conflict");
    helper.authcid = "alice";
    login("alice");
    assert_admitted();
}

static void outside_of_a_login_there_is_nothing_to_decide(void **state)
{
    (void)state;
    fake_postgres.has_no_line = true;
    login("alice");
    assert_given_up("usage");
    assert_int_equal(helper.verifies, 0);
}

/* ---- the line of pg_hba.conf ------------------------------------------------------------------------------------------- */

static void the_issuer_is_the_lines(void **state)
{
    (void)state;
    helper.issuer = "https://other.example.org";
    login("alice");
    assert_refused("iss");
    assert_non_null(strstr(fake_postgres.log, "ref=R-0000000001"));
    fake_postgres.issuer = NULL;
    login("alice");
    assert_refused("iss");
}

static void an_issuer_is_named_by_itself_or_by_its_document(void **state)
{
    static const struct {
        const char *line, *iss;
        bool        want;
    } cases[] = {
        { "https://a.example", "https://a.example", true },
        { "https://a.example", "https://a.example/", false },
        { "https://a.example/", "https://a.example", false },
        { "https://a.example", "https://A.example", false },
        { "https://a.example", "https://a.example.org", false },
        { "https://a.example", "", false },
        { "https://a.example/.well-known/openid-configuration", "https://a.example", true },
        { "https://a.example/.well-known/openid-configuration", "https://a.example/", false },
        { "https://a.example/.well-known/openid-configuration", "https://a.example/.well-known/openid-configuration", false },
        { "https://a.example/r/.well-known/openid-configuration", "https://a.example/r", true },
        { "https://a.example/r/.well-known/openid-configuration", "https://a.example", false },
        { "https://a.example/.well-known/oauth-authorization-server/r", "https://a.example/r", true },
        { "https://a.example/.well-known/oauth-authorization-server/r", "https://a.example", false },
        { "https://a.example/.well-known/oauth-authorization-server/r", "https://a.example/q", false },
        { "https://a.example/.well-known/oauth-authorization-server", "https://a.example", true },
        { "https://a.example/.well-known/oauth-authorization-serverx", "https://a.example", false },
        { "https://a.example/.well-known/oauth-authorization-serverx", "https://a.examplex", false },
        { "https://a.example/.well-known/jwks.json", "https://a.example", false },
        { "", "", false },
        { NULL, "https://a.example", false },
        { "https://a.example", NULL, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (validator_is_issuer(cases[i].line, cases[i].iss) != cases[i].want)
            fail_msg("%s and %s", cases[i].line, cases[i].iss);
}

static void scopes_are_words_between_blanks(void **state)
{
    static const struct {
        const char *line, *want;
    } cases[] = {
        { NULL, "" }, { "", "" }, { "   ", "" }, { "a", "a," }, { "  a  b ", "a,b," }, { "a b c d e f g h i j k l m n o p", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p," },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake_postgres.scope = cases[i].line;
        login("alice");
        assert_admitted();
        assert_string_equal(helper.scopes, cases[i].want);
    }
}

static void a_line_that_asks_too_much_decides_nothing(void **state)
{
    struct validator_scopes s;
    char                    text[sizeof s.room + 1];

    (void)state;
    fake_postgres.scope = "a b c d e f g h i j k l m n o p q";
    login("alice");
    assert_given_up("config_value");
    assert_int_equal(helper.verifies, 0);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(validator_scopes_read(text, &s, NULL), POSTERN_ERR_CONFIG_VALUE);
    text[sizeof text - 2] = '\0';
    assert_int_equal(validator_scopes_read(text, &s, NULL), POSTERN_OK);
    assert_string_equal(s.list[0], text);
}

static void a_delegated_line_takes_the_users_own_role_alone(void **state)
{
    (void)state;
    fake_postgres.is_delegated = true;
    login("alice");
    assert_admitted();
    assert_string_equal(helper.authzid, "alice");
    login("bob"); /* a helper that did not compare */
    assert_refused("authzid");
    assert_string_equal(helper.authzid, "bob");
    login("Alice");
    assert_refused("authzid");
    login("");
    assert_refused("authzid");
    helper.verdict = helper.failure.code = POSTERN_ERR_AUTHZID;
    login("bob");
    assert_refused("authzid");
}

/* ---- the connection ---------------------------------------------------------------------------------------------------- */

static void the_helper_is_told_how_the_connection_is_protected(void **state)
{
    static const struct {
        enum fake_connection c;
        postern_tls          want;
    } cases[] = {
        { FAKE_TLS, POSTERN_TLS_ON },          { FAKE_UNIX, POSTERN_TLS_LOCAL },
        { FAKE_LOOPBACK4, POSTERN_TLS_LOCAL }, { FAKE_LOOPBACK6, POSTERN_TLS_LOCAL },
        { FAKE_REMOTE, POSTERN_TLS_NONE },     { FAKE_HALF_LOOPBACK, POSTERN_TLS_NONE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake_postgres.connection = cases[i].c;
        login("alice");
        assert_int_equal(helper.tls, cases[i].want);
    }
}

/* ---- settings ---------------------------------------------------------------------------------------------------------- */

static void settings_lead_to_the_helper(void **state)
{
    (void)state;
    fake_postgres.service = "warehouse";
    fake_postgres.socket = "/srv/h.sock";
    fake_postgres.user = "1234";
    login("alice");
    assert_admitted();
    assert_string_equal(helper.service, "warehouse");
    assert_string_equal(helper.path, "/srv/h.sock");
    assert_int_equal(helper.uid, 1234);
}

/* Never by the rules of the default service. */
static void a_bad_setting_decides_nothing(void **state)
{
    (void)state;
    fake_postgres.service = "../postgresql";
    login("alice");
    assert_given_up("config_value");
    fake_postgres.service = "";
    login("alice");
    assert_given_up("config_value");
    fake_postgres.service = NULL;
    fake_postgres.socket = "helper.sock";
    login("alice");
    assert_given_up("config_value");
    fake_postgres.socket = NULL;
    fake_postgres.user = "nobody-of-that-name";
    login("alice");
    assert_given_up("config_value");
    assert_int_equal(helper.verifies, 0);
}

/* ---- waits and unwinding ----------------------------------------------------------------------------------------------- */

static void a_wait_is_on_latch_socket_clock_and_postmaster(void **state)
{
    (void)state;
    helper.rounds = 3;
    login("alice");
    assert_admitted();
    assert_int_equal(fake_postgres.waits, 3);
    assert_true(fake_postgres_waited_well(true));
    assert_int_equal(fake_postgres.wait_fd, 5);
    assert_int_equal(fake_postgres.wait_ms, 1234);
    helper.rounds = 1;
    helper.fd = -1;
    login("alice");
    assert_admitted();
    assert_true(fake_postgres_waited_well(false));
}

static void a_backend_that_shall_end_ends_and_leaves_nothing(void **state)
{
    (void)state;
    helper.rounds = 1000;
    fake_postgres.signal = FAKE_TERMINATE;
    login("alice"); /* looks that nothing is left */
    assert_false(fake_postgres.has_returned);
    assert_int_equal(fake_postgres.waits, 1);
    assert_non_null(strstr(fake_postgres.fatal, "57P01 terminated"));
    fake_postgres.signal = FAKE_POSTMASTER_GONE;
    login("alice");
    assert_false(fake_postgres.has_returned);
    assert_int_equal(fake_postgres.waits, 1);
}

static void an_error_unwinds_and_leaves_nothing(void **state)
{
    (void)state;
    helper.rounds = 1000;
    fake_postgres.signal = FAKE_CANCEL;
    login("alice");
    assert_false(fake_postgres.has_returned);
    assert_int_equal(fake_postgres.waits, 1);
}

static void memory_that_runs_out_admits_nobody(void **state)
{
    unsigned n;

    (void)state;
    for (n = 1;; n++) {
        fake_postgres.failing_alloc = n;
        login("alice");
        if (fake_postgres.has_returned)
            break;
        assert_non_null(strstr(fake_postgres.fatal, "53200 out of memory"));
    }
    assert_admitted();
    assert_in_range(n, 3, 10);
    fake_postgres.failing_alloc = 0;
    fake_postgres.failing_callback = 1;
    helper.verifies = 0;
    login("alice");
    assert_false(fake_postgres.has_returned);
    assert_int_equal(helper.verifies, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_class_has_its_end, setup),
        cmocka_unit_test_setup(a_proved_token_is_its_users, setup),
        cmocka_unit_test_setup(the_clients_address_is_not_what_its_name_server_says, setup),
        cmocka_unit_test_setup(a_rejected_token_is_refused_with_its_reference, setup),
        cmocka_unit_test_setup(what_the_helper_did_not_see_is_explained, setup),
        cmocka_unit_test_setup(an_undecided_login_says_nothing_bad_of_the_token, setup),
        cmocka_unit_test_setup(a_helper_that_proves_nothing_proves_nothing, setup),
        cmocka_unit_test_setup(a_service_with_two_names_cannot_be_used, setup),
        cmocka_unit_test_setup(outside_of_a_login_there_is_nothing_to_decide, setup),
        cmocka_unit_test_setup(the_issuer_is_the_lines, setup),
        cmocka_unit_test_setup(an_issuer_is_named_by_itself_or_by_its_document, setup),
        cmocka_unit_test_setup(scopes_are_words_between_blanks, setup),
        cmocka_unit_test_setup(a_line_that_asks_too_much_decides_nothing, setup),
        cmocka_unit_test_setup(a_delegated_line_takes_the_users_own_role_alone, setup),
        cmocka_unit_test_setup(the_helper_is_told_how_the_connection_is_protected, setup),
        cmocka_unit_test_setup(settings_lead_to_the_helper, setup),
        cmocka_unit_test_setup(a_bad_setting_decides_nothing, setup),
        cmocka_unit_test_setup(a_wait_is_on_latch_socket_clock_and_postmaster, setup),
        cmocka_unit_test_setup(a_backend_that_shall_end_ends_and_leaves_nothing, setup),
        cmocka_unit_test_setup(an_error_unwinds_and_leaves_nothing, setup),
        cmocka_unit_test_setup(memory_that_runs_out_admits_nobody, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
