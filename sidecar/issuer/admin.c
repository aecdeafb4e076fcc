/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs of the administration socket; see admin.h and postern-issuer(7).  Called by admin_socket.c.
 */
#include "admin.h"

#include <stdlib.h>

#include <postern-private/json.h>

#include "admin_verbs.h"
#include "clients.h"
#include "log.h"
#include "people.h"
#include "words.h"

/* ---- replies ---- */

void admin_refuse(struct admin_reply *r, const char *error, const char *message)
{
    postern_json_writer w = { &r->text, false };

    postern_buf_reset(&r->text);
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", false);
    postern_json_put_str(&w, "error", error);
    postern_json_put_str(&w, "message", message);
    postern_json_close_object(&w);
}

void admin_reply_free(struct admin_reply *r)
{
    if (r->take_job != NULL)
        r->take_job->work.free(&r->take_job->work);
    r->take_job = NULL;
    postern_buf_free(&r->text);
}

void admin_fail(struct admin_reply *r, const postern_error *err)
{
    log_error("administration", err);
    admin_refuse(r, "failed",
                 "The issuer could not do it; its log says why. Nothing was changed; try again.");
}

void admin_settle(struct admin_reply *r, clients_outcome o, const struct clients_refusal *refusal,
                  const postern_error *err)
{
    if (o == CLIENTS_REFUSED)
        admin_refuse(r, refusal->error, refusal->message);
    else
        admin_fail(r, err);
}

/* ---- verbs ---- */

bool admin_reserve(postern_buf *b)
{
    static const uint8_t room[512];

    postern_buf_add(b, (postern_bytes){ room, sizeof room });
    if (b->failed)
        return false;
    postern_buf_reset(b);
    return true;
}

/* The answer to whoever got a new secret; a client without one has none to tell. */
static void write_secret(const char *name, const postern_secret *secret, struct admin_reply *ret)
{
    postern_json_writer w = { &ret->text, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_str(&w, "name", name);
    if (secret != NULL)
        postern_json_put_string(&w, "client_secret", postern_secret_bytes(secret));
    postern_json_close_object(&w);
}

static struct client_wish wish_of(const struct admin_request *rq)
{
    struct client_wish wish = { .name = rq->name,
                                .scopes = rq->scopes,
                                .resources = rq->resources,
                                .redirects = rq->redirects,
                                .title = rq->title,
                                .jwks = rq->jwks };

    if (rq->is_public)
        wish.auth = CLIENT_AUTH_BY_NOTHING;
    else if (rq->jwks[0] != '\0')
        wish.auth = CLIENT_AUTH_BY_KEY;
    wish.flags = (rq->may_impersonate ? CLIENT_MAY_IMPERSONATE : 0) |
                 (rq->may_introspect ? CLIENT_MAY_INTROSPECT : 0);
    return wish;
}

static void client_add(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    POSTERN_AUTO(secret) secret = NULL;
    struct client_wish wish = wish_of(rq);
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };
    clients_outcome o;

    if (!admin_reserve(&ret->text))
        return; /* admin_answer() sees that it failed */
    o = clients_add(is, &wish, &secret, &refusal, &err);
    if (o != CLIENTS_DONE) {
        admin_settle(ret, o, &refusal, &err);
        return;
    }
    log_note("client %s was added", rq->name);
    write_secret(rq->name, secret, ret);
}

static void client_rotate_secret(struct issuer *is, const struct admin_request *rq,
                                 struct admin_reply *ret)
{
    POSTERN_AUTO(secret) secret = NULL;
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };
    clients_outcome o;

    if (!admin_reserve(&ret->text))
        return; /* admin_answer() sees that it failed */
    o = clients_rotate_secret(is, rq->name, &secret, &refusal, &err);
    if (o != CLIENTS_DONE) {
        admin_settle(ret, o, &refusal, &err);
        return;
    }
    log_note("client %s has a new secret", rq->name);
    write_secret(rq->name, secret, ret);
}

static const char *const auth_words[] = {
    [CLIENT_AUTH_BY_SECRET] = "secret",
    [CLIENT_AUTH_BY_KEY] = "private_key_jwt",
    [CLIENT_AUTH_BY_NOTHING] = "none",
};

/* Everything but secrets; of a secret not even its hash. */
static void write_client(postern_json_writer *w, const char *name, const struct client_record *c)
{
    postern_json_open_object(w, name);
    postern_json_put_str(w, "name", c->name);
    postern_json_put_str(w, "title", c->title);
    postern_json_put_str(w, "auth", auth_words[c->auth]);
    words_write(w, "scopes", c->scopes);
    words_write(w, "resources", c->resources);
    words_write(w, "redirect_uris", c->redirects);
    postern_json_put_flag(w, "may_impersonate", (c->flags & CLIENT_MAY_IMPERSONATE) != 0);
    postern_json_put_flag(w, "may_introspect", (c->flags & CLIENT_MAY_INTROSPECT) != 0);
    postern_json_put_flag(w, "self_registered", (c->flags & CLIENT_SELF_REGISTERED) != 0);
    postern_json_put_integer(w, "created", c->created_s);
    if (c->used_s != 0)
        postern_json_put_integer(w, "used", c->used_s);
    postern_json_close_object(w);
}

