/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/registry.c: names, finding by secret, by id and by each key, pages, totals, threads. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "door/registry.h"
#include "grant/grant.h"

static const struct lease_clock now = { 1800000000, 5000000 };

/* ---- sessions ---- */

struct who {
    const char *issuer, *subject, *client, *actor, *user, *service, *jti;
};
static const struct who agent = { "https://as.example", "alice", "agent-7", "bot", "alice",
                                  "cache",              "j-1" };

static postern_bytes text(const char *s)
{
    return s == NULL ? (postern_bytes){ 0 } : postern_bytes_str(s);
}

static int64_t introspected_s; /* of the grants that are made now */

static postern_grant *grant_of(const struct who *w)
{
    struct postern_grant_facts facts = {
        .service = text(w->service),
        .issuer = text(w->issuer),
        .subject = text(w->subject),
        .client_id = text(w->client),
        .user = text(w->user),
        .jti = text(w->jti),
        .audience = POSTERN_BYTES_LIT("https://cache.example"),
        .act = { text(w->actor) },
        .act_depth = w->actor != NULL,
        .exp_s = 1800000300,
        .iat_s = 1800000000,
        .introspected_s = introspected_s,
        .claims = POSTERN_BYTES_LIT("{}"),
    };
    postern_grant *g = NULL;
    postern_error err = { 0 };

    if (postern_grant_from_proof(&facts, &g, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    return g;
}

static struct registry_entry *entry_of(const struct who *w, const char *door, size_t loop)
{
    struct registry_entry *e = calloc(1, sizeof *e);

    assert_non_null(e);
    assert_int_equal(registry_name(e, NULL), POSTERN_OK);
    e->loop = loop;
    assert_true(snprintf(e->door, sizeof e->door, "%s", door) > 0);
    memcpy(e->peer, "192.0.2.1:4711", 15);
    e->since_s = now.now_s - 5;
    e->lease = (struct lease){ now.now_s + 300, now.boot_ms + 300000, now.boot_ms + 3600000, 0 };
    e->grant = grant_of(w);
    return e;
}

static struct registry *registry;
static const struct registry_room no_limit = { 100000, 100000 };

static struct registry_entry *add(const struct who *w, const char *door, size_t loop)
{
    struct registry_entry *e = entry_of(w, door, loop);

    assert_int_equal(registry_add(registry, e, no_limit, NULL), POSTERN_OK);
    return e;
}

static void drop_entry(struct registry_entry *e)
{
    postern_grant_free(e->grant);
    free(e);
}

static void take_out(struct registry_entry *e)
{
    registry_remove(registry, e);
    drop_entry(e);
}

static int set_up(void **state)
{
    (void)state;
    return registry_new(&registry, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    registry_free(registry);
    return 0;
}

/* ---- names ---- */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, SESSION_ID_MAX);
}

static void names_are_unique_and_can_be_read_aloud(void **state)
{
    enum { COUNT = 20000 };
    char (*ids)[SESSION_ID_MAX] = calloc(COUNT, sizeof *ids);
    struct registry_entry e = { 0 };
    char last_secret[SESSION_SECRET_MAX] = "";

    (void)state;
    assert_non_null(ids);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(registry_name(&e, NULL), POSTERN_OK);
        assert_int_equal(strlen(e.id), SESSION_ID_MAX - 1);
        assert_int_equal(strncmp(e.id, "S-", 2), 0);
        assert_int_equal(strspn(e.id + 2, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 10);
        assert_int_equal(strlen(e.secret), SESSION_SECRET_MAX - 1);
        assert_string_not_equal(e.secret, last_secret);
        memcpy(last_secret, e.secret, sizeof last_secret);
        memcpy(ids[i], e.id, SESSION_ID_MAX);
    }
    qsort(ids, COUNT, sizeof *ids, compare_ids);
    for (size_t i = 1; i < COUNT; i++)
        assert_string_not_equal(ids[i], ids[i - 1]);
    free(ids);
}

static postern_err name_once(void *arg, postern_error *err)
{
    return registry_name(arg, err);
}

static void without_memory_there_is_no_name(void **state)
{
    struct registry_entry e = { 0 };

    (void)state;
    assert_true(alloc_fail_sweep(name_once, &e, POSTERN_OK) > 0);
}

/* ---- renewals ---- */

static postern_err find(const char *secret, const char *door, const struct who *w,
                        struct session_place *ret)
{
    postern_grant *g = grant_of(w);
    postern_error err = { 0 };
    postern_err e =
        registry_find_renewal(registry, postern_bytes_str(secret), door, g, ret, &err);

    assert_true(e == POSTERN_OK || strlen(secret) < 8 || strstr(err.detail, secret) == NULL);
    postern_grant_free(g);
    return e;
}

static void a_renewal_finds_its_session_by_the_secret_alone(void **state)
{
    struct registry_entry *e = add(&agent, "cache", 3), *other = add(&agent, "cache", 1);
    struct session_place place = { 0 };
    char secret[SESSION_SECRET_MAX + 2];

    (void)state;
    assert_int_equal(find(e->secret, "cache", &agent, &place), POSTERN_OK);
    assert_string_equal(place.id, e->id);
    assert_int_equal(place.loop, 3);
    assert_int_equal(find(other->secret, "cache", &agent, &place), POSTERN_OK);
    assert_int_equal(place.loop, 1);
    for (size_t i = 0; i < SESSION_SECRET_MAX - 1; i++) { /* each character counts */
        memcpy(secret, e->secret, sizeof e->secret);
        secret[i] = secret[i] == 'A' ? 'B' : 'A';
        assert_int_equal(find(secret, "cache", &agent, &place), POSTERN_ERR_RENEWAL);
    }
    for (size_t len = 0; len < SESSION_SECRET_MAX - 1; len++) { /* and that all are there */
        memcpy(secret, e->secret, len);
        secret[len] = '\0';
        assert_int_equal(find(secret, "cache", &agent, &place), POSTERN_ERR_RENEWAL);
    }
    assert_true(snprintf(secret, sizeof secret, "%sA", e->secret) > 0);
    assert_int_equal(find(secret, "cache", &agent, &place), POSTERN_ERR_RENEWAL);
    memcpy(secret, e->secret, sizeof e->secret);
    secret[7] = '=';
    assert_int_equal(find(secret, "cache", &agent, &place), POSTERN_ERR_RENEWAL);
    assert_int_equal(find(e->id, "cache", &agent, &place), POSTERN_ERR_RENEWAL); /* it is public */
    take_out(other);
    memcpy(secret, e->secret, sizeof e->secret);
    take_out(e);
    assert_int_equal(find(secret, "cache", &agent, &place), POSTERN_ERR_RENEWAL);
}

static void a_renewal_is_of_the_same_door(void **state)
{
    struct registry_entry *e = add(&agent, "cache", 0);
    struct session_place place = { 0 };

    (void)state;
    assert_int_equal(find(e->secret, "cache2", &agent, &place), POSTERN_ERR_RENEWAL);
    assert_int_equal(find(e->secret, "cach", &agent, &place), POSTERN_ERR_RENEWAL);
    assert_int_equal(find(e->secret, "", &agent, &place), POSTERN_ERR_RENEWAL);
    assert_string_equal(place.id, "");
    take_out(e);
}

static void a_renewal_is_of_the_same_identity(void **state)
{
    struct registry_entry *e = add(&agent, "cache", 0);
    struct session_place place = { 0 };
    struct who w;

    (void)state;
#define OTHER(member, value)                                                                       \
    w = agent;                                                                                     \
    w.member = value;                                                                              \
    assert_int_equal(find(e->secret, "cache", &w, &place), POSTERN_ERR_RENEWAL)
    OTHER(issuer, "https://as.example/");
    OTHER(subject, "alicf");
    OTHER(subject, "Alice");
    OTHER(subject, NULL);
    OTHER(client, "agent-8");
    OTHER(client, NULL);
    OTHER(actor, "bot2");
    OTHER(actor, NULL);
    OTHER(user, "bob");
    OTHER(user, NULL);
    OTHER(service, "cache2");
#undef OTHER
    w = agent;
    w.jti = "j-2"; /* another token of the same */
    assert_int_equal(find(e->secret, "cache", &w, &place), POSTERN_OK);
    take_out(e);
}

/* Absent is a value of its own: no client is not the client of another session. */
static void what_a_token_does_not_say_the_next_must_not_say_either(void **state)
{
    const struct who bare = { "https://as.example", "alice", NULL, NULL, NULL, "cache", NULL };
    struct registry_entry *e = add(&bare, "cache", 0);
    struct session_place place = { 0 };
    struct who w = bare;

    (void)state;
    assert_int_equal(find(e->secret, "cache", &bare, &place), POSTERN_OK);
    w.client = "agent-7";
    assert_int_equal(find(e->secret, "cache", &w, &place), POSTERN_ERR_RENEWAL);
    w = bare;
    w.actor = "bot";
    assert_int_equal(find(e->secret, "cache", &w, &place), POSTERN_ERR_RENEWAL);
    w = bare;
    w.user = "alice";
    assert_int_equal(find(e->secret, "cache", &w, &place), POSTERN_ERR_RENEWAL);
    take_out(e);
}

/* ---- by id ---- */

static void a_session_is_found_by_its_id_on_its_own_loop(void **state)
{
    struct registry_entry *a = add(&agent, "cache", 0), *b = add(&agent, "cache", 1);
    char id[SESSION_ID_MAX];

    (void)state;
    assert_ptr_equal(registry_find(registry, a->id, 0), a);
    assert_ptr_equal(registry_find(registry, b->id, 1), b);
    assert_null(registry_find(registry, a->id, 1)); /* another thread's */
    assert_null(registry_find(registry, "S-", 0));
    assert_null(registry_find(registry, "", 0));
    memcpy(id, a->id, sizeof id);
    take_out(a);
    assert_null(registry_find(registry, id, 0));
    take_out(b);
}

/* ---- by key ---- */

static size_t match(const char *word, const char *value)
{
    struct session_place *places = NULL;
    size_t count = 99;

    assert_int_equal(
        registry_match(registry, registry_key_of(word), value, &places, &count, NULL), POSTERN_OK);
    assert_int_equal(count == 0, places == NULL);
    free(places);
    return count;
}

static void sessions_match_by_each_key(void **state)
{
    const struct who alone = { "https://as.example", "agent-9", "agent-9", NULL, "svc", "cache", NULL };
    struct who second = agent;
    struct registry_entry *a = add(&agent, "cache", 0), *b, *c = add(&alone, "mail", 1);

    (void)state;
    second.jti = "j-2";
    second.subject = "bob";
    b = add(&second, "cache", 1);
    assert_int_equal(match("session", a->id), 1);
    assert_int_equal(match("session", "S-0000000000"), 0);
    assert_int_equal(match("sub", "alice"), 1);
    assert_int_equal(match("sub", "alic"), 0);
    assert_int_equal(match("sub", "alice2"), 0);
    assert_int_equal(match("client", "agent-7"), 2);
    assert_int_equal(match("client", "agent-9"), 1);
    assert_int_equal(match("client", ""), 0);
    assert_int_equal(match("jti", "j-1"), 1);
    assert_int_equal(match("jti", "j-2"), 1);
    assert_int_equal(match("jti", ""), 0); /* c has none */
    assert_int_equal(match("agent", "bot"), 2);
    assert_int_equal(match("agent", "agent-7"), 2); /* as client, too */
    assert_int_equal(match("agent", "agent-9"), 1);
    assert_int_equal(match("agent", "nobody"), 0);
    assert_int_equal(match("user", "alice"), 0); /* no key */
    assert_int_equal(match("", "alice"), 0);
    assert_int_equal(registry_key_of("Session"), REGISTRY_BY_NONE);
    take_out(a);
    assert_int_equal(match("client", "agent-7"), 1);
    take_out(b);
    take_out(c);
}

static void places_name_id_and_loop_of_each(void **state)
{
    enum { COUNT = 100 };
    struct registry_entry *all[COUNT];
    struct session_place *places = NULL;
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        all[i] = add(&agent, "cache", i);
    assert_int_equal(registry_match(registry, REGISTRY_BY_CLIENT, "agent-7", &places, &count, NULL),
                     POSTERN_OK);
    assert_int_equal(count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        size_t found = 0;

        for (size_t k = 0; k < COUNT; k++)
            found += strcmp(places[k].id, all[i]->id) == 0 && places[k].loop == i;
        assert_int_equal(found, 1);
    }
    free(places);
    for (size_t i = 0; i < COUNT; i++)
        take_out(all[i]);
}

/* ---- limits of a door, totals ---- */

static void a_door_has_its_number_of_sessions_and_no_more(void **state)
{
    struct registry_entry *a = entry_of(&agent, "cache", 0), *b = entry_of(&agent, "cache", 1),
                          *c = entry_of(&agent, "cache", 2), *other = entry_of(&agent, "mail", 0);
    const struct registry_room two = { 2, 100 };
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(registry_add(registry, a, two, &err), POSTERN_OK);
    assert_int_equal(registry_add(registry, b, two, &err), POSTERN_OK);
    assert_int_equal(registry_add(registry, c, two, &err), POSTERN_ERR_BUSY);
    assert_non_null(strstr(err.detail, "max_connections"));
    assert_null(registry_find(registry, c->id, 2));
    assert_int_equal(registry_add(registry, other, two, &err), POSTERN_OK); /* another door */
    take_out(a);
    assert_int_equal(registry_add(registry, c, two, &err), POSTERN_OK);
    take_out(b);
    take_out(c);
    take_out(other);
}

static void an_agent_has_its_share_of_a_door_and_no_more(void **state)
{
    const struct registry_room room = { 100, 2 };
    const struct who other_issuer = { "https://b.example", "alice", "agent-7", "bot", "alice", "cache", "j-2" },
                     other_actor = { "https://as.example", "alice", "agent-7", "bat", "alice", "cache", "j-3" },
                     other_human = { "https://as.example", "bob", "agent-9", "bot", "bob", "cache", "j-4" },
                     itself = { "https://as.example", "bot", NULL, NULL, NULL, "cache", "j-5" };
    struct registry_entry *a = entry_of(&agent, "cache", 0), *b = entry_of(&other_human, "cache", 1),
                          *c = entry_of(&agent, "cache", 2), *d = entry_of(&other_human, "cache", 0),
                          *e = entry_of(&itself, "cache", 0);
    struct registry_entry *others[] = { entry_of(&agent, "mail", 0), entry_of(&other_issuer, "cache", 0),
                                        entry_of(&other_actor, "cache", 0) };
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(registry_add(registry, a, room, &err), POSTERN_OK);
    assert_int_equal(registry_add(registry, b, room, &err), POSTERN_OK);
    /* Who acts counts, whomever it acts for, by whatever way the token names it. */
    assert_int_equal(registry_add(registry, c, room, &err), POSTERN_ERR_AGENT_BUSY);
    assert_non_null(strstr(err.detail, "max_connections_per_agent"));
    assert_int_equal(registry_add(registry, d, room, &err), POSTERN_ERR_AGENT_BUSY);
    assert_int_equal(registry_add(registry, e, room, &err), POSTERN_ERR_AGENT_BUSY);
    assert_null(registry_find(registry, c->id, 2));
    for (size_t i = 0; i < 3; i++) /* at another door, of another issuer, another */
        assert_int_equal(registry_add(registry, others[i], room, &err), POSTERN_OK);
    take_out(a);
    assert_int_equal(registry_add(registry, e, room, &err), POSTERN_OK);
    assert_int_equal(registry_add(registry, c, room, &err), POSTERN_ERR_AGENT_BUSY);
    take_out(b);
    assert_int_equal(registry_add(registry, c, room, &err), POSTERN_OK);
    take_out(c);
    take_out(e);
    drop_entry(d);
    for (size_t i = 0; i < 3; i++)
        take_out(others[i]);
}

static void a_renewal_does_not_move_a_session_in_the_counts(void **state)
{
    const struct registry_room one = { 100, 1 };
    struct registry_entry *a = entry_of(&agent, "cache", 0), *b = entry_of(&agent, "cache", 1);
    postern_grant *old = a->grant;

    (void)state;
    assert_int_equal(registry_add(registry, a, one, NULL), POSTERN_OK);
    a->grant = grant_of(&agent); /* what the first one's names lie in is gone */
    postern_grant_free(old);
    assert_int_equal(registry_add(registry, b, one, NULL), POSTERN_ERR_AGENT_BUSY);
    take_out(a);
    assert_int_equal(registry_add(registry, b, one, NULL), POSTERN_OK);
    take_out(b);
}

static void totals_count_states_and_bytes(void **state)
{
    struct registry_entry *e[3];
    struct registry_totals t;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        e[i] = add(&agent, "cache", 0);
        atomic_store(&e[i]->up, 10 + i);
        atomic_store(&e[i]->down, UINT64_C(5000000000));
    }
    registry_lock(registry);
    e[1]->state = SESSION_OPEN;
    e[2]->state = SESSION_DRAINING;
    registry_unlock(registry);
    registry_totals(registry, &t);
    assert_int_equal(t.connecting, 1);
    assert_int_equal(t.open, 1);
    assert_int_equal(t.draining, 1);
    assert_int_equal(t.up, 33);
    assert_int_equal(t.down, UINT64_C(15000000000));
    for (size_t i = 0; i < 3; i++)
        take_out(e[i]);
    registry_totals(registry, &t);
    assert_int_equal(t.open + t.draining + t.connecting, 0);
}

