/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A form at the token, introspection or revocation endpoint of an issuer with clients, a grant, a code and a refresh token.  The
 * first byte chooses the endpoint, the second the client whose credentials go with the rest ('s': one that registered itself).  In the rest @A stands for a good
 * access token of mcp for alice, @B for one of another client, @M for mcp's own, @G for mcp's with alice's grant behind it, @D for
 * one that went through hands already, @N for one that names mcp in may_act, @O for one of a scope that no client has, @C for a
 * code, @R for a refresh token.  Whatever comes, the answer is whole JSON with a known status, and a token never has a scope or a
 * resource that was not allowed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "issuer/grants.h"
#include "issuer/opaque.h"
#include "issuer/own_token.h"
#include "issuer/routes.h"

#define IMAP "https://mail.example.org/imap"
#define LDAP "https://ldap.example.org/ldap"
#define ISSUER "http://127.0.0.1:8414"
#define NOW_S 1700000000
#define BODY_MAX 65000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const unsigned long fuzz_replay_runs;
const unsigned long fuzz_replay_runs = 20000; /* an input is a request to an issuer with a store: 50 us */

static struct issuer_settings settings;
static struct issuer is;
static char dir[64]; /* in memory where there is such a place: the disk is not what is looked for */
static char *access_token, *other_token, *own_token, *granted_token, *passed_token, *bound_token, *odd_token;
static int64_t mono_ms;
static char code[32], refresh[32];

static void require(bool holds)
{
    if (!holds)
        abort();
}

static int64_t still_now_s(void *arg)
{
    (void)arg;
    return NOW_S;
}

static int64_t slow_mono_ms(void *arg)
{
    return *(int64_t *)arg;
}

static void add_client(const char *name, client_auth_method auth, unsigned flags)
{
    struct client_record c = { .auth = auth, .flags = flags, .scopes = "a b", .resources = IMAP " " LDAP };
    store_add added = STORE_ADD_UNSET;

    require(snprintf(c.name, sizeof c.name, "%s", name) > 0);
    require(opaque_hash(POSTERN_BYTES_LIT("s"), c.secret_sha256, NULL) == POSTERN_OK);
    require(store_client_add(is.store, &c, &added, NULL) == POSTERN_OK && added == STORE_ADDED);
}

/* alice lets the client do a at IMAP; the code is used up for the refresh token where there is one. */
static void add_grant(const char *id, const char *client, const char *code_text, const char *refresh_text)
{
    struct grant_record g = { .user = "alice", .scopes = "a", .resources = IMAP, .details = "[{\"type\":\"x\"}]",
                              .created_s = NOW_S, .auth_time_s = NOW_S, .ends_s = NOW_S + 3600 };
    struct code_record c = { .redirect = "http://127.0.0.1/cb", .challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
                             .expires_s = NOW_S + 60 };
    struct refresh_record r = { .created_s = NOW_S, .expires_s = NOW_S + 3600 };
    grant_use use = GRANT_USE_UNSET;

    require(snprintf(g.id, sizeof g.id, "%s", id) > 0 && snprintf(g.client, sizeof g.client, "%s", client) > 0);
    memcpy(c.grant, g.id, sizeof c.grant);
    memcpy(r.grant, g.id, sizeof r.grant);
    require(opaque_hash(postern_bytes_str(code_text), c.sha256, NULL) == POSTERN_OK &&
            store_grant_add(is.store, &g, &c, NULL) == POSTERN_OK);
    if (refresh_text != NULL)
        require(opaque_hash(postern_bytes_str(refresh_text), r.sha256, NULL) == POSTERN_OK &&
                store_code_redeem(is.store, c.sha256, NOW_S, &r, &use, NULL) == POSTERN_OK && use == GRANT_USED);
}

static bool is_fresh(const char *text, bool is_code)
{
    struct code_record c;
    struct refresh_record r;
    struct grant_record g = { 0 };
    uint8_t sha256[GRANT_HASH];
    grant_use use = GRANT_USE_UNSET;

    require(opaque_hash(postern_bytes_str(text), sha256, NULL) == POSTERN_OK);
    require((is_code ? store_code_find(is.store, sha256, NOW_S, &use, &c, &g, NULL)
                     : store_refresh_find(is.store, sha256, NOW_S, &use, &r, &g, NULL)) == POSTERN_OK);
    return use == GRANT_USED;
}

