/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/door/settings.c with what sidecar/door_set.c opens of a real folder: the dump, keys,
 * certificates and policies as descriptors, as the supervisor sends them.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_folder.h"
#include "../support/test_keys.h"
#include "door/settings.h"
#include "door_certs.h"
#include "door_set.h"

struct world {
    test_folder folder;
    struct test_cert cert, other;
    postern_config *config;
    struct door_set set;
    struct own_certificate own;
    size_t fds;
};

/* The PEM of a memfd as a file of the folder. */
static void put_pem(const struct world *w, const char *name, int take_fd, unsigned mode)
{
    char pem[8192];
    ssize_t n = pread(take_fd, pem, sizeof pem - 1, 0);

    assert_true(n > 0);
    pem[n] = '\0';
    test_folder_put(&w->folder, name, pem);
    test_folder_mode(&w->folder, name, mode);
    assert_int_equal(close(take_fd), 0);
}

static void put_door(const struct world *w, const char *name, const char *more)
{
    char *file = test_printf("doors/%s.conf", name);
    char *text = test_printf("protocol: raw\naudience: https://%s.example.org\n%s", name, more);

    test_folder_put(&w->folder, file, text);
    free(file);
    free(text);
}

/* "cache" with nothing of its own, "mail" with everything. */
static void put_folder(struct world *w)
{
    char *more = test_printf("listen: [::1]:2 192.0.2.1:2\npolicy: guard cache\n"
                             "tls_cert_file: %s\ntls_key_file: %s\n",
                             test_folder_at(&w->folder, "cert.pem"),
                             test_folder_at(&w->folder, "key.pem"));
    char *all = test_printf("%sbackend: mail.example.org:25\nbackend_tls: verify-ca\n"
                            "backend_tls_ca_file: %s\nbackend_auth: certificate\n"
                            "backend_cert_file: %s\nbackend_key_file: %s\n"
                            "login_timeout: 3s\nidle_timeout: 2m\nsession_max: 1h\nexpiry_grace: 7s\n"
                            "max_connections: 5\nmax_connections_per_agent: 3\n",
                            more, test_folder_at(&w->folder, "ca.pem"),
                            test_folder_at(&w->folder, "cert.pem"),
                            test_folder_at(&w->folder, "key.pem"));

    test_folder_put(&w->folder, "postern.conf", "login_max: 77\nblock_contact: ops@example.org\n");
    test_folder_put(&w->folder, "issuers/sso.conf",
                    "issuer: https://sso.example.org\njwks_file: /nonexistent\nclock_skew: 9s\n");
    test_folder_put(&w->folder, "policies/cache.rules", "allow agent agent-7 to *\n");
    test_folder_put(&w->folder, "policies/guard.rules", "deny agent agent-8 to *\n");
    put_pem(w, "cert.pem", test_cert_fd(&w->cert), 0644);
    put_pem(w, "key.pem", test_cert_key_fd(&w->cert), 0600);
    put_pem(w, "ca.pem", test_cert_fd(&w->other), 0644);
    put_door(w, "cache", "listen: 127.0.0.1:1 unix:/run/x.sock\nbackend: 127.0.0.1:6379\npolicy: cache\n");
    put_door(w, "mail", all);
    free(more);
    free(all);
}

