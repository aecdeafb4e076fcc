/* SPDX-License-Identifier: BSD-2-Clause */
/* libpq-hook/peer.c: whose process may have a token without TLS.  How the owner of a loopback connection is found is in test_connect_peer.c. */
#include "config.h" /* first: asks libc for its extensions */

#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <postern-private/tcp_peer.h>

#include "../../libpq-hook/hook.h"

#define US        1000
#define POSTGRES  101
#define STRANGER  1001
#define OVERFLOW_ POSTERN_OVERFLOW_UID

/* ---- this machine ------------------------------------------------------------------------------------------------------ */

static uid_t us, owner; /* of this process, of the other end */
static bool is_owner_known;

uid_t __wrap_geteuid(void);
int __wrap_getpwnam_r(const char *name, struct passwd *pw, char *room, size_t size, struct passwd **ret);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
postern_err __wrap_postern_tcp_peer_owner(int fd, uid_t *ret, postern_error *err);

uid_t __wrap_geteuid(void)
{
    return us;
}

int __wrap_getpwnam_r(const char *name, struct passwd *pw, char *room, size_t size, struct passwd **ret)
{
    static const struct {
        const char *name;
        uid_t       uid;
    } users[] = { { "postgres", POSTGRES }, { "stranger", STRANGER }, { "nobody", OVERFLOW_ } };

    (void)room, (void)size;
    *ret = NULL;
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
        if (strcmp(users[i].name, name) == 0) {
            pw->pw_uid = users[i].uid;
            *ret = pw;
        }
    return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct ucred *peer = value;

    assert_true(fd >= 0);
    assert_int_equal(level, SOL_SOCKET);
    assert_int_equal(name, SO_PEERCRED);
    assert_int_equal(*len, sizeof *peer);
    errno = EINVAL;
    peer->uid = owner;
    return is_owner_known ? 0 : -1;
}

postern_err __wrap_postern_tcp_peer_owner(int fd, uid_t *ret, postern_error *err)
{
    assert_true(fd >= 0);
    if (!is_owner_known)
        return POSTERN_FAIL(err, PEER_NOT_ALLOWED, "nobody");
    *ret = owner;
    return POSTERN_OK;
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------- */

static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
#define FAMILIES (sizeof families / sizeof families[0])

static const struct {
    const char *why;
    uid_t       us, owner;
    const char *require_peer;
    postern_err want;
} cases[] = {
    { "PostgreSQL's user", US, POSTGRES, NULL, POSTERN_OK },
    { "by a parameter that is empty", US, POSTGRES, "", POSTERN_OK },
    { "a stranger", US, STRANGER, NULL, POSTERN_ERR_TLS_REQUIRED },
    { "with an empty parameter", US, STRANGER, "", POSTERN_ERR_TLS_REQUIRED },
    { "root", US, 0, NULL, POSTERN_OK },
    { "root, for root", 0, 0, NULL, POSTERN_OK },
    { "a stranger, for root", 0, STRANGER, NULL, POSTERN_ERR_TLS_REQUIRED },
    { "ourselves", US, US, NULL, POSTERN_OK },
    { "who has one more than our number", US, US + 2, NULL, POSTERN_ERR_TLS_REQUIRED },
    { "whom the connection names", US, STRANGER, "stranger", POSTERN_OK },
    { "PostgreSQL's user where another one is named", US, POSTGRES, "stranger", POSTERN_ERR_TLS_REQUIRED },
    { "a stranger where nobody of that name is here", US, STRANGER, "mallory", POSTERN_ERR_TLS_REQUIRED },
    { "whom the connection names by number", US, STRANGER, "1001", POSTERN_OK },
    { "another number", US, STRANGER, "1002", POSTERN_ERR_TLS_REQUIRED },
    { "a number and more", US, STRANGER, "1001x", POSTERN_ERR_TLS_REQUIRED },
    { "a number below zero", US, (uid_t)-1, "-1", POSTERN_ERR_TLS_REQUIRED },
    { "a number that is none of a user's", US, STRANGER, "4294968297", POSTERN_ERR_TLS_REQUIRED }, /* 2^32 more */
    { "nobody, even by number", US, OVERFLOW_, "65534", POSTERN_ERR_TLS_REQUIRED },
    { "nobody, even by name", US, OVERFLOW_, "nobody", POSTERN_ERR_TLS_REQUIRED },
    { "nobody where nobody of that name is here", US, OVERFLOW_, "mallory", POSTERN_ERR_TLS_REQUIRED },
    { "nobody, for nobody", OVERFLOW_, OVERFLOW_, NULL, POSTERN_ERR_TLS_REQUIRED },
};

static void a_token_goes_to_the_servers_user_alone(void **state)
{
    (void)state;
    for (size_t f = 0; f < FAMILIES; f++) {
        int fd = socket(families[f], SOCK_STREAM, 0);

        if (fd < 0 && errno == EAFNOSUPPORT)
            continue;
        is_owner_known = true;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            us = cases[i].us;
            owner = cases[i].owner;
            if (hook_peer(fd, cases[i].require_peer, NULL) != cases[i].want)
                fail_msg("%s (address family %d)", cases[i].why, families[f]);
        }
        assert_int_equal(close(fd), 0);
    }
}

static void who_is_not_known_gets_none(void **state)
{
    (void)state;
    us = owner = US;
    for (size_t f = 0; f < FAMILIES; f++) {
        int fd = socket(families[f], SOCK_STREAM, 0);

        if (fd < 0 && errno == EAFNOSUPPORT)
            continue;
        is_owner_known = false;
        assert_int_equal(hook_peer(fd, NULL, NULL), POSTERN_ERR_TLS_REQUIRED);
        assert_int_equal(close(fd), 0);
    }
    is_owner_known = true;
    assert_int_equal(hook_peer(-1, NULL, NULL), POSTERN_ERR_TLS_REQUIRED);
}

static void a_refusal_says_whom_and_how_to_name_him(void **state)
{
    postern_error err = { 0 };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    us = US;
    owner = STRANGER;
    is_owner_known = true;
    assert_int_equal(hook_peer(fd, NULL, &err), POSTERN_ERR_TLS_REQUIRED);
    assert_non_null(strstr(err.detail, "uid 1001 "));
    assert_non_null(strstr(err.detail, "postgres"));
    assert_non_null(strstr(err.detail, "requirepeer"));
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_goes_to_the_servers_user_alone),
        cmocka_unit_test(who_is_not_known_gets_none),
        cmocka_unit_test(a_refusal_says_whom_and_how_to_name_him),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
