/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verbs of the administration socket; see admin.h and postern-issuer(7).  A member that no verb knows is refused: a typing
 * mistake must not widen what a client may do.
 */
#include "admin.h"

#include <stdlib.h>

#include <postern-private/json.h>

#include "clients.h"
#include "log.h"
#include "words.h"

enum member { MEMBER_VERB, MEMBER_NAME, MEMBER_SCOPES, MEMBER_RESOURCES, MEMBER_AFTER, MEMBERS };
static const char *const member_names[MEMBERS] = {
    [MEMBER_VERB] = "verb",           [MEMBER_NAME] = "name",   [MEMBER_SCOPES] = "scopes",
    [MEMBER_RESOURCES] = "resources", [MEMBER_AFTER] = "after",
};

struct admin_request {
    char name[CLIENT_NAME_MAX + 1]; /* one byte more than a name, so that a long one is refused as such */
    char after[CLIENT_NAME_MAX];
    char scopes[CLIENT_SCOPES_MAX];
    char resources[CLIENT_RESOURCES_MAX];
};

typedef void (*verb_function)(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret);

/* ---- replies ------------------------------------------------------------------------------------------------------ */

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

static void fail(struct admin_reply *r, const postern_error *err)
{
    log_error("administration", err);
    admin_refuse(r, "failed", "The issuer could not do it; its log says why. Nothing was changed; try again.");
}

static void settle(struct admin_reply *r, clients_outcome o, const struct clients_refusal *refusal,
                   const postern_error *err)
{
    if (o == CLIENTS_REFUSED)
        admin_refuse(r, refusal->error, refusal->message);
    else
        fail(r, err);
}

static void put_words(postern_json_writer *w, const char *name, const char *list)
{
    postern_bytes word;

    postern_json_open_array(w, name);
    while (words_next(&list, &word))
        postern_json_put_string(w, NULL, word);
    postern_json_close_array(w);
}

/* ---- verbs -------------------------------------------------------------------------------------------------------- */

static void client_add(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    POSTERN_AUTO(secret) secret = NULL;
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };
    postern_json_writer w = { &ret->text, false };
    clients_outcome o = clients_add(is, rq->name, rq->scopes, rq->resources, &secret, &refusal, &err);

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
        put_words(&w, "scopes", clients[i].scopes);
        put_words(&w, "resources", clients[i].resources);
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
    if (page == NULL || client_store_list(is->store, rq->after, page, ADMIN_PAGE, &count, &err) != POSTERN_OK)
        fail(ret, &err);
    else
        write_page(page, count, ret);
    free(page);
}

static void client_remove(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
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

static const struct {
    helper_news news;
    const char *word, *message;
} news_texts[] = {
    { HELPER_AWAY, "away",
      "Removed. The helper is away: it learns of it when it is back, and accepts no token of this issuer before." },
    { HELPER_SILENT, "silent",
      "Removed. The helper was told and has not confirmed yet: see posternd's log." },
    { HELPER_KNOWS, "knows", "Removed. The helper refuses its tokens from now on." },
};

void admin_finish_removal(struct admin_reply *r, helper_news news)
{
    postern_json_writer w = { &r->text, false };

    for (size_t i = 0; i < sizeof news_texts / sizeof *news_texts; i++) {
        if (news_texts[i].news != news)
            continue;
        postern_json_open_object(&w, NULL);
        postern_json_put_flag(&w, "ok", true);
        postern_json_put_str(&w, "name", r->client);
        postern_json_put_integer(&w, "removed_at", r->removed_s);
        postern_json_put_str(&w, "helper", news_texts[i].word);
        postern_json_put_str(&w, "message", news_texts[i].message);
        postern_json_close_object(&w);
    }
    r->is_removal = false;
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

#define BIT(m) (1U << (m))
static const struct {
    const char   *verb;
    unsigned      required, optional; /* members besides "verb" */
    verb_function run;
} verbs[] = {
    { "client_add", BIT(MEMBER_NAME) | BIT(MEMBER_RESOURCES), BIT(MEMBER_SCOPES), client_add },
    { "client_list", 0, BIT(MEMBER_AFTER), client_list },
    { "client_remove", BIT(MEMBER_NAME), 0, client_remove },
};

static bool copy_text(const postern_json *j, uint32_t node, char *room, size_t room_size)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ADMIN_REQUEST_MAX);
    postern_bytes text;

    if (!postern_json_string(j, node, &scratch, &text) || text.len >= room_size)
        return false;
    if (text.len != 0)
        memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return true;
}