static void open_set(struct world *w)
{
    postern_error err = { 0 };

    if (postern_config_load(w->folder.path, &w->config, &err) != POSTERN_OK ||
        door_set_open(w->config, &w->set, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
}

static void close_set(struct world *w)
{
    door_set_close(&w->set);
    postern_config_free(w->config);
    w->config = NULL;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    test_folder_make(&w->folder);
    w->cert = test_cert_new(NULL, "DNS:localhost", -60, 3600);
    w->other = test_cert_new(NULL, NULL, -60, 3600);
    put_folder(w);
    w->fds = test_count_fds();
    open_set(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    close_set(w);
    SSL_CTX_free(w->own.tls);
    postern_buf_free(&w->own.pem);
    assert_int_equal(test_count_fds(), w->fds); /* settings close all that they took */
    test_cert_free(&w->cert);
    test_cert_free(&w->other);
    test_folder_remove(&w->folder);
    free(w);
    return 0;
}

/* ---- parts, as door/main.c takes them ---- */

static int copy_of(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    assert_true(copy >= 0);
    return copy;
}

/* All files but `skip` (SIZE_MAX: none). */
static struct settings_parts *make_parts(const struct world *w, size_t skip)
{
    struct settings_parts *p = settings_parts_new();

    assert_non_null(p);
    for (size_t i = 0; i < w->set.count; i++) {
        const struct door_file *f = &w->set.files[i];
        postern_err e;

        if (i == skip)
            continue;
        e = f->section == NULL ? settings_add_policy(p, f->key, copy_of(f->fd), NULL)
                               : settings_add_file(p, f->section, f->key, copy_of(f->fd), NULL);
        assert_int_equal(e, POSTERN_OK);
    }
    return p;
}

static int make_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

static postern_err make_settings(struct world *w, struct settings_parts *take_parts,
                                 struct door_settings **ret, postern_error *err)
{
    *ret = NULL;
    return settings_new(take_parts, w->set.dump_fd, &w->own, ret, err);
}

static struct door_settings *make_good(struct world *w)
{
    struct door_settings *s = NULL;
    postern_error err = { 0 };

    if (make_settings(w, make_parts(w, SIZE_MAX), &s, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    return s;
}

/* ---- what they say ---- */

static void settings_say_what_the_files_say(void **state)
{
    struct world *w = *state;
    struct door_settings *s = make_good(w);
    const struct door *cache = settings_door(s, "cache"), *mail = settings_door(s, "mail");

    assert_non_null(cache);
    assert_non_null(mail);
    assert_null(settings_door(s, "imap"));
    assert_null(settings_door(s, ""));
    assert_string_equal(cache->adapter->name, "raw");
    assert_int_equal(settings_skew_s(mail, "https://sso.example.org"), 9);
    assert_int_equal(settings_skew_s(mail, "https://sso.example.org/"), 0);
    assert_int_equal(settings_skew_s(mail, NULL), 0);
    assert_int_equal(mail->session_max_s, 3600);
    assert_int_equal(mail->expiry_grace_s, 7);
    assert_int_equal(mail->login_timeout_ms, 3000);
    assert_int_equal(mail->idle_timeout_ms, 120000);
    assert_int_equal(mail->sessions_max, 5);
    assert_int_equal(mail->agent_sessions_max, 3);
    assert_int_equal(cache->agent_sessions_max, 256);
    assert_string_equal(cache->backend.host, "127.0.0.1");
    assert_int_equal(cache->backend.tls, UPSTREAM_PLAIN);
    assert_null(cache->backend.tls_ctx);
    assert_string_equal(mail->backend.host, "mail.example.org");
    assert_int_equal(mail->backend.tls, UPSTREAM_VERIFY_CA);
    assert_non_null(mail->backend.tls_ctx);
    assert_int_equal(settings_number(s, "login_max"), 77);
    assert_string_equal(settings_contact(s), "ops@example.org");
    assert_string_equal(postern_section_origin(mail->section, "session_max"), "doors/mail.conf:15");
    settings_unref(s);
}

static postern_verdict ask(const struct door *d, const char *agent)
{
    const postern_policy_subject who = { .agent = agent, .client = agent, .scope = "" };
    const postern_policy_question q = { .size = sizeof q,
                                        .subject = (postern_policy_subject *)(uintptr_t)&who,
                                        .protocol = "raw",
                                        .action = "connect",
                                        .resource = postern_bytes_str(d->name) };
    postern_decision decision = { 0 };

    postern_policy_decide(d->policy, &q, &decision);
    return decision.verdict;
}

static void each_door_has_its_policies_as_one_list(void **state)
{
    struct world *w = *state;
    struct door_settings *s = make_good(w);

    assert_int_equal(ask(settings_door(s, "cache"), "agent-7"), POSTERN_VERDICT_ALLOW);
    assert_int_equal(ask(settings_door(s, "mail"), "agent-7"), POSTERN_VERDICT_ALLOW);
    assert_int_equal(ask(settings_door(s, "mail"), "agent-8"), POSTERN_VERDICT_DENY);
    assert_int_equal(ask(settings_door(s, "mail"), "agent-9"), POSTERN_VERDICT_DENY);
    settings_unref(s);
}

static void an_own_certificate_is_made_once(void **state)
{
    struct world *w = *state;
    struct door_settings *s = make_good(w);
    SSL_CTX *own = w->own.tls;
    size_t len = w->own.pem.len;

    assert_non_null(own);
    assert_true(len > 0);
    assert_ptr_equal(settings_door(s, "cache")->tls, own);
    assert_ptr_not_equal(settings_door(s, "mail")->tls, own);
    settings_unref(s);
    s = make_good(w); /* a reload */
    assert_ptr_equal(w->own.tls, own);
    assert_ptr_equal(settings_door(s, "cache")->tls, own);
    assert_int_equal(w->own.pem.len, len);
    settings_unref(s);
}

static void a_door_shows_its_own_certificate(void **state)
{
    struct world *w = *state;
    struct door_settings *s = make_good(w);
    X509 *shown = SSL_CTX_get0_certificate(settings_door(s, "mail")->tls);

    assert_non_null(shown);
    assert_int_equal(X509_cmp(shown, w->cert.x), 0);
    settings_unref(s);
}

/* The supervisor's descriptors are shared with every later child: nobody's position counts. */
static void descriptors_are_read_from_their_beginning_each_time(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 3; i++) {
        struct door_settings *s;

        for (size_t k = 0; k < w->set.count; k++)
            assert_true(lseek(w->set.files[k].fd, 7, SEEK_SET) == 7);
        assert_true(lseek(w->set.dump_fd, 7, SEEK_SET) == 7);
        s = make_good(w);
        settings_unref(s);
        assert_true(lseek(w->set.dump_fd, 0, SEEK_CUR) == 7);
        for (size_t k = 0; k < w->set.count; k++)
            assert_true(lseek(w->set.files[k].fd, 0, SEEK_CUR) == 7);
    }
}

/* ---- what is missing or wrong ---- */

static void without_any_one_of_its_parts_there_are_no_settings(void **state)
{
    struct world *w = *state;

    assert_true(w->set.count >= 7);
    for (size_t i = 0; i < w->set.count; i++) {
        struct door_settings *s;
        postern_error err = { 0 };
        postern_err e = make_settings(w, make_parts(w, i), &s, &err);

        if (e != POSTERN_ERR_INTERNAL)
            fail_msg("%s without %s", postern_err_reason(e), w->set.files[i].key);
        assert_null(s);
        assert_non_null(strstr(err.detail, w->set.files[i].key));
    }
}

static void a_policy_that_does_not_hold_is_refused(void **state)
{
    static const struct {
        const char *text;
        postern_err want;
    } cases[] = {
        { "allow\n", POSTERN_ERR_RULES },
        { "allow agent agent-7 to *\nexpect deny agent agent-7 to raw:connect on cache\n",
          POSTERN_ERR_RULES_EXPECT },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings_parts *p = settings_parts_new();
        struct door_settings *s;
        postern_error err = { 0 };

        assert_non_null(p);
        assert_int_equal(settings_add_policy(
                             p, "cache", test_text_fd(cases[i].text, strlen(cases[i].text)), NULL),
                         POSTERN_OK);
        assert_int_equal(make_settings(w, p, &s, &err), cases[i].want);
        assert_non_null(strstr(err.detail, "policies/cache.rules:"));
    }
}

/* Two issuers may call two agents by one name. */
static void a_door_that_trusts_several_issuers_wants_rules_that_say_which(void **state)
{
    static const char both[] = "issuers: sso partner\n";
    static const char exact[] =
        "allow agent agent-7 to * if issuer = \"https://partner.example\"\n";
    struct world *w = *state;
    struct door_settings *s;
    postern_error err = { 0 };
    char *more = test_printf("listen: 127.0.0.1:1\nbackend: 127.0.0.1:6379\npolicy: cache\n%s", both);

    close_set(w);
    test_folder_put(&w->folder, "issuers/sso.conf",
                    "issuer: https://sso.example.org\njwks_file: /nonexistent\nclock_skew: 9s\n"
                    "username_claim: ${sub}@corp\n");
    test_folder_put(&w->folder, "issuers/partner.conf",
                    "issuer: https://partner.example\njwks_file: /nonexistent\nclock_skew: 4s\n"
                    "username_claim: ${sub}@partner\n");
    put_door(w, "cache", more);
    assert_int_equal(unlink(test_folder_at(&w->folder, "doors/mail.conf")), 0);
    assert_int_equal(postern_config_load(w->folder.path, &w->config, &err), POSTERN_OK);
    assert_int_equal(door_set_open(w->config, &w->set, &err), POSTERN_ERR_RULES);
    assert_non_null(strstr(err.detail, "policies/cache.rules:1:1: cache:1 must say whose"));
    close_set(w);
    test_folder_put(&w->folder, "policies/cache.rules", exact);
    open_set(w);
    s = make_good(w);
    assert_int_equal(settings_skew_s(settings_door(s, "cache"), "https://sso.example.org"), 9);
    assert_int_equal(settings_skew_s(settings_door(s, "cache"), "https://partner.example"), 4);
    assert_int_equal(settings_skew_s(settings_door(s, "cache"), "https://third.example"), 0);
    settings_unref(s);
    free(more);
}

static void a_mangled_dump_is_refused(void **state)
{
    struct world *w = *state;
    static char text[65536];
    ssize_t len = pread(w->set.dump_fd, text, sizeof text, 0);
    static const char *const others[] = { "", "x", "listen: 127.0.0.1:1\n", "# == doors/../x.conf ==\n" };

    assert_true(len > 1000);
    for (ssize_t cut = 0; cut < len; cut += len / 50) { /* anywhere, a byte taken out */
        struct door_settings *s = NULL;
        postern_error err = { 0 };
        char kept = text[cut];
        int fd;

        text[cut] = '\0';
        fd = test_text_fd(text, (size_t)len);
        text[cut] = kept;
        assert_int_not_equal(settings_new(make_parts(w, SIZE_MAX), fd, &w->own, &s, &err), POSTERN_OK);
        assert_null(s);
        assert_int_equal(close(fd), 0);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct door_settings *s = NULL;
        int fd = test_text_fd(others[i], strlen(others[i]));

        assert_int_not_equal(settings_new(make_parts(w, SIZE_MAX), fd, &w->own, &s, NULL), POSTERN_OK);
        assert_int_equal(close(fd), 0);
    }
    {
        struct door_settings *s = NULL;

        assert_int_equal(settings_new(make_parts(w, SIZE_MAX), -1, &w->own, &s, NULL),
                         POSTERN_ERR_SYSTEM);
    }
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    struct world *w = *state;
    struct settings_parts *p = settings_parts_new();
    struct door_settings *s;
    postern_error err = { 0 };

    assert_non_null(p);
    for (size_t i = 0; i < w->set.count; i++) {
        const struct door_file *f = &w->set.files[i];
        bool is_key = strcmp(f->key, "tls_key_file") == 0;
        int fd = is_key ? test_cert_key_fd(&w->other) : copy_of(f->fd);

        assert_int_equal(f->section == NULL ? settings_add_policy(p, f->key, fd, NULL)
                                            : settings_add_file(p, f->section, f->key, fd, NULL),
                         POSTERN_OK);
    }
    assert_int_equal(make_settings(w, p, &s, &err), POSTERN_ERR_CONFIG_FILE);
}

/* ---- listeners ---- */

static void listeners_are_closed_loop_by_loop(void **state)
{
    static const struct {
        const char *address;
        size_t loop;
        bool is_local;
    } cases[] = { { "127.0.0.1:1", 0, true },     { "127.0.0.1:1", 1, true },
                  { "unix:/run/x.sock", 0, true }, { "[::1]:2", 0, true },
                  { "192.0.2.1:2", 1, false },     { "0.0.0.0:2", 0, false },
                  { "[::]:2", 0, false },          { "127.0.0.10:1", 0, false },
                  { "[::10]:1", 0, false } };
    enum { COUNT = sizeof cases / sizeof cases[0] };
    struct world *w = *state;
    struct settings_parts *p = make_parts(w, SIZE_MAX);
    struct door_settings *s;
    int fds[COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        fds[i] = make_socket();
        assert_int_equal(settings_add_listener(p, i % 2 == 0 ? "cache" : "mail", cases[i].address,
                                               cases[i].loop, fds[i], NULL),
                         POSTERN_OK);
    }
    assert_int_equal(make_settings(w, p, &s, NULL), POSTERN_OK);
    assert_int_equal(settings_listener_count(s), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const struct door_listener *l = settings_listener(s, i);

        assert_int_equal(l->fd, fds[i]);
        assert_int_equal(l->loop, cases[i].loop);
        assert_int_equal(l->is_local, cases[i].is_local);
        assert_string_equal(l->door->name, i % 2 == 0 ? "cache" : "mail");
    }
    settings_close_listeners(s, 1);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(fcntl(fds[i], F_GETFD) < 0, cases[i].loop == 1);
    settings_close_listeners(s, 1); /* twice is once */
    settings_unref(settings_ref(s));
    assert_int_equal(fcntl(fds[0], F_GETFD) < 0, false);
    settings_unref(s); /* the rest goes with the last reference */
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(fcntl(fds[i], F_GETFD), -1);
}

static void a_listener_of_no_door_is_refused(void **state)
{
    struct world *w = *state;
    struct settings_parts *p = make_parts(w, SIZE_MAX);
    struct door_settings *s;
    int fd = make_socket();

    assert_int_equal(settings_add_listener(p, "imap", "127.0.0.1:1", 0, fd, NULL), POSTERN_OK);
    assert_int_equal(make_settings(w, p, &s, NULL), POSTERN_ERR_INTERNAL);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void parts_have_their_limits(void **state)
{
    struct settings_parts *p = settings_parts_new();
    char name[400];
    int fd = make_socket();
    postern_error err = { 0 };

    (void)state;
    assert_non_null(p);
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(settings_add_listener(p, name, "x", 0, fd, &err), POSTERN_ERR_LIMIT);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken in every case */
    assert_int_equal(settings_add_file(p, "cache", name, make_socket(), &err), POSTERN_ERR_LIMIT);
    for (size_t i = 0; i < SETTINGS_FDS_MAX; i++) /* no descriptor is needed to be counted */
        assert_int_equal(settings_add_policy(p, "a", -1, &err), POSTERN_OK);
    assert_int_equal(settings_add_policy(p, "a", -1, &err), POSTERN_ERR_LIMIT);
    settings_parts_free(p);
    settings_parts_free(NULL);
    settings_unref(NULL);
}

static void without_memory_there_are_no_settings(void **state)
{
    struct world *w = *state;
    unsigned refused = 0;

    for (unsigned nth = 1;; nth++) {
        struct settings_parts *p = make_parts(w, SIZE_MAX);
        struct door_settings *s;
        postern_error err = { 0 };
        postern_err e;

        alloc_fail_arm(nth);
        e = make_settings(w, p, &s, &err);
        if (!alloc_fail_disarm()) {
            assert_int_equal(e, POSTERN_OK);
            settings_unref(s);
            break;
        }
        refused += e != POSTERN_OK;
        settings_unref(s);
        if (nth > 200)
            nth += 97; /* the dump is long; its reading has a sweep of its own */
        if (e != POSTERN_OK && e != POSTERN_ERR_NOMEM)
            fail_msg("allocation %u: %s: %s", nth, postern_err_reason(e), err.detail);
    }
    assert_true(refused > 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(settings_say_what_the_files_say),
        TEST(each_door_has_its_policies_as_one_list),
        TEST(an_own_certificate_is_made_once),
        TEST(a_door_shows_its_own_certificate),
        TEST(descriptors_are_read_from_their_beginning_each_time),
        TEST(without_any_one_of_its_parts_there_are_no_settings),
        TEST(a_policy_that_does_not_hold_is_refused),
        TEST(a_door_that_trusts_several_issuers_wants_rules_that_say_which),
        TEST(a_mangled_dump_is_refused),
        TEST(a_key_of_another_certificate_is_refused),
        TEST(listeners_are_closed_loop_by_loop),
        TEST(a_listener_of_no_door_is_refused),
        TEST(parts_have_their_limits),
        TEST(without_memory_there_are_no_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
