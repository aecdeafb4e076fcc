/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pam-module/: result.c, options.c, password.c, account.c, module.c.  libpam and the helper are fakes: every question to the helper is seen
 * here, and the clock is the test's.  (--wrap; see pam.mk)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../pam-module/module.h"
#include "../support/alloc_fail.h"
#include "../support/fake_pam.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TOKEN    "eyJhbGciOiJFUzI1NiJ9.eyJzZWNyZXQiOiJTRUNSRVQifQ.SECRETSIGNATURE"
#define SECRET   "SECRET"
#define OPAQUE   "opq_SECRETx7"
#define NOW      1000000

/* ---- a helper that answers what a test says ---------------------------------------------------------------------------- */

static struct {
    postern_err          start, verdict, describe;
    postern_failure      failure;
    postern_service_info info;
    const char          *user, *authcid, *ref; /* authcid NULL: the user */
    int64_t              exp_s;
    bool                 has_grant;
    unsigned             verifies, describes, open_ops, open_grants;
    char                 service[200], authzid[1100], peer[64], path[128];
    char                 token[FAKE_PAM_TEXT];
    postern_carrier      carrier;
    postern_tls          tls;
    uid_t                uid;
    bool                 is_describing;
} helper;

static struct pam_handle host;
static int64_t now_s;
static char op_storage, grant_storage;

postern_err __wrap_postern_client_verify_start(const postern_helper_address *where, const postern_request *rq, postern_op **ret, postern_error *err);
postern_err __wrap_postern_client_describe_start(const postern_helper_address *where, const char *service, postern_op **ret, postern_error *err);
const postern_service_info *__wrap_postern_client_info(const postern_op *op);
postern_err __wrap_postern_op_run(postern_op *op, postern_error *err);
const postern_failure *__wrap_postern_op_failure(const postern_op *op);
postern_grant *__wrap_postern_op_take_grant(postern_op *op);
void __wrap_postern_op_free(postern_op *op);
const char *__wrap_postern_grant_user(const postern_grant *g);
const char *__wrap_postern_grant_authcid(const postern_grant *g);
const char *__wrap_postern_grant_ref(const postern_grant *g);
int64_t __wrap_postern_grant_exp_s(const postern_grant *g);
void __wrap_postern_grant_free(postern_grant *g);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    (void)clock;
    *ret = (struct timespec){ .tv_sec = now_s };
    return 0;
}

static void keep(char *to, size_t to_size, const char *from)
{
    assert_in_range(snprintf(to, to_size, "%s", from == NULL ? "(null)" : from), 0, to_size - 1);
}

static void open_op(const postern_helper_address *where, const char *service, bool is_describing, postern_op **ret)
{
    keep(helper.path, sizeof helper.path, where->path);
    keep(helper.service, sizeof helper.service, service);
    helper.uid = where->server_uid;
    helper.is_describing = is_describing;
    helper.open_ops++;
    *ret = (postern_op *)&op_storage;
}

postern_err __wrap_postern_client_verify_start(const postern_helper_address *where, const postern_request *rq, postern_op **ret, postern_error *err)
{
    helper.verifies++;
    assert_int_equal(rq->size, sizeof *rq);
    keep(helper.authzid, sizeof helper.authzid, rq->authzid);
    keep(helper.peer, sizeof helper.peer, rq->peer);
    assert_true(rq->token.len < sizeof helper.token);
    memcpy(helper.token, rq->token.ptr, rq->token.len);
    helper.token[rq->token.len] = '\0';
    helper.tls = rq->tls;
    helper.carrier = rq->carrier;
    if (helper.start != POSTERN_OK)
        return postern_error_set(err, helper.start, __FILE__, __LINE__, "no start");
    open_op(where, rq->service, false, ret);
    return POSTERN_OK;
}

postern_err __wrap_postern_client_describe_start(const postern_helper_address *where, const char *service, postern_op **ret, postern_error *err)
{
    (void)err;
    helper.describes++;
    open_op(where, service, true, ret);
    return POSTERN_OK;
}

const postern_service_info *__wrap_postern_client_info(const postern_op *op)
{
    assert_ptr_equal(op, &op_storage);
    return helper.describe == POSTERN_OK ? &helper.info : NULL;
}

postern_err __wrap_postern_op_run(postern_op *op, postern_error *err)
{
    postern_err e = helper.is_describing ? helper.describe : helper.verdict;

    assert_ptr_equal(op, &op_storage);
    return e == POSTERN_OK ? e : postern_error_set(err, e, __FILE__, __LINE__, "as the test said");
}

