/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/oauth when the system says no: no lock, no random numbers, no descriptor, no digest, a file
 * that cannot be looked at.  Each is undecided or a start error, never a token that passes.  The
 * linker's --wrap sends the calls here (tests/unit/oauth.mk).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <regex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "../support/fake_transport.h"
#include "../support/test_login.h"
#include "oauth/accounts.h"
#include "oauth/client_auth.h"
#include "oauth/client_credentials.h"
#include "oauth/context_inner.h"
#include "oauth/introspector.h"
#include "oauth/key_file.h"
#include "oauth/pkce.h"
#include "oauth/retry.h"
#include "oauth/source_buckets.h"
#include "oauth/trusted_file.h"
#include "oauth/username_map.h"

/* ---- calls that fail on command ---- */

#define CALL_LIST(X)                                                                               \
    X(pthread_mutex_init, int, (pthread_mutex_t * m, const pthread_mutexattr_t *a), (m, a), EAGAIN)\
    X(pthread_mutex_trylock, int, (pthread_mutex_t * m), (m), EBUSY)                               \
    X(getrandom, ssize_t, (void *p, size_t n, unsigned f), (p, n, f), -1)                          \
    X(epoll_create1, int, (int f), (f), -1)                                                        \
    X(epoll_ctl, int, (int e, int op, int fd, struct epoll_event *ev), (e, op, fd, ev), -1)        \
    X(eventfd, int, (unsigned n, int f), (n, f), -1)                                               \
    X(write, ssize_t, (int fd, const void *p, size_t n), (fd, p, n), -1)                           \
    X(read, ssize_t, (int fd, void *p, size_t n), (fd, p, n), -1)                                  \
    X(access, int, (const char *path, int mode), (path, mode), -1)                                 \
    X(fstat, int, (int fd, struct stat *st), (fd, st), -1)                                         \
    X(lstat, int, (const char *path, struct stat *st), (path, st), -1)                             \
    X(regcomp, int, (regex_t * r, const char *text, int f), (r, text, f), REG_ESPACE)              \
    X(newlocale, locale_t, (int mask, const char *name, locale_t base), (mask, name, base),        \
      (locale_t)0)                                                                                 \
    X(EVP_MD_fetch, EVP_MD *, (OSSL_LIB_CTX * l, const char *name, const char *p), (l, name, p),   \
      NULL)                                                                                        \
    X(EVP_DigestInit_ex2, int, (EVP_MD_CTX * c, const EVP_MD *md, const OSSL_PARAM p[]),           \
      (c, md, p), 0)                                                                               \
    X(EVP_DigestFinal_ex, int, (EVP_MD_CTX * c, unsigned char *md, unsigned *n), (c, md, n), 0)    \
    X(EVP_Digest, int,                                                                             \
      (const void *p, size_t n, unsigned char *md, unsigned *len, const EVP_MD *type, ENGINE *e),  \
      (p, n, md, len, type, e), 0)

enum call {
#define NAME_CALL(name, type, parameters, arguments, failure) CALL_##name,
    CALL_LIST(NAME_CALL)
#undef NAME_CALL
    CALLS
};

/* The nth call from now fails with that errno, and that one only. */
static struct {
    unsigned countdown; /* 0: not armed */
    int error;
} armed[CALLS];

static bool must_fail(enum call c)
{
    if (armed[c].countdown == 0 || --armed[c].countdown != 0)
        return false;
    errno = armed[c].error;
    return true;
}

#define WRAP_CALL(name, type, parameters, arguments, failure)                                      \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return must_fail(CALL_##name) ? (failure) : __real_##name arguments;                       \
    }
CALL_LIST(WRAP_CALL)
#undef WRAP_CALL

/* Two that say something else than the truth. */

static struct {
    unsigned countdown; /* 0: it says the truth */
    int error;          /* 0: the mount is read-only */
} statvfs_lie;

int __real_statvfs(const char *path, struct statvfs *st);
int __wrap_statvfs(const char *path, struct statvfs *st);
int __wrap_statvfs(const char *path, struct statvfs *st)
{
    int result = __real_statvfs(path, st);

    if (statvfs_lie.countdown == 0 || --statvfs_lie.countdown != 0)
        return result;
    st->f_flag |= ST_RDONLY;
    errno = statvfs_lie.error;
    return statvfs_lie.error == 0 ? 0 : -1;
}

