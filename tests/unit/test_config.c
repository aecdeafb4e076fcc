/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/config*.c: what a folder of files means, and the exact complaint about each that means
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/config.h>
#include <unistd.h>

#include "../support/test_folder.h"
#include "base/keyfile.h"

#define ISSUER  "issuer: https://sso.example.org/realms/agents\njwks_file: /run/keys.json\n"
#define SERVICE "audience: https://mail.example.org/imap\nhelper_peers: cyrus\n"

static test_folder folder;

static int make_folder(void **state)
{
    (void)state;
    test_folder_make(&folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static postern_config *load(void)
{
    postern_config *c = NULL;
    postern_error err = { 0 };

    if (postern_config_load(folder.path, &c, &err) != POSTERN_OK)
        fail_msg("%s: %s", postern_err_reason(err.code), err.detail);
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
    assert_int_equal(err.code, want);
}

static void a_folder_without_files_is_all_defaults(void **state)
{
    postern_config *c = load();
    const postern_section *d = postern_config_section(c, POSTERN_SECTION_DAEMON, NULL);

    (void)state;
    assert_string_equal(postern_section_text(d, "log"), "stderr");
    assert_int_equal(postern_section_number(d, "drain_timeout"), 25);
    assert_int_equal(postern_section_count(d, "helper_socket"), 1);
    assert_string_equal(postern_section_item(d, "helper_socket", 0), "/run/postern/helper.sock");
    assert_null(postern_section_item(d, "helper_socket", 1));
    assert_string_equal(postern_section_origin(d, "log"), "default");
    assert_false(postern_section_has(d, "log"));
    assert_null(postern_config_section(c, POSTERN_SECTION_SERVER, NULL));
    assert_null(postern_config_section_at(c, POSTERN_SECTION_SERVICE, 0));
    postern_config_free(c);
}

static void every_file_becomes_a_section_with_its_origins(void **state)
{
    postern_config *c;
    const postern_section *s;

    (void)state;
    test_folder_put(&folder, "postern.conf", "# the daemon\nlog: syslog\ndrain_timeout: 2m\n");
    test_folder_put(&folder, "issuers/sso.conf",
                    ISSUER "clock_skew: 0s\ntoken_types: at+jwt JWT\n");
    test_folder_put(
        &folder, "services/mail.conf",
        SERVICE
        "service_names: imap pop\n  sieve\nserver_names: mail.example.org\nserver_port: 143\n"
        "allow_system_users: on\nrequire_tls: host\n");
    test_folder_put(&folder, "services/notes.txt", "not a configuration");
    test_folder_put(&folder, "services/.hidden.conf", "nor this");
    test_folder_put(&folder, "issuer.conf",
                    "issuer: http://127.0.0.1:8414\njwks_file: keys.json\n");
    c = load();
    s = postern_config_section(c, POSTERN_SECTION_DAEMON, NULL);
    assert_string_equal(postern_section_text(s, "log"), "syslog");
    assert_int_equal(postern_section_number(s, "drain_timeout"), 120);
    assert_string_equal(postern_section_origin(s, "drain_timeout"), "postern.conf:3");
    assert_true(postern_section_has(s, "log"));
    s = postern_config_section(c, POSTERN_SECTION_ISSUER, "sso");
    assert_string_equal(postern_section_name(s), "sso");
    assert_int_equal(postern_section_number(s, "clock_skew"), 0);
    assert_string_equal(postern_section_item(s, "token_types", 1), "JWT");
    s = postern_config_section_at(c, POSTERN_SECTION_SERVICE, 0);
    assert_null(postern_config_section_at(c, POSTERN_SECTION_SERVICE, 1));
    assert_ptr_equal(postern_config_service_for(c, "mail"), s);
    assert_ptr_equal(postern_config_service_for(c, "sieve"), s);
    assert_null(postern_config_service_for(c, "smtp"));
    assert_null(postern_config_service_for(c, "IMAP"));
    assert_int_equal(postern_section_number(s, "server_port"), 143);
    assert_true(postern_section_flag(s, "allow_system_users"));
    assert_string_equal(postern_section_text(s, "require_tls"), "host");
    s = postern_config_section(c, POSTERN_SECTION_SERVER, NULL);
    assert_string_equal(postern_section_text(s, "jwks_file"), test_folder_at(&folder, "keys.json"));
    postern_config_free(c);
}

/* One wrong file among good ones, and the whole complaint. */
static const struct {
    const char *file, *text;
    postern_err want;
    const char *detail;
} wrong_files[] = {
    { "services/imap.conf", "audence: x\n", POSTERN_ERR_CONFIG_KEY,
      "services/imap.conf:1:1: unknown key \"audence\"; did you mean \"audience\"?" },
    { "services/imap.conf", SERVICE "insecure_skip_verify: yes\n", POSTERN_ERR_CONFIG_KEY,
      "services/imap.conf:3:1: unknown key \"insecure_skip_verify\"; postern.conf(5) lists the "
      "keys" },
    { "services/imap.conf", SERVICE "clock_skew: 5s\n", POSTERN_ERR_CONFIG_KEY,
      "services/imap.conf:3:1: key \"clock_skew\" belongs in issuers/NAME.conf, not here" },
    { "postern.conf", "audience: https://a.example/b\n", POSTERN_ERR_CONFIG_KEY,
      "postern.conf:1:1: key \"audience\" belongs in services/NAME.conf or doors/NAME.conf, not "
      "here" },
    { "postern.conf", "drain_timeout: 25\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:16: drain_timeout: a duration needs a unit: s, m, h or d, like 30s" },
    { "postern.conf", "drain_timeout:   25 s\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:18: drain_timeout: a duration's unit is s, m, h or d, like 30s" },
    { "postern.conf", "drain_timeout: 25ms\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:16: drain_timeout: a duration's unit is s, m, h or d, like 30s" },
    { "postern.conf", "drain_timeout: -1s\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:16: drain_timeout: a duration is a whole number with a unit, like 30s" },
    { "postern.conf", "drain_timeout: 1h\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:16: drain_timeout: 3600s is outside 1s to 600s" },
    { "postern.conf", "drain_timeout: 99999999999s\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:16: drain_timeout: a duration is a whole number with a unit, like 30s" },
    { "postern.conf", "helper_max_connections: 7\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:25: helper_max_connections: 7 is outside 8 to 16384" },
    { "postern.conf", "helper_max_connections: many\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:25: helper_max_connections: a whole number of at most 9 digits is wanted" },
    { "postern.conf", "helper_max_connections: 64k\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:25: helper_max_connections: a whole number of at most 9 digits is wanted" },
    { "postern.conf", "log: sylog\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:6: log: \"sylog\" is not one of: stderr syslog" },
    { "postern.conf", "log: nowhere\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:6: log: \"nowhere\" is not one of: stderr syslog" },
    { "postern.conf", "helper_socket: run/helper.sock\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:16: helper_socket: \"run/helper.sock\" is not an absolute path" },
    { "postern.conf", "helper_user: a:b\n", POSTERN_ERR_CONFIG_VALUE,
      "postern.conf:1:14: helper_user: \"a:b\" is no user name" },
    { "services/imap.conf", SERVICE "shared_audience: maybe\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:18: shared_audience: yes or no is wanted (or on, off, true, false, 1, "
      "0)" },
    { "services/imap.conf", SERVICE "shared_audience: Yes\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:18: shared_audience: yes or no is wanted (or on, off, true, false, 1, "
      "0)" },
    { "services/imap.conf", SERVICE "mech_list: OAUTHBEARER PLAIN\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:12: mech_list: \"PLAIN\" is not one of: OAUTHBEARER XOAUTH2" },
    { "services/imap.conf", SERVICE "required_scopes: mail.read a\"b\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:18: required_scopes: \"a\"b\" is no scope: printable ASCII without "
      "quotation mark and "
      "backslash" },
    { "services/imap.conf", SERVICE "service_names: im/ap\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:16: service_names: \"im/ap\" is no service name: letters, digits, "
      "dots, underscores and "
      "hyphens" },
    { "services/imap.conf", SERVICE "username_chars: z-a\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:17: username_chars: \"z-a\" holds a range that runs backwards" },
    { "services/imap.conf", SERVICE "username_chars: a-z A-Z\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:17: username_chars: \"a-z A-Z\" holds a blank or a character that is "
      "not ASCII" },
    { "services/imap.conf", SERVICE "policy_mode: shadow\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:14: policy_mode: means nothing without policy" },
    { "services/imap.conf", SERVICE "policy: mail\npolicy_mode: off\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:4:14: policy_mode: \"off\" is not one of: enforce shadow" },
    { "services/imap.conf", SERVICE "policy: ../mail\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:9: policy: \"../mail\" is no policy name: letters, digits, dots, "
      "underscores and hyphens, no dot first" },
    { "services/imap.conf", SERVICE "server_port: 143\n", POSTERN_ERR_CONFIG_CONFLICT,
      "services/imap.conf:3:14: server_port: means nothing without server_names" },
    { "services/imap.conf", "audience: https://mail.example.org/imap\nhelper_peers: group:\n",
      POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:2:15: helper_peers: \"group:\" is not USER, group:GROUP or a number" },
    { "services/imap.conf", "helper_peers: cyrus\n", POSTERN_ERR_CONFIG_MISSING,
      "services/imap.conf: required setting \"audience\" is missing: what a token must be meant "
      "for; one of these must "
      "stand in its aud" },
    { "services/imap.conf", "audience: https://mail.example.org/imap\n", POSTERN_ERR_CONFIG_MISSING,
      "services/imap.conf: required setting \"helper_peers\" is missing: users or groups (names or "
      "numbers; group:NAME "
      "for a group) whose processes may ask as this service" },
    { "services/imap.conf", SERVICE "issuers: other\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:10: issuers: there is no issuers/other.conf" },
    { "services/imap.conf", SERVICE "issuers: sso sso\n", POSTERN_ERR_CONFIG_VALUE,
      "services/imap.conf:3:10: issuers: \"sso\" stands twice" },
    { "services/im ap.conf", SERVICE, POSTERN_ERR_CONFIG_FILE,
      "services/im ap.conf: a name has at most 63 letters, digits, dots, underscores or hyphens" },
    { "issuers/sso.conf", "jwks_file: /k\n", POSTERN_ERR_CONFIG_MISSING,
      "issuers/sso.conf: required setting \"issuer\" is missing: issuer identifier (RFC 8414 ??2), "
      "compared byte for byte with the token's iss" },
    { "issuers/sso.conf", ISSUER "jwks_uri: https://sso.example.org/jwks\n",
      POSTERN_ERR_CONFIG_CONFLICT,
      "issuers/sso.conf:3:11: jwks_uri: jwks_file is set as well; keys come from one place, so "
      "remove one of the two" },
    { "issuers/sso.conf", "issuer: https://sso.example.org\njwks_uri: http://sso.example.org/jwks\n",
      POSTERN_ERR_CONFIG_VALUE, "issuers/sso.conf:2:11: jwks_uri: \"http://sso.example.org/jwks\" is plain "
      "http: only 127.0.0.1 and [::1] may be reached so, write https://" },
    { "issuers/sso.conf", ISSUER "algorithms: RS256 none\n", POSTERN_ERR_CONFIG_VALUE,
      "issuers/sso.conf:3:13: algorithms: \"none\" is not one of: RS256 RS384 RS512 PS256 PS384 "
      "PS512 ES256 ES384 ES512 "
      "EdDSA Ed25519" },
    { "issuers/sso.conf", ISSUER "algorithms: HS256\n", POSTERN_ERR_CONFIG_VALUE,
      "issuers/sso.conf:3:13: algorithms: \"HS256\" is not one of: RS256 RS384 RS512 PS256 PS384 "
      "PS512 ES256 ES384 ES512 "
      "EdDSA Ed25519" },
    { "issuers/sso.conf", ISSUER "token_types: JWT at+jwt logout+jwt\n", POSTERN_ERR_CONFIG_VALUE,
      "issuers/sso.conf:3:14: token_types: \"logout+jwt\" is not one of: at+jwt JWT "
      "untyped" },
    { "issuers/sso.conf", ISSUER "provider: keycloack\n", POSTERN_ERR_CONFIG_VALUE,
      "issuers/sso.conf:3:11: provider: \"keycloack\" is not one of: rfc9068 keycloak entra okta" },
    { "issuers/sso.conf", ISSUER "username_claim: ${azp}${sub}\n", POSTERN_ERR_CONFIG_VALUE,
      "issuers/sso.conf:3:17: username_claim: \"${azp}${sub}\" has two claims without a text between "
      "them: alice + bob were ali + cebob" },
    { "issuers/sso.conf", ISSUER "scope_form: array\n", POSTERN_ERR_CONFIG_VALUE,
      "issuers/sso.conf:3:13: scope_form: \"array\" is not one of: string any" },
    { "issuers/sso.conf", ISSUER "clock_skew: 301s\n", POSTERN_ERR_CONFIG_VALUE,
      "issuers/sso.conf:3:13: clock_skew: 301s is outside 0s to 300s" },
    { "issuers/sso.conf", ISSUER "username_claim: realm..name\n", POSTERN_ERR_CONFIG_VALUE,
      "issuers/sso.conf:3:17: username_claim: \"realm..name\" is no claim: NAME, NAME.NAME or a "
      "template of ${NAME}" },
    { "issuers/sso.conf", ISSUER "agent_claim: client_id act.sub\n", POSTERN_ERR_CONFIG_VALUE,
      "issuers/sso.conf:3:14: agent_claim: act.sub must stand first" },
    { "issuers/twin.conf", ISSUER, POSTERN_ERR_CONFIG_CONFLICT,
      "issuers/twin.conf:1:9: issuer: the same issuer stands in issuers/sso.conf:1" },
    { "issuer.conf", "issuer: http://127.0.0.1:8414\njwks_file: /k\nlisten: 0.0.0.0:8414\n",
      POSTERN_ERR_CONFIG_VALUE,
      "issuer.conf:3:9: listen: \"0.0.0.0:8414\" is not loopback: 127.0.0.1:PORT or [::1]:PORT in "
      "this version" },
    { "issuer.conf", "issuer: http://127.0.0.1:8414\njwks_file: /k\ntoken_lifetime: 2h\n",
      POSTERN_ERR_CONFIG_VALUE, "issuer.conf:3:17: token_lifetime: 7200s is outside 5s to 3600s" },
    { "issuer.conf", "issuer: http://idp.example\njwks_file: /k\n", POSTERN_ERR_CONFIG_VALUE,
      "issuer.conf:1:9: issuer: \"http://idp.example\" is plain http: only 127.0.0.1 and [::1] may "
      "be reached so, write "
      "https://" },
};

static void a_wrong_file_is_named_with_line_column_and_what_to_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_files / sizeof *wrong_files; i++) {
        test_folder_put(&folder, "issuers/sso.conf", ISSUER);
        test_folder_put(&folder, "services/mail.conf",
                        "audience: https://mail.example.org/x\nhelper_peers: cyrus\n");
        test_folder_put(&folder, wrong_files[i].file, wrong_files[i].text);
        assert_load_fails(wrong_files[i].want, wrong_files[i].detail);
        test_folder_drop(&folder, wrong_files[i].file);
    }
}

