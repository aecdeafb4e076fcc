/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A login from the token to the verdict, and a second one from what was remembered, against three issuers: `sso` whose keys are a
 * file, `idp` that is asked about opaque tokens, and `strict` that is asked about all; metadata, keys and introspection answers
 * of those two come out of the input too.
 *
 * Byte 0 chooses the service, who signs, and how the header names the key; byte 1 what time passes between the two logins and
 * what the login asks for.  Then come lines: the token (or the claims that a test key signs), and the issuer's answers in the
 * order of its being asked, each with a letter in front that is its status.  An answer that is empty or missing is a good one.
 *
 * Whatever comes: a verdict is final, and nobody waits for nothing; a grant is of a token that the issuer in it signed, or of
 * which the issuer said with the word true that it is active; and it is in time, for us, and names a user.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/validate.h>

#include "../support/test_keys.h"
#include "oauth/context_inner.h"
#include "oauth/settings.h"

#define SSO   "https://sso.example.org"
#define IDP   "https://idp.example.org"
#define STRICT "https://strict.example.org"
#define AUD   "https://mail.example.org/imap"
#define NOW_S 1800000000
#define STEPS_MAX 200 /* of a login: at a quarter of a second each, ten times its deadlines */
#define WAIT_MS   250
#define MONTH_MS  (INT64_C(30) * 86400 * 1000) /* between inputs: nothing that was fetched counts any more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Signatures and JSON of several answers: so many cost as much as what most targets do. */
extern const unsigned long fuzz_replay_runs;
const unsigned long fuzz_replay_runs = 2000;

enum signer { SIGNER_NONE, SIGNER_SSO, SIGNER_IDP, SIGNER_STRANGER, SIGNERS };

/* What stands in the input, and what came of it. */
static struct {
    postern_bytes token;
    postern_reader answers;
    enum signer signer;
    bool has_fetched_strange_keys; /* the input's own: whose they are, nobody knows */
    bool has_said_active;
    int64_t now_s, mono_ms;
    size_t open;
} run;

struct postern_http_exchange {
    struct postern_http_response response;
    const char *good; /* what is answered where the input says nothing */
    int waits;
    postern_err fails;
    bool is_strange, is_keys, is_introspection;
};

static test_key *keys[SIGNERS];
static char *idp_jwks, dir[64], keys_path[96];

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static int64_t get_now_s(void *arg)
{
    (void)arg;
    return run.now_s;
}

static int64_t get_mono_ms(void *arg)
{
    (void)arg;
    return run.mono_ms;
}

/* ---- the issuer that is fetched from ---- */

#define METADATA(issuer)                                                                                          \
    "{\"issuer\":\"" issuer "\",\"jwks_uri\":\"" issuer "/jwks\",\"introspection_endpoint\":\"" issuer "/introspect\"}"
#define ACTIVE                                                                                                     \
    "{\"active\":true,\"aud\":\"" AUD "\",\"exp\":1800000300,\"iat\":1800000000,"             \
    "\"sub\":\"alice\",\"client_id\":\"agent-7\",\"jti\":\"t-1\",\"scope\":\"mail.read\"}"

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool ends_in(const char *url, const char *end)
{
    size_t len = strlen(url), end_len = strlen(end);

    return len >= end_len && strcmp(url + len - end_len, end) == 0;
}

/* "W" waits, "T" is silent for good, "U" is not there; a small letter is the good answer with that status. */
static void read_answer(struct postern_http_exchange *x)
{
    static const struct {
        char letter;
        int status;
    } statuses[] = { { 'A', 200 }, { 'B', 400 }, { 'C', 401 }, { 'D', 404 }, { 'E', 429 }, { 'F', 503 }, { 'G', 304 } };
    postern_bytes line = POSTERN_BYTES_NONE;
    char letter;

    if (!postern_reader_take_until(&run.answers, '\n', &line))
        (void)postern_reader_take_len(&run.answers, run.answers.rest.len, &line);
    x->response.status = 200;
    letter = line.len == 0 ? 'a' : (char)line.ptr[0];
    x->waits = letter == 'W' ? 1 : letter == 'T' ? STEPS_MAX : 0;
    x->fails = letter == 'U' ? POSTERN_ERR_ISSUER_UNREACHABLE : POSTERN_ERR_UNSET;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if ((letter & ~0x20) == statuses[i].letter)
            x->response.status = statuses[i].status;
    x->is_strange = letter >= 'A' && letter <= 'G';
    if (x->is_strange)
        postern_buf_add(&x->response.body, (postern_bytes){ line.ptr + 1, line.len - 1 });
    else
        postern_buf_add_str(&x->response.body, x->good);
}

