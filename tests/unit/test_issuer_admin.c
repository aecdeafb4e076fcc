/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/admin.c and clients.c: what an administrator may ask, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "issuer/admin.h"
#include "issuer/passwords.h"
#include "issuer_fixture.h"

/* The reply to `line`, its JSON in f->json, its text in f->answer.body. */
static bool ask(struct fixture *f, const char *line)
{
    struct admin_reply r = ADMIN_REPLY_INIT;
    bool was_removal;

    admin_answer(&f->is, postern_bytes_str(line), &r);
    was_removal = r.is_removal;
    if (r.take_job != NULL) {
        struct admin_job *job = r.take_job;

        r.take_job = NULL;
        job->work.run(&job->work);
        job->finish(job, &r);
        job->work.free(&job->work);
    }
    if (was_removal)
        admin_finish_removal(&r, VERIFIER_KNOWS, VERIFIER_AWAY);
    answer_free(&f->answer);
    f->answer = ANSWER_INIT;
    postern_buf_add(&f->answer.body, postern_buf_bytes(&r.text));
    assert_false(r.text.failed || f->answer.body.failed);
    admin_reply_free(&r);
    assert_int_equal(postern_json_scan(&f->json, postern_buf_bytes(&f->answer.body), NULL), POSTERN_OK);
    return was_removal;
}

static void assert_ok(const struct fixture *f)
{
    if (postern_json_type_of(&f->json, postern_json_member(&f->json, 0, "ok")) != POSTERN_JSON_TRUE)
        fail_msg("refused: %.*s", (int)f->answer.body.len, (const char *)f->answer.body.ptr);
}

static void assert_refused(struct fixture *f, const char *line, const char *error)
{
    ask(f, line);
    if (postern_json_type_of(&f->json, postern_json_member(&f->json, 0, "ok")) != POSTERN_JSON_FALSE)
        fail_msg("accepted: %s", line);
    if (!postern_json_string_is(&f->json, postern_json_member(&f->json, 0, "error"), error))
        fail_msg("%s: %.*s", line, (int)f->answer.body.len, (const char *)f->answer.body.ptr);
    assert_absent(f, "client_secret");
    assert_int_not_equal(postern_json_member(&f->json, 0, "message"), POSTERN_JSON_ABSENT);
}

#define ADD_START "{\"verb\":\"client_add\",\"name\":\"agent-7\","
#define ADD ADD_START "\"scopes\":[\"mail.read\",\"mail.read\",\"x\"],\"resources\":[\"" FIXTURE_IMAP "\"]}"

static void a_client_is_added_with_a_secret_shown_once(void **state)
{
    struct fixture *f = *state;
    struct client_record c;
    postern_bytes secret;
    bool found = false, is_known = false;

    ask(f, ADD);
    assert_ok(f);
    assert_text(f, "name", "agent-7");
    assert_true(postern_json_string(&f->json, postern_json_member(&f->json, 0, "client_secret"), NULL, &secret));
    assert_int_equal(secret.len, 43); /* 256 bits, base64url */
    assert_int_equal(clients_authenticate(&f->is, "agent-7", secret, &is_known, &c, NULL), POSTERN_OK);
    assert_true(is_known);
    assert_int_equal(store_client_find(f->is.store, "agent-7", &found, &c, NULL), POSTERN_OK);
    assert_true(found);
    assert_string_equal(c.scopes, "mail.read x");
    assert_string_equal(c.resources, FIXTURE_IMAP);
    assert_int_equal(c.created_s, FIXTURE_NOW_S);
    assert_refused(f, ADD, "exists");
}

static void a_secret_that_is_off_by_one_byte_is_not_the_clients(void **state)
{
    struct fixture *f = *state;
    postern_secret *secret = fixture_add_client(f, "agent-7", "", FIXTURE_IMAP);
    postern_bytes good = postern_secret_bytes(secret);
    struct client_record c;
    char bad[64];
    bool is_known = true;

    memcpy(bad, good.ptr, good.len);
    bad[0] = bad[0] == 'A' ? 'B' : 'A';
    assert_int_equal(clients_authenticate(&f->is, "agent-7", (postern_bytes){ (uint8_t *)bad, good.len }, &is_known, &c, NULL),
                     POSTERN_OK);
    assert_false(is_known);
    assert_int_equal(clients_authenticate(&f->is, "agent-7", (postern_bytes){ good.ptr, good.len - 1 }, &is_known, &c, NULL),
                     POSTERN_OK);
    assert_false(is_known);
    assert_int_equal(clients_authenticate(&f->is, "agent-7", POSTERN_BYTES_NONE, &is_known, &c, NULL), POSTERN_OK);
    assert_false(is_known);
    assert_int_equal(clients_authenticate(&f->is, "agent-8", good, &is_known, &c, NULL), POSTERN_OK);
    assert_false(is_known);
    postern_secret_free(secret);
}