const postern_failure *__wrap_postern_op_failure(const postern_op *op)
{
    assert_ptr_equal(op, &op_storage);
    return &helper.failure;
}

postern_grant *__wrap_postern_op_take_grant(postern_op *op)
{
    assert_ptr_equal(op, &op_storage);
    helper.open_grants += helper.has_grant;
    return helper.has_grant ? (postern_grant *)&grant_storage : NULL;
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
    return helper.authcid != NULL ? helper.authcid : helper.user;
}

const char *__wrap_postern_grant_ref(const postern_grant *g)
{
    assert_ptr_equal(g, &grant_storage);
    return helper.ref;
}

int64_t __wrap_postern_grant_exp_s(const postern_grant *g)
{
    assert_ptr_equal(g, &grant_storage);
    return helper.exp_s;
}

void __wrap_postern_grant_free(postern_grant *g)
{
    helper.open_grants -= g != NULL;
}

/* ---- a host ------------------------------------------------------------------------------------------------------------ */

static int set_up(void **state)
{
    (void)state;
    memset(&helper, 0, sizeof helper);
    helper.start = helper.verdict = helper.describe = POSTERN_OK;
    helper.has_grant = true;
    helper.user = "alice";
    helper.ref = "R-GOOD";
    helper.exp_s = NOW + 300;
    helper.info.is_known = true;
    keep(helper.failure.ref, sizeof helper.failure.ref, "R-BAD");
    now_s = NOW;
    fake_pam_start(&host, "sshd", "alice", TOKEN);
    return 0;
}

static int check_nothing_left(void **state)
{
    (void)state;
    host.set_data_code = PAM_SUCCESS;
    fake_pam_end(&host);
    assert_int_equal(helper.open_ops, 0);
    assert_int_equal(helper.open_grants, 0);
    assert_null(strstr(host.log, SECRET)); /* no piece of what was typed, whatever happened */
    return 0;
}

#define LINE_MAX_WORDS 4
static int authenticate(const char *const *line)
{
    const char *argv[LINE_MAX_WORDS];
    int argc = 0;

    while (line != NULL && line[argc] != NULL) {
        argv[argc] = line[argc];
        argc++;
    }
    return pam_sm_authenticate(&host, 0, argc, argv);
}

static int account(void)
{
    return pam_sm_acct_mgmt(&host, 0, 0, NULL);
}

static void assert_logged(const char *words)
{
    if (strstr(host.log, words) == NULL)
        fail_msg("\"%s\" is not in the log:\n%s", words, host.log);
}

/* Refused, and nothing was proved that the account phase could take for it. */
static void assert_refused(int code, const char *reason)
{
    char word[64];

    assert_int_equal(authenticate(NULL), code);
    (void)snprintf(word, sizeof word, "reason=%s", reason);
    assert_logged(word);
    assert_int_equal(account(), PAM_IGNORE);
}

/* ---- codes ------------------------------------------------------------------------------------------------------------- */

static void every_class_has_its_codes_and_only_proved_is_success(void **state)
{
    bool seen[POSTERN_CLASS_USAGE + 1] = { false };

    (void)state;
    for (int e = POSTERN_ERR_UNSET; e < POSTERN_ERR_COUNT; e++) {
        postern_class class = postern_err_class(e);
        int auth = module_result_of(MODULE_AUTH, e), acct = module_result_of(MODULE_ACCOUNT, e);

        assert_true((size_t)class < COUNT(seen));
        seen[class] = true;
        assert_int_equal(auth == PAM_SUCCESS, e == POSTERN_OK);
        assert_int_equal(acct == PAM_SUCCESS, e == POSTERN_OK);
        assert_int_not_equal(auth, PAM_IGNORE);
        assert_int_not_equal(acct, PAM_IGNORE);
        switch (class) {
        case POSTERN_CLASS_PROVED:
            break;
        case POSTERN_CLASS_AGAIN:
            assert_int_equal(auth, PAM_INCOMPLETE);
            break;
        case POSTERN_CLASS_TOKEN:
        case POSTERN_CLASS_SCOPE:
        case POSTERN_CLASS_TRANSPORT:
            assert_int_equal(auth, PAM_AUTH_ERR);
            assert_int_equal(acct, PAM_AUTH_ERR);
            break;
        case POSTERN_CLASS_IDENTITY:
        case POSTERN_CLASS_POLICY:
            assert_int_equal(auth, PAM_AUTH_ERR);
            assert_int_equal(acct, PAM_PERM_DENIED);
            break;
        default: /* undecided */
            assert_int_equal(auth, PAM_AUTHINFO_UNAVAIL);
            assert_int_equal(acct, PAM_AUTHINFO_UNAVAIL);
        }
    }
    for (size_t class = 0; class < COUNT(seen); class++)
        assert_true(seen[class]);
}

