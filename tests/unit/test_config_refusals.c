/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/oauth/config*.c: the complaints that test_config.c has no room for.  Words that no file may
 * hold, files that contradict each other, folders that hold too much, and dumps that nobody wrote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include <postern/config.h>

#include "../support/test_folder.h"
#include "../support/test_keys.h"
#include "base/keyfile.h"
#include "oauth/settings.h"
#include "oauth/username.h"

#define ISSUER  "issuer: https://sso.example.org\njwks_file: /k\n"
#define SERVICE "audience: https://mail.example.org/imap\nhelper_peers: cyrus\n"
#define SERVER  "issuer: http://127.0.0.1:8414\njwks_file: /k\n"
#define CLIENT  "issuer: https://sso.example.org\nclient_id: a\nclient_credential_file: s\n"
#define X64     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256    X64 X64 X64 X64
#define X_SHOWN                                                                                    \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..." /* cut by the quote */

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

static postern_err load(postern_error *err)
{
    postern_config *c = NULL;
    postern_err e = postern_config_load(folder.path, &c, err);

    postern_config_free(c);
    return e;
}

static void assert_loads(void)
{
    postern_error err = { 0 };

    if (load(&err) != POSTERN_OK)
        fail_msg("%s: %s", postern_err_reason(err.code), err.detail);
}

static void assert_complaint(postern_err want, postern_err got, const postern_error *err,
                             const char *detail)
{
    if (got != want || err->code != want || strcmp(err->detail, detail) != 0)
        fail_msg("wanted %s \"%s\", got %s \"%s\"", postern_err_reason(want), detail,
                 postern_err_reason(got), err->detail);
}

static void assert_load_fails(postern_err want, const char *detail)
{
    postern_error err = { 0 };
    postern_err e = load(&err);

    assert_complaint(want, e, &err, detail);
}

/* ---- words ---- */

