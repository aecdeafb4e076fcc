/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may be a client; see clients.h.  Names are local user names too (sub = client_id for
 * client_credentials, RFC 9068 §2.2): name_rules.h.
 */
#include "clients.h"

#include <stdarg.h>
#include <stdio.h>

#include <postern-private/assertion.h>
#include <postern-private/sha256.h>

#include "key_set.h"
#include "name_rules.h"
#include "redirect_uri.h"
#include "registrations.h"
#include "store_grants.h"
#include "store_opaque.h"
#include "store_revocations.h"
#include "words.h"

clients_outcome clients_refuse(struct clients_refusal *r, const char *error, const char *fmt, ...)
{
    va_list args;

    r->error = error;
    va_start(args, fmt);
    (void)vsnprintf(r->message, sizeof r->message, fmt,
                    args); /* cut off when too long: text for people */
    va_end(args);
    for (char *p = r->message; *p != '\0'; p++) /* what was quoted may be anything */
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7E || *p == '"' || *p == '\\')
            *p = '\'';
    return CLIENTS_REFUSED;
}

static clients_outcome check_name(const char *name, struct clients_refusal *r)
{
    if (!name_is_good(name))
        return clients_refuse(
            r, "bad_name",
            "A client's name has 1 to %d characters of a-z 0-9 . _ - and begins with "
            "none of . and -",
            CLIENT_NAME_MAX - 1);
    if (name_is_reserved(name))
        return clients_refuse(r, "bad_name", "The name %s is reserved: choose another", name);
    return CLIENTS_DONE;
}

/* Copy the words once each, in their order, judging every one. */
static bool copy_words(const char *list, bool (*is_good)(postern_bytes), char *room,
                       size_t room_size)
{
    postern_bytes word;

    room[0] = '\0';
    while (words_next(&list, &word))
        if (!is_good(word) || (!words_has(room, word) && !words_append(room, room_size, word)))
            return false;
    return true;
}

static void list_resources(const struct issuer_settings *s, char *room, size_t room_size)
{
    room[0] = '\0';
    for (size_t i = 0; i < s->service_count; i++) {
        const char *cursor = s->services[i].audiences;
        postern_bytes word;

        while (words_next(&cursor, &word))
            if (word_is_resource(word))
                (void)words_append(room, room_size, word); /* the rest does not fit a message */
    }
}

static clients_outcome check_resources(const struct issuer_settings *s, const char *resources,
                                       struct clients_refusal *r)
{
    const char *cursor = resources;
    char known[512];
    postern_bytes word;

    list_resources(s, known, sizeof known);
    while (words_next(&cursor, &word))
        if (!issuer_settings_has_resource(s, word))
            return clients_refuse(
                r, "bad_resource", "%.*s is no audience of a service or door; there are: %s",
                (int)(word.len < 200 ? word.len : 200), (const char *)word.ptr, known);
    if (words_count(resources) == 0)
        return clients_refuse(
            r, "bad_resource",
            "Name at least one resource that the client may ask tokens for; there are: %s", known);
    return CLIENTS_DONE;
}

static clients_outcome check_lists(const struct issuer *is, const struct client_wish *wish,
                                   struct client_record *ret, struct clients_refusal *r)
{
    if (!copy_words(wish->scopes, word_is_scope, ret->scopes, sizeof ret->scopes))
        return clients_refuse(
            r, "bad_scope",
            "A scope has printable ASCII characters without space, double quote and "
            "backslash (RFC 6749 section 3.3); all together at most %d bytes",
            CLIENT_SCOPES_MAX - 1);
    if (!copy_words(wish->redirects, redirect_uri_is_good, ret->redirects, sizeof ret->redirects))
        return clients_refuse(
            r, "bad_redirect_uri",
            "A redirect URI is https, http on 127.0.0.1 or [::1], or a scheme of one's own "
            "with a dot in it, without fragment, user info and *; all together at most %d "
            "bytes",
            CLIENT_REDIRECTS_MAX - 1);
    if (!copy_words(wish->resources, word_is_resource, ret->resources, sizeof ret->resources))
        return clients_refuse(
            r, "bad_resource",
            "A resource is an absolute URI without fragment (RFC 8707 section 2); all "
            "together at most %d bytes",
            CLIENT_RESOURCES_MAX - 1);
    return check_resources(is->settings, ret->resources, r);
}