static void a_duplicate_key_is_refused(void **state)
{
    postern_config *c = NULL;
    postern_error err = { 0 };

    (void)state;
    test_folder_put(&folder, "postern.conf", "log: stderr\nlog: syslog\n");
    assert_int_equal(postern_config_load(folder.path, &c, &err), POSTERN_ERR_CONFIG_KEY);
    assert_non_null(strstr(err.detail, "postern.conf:2:"));
    test_folder_put(&folder, "postern.conf", "no colon\n");
    assert_int_equal(postern_config_load(folder.path, &c, &err), POSTERN_ERR_CONFIG_SYNTAX);
    assert_non_null(strstr(err.detail, "postern.conf:1:"));
    assert_null(c);
}

static const struct {
    const char *url, *fault; /* NULL: fine */
} urls[] = {
    { "https://sso.example.org", NULL },
    { "https://sso.example.org/", NULL },
    { "https://SSO.example.org:8443/realms/agents%20x", NULL },
    { "https://[2001:db8::1]:8443/x", NULL },
    { "http://sso.example.org",
      "is plain http: only 127.0.0.1 and [::1] may be reached so, write https://" },
    { "http://localhost:8414",
      "is plain http: only 127.0.0.1 and [::1] may be reached so, write https://" },
    { "http://127.0.0.1.example.org",
      "is plain http: only 127.0.0.1 and [::1] may be reached so, write https://" },
    { "http://127.0.0.1:8414",
      "is plain http: to loopback that needs \"allow_loopback_http: yes\"" },
    { "http://[::1]:8414", "is plain http: to loopback that needs \"allow_loopback_http: yes\"" },
    { "HTTPS://sso.example.org", "must begin with https://" },
    { "ftp://sso.example.org", "must begin with https://" },
    { "sso.example.org", "must begin with https://" },
    { "https://", "has no valid host name" },
    { "https:///realms", "has no valid host name" },
    { "https://sso_.ex%61mple", "has no valid host name" },
    { "https://[]", "has no valid host name" },
    { "https://[::1", "has a port that is not 1 to 65535" },
    { "https://sso.example.org:", "has a port that is not 1 to 65535" },
    { "https://sso.example.org:0", "has a port that is not 1 to 65535" },
    { "https://sso.example.org:65536", "has a port that is not 1 to 65535" },
    { "https://sso.example.org:0443", "has a port that is not 1 to 65535" },
    { "https://sso.example.org:44x", "has a port that is not 1 to 65535" },
    { "https://user@sso.example.org", "holds user information" },
    { "https://user:pw@sso.example.org", "holds user information" },
    { "https://sso.example.org/?a=b", "holds a query" },
    { "https://sso.example.org?a", "holds a query" },
    { "https://sso.example.org/#a", "holds a fragment" },
    { "https://sso.example.org/a b", "holds a character that no URL may have" },
    { "https://sso.example.org/a\\b", "holds a character that no URL may have" },
    { "https://sso.example.org/\xc3\xa9", "holds a character that no URL may have" },
    { "https://sso.example.org/%", "holds a '%' without two hexadecimal digits" },
    { "https://sso.example.org/%2", "holds a '%' without two hexadecimal digits" },
    { "https://sso.example.org/%zz", "holds a '%' without two hexadecimal digits" },
};