/* One word in one file among good ones.  NULL: it may stand there. */
static const struct {
    const char *file, *text, *detail;
} words[] = {
    { "services/imap.conf", SERVICE "service_names: " X64 "\n",
      "services/imap.conf:3:16: service_names: \"" X64
      "\" is no service name: letters, digits, dots, underscores and hyphens" },
    { "services/imap.conf", SERVICE "handle_peers: cyrus:mail\n",
      "services/imap.conf:3:15: handle_peers: \"cyrus:mail\" is not USER, group:GROUP or a "
      "number" },
    { "services/imap.conf", SERVICE "handle_peers: group:mail:x\n",
      "services/imap.conf:3:15: handle_peers: \"group:mail:x\" is not USER, group:GROUP or a "
      "number" },
    { "services/imap.conf", SERVICE "handle_peers: group:mail 33\n", NULL },
    { "services/imap.conf", "helper_peers: cyrus\naudience: " X256 X64 X64 X64 "x\n",
      "services/imap.conf:2:11: audience: \"" X_SHOWN "\" is longer than 448 bytes" },
    { "services/imap.conf", "helper_peers: cyrus\naudience: " X256 X64 X64 X64 "\n", NULL },
    { "services/imap.conf", SERVICE "allowed_clients: agent-7 caf\xc3\xa9\n",
      "services/imap.conf:3:18: allowed_clients: \"caf\\xc3\\xa9\" holds a character that is not "
      "ASCII" },
    { "services/imap.conf", SERVICE "opaque_prefix: abc\n",
      "services/imap.conf:3:16: opaque_prefix: \"abc\" is shorter than 4 characters: a password "
      "could begin like that" },
    { "services/imap.conf", SERVICE "opaque_prefix: pst_x\n",
      "services/imap.conf:3:16: opaque_prefix: \"pst_x\" begins like a token handle (postern "
      "handle)" },
    { "services/imap.conf", SERVICE "opaque_prefix: " X64 "\n",
      "services/imap.conf:3:16: opaque_prefix: \"" X64
      "\" is longer than 63 characters: how a token begins, not a token" },
    { "services/imap.conf", SERVICE "opaque_prefix: opq 8\n",
      "services/imap.conf:3:16: opaque_prefix: \"opq 8\" holds what no opaque token begins with: a "
      "blank, a dot or what is not ASCII" },
    { "services/imap.conf", SERVICE "opaque_prefix: opq.8\n",
      "services/imap.conf:3:16: opaque_prefix: \"opq.8\" holds what no opaque token begins with: a "
      "blank, a dot or what is not ASCII" },
    { "services/imap.conf", SERVICE "opaque_prefix: opq\xc3\xa9\n",
      "services/imap.conf:3:16: opaque_prefix: \"opq\\xc3\\xa9\" holds what no opaque token begins "
      "with: a "
      "blank, a dot or what is not ASCII" },
    { "services/imap.conf", SERVICE "opaque_prefix: opq_\n", NULL },
    { "services/imap.conf", SERVICE "username_map_file: -\n",
      "services/imap.conf:3:20: username_map_file: \"-\" is no file" },
    { "issuers/sso.conf", ISSUER "agent_claim: " X256 "x\n",
      "issuers/sso.conf:3:14: agent_claim: \"" X_SHOWN "\" is no claim name" },
    { "issuers/sso.conf", ISSUER "agent_claim: " X256 "\n", NULL },
    { "issuers/sso.conf", ISSUER "purpose_claim: why so\n",
      "issuers/sso.conf:3:16: purpose_claim: \"why so\" is no claim name" },
    { "issuers/sso.conf", ISSUER "scope_claim: .scope\n",
      "issuers/sso.conf:3:14: scope_claim: \".scope\" has an empty part: a path is NAME.NAME" },
    { "issuers/sso.conf", ISSUER "scope_claim: scope.\n",
      "issuers/sso.conf:3:14: scope_claim: \"scope.\" has an empty part: a path is NAME.NAME" },
    { "issuers/sso.conf", ISSUER "scope_claim: realm..scope\n",
      "issuers/sso.conf:3:14: scope_claim: \"realm..scope\" has an empty part: a path is "
      "NAME.NAME" },
    { "postern.conf", "status_listen: here\n",
      "postern.conf:1:16: status_listen: \"here\" is not ADDRESS:PORT with a port from 1 to "
      "65535" },
    { "postern.conf", "status_listen: localhost:9\n",
      "postern.conf:1:16: status_listen: \"localhost:9\" is no literal address, such as "
      "192.0.2.1:6380 or [::]:6380" },
    { "postern.conf", "status_listen: 127.0.0.1:9\n", NULL },
    { "postern.conf", "saslauthd_socket: mux\n",
      "postern.conf:1:19: saslauthd_socket: \"mux\" is not an absolute path" },
    { "issuer.conf", SERVER "key_rotation: 59m\n",
      "issuer.conf:3:15: key_rotation: is less than 1h and not 0s" },
    { "issuer.conf", SERVER "key_rotation: 1h\n", NULL },
    { "issuer.conf", SERVER "key_rotation: 0s\n", NULL },
    { "issuer.conf", SERVER "registration: open\n",
      "issuer.conf:3:15: registration: needs registration_resources: what may strangers ask "
      "tokens for?" },
    { "issuer.conf", SERVER "registration: open\nregistration_resources: https://m.example\n",
      NULL },
    { "postern.conf", "services: mail\n",
      "postern.conf:1:11: services: means nothing without saslauthd_socket" },
    { "postern.conf", "saslauthd_socket: /run/mux\n",
      "postern.conf:1:19: saslauthd_socket: needs services: which service files it serves" },
    { "postern.conf", "saslauthd_socket: /run/mux\nservices: mail imap\n",
      "postern.conf:2:11: services: there is no services/imap.conf" },
    { "postern.conf", "saslauthd_socket: /run/mux\nservices: mail\n", NULL },
};