/* Controls, and marks that make a name read as another one: U+061C, U+200B..200F, U+2028..202E,
 * U+2060..206F, U+FEFF (Unicode TR 36 §2.10). */
static bool is_hidden(const uint8_t *p)
{
    if (p[0] < 0x20 || p[0] == 0x7F || (p[0] == 0xC2 && p[1] < 0xA0) ||
        (p[0] == 0xD8 && p[1] == 0x9C) || (p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF))
        return true;
    if (p[0] != 0xE2)
        return false;
    return (p[1] == 0x80 && ((p[2] >= 0x8B && p[2] <= 0x8F) || (p[2] >= 0xA8 && p[2] <= 0xAE))) ||
           (p[1] == 0x81 && p[2] >= 0xA0 && p[2] <= 0xAF);
}

static clients_outcome check_title(const char *title, struct client_record *ret,
                                   struct clients_refusal *r)
{
    bool is_good =
        strlen(title) < sizeof ret->title && postern_bytes_is_utf8(postern_bytes_str(title));

    for (const char *p = title; is_good && *p != '\0'; p++)
        is_good = !is_hidden((const uint8_t *)p); /* UTF-8: what follows a leader is there */
    if (!is_good)
        return clients_refuse(
            r, "bad_title",
            "A title has at most %d bytes of UTF-8 without control characters and marks "
            "that change the direction of text",
            CLIENT_TITLE_MAX - 1);
    memcpy(ret->title, title, strlen(title) + 1);
    return CLIENTS_DONE;
}

/* A key set is public: no private member, no weak key, nothing that cannot verify. */
static clients_outcome check_keys(const char *jwks, struct client_record *ret,
                                  struct clients_refusal *r, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes text = postern_bytes_str(jwks);
    postern_error why = { 0 };
    postern_err e;

    if (text.len >= sizeof ret->jwks)
        return clients_refuse(r, "bad_keys", "A key set has at most %d bytes", CLIENT_JWKS_MAX - 1);
    e = postern_json_scan(&j, text, &why);
    if (e == POSTERN_OK)
        e = key_set_check(&j, 0, &why);
    if (e == POSTERN_OK)
        e = postern_client_keys_check(text, &why);
    if (e == POSTERN_ERR_NOMEM || e == POSTERN_ERR_INTERNAL) {
        (void)POSTERN_FAIL(err, NOMEM, "key set: %s", why.detail); /* the outcome says it failed */
        return CLIENTS_FAILED;
    }
    if (e != POSTERN_OK)
        return clients_refuse(
            r, "bad_keys",
            "The key set must have an array keys (RFC 7517) of public keys, EC, RSA from 2048 "
            "bits, or Ed25519: %s",
            why.detail);
    memcpy(ret->jwks, jwks, text.len + 1);
    return CLIENTS_DONE;
}