/* An array of strings without spaces, as words. */
static bool copy_words(const postern_json *j, uint32_t array, char *room, size_t room_size)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ADMIN_REQUEST_MAX);
    postern_bytes word;

    if (postern_json_type_of(j, array) != POSTERN_JSON_ARRAY)
        return false;
    for (uint32_t n = postern_json_first(j, array); n != POSTERN_JSON_ABSENT; n = postern_json_next(j, n)) {
        postern_buf_reset(&scratch);
        if (!postern_json_string(j, n, &scratch, &word) || word.len == 0 ||
            postern_bytes_find(word, ' ') != word.len || !words_append(room, room_size, word))
            return false;
    }
    return true;
}

static bool copy_member(const postern_json *j, uint32_t node, enum member m, struct admin_request *rq)
{
    switch (m) {
    case MEMBER_VERB:
        return postern_json_type_of(j, node) == POSTERN_JSON_STRING;
    case MEMBER_NAME:
        return copy_text(j, node, rq->name, sizeof rq->name);
    case MEMBER_AFTER:
        return copy_text(j, node, rq->after, sizeof rq->after);
    case MEMBER_SCOPES:
        return copy_words(j, node, rq->scopes, sizeof rq->scopes);
    case MEMBER_RESOURCES:
        return copy_words(j, node, rq->resources, sizeof rq->resources);
    case MEMBERS:
        break;
    }
    return false;
}

/* NULL, or what is wrong; *ret_seen has a bit for each member. */
static const char *read_members(const postern_json *j, struct admin_request *rq, unsigned *ret_seen)
{
    if (postern_json_type_of(j, 0) != POSTERN_JSON_OBJECT)
        return "A request is one JSON object.";
    *ret_seen = 0;
    for (uint32_t n = postern_json_first(j, 0); n != POSTERN_JSON_ABSENT; n = postern_json_next(j, n)) {
        unsigned m = 0;

        while (m < MEMBERS && !postern_json_name_is(j, n, member_names[m]))
            m++;
        if (m == MEMBERS)
            return "The request has a member that this issuer does not know; is postern newer than posternd?";
        if (!copy_member(j, n, (enum member)m, rq))
            return "A member of the request has the wrong type or is too long.";
        *ret_seen |= BIT(m);
    }
    return NULL;
}

static void run_verb(struct issuer *is, const postern_json *j, const struct admin_request *rq,
                     unsigned seen, struct admin_reply *ret)
{
    uint32_t verb = postern_json_member(j, 0, "verb");

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!postern_json_string_is(j, verb, verbs[i].verb))
            continue;
        seen &= ~BIT(MEMBER_VERB);
        if ((seen & verbs[i].required) != verbs[i].required ||
            (seen & ~(verbs[i].required | verbs[i].optional)) != 0)
            admin_refuse(ret, "bad_request", "The verb lacks a member, or has one that it does not take.");
        else
            verbs[i].run(is, rq, ret);
        return;
    }
    admin_refuse(ret, "bad_request", "The verb is none of client_add, client_list, client_remove.");
}

void admin_answer(struct issuer *is, postern_bytes line, struct admin_reply *ret)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct admin_request rq = { 0 };
    postern_error err = { 0 };
    const char *wrong;
    unsigned seen = 0;

    if (postern_json_scan(&j, line, &err) != POSTERN_OK) {
        admin_refuse(ret, "bad_request", err.detail);
        return;
    }
    wrong = read_members(&j, &rq, &seen);
    if (wrong != NULL)
        admin_refuse(ret, "bad_request", wrong);
    else
        run_verb(is, &j, &rq, seen, ret);
    if (ret->text.failed) {
        (void)POSTERN_FAIL(&err, NOMEM, "reply"); /* reported by fail() */
        fail(ret, &err);
    }
}
