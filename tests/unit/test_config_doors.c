/* SPDX-License-Identifier: BSD-2-Clause */
/* doors/NAME.conf: what a door may say, the exact complaint about each thing that it may not, and
 * that no door is taken for a service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/config.h>

#include "../support/test_folder.h"
#include "../support/test_keys.h"
#include "oauth/url.h"

#define ISSUER "issuer: https://sso.example.org/realms/agents\njwks_file: /run/keys.json\n"
/* Four lines, the fifth is a test's. */
#define DOOR                                                                                       \
    "audience: https://cache.example.org/cache\nprotocol: raw\npolicy: cache\n"                    \
    "listen: 127.0.0.1:6380\n"
#define LOCAL  DOOR "backend: 127.0.0.1:6379\n"
#define REMOTE DOOR "backend: redis.example.org:6379\n"
/* Five lines too; the fourth is the backend. */
#define MCP                                                                                        \
    "audience: https://tools.example.org/files\nprotocol: mcp\nlisten: 127.0.0.1:6380\n"
#define EXEC MCP "backend: exec:/usr/bin/node /srv/files.js \"/srv/re ports\"\npolicy: cache\n"

static test_folder folder;

static int make_folder(void **state)
{
    (void)state;
    test_folder_make(&folder);
    test_folder_put(&folder, "issuers/sso.conf", ISSUER);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static postern_config *load(const char *why)
{
    postern_config *c = NULL;
    postern_error err = { 0 };

    if (postern_config_load(folder.path, &c, &err) != POSTERN_OK)
        fail_msg("%s: %s: %s", why, postern_err_reason(err.code), err.detail);
    return c;
}

static void assert_load_fails(postern_err want, const char *detail)
{
    postern_config *c = NULL;
    postern_error err = { 0 };
    postern_err e = postern_config_load(folder.path, &c, &err);

    postern_config_free(c);
    if (e != want || strcmp(err.detail, detail) != 0)
        fail_msg("wanted %s \"%s\", got %s \"%s\"", postern_err_reason(want), detail,
                 postern_err_reason(e), err.detail);
}

static void a_door_is_a_section_with_defaults_and_no_service(void **state)
{
    postern_config *c;
    const postern_section *s;

    (void)state;
    test_folder_put(&folder, "doors/cache.conf", LOCAL "required_scopes: cache.use\n");
    test_folder_put(&folder, "doors/.hidden.conf", "not read");
    test_folder_put(&folder, "doors/notes.txt", "nor this");
    c = load("a door");
    s = postern_config_section(c, POSTERN_SECTION_DOOR, "cache");
    assert_non_null(s);
    assert_null(postern_config_section_at(c, POSTERN_SECTION_DOOR, 1));
    assert_string_equal(postern_section_name(s), "cache");
    assert_string_equal(postern_section_item(s, "listen", 0), "127.0.0.1:6380");
    assert_string_equal(postern_section_origin(s, "listen"), "doors/cache.conf:4");
    assert_string_equal(postern_section_text(s, "backend_auth"), "none");
    assert_null(postern_section_text(s, "backend_tls"));
    assert_int_equal(postern_section_number(s, "login_timeout"), 10);
    assert_int_equal(postern_section_number(s, "idle_timeout"), 600);
    assert_int_equal(postern_section_number(s, "session_max"), 8 * 3600);
    assert_int_equal(postern_section_number(s, "expiry_grace"), 30);
    assert_int_equal(postern_section_number(s, "max_connections"), 1000);
    assert_false(postern_section_has(s, "max_connections"));
    assert_int_equal(postern_section_number(s, "max_connections_per_agent"), 256);
    assert_string_equal(postern_section_text(s, "revocation_check"), "off");
    assert_null(postern_config_service_for(c, "cache"));
    assert_null(postern_config_section(c, POSTERN_SECTION_SERVICE, NULL));
    postern_config_free(c);
}

static const char *const good_doors[] = {
    LOCAL,
    LOCAL "backend_tls: disable\n",
    LOCAL "backend_tls: verify-full\nbackend_tls_ca_file: ca.pem\n",
    LOCAL "tls_cert_file: c.pem\ntls_key_file: k.pem\n",
    LOCAL "server_names: cache.example.org\nserver_port: 6380\n",
    LOCAL "backend_auth: certificate\nbackend_cert_file: c\nbackend_key_file: k\n"
          "backend_tls: verify-ca\n",
    LOCAL "tls_client_certificate: off\n",
    LOCAL "tls_client_certificate: ask\n",
    LOCAL "tls_client_certificate: require\ntls_client_ca_file: ca.pem\n",
    LOCAL "required_scopes_any: a b\nallowed_clients: agent-7 agent-8\nrequired_acr: 1 urn:x\n"
          "max_auth_age: 15m\n",
    REMOTE,
    REMOTE "backend_tls_ca_file: ca.pem\n",
    REMOTE "backend_auth: certificate\nbackend_cert_file: c\nbackend_key_file: k\n",
    REMOTE "expiry_grace: 0s\nlogin_timeout: 120s\nsession_max: 7d\n",
    DOOR "backend: unix:/run/redis.sock\n",
    DOOR "backend: unix:/run/redis.sock\nbackend_tls: verify-ca\n",
    DOOR "backend: [2001:db8::1]:6379\n",
    EXEC,
    EXEC "exec_user: mcp\nexec_env: A=1 \"B=two words\" C=\nexec_dir: /srv\nexec_memory_max: 512\n"
         "exec_processes_max: 64\nexec_cpu_max: 10m\n",
    EXEC "exec_user: 64752\nexec_cpu_max: off\nbackend_auth: none\n",
    "audience: x\nprotocol: raw\npolicy: a b\nlisten: 127.0.0.1:1 [::1]:1 unix:/run/d.sock\n"
    "backend: h:1\n",
    "audience: x\nprotocol: raw\npolicy: a\nlisten: 0.0.0.0:65535 [::]:65535\nbackend: h:1\n"
    "tls_cert_file: c\ntls_key_file: k\n",
};

/* As posternd --dump-config says them of a door without a program. */
static void defaults_of_a_program_may_be_written_out_at_any_door(void **state)
{
    (void)state;
    test_folder_put(&folder, "doors/cache.conf",
                    LOCAL "exec_dir: /\nexec_memory_max: 0\nexec_processes_max: 0\n"
                          "exec_cpu_max: off\n");
    postern_config_free(load("defaults written out"));
}

static void doors_may_say_much(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_doors / sizeof *good_doors; i++) {
        test_folder_put(&folder, "doors/cache.conf", good_doors[i]);
        postern_config_free(load(good_doors[i]));
    }
}