/* ---- lists ---- */

struct page {
    char ids[REGISTRY_PAGE_MAX][SESSION_ID_MAX];
    size_t count;
    bool has_more;
};

static void write_page(const char *after, size_t limit, postern_buf *out)
{
    postern_json_writer w = { .out = out };

    postern_json_open_object(&w, NULL);
    registry_list(registry, after, limit, now, &w);
    postern_json_close_object(&w);
    assert_false(out->failed);
}

static void read_page(const char *after, size_t limit, struct page *ret)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1u << 20);
    POSTERN_AUTO_JSON j = { 0 };
    uint32_t node;

    write_page(after, limit, &out);
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
    ret->count = 0;
    node = postern_json_first(&j, postern_json_member(&j, 0, "sessions"));
    for (; node != POSTERN_JSON_ABSENT; node = postern_json_next(&j, node)) {
        postern_bytes id = postern_json_raw(&j, postern_json_member(&j, node, "id"));

        assert_true(ret->count < REGISTRY_PAGE_MAX);
        assert_int_equal(id.len, SESSION_ID_MAX + 1); /* quotes instead of the NUL */
        memcpy(ret->ids[ret->count], id.ptr + 1, SESSION_ID_MAX - 1);
        ret->ids[ret->count++][SESSION_ID_MAX - 1] = '\0';
    }
    ret->has_more = postern_bytes_equal_str(
        postern_json_raw(&j, postern_json_member(&j, 0, "more")), "true");
}