static struct {
    bool is_armed;
    int result, so, eo; /* of the whole match */
} regexec_lie;

int __real_regexec(const regex_t *r, const char *text, size_t n, regmatch_t m[], int flags);
int __wrap_regexec(const regex_t *r, const char *text, size_t n, regmatch_t m[], int flags);
int __wrap_regexec(const regex_t *r, const char *text, size_t n, regmatch_t m[], int flags)
{
    int result = __real_regexec(r, text, n, m, flags);

    if (!regexec_lie.is_armed)
        return result;
    regexec_lie.is_armed = false;
    m[0].rm_so = regexec_lie.so;
    m[0].rm_eo = regexec_lie.eo;
    return regexec_lie.result;
}

static unsigned locks_gone;

int __real_pthread_mutex_destroy(pthread_mutex_t *m);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *m);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
    locks_gone++;
    return __real_pthread_mutex_destroy(m);
}

#define ARM(name, nth, error_code)                                                                 \
    (armed[CALL_##name].countdown = (nth), armed[CALL_##name].error = (error_code))

/* A call that was not made has proved nothing. */
static void assert_all_fired(void)
{
    for (size_t i = 0; i < CALLS; i++)
        assert_int_equal(armed[i].countdown, 0);
    assert_int_equal(statvfs_lie.countdown, 0);
    assert_false(regexec_lie.is_armed);
}

/* ---- what they are called for ---- */

static test_login t;

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    test_login_reload(&t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_all_fired();
    test_login_remove(&t);
    return 0;
}

static struct server make_server(void)
{
    return (struct server){ .issuer = TEST_ISSUER, .clock = t.clock };
}

static postern_err make_accounts(postern_error *err)
{
    struct accounts *a = NULL;
    postern_err e = postern_accounts_new("/etc/passwd", &a, err);

    postern_accounts_free(a);
    return e;
}

static postern_err make_blocks(postern_error *err)
{
    struct blocks *b = NULL;
    postern_err e = postern_blocks_new(&b, err);

    postern_blocks_free(b);
    return e;
}

static postern_err make_cache(postern_error *err)
{
    struct cache *c = NULL;
    postern_err e = postern_cache_new(&c, err);

    postern_cache_free(c);
    return e;
}

static postern_err make_discovery(postern_error *err)
{
    struct server server = make_server();
    struct discovery *d = NULL;
    postern_err e = postern_discovery_new(&server, POSTERN_NEED_JWKS, &d, err);

    postern_discovery_free(d);
    return e;
}

static postern_err make_introspector(postern_error *err)
{
    struct server server = make_server();
    struct introspector *i = NULL;
    postern_err e = postern_introspector_new(&server, NULL, &i, err);

    postern_introspector_free(i);
    return e;
}

static postern_err make_keyring(postern_error *err)
{
    struct key_source *source;
    struct keyring *k = NULL;
    postern_err e;

    assert_int_equal(postern_key_file_new("/nowhere", FILE_OF_ROOT_OR_SELF, &source, err),
                     POSTERN_OK);
    e = postern_keyring_new(source, &k, err); /* which frees the source in any case */
    postern_keyring_free(k);
    return e;
}

static postern_err make_revocations(postern_error *err)
{
    struct revocations *r = NULL;
    postern_err e = postern_revocations_new(&r, err);

    postern_revocations_free(r);
    return e;
}

static postern_err make_context(postern_error *err)
{
    postern_config *config = NULL;
    postern_context *context = NULL;
    postern_err e;

    assert_int_equal(postern_config_load(t.folder.path, &config, err), POSTERN_OK);
    e = postern_context_new(config, &t.clock, &context, err); /* which frees the configuration */
    postern_context_free(context);
    return e;
}

static int jobs;

static postern_err ask_nothing(void *job, struct postern_http_request *rq, postern_error *err)
{
    (void)job, (void)err;
    rq->method = "GET";
    rq->url = "https://h/";
    return POSTERN_OK;
}

static postern_err take_anything(void *job, const struct postern_http_response *r,
                                 postern_error *err)
{
    (void)job, (void)r, (void)err;
    return POSTERN_OK;
}

static void free_job(void *job)
{
    assert_ptr_equal(job, &jobs);
    jobs--;
}

static const struct fetch_kind fetch_kind = { "a fetch", ask_nothing, take_anything, free_job };
static struct fake_transport fake;

static postern_err make_fetch(postern_error *err)
{
    struct fetch *f = NULL;
    postern_err e;

    jobs++;
    e = postern_fetch_new(&fetch_kind, &jobs, &fake.transport, &t.clock, 1000, &f, err);
    postern_fetch_free(f);
    assert_int_equal(jobs, 0);
    return e;
}

static void a_lock_that_cannot_be_made_is_out_of_memory(void **state)
{
    static const struct {
        const char *what;
        postern_err (*make)(postern_error *err);
    } makers[] = {
        { "accounts", make_accounts },       { "blocks", make_blocks },
        { "cache", make_cache },             { "discovery", make_discovery },
        { "introspector", make_introspector }, { "keyring", make_keyring },
        { "revocations", make_revocations }, { "context", make_context },
        { "fetch", make_fetch },
    };

    (void)state;
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        postern_error err = { 0 };

        ARM(pthread_mutex_init, 1, EAGAIN);
        if (makers[i].make(&err) != POSTERN_ERR_NOMEM || err.code != POSTERN_ERR_NOMEM)
            fail_msg("%s: %s", makers[i].what, err.detail);
        assert_all_fired();
        if (makers[i].make(&err) != POSTERN_OK) /* the reject was the lock's alone */
            fail_msg("%s: %s", makers[i].what, err.detail);
    }
}

static void a_cache_needs_every_lock_and_its_digest(void **state)
{
    (void)state;
    ARM(pthread_mutex_init, POSTERN_CACHE_SHARDS, EAGAIN); /* the last one */
    assert_int_equal(make_cache(NULL), POSTERN_ERR_NOMEM);
    ARM(EVP_MD_fetch, 1, 0);
    assert_int_equal(make_cache(NULL), POSTERN_ERR_NOMEM);
}

/* A digest that fails names no token: such a one is proved each time, and taken all the same. */
static void a_token_without_its_digest_is_proved_and_not_remembered(void **state)
{
    (void)state;
    ARM(EVP_DigestInit_ex2, 1, 0);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_OK);
    assert_int_equal(postern_cache_counts(postern_context_cache(t.context)).tokens, 0);
    ARM(EVP_DigestFinal_ex, 1, 0);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_OK);
    assert_int_equal(postern_cache_counts(postern_context_cache(t.context)).tokens, 0);
    assert_int_equal(test_login_try(&t, NULL, NULL), POSTERN_OK);
    assert_int_equal(postern_cache_counts(postern_context_cache(t.context)).tokens, 1);
    ARM(EVP_DigestInit_ex2, 1, 0);
    assert_int_equal(test_login_try(&t, "exp", "1799999000"), POSTERN_ERR_EXPIRED);
}

