/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/peers.c: which users and groups may ask as which service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "peers.h"

static postern_config *config;
static struct peers *rules;

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
    char folder[] = "/tmp/postern-peers.XXXXXX", was[4096];
    postern_error err = { 0 };

    (void)state;
    assert_non_null(getcwd(was, sizeof was));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("issuers", 0755) + mkdir("services", 0755), 0);
    put("postern.conf", "log: stderr\n");
    put("issuers/test.conf", "issuer: https://as.example\njwks_file: /nonexistent/jwks.json\n");
    put("services/imap.conf", "audience: https://h/imap\nhelper_peers: 64711 daemon group:64720\n");
    put("services/ldap.conf", "audience: https://h/ldap\nhelper_peers: group:daemon\n");
    put("services/smtp.conf",
        "audience: https://h/smtp\nhelper_peers: no-such-user-here group:no-such-group-here\n");
    if (postern_config_load(folder, &config, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    assert_int_equal(peers_new(config, &rules, NULL), POSTERN_OK);
    (void)remove("services/imap.conf");
    (void)remove("services/ldap.conf");
    (void)remove("services/smtp.conf");
    (void)remove("services");
    (void)remove("issuers/test.conf");
    (void)remove("issuers");
    (void)remove("postern.conf");
    assert_int_equal(chdir(was), 0);
    (void)rmdir(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    peers_free(rules);
    postern_config_free(config);
    return 0;
}

static bool may(const char *service, uid_t uid, gid_t gid, gid_t supplementary)
{
    struct peer p = {
        .pid = 1, .uid = uid, .gid = gid, .groups = &supplementary, .group_count = 1
    };

    return peers_allow(rules, postern_config_service_for(config, service), &p);
}

static void a_user_may_ask_as_its_service_and_no_other(void **state)
{
    (void)state;
    assert_true(may("imap", 64711, 5, 6));
    assert_false(may("ldap", 64711, 5, 6));
    assert_false(may("imap", 64712, 5, 6));
    assert_true(may("imap", 1, 5, 6)); /* daemon, by name */
}

static void a_group_counts_as_primary_and_as_supplementary(void **state)
{
    (void)state;
    assert_true(may("imap", 64799, 64720, 6));
    assert_true(may("imap", 64799, 5, 64720));
    assert_false(may("imap", 64799, 5, 64721));
    assert_true(may("ldap", 64799, 5, 1)); /* group:daemon, by name */
    assert_false(may("ldap", 1, 5, 6));    /* the user of that name is not the group */
}

static void a_group_number_is_no_user_number(void **state)
{
    (void)state;
    assert_false(may("imap", 64720, 5, 6));
    assert_false(may("imap", 64799, 64711, 64711));
}

static void a_name_that_does_not_exist_admits_nobody(void **state)
{
    (void)state;
    assert_false(may("smtp", 64711, 5, 6));
    assert_false(may("smtp", (uid_t)-1, (gid_t)-1, (gid_t)-1));
}

static void root_may_always_ask(void **state)
{
    (void)state;
    assert_true(may("imap", 0, 0, 0));
    assert_true(may("smtp", 0, 0, 0));
    assert_false(may("smtp", 1000, 0, 0)); /* group root is not root */
}

static void the_kernel_says_who_is_at_the_other_end(void **state)
{
    int fds[2];
    struct peer p;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    assert_int_equal(peer_of_socket(fds[0], &p, NULL), POSTERN_OK);
    assert_int_equal(p.uid, geteuid());
    assert_int_equal(p.gid, getegid());
    assert_int_equal(p.pid, getpid());
    assert_int_equal(p.group_count, (size_t)getgroups(0, NULL));
    peer_free(&p);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(peer_of_socket(-1, &p, NULL), POSTERN_ERR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_may_ask_as_its_service_and_no_other),
        cmocka_unit_test(a_group_counts_as_primary_and_as_supplementary),
        cmocka_unit_test(a_group_number_is_no_user_number),
        cmocka_unit_test(a_name_that_does_not_exist_admits_nobody),
        cmocka_unit_test(root_may_always_ask),
        cmocka_unit_test(the_kernel_says_who_is_at_the_other_end),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