/* What an input used up or ended is there again for the next, under another name. */
static void renew(void)
{
    static unsigned n;
    char id[16], used[32];

    if (!is_fresh(code, true)) {
        require(snprintf(id, sizeof id, "g%u", ++n) > 0 && snprintf(code, sizeof code, "c%u", n) > 0);
        add_grant(id, "pub", code, NULL);
    }
    if (!is_fresh(refresh, false)) {
        require(snprintf(id, sizeof id, "h%u", ++n) > 0 && snprintf(refresh, sizeof refresh, "r%u", n) > 0 &&
                snprintf(used, sizeof used, "u%u", n) > 0);
        add_grant(id, "pub", used, refresh);
    }
}

static char *mint_claims(const struct access_claims *c)
{
    POSTERN_AUTO(secret) token = NULL;
    struct answer a = ANSWER_INIT;
    char *copy;

    require(access_token_mint(&is, c, NOW_S, &token, &a));
    answer_free(&a);
    copy = strndup((const char *)postern_secret_bytes(token).ptr, postern_secret_bytes(token).len);
    require(copy != NULL);
    return copy;
}

static char *mint(const char *subject, const char *client)
{
    struct access_claims c = { .subject = subject, .client = client, .resource = IMAP, .scope = "a", .ends_s = strcmp(subject, client) == 0 ? NOW_S + 60 : INT64_MAX,
                               .details = POSTERN_BYTES_LIT("[{\"type\":\"x\"},{\"type\":\"y\"}]") };

    return mint_claims(&c);
}

static void write_keys(const postern_signing_key *key, const char *path)
{
    POSTERN_AUTO_BUF jwks = POSTERN_BUF_INIT(4096);
    FILE *f = fopen(path, "w");

    postern_buf_add_str(&jwks, "{\"keys\":[");
    require(f != NULL && postern_signing_key_public_jwk(key, &jwks, NULL) == POSTERN_OK);
    postern_buf_add_str(&jwks, "]}");
    require(!jwks.failed && fwrite(jwks.ptr, 1, jwks.len, f) == jwks.len && fclose(f) == 0);
}

static void remove_files(void)
{
    static const char *const names[] = { "clients.db", "clients.db-wal", "clients.db-shm", "jwks.json" };
    char path[128];

    store_close(is.store);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (snprintf(path, sizeof path, "%s/%s", dir, names[i]) > 0)
            (void)unlink(path); /* may not be there */
    (void)rmdir(dir);
}

static void set_up(void)
{
    postern_signing_key *key = NULL;
    char path[128];

    require(snprintf(dir, sizeof dir, "%s/postern-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") > 0);
    require(mkdtemp(dir) != NULL && snprintf(path, sizeof path, "%s/jwks.json", dir) > 0);
    require(issuer_settings_init(&settings, ISSUER, 300, NULL) == POSTERN_OK &&
            issuer_settings_add_service(&settings, "imap", IMAP, "a", NULL) == POSTERN_OK &&
            issuer_settings_add_service(&settings, "ldap", LDAP, "b", NULL) == POSTERN_OK &&
            rate_table_new(7, &is.rates, NULL) == POSTERN_OK && store_open(dir, &is.store, NULL) == POSTERN_OK &&
            postern_signing_key_generate(&key, NULL) == POSTERN_OK);
    require(atexit(remove_files) == 0);
    is.settings = &settings;
    is.key = key;
    is.clock = (postern_clock){ still_now_s, slow_mono_ms, &mono_ms };
    write_keys(key, path);
    require(own_token_load_keys(&is, path, NULL) == POSTERN_OK);
    add_client("pub", CLIENT_AUTH_BY_NOTHING, 0);
    add_client("mcp", CLIENT_AUTH_BY_SECRET, 0);
    add_client("ghost", CLIENT_AUTH_BY_SECRET, CLIENT_MAY_IMPERSONATE);
    add_client("self", CLIENT_AUTH_BY_SECRET, CLIENT_SELF_REGISTERED);
}

