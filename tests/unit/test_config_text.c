/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/config_text.c: a dump read back is the configuration that was dumped, and what was not
 * dumped so is not read at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/config.h>

#include "../support/alloc_fail.h"
#include "../support/test_folder.h"
#include "base/keyfile.h"

#define DUMP_MAX ((size_t)1 << 22)

static test_folder folder;
static postern_buf dump;

/* A file of each kind, with lists, paths, defaults and relaxations. */
static int make_dump(void **state)
{
    postern_config *c = NULL;
    postern_error err = { 0 };

    (void)state;
    test_folder_make(&folder);
    test_folder_put(&folder, "postern.conf", "# d\nlog: syslog\nhelper_socket: /a\n  /b\n");
    test_folder_put(&folder, "issuers/lab.conf",
                    "issuer: http://127.0.0.1:8414\nallow_loopback_http: yes\njwks_file: l.json\n");
    test_folder_put(&folder, "issuers/sso.conf",
                    "issuer: https://sso.example.org\njwks_file: /k\ntoken_types: JWT at+jwt\n");
    test_folder_put(&folder, "issuers/kc.conf",
                    "username_claim: sub\nissuer: https://kc.example.org\njwks_file: /k\n"
                    "provider: keycloak\n");
    test_folder_put(&folder, "services/imap.conf",
                    "audience: https://mail.example.org/imap\nissuers: sso\nhelper_peers: cyrus\n"
                    "require_tls: host\ndeny_users: root\n");
    test_folder_put(&folder, "services/ldap.conf", "audience: l\nissuers: lab\nhelper_peers: 0\n");
    test_folder_put(&folder, "doors/cache.conf",
                    "audience: c\nissuers: lab\nprotocol: raw\npolicy: cache\n\n"
                    "listen: 127.0.0.1:6380 unix:/run/c.sock\nbackend: r.example:6379\n"
                    "backend_tls: verify-ca\nbackend_tls_ca_file: ca.pem\n");
    test_folder_put(&folder, "doors/db.conf",
                    "audience: d\nissuers: sso\nprotocol: raw\npolicy: d\nlisten: [::1]:1\n"
                    "backend: unix:/run/pg\nusername_chars: a-z\t\n");
    test_folder_put(&folder, "issuer.conf", "issuer: http://127.0.0.1:8414\njwks_file: /k\n");
    if (postern_config_load(folder.path, &c, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    dump = POSTERN_BUF_INIT(DUMP_MAX);
    postern_config_dump(c, &dump);
    postern_config_free(c);
    return dump.failed ? -1 : 0;
}

static int drop_dump(void **state)
{
    (void)state;
    postern_buf_free(&dump);
    test_folder_remove(&folder);
    return 0;
}

static postern_config *load_dump(postern_bytes text)
{
    postern_config *c = NULL;
    postern_error err = { 0 };

    if (postern_config_load_dump(text, &c, &err) != POSTERN_OK)
        fail_msg("%s: %s", postern_err_reason(err.code), err.detail);
    return c;
}

static void assert_refused(const char *why, postern_bytes text)
{
    postern_config *c = NULL;
    postern_error err = { 0 };
    postern_err e = postern_config_load_dump(text, &c, &err);

    postern_config_free(c);
    if (e == POSTERN_OK)
        fail_msg("read: %s", why);
    if (postern_err_class(e) != POSTERN_CLASS_CONFIG || err.code != e || err.detail[0] == '\0')
        fail_msg("%s: %s \"%s\"", why, postern_err_reason(e), err.detail);
}

static void a_dump_read_back_dumps_the_same_bytes(void **state)
{
    postern_config *c = load_dump(postern_buf_bytes(&dump));
    POSTERN_AUTO_BUF again = POSTERN_BUF_INIT(DUMP_MAX);

    (void)state;
    postern_config_dump(c, &again);
    postern_config_free(c);
    assert_string_equal(postern_buf_cstr(&again), postern_buf_cstr(&dump));
}

static void what_a_file_says_and_what_is_default_stay_apart(void **state)
{
    postern_config *c = load_dump(postern_buf_bytes(&dump));
    const postern_section *s = postern_config_section(c, POSTERN_SECTION_DOOR, "cache");
    char path[100];

    (void)state;
    assert_string_equal(postern_section_name(s), "cache");
    assert_string_equal(postern_section_origin(s, "listen"), "doors/cache.conf:6");
    assert_string_equal(postern_section_item(s, "listen", 1), "unix:/run/c.sock");
    assert_true(postern_section_has(s, "listen"));
    assert_false(postern_section_has(s, "session_max"));
    assert_string_equal(postern_section_origin(s, "session_max"), "default");
    assert_int_equal(postern_section_number(s, "session_max"), 8 * 3600);
    assert_true(snprintf(path, sizeof path, "%s/ca.pem", folder.path) > 0);
    assert_string_equal(postern_section_text(s, "backend_tls_ca_file"), path);
    s = postern_config_section(c, POSTERN_SECTION_DAEMON, NULL);
    assert_string_equal(postern_section_item(s, "helper_socket", 1), "/b");
    assert_string_equal(postern_section_origin(s, "log"), "postern.conf:2");
    assert_false(postern_section_has(s, "drain_timeout"));
    s = postern_config_section(c, POSTERN_SECTION_SERVER, NULL);
    assert_string_equal(postern_section_item(s, "listen", 0), "127.0.0.1:8414");
    assert_false(postern_section_has(s, "listen"));
    assert_non_null(postern_config_service_for(c, "imap"));
    assert_null(postern_config_section_at(c, POSTERN_SECTION_SERVICE, 2));
    assert_null(postern_config_section_at(c, POSTERN_SECTION_ISSUER, 3));
    postern_config_free(c);
}

static void a_providers_values_say_where_they_come_from(void **state)
{
    postern_config *c = load_dump(postern_buf_bytes(&dump));
    const postern_section *s = postern_config_section(c, POSTERN_SECTION_ISSUER, "kc");

    (void)state;
    assert_string_equal(postern_section_text(s, "token_types"), "at+jwt JWT");
    assert_string_equal(postern_section_origin(s, "token_types"),
                        "provider keycloak, issuers/kc.conf:4");
    assert_string_equal(postern_section_origin(s, "username_claim"), "issuers/kc.conf:1");
    assert_string_equal(postern_section_text(s, "username_claim"), "sub");
    assert_string_equal(postern_section_origin(s, "clock_skew"), "default");
    assert_non_null(strstr(postern_buf_cstr(&dump), "# provider keycloak, issuers/kc.conf:4\n"
                                                    "agent_claim: act.sub azp\n"));
    postern_config_free(c);
}

static void relaxations_are_the_same(void **state)
{
    postern_config *files = NULL, *text = load_dump(postern_buf_bytes(&dump));
    POSTERN_AUTO_BUF a = POSTERN_BUF_INIT(DUMP_MAX), b = POSTERN_BUF_INIT(DUMP_MAX);
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_config_load(folder.path, &files, &err), POSTERN_OK);
    postern_config_relaxations(files, &a);
    postern_config_relaxations(text, &b);
    assert_string_equal(postern_buf_cstr(&a), postern_buf_cstr(&b));
    assert_non_null(strstr(postern_buf_cstr(&b), "doors/cache.conf:8: backend_tls: verify-ca: "));
    assert_non_null(strstr(postern_buf_cstr(&b), "issuers/lab.conf:2: allow_loopback_http: "));
    postern_config_free(files);
    postern_config_free(text);
}

/* The largest file that can be loaded, all of it: comments and defaults are longer in the dump. */
static void the_largest_file_comes_through(void **state)
{
    static const char head[] = "audience: l\nissuers: lab\nhelper_peers: 0\nrequired_scopes:";
    char *text = malloc(POSTERN_KEYFILE_MAX + 1);
    postern_config *c = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(DUMP_MAX), again = POSTERN_BUF_INIT(DUMP_MAX);

    (void)state;
    memset(text, 'x', POSTERN_KEYFILE_MAX);
    memcpy(text, head, sizeof head - 1);
    for (size_t i = 0; i < 1000; i++)
        text[sizeof head - 1 + 250 * i] = ' ';
    text[POSTERN_KEYFILE_MAX] = '\0';
    test_folder_put(&folder, "services/ldap.conf", text);
    free(text);
    assert_int_equal(postern_config_load(folder.path, &c, NULL), POSTERN_OK);
    postern_config_dump(c, &out);
    postern_config_free(c);
    c = load_dump(postern_buf_bytes(&out));
    postern_config_dump(c, &again);
    postern_config_free(c);
    assert_true(postern_bytes_equal(postern_buf_bytes(&out), postern_buf_bytes(&again)));
}

static void maps_travel_with_the_dump(void **state)
{
    static const struct { const char *from, *to; } faults[] = {
        { "# line 2\n", "" },
        { "\"al\" \"ali\"\n", "" },
        { "\"al\" \"ali\"", "al ali" },
        { "\"al\" \"ali\"", "\"al\"  \"ali\"" },
        { "\"al\" \"ali\"", "\"al\" \"all\" x" },
        { "/^(.*)-bot$", "/(.*)-bot$" },
        { "/roles.map ==", "/rules.map ==" },
        { "/roles.map ==", "/roles.map ==\n# == /another.map ==" },
    };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(DUMP_MAX), again = POSTERN_BUF_INIT(DUMP_MAX);
    postern_config *c = NULL;

    (void)state;
    test_folder_put(&folder, "maps/roles.map", "# c\n/^(.*)-bot$ \\1_bot\nal \"ali\" #x\n");
    test_folder_put(&folder, "services/pg.conf",
                    "audience: pg\nissuers: kc\nhelper_peers: 0\nusername_map_file: maps/roles.map\n");
    test_folder_put(&folder, "services/sql.conf",
                    "audience: sql\nissuers: kc\nhelper_peers: 0\nusername_map_file: maps/roles.map\n");
    assert_int_equal(postern_config_load(folder.path, &c, NULL), POSTERN_OK);
    postern_config_dump(c, &out);
    postern_config_free(c);
    c = load_dump(postern_buf_bytes(&out));
    postern_config_dump(c, &again);
    postern_config_free(c);
    assert_string_equal(postern_buf_cstr(&out), postern_buf_cstr(&again));
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *at = strstr(postern_buf_cstr(&out), faults[i].from);

        assert_non_null(at);
        postern_buf_reset(&again);
        postern_buf_add(&again, (postern_bytes){ out.ptr, (size_t)(at - (const char *)out.ptr) });
        postern_buf_add_str(&again, faults[i].to);
        postern_buf_add_str(&again, at + strlen(faults[i].from));
        assert_refused(faults[i].from, postern_buf_bytes(&again));
    }
}