static void a_page_says_what_there_is_about_a_session(void **state)
{
    struct registry_entry *e = add(&agent, "cache", 0);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
    POSTERN_AUTO_JSON j = { 0 };
    static const struct {
        const char *name, *want;
    } texts[] = { { "door", "cache" },     { "agent", "bot" },  { "human", "alice" },
                  { "user", "alice" },     { "sub", "alice" },  { "client", "agent-7" },
                  { "jti", "j-1" },        { "peer", "192.0.2.1:4711" },
                  { "state", "connecting" } };
    int64_t n = 0;
    uint32_t one;

    (void)state;
    write_page("", 10, &out);
    assert_null(memmem(out.ptr, out.len, e->secret, strlen(e->secret))); /* never */
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
    one = postern_json_first(&j, postern_json_member(&j, 0, "sessions"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!postern_json_string_is(&j, postern_json_member(&j, one, texts[i].name), texts[i].want))
            fail_msg("%s is not %s in %.*s", texts[i].name, texts[i].want, (int)out.len,
                     (const char *)out.ptr);
    assert_true(postern_json_integer(&j, postern_json_member(&j, one, "lease_left"), &n));
    assert_int_equal(n, 300);
    assert_true(postern_json_integer(&j, postern_json_member(&j, one, "lease_end"), &n));
    assert_int_equal(n, now.now_s + 300);
    take_out(e);
}

/* The one session says so; NULL: it says nothing. */
static void assert_issuer(const char *issuer, int64_t asked_s)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
    POSTERN_AUTO_JSON j = { 0 };
    int64_t n = 0;
    uint32_t one;

    write_page("", 10, &out);
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
    one = postern_json_first(&j, postern_json_member(&j, 0, "sessions"));
    assert_int_equal(postern_json_string_is(&j, postern_json_member(&j, one, "issuer"), agent.issuer),
                     issuer != NULL);
    assert_int_equal(postern_json_integer(&j, postern_json_member(&j, one, "asked"), &n),
                     asked_s != 0);
    assert_int_equal(n, asked_s);
}