static void names_are_narrow_and_never_an_administrators(void **state)
{
    static const char *const bad[] = { "", "Agent", "a b", "a/b", "-a", ".a", "a\\u00e9", "a\\n", "root", "nobody", "postern-issuer",
                                       "a:b", "a@b",
                                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 65 */ };
    struct fixture *f = *state;
    char line[256];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(snprintf(line, sizeof line, "{\"verb\":\"client_add\",\"name\":\"%s\",\"resources\":[\"" FIXTURE_IMAP "\"]}",
                             bad[i]) > 0);
        assert_refused(f, line, "bad_name");
    }
    ask(f, "{\"verb\":\"client_add\",\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
           "\"resources\":[\"" FIXTURE_IMAP "\"]}"); /* 64 */
    assert_ok(f);
    ask(f, "{\"verb\":\"client_add\",\"name\":\"_a.b-1\",\"resources\":[\"" FIXTURE_IMAP "\"]}");
    assert_ok(f);
}

#define ADD_MORE ADD_START "\"resources\":[\"" FIXTURE_IMAP "\"],"

static void find_client(struct fixture *f, struct client_record *ret)
{
    bool found = false;

    assert_int_equal(store_client_find(f->is.store, "agent-7", &found, ret, NULL), POSTERN_OK);
    assert_true(found);
}

static void a_public_client_has_redirect_uris_and_no_secret(void **state)
{
    struct fixture *f = *state;
    struct client_record c;
    bool is_known = true;

    assert_refused(f, ADD_MORE "\"public\":true}", "bad_redirect_uri");
    assert_refused(f, ADD_MORE "\"public\":true,\"redirect_uris\":[\"https://a/\"],\"may_impersonate\":true}", "bad_flags");
    assert_refused(f, ADD_MORE "\"public\":true,\"redirect_uris\":[\"https://a/\"],\"may_introspect\":true}", "bad_flags");
    assert_refused(f, ADD_MORE "\"public\":1,\"redirect_uris\":[\"https://a/\"]}", "bad_request");
    ask(f, ADD_MORE "\"public\":true,\"title\":\"Mail \\u00e9\",\"redirect_uris\":[\"https://a/\",\"http://127.0.0.1/cb\"]}");
    assert_ok(f);
    assert_absent(f, "client_secret");
    find_client(f, &c);
    assert_int_equal(c.auth, CLIENT_AUTH_BY_NOTHING);
    assert_string_equal(c.redirects, "https://a/ http://127.0.0.1/cb");
    assert_string_equal(c.title, "Mail \xc3\xa9");
    /* its row holds zeros for a hash, which no secret has, and is never compared anyway */
    assert_int_equal(clients_authenticate(&f->is, "agent-7", POSTERN_BYTES_NONE, &is_known, &c, NULL), POSTERN_OK);
    assert_false(is_known);
}

static void redirect_uris_and_titles_are_judged(void **state)
{
    static const char *const uris[] = { "http://app.example.org/", "https://a/#x", "javascript:alert(1)", "https://*.a/",
                                        "https://u@a/", "myapp:/x" };
    static const char *const titles[] = { "a\\u0007b", "a\\u202eb", "a\\u200fb", "a\\u0085b", "a\\u2066b", "\\ufeffa", "a\\u061cb",
                                          "a\\u007fb" };
    struct fixture *f = *state;
    char line[512];

    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        assert_true(snprintf(line, sizeof line, ADD_MORE "\"redirect_uris\":[\"https://a/\",\"%s\"]}", uris[i]) > 0);
        assert_refused(f, line, "bad_redirect_uri");
    }
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        assert_true(snprintf(line, sizeof line, ADD_MORE "\"title\":\"%s\"}", titles[i]) > 0);
        assert_refused(f, line, "bad_title");
    }
}

