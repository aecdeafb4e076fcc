/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the issuer's answers cost beside the signatures in them: a client_credentials token against a bare ES256 signature, an
 * exchange and an introspection against a bare verification (and the exchange's own signature).  Requests go through
 * routes_answer(), with client authentication and the store, without HTTP.  Each candidate in turn in short batches, so that a busy
 * machine slows all; figures are medians of the thread's CPU time.  One JSON object a line.
 *
 *     tests/bench/issuer [ROUNDS]
 */
#include "config.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "issuer/opaque.h"
#include "issuer/own_token.h"
#include "issuer/routes.h"
#include "../support/test_keys.h"

#define ISSUER     "http://127.0.0.1:8414"
#define IMAP       "https://mail.example.org/imap"
#define ROUNDS     101
#define ROUNDS_MAX 1001
#define BATCH      16
#define TEXT_MAX   2048 /* bytes with NUL: a token, a form with one */
#define CREDENTIALS "&client_id=agent-7&client_secret=s"

static struct issuer_settings settings;
static struct issuer is;
static char dir[] = "/tmp/postern-bench-XXXXXX";
static char token[TEXT_MAX]; /* of the last answer */
static int64_t mono_ms = 1;
static EVP_PKEY_CTX *sign_ctx, *verify_ctx;
static uint8_t digest[SHA256_DIGEST_LENGTH], signature[128];
static size_t signature_len;

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "issuer: %s\n", what);
    exit(1);
}

static int64_t wall_s(void *arg)
{
    (void)arg;
    return (int64_t)time(NULL);
}

/* A clock of its own: rates are not what is measured. */
static int64_t slow_mono_ms(void *arg)
{
    (void)arg;
    return mono_ms;
}