static void a_word_that_means_nothing_is_told_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        test_folder_put(&folder, "issuers/sso.conf", ISSUER);
        test_folder_put(&folder, "services/mail.conf",
                        "audience: https://mail.example.org/x\nhelper_peers: cyrus\n");
        test_folder_put(&folder, words[i].file, words[i].text);
        if (words[i].detail != NULL)
            assert_load_fails(POSTERN_ERR_CONFIG_VALUE, words[i].detail);
        else
            assert_loads();
        test_folder_drop(&folder, words[i].file);
    }
}

/* ---- issuers that are asked ---- */

static void an_issuer_is_asked_as_a_client_of_its_own_that_proves_itself(void **state)
{
    (void)state;
    test_folder_put(&folder, "issuers/sso.conf", ISSUER "introspection: always\n");
    assert_load_fails(POSTERN_ERR_CONFIG_VALUE,
                      "issuers/sso.conf:3:16: introspection: needs client: "
                      "as whom is the issuer asked?");
    test_folder_put(&folder, "issuers/sso.conf", ISSUER "client: d\n");
    assert_load_fails(
        POSTERN_ERR_CONFIG_VALUE,
        "issuers/sso.conf:3:9: client: means nothing without introspection: set it, or "
        "remove this line");
    test_folder_put(&folder, "issuers/sso.conf", ISSUER "introspection: always\nclient: d\n");
    assert_load_fails(POSTERN_ERR_CONFIG_FILE, "clients/d.conf: No such file or directory");
    test_folder_put(&folder, "clients/d.conf", CLIENT);
    assert_loads();
    test_folder_put(&folder, "clients/d.conf",
                    "issuer: https://other.example.org\nclient_id: a\nclient_credential_file: s\n");
    assert_load_fails(POSTERN_ERR_CONFIG_CONFLICT,
                      "issuers/sso.conf:4: client: clients/d.conf:1 is of another issuer: name a "
                      "client of this one");
    test_folder_put(&folder, "clients/d.conf",
                    "issuer: https://sso.example.org\nclient_id: a\nclient_auth: none\n");
    assert_load_fails(
        POSTERN_ERR_CONFIG_CONFLICT,
        "issuers/sso.conf:4: client: clients/d.conf:3 proves nothing, and such a client "
        "is told nothing (RFC 7662 section 2.1): give it a client_credential_file");
}

/* Two files that name one client read it once. */
static void one_client_may_be_named_by_two_files(void **state)
{
    postern_config *c = NULL;

    (void)state;
    test_folder_put(&folder, "clients/d.conf", CLIENT);
    test_folder_put(&folder, "issuers/sso.conf", ISSUER "introspection: always\nclient: d\n");
    test_folder_put(&folder, "doors/a.conf",
                    "audience: a\nprotocol: raw\npolicy: p\nlisten: 127.0.0.1:1\nclient: d\n"
                    "backend: 127.0.0.1:3\nbackend_tls: verify-full\nbackend_auth: exchange\n"
                    "backend_resource: https://b.example\n");
    assert_int_equal(postern_config_load(folder.path, &c, NULL), POSTERN_OK);
    assert_non_null(postern_config_section_at(c, POSTERN_SECTION_CLIENT, 0));
    assert_null(postern_config_section_at(c, POSTERN_SECTION_CLIENT, 1));
    postern_config_free(c);
}