/* As a forked child finds a shard that a thread of its parent was busy with. */
static void a_shard_that_somebody_holds_is_not_looked_into_at_the_end(void **state)
{
    struct cache *c = NULL;

    (void)state;
    assert_int_equal(postern_cache_new(&c, NULL), POSTERN_OK);
    ARM(pthread_mutex_trylock, 1, 0);
    locks_gone = 0;
    postern_cache_free(c);
    assert_int_equal(locks_gone, POSTERN_CACHE_SHARDS - 1);
}

static postern_err make_assertion(postern_error *err)
{
    const struct postern_client_proof proof = { .auth = POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT,
                                                .issuer = "https://h",
                                                .client_id = "a" };
    POSTERN_AUTO_BUF authorization = POSTERN_BUF_INIT(POSTERN_BASIC_MAX);
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(4096);
    POSTERN_AUTO_BUF assertion = POSTERN_BUF_INIT(POSTERN_ASSERTION_MAX);
    postern_err e = postern_client_auth_add(&proof, POSTERN_TAKES_BASIC, TEST_NOW_S, &authorization,
                                            &body, &assertion, err);

    assert_int_equal(body.len, 0); /* nothing of it is sent */
    assert_int_equal(assertion.len, 0);
    return e;
}

static const struct source_rate elsewhere = { POSTERN_SOURCE_BURST, POSTERN_SOURCE_PER_S };