static void a_map_is_a_trusted_file_that_is_there(void **state)
{
    postern_config *c = NULL;
    postern_error err = { 0 };

    (void)state;
    test_folder_put(&folder, "services/pg.conf",
                    "audience: pg\nissuers: kc\nhelper_peers: 0\nusername_map_file: maps/roles.map\n");
    assert_int_equal(postern_config_load(folder.path, &c, &err), POSTERN_ERR_CONFIG_FILE);
    test_folder_put(&folder, "maps/roles.map", "alice bob\n");
    test_folder_mode(&folder, "maps/roles.map", 0666);
    assert_int_equal(postern_config_load(folder.path, &c, &err), POSTERN_ERR_CONFIG_FILE);
    test_folder_mode(&folder, "maps/roles.map", 0600);
    test_folder_mode(&folder, "maps", 0777);
    assert_int_equal(postern_config_load(folder.path, &c, &err), POSTERN_ERR_CONFIG_FILE);
    test_folder_mode(&folder, "maps", 0755);
    assert_int_equal(postern_config_load(folder.path, &c, &err), POSTERN_OK);
    postern_config_free(c);
    c = NULL;
    test_folder_put(&folder, "maps/roles.map", "alice bob\nalice\n");
    assert_int_equal(postern_config_load(folder.path, &c, &err), POSTERN_ERR_CONFIG_SYNTAX);
    assert_non_null(strstr(err.detail, "/maps/roles.map:2:6: the local user is missing"));
    assert_null(c);
}