/* An opaque token does not say whose it is. */
static void a_service_has_one_reader_of_opaque_tokens(void **state)
{
    static const struct {
        const char *a, *b;
        bool is_fine;
    } cases[] = {
        { "opaque", "no", true },
        { "always", "always", true },
        { "opaque", "opaque", false },
        { "always", "opaque", false },
    };

    (void)state;
    test_folder_put(&folder, "clients/a.conf",
                    "issuer: https://a.example\nclient_id: d\nclient_credential_file: s\n");
    test_folder_put(&folder, "clients/b.conf",
                    "issuer: https://b.example\nclient_id: d\nclient_credential_file: s\n");
    test_folder_put(&folder, "services/imap.conf", SERVICE "issuers: a b\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *a = test_printf("issuer: https://a.example\njwks_file: /k\nusername_claim: a-${sub}\n"
                              "introspection: %s\nclient: a\n",
                              cases[i].a);
        char *b = test_printf("issuer: https://b.example\njwks_file: /k\nusername_claim: b-${sub}\n"
                              "introspection: %s\n%s",
                              cases[i].b, strcmp(cases[i].b, "no") == 0 ? "" : "client: b\n");

        test_folder_put(&folder, "issuers/a.conf", a);
        test_folder_put(&folder, "issuers/b.conf", b);
        if (cases[i].is_fine)
            assert_loads();
        else
            assert_load_fails(
                POSTERN_ERR_CONFIG_VALUE,
                "services/imap.conf:3:10: issuers: of those that have introspection one "
                "is asked about opaque tokens, and an opaque token does not say whose "
                "it is; write introspection: always for all of them, or one service "
                "file for each");
        free(a), free(b);
    }
}

/* ---- folders and paths ---- */

static void a_folder_of_more_than_1024_files_is_a_mistake(void **state)
{
    char name[64];

    (void)state;
    for (int i = 0; i <= POSTERN_CONFIG_FILES_MAX; i++) {
        (void)snprintf(name, sizeof name, "services/s%04d.conf", i);
        test_folder_put(&folder, name, "");
    }
    assert_load_fails(POSTERN_ERR_CONFIG_FILE, "services holds more than 1024 files");
    test_folder_drop(&folder, name); /* 1024 are read, and the first one is judged */
    assert_load_fails(POSTERN_ERR_CONFIG_MISSING,
                      "services/s0000.conf: required setting \"audience\" is missing: what a token "
                      "must be meant for; one of these must stand in its aud");
}

static void a_client_file_is_found_from_where_one_stands_or_not_at_all(void **state)
{
    char before[PATH_MAX], *long_path = malloc(PATH_MAX + 2);
    postern_config *c = NULL;
    postern_error err = { 0 };

    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    test_folder_put(&folder, "client.conf", CLIENT);
    assert_int_equal(chdir(folder.path), 0);
    assert_int_equal(postern_config_load_client("client.conf", &c, &err), POSTERN_OK);
    assert_int_equal(chdir(before), 0);
    assert_string_equal(
        postern_section_text(postern_config_section(c, POSTERN_SECTION_CLIENT, NULL),
                             "client_credential_file"),
        test_folder_at(&folder, "s"));
    postern_config_free(POSTERN_STEAL(c));
    memset(long_path, '/', PATH_MAX);
    long_path[PATH_MAX] = '\0';
    assert_complaint(POSTERN_ERR_CONFIG_FILE, postern_config_load_client(long_path, &c, &err), &err,
                     "the path of a client file is too long");
    assert_null(c);
    free(long_path);
}

