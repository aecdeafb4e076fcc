/* SPDX-License-Identifier: BSD-2-Clause */
/* People; see people.h.  A token that a grant's end must reach may be as new as the clock of this
 * process has ever been. */
#include "people.h"

#include <stdlib.h>

#include "log.h"
#include "name_rules.h"
#include "passwords.h"
#include "store_grants.h"

static clients_outcome refuse_taken(const char *name, struct clients_refusal *r)
{
    return clients_refuse(r, "exists",
                          "There is a person or a client %s already; choose another name", name);
}

static int64_t end_time_s(const struct issuer *is)
{
    int64_t now_s = issuer_now_s(is);

    return now_s < is->newest_iat_s ? is->newest_iat_s : now_s;
}

/* Looked at before the hash is computed; the store looks again. */
static postern_err is_taken(struct issuer *is, const char *name, bool *ret, postern_error *err)
{
    struct user_record user;
    struct client_record client;
    bool is_user = false, is_client = false;

    POSTERN_TRY(store_user_find(is->store, name, &is_user, &user, err));
    POSTERN_TRY(store_client_find(is->store, name, &is_client, &client, err));
    *ret = is_user || is_client;
    return POSTERN_OK;
}

clients_outcome people_prepare(struct issuer *is, const char *name, postern_bytes password,
                               struct user_record *ret, struct clients_refusal *refusal,
                               postern_error *err)
{
    const char *fault = password_fault(password);
    uint8_t salt[USER_SALT];
    bool taken = false;

    if (!name_is_good(name))
        return clients_refuse(
            refusal, "bad_name",
            "A person's name has 1 to %d characters of a-z 0-9 . _ - and begins with "
            "none of . and -",
            USER_NAME_MAX - 1);
    if (name_is_reserved(name))
        return clients_refuse(refusal, "bad_name", "The name %s is reserved: choose another", name);
    if (fault != NULL)
        return clients_refuse(refusal, "bad_password", "%s", fault);
    if (!issuer_random(salt, sizeof salt)) {
        (void)POSTERN_FAIL(err, SYSTEM, "getrandom: %m"); /* the outcome says it failed */
        return CLIENTS_FAILED;
    }
    if (is_taken(is, name, &taken, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    if (taken)
        return refuse_taken(name, refusal);
    *ret = (struct user_record){ .created_s = issuer_now_s(is) };
    memcpy(ret->name, name, strlen(name) + 1); /* a good name fits */
    password_prepare(ret, salt);
    return CLIENTS_DONE;
}

clients_outcome people_add(struct issuer *is, const struct user_record *user,
                           struct clients_refusal *refusal, postern_error *err)
{
    store_add added = STORE_ADD_UNSET;

    if (store_user_add(is->store, user, &added, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    switch (added) {
    case STORE_ADDED:
        return CLIENTS_DONE;
    case STORE_EXISTS:
        return refuse_taken(user->name, refusal);
    case STORE_FULL:
        return clients_refuse(refusal, "full", "There are %d people: remove some that are gone",
                              USERS_MAX);
    case STORE_ADD_UNSET:
        break;
    }
    (void)POSTERN_FAIL(err, INTERNAL, "store_add %d", (int)added); /* the outcome says it failed */
    return CLIENTS_FAILED;
}

clients_outcome people_remove(struct issuer *is, const char *name, size_t *ret_ended,
                              struct clients_refusal *refusal, postern_error *err)
{
    struct revocation *ended = NULL;
    int64_t now_s = end_time_s(is);
    bool is_found = false;
    size_t count = 0;

    if (store_user_remove(is->store, name, now_s, now_s + ISSUER_REMOVAL_KEEP_S, &is_found, &ended,
                          &count, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    for (size_t i = 0; i < count; i++)
        issuer_tell_revoked(is, &ended[i]);
    free(ended);
    *ret_ended = count;
    if (!is_found)
        return clients_refuse(refusal, "no_such_user",
                              "There is no person of that name; `postern user list` shows all");
    return CLIENTS_DONE;
}

postern_err people_end_grant(struct issuer *is, const char *user, const char *grant_id,
                             bool *ret_found, postern_error *err)
{
    struct revocation what = { .kind = POSTERN_REVOCATION_GRANT, .before_s = end_time_s(is) };
    struct grant_record grant;
    bool is_found = false;

    what.until_s = what.before_s + ISSUER_REMOVAL_KEEP_S;
    *ret_found = false;
    POSTERN_TRY(store_grant_find(is->store, grant_id, &is_found, &grant, err));
    if (!is_found || strcmp(grant.user, user) != 0)
        return POSTERN_OK;
    POSTERN_TRY(store_grant_end(is->store, grant.id, what.before_s, what.until_s, ret_found, err));
    if (!*ret_found)
        return POSTERN_OK;
    memcpy(what.name, grant.id, sizeof grant.id);
    issuer_tell_revoked(is, &what);
    log_note("%s ended the grant %s of %s", user, grant.id, grant.client);
    return POSTERN_OK;
}