/* ---- what is no dump ---- */

/* Line `number` from 0 with its newline; empty behind the last. */
static postern_bytes get_line(size_t number)
{
    postern_reader r = { postern_buf_bytes(&dump) };
    postern_bytes line = POSTERN_BYTES_NONE;

    for (size_t i = 0; i <= number; i++)
        if (!postern_reader_take_until(&r, '\n', &line))
            return POSTERN_BYTES_NONE;
    return (postern_bytes){ line.ptr, line.len + 1 };
}

static size_t count_lines(void)
{
    size_t lines = 0;

    for (size_t i = 0; i < dump.len; i++)
        lines += dump.ptr[i] == '\n';
    return lines;
}

/* Everything but `left_out` bytes at `at`, with `more` there instead. */
static void put_changed(postern_buf *out, const uint8_t *at, size_t left_out, postern_bytes more)
{
    size_t before = (size_t)(at - dump.ptr);

    postern_buf_reset(out);
    postern_buf_add(out, (postern_bytes){ dump.ptr, before });
    postern_buf_add(out, more);
    postern_buf_add(out, (postern_bytes){ at + left_out, dump.len - before - left_out });
    assert_false(out->failed);
}

static void a_line_that_is_missing_is_missed(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(DUMP_MAX);
    size_t lines = count_lines();

    (void)state;
    assert_true(lines > 100);
    for (size_t i = 0; i < lines; i++) {
        postern_bytes line = get_line(i);

        put_changed(&text, line.ptr, line.len, POSTERN_BYTES_NONE);
        assert_refused("a line left out", postern_buf_bytes(&text));
    }
}