static void client_show(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    postern_json_writer w = { &ret->text, false };
    struct client_record client;
    postern_error err = { 0 };
    bool is_found = false;

    if (store_client_find(is->store, rq->name, &is_found, &client, &err) != POSTERN_OK) {
        admin_fail(ret, &err);
        return;
    }
    if (!is_found) {
        admin_refuse(ret, "no_such_client",
                     "There is no client of that name; `postern client list` shows all");
        return;
    }
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    write_client(&w, "client", &client);
    if (client.jwks[0] != '\0')
        postern_json_put_raw(&w, "jwks", postern_bytes_str(client.jwks));
    postern_json_close_object(&w);
}

/* A reader of the page takes 4096 values (POSTERN_JSON_NODES_MAX); one client at its limits has
 * 1800. */
#define PAGE_VALUES (POSTERN_JSON_NODES_MAX / 2)
#define CLIENT_VALUES 16 /* of a client without its lists */

static size_t count_values(const struct client_record *c)
{
    return CLIENT_VALUES + words_count(c->scopes) + words_count(c->resources) +
           words_count(c->redirects);
}

static void write_page(const struct client_record *clients, size_t count, struct admin_reply *ret)
{
    postern_json_writer w = { &ret->text, false };
    size_t i = 0;

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_open_array(&w, "clients");
    for (size_t values = 0; i < count && values < PAGE_VALUES; i++) {
        write_client(&w, NULL, &clients[i]);
        values += count_values(&clients[i]);
    }
    postern_json_close_array(&w);
    postern_json_put_flag(&w, "more", i < count || count == ADMIN_PAGE);
    postern_json_close_object(&w);
}

static void client_list(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    struct client_record *page = calloc(ADMIN_PAGE, sizeof *page);
    postern_error err = { 0 };
    size_t count = 0;

    if (page == NULL)
        (void)POSTERN_FAIL(&err, NOMEM, "page of clients"); /* reported below */
    if (page == NULL ||
        store_client_list(is->store, rq->after, page, ADMIN_PAGE, &count, &err) != POSTERN_OK)
        admin_fail(ret, &err);
    else
        write_page(page, count, ret);
    free(page);
}

static void client_remove(struct issuer *is, const struct admin_request *rq,
                          struct admin_reply *ret)
{
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };
    clients_outcome o = clients_remove(is, rq->name, &ret->removed_s, &refusal, &err);

    if (o != CLIENTS_DONE) {
        admin_settle(ret, o, &refusal, &err);
        return;
    }
    log_note("client %s was removed", rq->name);
    memcpy(ret->client, rq->name, strlen(rq->name) + 1); /* it was in the store: a name fits */
    ret->is_removal = true;
}

/* ---- people ---- */

/* A person whose password is being hashed. */
struct new_person {
    struct admin_job job;
    struct issuer *is;
    struct user_record user;
    char password[PASSWORD_MAX + 1];
    bool is_hashed;
};

static void hash_new_person(struct job *j)
{
    struct new_person *n = (struct new_person *)j;

    n->is_hashed = password_hash(postern_bytes_str(n->password), &n->user, n->user.password);
}

static void free_new_person(struct job *j)
{
    postern_wipe(j, sizeof(struct new_person));
    free(j);
}

static void put_person(struct admin_reply *ret, const char *name)
{
    postern_json_writer w = { &ret->text, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_str(&w, "name", name);
    postern_json_close_object(&w);
}

static void finish_new_person(struct admin_job *j, struct admin_reply *ret)
{
    struct new_person *n = (struct new_person *)j;
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };
    clients_outcome o = CLIENTS_FAILED;

    if (n->is_hashed)
        o = people_add(n->is, &n->user, &refusal, &err);
    else
        (void)POSTERN_FAIL(&err, NOMEM, "hashing a password"); /* reported by admin_settle() */
    if (o != CLIENTS_DONE) {
        admin_settle(ret, o, &refusal, &err);
        return;
    }
    log_note("user %s was added", n->user.name);
    put_person(ret, n->user.name);
}

static void user_add(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    struct new_person *n = calloc(1, sizeof *n);
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };
    clients_outcome o = CLIENTS_FAILED;

    if (n == NULL)
        (void)POSTERN_FAIL(&err, NOMEM, "a person"); /* reported by admin_settle() */
    else
        o = people_prepare(is, rq->name, postern_bytes_str(rq->password), &n->user, &refusal, &err);
    if (o != CLIENTS_DONE) {
        admin_settle(ret, o, &refusal, &err);
        free(n);
        return;
    }
    n->is = is;
    n->job = (struct admin_job){ { hash_new_person, free_new_person }, finish_new_person };
    memcpy(n->password, rq->password, strlen(rq->password) + 1); /* a good password fits */
    ret->take_job = &n->job;
}