static void renew_special_tokens(void)
{
    static unsigned n;
    char grant[16], used[32];
    struct access_claims granted = { .subject = "alice", .client = "mcp", .resource = IMAP, .scope = "a", .ends_s = INT64_MAX,
                                     .grant = grant, .auth_time_s = NOW_S };
    struct access_claims passed = { .subject = "alice", .client = "ghost", .resource = IMAP, .scope = "a", .ends_s = INT64_MAX,
                                    .actors = { "ghost", "mcp" }, .actor_count = 2, .purpose = "read mail",
                                    .parents = { "t-0" }, .parent_count = 1 };
    struct access_claims bound = { .subject = "alice", .client = "ghost", .resource = IMAP, .scope = "a", .ends_s = INT64_MAX,
                                   .may_act = POSTERN_BYTES_LIT("{\"sub\":\"mcp\",\"iss\":\"" ISSUER "\"}") };
    struct access_claims odd = { .subject = "alice", .client = "mcp", .resource = IMAP, .scope = "c", .ends_s = INT64_MAX };

    require(snprintf(grant, sizeof grant, "k%u", ++n) > 0 && snprintf(used, sizeof used, "k%u", n) > 0);
    add_grant(grant, "mcp", used, NULL);
    free(granted_token);
    free(passed_token);
    free(bound_token);
    free(odd_token);
    granted_token = mint_claims(&granted);
    passed_token = mint_claims(&passed);
    bound_token = mint_claims(&bound);
    odd_token = mint_claims(&odd);
}

/* What an input may have revoked is there again. */
static void renew_tokens(void)
{
    free(access_token);
    free(other_token);
    free(own_token);
    access_token = mint("alice", "mcp");
    other_token = mint("alice", "ghost");
    own_token = mint("mcp", "mcp");
    renew_special_tokens();
}

static const char *find_text(uint8_t letter)
{
    switch (letter) {
    case 'A':
        return access_token;
    case 'B':
        return other_token;
    case 'C':
        return code;
    case 'D':
        return passed_token;
    case 'G':
        return granted_token;
    case 'M':
        return own_token;
    case 'N':
        return bound_token;
    case 'O':
        return odd_token;
    case 'R':
        return refresh;
    default:
        return NULL;
    }
}

static void add_expanded(postern_buf *body, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char *what = i + 1 < size && data[i] == '@' ? find_text(data[i + 1]) : NULL;

        if (what == NULL)
            postern_buf_add_byte(body, data[i]);
        else
            postern_buf_add_str(body, what);
        i += what != NULL;
    }
}

/* What a token that was issued may say: nothing that its client or alice's grant did not have; the client of the grant
 * never gets to another resource by it. */
static void check_issued(const postern_json *answer)
{
    uint32_t node = postern_json_member(answer, 0, "access_token");
    AUTO_OWN_TOKEN t = OWN_TOKEN_INIT;
    postern_bytes token;

    if (node == POSTERN_JSON_ABSENT)
        return;
    require(postern_json_string(answer, node, NULL, &token));
    require(own_token_judge(&is, is.own_tokens, token, &t, NULL) == POSTERN_OK);
    require(postern_grant_exp_s(t.grant) <= NOW_S + 300);
    require(strcmp(postern_grant_subject(t.grant), "alice") != 0 || !postern_grant_has_scope(t.grant, "b"));
    require(t.grant_id[0] == '\0' || strcmp(postern_grant_audience(t.grant), LDAP) != 0 ||
            strcmp(postern_grant_client_id(t.grant), "ghost") == 0);
}

static void check_answer(const struct answer *a)
{
    static const int statuses[] = { 200, 400, 401, 413, 503 };
    POSTERN_AUTO_JSON j = { 0 };
    bool is_known = false;

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        is_known = is_known || a->status == statuses[i];
    require(is_known && !a->body.failed);
    require(postern_json_scan(&j, postern_buf_bytes(&a->body), NULL) == POSTERN_OK);
    require((a->status == 200) == (postern_json_member(&j, 0, "error") == POSTERN_JSON_ABSENT));
    check_issued(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = { "/oauth/token", "/oauth/introspect", "/oauth/revoke" };
    static const char *const clients[] = { "client_id=pub&", "client_id=mcp&client_secret=s&", "client_id=ghost&client_secret=s&", "" };
    struct http_request rq = { .method = "POST", .host = "127.0.0.1:8414", .source = "::1",
                               .content_type = "application/x-www-form-urlencoded" };
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(BODY_MAX);
    AUTO_ANSWER a = ANSWER_INIT;

    if (size < 2 || size > 4096)
        return 0;
    if (is.store == NULL) {
        set_up();
        renew_tokens();
    }
    renew();
    mono_ms += 3600000; /* rates are not what is looked for either */
    rq.path = paths[data[0] % 3];
    postern_buf_add_str(&body, data[1] == 's' ? "client_id=self&client_secret=s&" : clients[data[1] % 4]);
    add_expanded(&body, data + 2, size - 2);
    if (body.failed)
        return 0;
    rq.body = postern_buf_bytes(&body);
    routes_answer(&is, &rq, &a);
    check_answer(&a);
    if (data[0] % 3 == 2 && a.status == 200)
        renew_tokens();
    return 0;
}