static void an_issuer_is_an_https_url_and_kept_byte_for_byte(void **state)
{
    char text[600], want[600], quoted[300];

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_true(snprintf(text, sizeof text, "issuer: %s\njwks_file: /k\n", urls[i].url) > 0);
        test_folder_put(&folder, "issuers/a.conf", text);
        if (urls[i].fault == NULL) {
            postern_config *c = load();

            assert_string_equal(
                postern_section_text(postern_config_section(c, POSTERN_SECTION_ISSUER, "a"),
                                     "issuer"),
                urls[i].url);
            postern_config_free(c);
            continue;
        }
        assert_true(
            snprintf(want, sizeof want, "issuers/a.conf:1:9: issuer: \"%s\" %s",
                     postern_error_quote(urls[i].url, strlen(urls[i].url), quoted, sizeof quoted),
                     urls[i].fault) > 0);
        assert_load_fails(POSTERN_ERR_CONFIG_VALUE, want);
    }
}

static void loopback_http_is_for_those_who_ask_and_for_the_embedded_issuer(void **state)
{
    (void)state;
    test_folder_put(&folder, "issuers/a.conf",
                    "issuer: http://127.0.0.1:8414\nallow_loopback_http: yes\njwks_file: /k\n");
    test_folder_put(&folder, "issuer.conf", "issuer: http://[::1]:8414/x\njwks_file: /k\n");
    postern_config_free(load());
    test_folder_put(&folder, "issuers/a.conf",
                    "issuer: http://127.0.0.1:8414\nallow_loopback_http: no\njwks_file: /k\n");
    assert_load_fails(POSTERN_ERR_CONFIG_VALUE,
                      "issuers/a.conf:1:9: issuer: \"http://127.0.0.1:8414\" is plain http: "
                      "to loopback that needs \"allow_loopback_http: yes\"");
    test_folder_put(&folder, "issuers/a.conf",
                    "issuer: http://10.0.0.1:8414\nallow_loopback_http: yes\njwks_file: /k\n");
    assert_load_fails(POSTERN_ERR_CONFIG_VALUE,
                      "issuers/a.conf:1:9: issuer: \"http://10.0.0.1:8414\" is plain http: only "
                      "127.0.0.1 and [::1] may "
                      "be reached so, write https://");
}