static void a_policy_is_a_file_of_its_folder_alone(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(1000);
    char *long_name = malloc(PATH_MAX + 1);
    postern_config *c = NULL, *without_files = NULL;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_config_load(folder.path, &c, &err), POSTERN_OK);
    assert_complaint(POSTERN_ERR_CONFIG_FILE, postern_config_read_policy(c, "p", &text, &err), &err,
                     "policies/p.rules: No such file or directory");
    test_folder_put(&folder, "policies/p.rules", "deny\n");
    test_folder_put(&folder, "secret.rules", "allow\n");
    assert_int_equal(postern_config_read_policy(c, "p", &text, &err), POSTERN_OK);
    assert_string_equal(postern_buf_cstr(&text), "deny\n");
    postern_buf_reset(&text);
    assert_complaint(POSTERN_ERR_USAGE, postern_config_read_policy(c, "../secret", &text, &err),
                     &err, "a policy is a name in a configuration folder");
    test_folder_mode(&folder, "policies", 0777);
    assert_complaint(POSTERN_ERR_CONFIG_FILE, postern_config_read_policy(c, "p", &text, &err), &err,
                     "policies can be written by everybody (mode 0777): chmod o-w");
    test_folder_mode(&folder, "policies", 0755);
    memset(long_name, 'x', PATH_MAX);
    long_name[PATH_MAX] = '\0';
    assert_int_equal(postern_config_read_policy(c, long_name, &text, &err), POSTERN_ERR_NOMEM);
    /* shown as policies/NAME.rules it fits, behind the folder it does not */
    long_name[PATH_MAX - sizeof "policies/.rules"] = '\0';
    assert_int_equal(postern_config_read_policy(c, long_name, &text, &err), POSTERN_ERR_NOMEM);
    assert_int_equal(text.len, 0);
    assert_int_equal(
        postern_config_new_token_check("https://h", "a", "/k", NULL, &without_files, &err),
        POSTERN_OK);
    assert_complaint(POSTERN_ERR_USAGE, postern_config_read_policy(without_files, "p", &text, &err),
                     &err, "a policy is a name in a configuration folder");
    postern_config_free(without_files);
    postern_config_free(c);
    free(long_name);
}

/* ---- maps ---- */

static void the_folder_of_a_map_is_looked_at_too(void **state)
{
    char *text = test_printf(SERVICE "username_map_file: %s\n", test_folder_at(&folder, "m/map"));
    char *want =
        test_printf("%s can be written by everybody (mode 0777): chmod o-w", test_folder_at(&folder, "m"));

    (void)state;
    test_folder_put(&folder, "issuers/sso.conf", ISSUER);
    test_folder_put(&folder, "services/imap.conf", text);
    test_folder_put(&folder, "m/map", "alice alice\n");
    assert_loads();
    test_folder_mode(&folder, "m", 0777);
    assert_load_fails(POSTERN_ERR_CONFIG_FILE, want);
    test_folder_mode(&folder, "m", 0755);
    test_folder_put(&folder, "services/imap.conf",
                    SERVICE "username_map_file: /no-such-map-in-the-root\n");
    assert_load_fails(POSTERN_ERR_CONFIG_FILE,
                      "/no-such-map-in-the-root: No such file or directory");
    free(text), free(want);
}

/* ---- dumps ---- */

