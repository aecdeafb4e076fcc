/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sasl-plugin/, server side: result.c, peer.c, options.c, service.c, server.c.  libsasl and the helper are fakes: the plugin
 * is stepped as libsasl would, and every question to the helper is seen here.  (--wrap; see plugin.mk)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../sasl-plugin/plugin.h"
#include "../support/alloc_fail.h"
#include "../support/fake_sasl.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define GOOD "n,a=alice,\x01host=mail.example.org\x01port=143\x01" "auth=Bearer SECRET.TOKEN.BYTES\x01\x01"
#define SECRET "SECRET"

/* ---- a helper that answers what a test says ---------------------------------------------------------------------------- */

static struct {
    postern_err          start, verdict, describe;
    postern_failure      failure;
    postern_service_info info;
    const char          *user, *authcid, *ref; /* authcid NULL: the user */
    bool                 has_grant;
    unsigned             verifies, describes, open_ops, open_grants;
    char                 service[64], authzid[64], peer[64], host[64], port[8], token[64], path[128];
    uid_t                uid;
    postern_tls          tls;
    postern_carrier      carrier;
    bool                 is_describing;
} helper;

static struct fake_sasl host;
static sasl_server_params_t sparams;
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
void __wrap_postern_grant_free(postern_grant *g);

static void keep(char *to, size_t to_size, const char *from)
{
    assert_in_range(snprintf(to, to_size, "%s", from == NULL ? "(null)" : from), 0, to_size - 1);
}

static void open_op(const postern_helper_address *where, bool is_describing, postern_op **ret)
{
    keep(helper.path, sizeof helper.path, where->path);
    helper.uid = where->server_uid;
    helper.is_describing = is_describing;
    helper.open_ops++;
    *ret = (postern_op *)&op_storage;
}

postern_err __wrap_postern_client_verify_start(const postern_helper_address *where, const postern_request *rq, postern_op **ret, postern_error *err)
{
    helper.verifies++;
    assert_int_equal(rq->size, sizeof *rq);
    keep(helper.service, sizeof helper.service, rq->service);
    keep(helper.authzid, sizeof helper.authzid, rq->authzid);
    keep(helper.peer, sizeof helper.peer, rq->peer);
    keep(helper.host, sizeof helper.host, rq->message_host);
    keep(helper.port, sizeof helper.port, rq->message_port);
    assert_true(rq->token.len < sizeof helper.token);
    memcpy(helper.token, rq->token.ptr, rq->token.len);
    helper.token[rq->token.len] = '\0';
    helper.tls = rq->tls;
    helper.carrier = rq->carrier;
    if (helper.start != POSTERN_OK)
        return postern_error_set(err, helper.start, __FILE__, __LINE__, "no start");
    open_op(where, false, ret);
    return POSTERN_OK;
}

