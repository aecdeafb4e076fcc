/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What validations share: rules compiled from the configuration, one keyring and one table of
 * revocations for each issuer, and workspaces to use again.  Settings never change; what does has a
 * lock of its own.  See <postern/context.h>.
 */
#include "context_inner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fork_mark.h"
#include "http/issuer_line.h"
#include "key_fetch.h"
#include "key_file.h"

#define POOL_MAX 8 /* workspaces kept: more than two cores can use at a time */
/* Bytes: two KiB of discovery text for each issuer of a service, and lists. */
#define RULES_MEMORY_MAX ((size_t)64 << 20)
/* 2025-01-01, before this program was written: a clock that says less was never set (a board
 * without battery). */
#define CLOCK_SANE_S 1735689600

struct postern_context {
    atomic_uint refs;
    struct postern_fork_mark mark; /* of the process that made it */
    postern_config *config;
    postern_clock clock;
    bool has_own_clock; /* the caller's, as in tests and `postern verify --now` */
    postern_arena arena;
    struct issuer_rules *issuers;
    struct service_rules *services;
    struct accounts *accounts;
    struct blocks *blocks;
    struct cache *cache;   /* of one configuration, because this is */
    struct cache *answers; /* NULL: no issuer is asked */
    pthread_mutex_t pool_lock;
    postern_jwt *pool[POOL_MAX];
    size_t pool_count;
};

static void free_issuers(struct issuer_rules *issuer)
{
    for (; issuer != NULL; issuer = issuer->next) {
        postern_keyring_free(issuer->keys);
        postern_introspector_free(issuer->introspector);
        postern_introspector_free(issuer->embedded);
        postern_discovery_free(issuer->discovery); /* which both ask */
        postern_revocations_free(issuer->revocations);
    }
}

void postern_context_free(postern_context *ctx)
{
    if (ctx == NULL || atomic_fetch_sub(&ctx->refs, 1) != 1)
        return;
    free_issuers(ctx->issuers);
    for (size_t i = 0; i < ctx->pool_count; i++)
        postern_jwt_free(ctx->pool[i]);
    postern_accounts_free(ctx->accounts);
    postern_blocks_free(ctx->blocks);
    postern_cache_free(ctx->cache);
    postern_cache_free(ctx->answers);
    postern_config_free(ctx->config);
    postern_arena_free(&ctx->arena);
    postern_fork_mark_clear(&ctx->mark);
    (void)pthread_mutex_destroy(&ctx->pool_lock);
    free(ctx);
}

postern_context *postern_context_ref(postern_context *ctx)
{
    atomic_fetch_add(&ctx->refs, 1);
    return ctx;
}

const postern_config *postern_context_config(const postern_context *ctx)
{
    return ctx->config;
}

static struct issuer_rules *find_issuer(const postern_context *ctx, const char *issuer)
{
    for (struct issuer_rules *i = ctx->issuers; i != NULL; i = i->next)
        if (strcmp(i->issuer, issuer) == 0)
            return i;
    return NULL;
}

/* "discovery of URL", for the trail. */
static const char *describe_discovery(postern_context *ctx, const char *issuer)
{
    static const char before[] = "jwks_uri of ";
    size_t size = sizeof before + strlen(issuer);
    char *text = postern_arena_alloc(&ctx->arena, size);

    if (text != NULL && snprintf(text, size, "%s%s", before, issuer) < 0)
        text[0] = '\0';
    return text;
}

static postern_err make_source(postern_context *ctx, struct issuer_rules *i,
                               const postern_section *s, struct key_source **ret,
                               postern_error *err)
{
    const char *file = postern_section_text(s, "jwks_file");
    const char *url = postern_section_text(s, "jwks_uri");

    if (file != NULL) {
        i->keys_source = file;
        return postern_key_file_new(
            file, ctx->config->is_token_check ? FILE_NAMED_BY_USER : FILE_OF_ROOT_OR_SELF, ret,
            err);
    }
    i->keys_source = url != NULL ? url : describe_discovery(ctx, i->issuer);
    if (i->keys_source == NULL)
        return POSTERN_FAIL(err, NOMEM, "context");
    return postern_key_fetch_new(&i->server, url, i->discovery, ret, err);
}

static postern_err make_keys(postern_context *ctx, struct issuer_rules *i, const postern_section *s,
                             postern_error *err)
{
    struct key_source *source;

    POSTERN_TRY(make_source(ctx, i, s, &source, err));
    return postern_keyring_new(source, &i->keys, err);
}