static void a_line_that_stands_twice_is_one_too_many(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(DUMP_MAX);

    (void)state;
    for (size_t i = 0; i < count_lines(); i++) {
        put_changed(&text, get_line(i).ptr, 0, get_line(i));
        assert_refused("a line twice", postern_buf_bytes(&text));
    }
}

/* With its neighbour, and with the one behind that: comments for comments, values for values.  Two
 * comments "# default" are the same. */
static void lines_that_changed_places_are_found(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(DUMP_MAX);
    POSTERN_AUTO_BUF swapped = POSTERN_BUF_INIT(DUMP_MAX);

    (void)state;
    for (size_t i = 0; i + 2 < count_lines(); i++)
        for (size_t distance = 1; distance <= 2; distance++) {
            postern_bytes a = get_line(i), b = get_line(i + 1), c = get_line(i + distance);

            if (postern_bytes_equal(a, c))
                continue;
            postern_buf_reset(&swapped);
            postern_buf_add(&swapped, c);
            if (distance == 2)
                postern_buf_add(&swapped, b);
            postern_buf_add(&swapped, a);
            put_changed(&text, a.ptr, swapped.len, postern_buf_bytes(&swapped));
            assert_false(postern_bytes_equal(postern_buf_bytes(&text), postern_buf_bytes(&dump)));
            if (a.ptr[0] == '#' && c.ptr[0] == '#' && distance == 2 && a.ptr[2] != '=' &&
                c.ptr[2] != '=' && memcmp(a.ptr, "# default", 9) != 0 &&
                memcmp(c.ptr, "# default", 9) != 0)
                continue; /* two numbers of lines: that dump could have been */
            assert_refused("lines swapped", postern_buf_bytes(&text));
        }
}

/* Cut behind a whole section it is the dump of fewer files; text cannot know that there were more.
 */
static void a_dump_that_was_cut_is_refused(void **state)
{
    size_t whole = 0;

    (void)state;
    for (size_t len = 0; len < dump.len; len++) {
        postern_config *c = NULL;
        postern_err e = postern_config_load_dump((postern_bytes){ dump.ptr, len }, &c, NULL);

        postern_config_free(c);
        if (e != POSTERN_OK)
            continue;
        whole++;
        assert_memory_equal(dump.ptr + len, "# == ", 5);
        assert_int_equal(dump.ptr[len - 1], '\n');
    }
    assert_int_equal(whole, 8); /* of nine files the first, the first two … */
}