static char *make_dump(void)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1 << 20);
    postern_config *c = NULL;
    postern_error err = { 0 };
    char *text = test_printf(SERVICE "username_map_file: %s\nopaque_prefix: opq_8\n",
                             test_folder_at(&folder, "map"));

    test_folder_put(&folder, "issuers/sso.conf", ISSUER "introspection: always\nclient: d\n");
    test_folder_put(&folder, "clients/d.conf", CLIENT);
    test_folder_put(&folder, "services/imap.conf", text);
    test_folder_put(&folder, "map", "alice alice\n");
    free(text);
    if (postern_config_load(folder.path, &c, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    postern_config_dump(c, &out);
    postern_config_free(c);
    return test_printf("%s", postern_buf_cstr(&out));
}

static void assert_dump_fails(postern_bytes text, postern_err want, const char *detail)
{
    postern_config *c = NULL;
    postern_error err = { 0 };
    postern_err e = postern_config_load_dump(text, &c, &err);

    postern_config_free(c);
    assert_complaint(want, e, &err, detail);
}

/* The dump without `what` and all up to the first `end` behind it, that one left in. */
static char *cut(const char *dump, const char *what, const char *end)
{
    const char *begin = strstr(dump, what), *behind;

    assert_non_null(begin);
    behind = end[0] == '\0' ? begin + strlen(begin) : strstr(begin + 1, end);
    assert_non_null(behind);
    return test_printf("%.*s%s", (int)(begin - dump), dump, behind);
}

static char *replace(const char *dump, const char *what, const char *with)
{
    const char *begin = strstr(dump, what);

    assert_non_null(begin);
    return test_printf("%.*s%s%s", (int)(begin - dump), dump, with, begin + strlen(what));
}

static void a_dump_lacks_nothing_that_it_names(void **state)
{
    char *dump = make_dump(), *without_client = cut(dump, "# == clients/d.conf ==", "# == /");
    char *map_section = test_printf("# == %s ==\n", test_folder_at(&folder, "map"));
    char *without_map = cut(dump, map_section, "");
    char *twice = test_printf("%s%s", dump, strstr(dump, map_section));
    char *late = test_printf("%s# == services/later.conf ==\n", dump);
    char *changed = replace(dump, "\"alice\" \"alice\"\n", "alice alice\n");
    postern_config *c = NULL;

    (void)state;
    assert_int_equal(postern_config_load_dump(postern_bytes_str(dump), &c, NULL), POSTERN_OK);
    postern_config_free(c);
    assert_dump_fails(postern_bytes_str(without_client), POSTERN_ERR_CONFIG_VALUE,
                      "issuers/sso.conf:4:1: client: there is no clients/d.conf");
    assert_dump_fails(postern_bytes_str(without_map), POSTERN_ERR_CONFIG_SYNTAX,
                      "dump without the map of services/imap.conf");
    assert_dump_fails(postern_bytes_str(twice), POSTERN_ERR_CONFIG_SYNTAX, "dump with a map twice");
    assert_dump_fails(postern_bytes_str(late), POSTERN_ERR_CONFIG_SYNTAX,
                      "dump with a section that no file has");
    assert_dump_fails(postern_bytes_str(changed), POSTERN_ERR_CONFIG_SYNTAX,
                      "dump with a map that is not as it is dumped");
    free(dump), free(without_client), free(map_section), free(without_map), free(twice), free(late);
    free(changed);
}

static void a_dump_holds_lines_as_they_are_dumped(void **state)
{
    static const struct {
        const char *what, *with, *detail;
    } cases[] = {
        { "audience: https", ": https",
          "dump of services/imap.conf: not a value under its origin" },
        { "audience: https", "audience: \thttps",
          "dump of services/imap.conf: not a value under its origin" },
        { "# services/imap.conf:1\naudience", "# provider audience\naudience",
          "dump of services/imap.conf: not a value under its origin" },
        { "# services/imap.conf:1\naudience", "# provider keycloak,services/imap.conf:1\naudience",
          "dump of services/imap.conf: not a value under its origin" },
        { "# == services/imap.conf ==",
          "# == " X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256
              X256 " ==",
          "dump of issuers/sso.conf: not a value under its origin" },
    };
    char *dump = make_dump();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *changed = replace(dump, cases[i].what, cases[i].with);

        assert_dump_fails(postern_bytes_str(changed), POSTERN_ERR_CONFIG_SYNTAX, cases[i].detail);
        free(changed);
    }
    free(dump);
}

/* ---- what is told of a configuration ---- */