/* Whoever may write it may make certificates of every server. */
static postern_err check_ca_file(const postern_context *ctx, const char *path, postern_error *err)
{
    struct stat st;

    if (path == NULL || ctx->config->is_token_check)
        return POSTERN_OK;
    if (stat(path, &st) != 0 || access(path, R_OK) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "tls_ca_file: %s: %m", path);
    if (!S_ISREG(st.st_mode))
        return POSTERN_FAIL(err, CONFIG_FILE, "tls_ca_file: %s is not a regular file", path);
    return postern_trusted_file_check(&st, path, err);
}

static enum introspection_mode read_introspection(const postern_section *s)
{
    const char *word = postern_section_text(s, "introspection");

    if (strcmp(word, "always") == 0)
        return INTROSPECT_ALWAYS;
    return strcmp(word, "opaque") == 0 ? INTROSPECT_OPAQUE : INTROSPECT_NOTHING;
}

/* What its metadata must bring: POSTERN_NEED_*, 0 when all is in its file. */
static unsigned find_needs(const postern_section *s, const struct issuer_rules *i)
{
    unsigned needs = 0;

    if (postern_section_text(s, "jwks_file") == NULL && postern_section_text(s, "jwks_uri") == NULL)
        needs |= POSTERN_NEED_JWKS;
    if (i->introspection != INTROSPECT_NOTHING)
        needs |= POSTERN_NEED_INTROSPECTION;
    return needs;
}

/* One for keys and questions: however many need it, the issuer is asked for one document. */
static postern_err make_discovery(struct issuer_rules *i, const postern_section *s,
                                  postern_error *err)
{
    unsigned needs = find_needs(s, i);

    return needs == 0 ? POSTERN_OK : postern_discovery_new(&i->server, needs, &i->discovery, err);
}

static postern_err make_introspector(postern_context *ctx, struct issuer_rules *i,
                                     const postern_section *s, postern_error *err)
{
    if (i->introspection == INTROSPECT_NOTHING)
        return POSTERN_OK;
    i->introspection_keep_ms = postern_section_number(s, "introspection_cache") * 1000;
    if (ctx->answers == NULL)
        POSTERN_TRY(postern_cache_new(&ctx->answers, err));
    return postern_introspector_new(&i->server, i->discovery, &i->introspector, err);
}

static bool is_embedded(const postern_context *ctx, const struct issuer_rules *i)
{
    const postern_section *server =
        postern_config_section(ctx->config, POSTERN_SECTION_SERVER, NULL);

    return server != NULL && strcmp(postern_section_text(server, "issuer"), i->issuer) == 0;
}

/* Whatever `introspection:` says: what it needs is inside posternd.  `answers` hashes tokens; none of
 * these answers is kept in it. */
static postern_err make_embedded(postern_context *ctx, struct issuer_rules *i, postern_error *err)
{
    if (!is_embedded(ctx, i))
        return POSTERN_OK;
    i->embedded_server = i->server;
    i->embedded_server.transport = NULL;
    if (ctx->answers == NULL)
        POSTERN_TRY(postern_cache_new(&ctx->answers, err));
    return postern_introspector_new(&i->embedded_server, NULL, &i->embedded, err);
}

/* Linked in before it is complete, so that postern_context_free() finds every part. */
static postern_err add_issuer(postern_context *ctx, const postern_section *s, postern_error *err)
{
    struct issuer_rules *i = postern_arena_alloc(&ctx->arena, sizeof *i);

    if (i == NULL)
        return POSTERN_FAIL(err, NOMEM, "context");
    i->issuer = postern_section_text(s, "issuer");
    i->server = (struct server){
        .issuer = i->issuer,
        .tls_ca_file = postern_section_text(s, "tls_ca_file"),
        .listener_uid = geteuid(),
        .allow_loopback_http = postern_section_flag(s, "allow_loopback_http"),
        .transport = &postern_http_curl,
        .clock = ctx->clock,
    };
    i->introspection = read_introspection(s);
    i->next = ctx->issuers;
    ctx->issuers = i;
    POSTERN_TRY(check_ca_file(ctx, i->server.tls_ca_file, err));
    POSTERN_TRY(make_discovery(i, s, err));
    POSTERN_TRY(make_keys(ctx, i, s, err));
    POSTERN_TRY(make_introspector(ctx, i, s, err));
    POSTERN_TRY(make_embedded(ctx, i, err));
    return postern_revocations_new(&i->revocations, err);
}

