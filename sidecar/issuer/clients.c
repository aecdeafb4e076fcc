/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may be a client; see clients.h.  Names are local user names too (sub = client_id for
 * client_credentials, RFC 9068 §2.2): name_rules.h.
 */
#include "clients.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/evp.h>

#include "name_rules.h"
#include "store_grants.h"
#include "store_revocations.h"
#include "words.h"

static clients_outcome refuse(struct clients_refusal *r, const char *error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static clients_outcome refuse(struct clients_refusal *r, const char *error, const char *fmt, ...)
{
    va_list args;

    r->error = error;
    va_start(args, fmt);
    (void)vsnprintf(r->message, sizeof r->message, fmt,
                    args); /* cut off when too long: text for people */
    va_end(args);
    return CLIENTS_REFUSED;
}

static clients_outcome check_name(const char *name, struct clients_refusal *r)
{
    if (!name_is_good(name))
        return refuse(r, "bad_name",
                      "A client's name has 1 to %d characters of a-z 0-9 . _ - and begins with "
                      "none of . and -",
                      CLIENT_NAME_MAX - 1);
    if (name_is_reserved(name))
        return refuse(r, "bad_name", "The name %s is reserved: choose another", name);
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
            return refuse(r, "bad_resource", "%.*s is no audience of a service or door; there are: %s",
                          (int)(word.len < 200 ? word.len : 200), (const char *)word.ptr, known);
    if (words_count(resources) == 0)
        return refuse(
            r, "bad_resource",
            "Name at least one resource that the client may ask tokens for; there are: %s", known);
    return CLIENTS_DONE;
}

static clients_outcome check_client(const struct issuer *is, const char *name, const char *scopes,
                                    const char *resources, struct client_record *ret,
                                    struct clients_refusal *r)
{
    clients_outcome o = check_name(name, r);

    if (o != CLIENTS_DONE)
        return o;
    memcpy(ret->name, name, strlen(name) + 1);
    if (!copy_words(scopes, word_is_scope, ret->scopes, sizeof ret->scopes))
        return refuse(r, "bad_scope",
                      "A scope has printable ASCII characters without space, double quote and "
                      "backslash (RFC 6749 section 3.3); all together at most %d bytes",
                      CLIENT_SCOPES_MAX - 1);
    if (!copy_words(resources, word_is_resource, ret->resources, sizeof ret->resources))
        return refuse(r, "bad_resource",
                      "A resource is an absolute URI without fragment (RFC 8707 section 2); all "
                      "together at most %d bytes",
                      CLIENT_RESOURCES_MAX - 1);
    return check_resources(is->settings, ret->resources, r);
}

/* 32 bytes of secret.len ≤ INT_MAX always hash; false: libcrypto has no memory. */
static bool hash_secret(postern_bytes secret, uint8_t ret[CLIENT_SECRET_HASH])
{
    return EVP_Digest(secret.ptr, secret.len, ret, NULL, EVP_sha256(), NULL) == 1;
}

static postern_err make_secret(struct client_record *client, postern_secret **ret,
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
    if (text.failed || !hash_secret(postern_buf_bytes(&text), client->secret_sha256))
        return POSTERN_FAIL(err, NOMEM, "client secret");
    return postern_secret_new(postern_buf_bytes(&text), ret, err);
}

clients_outcome clients_add(struct issuer *is, const char *name, const char *scopes,
                            const char *resources, postern_secret **ret_secret,
                            struct clients_refusal *refusal, postern_error *err)
{
    struct client_record client = { .created_s = issuer_now_s(is) };
    POSTERN_AUTO(secret) secret = NULL;
    clients_outcome o = check_client(is, name, scopes, resources, &client, refusal);
    store_add added = STORE_ADD_UNSET;

    if (o != CLIENTS_DONE)
        return o;
    if (make_secret(&client, &secret, err) != POSTERN_OK ||
        store_client_add(is->store, &client, &added, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    switch (added) {
    case STORE_ADDED:
        *ret_secret = POSTERN_STEAL(secret);
        return CLIENTS_DONE;
    case STORE_EXISTS:
        return refuse(refusal, "exists",
                      "There is a client or a person %s already; remove it first, or choose another name",
                      name);
    case STORE_FULL:
        return refuse(refusal, "full", "There are %d clients: remove some that are not used",
                      CLIENTS_MAX);
    case STORE_ADD_UNSET:
        break;
    }
    (void)POSTERN_FAIL(err, INTERNAL, "store_add %d", (int)added); /* the outcome says it failed */
    return CLIENTS_FAILED;
}

clients_outcome clients_remove(struct issuer *is, const char *name, int64_t *ret_removed_s,
                               struct clients_refusal *refusal, postern_error *err)
{
    int64_t now_s = issuer_now_s(is);
    bool is_found = false;

    if (now_s < is->newest_iat_s) /* the clock was set back since: its tokens would look newer than their end */
        now_s = is->newest_iat_s;
    if (store_client_remove(is->store, name, now_s, now_s + ISSUER_REMOVAL_KEEP_S, &is_found,
                            ret_removed_s, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    if (!is_found)
        return refuse(refusal, "no_such_client",
                      "There is no client of that name; `postern client list` shows all");
    return CLIENTS_DONE;
}

postern_err clients_authenticate(struct issuer *is, const char *name, postern_bytes secret,
                                 bool *ret_known, struct client_record *ret, postern_error *err)
{
    uint8_t hash[CLIENT_SECRET_HASH];
    bool is_found = false, is_equal;

    if (!hash_secret(secret, hash))
        return POSTERN_FAIL(err, NOMEM, "hashing a client secret");
    POSTERN_TRY(store_client_find(is->store, name, &is_found, ret, err));
    is_equal = postern_bytes_equal_ct(
        (postern_bytes){ hash, sizeof hash },
        (postern_bytes){ is_found ? ret->secret_sha256 : is->no_client_sha256, sizeof hash });
    postern_wipe(hash, sizeof hash);
    *ret_known = is_found && is_equal;
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
    return store_grants_forget(is->store, issuer_now_s(is), err);
}
