/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/hosts.c and its table.  With --print it writes the table out, for what is compared with it: lines "HOST<tab>FOLDER<tab>FILE", each followed by
 * its text with a tab before every line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "hosts.h"

static const struct host_words words = { "h.example.org", "imap", "https://sso.example.org", "a b" };

static const char *render(const char *text)
{
    static char room[HOST_TEXT_MAX];
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(sizeof room);

    host_render(text, &words, &out);
    assert_false(out.failed);
    assert_true(out.len < sizeof room);
    if (out.len != 0)
        memcpy(room, out.ptr, out.len);
    room[out.len] = '\0';
    return room;
}

static void every_host_has_lines_and_words_of_its_settings(void **state)
{
    (void)state;
    for (size_t i = 0; host_at(i) != NULL; i++) {
        const struct host *h = host_at(i);
        char user[HOST_USER_MAX];

        assert_true(h->name[0] == '\0' || host_is_service_name(h->name));
        assert_ptr_equal(host_find(h->name), h);
        assert_true(strcmp(h->require_tls, "yes") == 0 || strcmp(h->require_tls, "host") == 0);
        assert_non_null(host_lines_at(h, 0));
        assert_int_equal(host_user_at(h, 0, user), h->name[0] != '\0');
        assert_int_equal(h->kind == HOST_SASL, h->conf[0] != '\0');
    }
}

static void hosts_that_fold_case_take_one_case_alone(void **state)
{
    static const char *const folding[] = { "ldap", "imap", "pop", "sieve", "smtp", "saslauthd" };
    static const char *const others[] = { "svn",  "memcached", "libvirt", "postgresql",
                                          "sshd", "mariadb",   "" };

    (void)state;
    for (size_t i = 0; i < sizeof folding / sizeof *folding; i++)
        assert_string_equal(host_find(folding[i])->username_chars, "a-z0-9._@-");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_string_equal(host_find(others[i])->username_chars, "");
}

static void every_line_ends_and_leaves_no_word_unsaid(void **state)
{
    (void)state;
    for (size_t i = 0; host_at(i) != NULL; i++)
        for (size_t k = 0; host_lines_at(host_at(i), k) != NULL; k++) {
            const struct host_lines *l = host_lines_at(host_at(i), k);
            const char *text = render(l->text);

            if (l->file[0] != '$' || text[0] != '\0')
                assert_true(text[0] != '\0' && text[strlen(text) - 1] == '\n');
            assert_null(strstr(text, "HOST@"));
            assert_null(strstr(text, "SERVICE@"));
            assert_true(l->file[0] == '/' || l->file[0] == '$' || strchr(l->file, ' ') != NULL ||
                        strcmp(l->file, "note") == 0);
        }
}

static void a_name_without_a_row_is_a_sasl_host(void **state)
{
    static const char *const names[] = { "xmpp", "LDAP", "ldap2", "" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_string_equal(host_find(names[i])->name, "");
        assert_int_equal(host_find(names[i])->kind, HOST_SASL);
    }
    assert_string_equal(host_find("smtp")->require_tls, "host");
}