static void two_services_may_not_claim_the_same(void **state)
{
    static const struct {
        const char *a, *b;
        const char *detail; /* NULL: fine */
    } cases[] = {
        { "audience: https://x.example/a\n", "audience: https://x.example/b\n", NULL },
        { "audience: https://x.example/a\n", "audience: https://x.example/a\n",
          "services/b.conf:1:11: audience: the same stands in services/a.conf:1; a token for one "
          "would open the other, "
          "unless both say \"shared_audience: yes\"" },
        { "audience: https://x.example/a y\n", "audience: z y\nshared_audience: yes\n",
          "services/b.conf:1:11: audience: the same stands in services/a.conf:1; a token for one "
          "would open the other, "
          "unless both say \"shared_audience: yes\"" },
        { "audience: y\nshared_audience: yes\n", "audience: y\nshared_audience: yes\n", NULL },
        { "audience: x\nservice_names: imap pop\n", "audience: y\nservice_names: pop sieve\n",
          "services/b.conf:2:16: service_names: \"pop\" is also answered by services/a.conf" },
        { "audience: x\nservice_names: b\n", "audience: y\n",
          "services/a.conf:2:16: service_names: \"b\" is also answered by services/b.conf" },
        { "audience: x\n", "audience: y\nservice_names: a\n",
          "services/b.conf:2:16: service_names: \"a\" is also answered by services/a.conf" },
        { "audience: x\nservice_names: imap\n", "audience: y\nservice_names: sieve\n", NULL },
    };
    char text[400];

    (void)state;
    test_folder_put(&folder, "issuers/sso.conf", ISSUER);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(snprintf(text, sizeof text, "%shelper_peers: 0\n", cases[i].a) > 0);
        test_folder_put(&folder, "services/a.conf", text);
        assert_true(snprintf(text, sizeof text, "%shelper_peers: 0\n", cases[i].b) > 0);
        test_folder_put(&folder, "services/b.conf", text);
        if (cases[i].detail != NULL)
            assert_load_fails(POSTERN_ERR_CONFIG_CONFLICT, cases[i].detail);
        else
            postern_config_free(load());
    }
}