static void write_people(const struct user_record *people, size_t count, struct admin_reply *ret)
{
    postern_json_writer w = { &ret->text, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_open_array(&w, "users");
    for (size_t i = 0; i < count; i++) {
        postern_json_open_object(&w, NULL);
        postern_json_put_str(&w, "name", people[i].name);
        postern_json_put_integer(&w, "created", people[i].created_s);
        postern_json_close_object(&w);
    }
    postern_json_close_array(&w);
    postern_json_put_flag(&w, "more", count == ADMIN_PAGE);
    postern_json_close_object(&w);
}

static void user_list(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    struct user_record page[ADMIN_PAGE];
    postern_error err = { 0 };
    size_t count = 0;

    if (store_user_list(is->store, rq->after, page, ADMIN_PAGE, &count, &err) != POSTERN_OK)
        admin_fail(ret, &err);
    else
        write_people(page, count, ret);
    postern_wipe(page, sizeof page);
}

static void user_remove(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };
    postern_json_writer w = { &ret->text, false };
    size_t ended = 0;
    clients_outcome o = people_remove(is, rq->name, &ended, &refusal, &err);

    if (o != CLIENTS_DONE) {
        admin_settle(ret, o, &refusal, &err);
        return;
    }
    log_note("user %s was removed, and %zu grants with it", rq->name, ended);
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_str(&w, "name", rq->name);
    postern_json_put_integer(&w, "grants_ended", (int64_t)ended);
    postern_json_close_object(&w);
}

/* ---- removals ---- */

static const char *const news_words[] = {
    [VERIFIER_AWAY] = "away",
    [VERIFIER_SILENT] = "silent",
    [VERIFIER_KNOWS] = "knows",
};

static const struct {
    verifier_news news;
    const char *message, *message_with_doors;
} news_texts[] = {
    { VERIFIER_AWAY,
      "Removed. The helper is not connected at the moment: it learns of it as soon as it is.",
      "Removed. Helper or door is not connected at the moment: it learns of it as soon as it is." },
    { VERIFIER_SILENT, "Removed. The helper was told and has not confirmed yet: see posternd's log.",
      "Removed. Helper or door was told and has not confirmed yet: see posternd's log." },
    { VERIFIER_KNOWS, "Removed. The helper refuses its tokens from now on.",
      "Removed. Helper and doors refuse its tokens from now on, and its sessions at doors have "
      "ended." },
};

/* The worse of two: who was told and is silent may decide either way. */
static verifier_news join_news(verifier_news a, verifier_news b)
{
    if (a == VERIFIER_SILENT || b == VERIFIER_SILENT)
        return VERIFIER_SILENT;
    return a == VERIFIER_AWAY || b == VERIFIER_AWAY ? VERIFIER_AWAY : VERIFIER_KNOWS;
}

static const char *find_message(verifier_news news, bool has_doors)
{
    for (size_t i = 0; i < sizeof news_texts / sizeof *news_texts; i++)
        if (news_texts[i].news == news)
            return has_doors ? news_texts[i].message_with_doors : news_texts[i].message;
    return "Removed.";
}

void admin_finish_removal(struct admin_reply *r, verifier_news helper, verifier_news door)
{
    verifier_news both = r->has_doors ? join_news(helper, door) : helper;
    postern_json_writer w = { &r->text, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_str(&w, "name", r->client);
    postern_json_put_integer(&w, "removed_at", r->removed_s);
    postern_json_put_str(&w, "helper", news_words[helper]);
    if (r->has_doors)
        postern_json_put_str(&w, "door", news_words[door]);
    postern_json_put_str(&w, "message", find_message(both, r->has_doors));
    postern_json_close_object(&w);
    r->is_removal = false;
}

static void (*const verb_functions[])(struct issuer *is, const struct admin_request *rq,
                                      struct admin_reply *ret) = {
    [ADMIN_CLIENT_ADD] = client_add,
    [ADMIN_CLIENT_LIST] = client_list,
    [ADMIN_CLIENT_REMOVE] = client_remove,
    [ADMIN_CLIENT_SHOW] = client_show,
    [ADMIN_CLIENT_ROTATE_SECRET] = client_rotate_secret,
    [ADMIN_CLIENT_INVITE] = admin_client_invite,
    [ADMIN_KEYS_LIST] = admin_keys_list,
    [ADMIN_KEYS_ROTATE] = admin_keys_rotate,
    [ADMIN_USER_ADD] = user_add,
    [ADMIN_USER_LIST] = user_list,
    [ADMIN_USER_REMOVE] = user_remove,
};

void admin_answer(struct issuer *is, postern_bytes line, struct admin_reply *ret)
{
    struct admin_request rq = { .verb = ADMIN_VERB_NONE };
    postern_error err = { 0 };

    switch (admin_request_parse(line, &rq, &err)) {
    case POSTERN_OK:
        verb_functions[rq.verb](is, &rq, ret);
        break;
    case POSTERN_ERR_MALFORMED:
    case POSTERN_ERR_LIMIT:
        admin_refuse(ret, "bad_request", err.detail);
        break;
    default:
        admin_fail(ret, &err);
    }
    postern_wipe(rq.password, sizeof rq.password);
    if (ret->text.failed) {
        (void)POSTERN_FAIL(&err, NOMEM, "reply"); /* reported by admin_fail() */
        admin_fail(ret, &err);
    }
}