static void a_byte_that_no_file_may_have_is_none_of_a_dump_s(void **state)
{
    static const char bytes[] = { '\0', '\r', '\x01', '\x7f', '\xff' };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(DUMP_MAX);

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        for (size_t at = 0; at < dump.len; at += 7) {
            put_changed(&text, dump.ptr + at, 0, (postern_bytes){ (const uint8_t *)&bytes[i], 1 });
            assert_refused("a byte", postern_buf_bytes(&text));
        }
}

static const struct {
    const char *why, *from, *to;
} changes[] = {
    { "a section twice", "# == issuer.conf ==\n", "# == doors/db.conf ==\n# == issuer.conf ==\n" },
    { "a folder up", "# == services/imap.conf ==", "# == services/../imap.conf ==" },
    { "a folder down", "# == services/imap.conf ==", "# == services/x/imap.conf ==" },
    { "another folder", "# == services/imap.conf ==", "# == service/imap.conf ==" },
    { "an absolute file", "# == services/imap.conf ==", "# == /services/imap.conf ==" },
    { "a dot before", "# == services/imap.conf ==", "# == ./services/imap.conf ==" },
    { "a hidden file", "# == services/imap.conf ==", "# == services/.imap.conf ==" },
    { "nothing but dots", "# == services/imap.conf ==", "# == services/...conf ==" },
    { "no name", "# == services/imap.conf ==", "# == services/.conf ==" },
    { "no suffix", "# == services/imap.conf ==", "# == services/imap ==" },
    { "a blank in a name", "# == services/imap.conf ==", "# == services/im ap.conf ==" },
    { "a client's file", "# == issuer.conf ==", "# == client.conf ==" },
    { "a clients' file", "# == issuer.conf ==", "# == clients/a.conf ==" },
    { "another kind", "# == issuer.conf ==", "# == postern.conf ==" },
    { "no file", "# == issuer.conf ==", "# == ==" },
    { "an empty file", "# == issuer.conf ==", "# ==  ==" },
    { "a section line with more", "# == issuer.conf ==\n", "# == issuer.conf == x\n" },
    { "services behind doors", "# == services/ldap.conf ==", "# == doors/zoo.conf ==" },
    { "out of order", "# == services/imap.conf ==", "# == services/zoo.conf ==" },
    { "an origin in another file", "# doors/cache.conf:6\n", "# doors/db.conf:6\n" },
    { "an origin without number", "# doors/cache.conf:6\n", "# doors/cache.conf:\n" },
    { "line 0", "# doors/cache.conf:6\n", "# doors/cache.conf:0\n" },
    { "a number with a zero", "# doors/cache.conf:6\n", "# doors/cache.conf:06\n" },
    { "a number below zero", "# doors/cache.conf:6\n", "# doors/cache.conf:-6\n" },
    { "a number with a sign", "# doors/cache.conf:6\n", "# doors/cache.conf:+6\n" },
    { "a number too long", "# doors/cache.conf:6\n", "# doors/cache.conf:4294967302\n" },
    { "a number and more", "# doors/cache.conf:6\n", "# doors/cache.conf:6:1\n" },
    { "no default", "# doors/cache.conf:6\n", "# default\n" },
    { "a default that is none", "session_max: 8h\n", "session_max: 7d\n" },
    { "a default said otherwise", "session_max: 8h\n", "session_max: 480m\n" },
    { "an unknown key", "session_max: 8h\n", "session_min: 8h\n" },
    { "a service's key", "session_max: 8h\n", "require_tls: no\n" },
    { "an upper-case key", "session_max: 8h\n", "Session_max: 8h\n" },
    { "no blank", "policy: cache\n", "policy:cache\n" },
    { "two blanks", "policy: cache\n", "policy:  cache\n" },
    { "a tab", "policy: cache\n", "policy:\tcache\n" },
    { "a blank behind", "policy: cache\n", "policy: cache \n" },
    { "no value", "policy: cache\n", "policy: \n" },
    { "a continuation", "policy: cache\n", "policy: cache\n more\n" },
    { "an empty line", "policy: cache\n", "policy: cache\n\n" },
    { "a remark", "policy: cache\n", "policy: cache\n# remark\n" },
    { "a value that no file may say", "policy: cache\n", "policy: ../cache\n" },
    { "a relative path", "jwks_file: /k\n", "jwks_file: k\n" },
    { "a path up", "jwks_file: /k\n", "jwks_file: ../k\n" },
    { "an issuer that is not there", "issuers: lab\n", "issuers: lob\n" },
    { "another's audience", "audience: d\n", "audience: c\n" },
    { "a stranger's door", "listen: [::1]:1\n", "listen: [::]:1\n" },
    { "another's address", "listen: [::1]:1\n", "listen: 127.0.0.1:6380\n" },
};