static void a_program_s_name_leads_to_its_row(void **state)
{
    static const struct {
        const char *word, *want; /* NULL: nobody knows */
    } cases[] = {
        { "slapd", "ldap" },           { "openldap", "ldap" },        { "cyrus-imap", "imap" },
        { "imapd", "imap" },           { "pop3", "pop" },             { "cyrus-sieve", "sieve" },
        { "timsieved", "sieve" },      { "postfix", "smtp" },         { "svnserve", "svn" },
        { "libvirtd", "libvirt" },     { "postgres", "postgresql" },  { "postgresql18", "postgresql" },
        { "ssh", "sshd" },             { "MariaDB", "mariadb" },      { "postfix-saslauthd", "saslauthd" },
        { "cyrus-imap-saslauthd", "saslauthd" },
        { "dovecot", NULL },           { "redis", NULL },             { "sl", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct host *h = host_guess(cases[i].word);

        if (cases[i].want == NULL)
            assert_null(h);
        else
            assert_string_equal(h == NULL ? cases[i].word : h->name, cases[i].want);
    }
}

static void what_asks_nobody_gets_a_door(void **state)
{
    (void)state;
    assert_string_equal(host_door_page("redis"), "postern-redis(7)");
    assert_string_equal(host_door_page("redis-door"), "postern-raw(7)");
    assert_string_equal(host_door_page("mcp"), "postern-mcp(7)");
    assert_null(host_door_page("memcached"));
    assert_null(host_door_page("re"));
    for (size_t i = 0; host_at(i) != NULL; i++)
        assert_null(host_door_page(host_at(i)->name));
}

static void words_are_put_in_and_other_ats_stay(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "https://@HOST@/@SERVICE@", "https://h.example.org/imap" },
        { "@ISSUER@ @SCOPE@", "https://sso.example.org a b" },
        { "'agent-7'@'%'", "'agent-7'@'%'" },
        { "ou=people,@SUFFIX@", "ou=people,dc=example,dc=org" },
        { "@NOTHING@", "@NOTHING@" },
        { "@HOST", "@HOST" },
        { "@@HOST@@", "@h.example.org@" },
        { "@", "@" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(render(cases[i].text), cases[i].want);
}

static void users_are_told_one_by_one(void **state)
{
    char user[HOST_USER_MAX];

    (void)state;
    assert_true(host_user_at(host_find("ldap"), 0, user));
    assert_string_equal(user, "openldap");
    assert_true(host_user_at(host_find("ldap"), 1, user));
    assert_string_equal(user, "ldap");
    assert_false(host_user_at(host_find("ldap"), 2, user));
    assert_false(host_user_at(host_find("nobody-knows"), 0, user));
}

static void names_of_services_are_names_of_files(void **state)
{
    static const char *const good[] = { "imap", "a", "my-host_2.example", "9p" };
    static const char *const bad[] = { "", ".", "..", "../x", "a/b", "-x", ".x", "a b", "a\n", "\xc3\xa9" };
    char longest[66];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(host_is_service_name(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(host_is_service_name(bad[i]));
    memset(longest, 'a', 65);
    longest[65] = '\0';
    assert_false(host_is_service_name(longest));
    longest[64] = '\0';
    assert_true(host_is_service_name(longest));
}

/* What init writes into the service's file. */
static void print_service(const struct host *h)
{
    char user[HOST_USER_MAX];

    if (!host_user_at(h, 0, user))
        return;
    printf("%s\t%s\t/etc/postern/services/%s.conf\n\thelper_peers: %s\n", h->name, h->folder, h->name,
           user);
    if (strcmp(h->require_tls, "host") == 0)
        puts("\trequire_tls: host");
    if (h->mech_list[0] != '\0')
        printf("\tmech_list: %s\n", h->mech_list);
    if (h->username_chars[0] != '\0')
        printf("\tusername_chars: %s\n", h->username_chars);
}

static int print_table(void)
{
    for (size_t i = 0; host_at(i) != NULL; i++) {
        print_service(host_at(i));
        for (size_t k = 0; host_lines_at(host_at(i), k) != NULL; k++) {
            const struct host_lines *l = host_lines_at(host_at(i), k);

            printf("%s\t%s\t%s\n", l->host, host_at(i)->folder, l->file);
            for (const char *at = l->text; *at != '\0';) {
                size_t len = strcspn(at, "\n");

                printf("\t%.*s\n", (int)len, at);
                at += len + (at[len] == '\n');
            }
        }
    }
    return fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_host_has_lines_and_words_of_its_settings),
        cmocka_unit_test(hosts_that_fold_case_take_one_case_alone),
        cmocka_unit_test(every_line_ends_and_leaves_no_word_unsaid),
        cmocka_unit_test(a_name_without_a_row_is_a_sasl_host),
        cmocka_unit_test(a_program_s_name_leads_to_its_row),
        cmocka_unit_test(what_asks_nobody_gets_a_door),
        cmocka_unit_test(words_are_put_in_and_other_ats_stay),
        cmocka_unit_test(users_are_told_one_by_one),
        cmocka_unit_test(names_of_services_are_names_of_files),
    };

    if (argc > 1 && strcmp(argv[1], "--print") == 0)
        return print_table();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