static clients_outcome check_proof(const struct client_wish *wish, struct client_record *ret,
                                   struct clients_refusal *r, postern_error *err)
{
    if (wish->auth == CLIENT_AUTH_BY_NOTHING && ret->redirects[0] == '\0')
        return clients_refuse(r, "bad_redirect_uri",
                              "A public client only has tokens of people: name a redirect URI");
    if (wish->auth == CLIENT_AUTH_BY_NOTHING &&
        (wish->flags & (CLIENT_MAY_IMPERSONATE | CLIENT_MAY_INTROSPECT)) != 0)
        return clients_refuse(
            r, "bad_flags",
            "A public client proves nothing: it may neither impersonate nor introspect");
    if ((wish->auth == CLIENT_AUTH_BY_KEY) != (wish->jwks[0] != '\0'))
        return clients_refuse(r, "bad_keys",
                              "A key set comes with authentication by key, and only then");
    return wish->auth == CLIENT_AUTH_BY_KEY ? check_keys(wish->jwks, ret, r, err) : CLIENTS_DONE;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static clients_outcome check_client(const struct issuer *is, const struct client_wish *asked,
                                    struct client_record *ret, struct clients_refusal *r,
                                    postern_error *err)
{
    const struct client_wish wish = {
        or_empty(asked->name),
        or_empty(asked->scopes),
        or_empty(asked->resources),
        or_empty(asked->redirects),
        or_empty(asked->title),
        or_empty(asked->jwks),
        asked->auth,
        asked->flags,
    };
    clients_outcome o = check_name(wish.name, r);

    *ret = (struct client_record){ .auth = wish.auth,
                                   .flags = wish.flags,
                                   .created_s = issuer_now_s(is) };
    if (o != CLIENTS_DONE)
        return o;
    memcpy(ret->name, wish.name, strlen(wish.name) + 1);
    if ((o = check_lists(is, &wish, ret, r)) != CLIENTS_DONE ||
        (o = check_title(wish.title, ret, r)) != CLIENTS_DONE)
        return o;
    return check_proof(&wish, ret, r, err);
}

/* 32 bytes of secret.len ≤ INT_MAX always hash; false: libcrypto has no memory. */
bool clients_hash_secret(postern_bytes secret, uint8_t ret[CLIENT_SECRET_HASH])
{
    return sha256_make(secret, ret);
}

postern_err clients_make_secret(uint8_t ret_sha256[CLIENT_SECRET_HASH], postern_secret **ret,
                                postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_BASE64_ENCODED_MAX(CLIENT_SECRET_BYTES) + 1);
    uint8_t raw[CLIENT_SECRET_BYTES];
    bool is_made = issuer_random(raw, sizeof raw);

    if (is_made)
        postern_base64url_encode((postern_bytes){ raw, sizeof raw }, &text);
    postern_wipe(raw, sizeof raw);
    if (!is_made)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    if (text.failed || !clients_hash_secret(postern_buf_bytes(&text), ret_sha256))
        return POSTERN_FAIL(err, NOMEM, "client secret");
    return postern_secret_new(postern_buf_bytes(&text), ret, err);
}

clients_outcome clients_prepare(const struct issuer *is, const struct client_wish *wish,
                                struct client_record *ret, postern_secret **ret_secret,
                                struct clients_refusal *refusal, postern_error *err)
{
    clients_outcome o = check_client(is, wish, ret, refusal, err);