static postern_err start_exchange(const postern_http_transport *t, const struct postern_http_request *rq,
                                  struct postern_http_exchange **ret, postern_error *err)
{
    struct postern_http_exchange *x = calloc(1, sizeof *x);

    (void)t;
    if (x == NULL)
        return POSTERN_FAIL(err, NOMEM, "exchange");
    demand(begins(rq->url, "https://") && rq->deadline_ms > 0);
    x->is_keys = ends_in(rq->url, "/jwks");
    x->is_introspection = strcmp(rq->method, "POST") == 0;
    demand(x->is_introspection || (rq->body.len == 0 && rq->authorization.len == 0)); /* the token goes to one place */
    x->good = x->is_introspection ? ACTIVE : x->is_keys ? idp_jwks :
              begins(rq->url, STRICT) ? METADATA(STRICT) : METADATA(IDP);
    x->response = (struct postern_http_response){ .content_type = "application/json", .retry_after_s = -1,
                                                  .max_age_s = -1, .body = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX) };
    read_answer(x);
    run.open++;
    *ret = x;
    return POSTERN_OK;
}

static bool says_active(postern_bytes body)
{
    POSTERN_AUTO_JSON j = { 0 };

    return postern_json_scan(&j, body, NULL) == POSTERN_OK &&
           postern_json_type_of(&j, postern_json_member(&j, 0, "active")) == POSTERN_JSON_TRUE;
}

static postern_err step_exchange(struct postern_http_exchange *x, postern_error *err)
{
    if (x->waits > 0) {
        x->waits--;
        return POSTERN_AGAIN;
    }
    if (x->fails != POSTERN_ERR_UNSET)
        return postern_error_set(err, x->fails, __FILE__, __LINE__, "as the input says");
    if (x->response.body.failed)
        return POSTERN_FAIL(err, NOMEM, "answer");
    run.has_fetched_strange_keys |= x->is_keys && x->is_strange;
    run.has_said_active |= x->is_introspection && x->response.status == 200 &&
                           says_active(postern_buf_bytes(&x->response.body));
    return POSTERN_OK;
}

static int no_fd(const struct postern_http_exchange *x)
{
    (void)x;
    return -1;
}

static int wait_a_little(const struct postern_http_exchange *x)
{
    (void)x;
    return WAIT_MS;
}

static const struct postern_http_response *get_response(const struct postern_http_exchange *x)
{
    return &x->response;
}

static bool was_sent(const struct postern_http_exchange *x)
{
    (void)x;
    return true;
}

static void free_exchange(struct postern_http_exchange *x)
{
    if (x == NULL)
        return;
    run.open--;
    postern_buf_free(&x->response.body);
    free(x);
}

static const postern_http_transport transport = { "fuzz", start_exchange, step_exchange, no_fd, wait_a_little,
                                                  get_response, was_sent, free_exchange, NULL };

/* ---- configuration ---- */

static postern_context *context;

static void remove_files(void)
{
    postern_context_free(context);
    for (int i = SIGNER_SSO; i < SIGNERS; i++)
        test_key_free(keys[i]);
    free(idp_jwks);
    (void)unlink(keys_path);
    (void)rmdir(dir);
}

static void set_up(void)
{
    char *jwks;
    FILE *f;

    for (int i = SIGNER_SSO; i < SIGNERS; i++)
        keys[i] = test_key_new("P-256");
    idp_jwks = test_key_jwks(keys[SIGNER_IDP], "k", NULL);
    jwks = test_key_jwks(keys[SIGNER_SSO], "k", NULL);
    demand(snprintf(dir, sizeof dir, "%s/postern-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") > 0);
    demand(mkdtemp(dir) != NULL && snprintf(keys_path, sizeof keys_path, "%s/keys.json", dir) > 0);
    f = fopen(keys_path, "w");
    demand(f != NULL && fputs(jwks, f) >= 0 && fclose(f) == 0 && chmod(keys_path, 0600) == 0);
    demand(atexit(remove_files) == 0);
    free(jwks);
}

static void add_file(postern_config *c, postern_section_kind kind, const char *name, const char *file, const char *text)
{
    postern_section *s;

    demand(postern_config_add_section(c, kind, name, file, &s, NULL) == POSTERN_OK);
    demand(postern_config_read_text(c, s, postern_bytes_str(text), NULL) == POSTERN_OK);
}

