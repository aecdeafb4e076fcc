/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/folder.c: which folders posternd puts sockets and key sets into. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "folder.h"

static char base[64];
static char path[256];

static int make_base(void **state)
{
    (void)state;
    umask(022);
    strncpy(base, "/tmp/postern-folder.XXXXXX", sizeof base - 1); /* /tmp is root's and sticky everywhere */
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int remove_base(void **state)
{
    static const char *const inside[] = { "/file", "/link", "/a/b/c", "/a/b", "/a", "/open/x", "/open", "" };

    (void)state;
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        snprintf(path, sizeof path, "%s%s", base, inside[i]);
        (void)remove(path);
    }
    return 0;
}

static const char *below(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

static mode_t mode_of(const char *name)
{
    struct stat st;

    assert_int_equal(stat(below(name), &st), 0);
    return st.st_mode & 07777;
}

static postern_err open_and_close(const char *where, folder_trust trust, mode_t mode, postern_error *err)
{
    int fd = -1;
    postern_err e = folder_open(where, trust, mode, &fd, err);

    if (e == POSTERN_OK)
        close(fd);
    else
        assert_int_equal(fd, -1);
    return e;
}

static void missing_folders_are_made(void **state)
{
    (void)state;
    assert_int_equal(open_and_close(below("a/b/c"), FOLDER_TRUST_CHAIN, 0700, NULL), POSTERN_OK);
    assert_int_equal(mode_of("a"), 0755);
    assert_int_equal(mode_of("a/b"), 0755);
    assert_int_equal(mode_of("a/b/c"), 0700);
    assert_int_equal(open_and_close(below("a//b/./c/"), FOLDER_TRUST_CHAIN, 0700, NULL), POSTERN_OK);
}

static void a_folder_that_others_can_write_is_refused(void **state)
{
    static const mode_t bad[] = { 0777, 0775, 0757, 01777 };
    postern_error err;

    (void)state;
    assert_int_equal(mkdir(below("open"), 0755), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(chmod(below("open"), bad[i]), 0);
        assert_int_equal(open_and_close(below("open"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
        assert_non_null(strstr(err.detail, "chmod go-w"));
        assert_int_equal(open_and_close(below("open"), FOLDER_TRUST_SELF, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    }
}

static void a_parent_that_others_can_write_counts_only_for_the_chain(void **state)
{
    postern_error err;

    (void)state;
    assert_int_equal(mkdir(below("open"), 0755), 0);
    assert_int_equal(mkdir(below("open/x"), 0755), 0);
    assert_int_equal(chmod(below("open"), 0775), 0);
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_SELF, 0755, &err), POSTERN_OK);
    assert_int_equal(rmdir(below("open/x")), 0);
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(access(below("open/x"), F_OK), -1); /* nothing was made in it */
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_SELF, 0755, &err), POSTERN_OK);
}

static void a_folder_of_another_user_is_refused(void **state)
{
    postern_error err;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(below("open"), 0755), 0);
    assert_int_equal(chown(below("open"), 64801, 64801), 0);
    assert_int_equal(open_and_close(below("open"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "64801"));
}

static void links_are_followed_and_their_target_is_judged(void **state)
{
    postern_error err;

    (void)state;
    assert_int_equal(mkdir(below("open"), 0755), 0);
    assert_int_equal(symlink("open", below("link")), 0);
    assert_int_equal(open_and_close(below("link"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_OK);
    assert_int_equal(chmod(below("open"), 0777), 0);
    assert_int_equal(open_and_close(below("link"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
}

/* Whoever may change the link on the way decides in whose folder the socket is made, and may change his mind
 * after it was judged. */
static void a_link_in_a_folder_that_others_write_is_not_followed(void **state)
{
    postern_error err;

    (void)state;
    assert_int_equal(mkdir(below("a"), 0755), 0);
    assert_int_equal(mkdir(below("open"), 0755), 0);
    assert_int_equal(symlink("../a", below("open/x")), 0);
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_OK);
    assert_int_equal(chmod(below("open"), 0777), 0);
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "/open can be written by others: chmod go-w"));
    assert_int_equal(open_and_close(below("open/x/b"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(access(below("a/b"), F_OK), -1); /* nothing was made behind it */
    assert_int_equal(open_and_close(below("open/../a"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_SELF, 0755, &err), POSTERN_OK);
}

static void a_link_of_another_user_in_a_sticky_folder_is_not_followed(void **state)
{
    postern_error err;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(below("a"), 0755), 0);
    assert_int_equal(mkdir(below("open"), 0755), 0);
    assert_int_equal(chmod(below("open"), 01777), 0);
    assert_int_equal(symlink("../a", below("open/x")), 0);
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_OK);
    assert_int_equal(lchown(below("open/x"), 64801, 64801), 0);
    assert_int_equal(open_and_close(below("open/x"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "/open/x belongs to uid 64801"));
    assert_int_equal(open_and_close(below("open/x/b"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(access(below("a/b"), F_OK), -1);
}

static void links_that_lead_round_end(void **state)
{
    postern_error err;

    (void)state;
    assert_int_equal(symlink("link", below("link")), 0);
    assert_int_equal(open_and_close(below("link"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(open_and_close(below("link"), FOLDER_TRUST_SELF, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(open_and_close(below("link/x"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(unlink(below("link")), 0);
    assert_int_equal(symlink("/", below("link")), 0); /* a whole way anew */
    snprintf(path, sizeof path, "%s/link%s/a", base, base);
    assert_int_equal(open_and_close(path, FOLDER_TRUST_CHAIN, 0700, &err), POSTERN_OK);
    assert_int_equal(mode_of("a"), 0700);
}

static void what_is_no_folder_is_refused(void **state)
{
    static char long_path[5000];
    postern_error err;
    const char *name;
    int fd;

    (void)state;
    fd = open(below("file"), O_CREAT | O_WRONLY, 0644);
    assert_true(fd >= 0);
    close(fd);
    memset(long_path, 'a', sizeof long_path - 1);
    long_path[0] = '/';
    assert_int_equal(open_and_close(below("file"), FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(open_and_close("relative", FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(open_and_close("", FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(open_and_close(long_path, FOLDER_TRUST_CHAIN, 0755, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(folder_open_parent("name", FOLDER_TRUST_CHAIN, 0755, &fd, &name, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(folder_open_parent("/a/", FOLDER_TRUST_CHAIN, 0755, &fd, &name, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(folder_open_parent("", FOLDER_TRUST_CHAIN, 0755, &fd, &name, &err), POSTERN_ERR_CONFIG_FILE);
}

static void the_folder_of_a_file_is_opened(void **state)
{
    const char *name;
    int fd;

    (void)state;
    assert_int_equal(folder_open_parent(below("a/jwks.json"), FOLDER_TRUST_CHAIN, 0755, &fd, &name, NULL), POSTERN_OK);
    assert_string_equal(name, "jwks.json");
    assert_int_equal(faccessat(fd, ".", F_OK, 0), 0);
    close(fd);
    assert_int_equal(folder_open_parent("/x", FOLDER_TRUST_CHAIN, 0755, &fd, &name, NULL), POSTERN_OK);
    assert_string_equal(name, "x");
    close(fd);
}

#define WITH_BASE(f) cmocka_unit_test_setup_teardown(f, make_base, remove_base)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BASE(missing_folders_are_made),
        WITH_BASE(a_folder_that_others_can_write_is_refused),
        WITH_BASE(a_parent_that_others_can_write_counts_only_for_the_chain),
        WITH_BASE(a_folder_of_another_user_is_refused),
        WITH_BASE(links_are_followed_and_their_target_is_judged),
        WITH_BASE(a_link_in_a_folder_that_others_write_is_not_followed),
        WITH_BASE(a_link_of_another_user_in_a_sticky_folder_is_not_followed),
        WITH_BASE(links_that_lead_round_end),
        WITH_BASE(what_is_no_folder_is_refused),
        WITH_BASE(the_folder_of_a_file_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