static void a_credential_is_always_set(void **state)
{
    (void)state;
    assert_int_equal(pam_sm_setcred(&host, PAM_ESTABLISH_CRED, 0, NULL), PAM_SUCCESS);
    assert_int_equal(helper.verifies + helper.describes, 0);
}

/* ---- the token --------------------------------------------------------------------------------------------------------- */

static void a_token_opens_the_account_that_it_maps_to(void **state)
{
    (void)state;
    host.rhost = "192.0.2.7";
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    assert_string_equal(helper.token, TOKEN);
    assert_string_equal(helper.service, "sshd");
    assert_string_equal(helper.authzid, "alice");
    assert_string_equal(helper.peer, "192.0.2.7");
    assert_string_equal(helper.path, POSTERN_HELPER_SOCKET_DEFAULT);
    assert_int_equal(helper.uid, 0);
    assert_int_equal(helper.carrier, POSTERN_CARRIER_PASSWORD);
    assert_int_equal(helper.tls, POSTERN_TLS_UNKNOWN);
    assert_int_equal(helper.describes, 0);
    assert_logged("6 service=sshd outcome=proved ref=R-GOOD user=alice peer=192.0.2.7");
    assert_int_equal(account(), PAM_SUCCESS);
}

static void what_the_helper_refuses_is_an_authentication_failure(void **state)
{
    (void)state;
    helper.verdict = POSTERN_ERR_EXPIRED;
    assert_refused(PAM_AUTH_ERR, "expired");
    assert_logged("5 service=sshd outcome=rejected reason=expired ref=R-BAD peer=-: token has expired");
    helper.verdict = POSTERN_ERR_AUD;
    host.typed = TOKEN;
    assert_refused(PAM_AUTH_ERR, "aud");
    helper.verdict = POSTERN_ERR_BLOCKED;
    assert_refused(PAM_AUTH_ERR, "blocked");
}

static void what_nobody_decided_is_no_failure_of_the_token(void **state)
{
    (void)state;
    helper.verdict = POSTERN_ERR_HELPER_UNAVAILABLE;
    helper.failure.ref[0] = '\0';
    assert_refused(PAM_AUTHINFO_UNAVAIL, "helper_unavailable");
    assert_logged("as the test said"); /* nobody else has a record of it */
    helper.verdict = POSTERN_ERR_KEYS_UNAVAILABLE;
    assert_refused(PAM_AUTHINFO_UNAVAIL, "keys_unavailable");
    helper.start = POSTERN_ERR_SYSTEM;
    assert_refused(PAM_AUTHINFO_UNAVAIL, "system");
}

static void a_proof_without_a_grant_or_a_name_opens_nothing(void **state)
{
    (void)state;
    helper.has_grant = false;
    assert_refused(PAM_AUTHINFO_UNAVAIL, "internal");
    helper.has_grant = true;
    helper.user = NULL;
    host.user[0] = '\0';
    assert_refused(PAM_AUTHINFO_UNAVAIL, "internal");
    helper.user = "";
    assert_refused(PAM_AUTHINFO_UNAVAIL, "internal");
}

static void a_token_is_taken_from_the_stack_whatever_becomes_of_it(void **state)
{
    static const postern_err verdicts[] = { POSTERN_OK, POSTERN_ERR_EXPIRED, POSTERN_ERR_TIMEOUT };

    (void)state;
    for (size_t i = 0; i < COUNT(verdicts); i++) {
        helper.verdict = verdicts[i];
        (void)authenticate(NULL);
        assert_int_equal(host.has_authtok, 0);
        assert_string_equal(host.authtok, "");
    }
}

static void a_token_that_cannot_be_taken_away_opens_nothing(void **state)
{
    (void)state;
    host.set_item_code = PAM_SYSTEM_ERR;
    assert_refused(PAM_AUTHINFO_UNAVAIL, "internal");
}