static void add_issuer_client(postern_context *ctx, const char *issuer)
{
    const postern_agent agent = { .issuer = issuer, .client_id = "posternd", .credential = POSTERN_BYTES_LIT("s") };

    demand(postern_context_set_issuer_client(ctx, issuer, &agent, NULL) == POSTERN_OK);
}

#define SERVICE "audience: " AUD "\nhelper_peers: 0\nshared_audience: yes\n"

static postern_config *make_config(void)
{
    postern_config *c = NULL;

    demand(postern_config_new(&c, NULL) == POSTERN_OK);
    c->dir = dir;
    add_file(c, POSTERN_SECTION_DAEMON, "", "postern.conf", "");
    add_file(c, POSTERN_SECTION_ISSUER, "idp", "issuers/idp.conf",
             "issuer: " IDP "\nintrospection: opaque\nclient: idp\nusername_claim: ${sub}@idp\n");
    add_file(c, POSTERN_SECTION_ISSUER, "sso", "issuers/sso.conf",
             "issuer: " SSO "\njwks_file: keys.json\nusername_claim: ${sub}@sso\n");
    add_file(c, POSTERN_SECTION_ISSUER, "strict", "issuers/strict.conf",
             "issuer: " STRICT "\nintrospection: always\nclient: strict\nusername_claim: ${sub}@strict\n");
    add_file(c, POSTERN_SECTION_SERVICE, "all", "services/all.conf", SERVICE "issuers: sso strict\n");
    add_file(c, POSTERN_SECTION_SERVICE, "file", "services/file.conf", SERVICE "issuers: sso\nrequire_tls: yes\n");
    add_file(c, POSTERN_SECTION_SERVICE, "net", "services/net.conf",
             SERVICE "issuers: sso idp\nserver_names: mail.example.org\nopaque_prefix: opq_\n");
    add_file(c, POSTERN_SECTION_SERVICE, "strict", "services/strict.conf",
             SERVICE "issuers: strict\nrequired_scopes: mail.read\n");
    add_file(c, POSTERN_SECTION_CLIENT, "idp", "clients/idp.conf",
             "issuer: " IDP "\nclient_id: posternd\nclient_credential_file: secret\n");
    add_file(c, POSTERN_SECTION_CLIENT, "strict", "clients/strict.conf",
             "issuer: " STRICT "\nclient_id: posternd\nclient_credential_file: secret\n");
    demand(postern_config_check_all(c, NULL) == POSTERN_OK && postern_config_check_trusts(c, NULL) == POSTERN_OK);
    return c;
}

static postern_context *make_context(void)
{
    static const postern_clock clock = { get_now_s, get_mono_ms, NULL };
    postern_context *ctx = NULL;

    demand(postern_context_new(make_config(), &clock, &ctx, NULL) == POSTERN_OK);
    postern_context_set_transport(ctx, &transport);
    add_issuer_client(ctx, IDP);
    add_issuer_client(ctx, STRICT);
    return ctx;
}

/* ---- a login ---- */

static void check_signer(const postern_grant *g)
{
    const char *issuer = postern_grant_issuer(g);

    if (postern_grant_is_answer(g)) {
        demand(run.has_said_active && strcmp(issuer, SSO) != 0);
        return;
    }
    if (strcmp(issuer, SSO) == 0)
        demand(run.signer == SIGNER_SSO);
    else
        demand(run.signer == SIGNER_IDP || run.has_fetched_strange_keys);
    demand(strcmp(issuer, STRICT) != 0 || run.has_said_active);
}

static void check_grant(const postern_grant *g, const char *service)
{
    const char *user = postern_grant_user(g), *at = strrchr(user, '@'), *issuer = postern_grant_issuer(g);

    check_signer(g);
    demand(strcmp(postern_grant_audience(g), AUD) == 0 && strcmp(postern_grant_service(g), service) == 0);
    demand(postern_grant_exp_s(g) + 60 > run.now_s && postern_grant_origin(g) == POSTERN_ORIGIN_LOCAL_PROOF);
    demand(at != NULL && at != user); /* its issuer's part of the name, and something before it */
    demand(strcmp(at, strcmp(issuer, SSO) == 0 ? "@sso" : strcmp(issuer, IDP) == 0 ? "@idp" : "@strict") == 0);
    demand(strcmp(service, "strict") != 0 || postern_grant_has_scope(g, "mail.read"));
}