static void a_clients_keys_are_public_and_strong(void **state)
{
    static const char *const bad[] = { "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
                                       "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\"}]}" };
    struct fixture *f = *state;
    POSTERN_AUTO_BUF jwk = POSTERN_BUF_INIT(1024);
    struct client_record c;
    char line[2048];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(snprintf(line, sizeof line, ADD_MORE "\"jwks\":%s}", bad[i]) > 0);
        assert_refused(f, line, "bad_keys");
    }
    assert_refused(f, ADD_MORE "\"jwks\":\"https://a/\"}", "bad_request");
    assert_int_equal(postern_signing_key_public_jwk(f->key, &jwk, NULL), POSTERN_OK);
    assert_true(snprintf(line, sizeof line, ADD_MORE "\"jwks\":{\"keys\":[%.*s,\"d\":\"AA\"}]}}", (int)jwk.len - 1, jwk.ptr) > 0);
    assert_refused(f, line, "bad_keys"); /* a private member */
    assert_true(snprintf(line, sizeof line, ADD_MORE "\"public\":true,\"redirect_uris\":[\"https://a/\"],\"jwks\":{\"keys\":[%.*s]}}",
                         (int)jwk.len, jwk.ptr) > 0);
    assert_refused(f, line, "bad_keys"); /* public and by key */
    assert_true(snprintf(line, sizeof line, ADD_MORE "\"may_introspect\":true,\"jwks\":{\"keys\":[%.*s]}}", (int)jwk.len, jwk.ptr) > 0);
    ask(f, line);
    assert_ok(f);
    assert_absent(f, "client_secret");
    find_client(f, &c);
    assert_int_equal(c.auth, CLIENT_AUTH_BY_KEY);
    assert_int_equal(c.flags, CLIENT_MAY_INTROSPECT);
    ask(f, "{\"verb\":\"client_show\",\"name\":\"agent-7\"}");
    assert_ok(f);
    assert_non_null(strstr(postern_buf_cstr(&f->answer.body), "\"private_key_jwt\""));
    assert_int_equal(postern_json_type_of(&f->json, postern_json_member(&f->json, 0, "jwks")), POSTERN_JSON_OBJECT);
    assert_refused(f, "{\"verb\":\"client_rotate_secret\",\"name\":\"agent-7\"}", "no_secret");
    assert_refused(f, "{\"verb\":\"client_show\",\"name\":\"agent-8\"}", "no_such_client");
}

static void a_new_secret_voids_the_old_one_at_once(void **state)
{
    struct fixture *f = *state;
    postern_secret *old = fixture_add_client(f, "agent-7", "", FIXTURE_IMAP);
    struct client_record c;
    postern_bytes fresh;
    bool is_known = true;

    ask(f, "{\"verb\":\"client_rotate_secret\",\"name\":\"agent-7\"}");
    assert_ok(f);
    assert_true(postern_json_string(&f->json, postern_json_member(&f->json, 0, "client_secret"), NULL, &fresh));
    assert_int_equal(clients_authenticate(&f->is, "agent-7", postern_secret_bytes(old), &is_known, &c, NULL), POSTERN_OK);
    assert_false(is_known);
    assert_int_equal(clients_authenticate(&f->is, "agent-7", fresh, &is_known, &c, NULL), POSTERN_OK);
    assert_true(is_known);
    assert_refused(f, "{\"verb\":\"client_rotate_secret\",\"name\":\"agent-8\"}", "no_such_client");
    assert_refused(f, "{\"verb\":\"client_rotate_secret\",\"name\":\"Agent-7\"}", "no_such_client");
    postern_secret_free(old);
}

static void an_invitation_is_made_where_registration_takes_them(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "{\"verb\":\"client_invite\"}", "registration_off");
    f->settings.registration = REGISTRATION_TOKEN;
    ask(f, "{\"verb\":\"client_invite\",\"uses\":3,\"for\":3600}");
    assert_ok(f);
    assert_int_not_equal(postern_json_member(&f->json, 0, "initial_access_token"), POSTERN_JSON_ABSENT);
    assert_refused(f, "{\"verb\":\"client_invite\",\"uses\":1001}", "bad_request");
    assert_refused(f, "{\"verb\":\"client_invite\",\"for\":2592001}", "bad_request");
    assert_refused(f, "{\"verb\":\"client_invite\",\"uses\":0}", "bad_request");
    assert_refused(f, "{\"verb\":\"client_invite\",\"for\":-1}", "bad_request");
}

