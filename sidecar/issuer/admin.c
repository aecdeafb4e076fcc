/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs of the administration socket; see admin.h and postern-issuer(7).  Called by admin_socket.c.
 */
#include "admin.h"

#include <stdlib.h>

#include <postern-private/json.h>

#include "admin_request.h"
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

static void fail(struct admin_reply *r, const postern_error *err)
{
    log_error("administration", err);
    admin_refuse(r, "failed",
                 "The issuer could not do it; its log says why. Nothing was changed; try again.");
}

static void settle(struct admin_reply *r, clients_outcome o, const struct clients_refusal *refusal,
                   const postern_error *err)
{
    if (o == CLIENTS_REFUSED)
        admin_refuse(r, refusal->error, refusal->message);
    else
        fail(r, err);
}

/* ---- verbs ---- */

/* Memory for a short reply, taken before anything is done: who was registered must also be told the
 * secret. */
static bool reserve(postern_buf *b)
{
    static const uint8_t room[512];

    postern_buf_add(b, (postern_bytes){ room, sizeof room });
    if (b->failed)
        return false;
    postern_buf_reset(b);
    return true;
}

static void client_add(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    POSTERN_AUTO(secret) secret = NULL;
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };
    postern_json_writer w = { &ret->text, false };
    clients_outcome o;

    if (!reserve(&ret->text))
        return; /* admin_answer() sees that it failed */
    o = clients_add(is, rq->name, rq->scopes, rq->resources, &secret, &refusal, &err);
    if (o != CLIENTS_DONE) {
        settle(ret, o, &refusal, &err);
        return;
    }
    log_note("client %s was added", rq->name);
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_str(&w, "name", rq->name);
    postern_json_put_string(&w, "client_secret", postern_secret_bytes(secret));
    postern_json_close_object(&w);
}

static void write_page(const struct client_record *clients, size_t count, struct admin_reply *ret)
{
    postern_json_writer w = { &ret->text, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_open_array(&w, "clients");
    for (size_t i = 0; i < count; i++) {
        postern_json_open_object(&w, NULL);
        postern_json_put_str(&w, "name", clients[i].name);
        words_write(&w, "scopes", clients[i].scopes);
        words_write(&w, "resources", clients[i].resources);
        postern_json_put_integer(&w, "created", clients[i].created_s);
        postern_json_close_object(&w);
    }
    postern_json_close_array(&w);
    postern_json_put_flag(&w, "more", count == ADMIN_PAGE);
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
        fail(ret, &err);
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
        settle(ret, o, &refusal, &err);
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
        (void)POSTERN_FAIL(&err, NOMEM, "hashing a password"); /* reported by settle() */
    if (o != CLIENTS_DONE) {
        settle(ret, o, &refusal, &err);
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
        (void)POSTERN_FAIL(&err, NOMEM, "a person"); /* reported by settle() */
    else
        o = people_prepare(is, rq->name, postern_bytes_str(rq->password), &n->user, &refusal, &err);
    if (o != CLIENTS_DONE) {
        settle(ret, o, &refusal, &err);
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
        fail(ret, &err);
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
        settle(ret, o, &refusal, &err);
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
        fail(ret, &err);
    }
    postern_wipe(rq.password, sizeof rq.password);
    if (ret->text.failed) {
        (void)POSTERN_FAIL(&err, NOMEM, "reply"); /* reported by fail() */
        fail(ret, &err);
    }
}