static void a_page_says_whose_a_session_is_where_there_is_a_choice_and_when_its_issuer_was_asked(
    void **state)
{
    struct registry_entry *e;

    (void)state;
    e = add(&agent, "cache", 0);
    assert_issuer(NULL, 0);
    e->has_choice = true;
    assert_issuer(agent.issuer, 0);
    take_out(e);
    introspected_s = 1800000007;
    e = add(&agent, "cache", 0);
    introspected_s = 0;
    assert_issuer(NULL, 1800000007);
    take_out(e);
}

static void hostile_names_stay_names(void **state)
{
    const struct who hostile = { "https://as.example/\"},{\"id\":\"S-0000000000\"",
                                 "\"}],\"sessions\":[{\\",
                                 "\\\",\"state\":\"open",
                                 "\xe2\x80\xa8\xf0\x9f\x98\x80\"",
                                 "</script>\\u0000",
                                 "cache",
                                 "\\" };
    struct registry_entry *e = add(&hostile, "\"]}", 0);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(8192);
    POSTERN_AUTO_JSON j = { 0 };
    struct page p;
    uint32_t one;

    (void)state;
    memcpy(e->peer, "[fe80::1%\"]:1", 14);
    read_page("", 10, &p);
    assert_int_equal(p.count, 1);
    assert_string_equal(p.ids[0], e->id);
    write_page("", 10, &out);
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
    one = postern_json_first(&j, postern_json_member(&j, 0, "sessions"));
    assert_true(postern_json_string_is(&j, postern_json_member(&j, one, "sub"), hostile.subject));
    assert_true(postern_json_string_is(&j, postern_json_member(&j, one, "agent"), hostile.actor));
    assert_true(postern_json_string_is(&j, postern_json_member(&j, one, "jti"), hostile.jti));
    assert_true(postern_json_string_is(&j, postern_json_member(&j, one, "state"), "connecting"));
    assert_int_equal(match("sub", hostile.subject), 1);
    take_out(e);
}