static void a_token_of_an_earlier_module_needs_no_prompt(void **state)
{
    static const char *const line[] = { "use_first_pass", NULL };

    (void)state;
    keep(host.authtok, sizeof host.authtok, TOKEN);
    host.has_authtok = 1;
    host.typed = NULL;
    assert_int_equal(authenticate(line), PAM_SUCCESS);
    assert_int_equal(host.prompts, 0);
}

static void an_application_without_an_answer_gets_none_either(void **state)
{
    (void)state;
    host.typed = NULL;
    assert_refused(PAM_AUTH_ERR, "no_token");
    host.typed_code = PAM_BUF_ERR;
    assert_refused(PAM_AUTHINFO_UNAVAIL, "nomem");
    host.log[0] = '\0';
    host.typed_code = PAM_CONV_AGAIN; /* an event loop: it calls again */
    assert_int_equal(authenticate(NULL), PAM_INCOMPLETE);
    assert_string_equal(host.log, "");
    host.typed = TOKEN;
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    assert_int_equal(helper.verifies, 1);
}

/* ---- passwords --------------------------------------------------------------------------------------------------------- */

static void a_persons_password_goes_nowhere_and_stays_for_the_next_module(void **state)
{
    static const char *const passwords[] = {
        "SECRET horse",                                       /* no character of a token's set */
        "SECRETpassword", "SECRET.with.dots", "opq",          /* all of them are */
        "eyJSECRET", "eyJSECRET.two", "eyJSECRET..three",     /* nearly a token */
        "eyJa.b.", ".eyJb.SECRET", "eyJa.b.SECRET.four", "eyJa.b.c.d.SECRET", " " TOKEN, TOKEN " ", TOKEN "=",
        "EYJa.b.SECRET",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(passwords); i++) {
        host.typed = passwords[i];
        host.has_authtok = 0;
        assert_refused(PAM_AUTH_ERR, "malformed");
        assert_string_equal(host.authtok, passwords[i]);
    }
    assert_int_equal(helper.verifies, 0);
    host.typed = "";
    host.has_authtok = 0;
    assert_refused(PAM_AUTH_ERR, "no_token");
    assert_int_equal(helper.verifies, 0);
}

static void an_opaque_token_of_the_embedded_issuer_is_known_by_its_form_alone(void **state)
{
    (void)state;
    host.typed = "pot_AZaz09-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    assert_int_equal(helper.verifies, 1);
    assert_int_equal(host.has_authtok, 0);
    host.typed = "pot_SECRET";
    assert_refused(PAM_AUTH_ERR, "malformed");
    host.typed = "pot_AZaz09-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"; /* one more */
    host.has_authtok = 0;
    assert_refused(PAM_AUTH_ERR, "malformed");
    assert_int_equal(helper.verifies, 1);
}

static void an_opaque_token_is_known_by_how_it_begins(void **state)
{
    (void)state;
    host.typed = OPAQUE;
    assert_refused(PAM_AUTH_ERR, "malformed"); /* the service has no opaque_prefix */
    assert_int_equal(helper.verifies, 0);
    keep(helper.info.opaque_prefix, sizeof helper.info.opaque_prefix, "opq_");
    host.has_authtok = 0;
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    assert_int_equal(helper.verifies, 1);
    assert_string_equal(helper.token, OPAQUE);
    assert_int_equal(host.has_authtok, 0);
    host.typed = "opq_"; /* nothing behind it */
    assert_refused(PAM_AUTH_ERR, "malformed");
    host.typed = "OPQ_SECRETx7";
    host.has_authtok = 0;
    assert_refused(PAM_AUTH_ERR, "malformed");
    assert_int_equal(helper.verifies, 1);
}

static void without_the_helper_nobody_knows_whether_it_is_a_token(void **state)
{
    (void)state;
    host.typed = OPAQUE;
    helper.describe = POSTERN_ERR_HELPER_UNAVAILABLE;
    assert_refused(PAM_AUTHINFO_UNAVAIL, "helper_unavailable");
    helper.describe = POSTERN_OK;
    helper.info.is_known = false;
    assert_refused(PAM_AUTHINFO_UNAVAIL, "service_unknown");
    assert_int_equal(helper.verifies, 0);
}

/* ---- the user ---------------------------------------------------------------------------------------------------------- */

static void bobs_token_never_opens_alices_account(void **state)
{
    (void)state;
    helper.user = "bob"; /* a helper that would let it pass */
    assert_refused(PAM_AUTH_ERR, "authzid");
    assert_string_equal(host.user, "alice");
    helper.user = "alicea";
    assert_refused(PAM_AUTH_ERR, "authzid");
    helper.user = "Alice";
    assert_refused(PAM_AUTH_ERR, "authzid");
    helper.user = "alice";
    helper.verdict = POSTERN_ERR_AUTHZID;
    assert_refused(PAM_AUTH_ERR, "authzid");
}

