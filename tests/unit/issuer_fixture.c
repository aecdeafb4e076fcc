/* SPDX-License-Identifier: BSD-2-Clause */
/* See issuer_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/test_folder.h"
#include "issuer/routes.h"
#include "issuer_fixture.h"

static int64_t still_now_s(void *arg)
{
    return ((struct fixture *)arg)->now_s;
}

static int64_t still_mono_ms(void *arg)
{
    return ((struct fixture *)arg)->mono_ms;
}

void fixture_set_issuer(struct fixture *f, const char *issuer)
{
    issuer_settings_free(&f->settings);
    assert_int_equal(issuer_settings_init(&f->settings, issuer, 300, NULL), POSTERN_OK);
    assert_int_equal(issuer_settings_add_service(&f->settings, "imap", FIXTURE_IMAP " app-id-without-scheme",
                                                 "mail.read", NULL), POSTERN_OK);
    assert_int_equal(issuer_settings_add_service(&f->settings, "ldap", FIXTURE_LDAP, "ldap.read mail.read", NULL),
                     POSTERN_OK);
    assert_int_equal(issuer_settings_add_service(&f->settings, "opaque", "just-a-name", "", NULL), POSTERN_OK);
}

void fixture_load_door(struct fixture *f)
{
    test_folder folder;

    test_folder_make(&folder);
    test_folder_put(&folder, "issuer.conf", "issuer: " FIXTURE_ISSUER "\njwks_file: k\n");
    test_folder_put(&folder, "issuers/own.conf",
                    "issuer: " FIXTURE_ISSUER "\njwks_file: k\nallow_loopback_http: yes\n");
    test_folder_put(&folder, "services/imap.conf",
                    "audience: " FIXTURE_IMAP "\nhelper_peers: 0\nrequired_scopes: mail.read\n");
    test_folder_put(&folder, "doors/cache.conf",
                    "audience: " FIXTURE_CACHE "\nrequired_scopes: cache.use cache.read\nprotocol: raw\n"
                    "policy: cache\nlisten: 127.0.0.1:6380\nbackend: 127.0.0.1:6379\n"
                    "required_scopes_any: cache.write cache.admin\ntls_client_certificate: ask\n");
    assert_int_equal(postern_config_load(folder.path, &f->config, NULL), POSTERN_OK);
    issuer_settings_free(&f->settings);
    assert_int_equal(issuer_settings_load(&f->settings, f->config, NULL), POSTERN_OK);
    test_folder_remove(&folder);
}

int fixture_set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -1;
    *f = (struct fixture){ .now_s = FIXTURE_NOW_S, .answer = ANSWER_INIT };
    *state = f;
    if (snprintf(f->dir, sizeof f->dir, "%s/postern-issuer-XXXXXX", test_folder_fast()) < 0 || mkdtemp(f->dir) == NULL)
        return -1;
    fixture_set_issuer(f, FIXTURE_ISSUER);
    f->is.clock = (postern_clock){ still_now_s, still_mono_ms, f };
    f->is.settings = &f->settings;
    if (rate_table_new(7, &f->is.rates, NULL) != POSTERN_OK ||
        store_open(f->dir, &f->is.store, NULL) != POSTERN_OK ||
        postern_signing_key_generate(&f->key, NULL) != POSTERN_OK)
        return -1;
    f->is.key = f->key;
    return 0;
}

int fixture_tear_down(void **state)
{
    static const char *const names[] = { "clients.db", "clients.db-wal", "clients.db-shm" };
    struct fixture *f = *state;
    char path[128];

    store_close(f->is.store);
    rate_table_free(f->is.rates);
    postern_context_free(f->is.whoami_tokens);
    postern_context_free(f->is.own_tokens);
    postern_signing_key_free(f->key);
    issuer_settings_free(&f->settings);
    postern_config_free(f->config);
    answer_free(&f->answer);
    postern_json_free(&f->json);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (snprintf(path, sizeof path, "%s/%s", f->dir, names[i]) > 0 && unlink(path) != 0 && errno != ENOENT)
            return -1;
    if (rmdir(f->dir) != 0)
        return -1;
    free(f);
    return 0;
}

postern_secret *fixture_add_client(struct fixture *f, const char *name, const char *scopes, const char *resources)
{
    struct clients_refusal refusal = { 0 };
    postern_secret *secret = NULL;
    postern_error err = { 0 };

    if (clients_add(&f->is, &(struct client_wish){ .name = name, .scopes = scopes, .resources = resources }, &secret,
                    &refusal, &err) != CLIENTS_DONE)
        fail_msg("%s: %s%s", name, refusal.message, err.detail);
    return secret;
}

void fixture_ask(struct fixture *f, struct http_request rq)
{
    postern_error err = { 0 };

    if (rq.method == NULL)
        rq.method = "POST";
    if (rq.path == NULL)
        rq.path = "/oauth/token";
    if (rq.host == NULL)
        rq.host = FIXTURE_HOST;
    if (rq.source == NULL)
        rq.source = "::1";
    answer_free(&f->answer);
    f->answer = ANSWER_INIT;
    routes_answer(&f->is, &rq, &f->answer);
    assert_false(f->answer.body.failed);
    if (postern_json_scan(&f->json, postern_buf_bytes(&f->answer.body), &err) != POSTERN_OK)
        fail_msg("answer is no JSON: %s", err.detail);
}

void fixture_get(struct fixture *f, const char *path)
{
    fixture_ask(f, (struct http_request){ .method = "GET", .path = path });
}

void assert_status(const struct fixture *f, int want)
{
    if (f->answer.status != want)
        fail_msg("status %d, not %d: %.*s", f->answer.status, want, (int)f->answer.body.len,
                 (const char *)f->answer.body.ptr);
}

void assert_text(const struct fixture *f, const char *name, const char *want)
{
    uint32_t node = postern_json_member(&f->json, 0, name);

    if (!postern_json_string_is(&f->json, node, want))
        fail_msg("%s is not \"%s\": %.*s", name, want, (int)f->answer.body.len, (const char *)f->answer.body.ptr);
}

void assert_absent(const struct fixture *f, const char *name)
{
    assert_int_equal(postern_json_member(&f->json, 0, name), POSTERN_JSON_ABSENT);
}

void assert_list(const struct fixture *f, const char *name, const char *want)
{
    POSTERN_AUTO_BUF got = POSTERN_BUF_INIT(4096);
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(4096);
    uint32_t list = postern_json_member(&f->json, 0, name);
    postern_bytes word;

    assert_int_equal(postern_json_type_of(&f->json, list), POSTERN_JSON_ARRAY);
    for (uint32_t n = postern_json_first(&f->json, list); n != POSTERN_JSON_ABSENT; n = postern_json_next(&f->json, n)) {
        assert_true(postern_json_string(&f->json, n, &scratch, &word));
        if (got.len != 0)
            postern_buf_add_byte(&got, ' ');
        postern_buf_add(&got, word);
    }
    if (got.len != 0 || want[0] != '\0')
        assert_string_equal(postern_buf_cstr(&got), want);
}

static void assert_sentence(const struct fixture *f, const char *name)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(8192);
    postern_bytes text;

    assert_true(postern_json_string(&f->json, postern_json_member(&f->json, 0, name), &scratch, &text));
    assert_true(text.len > 3);
    for (size_t i = 0; i < text.len; i++)
        assert_true(text.ptr[i] >= 0x20 && text.ptr[i] < 0x7F && text.ptr[i] != '"' && text.ptr[i] != '\\');
}

void assert_error(const struct fixture *f, int status, const char *error)
{
    assert_status(f, status);
    assert_text(f, "error", error);
    assert_sentence(f, "error_description");
    assert_sentence(f, "message");
    assert_string_equal(f->answer.content_type, "application/json");
    assert_string_equal(f->answer.cache_control, "no-store");
}