/* With one of its issuers asked it is a door that asks again; with none, no configuration. */
static void a_door_asks_again_where_one_of_its_issuers_is_asked(void **state)
{
    static const struct {
        const char *text;
        int64_t want_s;
    } cases[] = { { "1s", 1 }, { "30s", 30 }, { "1h", 3600 }, { "off", 0 } };
    postern_config *c;

    (void)state;
    test_folder_put(&folder, "issuers/sso.conf", ISSUER "username_claim: sso-${sub}\n");
    test_folder_put(&folder, "issuers/asked.conf",
                    "issuer: https://asked.example.org\njwks_file: /run/keys.json\n"
                    "username_claim: asked-${sub}\nintrospection: always\nclient: asked\n");
    test_folder_put(&folder, "clients/asked.conf",
                    "issuer: https://asked.example.org\nclient_id: posternd\n"
                    "client_credential_file: secret\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = test_printf(LOCAL "issuers: sso asked\nrevocation_check: %s\n", cases[i].text);

        test_folder_put(&folder, "doors/cache.conf", text);
        c = load(text);
        assert_int_equal(
            postern_section_number(postern_config_section(c, POSTERN_SECTION_DOOR, "cache"),
                                   "revocation_check"),
            cases[i].want_s);
        postern_config_free(c);
        free(text);
    }
    test_folder_put(&folder, "doors/cache.conf", LOCAL "issuers: sso\nrevocation_check: 30s\n");
    assert_load_fails(POSTERN_ERR_CONFIG_VALUE,
                      "doors/cache.conf:7:19: revocation_check: none of the issuers that this door "
                      "trusts has introspection: opaque or always");
}

#define AT(line, column) "doors/cache.conf:" #line ":" #column ": "
#define MISSING          "doors/cache.conf: required setting "