/* Names as long as a token may have them, of bytes that JSON doubles: one session fits a message. */
static void the_longest_names_fit_a_message(void **state)
{
    static char name[1025], jti[2049];
    const struct who longest = { "https://as.example", name, name, name, name, "cache", jti };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(65536 - 100);
    struct registry_entry *e;

    (void)state;
    memset(name, '"', sizeof name - 1);
    memset(jti, '\\', sizeof jti - 1);
    e = add(&longest, "cache", 0);
    write_page("", 1, &out);
    take_out(e);
}

#define THOUSAND 1000

static void pages_are_ordered_and_complete(void **state)
{
    static const size_t limits[] = { 1, 7, 99, 100, 5000 };
    struct registry_entry **all = calloc(THOUSAND, sizeof(struct registry_entry *));

    (void)state;
    assert_non_null(all);
    for (size_t i = 0; i < THOUSAND; i++)
        all[i] = add(&agent, "cache", i % 4);
    for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
        size_t seen = 0, limit = limits[k] < REGISTRY_PAGE_MAX ? limits[k] : REGISTRY_PAGE_MAX;
        char after[SESSION_ID_MAX] = "";
        struct page p = { .has_more = true };

        while (p.has_more) {
            read_page(after, limits[k], &p);
            assert_true(p.count > 0 && p.count <= limit);
            assert_int_equal(p.has_more, seen + p.count < THOUSAND);
            for (size_t i = 0; i < p.count; i++) {
                assert_true(strcmp(p.ids[i], after) > 0);
                memcpy(after, p.ids[i], sizeof after);
            }
            seen += p.count;
        }
        assert_int_equal(seen, THOUSAND);
    }
    for (size_t i = 0; i < THOUSAND; i++)
        take_out(all[i]);
    free(all);
}