static void an_empty_user_is_set_from_the_mapping_after_the_proof_only(void **state)
{
    (void)state;
    host.user[0] = '\0';
    helper.verdict = POSTERN_ERR_EXPIRED;
    assert_refused(PAM_AUTH_ERR, "expired");
    assert_string_equal(host.user, "");
    helper.verdict = POSTERN_OK;
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    assert_string_equal(helper.authzid, "(null)");
    assert_string_equal(host.user, "alice");
    assert_int_equal(account(), PAM_SUCCESS);
}

static void two_names_are_one_too_many(void **state)
{
    (void)state;
    helper.authcid = "agent-7";
    assert_refused(PAM_AUTHINFO_UNAVAIL, "config_conflict");
    helper.authcid = "alice";
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
}

/* ---- the PAM line ------------------------------------------------------------------------------------------------------ */

static void the_line_names_service_and_socket(void **state)
{
    static const char *const line[] = { "try_first_pass", "service=db", "helper_socket=/srv/x.sock", NULL };

    (void)state;
    assert_int_equal(authenticate(line), PAM_SUCCESS);
    assert_string_equal(helper.service, "db");
    assert_string_equal(helper.path, "/srv/x.sock");
}

static void an_option_that_is_none_is_an_error(void **state)
{
    static const char *const lines[][LINE_MAX_WORDS] = {
        { "debug" }, { "nullok" }, { "alwaysok" }, { "service" }, { "Service=db" }, { "service=db", "service=db" },
        { "service=" }, { "service=../db" }, { "service=a/b" }, { "service=.db" }, { "service=-db" }, { "service=a b" },
        { "helper_socket=run/x" }, { "helper_socket=" }, { "use_first_pass=1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_int_equal(authenticate(lines[i]), PAM_AUTHINFO_UNAVAIL);
        assert_logged("reason=config_");
        host.log[0] = '\0';
    }
    assert_int_equal(host.prompts, 0);
    assert_int_equal(helper.verifies + helper.describes, 0);
}

static void names_that_are_too_long_are_refused_by_one_byte(void **state)
{
    char service[sizeof "service=" + POSTERN_SERVICE_NAME_MAX], path[sizeof "helper_socket=" + POSTERN_HELPER_PATH_MAX];
    const char *line[2] = { service, NULL };

    (void)state;
    memset(service, 'a', sizeof service);
    memcpy(service, "service=", 8);
    service[8 + POSTERN_SERVICE_NAME_MAX] = '\0';
    assert_int_equal(authenticate(line), PAM_AUTHINFO_UNAVAIL);
    service[8 + POSTERN_SERVICE_NAME_MAX - 1] = '\0';
    assert_int_equal(authenticate(line), PAM_SUCCESS);
    line[0] = path;
    memset(path, '/', sizeof path);
    memcpy(path, "helper_socket=", 14);
    path[14 + POSTERN_HELPER_PATH_MAX] = '\0';
    assert_int_equal(authenticate(line), PAM_AUTHINFO_UNAVAIL);
    path[14 + POSTERN_HELPER_PATH_MAX - 1] = '\0';
    assert_int_equal(authenticate(line), PAM_SUCCESS);
}

static void a_service_that_pam_does_not_name_is_none(void **state)
{
    (void)state;
    host.service = NULL;
    assert_refused(PAM_AUTHINFO_UNAVAIL, "config_value");
    host.service = "a/b";
    assert_refused(PAM_AUTHINFO_UNAVAIL, "config_value");
}

/* ---- the account phase ------------------------------------------------------------------------------------------------- */

static void an_account_that_somebody_else_opened_is_not_judged(void **state)
{
    (void)state;
    assert_int_equal(account(), PAM_IGNORE); /* alone in its phase, libpam makes PAM_PERM_DENIED of it */
    assert_string_equal(host.log, "");
}

static void an_account_is_closed_in_the_second_in_which_the_token_ends(void **state)
{
    (void)state;
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    now_s = NOW + 299;
    assert_int_equal(account(), PAM_SUCCESS);
    now_s = NOW + 300; /* RFC 7519 §4.1.4: "on or after" */
    assert_int_equal(account(), PAM_AUTH_ERR);
    assert_logged("outcome=rejected reason=expired ref=R-GOOD");
}

static void a_token_taken_within_the_leeway_ends_soon(void **state)
{
    (void)state;
    helper.exp_s = NOW - 40;
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    now_s = NOW + 9;
    assert_int_equal(account(), PAM_SUCCESS);
    now_s = NOW + 10;
    assert_int_equal(account(), PAM_AUTH_ERR);
}

static void an_account_of_another_user_than_was_proved_is_denied(void **state)
{
    (void)state;
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    keep(host.user, sizeof host.user, "root"); /* another module changed it */
    assert_int_equal(account(), PAM_PERM_DENIED);
    assert_logged("reason=authzid");
    host.user[0] = '\0';
    assert_int_equal(account(), PAM_PERM_DENIED);
}

static void a_later_refusal_takes_back_what_was_proved_before(void **state)
{
    (void)state;
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    helper.verdict = POSTERN_ERR_REVOKED;
    assert_refused(PAM_AUTH_ERR, "revoked");
    helper.verdict = POSTERN_OK;
    assert_int_equal(authenticate(NULL), PAM_SUCCESS);
    host.typed = "SECRET password";
    assert_refused(PAM_AUTH_ERR, "malformed");
}

static void what_cannot_be_kept_for_the_account_phase_is_not_proved(void **state)
{
    (void)state;
    host.set_data_code = PAM_BUF_ERR;
    assert_refused(PAM_AUTHINFO_UNAVAIL, "nomem");
}

static void any_allocation_may_fail(void **state)
{
    bool is_refused = true;
    unsigned nth;

    (void)state;
    for (nth = 1; is_refused; nth++) {
        int code;

        assert_true(nth < 100);
        alloc_fail_arm(nth);
        code = authenticate(NULL);
        is_refused = alloc_fail_disarm();
        assert_int_equal(code, is_refused ? PAM_AUTHINFO_UNAVAIL : PAM_SUCCESS);
        assert_int_equal(account(), is_refused ? PAM_IGNORE : PAM_SUCCESS);
    }
    assert_true(nth > 2);
}

#define LOGIN_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, check_nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOGIN_TEST(every_class_has_its_codes_and_only_proved_is_success),
        LOGIN_TEST(a_credential_is_always_set),
        LOGIN_TEST(a_token_opens_the_account_that_it_maps_to),
        LOGIN_TEST(what_the_helper_refuses_is_an_authentication_failure),
        LOGIN_TEST(what_nobody_decided_is_no_failure_of_the_token),
        LOGIN_TEST(a_proof_without_a_grant_or_a_name_opens_nothing),
        LOGIN_TEST(a_token_is_taken_from_the_stack_whatever_becomes_of_it),
        LOGIN_TEST(a_token_that_cannot_be_taken_away_opens_nothing),
        LOGIN_TEST(a_token_of_an_earlier_module_needs_no_prompt),
        LOGIN_TEST(an_application_without_an_answer_gets_none_either),
        LOGIN_TEST(a_persons_password_goes_nowhere_and_stays_for_the_next_module),
        LOGIN_TEST(an_opaque_token_of_the_embedded_issuer_is_known_by_its_form_alone),
        LOGIN_TEST(an_opaque_token_is_known_by_how_it_begins),
        LOGIN_TEST(without_the_helper_nobody_knows_whether_it_is_a_token),
        LOGIN_TEST(bobs_token_never_opens_alices_account),
        LOGIN_TEST(an_empty_user_is_set_from_the_mapping_after_the_proof_only),
        LOGIN_TEST(two_names_are_one_too_many),
        LOGIN_TEST(the_line_names_service_and_socket),
        LOGIN_TEST(an_option_that_is_none_is_an_error),
        LOGIN_TEST(names_that_are_too_long_are_refused_by_one_byte),
        LOGIN_TEST(a_service_that_pam_does_not_name_is_none),
        LOGIN_TEST(an_account_that_somebody_else_opened_is_not_judged),
        LOGIN_TEST(an_account_is_closed_in_the_second_in_which_the_token_ends),
        LOGIN_TEST(a_token_taken_within_the_leeway_ends_soon),
        LOGIN_TEST(an_account_of_another_user_than_was_proved_is_denied),
        LOGIN_TEST(a_later_refusal_takes_back_what_was_proved_before),
        LOGIN_TEST(what_cannot_be_kept_for_the_account_phase_is_not_proved),
        LOGIN_TEST(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