postern_err __wrap_postern_client_describe_start(const postern_helper_address *where, const char *service, postern_op **ret, postern_error *err)
{
    (void)err;
    helper.describes++;
    keep(helper.service, sizeof helper.service, service);
    open_op(where, true, ret);
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

void __wrap_postern_grant_free(postern_grant *g)
{
    helper.open_grants -= g != NULL;
}

/* ---- a host ------------------------------------------------------------------------------------------------------------ */

static const struct fake_option no_socket[] = { { "postern_helper_socket", "/nonexistent/helper.sock" }, { NULL, NULL } };
static const struct fake_option some_socket[] = { { "postern_helper_socket", "/dev/null" }, { NULL, NULL } }; /* any file */

static int set_up(void **state)
{
    (void)state;
    memset(&helper, 0, sizeof helper);
    helper.start = helper.verdict = helper.describe = POSTERN_OK;
    helper.has_grant = true;
    helper.user = "alice";
    helper.ref = "REFGOOD";
    helper.info = (postern_service_info){ .is_known = true, .has_oauthbearer = true };
    keep(helper.info.discovery.scope, sizeof helper.info.discovery.scope, "mail.read");
    keep(helper.info.discovery.openid_configuration, sizeof helper.info.discovery.openid_configuration, "https://as.example/d");
    keep(helper.failure.ref, sizeof helper.failure.ref, "REFBAD");
    keep(helper.failure.scope, sizeof helper.failure.scope, "mail.read");
    fake_sasl_reset(&host);
    host.options = some_socket;
    sparams = (sasl_server_params_t){
        .service = "imap", .utils = &host.utils, .canon_user = fake_sasl_canon_user, .external_ssf = 256,
        .iplocalport = "192.0.2.1;143", .ipremoteport = "192.0.2.9;50000",
    };
    plugin_service_forget_all();
    return 0;
}

static int check_nothing_left(void **state)
{
    (void)state;
    assert_int_equal(helper.open_ops, 0);
    assert_int_equal(helper.open_grants, 0);
    assert_null(strstr(host.log, SECRET)); /* no piece of a token, whatever happened */
    assert_null(strstr(host.error, SECRET));
    return 0;
}

struct login {
    void             *context;
    const char       *out;
    unsigned          outlen;
    sasl_out_params_t oparams;
};

static struct login start_login(struct plugin_mech *m)
{
    struct login l = { 0 };

    assert_int_equal(plugin_server_new(m, &sparams, NULL, 0, &l.context), SASL_OK);
    return l;
}

static int step(struct login *l, const char *in, size_t len)
{
    return plugin_server_step(l->context, &sparams, in, (unsigned)len, &l->out, &l->outlen, &l->oparams);
}

static int step_str(struct login *l, const char *in)
{
    return step(l, in, strlen(in));
}

static void end_login(struct login *l)
{
    plugin_server_dispose(l->context, &host.utils);
}

/* ---- result.c, peer.c ------------------------------------------------------------------------------------------------------ */

static void every_class_has_its_code_and_only_proved_is_ok(void **state)
{
    static const struct { postern_class class; int code; bool has_challenge; } want[] = {
        { POSTERN_CLASS_PROVED, SASL_OK, false },      { POSTERN_CLASS_TOKEN, SASL_BADAUTH, true },
        { POSTERN_CLASS_SCOPE, SASL_BADAUTH, true },   { POSTERN_CLASS_TRANSPORT, SASL_BADAUTH, true },
        { POSTERN_CLASS_IDENTITY, SASL_NOAUTHZ, true }, { POSTERN_CLASS_POLICY, SASL_NOAUTHZ, true },
        { POSTERN_CLASS_REMOTE, SASL_UNAVAIL, false }, { POSTERN_CLASS_RESOURCE, SASL_UNAVAIL, false },
        { POSTERN_CLASS_CONFIG, SASL_UNAVAIL, false }, { POSTERN_CLASS_USAGE, SASL_UNAVAIL, false },
        { POSTERN_CLASS_INTERNAL, SASL_UNAVAIL, false }, { POSTERN_CLASS_AGAIN, SASL_UNAVAIL, false },
    };

    (void)state;
    for (int e = POSTERN_ERR_UNSET; e < POSTERN_ERR_COUNT; e++) {
        struct plugin_result got = plugin_result_of((postern_err)e);
        size_t i = 0;

        while (i < COUNT(want) && want[i].class != postern_err_class((postern_err)e))
            i++;
        assert_true(i < COUNT(want));
        if (got.code != want[i].code || got.has_challenge != want[i].has_challenge)
            fail_msg("%s: %d", postern_err_reason((postern_err)e), got.code);
        assert_int_equal(got.code == SASL_OK, e == POSTERN_OK);
    }
}

static void protection_is_tls_or_two_loopback_ends(void **state)
{
    static const struct { const char *why; sasl_ssf_t ssf; const char *local, *remote; postern_tls want; } cases[] = {
        { "TLS", 256, "192.0.2.1;143", "192.0.2.9;5", POSTERN_TLS_ON },
        { "ldapi", 71, NULL, NULL, POSTERN_TLS_ON },
        { "integrity only", 1, "192.0.2.1;143", "192.0.2.9;5", POSTERN_TLS_NONE },
        { "clear", 0, "192.0.2.1;143", "192.0.2.9;5", POSTERN_TLS_NONE },
        { "loopback", 0, "127.0.0.1;143", "127.0.0.1;5", POSTERN_TLS_LOCAL },
        { "all of 127/8", 0, "127.9.9.9;143", "127.0.0.1;5", POSTERN_TLS_LOCAL },
        { "IPv6 loopback", 0, "::1;143", "::1;5", POSTERN_TLS_LOCAL },
        { "mapped loopback", 0, "::ffff:127.0.0.1;143", "::ffff:127.0.0.1;5", POSTERN_TLS_LOCAL },
        { "libvirt's unix socket", 0, "127.0.0.1;0", "127.0.0.1;0", POSTERN_TLS_LOCAL },
        { "one end only", 0, "127.0.0.1;143", "192.0.2.9;5", POSTERN_TLS_NONE },
        { "other end only", 0, "192.0.2.1;143", "127.0.0.1;5", POSTERN_TLS_NONE },
        { "one end unknown", 0, "127.0.0.1;143", NULL, POSTERN_TLS_NONE },
        { "host tells nothing", 0, NULL, NULL, POSTERN_TLS_UNKNOWN },
        { "mapped address of the network", 0, "::ffff:192.0.2.1;143", "::ffff:192.0.2.9;5", POSTERN_TLS_NONE },
        { "name instead of an address", 0, "localhost;143", "localhost;5", POSTERN_TLS_NONE },
        { "127 in front of something else", 0, "127.0.0.1.evil;143", "127.0.0.1.evil;5", POSTERN_TLS_NONE },
        { "no port", 0, "127.0.0.1", "127.0.0.1", POSTERN_TLS_UNKNOWN },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (plugin_tls_state(cases[i].ssf, cases[i].local, cases[i].remote) != cases[i].want)
            fail_msg("%s", cases[i].why);
}

/* ---- init.c ------------------------------------------------------------------------------------------------------------------ */

static void libsasl_finds_two_mechanisms_that_need_no_security_layer(void **state)
{
    sasl_server_plug_t *server = NULL;
    sasl_client_plug_t *client = NULL;
    int version = 0, count = 0;

    (void)state;
    assert_int_equal(sasl_server_plug_init(&host.utils, SASL_SERVER_PLUG_VERSION - 1, &version, &server, &count), SASL_BADVERS);
    assert_int_equal(sasl_server_plug_init(&host.utils, SASL_SERVER_PLUG_VERSION, &version, &server, &count), SASL_OK);
    assert_int_equal(version, SASL_SERVER_PLUG_VERSION);
    assert_int_equal(count, 2);
    assert_string_equal(server[0].mech_name, "OAUTHBEARER");
    assert_string_equal(server[1].mech_name, "XOAUTH2");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(server[i].max_ssf, 0);
        assert_int_equal(server[i].security_flags, SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS);
        assert_int_equal(server[i].features, SASL_FEAT_WANT_CLIENT_FIRST | SASL_FEAT_ALLOWS_PROXY);
    }
    assert_int_equal(sasl_client_plug_init(&host.utils, SASL_CLIENT_PLUG_VERSION - 1, &version, &client, &count), SASL_BADVERS);
    assert_int_equal(sasl_client_plug_init(&host.utils, SASL_CLIENT_PLUG_VERSION, &version, &client, &count), SASL_OK);
    assert_int_equal(count, 2);
    assert_string_equal(host.log, "");
    assert_int_equal(helper.describes, 0);
}

/* ---- mech_avail ------------------------------------------------------------------------------------------------------------- */

static int avail(struct plugin_mech *m)
{
    void *context = NULL;
    int code = plugin_server_avail(m, &sparams, &context);

    assert_null(context);
    return code;
}

static void nothing_is_offered_where_nothing_is_configured(void **state)
{
    (void)state;
    host.options = no_socket;
    assert_int_equal(avail(&plugin_oauthbearer), SASL_NOMECH);
    assert_int_equal(helper.describes, 0);
    host.options = some_socket;
    helper.info.is_known = false;
    assert_int_equal(avail(&plugin_oauthbearer), SASL_NOMECH);
    assert_string_equal(host.log, "");
    assert_string_equal(host.error, "");
}

static void the_service_file_says_which_mechanisms_are_offered(void **state)
{
    (void)state;
    assert_int_equal(avail(&plugin_oauthbearer), SASL_OK);
    assert_int_equal(avail(&plugin_xoauth2), SASL_NOMECH);
    assert_int_equal(helper.describes, 1); /* asked once for both */
    plugin_service_forget_all();
    helper.info.has_xoauth2 = true;
    helper.info.has_oauthbearer = false;
    assert_int_equal(avail(&plugin_oauthbearer), SASL_NOMECH);
    assert_int_equal(avail(&plugin_xoauth2), SASL_OK);
}

static void the_offer_does_not_depend_on_tls(void **state)
{
    (void)state;
    sparams.external_ssf = 0;
    assert_int_equal(avail(&plugin_oauthbearer), SASL_OK);
}

static void a_helper_that_is_down_is_offered_and_asked_once_in_five_seconds(void **state)
{
    (void)state;
    helper.describe = POSTERN_ERR_HELPER_UNAVAILABLE;
    assert_int_equal(avail(&plugin_oauthbearer), SASL_OK);
    assert_int_equal(avail(&plugin_xoauth2), SASL_OK);
    assert_int_equal(helper.describes, 1);
    assert_string_equal(host.log, "");
}

static void what_the_helper_said_is_kept_sixty_seconds(void **state)
{
    postern_helper_place o;
    postern_service_info info;

    (void)state;
    assert_int_equal(plugin_options_read(&sparams, &o, NULL), POSTERN_OK);
    assert_int_equal(plugin_service_info(&o, 1000, &info, NULL), POSTERN_OK);
    assert_int_equal(plugin_service_info(&o, 1059, &info, NULL), POSTERN_OK);
    assert_int_equal(helper.describes, 1);
    assert_int_equal(plugin_service_info(&o, 1060, &info, NULL), POSTERN_OK);
    assert_int_equal(helper.describes, 2);
    helper.describe = POSTERN_ERR_TIMEOUT;
    assert_int_equal(plugin_service_info(&o, 1120, &info, NULL), POSTERN_ERR_TIMEOUT);
    assert_true(plugin_service_is_down(&o, 1124));
    assert_false(plugin_service_is_down(&o, 1125));
    helper.describe = POSTERN_OK;
    assert_int_equal(plugin_service_info(&o, 1121, &info, NULL), POSTERN_OK); /* a login never waits for the five seconds */
    assert_false(plugin_service_is_down(&o, 1121));
}

static void services_sockets_and_users_are_kept_apart(void **state)
{
    static const struct fake_option other_user[] = { { "postern_helper_socket", "/dev/null" }, { "postern_helper_user", "12" }, { NULL, NULL } };
    static const struct fake_option other_socket[] = { { "postern_helper_socket", "/dev/zero" }, { NULL, NULL } };
    postern_helper_place o;
    postern_service_info info;

    (void)state;
    for (int round = 0; round < 2; round++) {
        sparams.service = "imap";
        host.options = some_socket;
        assert_int_equal(plugin_options_read(&sparams, &o, NULL), POSTERN_OK);
        assert_int_equal(plugin_service_info(&o, 1, &info, NULL), POSTERN_OK);
        host.options = other_user;
        assert_int_equal(plugin_options_read(&sparams, &o, NULL), POSTERN_OK);
        assert_int_equal(plugin_service_info(&o, 1, &info, NULL), POSTERN_OK);
        host.options = other_socket;
        assert_int_equal(plugin_options_read(&sparams, &o, NULL), POSTERN_OK);
        assert_int_equal(plugin_service_info(&o, 1, &info, NULL), POSTERN_OK);
        sparams.service = "pop";
        assert_int_equal(plugin_options_read(&sparams, &o, NULL), POSTERN_OK);
        assert_int_equal(plugin_service_info(&o, 1, &info, NULL), POSTERN_OK);
        assert_int_equal(helper.describes, 4);
    }
}

static void more_services_than_slots_only_ask_again(void **state)
{
    postern_helper_place o;
    postern_service_info info;

    (void)state;
    for (int i = 0; i < 40; i++) {
        char name[16];

        assert_in_range(snprintf(name, sizeof name, "service%d", i), 1, sizeof name - 1);
        sparams.service = name;
        assert_int_equal(plugin_options_read(&sparams, &o, NULL), POSTERN_OK);
        assert_int_equal(plugin_service_info(&o, 1, &info, NULL), POSTERN_OK);
    }
    assert_int_equal(helper.describes, 40);
}

/* ---- options.c ---------------------------------------------------------------------------------------------------------------- */

static void options_override_names_and_say_whom_to_trust(void **state)
{
    static const struct fake_option options[] = {
        { "postern_service", "mail" }, { "postern_helper_socket", "/run/x/h.sock" }, { "postern_helper_user", "4711" }, { NULL, NULL },
    };
    postern_helper_place o;

    (void)state;
    host.options = options;
    assert_int_equal(plugin_options_read(&sparams, &o, NULL), POSTERN_OK);
    assert_string_equal(o.service, "mail");
    assert_string_equal(o.where.path, "/run/x/h.sock");
    assert_int_equal(o.where.server_uid, 4711);
    host.options = NULL;
    assert_int_equal(plugin_options_read(&sparams, &o, NULL), POSTERN_OK);
    assert_string_equal(o.service, "imap");
    assert_string_equal(o.where.path, POSTERN_HELPER_SOCKET_DEFAULT);
    assert_int_equal(o.where.server_uid, 0);
}

static void a_user_may_be_a_name(void **state)
{
    static const struct fake_option options[] = { { "postern_helper_user", "daemon" }, { NULL, NULL } };
    postern_helper_place o;

    (void)state;
    host.options = options;
    assert_int_equal(plugin_options_read(&sparams, &o, NULL), POSTERN_OK);
    assert_int_equal(o.where.server_uid, 1);
}

static void bad_options_are_refused(void **state)
{
    static const struct { const char *name, *value; } cases[] = {
        { "postern_service", "../imap" },       { "postern_service", "a/b" },
        { "postern_service", "a b" },           { "postern_service", "-x" },
        { "postern_helper_socket", "h.sock" },  { "postern_helper_user", "no-such-user-here" },
        { "postern_helper_user", "-1" },        { "postern_helper_user", "4294967295" },
        { "postern_helper_user", "99999999999999999999" }, { "postern_helper_user", "12x" },
        { "postern_helper_socket", "/01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_option options[] = { { cases[i].name, cases[i].value }, { NULL, NULL } };
        postern_helper_place o;

        host.options = options;
        if (plugin_options_read(&sparams, &o, NULL) != POSTERN_ERR_CONFIG_VALUE)
            fail_msg("%s: %s", cases[i].name, cases[i].value);
    }
}

/* ---- logins ------------------------------------------------------------------------------------------------------------------- */

static void a_proved_token_logs_its_user_in_by_one_call(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    assert_int_equal(step_str(&l, GOOD), SASL_OK);
    assert_null(l.out);
    assert_int_equal(l.outlen, 0);
    assert_int_equal(l.oparams.doneflag, 1);
    assert_int_equal(l.oparams.mech_ssf, 0);
    assert_int_equal(host.canon_calls, 1);
    assert_string_equal(host.canon_names[0], "alice");
    assert_int_equal(host.canon_flags[0], SASL_CU_AUTHID | SASL_CU_AUTHZID | SASL_CU_EXTERNALLY_VERIFIED);
    assert_non_null(strstr(host.log, "outcome=proved ref=REFGOOD user=alice"));
    assert_int_equal(step_str(&l, ""), SASL_FAIL); /* a step after the end */
    end_login(&l);
}

/* login_as: both.  libsasl asks the host's proxy policy when the two names differ. */
static void an_agent_in_a_human_s_name_takes_two_calls(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    helper.authcid = "agent-7";
    assert_int_equal(step_str(&l, GOOD), SASL_OK);
    assert_int_equal(host.canon_calls, 2);
    assert_string_equal(host.canon_names[0], "agent-7");
    assert_int_equal(host.canon_flags[0], SASL_CU_AUTHID | SASL_CU_EXTERNALLY_VERIFIED);
    assert_string_equal(host.canon_names[1], "alice");
    assert_int_equal(host.canon_flags[1], SASL_CU_AUTHZID | SASL_CU_EXTERNALLY_VERIFIED);
    assert_string_equal(l.oparams.authid, "agent-7");
    assert_string_equal(l.oparams.user, "alice");
    assert_non_null(strstr(host.log, "outcome=proved ref=REFGOOD user=alice agent=agent-7"));
    end_login(&l);
}

static void slapd_is_told_the_human_in_ldap_s_own_spelling(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    sparams.service = "ldap";
    helper.authcid = "agent-7";
    assert_int_equal(step_str(&l, GOOD), SASL_OK);
    assert_string_equal(host.canon_names[0], "agent-7");
    assert_string_equal(host.canon_names[1], "u:alice");
    end_login(&l);
    l = start_login(&plugin_oauthbearer);
    helper.authcid = NULL; /* one name, one call, and that one bare */
    host.canon_calls = 0;
    assert_int_equal(step_str(&l, GOOD), SASL_OK);
    assert_int_equal(host.canon_calls, 1);
    assert_string_equal(host.canon_names[0], "alice");
    end_login(&l);
}

static void a_wanted_identity_of_ldap_loses_its_prefix_and_only_there(void **state)
{
    static const struct { const char *service, *authzid, *want; } cases[] = {
        { "ldap", "u:alice", "alice" },  { "ldap", "alice", "alice" },     { "ldap", "u:u:alice", "u:alice" },
        { "ldap", "dn:cn=x", "dn:cn=x" }, { "ldap", "U:alice", "U:alice" }, { "imap", "u:alice", "u:alice" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct login l = start_login(&plugin_oauthbearer);
        char message[128], escaped[64] = "";

        for (const char *c = cases[i].authzid; *c != '\0'; c++)
            (void)snprintf(escaped + strlen(escaped), sizeof escaped - strlen(escaped), *c == '=' ? "=3D" : "%c", *c);
        assert_in_range(snprintf(message, sizeof message, "n,a=%s,\x01" "auth=Bearer T.T.T\x01\x01", escaped), 1, sizeof message - 1);
        sparams.service = cases[i].service;
        assert_int_equal(step_str(&l, message), SASL_OK);
        assert_string_equal(helper.authzid, cases[i].want);
        end_login(&l);
        host.canon_calls = 0;
    }
}

static void a_host_that_refuses_either_name_logs_nobody_in(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    helper.authcid = "agent-7";
    host.canon_result = SASL_NOAUTHZ;
    assert_int_equal(step_str(&l, GOOD), SASL_NOAUTHZ);
    assert_int_equal(host.canon_calls, 1);
    assert_int_equal(l.oparams.doneflag, 0);
    assert_non_null(strstr(host.log, "does not take user \"alice\" from agent agent-7"));
    end_login(&l);
    l = start_login(&plugin_oauthbearer);
    host.canon_calls = 0;
    host.canon_result = SASL_OK;
    host.canon_authzid_result = SASL_NOUSER;
    assert_int_equal(step_str(&l, GOOD), SASL_NOUSER);
    assert_int_equal(host.canon_calls, 2);
    assert_int_equal(l.oparams.doneflag, 0);
    end_login(&l);
}

static void the_helper_is_asked_what_the_host_knows(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    assert_int_equal(step_str(&l, GOOD), SASL_OK);
    assert_string_equal(helper.service, "imap");
    assert_string_equal(helper.token, "SECRET.TOKEN.BYTES");
    assert_string_equal(helper.authzid, "alice");
    assert_string_equal(helper.peer, "192.0.2.9");
    assert_string_equal(helper.host, "mail.example.org");
    assert_string_equal(helper.port, "143");
    assert_int_equal(helper.tls, POSTERN_TLS_ON);
    assert_int_equal(helper.carrier, POSTERN_CARRIER_SASL);
    assert_string_equal(helper.path, "/dev/null");
    end_login(&l);
}

static void names_that_are_absent_stay_absent(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    sparams.ipremoteport = sparams.iplocalport = NULL;
    sparams.external_ssf = 0;
    assert_int_equal(step_str(&l, "n,,\x01" "auth=Bearer T\x01\x01"), SASL_OK);
    assert_string_equal(helper.authzid, "");
    assert_string_equal(helper.peer, "(null)");
    assert_string_equal(helper.host, "(null)");
    assert_string_equal(helper.port, "(null)");
    assert_int_equal(helper.tls, POSTERN_TLS_UNKNOWN);
    end_login(&l);
}

static void xoauth2_logs_in_too(void **state)
{
    struct login l = start_login(&plugin_xoauth2);

    (void)state;
    assert_int_equal(step_str(&l, "user=alice\x01" "auth=Bearer T\x01\x01"), SASL_OK);
    assert_string_equal(helper.authzid, "alice");
    end_login(&l);
}

static void every_rejection_is_told_as_json_and_then_fails(void **state)
{
    static const struct { postern_err verdict; const char *status; int final; } cases[] = {
        { POSTERN_ERR_EXPIRED, "invalid_token", SASL_BADAUTH },
        { POSTERN_ERR_BAD_SIGNATURE, "invalid_token", SASL_BADAUTH },
        { POSTERN_ERR_AUD, "invalid_token", SASL_BADAUTH },
        { POSTERN_ERR_REVOKED, "invalid_token", SASL_BADAUTH },
        { POSTERN_ERR_MESSAGE_SERVER, "invalid_request", SASL_BADAUTH },
        { POSTERN_ERR_INSUFFICIENT_SCOPE, "insufficient_scope", SASL_BADAUTH },
        { POSTERN_ERR_TLS_REQUIRED, "invalid_request", SASL_BADAUTH },
        { POSTERN_ERR_AUTHZID, "invalid_token", SASL_NOAUTHZ },
        { POSTERN_ERR_NO_MAPPING, "invalid_token", SASL_NOAUTHZ },
        { POSTERN_ERR_USER_DENIED, "invalid_token", SASL_NOAUTHZ },
        { POSTERN_ERR_POLICY, "invalid_token", SASL_NOAUTHZ },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct login l = start_login(&plugin_oauthbearer);
        postern_sasl_error told;
        char want[160];

        host.log[0] = '\0';
        helper.verdict = cases[i].verdict;
        assert_int_equal(step_str(&l, GOOD), SASL_CONTINUE);
        assert_int_equal(postern_sasl_error_parse((postern_bytes){ (const uint8_t *)l.out, l.outlen }, &told, NULL), POSTERN_OK);
        assert_string_equal(told.status, cases[i].status);
        assert_string_equal(told.ref, "REFBAD");
        assert_string_equal(told.scope, "mail.read");
        assert_in_range(snprintf(want, sizeof want, "2 postern: OAUTHBEARER service=imap outcome=rejected reason=%s ref=REFBAD peer=192.0.2.9: ",
                                 postern_err_reason(cases[i].verdict)), 1, sizeof want - 1);
        if (strncmp(host.log, want, strlen(want)) != 0)
            fail_msg("%s", host.log);
        assert_int_equal(step(&l, "\x01", 1), cases[i].final);
        assert_string_equal(host.error, "ref REFBAD"); /* clients of slapd see this text */
        assert_int_equal(step(&l, "\x01", 1), SASL_FAIL);
        end_login(&l);
    }
    assert_int_equal(host.canon_calls, 0);
}

static void the_second_step_never_saves_a_login(void **state)
{
    static const char *const answers[] = { "", "\x01", "*", "\x01\x01", GOOD };

    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct login l = start_login(&plugin_oauthbearer);

        helper.verdict = POSTERN_ERR_EXPIRED;
        assert_int_equal(step_str(&l, GOOD), SASL_CONTINUE);
        helper.verdict = POSTERN_OK;
        assert_int_equal(step_str(&l, answers[i]), SASL_BADAUTH);
        assert_null(l.out);
        assert_int_equal(l.oparams.doneflag, 0);
        end_login(&l);
    }
    assert_int_equal(helper.verifies, COUNT(answers));
}

static void undecided_is_unavailable_at_once(void **state)
{
    static const postern_err verdicts[] = {
        POSTERN_ERR_HELPER_UNAVAILABLE, POSTERN_ERR_HELPER_UNTRUSTED, POSTERN_ERR_HELPER_PROTOCOL, POSTERN_ERR_TIMEOUT,
        POSTERN_ERR_KEYS_UNAVAILABLE, POSTERN_ERR_NOMEM, POSTERN_ERR_BUSY, POSTERN_ERR_PEER_NOT_ALLOWED, POSTERN_ERR_SERVICE_UNKNOWN,
        POSTERN_ERR_INTERNAL, POSTERN_ERR_USAGE, POSTERN_AGAIN, POSTERN_ERR_UNSET,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(verdicts); i++) {
        struct login l = start_login(&plugin_oauthbearer);

        host.log[0] = '\0';
        helper.verdict = verdicts[i];
        if (step_str(&l, GOOD) != SASL_UNAVAIL || l.out != NULL)
            fail_msg("%s", postern_err_reason(verdicts[i]));
        assert_non_null(strstr(host.log, "1 postern: OAUTHBEARER service=imap outcome=undecided reason="));
        assert_string_equal(host.error, "ref REFBAD");
        assert_int_equal(step_str(&l, GOOD), SASL_FAIL);
        end_login(&l);
    }
    helper.verdict = POSTERN_OK;
    helper.start = POSTERN_ERR_NOMEM;
    struct login l = start_login(&plugin_oauthbearer);
    assert_int_equal(step_str(&l, GOOD), SASL_UNAVAIL);
    assert_string_equal(host.error, "not decided, try again later");
    end_login(&l);
    assert_int_equal(host.canon_calls, 0);
}

static void a_verdict_without_a_grant_or_a_user_is_not_a_login(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    helper.has_grant = false;
    assert_int_equal(step_str(&l, GOOD), SASL_UNAVAIL);
    end_login(&l);
    helper.has_grant = true;
    helper.user = NULL;
    l = start_login(&plugin_oauthbearer);
    assert_int_equal(step_str(&l, GOOD), SASL_UNAVAIL);
    end_login(&l);
    assert_int_equal(host.canon_calls, 0);
}

static void the_wanted_name_is_never_the_one_that_logs_in(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    helper.user = "agent-7"; /* the helper mapped; the message said a=alice */
    assert_int_equal(step_str(&l, GOOD), SASL_OK);
    assert_string_equal(host.canon_names[0], "agent-7");
    end_login(&l);
}

static void a_host_that_refuses_the_user_has_the_last_word(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    host.canon_result = SASL_NOUSER;
    assert_int_equal(step_str(&l, GOOD), SASL_NOUSER);
    assert_int_equal(l.oparams.doneflag, 0);
    assert_non_null(strstr(host.log, "the host does not take user \"alice\""));
    end_login(&l);
}

static void malformed_messages_never_reach_the_helper(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);
    postern_sasl_error told;

    (void)state;
    assert_int_equal(step_str(&l, "n,,\x01" "auth=Bearer SECRET SECRET\x01\x01"), SASL_CONTINUE);
    assert_int_equal(postern_sasl_error_parse((postern_bytes){ (const uint8_t *)l.out, l.outlen }, &told, NULL), POSTERN_OK);
    assert_string_equal(told.status, "invalid_request");
    assert_string_equal(told.openid_configuration, "https://as.example/d");
    assert_int_equal(helper.verifies, 0);
    assert_non_null(strstr(host.log, "outcome=rejected reason=message_malformed ref=- "));
    assert_int_equal(step(&l, "\x01", 1), SASL_BADAUTH);
    assert_string_equal(host.error, "login refused");
    end_login(&l);
}

static void a_malformed_message_is_refused_though_the_helper_is_down(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    helper.describe = POSTERN_ERR_HELPER_UNAVAILABLE;
    assert_int_equal(step_str(&l, "n,,\x01"), SASL_CONTINUE);
    assert_int_equal(step(&l, "\x01", 1), SASL_BADAUTH);
    end_login(&l);
}

static void a_step_with_nothing_fails_at_once(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    assert_int_equal(step(&l, "", 0), SASL_BADAUTH);
    assert_null(l.out);
    assert_non_null(strstr(host.log, "reason=message_malformed"));
    assert_int_equal(step_str(&l, GOOD), SASL_FAIL);
    end_login(&l);
    l = start_login(&plugin_oauthbearer);
    assert_int_equal(plugin_server_step(l.context, &sparams, NULL, 0, &l.out, &l.outlen, &l.oparams), SASL_BADAUTH);
    end_login(&l);
    assert_int_equal(helper.verifies, 0);
}

static void discovery_is_answered_without_a_verdict(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);
    postern_sasl_error told;

    (void)state;
    assert_int_equal(step_str(&l, "n,,\x01" "auth=\x01\x01"), SASL_CONTINUE);
    assert_int_equal(postern_sasl_error_parse((postern_bytes){ (const uint8_t *)l.out, l.outlen }, &told, NULL), POSTERN_OK);
    assert_string_equal(told.status, "invalid_token");
    assert_string_equal(told.scope, "mail.read");
    assert_string_equal(told.openid_configuration, "https://as.example/d");
    assert_int_equal(helper.verifies, 0);
    assert_null(strstr(host.log, "2 postern")); /* no failed login in the log */
    assert_int_equal(step(&l, "\x01", 1), SASL_BADAUTH);
    end_login(&l);
}