static void a_service_needs_an_issuer_and_names_it_when_there_are_several(void **state)
{
    (void)state;
    test_folder_put(&folder, "services/imap.conf", SERVICE);
    assert_load_fails(POSTERN_ERR_CONFIG_MISSING,
                      "services/imap.conf: no issuer is trusted yet: write "
                      "issuers/NAME.conf with issuer:");
    test_folder_put(&folder, "issuers/a.conf", "issuer: https://a.example\njwks_file: /k\n");
    postern_config_free(load());
    test_folder_put(&folder, "issuers/b.conf", "issuer: https://b.example\njwks_file: /k\n");
    assert_load_fails(POSTERN_ERR_CONFIG_MISSING,
                      "services/imap.conf: required setting \"issuers\" is missing: there "
                      "are several files in issuers/");
    test_folder_put(&folder, "services/imap.conf", SERVICE "issuers: a b\n");
    assert_load_fails(POSTERN_ERR_CONFIG_CONFLICT,
                      "services/imap.conf:3:10: issuers: a and b may name one local user; give "
                      "each a username_claim that says whose it is (a-${sub}, b-${sub}), or a "
                      "username_map_file of its own.  Now: \"*\" by username_claim (default), "
                      "\"*\" by username_claim (default)");
    test_folder_put(&folder, "services/imap.conf", SERVICE "issuers: b\n");
    postern_config_free(load());
}

static void what_others_may_write_is_not_read(void **state)
{
    char want[300];

    (void)state;
    test_folder_put(&folder, "postern.conf", "log: syslog\n");
    postern_config_free(load());
    test_folder_mode(&folder, "postern.conf", 0646);
    assert_load_fails(POSTERN_ERR_CONFIG_FILE,
                      "postern.conf can be written by everybody (mode 0646): chmod o-w");
    test_folder_mode(&folder, "postern.conf", 0644);
    test_folder_put(&folder, "issuers/a.conf", ISSUER);
    test_folder_mode(&folder, "issuers", 0777);
    assert_load_fails(POSTERN_ERR_CONFIG_FILE, "issuers can be written by everybody (mode 0777): chmod o-w");
    test_folder_mode(&folder, "issuers", 0755);
    assert_true(
        snprintf(want, sizeof want, "%s can be written by everybody (mode 0757): chmod o-w", folder.path) > 0);
    test_folder_mode(&folder, ".", 0757);
    assert_load_fails(POSTERN_ERR_CONFIG_FILE, want);
    test_folder_mode(&folder, ".", 0700);
    postern_config_free(load());
}