static const struct {
    const char *text;
    postern_err want;
    const char *detail;
} wrong_doors[] = {
    /* what must be there */
    { "protocol: raw\npolicy: a\nlisten: 127.0.0.1:1\nbackend: h:1\n", POSTERN_ERR_CONFIG_MISSING,
      MISSING "\"audience\" is missing: what a token must be meant for; one of these must stand in "
              "its aud" },
    { "audience: x\nprotocol: raw\npolicy: a\nbackend: h:1\n", POSTERN_ERR_CONFIG_MISSING,
      MISSING "\"listen\" is missing: where the door stands: ADDRESS:PORT, [ADDRESS]:PORT or "
              "unix:/PATH" },
    { "audience: x\npolicy: a\nlisten: 127.0.0.1:1\nbackend: h:1\n", POSTERN_ERR_CONFIG_MISSING,
      MISSING "\"protocol\" is missing: what is spoken behind the door" },
    { "audience: x\nprotocol: raw\npolicy: a\nlisten: 127.0.0.1:1\n", POSTERN_ERR_CONFIG_MISSING,
      MISSING "\"backend\" is missing: the daemon behind the door: HOST:PORT or unix:/PATH; names "
              "are resolved anew for each session; or exec:/PROGRAM ARGUMENT ..., with protocol: mcp: a "
              "program that is started for each session, without a shell, and spoken to over its "
              "standard input and output" },
    { "audience: x\nprotocol: raw\nlisten: 127.0.0.1:1\nbackend: h:1\n", POSTERN_ERR_CONFIG_MISSING,
      MISSING "\"policy\" is missing: names of policies/NAME.rules, read as one list; first match "
              "counts, no match is a refusal" },
    /* names */
    { LOCAL "listn: 127.0.0.1:1\n", POSTERN_ERR_CONFIG_KEY,
      AT(6, 1) "unknown key \"listn\"; did you mean \"listen\"?" },
    { LOCAL "backendtls: disable\n", POSTERN_ERR_CONFIG_KEY,
      AT(6, 1) "unknown key \"backendtls\"; did you mean \"backend_tls\"?" },
    { LOCAL "helper_peers: cyrus\n", POSTERN_ERR_CONFIG_KEY,
      AT(6, 1) "key \"helper_peers\" belongs in services/NAME.conf, not here" },
    { LOCAL "service_names: a\n", POSTERN_ERR_CONFIG_KEY,
      AT(6, 1) "key \"service_names\" belongs in services/NAME.conf, not here" },
    { LOCAL "require_tls: no\n", POSTERN_ERR_CONFIG_KEY,
      AT(6, 1) "key \"require_tls\" belongs in services/NAME.conf, not here" },
    { LOCAL "jwks_file: /k\n", POSTERN_ERR_CONFIG_KEY,
      AT(6, 1) "key \"jwks_file\" belongs in issuers/NAME.conf or issuer.conf, not here" },
    { LOCAL "state_dir: /k\n", POSTERN_ERR_CONFIG_KEY,
      AT(6, 1) "key \"state_dir\" belongs in issuer.conf, not here" },
    { LOCAL "listen: 127.0.0.1:2\n", POSTERN_ERR_CONFIG_KEY,
      AT(6, 1) "\"listen\" stands twice, first in line 4" },
    /* words */
    { DOOR "backend: h:1\nbackend_auth: token\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "backend_auth: \"token\" is not one of: none certificate exchange password" },
    { LOCAL "backend_auth: password\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "backend_auth: password is for protocol: redis; elsewhere the door does not know how to log in" },
    { LOCAL "backend_user: postern\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "backend_user: means nothing without backend_auth: password" },
    { LOCAL "backend_password_file: /x\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 24) "backend_password_file: means nothing without backend_auth: password" },
    { LOCAL "backend_tls: require\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 14) "backend_tls: \"require\" is not one of: disable verify-ca verify-full" },
    { LOCAL "backend_tls: prefer\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 14) "backend_tls: \"prefer\" is not one of: disable verify-ca verify-full" },
    { LOCAL "backend_tls: verify-fll\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 14) "backend_tls: \"verify-fll\" is not one of: disable verify-ca verify-full" },
    { "protocol: smtp\n", POSTERN_ERR_CONFIG_VALUE,
      AT(1, 11) "protocol: \"smtp\" is not one of: raw redis mcp" },
    { "protocol: Raw\n", POSTERN_ERR_CONFIG_VALUE,
      AT(1, 11) "protocol: \"Raw\" is not one of: raw redis mcp" },
    { LOCAL "revocation_check: 30s\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 19) "revocation_check: none of the issuers that this door trusts has introspection: opaque or "
                "always" },
    { LOCAL "revocation_check: on\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 19) "revocation_check: a duration is a whole number with a unit, like 30s" },
    { LOCAL "revocation_check: 0s\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 19) "revocation_check: 0s is outside 1s to 3600s" },
    { LOCAL "revocation_check: 61m\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 19) "revocation_check: 3660s is outside 1s to 3600s" },
    /* programs */
    { DOOR "backend: exec:/bin/cat\n", POSTERN_ERR_CONFIG_VALUE,
      AT(5, 10) "backend: exec: is for protocol: mcp" },
    { MCP "policy: cache\nbackend: exec:\n", POSTERN_ERR_CONFIG_VALUE,
      AT(5, 10) "backend: \"exec:\" names no program" },
    { MCP "policy: cache\nbackend: exec:node x.js\n", POSTERN_ERR_CONFIG_VALUE,
      AT(5, 10) "backend: \"exec:node x.js\" does not begin with the program's absolute path" },
    { MCP "policy: cache\nbackend: exec:/bin/\n", POSTERN_ERR_CONFIG_VALUE,
      AT(5, 10) "backend: \"exec:/bin/\" names a folder" },
    { MCP "policy: cache\nbackend: exec:/bin/sh -c \"ls\n", POSTERN_ERR_CONFIG_VALUE,
      AT(5, 10) "backend: \"exec:/bin/sh -c \"ls\" has a quotation mark that is not closed" },
    { EXEC "backend_tls: disable\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 14) "backend_tls: means nothing with backend: exec:" },
    { EXEC "backend_tls_ca_file: ca.pem\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 22) "backend_tls_ca_file: means nothing with backend: exec:" },
    { EXEC "backend_cert_file: c\nbackend_key_file: k\nbackend_auth: certificate\n",
      POSTERN_ERR_CONFIG_VALUE,
      AT(6, 20) "backend_cert_file: means nothing with backend: exec:" },
    { EXEC "backend_auth: exchange\nbackend_resource: https://h/x\nclient: front\n",
      POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "backend_auth: means nothing with backend: exec:" },
    { EXEC "exec_dir: -\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 11) "exec_dir: is no folder's path" },
    { EXEC "exec_user: a b\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 12) "exec_user: \"a b\" is no user name" },
    { EXEC "exec_env: PATH\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 11) "exec_env: holds a word that is not NAME=VALUE" },
    { EXEC "exec_env: A=1 A=2\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 11) "exec_env: names one twice" },
    { EXEC "exec_cpu_max: 0s\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "exec_cpu_max: 0s is outside 1s to 604800s" },
    { EXEC "exec_memory_max: 16777217\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 18) "exec_memory_max: 16777217 is outside 0 to 16777216" },
    { EXEC "exec_processes_max: -1\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 21) "exec_processes_max: a whole number of at most 9 digits is wanted" },
    { LOCAL "exec_user: mcp\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 12) "exec_user: means nothing without backend: exec:" },
    { LOCAL "exec_dir: /srv\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 11) "exec_dir: means nothing without backend: exec:" },
    { LOCAL "exec_memory_max: 1\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 18) "exec_memory_max: means nothing without backend: exec:" },
    /* bounds, each on both sides */
    { LOCAL "login_timeout: 0s\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 16) "login_timeout: 0s is outside 1s to 120s" },
    { LOCAL "login_timeout: 3m\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 16) "login_timeout: 180s is outside 1s to 120s" },
    { LOCAL "idle_timeout: 0s\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "idle_timeout: 0s is outside 1s to 604800s" },
    { LOCAL "idle_timeout: 8d\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "idle_timeout: 691200s is outside 1s to 604800s" },
    { LOCAL "session_max: 0s\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 14) "session_max: 0s is outside 1s to 604800s" },
    { LOCAL "session_max: 604801s\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 14) "session_max: 604801s is outside 1s to 604800s" },
    { LOCAL "expiry_grace: 601s\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "expiry_grace: 601s is outside 0s to 600s" },
    { LOCAL "expiry_grace: 30\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "expiry_grace: a duration needs a unit: s, m, h or d, like 30s" },
    { LOCAL "max_connections: 0\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 18) "max_connections: 0 is outside 1 to 65536" },
    { LOCAL "max_connections: 65537\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 18) "max_connections: 65537 is outside 1 to 65536" },
    { LOCAL "max_connections_per_agent: 0\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 28) "max_connections_per_agent: 0 is outside 1 to 65536" },
    { LOCAL "max_connections_per_agent: all\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 28) "max_connections_per_agent: a whole number of at most 9 digits is wanted" },
    /* what belongs together */
    { LOCAL "server_port: 6380\n", POSTERN_ERR_CONFIG_CONFLICT,
      AT(6, 14) "server_port: means nothing without server_names" },
    { LOCAL "tls_cert_file: c\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 16) "tls_cert_file: tls_key_file is missing" },
    { LOCAL "tls_key_file: k\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "tls_key_file: tls_cert_file is missing" },
    { LOCAL "backend_auth: certificate\nbackend_tls: verify-ca\nbackend_cert_file: c\n",
      POSTERN_ERR_CONFIG_VALUE, AT(8, 20) "backend_cert_file: backend_key_file is missing" },
    { LOCAL "backend_key_file: k\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 19) "backend_key_file: backend_cert_file is missing" },
    { LOCAL "backend_auth: certificate\nbackend_tls: verify-ca\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "backend_auth: certificate needs backend_cert_file and backend_key_file" },
    { LOCAL "backend_auth: certificate\nbackend_cert_file: c\nbackend_key_file: k\n",
      POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "backend_auth: certificate needs backend_tls: verify-full or verify-ca" },
    { REMOTE "backend_auth: certificate\nbackend_cert_file: c\nbackend_key_file: k\n"
             "backend_tls: disable\n",
      POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "backend_auth: certificate needs backend_tls: verify-full or verify-ca" },
    { REMOTE "backend_cert_file: c\nbackend_key_file: k\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 20) "backend_cert_file: means nothing without backend_auth: certificate" },
    { LOCAL "backend_auth: exchange\nclient: front\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "backend_auth: exchange needs backend_resource and client" },
    { LOCAL "backend_auth: exchange\nbackend_resource: https://h/x\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "backend_auth: exchange needs backend_resource and client" },
    { LOCAL "backend_resource: https://h/x\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 19) "backend_resource: means nothing without backend_auth: exchange" },
    { LOCAL "client: front\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 9) "client: means nothing without backend_auth: exchange" },
    { REMOTE "backend_auth: exchange\nbackend_resource: https://h/x\nclient: front\n"
             "backend_tls: disable\n",
      POSTERN_ERR_CONFIG_VALUE,
      AT(9, 14) "backend_tls: exchange sends a token: it needs TLS to the backend" },
    { LOCAL "tls_client_certificate: require\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 25) "tls_client_certificate: require needs tls_client_ca_file" },
    { LOCAL "tls_client_ca_file: ca\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 21) "tls_client_ca_file: means nothing without tls_client_certificate: require" },
    { LOCAL "tls_client_certificate: ask\ntls_client_ca_file: ca\n", POSTERN_ERR_CONFIG_VALUE,
      AT(7, 21) "tls_client_ca_file: means nothing without tls_client_certificate: require" },
    { LOCAL "tls_client_certificate: yes\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 25) "tls_client_certificate: \"yes\" is not one of: off ask require" },
    { LOCAL "required_scopes_any: a\"b\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 22) "required_scopes_any: \"a\"b\" is no scope: printable ASCII without quotation mark "
                "and backslash" },
    { LOCAL "max_auth_age: 0s\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 15) "max_auth_age: 0s is outside 1s to 31536000s" },
    { LOCAL "backend_tls_ca_file: ca\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 22) "backend_tls_ca_file: means nothing without TLS: write backend_tls: verify-full or "
                "verify-ca" },
    { REMOTE "backend_tls: disable\nbackend_tls_ca_file: ca\n", POSTERN_ERR_CONFIG_VALUE,
      AT(7, 22) "backend_tls_ca_file: means nothing without TLS: write backend_tls: verify-full or "
                "verify-ca" },
    { DOOR "backend: unix:/run/r.sock\nbackend_tls: verify-full\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 14) "backend_tls: a unix socket has no name to compare: verify-ca" },
    { LOCAL "issuers: other\n", POSTERN_ERR_CONFIG_VALUE,
      AT(6, 10) "issuers: there is no issuers/other.conf" },
};

static void a_wrong_door_is_named_with_line_column_and_what_to_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_doors / sizeof *wrong_doors; i++) {
        test_folder_put(&folder, "doors/cache.conf", wrong_doors[i].text);
        assert_load_fails(wrong_doors[i].want, wrong_doors[i].detail);
    }
}

/* Those of the agents of this machine are not read: they may be anything, and anybody's. */
static void only_the_client_files_that_doors_name_are_read(void **state)
{
    const postern_section *client;
    postern_config *c;

    (void)state;
    test_folder_put(&folder, "clients/front.conf",
                    "issuer: https://as.example\nclient_id: front-door\n"
                    "client_credential_file: front.secret\n");
    test_folder_put(&folder, "clients/agent.conf", "this is no setting\n");
    test_folder_put(&folder, "doors/cache.conf",
                    LOCAL "backend_auth: exchange\nbackend_resource: https://h/x\nclient: front\n");
    c = load("a client");
    client = postern_config_section(c, POSTERN_SECTION_CLIENT, "front");
    assert_non_null(client);
    assert_string_equal(postern_section_text(client, "client_id"), "front-door");
    assert_null(postern_config_section_at(c, POSTERN_SECTION_CLIENT, 1));
    postern_config_free(c);
    test_folder_put(&folder, "clients/front.conf", "this is no setting\n");
    assert_int_equal(postern_config_load(folder.path, &c, NULL), POSTERN_ERR_CONFIG_SYNTAX);
    test_folder_put(&folder, "doors/cache.conf", LOCAL);
    postern_config_free(load("no door names it any more"));
}

static void a_door_s_keys_belong_to_doors(void **state)
{
    static const struct {
        const char *file, *line, *right;
    } cases[] = {
        { "services/imap.conf", "listen: 127.0.0.1:1", "doors/NAME.conf or issuer.conf" },
        { "postern.conf", "listen: 127.0.0.1:1", "doors/NAME.conf or issuer.conf" },
        { "issuers/sso.conf", "listen: 127.0.0.1:1", "doors/NAME.conf or issuer.conf" },
        { "services/imap.conf", "backend: h:1", "doors/NAME.conf" },
        { "issuers/sso.conf", "policy: a", "services/NAME.conf or doors/NAME.conf" },
        { "issuers/sso.conf", "policy_mode: shadow", "services/NAME.conf or doors/NAME.conf" },
        { "issuer.conf", "session_max: 1h", "doors/NAME.conf" },
        { "postern.conf", "tls_cert_file: c", "doors/NAME.conf or client.conf" },
        { "services/imap.conf", "blocks_file: /b", "postern.conf" },
        { "doors/cache.conf", "control_admins: root", "postern.conf" },
    };
    char text[100], want[200], key[64];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t key_len = strcspn(cases[i].line, ":");

        memcpy(key, cases[i].line, key_len);
        key[key_len] = '\0';
        assert_true(snprintf(text, sizeof text, "%s\n", cases[i].line) > 0);
        assert_true(snprintf(want, sizeof want, "%s:1:1: key \"%s\" belongs in %s, not here",
                             cases[i].file, key, cases[i].right) > 0);
        test_folder_put(&folder, cases[i].file, text);
        assert_load_fails(POSTERN_ERR_CONFIG_KEY, want);
        test_folder_drop(&folder, cases[i].file);
        test_folder_put(&folder, "issuers/sso.conf", ISSUER);
    }
}

#define NO_PORT    "is not ADDRESS:PORT with a port from 1 to 65535"
#define NO_LITERAL "is no literal address, such as 192.0.2.1:6380 or [::]:6380"
#define NO_TARGET  "is not HOST:PORT with a port from 1 to 65535"
#define NO_HOST    "has no valid host name"
#define NO_PATH    "is not an absolute path"
#define LONG_NAME                                                                                  \
    "/123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"  \
    "123456789012345678"

static const struct {
    const char *text, *listen, *backend, *status; /* faults; NULL: fine */
} addresses[] = {
    { "127.0.0.1:6380", NULL, NULL, NULL },
    { "0.0.0.0:1", NULL, NULL, NULL },
    { "192.0.2.1:65535", NULL, NULL, NULL },
    { "[::1]:6380", NULL, NULL, NULL },
    { "[::]:6380", NULL, NULL, NULL },
    { "[2001:db8::192.0.2.1]:6380", NULL, NULL, NULL },
    { "localhost:6380", NO_LITERAL, NULL, NO_LITERAL },
    { "cache.example.org:6380", NO_LITERAL, NULL, NO_LITERAL },
    { "300.1.1.1:6380", NO_LITERAL, NULL, NO_LITERAL },
    { "127.1:6380", NO_LITERAL, NULL, NO_LITERAL },
    { "0x7f000001:6380", NO_LITERAL, NULL, NO_LITERAL },
    { "127.0.0.1", NO_PORT, NO_TARGET, NO_PORT },
    { "127.0.0.1:", NO_PORT, NO_TARGET, NO_PORT },
    { "127.0.0.1:0", NO_PORT, NO_TARGET, NO_PORT },
    { "127.0.0.1:65536", NO_PORT, NO_TARGET, NO_PORT },
    { "127.0.0.1:06380", NO_PORT, NO_TARGET, NO_PORT },
    { "127.0.0.1:http", NO_PORT, NO_TARGET, NO_PORT },
    { "6380", NO_PORT, NO_TARGET, NO_PORT },
    { "::1:6380", NO_PORT, NO_TARGET, NO_PORT },
    { "[::1]6380", NO_PORT, NO_TARGET, NO_PORT },
    { "[::1", NO_PORT, NO_TARGET, NO_PORT },
    { "*:6380", NO_LITERAL, NO_HOST, NO_LITERAL },
    { ":6380", NO_LITERAL, NO_HOST, NO_LITERAL },
    { "[]:6380", NO_LITERAL, NO_HOST, NO_LITERAL },
    { "[127.0.0.1]:6380", NO_LITERAL, NO_HOST, NO_LITERAL },
    { "[::1::]:6380", NO_LITERAL, NO_HOST, NO_LITERAL },
    { "[:]:6380", NO_LITERAL, NO_HOST, NO_LITERAL },
    { "[fe80::1%eth0]:6380", NO_LITERAL, NO_HOST, NO_LITERAL },
    { "user@host:6380", NO_LITERAL, NO_HOST, NO_LITERAL },
    { "h/x:6380", NO_LITERAL, NO_HOST, NO_LITERAL },
    { "unix:/run/cache.sock", NULL, NULL, NO_PORT },
    { "unix:cache.sock", NO_PATH, NO_PATH, NO_PORT },
    { "unix:", NO_PATH, NO_PATH, NO_PORT },
    { "UNIX:/run/x", NO_PORT, NO_TARGET, NO_PORT },
    { "off", NO_PORT, NO_TARGET, NULL },
    { "OFF", NO_PORT, NO_TARGET, NO_PORT },
};

static void assert_address(const char *file, const char *format, const char *key,
                           const char *address, const char *fault)
{
    char text[400], want[400];

    assert_true(snprintf(text, sizeof text, format, address) > 0);
    test_folder_put(&folder, file, text);
    assert_true(snprintf(want, sizeof want, "%s:1:%zu: %s: \"%s\" %s", file, strlen(key) + 3, key,
                         address, fault == NULL ? "" : fault) > 0);
    if (fault == NULL)
        postern_config_free(load(text));
    else
        assert_load_fails(POSTERN_ERR_CONFIG_VALUE, want);
}

static void addresses_have_one_form_and_need_no_resolver_to_listen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        assert_address("doors/cache.conf",
                       "listen: %s\naudience: x\nprotocol: raw\npolicy: a\nbackend: h:1\n"
                       "tls_cert_file: c\ntls_key_file: k\n",
                       "listen", addresses[i].text, addresses[i].listen);
        assert_address("doors/cache.conf",
                       "backend: %s\naudience: x\nprotocol: raw\npolicy: a\nlisten: [::1]:1\n",
                       "backend", addresses[i].text, addresses[i].backend);
        test_folder_drop(&folder, "doors/cache.conf");
        assert_address("postern.conf", "status_listen: %s\n", "status_listen", addresses[i].text,
                       addresses[i].status);
        test_folder_drop(&folder, "postern.conf");
    }
}

static void a_socket_or_a_name_that_is_too_long_is_refused(void **state)
{
    char name[300];

    (void)state;
    assert_string_equal(postern_target_fault(":1"), NO_HOST);
    memset(name, 'a', sizeof name);
    memcpy(name + 253, ":1", 3);
    assert_null(postern_target_fault(name));
    memcpy(name + 253, "a:1", 4);
    assert_string_equal(postern_target_fault(name), NO_HOST);
    test_folder_put(&folder, "doors/cache.conf", DOOR "backend: unix:" LONG_NAME "\n");
    assert_load_fails(POSTERN_ERR_CONFIG_VALUE,
                      AT(5, 10) "backend: \"unix:/1234567890123456789012345678901234567890123456789"
                                "012345678...\" is too long for a unix socket");
}

static void strangers_meet_a_certificate(void **state)
{
    static const char *const far[] = { "0.0.0.0:6380", "[::]:6380", "192.0.2.1:6380",
                                       "127.0.0.2:6380", "[::ffff:127.0.0.1]:6380" };
    char text[300], want[300];

    (void)state;
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        assert_true(snprintf(text, sizeof text,
                             "listen: 127.0.0.1:6380 %s\naudience: x\nprotocol: raw\npolicy: a\n"
                             "backend: h:1\n",
                             far[i]) > 0);
        assert_true(snprintf(want, sizeof want,
                             AT(1, 9) "listen: %s is not loopback, so tls_cert_file and "
                                      "tls_key_file are required",
                             far[i]) > 0);
        test_folder_put(&folder, "doors/cache.conf", text);
        assert_load_fails(POSTERN_ERR_CONFIG_VALUE, want);
    }
}

static void policies_are_names_and_no_paths(void **state)
{
    static const char *const wrong[] = { "../cache", "a/b", ".",          "..",
                                         ".hidden",  "a:b", "caf\xc3\xa9" };
    char text[300], want[300];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_true(snprintf(text, sizeof text,
                             "policy: good %s\naudience: x\nprotocol: raw\nlisten: [::1]:1\n"
                             "backend: h:1\n",
                             wrong[i]) > 0);
        assert_true(snprintf(want, sizeof want,
                             AT(1, 9) "policy: \"%s\" is no policy name: letters, digits, dots, "
                                      "underscores and hyphens, no dot first",
                             i == 6 ? "caf\\xc3\\xa9" : wrong[i]) > 0);
        test_folder_put(&folder, "doors/cache.conf", text);
        assert_load_fails(POSTERN_ERR_CONFIG_VALUE, want);
    }
}

#define BODY(audience, listen)                                                                     \
    "audience: " audience "\nlisten: " listen "\nprotocol: raw\npolicy: a\nbackend: h:1\n"
#define SERVICE(audience) "audience: " audience "\nhelper_peers: 0\n"

static void services_and_doors_share_no_name_and_no_audience(void **state)
{
    static const struct {
        const char *file_a, *a, *file_b, *b;
        const char *detail; /* NULL: fine */
    } cases[] = {
        { "services/a.conf", SERVICE("x"), "doors/b.conf", BODY("y", "[::1]:1"), NULL },
        { "services/a.conf", SERVICE("x"), "doors/a.conf", BODY("y", "[::1]:1"),
          "services/a.conf and doors/a.conf have one name: audit records and --service could not "
          "tell the two apart" },
        { "services/a.conf", SERVICE("x") "service_names: imap b\n", "doors/b.conf",
          BODY("y", "[::1]:1"),
          "services/a.conf:3:16: service_names: \"b\" is also answered by doors/b.conf" },
        { "services/a.conf", SERVICE("x"), "doors/b.conf", BODY("y x", "[::1]:1"),
          "doors/b.conf:1:11: audience: the same stands in services/a.conf:1; a token for one "
          "would open the other, unless both say \"shared_audience: yes\"" },
        { "services/a.conf", SERVICE("x"), "doors/b.conf",
          BODY("x", "[::1]:1") "shared_audience: yes\n",
          "doors/b.conf:1:11: audience: the same stands in services/a.conf:1; a token for one "
          "would open the other, unless both say \"shared_audience: yes\"" },
        { "services/a.conf", SERVICE("x") "shared_audience: yes\n", "doors/b.conf",
          BODY("x", "[::1]:1"),
          "doors/b.conf:1:11: audience: the same stands in services/a.conf:1; a token for one "
          "would open the other, unless both say \"shared_audience: yes\"" },
        { "services/a.conf", SERVICE("x") "shared_audience: yes\n", "doors/b.conf",
          BODY("x", "[::1]:1") "shared_audience: yes\n", NULL },
        { "doors/a.conf", BODY("x", "[::1]:1"), "doors/b.conf", BODY("x", "[::1]:2"),
          "doors/b.conf:1:11: audience: the same stands in doors/a.conf:1; a token for one "
          "would open the other, unless both say \"shared_audience: yes\"" },
        { "doors/a.conf", BODY("x", "[::1]:1"), "doors/b.conf", BODY("X", "[::1]:2"), NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_folder_put(&folder, cases[i].file_a, cases[i].a);
        test_folder_put(&folder, cases[i].file_b, cases[i].b);
        if (cases[i].detail != NULL)
            assert_load_fails(POSTERN_ERR_CONFIG_CONFLICT, cases[i].detail);
        else
            postern_config_free(load(cases[i].b));
        test_folder_drop(&folder, cases[i].file_a);
        test_folder_drop(&folder, cases[i].file_b);
    }
}

static void one_address_has_one_door(void **state)
{
    static const struct {
        const char *a, *b, *detail; /* NULL: fine */
    } cases[] = {
        { BODY("x", "127.0.0.1:1"), BODY("y", "127.0.0.1:2"), NULL },
        { BODY("x", "127.0.0.1:1"), BODY("y", "[::1]:1"), NULL },
        { BODY("x", "unix:/run/a"), BODY("y", "unix:/run/b"), NULL },
        { BODY("x", "127.0.0.1:1"), BODY("y", "127.0.0.1:2 127.0.0.1:1"),
          "doors/b.conf:2:9: listen: 127.0.0.1:1 stands in doors/a.conf:2 as well" },
        { BODY("x", "[::1]:1"), BODY("y", "[::1]:2 [::1]:2"),
          "doors/b.conf:2:9: listen: [::1]:2 stands in doors/b.conf:2 as well" },
        { BODY("x", "unix:/run/a"), BODY("y", "unix:/run/a"),
          "doors/b.conf:2:9: listen: unix:/run/a stands in doors/a.conf:2 as well" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_folder_put(&folder, "doors/a.conf", cases[i].a);
        test_folder_put(&folder, "doors/b.conf", cases[i].b);
        if (cases[i].detail != NULL)
            assert_load_fails(POSTERN_ERR_CONFIG_VALUE, cases[i].detail);
        else
            postern_config_free(load(cases[i].b));
    }
}

static void one_address_has_many_forms(void **state)
{
    (void)state;
    assert_true(postern_address_is_same("[::1]:80", "[0:0:0::1]:80"));
    assert_true(postern_address_is_same("[2001:DB8::1]:80", "[2001:db8::0.0.0.1]:80"));
    assert_false(postern_address_is_same("[::1]:80", "[::1]:8"));
    assert_false(postern_address_is_same("127.0.0.1:80", "127.0.0.2:80"));
    assert_false(postern_address_is_same("[::]:80", "0.0.0.0:80"));
    assert_false(postern_address_is_same("[7f00:1::]:80", "127.0.0.1:80"));
    assert_false(postern_address_is_same("unix:/a", "unix:/A"));
}

static void a_door_needs_an_issuer_and_names_it_when_there_are_several(void **state)
{
    (void)state;
    test_folder_put(&folder, "doors/cache.conf", LOCAL);
    test_folder_put(&folder, "issuers/b.conf", "issuer: https://b.example\njwks_file: /k\n");
    assert_load_fails(POSTERN_ERR_CONFIG_MISSING,
                      "doors/cache.conf: required setting \"issuers\" is missing: there are "
                      "several files in issuers/");
    test_folder_drop(&folder, "issuers/b.conf");
    test_folder_drop(&folder, "issuers/sso.conf");
    assert_load_fails(POSTERN_ERR_CONFIG_MISSING,
                      "doors/cache.conf: no issuer is trusted yet: write issuers/NAME.conf with "
                      "issuer:");
}

static void assert_relaxations(const char *door, const char *want)
{
    postern_config *c;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1 << 16);

    test_folder_put(&folder, "doors/cache.conf", door);
    c = load(door);
    postern_config_relaxations(c, &out);
    postern_config_free(c);
    assert_string_equal(postern_buf_cstr(&out), want);
}

static void a_door_s_relaxations_are_told_with_their_place(void **state)
{
    (void)state;
    assert_relaxations(REMOTE "backend_tls: verify-full\ndeny_users: root cyrus postgres x\n"
                              "shared_audience: no\n",
                       "");
    assert_relaxations(
        REMOTE "backend_tls: verify-ca\ndeny_users: root\nshared_audience: yes\n"
               "allow_system_users: yes\n",
        "doors/cache.conf:8: shared_audience: yes: a token for this door opens another service as "
        "well\n"
        "doors/cache.conf:9: allow_system_users: yes: tokens may stand for system accounts\n"
        "doors/cache.conf:7: deny_users: root: tokens may stand for an account that is denied by "
        "default\n"
        "doors/cache.conf:6: backend_tls: verify-ca: the backend is reached without TLS, or its "
        "name is not compared\n");
    assert_relaxations(REMOTE "policy_mode: shadow\n",
                       "doors/cache.conf:6: policy_mode: shadow: the policy is asked and not obeyed\n");
    assert_relaxations(REMOTE "policy_mode: enforce\n", "");
    assert_relaxations(REMOTE "backend_tls: disable\n",
                       "doors/cache.conf:6: backend_tls: disable: the backend is reached without "
                       "TLS, or its name is not compared\n");
}

static void paths_of_a_door_start_at_the_folder(void **state)
{
    postern_config *c;
    const postern_section *s;

    (void)state;
    test_folder_put(&folder, "doors/cache.conf",
                    LOCAL "tls_cert_file: tls/c.pem\ntls_key_file: /etc/ssl/k.pem\n");
    c = load("paths");
    s = postern_config_section(c, POSTERN_SECTION_DOOR, "cache");
    assert_string_equal(postern_section_text(s, "tls_cert_file"),
                        test_folder_at(&folder, "tls/c.pem"));
    assert_string_equal(postern_section_text(s, "tls_key_file"), "/etc/ssl/k.pem");
    postern_config_free(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_door_is_a_section_with_defaults_and_no_service),
        TEST(a_door_asks_again_where_one_of_its_issuers_is_asked),
        TEST(defaults_of_a_program_may_be_written_out_at_any_door),
        TEST(doors_may_say_much),
        TEST(a_wrong_door_is_named_with_line_column_and_what_to_write),
        TEST(a_door_s_keys_belong_to_doors),
        TEST(only_the_client_files_that_doors_name_are_read),
        TEST(addresses_have_one_form_and_need_no_resolver_to_listen),
        TEST(a_socket_or_a_name_that_is_too_long_is_refused),
        TEST(strangers_meet_a_certificate),
        TEST(policies_are_names_and_no_paths),
        TEST(services_and_doors_share_no_name_and_no_audience),
        TEST(one_address_has_one_door),
        TEST(one_address_has_many_forms),
        TEST(a_door_needs_an_issuer_and_names_it_when_there_are_several),
        TEST(a_door_s_relaxations_are_told_with_their_place),
        TEST(paths_of_a_door_start_at_the_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