static void discovery_without_an_answer_is_unavailable(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    helper.describe = POSTERN_ERR_HELPER_UNAVAILABLE;
    assert_int_equal(step_str(&l, "n,,\x01" "auth=\x01\x01"), SASL_UNAVAIL);
    end_login(&l);
    helper.describe = POSTERN_OK;
    helper.info.is_known = false;
    l = start_login(&plugin_oauthbearer);
    assert_int_equal(step_str(&l, "n,,\x01" "auth=\x01\x01"), SASL_UNAVAIL);
    end_login(&l);
}

static void bad_options_end_in_unavailable_with_the_reason(void **state)
{
    static const struct fake_option options[] = { { "postern_helper_user", "no-such-user-here" }, { NULL, NULL } };
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    host.options = options;
    assert_int_equal(avail(&plugin_oauthbearer), SASL_OK);
    assert_int_equal(step_str(&l, GOOD), SASL_UNAVAIL);
    assert_non_null(strstr(host.log, "reason=config_value"));
    end_login(&l);
}

static void the_challenge_is_memory_that_hosts_may_write_to(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    helper.verdict = POSTERN_ERR_EXPIRED;
    assert_int_equal(step_str(&l, GOOD), SASL_CONTINUE);
    memset((char *)(size_t)l.out, 'x', l.outlen);
    end_login(&l);
}