static void a_group_s_file_is_read_only_when_the_group_is_root_s(void **state)
{
    const char *path = test_folder_at(&folder, "postern.conf");

    (void)state;
    if (geteuid() != 0)
        skip();
    test_folder_put(&folder, "postern.conf", "log: syslog\n");
    test_folder_mode(&folder, "postern.conf", 0664);
    postern_config_free(load());
    assert_int_equal(chown(path, 0, 12345), 0);
    test_folder_mode(&folder, "postern.conf", 0664);
    assert_load_fails(POSTERN_ERR_CONFIG_FILE,
                      "postern.conf can be written by group 12345 (mode 0664): chmod g-w");
    test_folder_mode(&folder, "postern.conf", 0640);
    postern_config_free(load());
    assert_int_equal(chown(path, 12345, 0), 0);
    assert_load_fails(POSTERN_ERR_CONFIG_FILE,
                      "postern.conf belongs to uid 12345; it must belong to root or to uid 0");
}

static void sizes_have_limits(void **state)
{
    char *text = malloc(POSTERN_KEYFILE_MAX + 2);
    size_t used;

    (void)state;
    memset(text, 'x', POSTERN_KEYFILE_MAX + 1);
    text[POSTERN_KEYFILE_MAX + 1] = '\0';
    test_folder_put(&folder, "postern.conf", text);
    assert_load_fails(POSTERN_ERR_CONFIG_FILE, "postern.conf holds more than 262144 bytes");
    used = (size_t)snprintf(text, 64, "helper_socket:");
    for (int i = 0; i < 1025; i++)
        used += (size_t)snprintf(text + used, 8, " /a");
    test_folder_put(&folder, "postern.conf", text);
    assert_load_fails(POSTERN_ERR_CONFIG_VALUE,
                      "postern.conf:1:16: helper_socket: more than 1024 words");
    memset(text, 'x', 5000);
    memcpy(text, "audit_file: ", 12);
    text[5000] = '\0';
    test_folder_put(&folder, "postern.conf", text);
    assert_load_fails(POSTERN_ERR_CONFIG_VALUE,
                      "postern.conf:1:13: audit_file: the path is too long");
    memset(text, 'x', 200);
    memcpy(text, "helper_socket: /", 16);
    text[200] = '\0';
    test_folder_put(&folder, "postern.conf", text);
    assert_load_fails(POSTERN_ERR_CONFIG_VALUE,
                      "postern.conf:1:16: helper_socket: "
                      "\"/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" is "
                      "too long for a unix socket");
    test_folder_put(&folder, "postern.conf", "audit_file: -\n");
    postern_config_free(load());
    test_folder_put(&folder,
                    "issuers/a123456789b123456789c123456789d123456789e123456789f123456789xyzw.conf",
                    ISSUER);
    assert_load_fails(POSTERN_ERR_CONFIG_FILE,
                      "issuers/a123456789b123456789c123456789d123456789e123456789f123456789xyzw"
                      "...: a name has at most 63 letters, digits, dots, underscores or hyphens");
    free(text);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    postern_config *c = NULL;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_config_load(test_folder_at(&folder, "nowhere"), &c, &err),
                     POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "No such file or directory"));
    test_folder_put(&folder, "file", "");
    assert_int_equal(postern_config_load(test_folder_at(&folder, "file"), &c, &err),
                     POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "is not a folder"));
    assert_null(c);
}

/* The dump's files written into a folder, as an administrator would with csplit(1). */
static void write_dump(const test_folder *to, const char *dump)
{
    static const char head[] = "# == ";

    while (*dump != '\0') {
        const char *name = dump + sizeof head - 1, *end = strstr(name, " ==\n"), *next;
        char file[200], *text;

        assert_memory_equal(dump, head, sizeof head - 1);
        assert_non_null(end);
        next = strstr(end, "\n# == ");
        next = next == NULL ? end + strlen(end) : next + 1;
        assert_true(snprintf(file, sizeof file, "%.*s", (int)(end - name), name) > 0);
        text = strndup(dump, (size_t)(next - dump));
        test_folder_put(to, file, text);
        free(text);
        dump = next;
    }
}