static void without_random_numbers_nothing_that_must_be_unique_is_made(void **state)
{
    char text[POSTERN_PKCE_TEXT + 1] = "untouched";
    struct source_buckets *b = NULL;

    (void)state;
    ARM(getrandom, 1, ENOSYS);
    assert_int_equal(postern_pkce_random(text, NULL), POSTERN_ERR_SYSTEM);
    assert_string_equal(text, "untouched");
    ARM(getrandom, 1, ENOSYS);
    assert_int_equal(make_assertion(NULL), POSTERN_ERR_SYSTEM);
    ARM(getrandom, 1, ENOSYS);
    assert_int_equal(postern_source_buckets_new(elsewhere, &b, NULL), POSTERN_ERR_SYSTEM);
    assert_null(b);
    ARM(getrandom, 1, ENOSYS);
    assert_int_equal(make_introspector(NULL), POSTERN_ERR_SYSTEM);
    ARM(getrandom, 1, EAGAIN); /* for the jitter alone: none, then */
    assert_int_equal(postern_retry_dice(), 0);
}

static void a_digest_that_fails_is_neither_a_challenge_nor_a_source(void **state)
{
    char challenge[POSTERN_PKCE_TEXT + 1] = "untouched";
    struct source_buckets *b = NULL;

    (void)state;
    ARM(EVP_Digest, 1, 0);
    assert_int_equal(postern_pkce_challenge("v", challenge, NULL), POSTERN_ERR_NOMEM);
    assert_string_equal(challenge, "untouched");
    assert_int_equal(postern_source_buckets_new(elsewhere, &b, NULL), POSTERN_OK);
    ARM(EVP_Digest, 1, 0);
    assert_false(postern_source_buckets_take(b, "192.0.2.7", 1)); /* nobody is not counted */
    assert_true(postern_source_buckets_take(b, "192.0.2.7", 1));
    postern_source_buckets_free(b);
}

/* ---- descriptors ---- */

static void without_descriptors_nothing_is_asked(void **state)
{
    const postern_acquire rq = { .size = sizeof rq,
                                 .agent = { .issuer = "https://h",
                                            .client_id = "a",
                                            .credential = POSTERN_BYTES_LIT("s") } };
    postern_op *op = NULL;

    (void)state;
    fake_transport_init(&fake, NULL, 0);
    ARM(epoll_create1, 1, EMFILE);
    assert_int_equal(make_fetch(NULL), POSTERN_ERR_SYSTEM);
    ARM(eventfd, 1, EMFILE);
    assert_int_equal(make_fetch(NULL), POSTERN_ERR_SYSTEM);
    ARM(epoll_create1, 1, EMFILE);
    assert_int_equal(
        postern_acquire_start_with(&fake.transport, &t.clock, &rq, &op, NULL), POSTERN_ERR_SYSTEM);
    assert_null(op);
}

static void an_exchange_that_cannot_be_waited_for_is_given_up(void **state)
{
    static const struct fake_answer answers[] = { { .again = FAKE_FOREVER, .has_fd = true } };
    const postern_acquire rq = { .size = sizeof rq,
                                 .agent = { .issuer = "https://h",
                                            .client_id = "a",
                                            .credential = POSTERN_BYTES_LIT("s") } };
    struct fetch *f = NULL;
    postern_error err = { 0 };
    postern_op *op = NULL;

    (void)state;
    fake_transport_init(&fake, answers, 1);
    jobs++;
    assert_int_equal(
        postern_fetch_new(&fetch_kind, &jobs, &fake.transport, &t.clock, 1000, &f, &err),
        POSTERN_OK);
    ARM(epoll_ctl, 1, ENOSPC);
    assert_int_equal(postern_fetch_step(f, &err), POSTERN_ERR_SYSTEM);
    assert_string_equal(err.detail, "epoll_ctl: No space left on device");
    assert_int_equal(fake.open, 0);
    postern_fetch_free(f);
    fake_transport_init(&fake, answers, 1);
    assert_int_equal(
        postern_acquire_start_with(&fake.transport, &t.clock, &rq, &op, &err), POSTERN_OK);
    ARM(epoll_ctl, 1, ENOSPC);
    assert_int_equal(postern_op_step(op, &err), POSTERN_ERR_SYSTEM);
    postern_op_free(op);
    assert_int_equal(fake.open, 0);
}