static void a_login_may_be_dropped_at_any_point(void **state)
{
    struct login l = start_login(&plugin_oauthbearer);

    (void)state;
    end_login(&l);
    helper.verdict = POSTERN_ERR_EXPIRED;
    l = start_login(&plugin_oauthbearer);
    assert_int_equal(step_str(&l, GOOD), SASL_CONTINUE);
    end_login(&l);
    plugin_server_dispose(NULL, &host.utils);
}

/* Whatever allocation fails: a bad token is never let in, and the host gets a code and either a whole challenge or none. */
static void running_out_of_memory_never_opens_the_door(void **state)
{
    bool is_refused = true;

    (void)state;
    for (unsigned nth = 1; is_refused; nth++) {
        struct login l = { 0 };
        int code;

        assert_in_range(nth, 1, 100);
        helper.verdict = POSTERN_ERR_EXPIRED;
        alloc_fail_arm(nth);
        code = plugin_server_new(&plugin_oauthbearer, &sparams, NULL, 0, &l.context);
        if (code == SASL_OK)
            code = step_str(&l, GOOD);
        is_refused = alloc_fail_disarm();
        assert_int_equal(code == SASL_CONTINUE, l.out != NULL);
        if (is_refused && code != SASL_NOMEM && code != SASL_UNAVAIL)
            fail_msg("allocation %u: SASL %d", nth, code);
        if (!is_refused)
            assert_int_equal(code, SASL_CONTINUE);
        end_login(&l);
    }
}