static char *dump_of(const char *path)
{
    postern_config *c = NULL;
    postern_error err = { 0 };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1 << 20);

    if (postern_config_load(path, &c, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    postern_config_dump(c, &out);
    postern_config_free(c);
    assert_false(out.failed);
    return strdup(postern_buf_cstr(&out));
}

/* The lines that are settings. */
static char *without_comments(const char *dump)
{
    char *out = calloc(1, strlen(dump) + 1);
    size_t used = 0;

    while (*dump != '\0') {
        size_t len = strcspn(dump, "\n") + 1;

        if (dump[0] != '#') {
            memcpy(out + used, dump, len);
            used += len;
        }
        dump += len;
    }
    return out;
}

static void a_dump_is_a_configuration_that_dumps_the_same(void **state)
{
    test_folder again;
    char *first, *second, *third, *first_settings, *second_settings;

    (void)state;
    test_folder_put(&folder, "postern.conf", "log:   syslog  \n");
    test_folder_put(&folder, "issuers/sso.conf", ISSUER "required_claims:   sub\n  jti\n");
    test_folder_put(&folder, "issuers/lab.conf",
                    "issuer: http://127.0.0.1:8414\nallow_loopback_http: 1\njwks_file: lab.json\n");
    test_folder_put(&folder, "services/imap.conf", SERVICE "issuers: sso\n");
    test_folder_put(&folder, "issuer.conf", "issuer: http://127.0.0.1:8414\njwks_file: /k\n");
    test_folder_make(&again);
    first = dump_of(folder.path);
    write_dump(&again, first);
    second = dump_of(again.path);
    write_dump(&again, second);
    third = dump_of(again.path);
    first_settings = without_comments(first);
    second_settings = without_comments(second);
    assert_string_equal(first_settings, second_settings);
    assert_string_equal(second, third);
    assert_non_null(
        strstr(first, "# == services/imap.conf ==\n# services/imap.conf:1\naudience: "));
    assert_non_null(strstr(first, "# default\nclock_skew: 60s\n"));
    free(first), free(second), free(third), free(first_settings), free(second_settings);
    test_folder_remove(&again);
}

/* With a policy, a service needs a name that rules can say: else all its logins would be refused. */
static void a_service_with_a_policy_can_be_named_by_rules(void **state)
{
    static const char *const texts[] = { SERVICE, SERVICE "policy: mail more\n",
                                         SERVICE "policy: mail\npolicy_mode: shadow\n" };
    (void)state;
    test_folder_put(&folder, "issuers/sso.conf", ISSUER);
    test_folder_put(&folder, "services/raw.conf", texts[0]);
    postern_config_free(load());
    test_folder_put(&folder, "services/raw.conf", texts[1]);
    assert_load_fails(POSTERN_ERR_CONFIG_VALUE,
                      "services/raw.conf:3:9: policy: no rule can name this service, because raw is a "
                      "protocol of doors: rename its file, and name raw in service_names");
    test_folder_drop(&folder, "services/raw.conf");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const postern_section *s;
        postern_config *c;

        test_folder_put(&folder, "services/im.a-p_2.conf", texts[i]);
        c = load();
        s = postern_config_section(c, POSTERN_SECTION_SERVICE, "im.a-p_2");
        assert_int_equal(postern_section_count(s, "policy"), i == 0 ? 0 : 3 - i);
        assert_string_equal(postern_section_text(s, "policy_mode"), i == 2 ? "shadow" : "enforce");
        postern_config_free(c);
    }
    test_folder_drop(&folder, "services/im.a-p_2.conf");
}

static void each_relaxation_is_told_with_its_place(void **state)
{
    postern_config *c;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1 << 16);

    (void)state;
    test_folder_put(&folder, "issuers/sso.conf", ISSUER);
    test_folder_put(&folder, "services/imap.conf",
                    SERVICE "require_tls: yes\ndeny_users: cyrus root postgres bob\n"
                            "policy: a\npolicy_mode: enforce\n");
    c = load();
    postern_config_relaxations(c, &out);
    assert_int_equal(out.len, 0);
    postern_config_free(c);
    test_folder_put(&folder, "issuers/sso.conf",
                    ISSUER "token_types: JWT\nrequired_claims: sub jti\n");
    test_folder_put(
        &folder, "services/imap.conf",
        SERVICE
        "require_tls: host\nallow_system_users: yes\ndeny_users: root\nshared_audience: yes\n"
        "policy: a\npolicy_mode: shadow\n");
    c = load();
    postern_config_relaxations(c, &out);
    postern_config_free(c);
    assert_string_equal(
        postern_buf_cstr(&out),
        "issuers/sso.conf:3: token_types: JWT: tokens without typ at+jwt are accepted, which does not tell an access "
        "token from other "
        "JWTs of this issuer\n"
        "issuers/sso.conf:4: required_claims: sub jti: tokens may lack a claim that RFC 9068 "
        "requires\n"
        "services/imap.conf:3: require_tls: host: logins are taken without a sign of TLS\n"
        "services/imap.conf:6: shared_audience: yes: a token for this service opens another one as "
        "well\n"
        "services/imap.conf:4: allow_system_users: yes: tokens may log in as system accounts\n"
        "services/imap.conf:5: deny_users: root: tokens may log in as an account that is denied by "
        "default\n"
        "services/imap.conf:8: policy_mode: shadow: the policy is asked and not obeyed\n");
}