/* Those who wait look again when their time is over, and find the verdict. */
static void a_verdict_that_wakes_nobody_is_a_verdict(void **state)
{
    static const struct fake_answer answers[] = { { .status = 200 } };
    struct fetch *f = NULL;

    (void)state;
    fake_transport_init(&fake, answers, 1);
    jobs++;
    assert_int_equal(
        postern_fetch_new(&fetch_kind, &jobs, &fake.transport, &t.clock, 1000, &f, NULL),
        POSTERN_OK);
    ARM(write, 1, EAGAIN);
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_OK);
    assert_ptr_equal(postern_fetch_job(f), &jobs);
    assert_int_equal(postern_fetch_wait_ms(f), 0);
    postern_fetch_free(f);
}

/* ---- files ---- */

static postern_err read_file(postern_buf *out, postern_error *err)
{
    return postern_trusted_file_read(test_folder_at(&t.folder, "word"), "word",
                                     FILE_OF_ROOT_OR_SELF, out, NULL, err);
}

static void a_file_that_cannot_be_looked_at_or_read_is_not_trusted(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(100);
    postern_error err = { 0 };

    (void)state;
    test_folder_put(&t.folder, "word", "whole");
    ARM(fstat, 1, EIO);
    assert_int_equal(read_file(&text, &err), POSTERN_ERR_CONFIG_FILE);
    assert_string_equal(err.detail, "word: Input/output error");
    ARM(read, 1, EIO);
    assert_int_equal(read_file(&text, &err), POSTERN_ERR_CONFIG_FILE);
    assert_string_equal(err.detail, "word: Input/output error");
    assert_int_equal(text.len, 0);
    ARM(read, 1, EINTR); /* a signal is no end of the file */
    assert_int_equal(read_file(&text, &err), POSTERN_OK);
    assert_string_equal(postern_buf_cstr(&text), "whole");
}

static postern_err load(postern_error *err)
{
    postern_config *c = NULL;
    postern_err e = postern_config_load(t.folder.path, &c, err);

    postern_config_free(c);
    return e;
}

/* "Not there" means defaults; "cannot say" must not. */
static void a_file_of_which_nobody_can_say_whether_it_is_there_is_not_left_out(void **state)
{
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(load(&err), POSTERN_OK);
    ARM(lstat, 1, EACCES);
    assert_int_equal(load(&err), POSTERN_ERR_CONFIG_FILE);
    assert_string_equal(err.detail, "postern.conf: No such file or directory");
}

static void a_mount_that_cannot_be_asked_counts_as_writable(void **state)
{
    postern_error err = { 0 };

    (void)state;
    test_folder_mode(&t.folder, "issuers", 0777);
    statvfs_lie.countdown = 2; /* of the folder itself, then of issuers/ */
    statvfs_lie.error = EIO;
    assert_int_equal(load(&err), POSTERN_ERR_CONFIG_FILE);
    assert_string_equal(err.detail, "issuers can be written by everybody (mode 0777): chmod o-w");
    test_folder_mode(&t.folder, "issuers", 0755);
    statvfs_lie.countdown = 2;
    assert_int_equal(load(&err), POSTERN_OK);
}

/* Kubernetes mounts volumes so, with mode 0777. */
static void what_nobody_can_write_may_have_any_mode(void **state)
{
    postern_error err = { 0 };

    (void)state;
    test_folder_mode(&t.folder, "issuers", 0777);
    statvfs_lie.countdown = 2;
    statvfs_lie.error = 0;
    assert_int_equal(load(&err), POSTERN_OK);
    assert_int_equal(load(&err), POSTERN_ERR_CONFIG_FILE);
}