/* The verdict.  Whoever is told to wait is told for what, or how long. */
static postern_err step_to_the_end(postern_op *op, postern_error *err)
{
    postern_err e = postern_op_step(op, err);

    for (int steps = 0; e == POSTERN_AGAIN; steps++) {
        int wait_ms = postern_op_wait_ms(op);

        demand(steps < STEPS_MAX && wait_ms >= 0 && (wait_ms > 0 || postern_op_fd(op) >= 0));
        demand(postern_op_take_grant(op) == NULL);
        run.mono_ms += wait_ms == 0 ? WAIT_MS : wait_ms;
        e = postern_op_step(op, err);
    }
    return e;
}

static void log_in(postern_context *ctx, uint8_t service, uint8_t wishes)
{
    static const char *const services[] = { "all", "file", "net", "strict" };
    static const char *const scopes[] = { "mail.write", NULL };
    static const uint8_t cert[POSTERN_BOUND_CERT_LEN] = "0123456789abcdef0123456789abcdef";
    postern_request rq = { .size = sizeof rq,
                           .service = services[service % 4],
                           .token = run.token,
                           .authzid = wishes & 1 ? "alice@idp" : NULL,
                           .carrier = wishes & 2 ? POSTERN_CARRIER_PASSWORD : POSTERN_CARRIER_SASL,
                           .tls = wishes & 4 ? POSTERN_TLS_NONE : POSTERN_TLS_ON,
                           .message_host = wishes & 8 ? "imap.example.org" : NULL,
                           .extra_scopes = wishes & 16 ? scopes : NULL,
                           .introspected_within_ms = wishes & 64 ? 1000 : 0 };
    POSTERN_AUTO(op) op = NULL;
    POSTERN_AUTO(grant) g = NULL;
    postern_error err = { 0 };
    postern_err e;

    if (wishes & 32)
        rq.client_cert_sha256 = (postern_bytes){ cert, sizeof cert };
    demand(postern_validate_start(ctx, &rq, &op, &err) == POSTERN_OK);
    e = step_to_the_end(op, &err);
    demand(postern_op_step(op, NULL) == e);
    g = postern_op_take_grant(op);
    demand((e == POSTERN_OK) == (g != NULL));
    if (g == NULL)
        demand(postern_err_outcome(e) != POSTERN_PROVED && postern_op_failure(op)->code == e && err.code == e);
    else
        check_grant(g, rq.service);
    demand(g == NULL || (wishes & 16) == 0 || postern_grant_has_scope(g, "mail.write"));
    demand(g == NULL || (wishes & 1) == 0 || strcmp(postern_grant_user(g), "alice@idp") == 0);
}

/* The line itself, or signed over it.  free() it. */
static char *make_token(postern_bytes line, uint8_t how)
{
    static const char *const headers[] = {
        "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"k\"}",
        "{\"typ\":\"at+jwt\",\"alg\":\"ES256\"}",
        "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"unknown\"}",
        "{\"typ\":\"JWT\",\"alg\":\"ES384\",\"kid\":\"k\"}",
    };
    const char *header = headers[how >> 4 & 3];
    char *copy;

    run.signer = (enum signer)(how >> 2 & 3);
    if (run.signer != SIGNER_NONE)
        return test_sign_bytes(keys[run.signer], "ES256", header, strlen(header), line.ptr, line.len);
    copy = strndup((const char *)line.ptr, line.len);
    demand(copy != NULL);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int64_t mono_ms;
    size_t open = run.open;
    postern_bytes line;
    char *token;

    if (size < 3 || size > 3 * POSTERN_TOKEN_MAX)
        return 0;
    if (context == NULL) {
        set_up();
        context = make_context();
    }
    memset(&run, 0, sizeof run);
    run.open = open; /* what nobody waits for any more is dropped by whoever asks next */
    run.now_s = NOW_S;
    run.mono_ms = mono_ms += MONTH_MS;
    run.answers = (postern_reader){ { data + 2, size - 2 } };
    if (!postern_reader_take_until(&run.answers, '\n', &line))
        (void)postern_reader_take_len(&run.answers, run.answers.rest.len, &line);
    token = make_token(line, data[0]);
    run.token = postern_bytes_str(token);
    log_in(context, data[0], data[1]);
    run.mono_ms += (data[0] >> 6) * INT64_C(20000); /* within and past what is remembered */
    run.now_s += (data[0] >> 6) * 20;
    log_in(context, data[0], data[1]);
    demand(run.open <= 6); /* metadata, keys and a question of each of the two that are fetched from, left over at most */
    free(token);
    return 0;
}