#define LOGIN_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, check_nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOGIN_TEST(every_class_has_its_code_and_only_proved_is_ok),
        LOGIN_TEST(protection_is_tls_or_two_loopback_ends),
        LOGIN_TEST(libsasl_finds_two_mechanisms_that_need_no_security_layer),
        LOGIN_TEST(nothing_is_offered_where_nothing_is_configured),
        LOGIN_TEST(the_service_file_says_which_mechanisms_are_offered),
        LOGIN_TEST(the_offer_does_not_depend_on_tls),
        LOGIN_TEST(a_helper_that_is_down_is_offered_and_asked_once_in_five_seconds),
        LOGIN_TEST(what_the_helper_said_is_kept_sixty_seconds),
        LOGIN_TEST(services_sockets_and_users_are_kept_apart),
        LOGIN_TEST(more_services_than_slots_only_ask_again),
        LOGIN_TEST(options_override_names_and_say_whom_to_trust),
        LOGIN_TEST(a_user_may_be_a_name),
        LOGIN_TEST(bad_options_are_refused),
        LOGIN_TEST(a_proved_token_logs_its_user_in_by_one_call),
        LOGIN_TEST(an_agent_in_a_human_s_name_takes_two_calls),
        LOGIN_TEST(slapd_is_told_the_human_in_ldap_s_own_spelling),
        LOGIN_TEST(a_wanted_identity_of_ldap_loses_its_prefix_and_only_there),
        LOGIN_TEST(a_host_that_refuses_either_name_logs_nobody_in),
        LOGIN_TEST(the_helper_is_asked_what_the_host_knows),
        LOGIN_TEST(names_that_are_absent_stay_absent),
        LOGIN_TEST(xoauth2_logs_in_too),
        LOGIN_TEST(every_rejection_is_told_as_json_and_then_fails),
        LOGIN_TEST(the_second_step_never_saves_a_login),
        LOGIN_TEST(undecided_is_unavailable_at_once),
        LOGIN_TEST(a_verdict_without_a_grant_or_a_user_is_not_a_login),
        LOGIN_TEST(the_wanted_name_is_never_the_one_that_logs_in),
        LOGIN_TEST(a_host_that_refuses_the_user_has_the_last_word),
        LOGIN_TEST(malformed_messages_never_reach_the_helper),
        LOGIN_TEST(a_malformed_message_is_refused_though_the_helper_is_down),
        LOGIN_TEST(a_step_with_nothing_fails_at_once),
        LOGIN_TEST(discovery_is_answered_without_a_verdict),
        LOGIN_TEST(discovery_without_an_answer_is_unavailable),
        LOGIN_TEST(bad_options_end_in_unavailable_with_the_reason),
        LOGIN_TEST(the_challenge_is_memory_that_hosts_may_write_to),
        LOGIN_TEST(a_login_may_be_dropped_at_any_point),
        LOGIN_TEST(running_out_of_memory_never_opens_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