static void an_authority_file_that_cannot_be_read_is_told_at_the_start(void **state)
{
    char *text = test_printf("issuer: " TEST_ISSUER "\ntls_ca_file: %s\n",
                             test_folder_at(&t.folder, "ca.pem"));
    char *want = test_printf("tls_ca_file: %s: Permission denied",
                             test_folder_at(&t.folder, "ca.pem"));
    postern_error err = { 0 };

    (void)state;
    test_folder_put(&t.folder, "ca.pem", "none yet");
    test_folder_put(&t.folder, "issuers/sso.conf", text);
    assert_int_equal(make_context(&err), POSTERN_OK);
    ARM(access, 1, EACCES);
    assert_int_equal(make_context(&err), POSTERN_ERR_CONFIG_FILE);
    assert_string_equal(err.detail, want);
    free(text), free(want);
}

/* ---- maps ---- */

static postern_err parse_map(struct username_map **ret, postern_error *err)
{
    return postern_username_map_parse("map", POSTERN_BYTES_LIT("/^(.*)@example\\.org$ \\1\n"), ret,
                                      err);
}

static void a_pattern_without_memory_is_neither_a_match_nor_none(void **state)
{
    POSTERN_AUTO_BUF user = POSTERN_BUF_INIT(100);
    struct username_map *map = NULL;
    postern_error err = { 0 };
    int line = 0;

    (void)state;
    ARM(newlocale, 1, ENOMEM);
    assert_int_equal(parse_map(&map, &err), POSTERN_ERR_NOMEM);
    postern_username_map_free(POSTERN_STEAL(map));
    ARM(regcomp, 1, 0);
    assert_int_equal(parse_map(&map, &err), POSTERN_ERR_NOMEM);
    postern_username_map_free(POSTERN_STEAL(map));
    assert_int_equal(parse_map(&map, &err), POSTERN_OK);
    regexec_lie.is_armed = true;
    regexec_lie.result = REG_ESPACE;
    assert_int_equal(postern_username_map_find(map, POSTERN_BYTES_LIT("alice@example.org"), &user,
                                               &line, &err),
                     POSTERN_ERR_NOMEM);
    assert_int_equal(user.len, 0);
    assert_int_equal(postern_username_map_find(map, POSTERN_BYTES_LIT("alice@example.org"), &user,
                                               &line, &err),
                     POSTERN_OK);
    assert_string_equal(postern_buf_cstr(&user), "alice");
    postern_username_map_free(map);
}

/* map_pattern.c lets no expression in that could; who is let in does not rest on it alone. */
static void a_match_of_a_part_of_the_name_is_none(void **state)
{
    static const struct {
        int so, eo;
    } parts[] = { { 1, 17 }, { 0, 16 }, { 0, 5 } };
    POSTERN_AUTO_BUF user = POSTERN_BUF_INIT(100);
    struct username_map *map = NULL;
    int line = 0;

    (void)state;
    assert_int_equal(parse_map(&map, NULL), POSTERN_OK);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        regexec_lie.is_armed = true;
        regexec_lie.result = 0;
        regexec_lie.so = parts[i].so;
        regexec_lie.eo = parts[i].eo;
        assert_int_equal(postern_username_map_find(map, POSTERN_BYTES_LIT("alice@example.org"),
                                                   &user, &line, NULL),
                         POSTERN_ERR_NO_MAPPING);
        assert_int_equal(user.len, 0);
    }
    postern_username_map_free(map);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lock_that_cannot_be_made_is_out_of_memory),
        TEST(a_cache_needs_every_lock_and_its_digest),
        TEST(a_token_without_its_digest_is_proved_and_not_remembered),
        TEST(a_shard_that_somebody_holds_is_not_looked_into_at_the_end),
        TEST(without_random_numbers_nothing_that_must_be_unique_is_made),
        TEST(a_digest_that_fails_is_neither_a_challenge_nor_a_source),
        TEST(without_descriptors_nothing_is_asked),
        TEST(an_exchange_that_cannot_be_waited_for_is_given_up),
        TEST(a_verdict_that_wakes_nobody_is_a_verdict),
        TEST(a_file_that_cannot_be_looked_at_or_read_is_not_trusted),
        TEST(a_file_of_which_nobody_can_say_whether_it_is_there_is_not_left_out),
        TEST(a_mount_that_cannot_be_asked_counts_as_writable),
        TEST(what_nobody_can_write_may_have_any_mode),
        TEST(an_authority_file_that_cannot_be_read_is_told_at_the_start),
        TEST(a_pattern_without_memory_is_neither_a_match_nor_none),
        TEST(a_match_of_a_part_of_the_name_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