static void a_client_has_a_credential_unless_it_is_public(void **state)
{
#define CLIENT "issuer: https://sso.example.org\nclient_id: a\n"
    static const struct {
        const char *text;
        postern_err want;
    } cases[] = {
        { CLIENT "client_auth: none\nlogin: yes\nperson: alice\nactor_token: self\n", POSTERN_OK },
        { CLIENT "client_auth: private_key_jwt\nclient_credential_file: k.pem\n", POSTERN_OK },
        { CLIENT "client_auth: private_key_jwt\n", POSTERN_ERR_CONFIG_MISSING },
        { CLIENT "client_auth: secret\n", POSTERN_ERR_CONFIG_MISSING },
        { CLIENT "client_auth: none\nclient_credential_file: s\n", POSTERN_ERR_CONFIG_CONFLICT },
        { CLIENT "client_auth: client_secret_jwt\nclient_credential_file: s\n",
          POSTERN_ERR_CONFIG_VALUE },
        { CLIENT "client_auth: none\nactor_token: someone\n", POSTERN_ERR_CONFIG_VALUE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO(config) c = NULL;

        test_folder_put(&folder, "client.conf", cases[i].text);
        if (postern_config_load_client(test_folder_at(&folder, "client.conf"), &c, NULL) !=
            cases[i].want)
            fail_msg("%s", cases[i].text);
    }
}

static void a_client_file_stands_for_itself(void **state)
{
    postern_config *c = NULL;
    postern_error err = { 0 };
    const postern_section *s;

    (void)state;
    test_folder_put(&folder, "client.conf",
                    "issuer: https://sso.example.org\nclient_id: agent-7\nclient_credential_file: "
                    "agent-7.secret\n");
    assert_int_equal(postern_config_load_client(test_folder_at(&folder, "client.conf"), &c, &err),
                     POSTERN_OK);
    s = postern_config_section(c, POSTERN_SECTION_CLIENT, NULL);
    assert_string_equal(postern_section_text(s, "client_id"), "agent-7");
    assert_string_equal(postern_section_text(s, "client_credential_file"),
                        test_folder_at(&folder, "agent-7.secret"));
    assert_null(postern_section_text(s, "resource"));
    postern_config_free(c);
    c = NULL;
    test_folder_put(&folder, "client.conf", "issuer: https://sso.example.org\nclient_id: a\n");
    assert_int_equal(postern_config_load_client(test_folder_at(&folder, "client.conf"), &c, &err),
                     POSTERN_ERR_CONFIG_MISSING);
    test_folder_put(&folder, "client.conf",
                    "issuer: http://sso.example.org\nclient_id: a\nclient_credential_file: x\n");
    assert_int_equal(postern_config_load_client(test_folder_at(&folder, "client.conf"), &c, &err),
                     POSTERN_ERR_CONFIG_VALUE);
    assert_int_equal(postern_config_load_client(test_folder_at(&folder, "none.conf"), &c, &err),
                     POSTERN_ERR_CONFIG_FILE);
    assert_null(c);
}

static void a_token_check_needs_no_file_but_the_keys(void **state)
{
    static const char *const scopes[] = { "mail.read", "mail.write", NULL };
    postern_config *c = NULL;
    postern_error err = { 0 };
    const postern_section *s;

    (void)state;
    assert_int_equal(postern_config_new_token_check("http://127.0.0.1:8414", "urn:x", "keys.json",
                                                    scopes, &c, &err),
                     POSTERN_OK);
    s = postern_config_service_for(c, "token");
    assert_string_equal(postern_section_item(s, "required_scopes", 1), "mail.write");
    assert_string_equal(postern_section_item(s, "audience", 0), "urn:x");
    assert_string_equal(
        postern_section_text(postern_config_section_at(c, POSTERN_SECTION_ISSUER, 0), "jwks_file"),
        "keys.json");
    postern_config_free(c);
    c = NULL;
    assert_int_equal(postern_config_new_token_check("", "urn:x", "keys.json", NULL, &c, &err),
                     POSTERN_ERR_USAGE);
    assert_int_equal(
        postern_config_new_token_check("x", "urn:x urn:y", "keys.json", NULL, &c, &err),
        POSTERN_ERR_USAGE);
    assert_int_equal(postern_config_new_token_check("x", "y", "", NULL, &c, &err),
                     POSTERN_ERR_USAGE);
    assert_int_equal(postern_config_new_token_check("x", "y", NULL, NULL, &c, &err),
                     POSTERN_ERR_USAGE);
    assert_int_equal(postern_config_new_token_check(NULL, "y", "z", NULL, &c, &err),
                     POSTERN_ERR_USAGE);
    assert_int_equal(postern_config_new_token_check("x\n", "y", "z", NULL, &c, &err),
                     POSTERN_ERR_USAGE);
    assert_int_equal(postern_config_new_token_check("x", "\xc3\xa9", "z", NULL, &c, &err),
                     POSTERN_ERR_USAGE);
    assert_null(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_folder_without_files_is_all_defaults),
        TEST(every_file_becomes_a_section_with_its_origins),
        TEST(a_wrong_file_is_named_with_line_column_and_what_to_write),
        TEST(a_duplicate_key_is_refused),
        TEST(an_issuer_is_an_https_url_and_kept_byte_for_byte),
        TEST(loopback_http_is_for_those_who_ask_and_for_the_embedded_issuer),
        TEST(two_services_may_not_claim_the_same),
        TEST(a_service_needs_an_issuer_and_names_it_when_there_are_several),
        TEST(what_others_may_write_is_not_read),
        TEST(a_group_s_file_is_read_only_when_the_group_is_root_s),
        TEST(sizes_have_limits),
        TEST(a_folder_that_is_not_there_is_an_error),
        TEST(a_dump_is_a_configuration_that_dumps_the_same),
        TEST(a_service_with_a_policy_can_be_named_by_rules),
        TEST(each_relaxation_is_told_with_its_place),
        TEST(a_client_file_stands_for_itself),
        TEST(a_client_has_a_credential_unless_it_is_public),
        TEST(a_token_check_needs_no_file_but_the_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