static void what_no_loaded_configuration_dumps_is_refused(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(DUMP_MAX);

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *at = strstr(postern_buf_cstr(&dump), changes[i].from);

        if (at == NULL)
            fail_msg("%s: not in the dump", changes[i].why);
        put_changed(&text, (const uint8_t *)at, strlen(changes[i].from),
                    postern_bytes_str(changes[i].to));
        assert_refused(changes[i].why, postern_buf_bytes(&text));
    }
    assert_refused("nothing", POSTERN_BYTES_NONE);
    assert_refused("an empty line", POSTERN_BYTES_LIT("\n"));
    assert_refused("a section alone", POSTERN_BYTES_LIT("# == postern.conf ==\n"));
    assert_refused("a section without line end", POSTERN_BYTES_LIT("# == postern.conf =="));
    assert_refused("a name with NUL", POSTERN_BYTES_LIT("# == postern.conf\0 ==\n"));
    assert_refused("an issuer alone", POSTERN_BYTES_LIT("# == issuer.conf ==\n"
                                                        "# issuer.conf:1\nissuer: https://a\n"));
}

static void names_and_keys_are_as_short_as_in_files(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(DUMP_MAX);
    char *name = malloc(301);

    (void)state;
    memset(name, 'a', 300);
    name[300] = '\0';
    postern_buf_addf(&text, "# == services/%s.conf ==\n", name);
    assert_refused("a long name", postern_buf_bytes(&text));
    postern_buf_reset(&text);
    postern_buf_addf(&text, "# == postern.conf ==\n# postern.conf:1\n%s: x\n", name);
    assert_refused("a long key", postern_buf_bytes(&text));
    name[64] = '\0';
    postern_buf_reset(&text);
    postern_buf_addf(&text, "# == services/%s.conf ==\n", name);
    assert_refused("a name of 64 bytes", postern_buf_bytes(&text));
    free(name);
}

static postern_err load_once(void *arg, postern_error *err)
{
    postern_config *c = NULL;
    postern_err e = postern_config_load_dump(*(const postern_bytes *)arg, &c, err);

    postern_config_free(c);
    return e;
}

static void reading_a_dump_survives_every_failing_allocation(void **state)
{
    postern_bytes text = postern_buf_bytes(&dump);

    (void)state;
    assert_true(alloc_fail_sweep(load_once, &text, POSTERN_OK) > 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dump, drop_dump)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dump_read_back_dumps_the_same_bytes),
        TEST(what_a_file_says_and_what_is_default_stay_apart),
        TEST(a_providers_values_say_where_they_come_from),
        TEST(maps_travel_with_the_dump),
        TEST(a_map_is_a_trusted_file_that_is_there),
        TEST(relaxations_are_the_same),
        TEST(the_largest_file_comes_through),
        TEST(a_line_that_is_missing_is_missed),
        TEST(a_line_that_stands_twice_is_one_too_many),
        TEST(lines_that_changed_places_are_found),
        TEST(a_dump_that_was_cut_is_refused),
        TEST(a_byte_that_no_file_may_have_is_none_of_a_dump_s),
        TEST(what_no_loaded_configuration_dumps_is_refused),
        TEST(names_and_keys_are_as_short_as_in_files),
        TEST(reading_a_dump_survives_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