    *ret_secret = NULL;
    if (o == CLIENTS_DONE && ret->auth == CLIENT_AUTH_BY_SECRET &&
        clients_make_secret(ret->secret_sha256, ret_secret, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    return o;
}

clients_outcome clients_added(store_add added, const char *name, struct clients_refusal *refusal,
                              postern_error *err)
{
    switch (added) {
    case STORE_ADDED:
        return CLIENTS_DONE;
    case STORE_EXISTS:
        return clients_refuse(
            refusal, "exists",
            "There is a client or a person %s already; remove it first, or choose another "
            "name",
            name);
    case STORE_FULL:
        return clients_refuse(refusal, "full",
                              "There are %d clients: remove some that are not used", CLIENTS_MAX);
    case STORE_ADD_UNSET:
        break;
    }
    (void)POSTERN_FAIL(err, INTERNAL, "store_add %d", (int)added); /* the outcome says it failed */
    return CLIENTS_FAILED;
}

clients_outcome clients_add(struct issuer *is, const struct client_wish *wish,
                            postern_secret **ret_secret, struct clients_refusal *refusal,
                            postern_error *err)
{
    struct client_record client;
    POSTERN_AUTO(secret) secret = NULL;
    clients_outcome o = clients_prepare(is, wish, &client, &secret, refusal, err);
    store_add added = STORE_ADD_UNSET;

    if (o != CLIENTS_DONE)
        return o;
    if (store_client_add(is->store, &client, &added, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    o = clients_added(added, client.name, refusal, err);
    if (o == CLIENTS_DONE)
        *ret_secret = POSTERN_STEAL(secret);
    return o;
}

static clients_outcome refuse_unknown(struct clients_refusal *refusal)
{
    return clients_refuse(refusal, "no_such_client",
                          "There is no client of that name; `postern client list` shows all");
}

clients_outcome clients_rotate_secret(struct issuer *is, const char *name,
                                      postern_secret **ret_secret, struct clients_refusal *refusal,
                                      postern_error *err)
{
    struct client_record client;
    POSTERN_AUTO(secret) secret = NULL;
    bool is_found = false;

    if (store_client_find(is->store, name, &is_found, &client, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    if (!is_found)
        return refuse_unknown(refusal);
    if (client.auth != CLIENT_AUTH_BY_SECRET)
        return clients_refuse(refusal, "no_secret", "Client %s has no secret: it authenticates %s",
                              name,
                              client.auth == CLIENT_AUTH_BY_KEY ? "by its key" : "by nothing");
    if (clients_make_secret(client.secret_sha256, &secret, err) != POSTERN_OK ||
        store_client_set_secret(is->store, name, client.secret_sha256, &is_found, err) !=
            POSTERN_OK)
        return CLIENTS_FAILED;
    if (!is_found)
        return refuse_unknown(refusal); /* removed by the issuer before us, a moment ago */
    *ret_secret = POSTERN_STEAL(secret);
    return CLIENTS_DONE;
}

clients_outcome clients_remove(struct issuer *is, const char *name, int64_t *ret_removed_s,
                               struct clients_refusal *refusal, postern_error *err)
{
    int64_t now_s = issuer_now_s(is);
    bool is_found = false;

    if (now_s < is->newest_iat_s) /* the clock was set back since: its tokens would look newer than
                                     their end */
        now_s = is->newest_iat_s;
    if (store_client_remove(is->store, name, now_s, now_s + ISSUER_REMOVAL_KEEP_S, &is_found,
                            ret_removed_s, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    return is_found ? CLIENTS_DONE : refuse_unknown(refusal);
}

postern_err clients_authenticate(struct issuer *is, const char *name, postern_bytes secret,
                                 bool *ret_known, struct client_record *ret, postern_error *err)
{
    uint8_t hash[CLIENT_SECRET_HASH];
    bool is_found = false, is_equal;

    if (!clients_hash_secret(secret, hash))
        return POSTERN_FAIL(err, NOMEM, "hashing a client secret");
    POSTERN_TRY(store_client_find(is->store, name, &is_found, ret, err));
    is_equal = postern_bytes_equal_ct(
        (postern_bytes){ hash, sizeof hash },
        (postern_bytes){ is_found ? ret->secret_sha256 : is->no_client_sha256, sizeof hash });
    postern_wipe(hash, sizeof hash);
    *ret_known = is_found && is_equal && ret->auth == CLIENT_AUTH_BY_SECRET;
    return POSTERN_OK;
}

postern_err clients_check_live(struct issuer *is, const char *name, int64_t iat_s,
                               bool *ret_is_live, postern_error *err)
{
    struct client_record client;
    bool is_found = false;
    int64_t removed_s = STORE_NEVER;

    POSTERN_TRY(store_client_find(is->store, name, &is_found, &client, err));
    POSTERN_TRY(store_client_removed_at(is->store, name, &removed_s, err));
    *ret_is_live = is_found && iat_s > removed_s;
    return POSTERN_OK;
}

postern_err issuer_forget_what_is_over(struct issuer *is, postern_error *err)
{
    POSTERN_TRY(store_revocations_forget(is->store, issuer_now_s(is), err));
    POSTERN_TRY(store_sessions_forget(is->store, issuer_now_s(is), err));
    POSTERN_TRY(store_grants_forget(is->store, issuer_now_s(is), err));
    POSTERN_TRY(store_opaque_forget(is->store, issuer_now_s(is) - ISSUER_SKEW_MAX_S, err));
    return registrations_forget(is, err);
}