static void resources_must_be_audiences_of_a_service(void **state)
{
    static const char *const bad[] = { "", "\"https://other.example/imap\"", "\"" FIXTURE_IMAP "\",\"https://other.example/imap\"",
                                       "\"" FIXTURE_IMAP "#x\"", "\"app-id-without-scheme\"", "\"" FIXTURE_IMAP "/\"" };
    struct fixture *f = *state;
    char line[512];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(snprintf(line, sizeof line, ADD_START "\"resources\":[%s]}", bad[i]) > 0);
        assert_refused(f, line, "bad_resource");
    }
    assert_refused(f, ADD_START "\"resources\":[\"https://other.example/imap\"]}", "bad_resource");
    assert_non_null(strstr(postern_buf_cstr(&f->answer.body), FIXTURE_LDAP)); /* says what there is */
    ask(f, ADD_START "\"resources\":[\"" FIXTURE_LDAP "\",\"" FIXTURE_IMAP "\"]}");
    assert_ok(f);
}

static void scopes_keep_to_their_grammar(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, ADD_START "\"scopes\":[\"a\\\"b\"],\"resources\":[\"" FIXTURE_IMAP "\"]}", "bad_scope");
    assert_refused(f, ADD_START "\"scopes\":[\"a\\\\b\"],\"resources\":[\"" FIXTURE_IMAP "\"]}", "bad_scope");
    assert_refused(f, ADD_START "\"scopes\":[\"\\u00e9\"],\"resources\":[\"" FIXTURE_IMAP "\"]}", "bad_scope");
}

static void a_request_that_is_not_exactly_right_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "x", "[]", "1", "{}", "{\"verb\":1}", "{\"verb\":\"client_drop\",\"name\":\"a\"}", "{\"verb\":\"client_remove\"}",
        "{\"verb\":\"client_remove\",\"name\":1}", "{\"verb\":\"client_remove\",\"name\":\"a\",\"name\":\"b\"}",
        "{\"verb\":\"client_remove\",\"name\":\"a\",\"force\":true}", "{\"verb\":\"client_remove\",\"name\":\"a\",\"after\":\"b\"}",
        "{\"verb\":\"client_remove\",\"name\":\"a\"} x", "{\"verb\":\"client_remove\",\"name\":\"a\\u0000\"}",
        "{\"verb\":\"client_list\",\"name\":\"a\"}", ADD_START "\"scopes\":\"a\",\"resources\":[\"" FIXTURE_IMAP "\"]}",
        ADD_START "\"scopes\":[1],\"resources\":[\"" FIXTURE_IMAP "\"]}",
        ADD_START "\"scopes\":[\"a b\"],\"resources\":[\"" FIXTURE_IMAP "\"]}",
        ADD_START "\"scopes\":[\"\"],\"resources\":[\"" FIXTURE_IMAP "\"]}", ADD_START "\"scopes\":[\"a\"]}",
        "{\"verb\":\"client_add\",\"resources\":[\"" FIXTURE_IMAP "\"]}",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(f, bad[i], "bad_request");
}

static void clients_are_listed_without_their_secrets(void **state)
{
    struct fixture *f = *state;
    uint32_t clients, first;

    ask(f, "{\"verb\":\"client_list\"}");
    assert_ok(f);
    assert_int_equal(postern_json_first(&f->json, postern_json_member(&f->json, 0, "clients")), POSTERN_JSON_ABSENT);
    postern_secret_free(fixture_add_client(f, "b", "s", FIXTURE_IMAP));
    postern_secret_free(fixture_add_client(f, "a", "", FIXTURE_IMAP));
    ask(f, "{\"verb\":\"client_list\"}");
    clients = postern_json_member(&f->json, 0, "clients");
    first = postern_json_first(&f->json, clients);
    assert_true(postern_json_string_is(&f->json, postern_json_member(&f->json, first, "name"), "a"));
    assert_null(strstr(postern_buf_cstr(&f->answer.body), "secret_"));
    assert_null(strstr(postern_buf_cstr(&f->answer.body), "sha256"));
    assert_int_equal(postern_json_type_of(&f->json, postern_json_member(&f->json, 0, "more")), POSTERN_JSON_FALSE);
    ask(f, "{\"verb\":\"client_list\",\"after\":\"a\"}");
    first = postern_json_first(&f->json, postern_json_member(&f->json, 0, "clients"));
    assert_true(postern_json_string_is(&f->json, postern_json_member(&f->json, first, "name"), "b"));
    assert_int_equal(postern_json_next(&f->json, first), POSTERN_JSON_ABSENT);
}