static void tokens_without_a_type_are_a_relaxation_and_the_default_is_none(void **state)
{
    static const struct {
        const char *text;
        const char *told; /* "": nothing */
    } cases[] = {
        { "token_types: at+jwt\n", "" },
        { "token_types: at+jwt untyped\n",
          "issuers/sso.conf:3: token_types: at+jwt untyped: tokens without typ at+jwt are "
          "accepted, "
          "which does not tell an access token from other JWTs of this issuer\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
        POSTERN_AUTO(config) c = NULL;
        char *text = test_printf(ISSUER "%s", cases[i].text);

        test_folder_put(&folder, "issuers/sso.conf", text);
        free(text);
        assert_int_equal(postern_config_load(folder.path, &c, NULL), POSTERN_OK);
        postern_config_relaxations(c, &out);
        assert_string_equal(out.len == 0 ? "" : postern_buf_cstr(&out), cases[i].told);
    }
}

/* As long as the name that is missing, and another one. */
static void denying_somebody_else_instead_is_a_relaxation(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
    POSTERN_AUTO(config) c = NULL;

    (void)state;
    test_folder_put(&folder, "issuers/sso.conf", ISSUER);
    test_folder_put(&folder, "services/imap.conf", SERVICE "deny_users: toor cyrus postgres\n");
    assert_int_equal(postern_config_load(folder.path, &c, NULL), POSTERN_OK);
    postern_config_relaxations(c, &out);
    assert_string_equal(
        postern_buf_cstr(&out),
        "services/imap.conf:3: deny_users: toor cyrus postgres: tokens may log in as "
        "an account that is denied by default\n");
}

static sigjmp_buf stopped;

static void note_stop(int signal_number)
{
    (void)signal_number;
    siglongjmp(stopped, 1);
}

static bool stops(const postern_section *s, const char *key)
{
    struct sigaction catch = { .sa_handler = note_stop }, before;
    volatile bool has_stopped = true;

    assert_int_equal(sigaction(SIGABRT, &catch, &before), 0);
    if (sigsetjmp(stopped, 1) == 0)
        has_stopped = postern_section_text(s, key) == (const char *)s; /* never true */
    assert_int_equal(sigaction(SIGABRT, &before, NULL), 0);
    return has_stopped;
}

/* It could be answered as "unset" only, and a demand that nobody reads is no demand. */
static void asking_a_section_for_a_key_that_it_lacks_stops_the_program(void **state)
{
    POSTERN_AUTO(config) c = NULL;
    const postern_section *daemon;

    (void)state;
    assert_int_equal(postern_config_load(folder.path, &c, NULL), POSTERN_OK);
    daemon = postern_config_section(c, POSTERN_SECTION_DAEMON, NULL);
    assert_false(stops(daemon, "log"));
    assert_true(stops(daemon, "audience")); /* a service's */
    assert_true(stops(daemon, "colour"));   /* nobody's */
}

static void a_token_check_takes_words_of_448_bytes(void **state)
{
    static const char *const none[] = { NULL };
    postern_config *c = NULL;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_config_new_token_check(X256 X64 X64 X64, "a", "/k", none, &c, &err),
                     POSTERN_OK); /* no scopes in a list are none */
    assert_int_equal(postern_section_count(postern_config_section_at(c, POSTERN_SECTION_SERVICE, 0),
                                           "required_scopes"),
                     0);
    postern_config_free(POSTERN_STEAL(c));
    assert_complaint(
        POSTERN_ERR_USAGE,
        postern_config_new_token_check(X256 X64 X64 X64 "x", "a", "/k", none, &c, &err), &err,
        "issuer must have 1 to 448 bytes");
    assert_complaint(
        POSTERN_ERR_USAGE,
        postern_config_new_token_check("https://h", X256 X64 X64 X64 "x", "/k", none, &c, &err),
        &err, "audience must have 1 to 448 bytes");
    assert_null(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_word_that_means_nothing_is_told_with_its_reason),
        TEST(an_issuer_is_asked_as_a_client_of_its_own_that_proves_itself),
        TEST(one_client_may_be_named_by_two_files),
        TEST(a_service_has_one_reader_of_opaque_tokens),
        TEST(a_folder_of_more_than_1024_files_is_a_mistake),
        TEST(a_client_file_is_found_from_where_one_stands_or_not_at_all),
        TEST(a_policy_is_a_file_of_its_folder_alone),
        TEST(the_folder_of_a_map_is_looked_at_too),
        TEST(a_dump_lacks_nothing_that_it_names),
        TEST(a_dump_holds_lines_as_they_are_dumped),
        TEST(tokens_without_a_type_are_a_relaxation_and_the_default_is_none),
        TEST(denying_somebody_else_instead_is_a_relaxation),
        TEST(asking_a_section_for_a_key_that_it_lacks_stops_the_program),
        TEST(a_token_check_takes_words_of_448_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