static postern_err add_service(postern_context *ctx, const postern_section *s, postern_error *err)
{
    struct service_rules *rules;

    POSTERN_TRY(postern_service_rules_new(&ctx->arena, ctx->config, s, ctx->issuers, &rules, err));
    rules->next = ctx->services;
    ctx->services = rules;
    return POSTERN_OK;
}

static postern_err fill(postern_context *ctx, postern_error *err)
{
    const postern_section *s;

    POSTERN_TRY(postern_accounts_new("/etc/passwd", &ctx->accounts, err));
    POSTERN_TRY(postern_blocks_new(&ctx->blocks, err));
    POSTERN_TRY(postern_cache_new(&ctx->cache, err));
    for (size_t i = 0;
         (s = postern_config_section_at(ctx->config, POSTERN_SECTION_ISSUER, i)) != NULL; i++)
        POSTERN_TRY(add_issuer(ctx, s, err));
    for (size_t i = 0;
         (s = postern_config_section_at(ctx->config, POSTERN_SECTION_SERVICE, i)) != NULL; i++)
        POSTERN_TRY(add_service(ctx, s, err));
    for (size_t i = 0;
         (s = postern_config_section_at(ctx->config, POSTERN_SECTION_DOOR, i)) != NULL; i++)
        POSTERN_TRY(add_service(ctx, s, err));
    return POSTERN_OK;
}

static postern_context *allocate(void)
{
    postern_context *ctx = calloc(1, sizeof *ctx);

    if (ctx != NULL && pthread_mutex_init(&ctx->pool_lock, NULL) == 0)
        return ctx;
    free(ctx);
    return NULL;
}

postern_err postern_context_new(postern_config *take_config, const postern_clock *clock,
                                postern_context **ret_ctx, postern_error *err)
{
    POSTERN_AUTO(context) ctx = allocate();

    if (ctx == NULL) {
        postern_config_free(take_config);
        return POSTERN_FAIL(err, NOMEM, "context");
    }
    atomic_init(&ctx->refs, 1);
    postern_fork_mark_init(&ctx->mark);
    ctx->config = take_config;
    ctx->clock = postern_clock_or_system(clock);
    ctx->has_own_clock = clock != NULL && clock->now_s != NULL;
    ctx->arena = POSTERN_ARENA_INIT(RULES_MEMORY_MAX);
    POSTERN_TRY(fill(ctx, err));
    *ret_ctx = POSTERN_STEAL(ctx);
    return POSTERN_OK;
}

const struct service_rules *postern_context_rules(const postern_context *ctx, const char *service)
{
    const postern_section *s = postern_config_service_for(ctx->config, service);
    const struct service_rules *rules = ctx->services;

    if (s == NULL)
        s = postern_config_section(ctx->config, POSTERN_SECTION_DOOR, service);
    while (rules != NULL && rules->section != s)
        rules = rules->next;
    return rules;
}

void postern_context_describe(const postern_context *ctx, const char *service, postern_failure *ret)
{
    const struct service_rules *rules = postern_context_rules(ctx, service);

    *ret = rules != NULL ? rules->trusts[0].challenge : (postern_failure){ 0 };
}

struct accounts *postern_context_accounts(const postern_context *ctx)
{
    return ctx->accounts;
}

struct blocks *postern_context_blocks(const postern_context *ctx)
{
    return ctx->blocks;
}

struct issuer_rules *postern_context_issuers(const postern_context *ctx)
{
    return ctx->issuers;
}

struct cache *postern_context_cache(const postern_context *ctx)
{
    return ctx->cache;
}

struct cache *postern_context_answers(const postern_context *ctx)
{
    return ctx->answers;
}

uint64_t postern_context_words(const postern_context *ctx)
{
    return postern_cache_words(ctx->cache);
}

static void count_word(postern_context *ctx)
{
    postern_cache_note_word(ctx->cache);
    if (ctx->answers != NULL)
        postern_cache_note_word(ctx->answers);
}

/* A word that takes tokens back is in force: a verdict that was under way is not remembered. */
static postern_err note_word(postern_context *ctx, postern_err e)
{
    if (e == POSTERN_OK)
        count_word(ctx);
    return e;
}

void postern_context_expect_blocks(postern_context *ctx)
{
    postern_blocks_expect(ctx->blocks);
    count_word(ctx);
}