static void an_empty_list_is_a_list(void **state)
{
    struct page p;

    (void)state;
    read_page("", 10, &p);
    assert_int_equal(p.count, 0);
    assert_false(p.has_more);
    read_page("S-ZZZZZZZZZZ", 10, &p);
    assert_int_equal(p.count, 0);
}

/* ---- other threads ---- */

struct churn {
    pthread_t thread;
    size_t loop, bad;
    struct registry_entry *mine[8];
    atomic_bool *is_over;
};

/* As a loop does it: adds, changes, finds and removes its own, all the time. */
static void *churn(void *arg)
{
    struct churn *c = arg;

    for (size_t i = 0; !atomic_load(c->is_over); i = (i + 1) % 8) {
        struct registry_entry *e = c->mine[i];

        if (registry_add(registry, e, no_limit, NULL) != POSTERN_OK)
            c->bad++;
        registry_lock(registry);
        e->state = SESSION_OPEN;
        e->lease.end_s++;
        registry_unlock(registry);
        atomic_fetch_add_explicit(&e->up, 1, memory_order_relaxed);
        c->bad += registry_find(registry, e->id, c->loop) != e;
        c->bad += registry_find(registry, e->id, c->loop + 1) != NULL;
        registry_remove(registry, e);
        c->bad += registry_find(registry, e->id, c->loop) != NULL;
    }
    return NULL;
}