static double cpu_us(void)
{
    struct timespec t;

    require(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0, "clock_gettime");
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- candidates ---- */

static void bare_sign(void)
{
    signature_len = sizeof signature;
    require(EVP_Digest(token, sizeof token, digest, NULL, EVP_sha256(), NULL) == 1 &&
            EVP_PKEY_sign(sign_ctx, signature, &signature_len, digest, sizeof digest) == 1, "bare signature");
}

static void bare_verify(void)
{
    require(EVP_PKEY_verify(verify_ctx, signature, signature_len, digest, sizeof digest) == 1, "bare verification");
}

static void ask(const char *path, const char *body, const char *member, char room[TEXT_MAX])
{
    struct http_request rq = { .method = "POST", .host = "127.0.0.1:8414", .source = "::1", .path = path,
                               .content_type = "application/x-www-form-urlencoded", .body = postern_bytes_str(body) };
    AUTO_ANSWER a = ANSWER_INIT;
    const char *found;
    size_t len;

    mono_ms += 25; /* rates never bite */
    routes_answer(&is, &rq, &a);
    require(a.status == 200, path);
    found = strstr(postern_buf_cstr(&a.body), member);
    require(found != NULL, member);
    if (room == NULL)
        return;
    found += strlen(member);
    len = strcspn(found, "\"");
    require(len < TEXT_MAX, "token is too long");
    memcpy(room, found, len);
    room[len] = '\0';
}

static void get_token(void)
{
    ask("/oauth/token", "grant_type=client_credentials" CREDENTIALS, "\"access_token\":\"", token);
}

static void exchange(void)
{
    char body[2 * TEXT_MAX];

    require(snprintf(body, sizeof body, "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=%s"
                     "&subject_token_type=urn:ietf:params:oauth:token-type:access_token" CREDENTIALS, token) > 0, "form");
    ask("/oauth/token", body, "\"access_token\":\"", NULL);
}

static void introspect(void)
{
    char body[2 * TEXT_MAX];

    require(snprintf(body, sizeof body, "token=%s" CREDENTIALS, token) > 0, "form");
    ask("/oauth/introspect", body, "{\"active\":true", NULL);
}

/* `fresh`: each time with a token that nobody has shown yet, made outside the measured time. */
static const struct candidate {
    const char *name, *against;
    void (*run)(void);
    bool is_fresh;
} candidates[] = {
    { "es256-sign", NULL, bare_sign, false },
    { "es256-verify", NULL, bare_verify, false },
    { "token", "es256-sign", get_token, false },
    { "exchange/first", "es256-sign", exchange, true },
    { "exchange/again", "es256-sign", exchange, false },
    { "introspect/first", "es256-verify", introspect, true },
    { "introspect/again", "es256-verify", introspect, false },
};
#define CANDIDATES (sizeof candidates / sizeof *candidates)

static double figures[CANDIDATES][ROUNDS_MAX];

static double run_batch(const struct candidate *c)
{
    double us = 0;

    for (int i = 0; i < BATCH; i++) {
        double start;

        if (c->is_fresh)
            get_token();
        start = cpu_us();
        c->run();
        us += cpu_us() - start;
    }
    return us / BATCH;
}

/* ---- set-up ---- */

static void write_keys(const postern_signing_key *key, const char *path)
{
    POSTERN_AUTO_BUF jwks = POSTERN_BUF_INIT(4096);
    FILE *f = fopen(path, "w");

    postern_buf_add_str(&jwks, "{\"keys\":[");
    require(f != NULL && postern_signing_key_public_jwk(key, &jwks, NULL) == POSTERN_OK, path);
    postern_buf_add_str(&jwks, "]}");
    require(!jwks.failed && fwrite(jwks.ptr, 1, jwks.len, f) == jwks.len && fclose(f) == 0, path);
}

static void add_client(void)
{
    struct client_record c = { .name = "agent-7", .scopes = "mail.read", .resources = IMAP, .used_s = wall_s(NULL) };
    store_add added = STORE_ADD_UNSET;

    require(opaque_hash(POSTERN_BYTES_LIT("s"), c.secret_sha256, NULL) == POSTERN_OK &&
            store_client_add(is.store, &c, &added, NULL) == POSTERN_OK && added == STORE_ADDED, "client");
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

static void set_up_issuer(void)
{
    postern_signing_key *key = NULL;
    char path[128];

    require(mkdtemp(dir) != NULL && snprintf(path, sizeof path, "%s/jwks.json", dir) > 0 && atexit(remove_files) == 0, dir);
    is.clock = (postern_clock){ wall_s, slow_mono_ms, NULL };
    is.settings = &settings;
    require(issuer_settings_init(&settings, ISSUER, 300, NULL) == POSTERN_OK &&
            issuer_settings_add_service(&settings, "imap", IMAP, "mail.read", NULL) == POSTERN_OK &&
            rate_table_new(7, &is.rates, NULL) == POSTERN_OK && store_open(dir, &is.store, NULL) == POSTERN_OK &&
            postern_signing_key_generate(&key, NULL) == POSTERN_OK, "issuer");
    is.key = key;
    write_keys(key, path);
    require(own_token_load_keys(&is, path, NULL) == POSTERN_OK, path);
    add_client();
}

static void set_up_bare(const test_key *key)
{
    sign_ctx = EVP_PKEY_CTX_new(test_key_pkey(key), NULL);
    verify_ctx = EVP_PKEY_CTX_new(test_key_pkey(key), NULL);
    require(sign_ctx != NULL && verify_ctx != NULL && EVP_PKEY_sign_init(sign_ctx) == 1 &&
            EVP_PKEY_verify_init(verify_ctx) == 1, "key");
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static double find_median(const char *name, const double *medians)
{
    for (size_t i = 0; i < CANDIDATES; i++)
        if (strcmp(candidates[i].name, name) == 0)
            return medians[i];
    return 0;
}

static void print_all(int rounds)
{
    double medians[CANDIDATES];

    for (size_t i = 0; i < CANDIDATES; i++)
        medians[i] = median(figures[i], rounds);
    for (size_t i = 0; i < CANDIDATES; i++) {
        printf("{\"name\":\"issuer/%s\",\"value\":%.1f,\"unit\":\"us\",\"per_cpu_second\":%.0f", candidates[i].name, medians[i],
               1e6 / medians[i]);
        if (candidates[i].against != NULL)
            printf(",\"ratio\":%.2f,\"against\":\"issuer/%s\"", medians[i] / find_median(candidates[i].against, medians),
                   candidates[i].against);
        printf("}\n");
    }
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : ROUNDS;
    test_key *key = test_key_new("P-256");

    require(rounds > 0 && rounds <= ROUNDS_MAX, "1 to 1001 rounds");
    set_up_issuer();
    set_up_bare(key);
    get_token();
    bare_sign();
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < CANDIDATES; i++)
            figures[i][r] = run_batch(&candidates[i]);
    print_all((int)rounds);
    EVP_PKEY_CTX_free(sign_ctx);
    EVP_PKEY_CTX_free(verify_ctx);
    test_key_free(key);
    return 0;
}