postern_err postern_context_set_blocks(postern_context *ctx, const postern_block *list,
                                       size_t count, postern_error *err)
{
    return note_word(ctx, postern_blocks_set(ctx->blocks, list, count, err));
}

void postern_context_set_transport(postern_context *ctx, const postern_http_transport *transport)
{
    for (struct issuer_rules *i = ctx->issuers; i != NULL; i = i->next)
        i->server.transport = transport;
}

postern_err postern_context_set_issuer_client(postern_context *ctx, const char *issuer,
                                              const postern_agent *client, postern_error *err)
{
    const struct issuer_rules *rules = find_issuer(ctx, issuer);
    char quoted[300];

    if (rules == NULL || rules->introspector == NULL)
        return POSTERN_FAIL(err, USAGE, "no issuer \"%s\" is configured that is asked about tokens",
                            postern_error_quote(issuer, strlen(issuer), quoted, sizeof quoted));
    return postern_introspector_set_client(rules->introspector, client, err);
}

void postern_context_set_issuer_line(postern_context *ctx, postern_issuer_line *l)
{
    for (struct issuer_rules *i = ctx->issuers; i != NULL; i = i->next)
        if (i->embedded != NULL)
            i->embedded_server.transport = postern_issuer_line_transport(l);
}

const postern_clock *postern_context_clock(const postern_context *ctx)
{
    return &ctx->clock;
}

bool postern_context_clock_is_sane(const postern_context *ctx, int64_t now_s)
{
    return ctx->has_own_clock || now_s >= CLOCK_SANE_S;
}

bool postern_context_is_ours(const postern_context *ctx)
{
    return postern_fork_mark_is_ours(&ctx->mark);
}

postern_err postern_context_take_jwt(postern_context *ctx, postern_jwt **ret, postern_error *err)
{
    postern_jwt *jwt = NULL;

    pthread_mutex_lock(&ctx->pool_lock);
    if (ctx->pool_count != 0)
        jwt = ctx->pool[--ctx->pool_count];
    pthread_mutex_unlock(&ctx->pool_lock);
    if (jwt == NULL)
        return postern_jwt_new(ret, err);
    *ret = jwt;
    return POSTERN_OK;
}

void postern_context_give_jwt(postern_context *ctx, postern_jwt *take_jwt)
{
    if (take_jwt == NULL)
        return;
    postern_jwt_forget(take_jwt);
    pthread_mutex_lock(&ctx->pool_lock);
    if (ctx->pool_count < POOL_MAX) {
        ctx->pool[ctx->pool_count++] = take_jwt;
        take_jwt = NULL;
    }
    pthread_mutex_unlock(&ctx->pool_lock);
    postern_jwt_free(take_jwt);
}

/* NULL, with USAGE recorded, for an issuer that no file names. */
static struct revocations *find_revocations(const postern_context *ctx, const char *issuer,
                                            postern_error *err)
{
    const struct issuer_rules *rules = find_issuer(ctx, issuer);
    char quoted[300];

    if (rules != NULL)
        return rules->revocations;
    (void)POSTERN_FAIL(
        err, USAGE, "no issuer \"%s\" is configured",
        postern_error_quote(issuer, strlen(issuer), quoted, sizeof quoted)); /* NULL says it */
    return NULL;
}

postern_err postern_context_expect_revocations(postern_context *ctx, const char *issuer,
                                               postern_error *err)
{
    struct revocations *r = find_revocations(ctx, issuer, err);

    if (r == NULL)
        return POSTERN_ERR_USAGE;
    postern_revocations_expect(r);
    return note_word(ctx, POSTERN_OK);
}

postern_err postern_context_revocations_ready(postern_context *ctx, const char *issuer,
                                              postern_error *err)
{
    struct revocations *r = find_revocations(ctx, issuer, err);

    if (r == NULL)
        return POSTERN_ERR_USAGE;
    postern_revocations_set_ready(r);
    return note_word(ctx, POSTERN_OK);
}

postern_err postern_context_revoke(postern_context *ctx, const char *issuer,
                                   postern_revocation_kind kind, const char *name, int64_t before_s,
                                   postern_error *err)
{
    struct revocations *r = find_revocations(ctx, issuer, err);

    if (r == NULL)
        return POSTERN_ERR_USAGE;
    return note_word(ctx, postern_revocations_add(r, kind, postern_bytes_str(name), before_s,
                                                  ctx->clock.now_s(ctx->clock.arg), err));
}