/* While others come and go, those who stay stand in the list exactly once, in order. */
static void pages_are_complete_while_sessions_come_and_go(void **state)
{
    enum { THREADS = 2, ROUNDS = 3 };
    struct registry_entry **all = calloc(THOUSAND, sizeof(struct registry_entry *));
    struct churn churns[THREADS] = { 0 };
    atomic_bool is_over = false;

    (void)state;
    assert_non_null(all);
    for (size_t i = 0; i < THOUSAND; i++)
        all[i] = add(&agent, "cache", 99);
    for (size_t t = 0; t < THREADS; t++) {
        churns[t].loop = t;
        churns[t].is_over = &is_over;
        for (size_t i = 0; i < 8; i++)
            churns[t].mine[i] = entry_of(&agent, "cache", t);
        assert_int_equal(pthread_create(&churns[t].thread, NULL, churn, &churns[t]), 0);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t seen = 0;
        char after[SESSION_ID_MAX] = "";
        struct page p = { .has_more = true };

        while (p.has_more) {
            read_page(after, 64, &p);
            for (size_t i = 0; i < p.count; i++) {
                assert_true(strcmp(p.ids[i], after) > 0);
                memcpy(after, p.ids[i], sizeof after);
                seen += registry_find(registry, after, 99) != NULL; /* ours stay */
            }
        }
        assert_int_equal(seen, THOUSAND);
        assert_true(match("client", "agent-7") >= THOUSAND);
    }
    atomic_store(&is_over, true);
    for (size_t t = 0; t < THREADS; t++) {
        assert_int_equal(pthread_join(churns[t].thread, NULL), 0);
        assert_int_equal(churns[t].bad, 0);
        for (size_t i = 0; i < 8; i++)
            drop_entry(churns[t].mine[i]);
    }
    for (size_t i = 0; i < THOUSAND; i++)
        take_out(all[i]);
    free(all);
}

static postern_err make_and_add(void *arg, postern_error *err)
{
    struct registry *r = NULL;
    postern_err e;

    POSTERN_TRY(registry_new(&r, err));
    e = registry_add(r, arg, no_limit, err);
    if (e == POSTERN_OK)
        registry_remove(r, arg);
    registry_free(r);
    return e;
}

static void without_memory_nobody_is_registered(void **state)
{
    struct registry_entry *e = entry_of(&agent, "cache", 0);

    (void)state;
    assert_true(alloc_fail_sweep(make_and_add, e, POSTERN_OK) >= 2);
    drop_entry(e);
    registry_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(names_are_unique_and_can_be_read_aloud),
        TEST(without_memory_there_is_no_name),
        TEST(a_renewal_finds_its_session_by_the_secret_alone),
        TEST(a_renewal_is_of_the_same_door),
        TEST(a_renewal_is_of_the_same_identity),
        TEST(what_a_token_does_not_say_the_next_must_not_say_either),
        TEST(a_session_is_found_by_its_id_on_its_own_loop),
        TEST(sessions_match_by_each_key),
        TEST(places_name_id_and_loop_of_each),
        TEST(a_door_has_its_number_of_sessions_and_no_more),
        TEST(an_agent_has_its_share_of_a_door_and_no_more),
        TEST(a_renewal_does_not_move_a_session_in_the_counts),
        TEST(totals_count_states_and_bytes),
        TEST(a_page_says_what_there_is_about_a_session),
        TEST(a_page_says_whose_a_session_is_where_there_is_a_choice_and_when_its_issuer_was_asked),
        TEST(hostile_names_stay_names),
        TEST(the_longest_names_fit_a_message),
        TEST(pages_are_ordered_and_complete),
        TEST(an_empty_list_is_a_list),
        TEST(pages_are_complete_while_sessions_come_and_go),
        TEST(without_memory_nobody_is_registered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