static void a_full_page_says_that_there_is_more(void **state)
{
    struct fixture *f = *state;
    char name[32];

    for (int i = 0; i < ADMIN_PAGE; i++) {
        assert_true(snprintf(name, sizeof name, "agent-%03d", i) > 0);
        postern_secret_free(fixture_add_client(f, name, "", FIXTURE_IMAP));
    }
    ask(f, "{\"verb\":\"client_list\"}");
    assert_int_equal(postern_json_type_of(&f->json, postern_json_member(&f->json, 0, "more")), POSTERN_JSON_TRUE);
    ask(f, "{\"verb\":\"client_list\",\"after\":\"agent-099\"}");
    assert_int_equal(postern_json_type_of(&f->json, postern_json_member(&f->json, 0, "more")), POSTERN_JSON_FALSE);
}

static void a_removal_is_pushed_and_then_reported(void **state)
{
    struct fixture *f = *state;
    struct revocation *removals = NULL;
    int64_t at = 0;
    size_t count = 0;

    assert_refused(f, "{\"verb\":\"client_remove\",\"name\":\"agent-7\"}", "no_such_client");
    postern_secret_free(fixture_add_client(f, "agent-7", "", FIXTURE_IMAP));
    assert_true(ask(f, "{\"verb\":\"client_remove\",\"name\":\"agent-7\"}"));
    assert_ok(f);
    assert_text(f, "helper", "knows");
    assert_true(postern_json_integer(&f->json, postern_json_member(&f->json, 0, "removed_at"), &at));
    assert_int_equal(at, FIXTURE_NOW_S);
    assert_refused(f, "{\"verb\":\"client_remove\",\"name\":\"agent-7\"}", "no_such_client");

    f->now_s += ISSUER_REMOVAL_KEEP_S; /* a token of that second may still pass somewhere */
    assert_int_equal(issuer_forget_what_is_over(&f->is, NULL), POSTERN_OK);
    assert_int_equal(store_revocations_list(f->is.store, &removals, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 1);
    free(removals);
    f->now_s++;
    assert_int_equal(issuer_forget_what_is_over(&f->is, NULL), POSTERN_OK);
    assert_int_equal(store_revocations_list(f->is.store, &removals, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 0);
}

static void what_the_helper_said_is_what_the_administrator_hears(void **state)
{
    static const struct { verifier_news news; const char *word; } cases[] = {
        { VERIFIER_AWAY, "\"helper\":\"away\"" }, { VERIFIER_SILENT, "\"helper\":\"silent\"" }, { VERIFIER_KNOWS, "\"helper\":\"knows\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct admin_reply r = ADMIN_REPLY_INIT;

        memcpy(r.client, "agent-7", 8);
        admin_finish_removal(&r, cases[i].news, VERIFIER_AWAY);
        assert_non_null(strstr(postern_buf_cstr(&r.text), cases[i].word));
        assert_non_null(strstr(postern_buf_cstr(&r.text), "\"ok\":true"));
        admin_reply_free(&r);
    }
}

/* ---- people ---- */

#define ADD_ALICE "{\"verb\":\"user_add\",\"name\":\"alice\",\"password\":\"correct horse battery staple\"}"

static void a_person_is_added_listed_and_removed(void **state)
{
    struct fixture *f = *state;
    struct user_record user;
    bool found = false;
    uint32_t list;
    int64_t ended = -1;

    ask(f, ADD_ALICE);
    assert_ok(f);
    assert_text(f, "name", "alice");
    assert_absent(f, "password");
    assert_int_equal(store_user_find(f->is.store, "alice", &found, &user, NULL), POSTERN_OK);
    assert_true(found);
    assert_int_equal(user.log_n, PASSWORD_LOG_N);
    assert_int_equal(user.created_s, FIXTURE_NOW_S);
    ask(f, "{\"verb\":\"user_list\"}");
    assert_ok(f);
    list = postern_json_member(&f->json, 0, "users");
    assert_true(postern_json_string_is(&f->json, postern_json_member(&f->json, postern_json_first(&f->json, list), "name"),
                                       "alice"));
    assert_int_equal(postern_json_type_of(&f->json, postern_json_member(&f->json, 0, "more")), POSTERN_JSON_FALSE);
    ask(f, "{\"verb\":\"user_list\",\"after\":\"alice\"}");
    assert_int_equal(postern_json_first(&f->json, postern_json_member(&f->json, 0, "users")), POSTERN_JSON_ABSENT);
    ask(f, "{\"verb\":\"user_remove\",\"name\":\"alice\"}");
    assert_ok(f);
    assert_true(postern_json_integer(&f->json, postern_json_member(&f->json, 0, "grants_ended"), &ended));
    assert_int_equal(ended, 0);
    assert_refused(f, "{\"verb\":\"user_remove\",\"name\":\"alice\"}", "no_such_user");
}

static void people_and_clients_share_one_name_space(void **state)
{
    struct fixture *f = *state;

    ask(f, ADD);
    ask(f, ADD_ALICE);
    assert_ok(f);
    assert_refused(f, ADD_ALICE, "exists");
    assert_refused(f, "{\"verb\":\"user_add\",\"name\":\"agent-7\",\"password\":\"correct horse battery staple\"}", "exists");
    assert_refused(f, "{\"verb\":\"client_add\",\"name\":\"alice\",\"resources\":[\"" FIXTURE_IMAP "\"]}", "exists");
}

/* The look before the hash is not the one that counts. */
static void a_name_taken_while_the_password_is_hashed_is_refused(void **state)
{
    struct fixture *f = *state;
    struct admin_reply r = ADMIN_REPLY_INIT;
    struct admin_job *job;

    admin_answer(&f->is, postern_bytes_str(ADD_ALICE), &r);
    job = r.take_job;
    assert_non_null(job);
    r.take_job = NULL;
    job->work.run(&job->work);
    ask(f, "{\"verb\":\"client_add\",\"name\":\"alice\",\"resources\":[\"" FIXTURE_IMAP "\"]}");
    assert_ok(f);
    job->finish(job, &r);
    job->work.free(&job->work);
    assert_non_null(strstr(postern_buf_cstr(&r.text), "\"exists\""));
    admin_reply_free(&r);
}

static void a_persons_name_and_password_are_judged(void **state)
{
    static const struct { const char *name, *password, *error; } bad[] = {
        { "", "correct horse battery staple", "bad_name" },      { "Alice", "correct horse battery staple", "bad_name" },
        { "-x", "correct horse battery staple", "bad_name" },    { "a b", "correct horse battery staple", "bad_name" },
        { "root", "correct horse battery staple", "bad_name" },  { "postern", "correct horse battery staple", "bad_name" },
        { "alice", "", "bad_password" },                         { "alice", "fourteen bytes", "bad_password" },
        { "alice", "a line\\nand another one", "bad_password" },
    };
    struct fixture *f = *state;
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(1024);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        postern_buf_reset(&line);
        postern_buf_addf(&line, "{\"verb\":\"user_add\",\"name\":\"%s\",\"password\":\"%s\"}", bad[i].name, bad[i].password);
        assert_refused(f, postern_buf_cstr(&line), bad[i].error);
    }
    assert_refused(f, "{\"verb\":\"user_add\",\"name\":\"alice\"}", "bad_request");
    assert_refused(f, "{\"verb\":\"user_list\",\"password\":\"x\"}", "bad_request");
    assert_refused(f, "{\"verb\":\"client_remove\",\"name\":\"x\",\"password\":\"x\"}", "bad_request");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_added_with_a_secret_shown_once),
        TEST(a_secret_that_is_off_by_one_byte_is_not_the_clients),
        TEST(names_are_narrow_and_never_an_administrators),
        TEST(a_public_client_has_redirect_uris_and_no_secret),
        TEST(redirect_uris_and_titles_are_judged),
        TEST(a_clients_keys_are_public_and_strong),
        TEST(a_new_secret_voids_the_old_one_at_once),
        TEST(an_invitation_is_made_where_registration_takes_them),
        TEST(resources_must_be_audiences_of_a_service),
        TEST(scopes_keep_to_their_grammar),
        TEST(a_request_that_is_not_exactly_right_is_refused),
        TEST(clients_are_listed_without_their_secrets),
        TEST(a_full_page_says_that_there_is_more),
        TEST(a_removal_is_pushed_and_then_reported),
        TEST(what_the_helper_said_is_what_the_administrator_hears),
        TEST(a_person_is_added_listed_and_removed),
        TEST(people_and_clients_share_one_name_space),
        TEST(a_name_taken_while_the_password_is_hashed_is_refused),
        TEST(a_persons_name_and_password_are_judged),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
