/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What people authorized: one file of mode 0600 for each (issuer, client, resource, person), in a
 * folder that only the user can enter and that survives a reboot.  A file is replaced whole and is
 * on the disk before anybody relies on it: a refresh token that rotates is worth nothing twice.
 */
#ifndef POSTERN_CLI_LOGIN_STORE_H
#define POSTERN_CLI_LOGIN_STORE_H

#include <postern/agent.h>
#include <postern/request.h>

#define LOGIN_NAME_ROOM     65   /* bytes: 64 hex digits and NUL */
#define LOGIN_TEXT_ROOM     2049 /* bytes of a resource, the longest of the texts */
#define LOGIN_PERSON_MAX    256  /* bytes */
#define LOGIN_LOCK_WAIT_MS  25000 /* another run's refresh (20 s), and its disk */

struct login_entry {
    char issuer[POSTERN_URL_MAX], client_id[513];
    char resource[LOGIN_TEXT_ROOM];    /* "": the server's default */
    char person[LOGIN_PERSON_MAX + 1]; /* as said by whoever runs the agent; "": not said */
    char subject[256];                 /* as the server named the person; "": it did not */
    char scope[1024];
    int64_t expires_s;                 /* of the access token; 0: the server did not say */
    postern_secret *access_token, *refresh_token; /* NULL: none */
    /* A refresh was begun: if this is read back, its answer was never stored, and the refresh token
     * may be used up. */
    bool is_refreshing;
};

struct login_store; /* the folder */
struct login_lock;  /* one entry, for one process */

/* Which entry; NULL: any. */
struct login_key {
    const char *issuer, *client_id, *resource, *person;
};

/* Make the folder where it is missing.  POSTERN_OK · CONFIG_FILE · NOMEM */
POSTERN_MUST_USE postern_err login_store_open(struct login_store **ret, postern_error *err);
void login_store_close(struct login_store *s); /* NULL is fine */
static inline void login_store_auto(struct login_store **s)
{
    login_store_close(*s);
}

/* The name of the entry that has exactly this key; NULL counts as "".  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err login_store_name(const struct login_key *key,
                                              char ret_name[LOGIN_NAME_ROOM], postern_error *err);
/*
 * Every entry that fits, in no order, until visit() says false.  Files that are not ours or not
 * readable are passed over.  POSTERN_OK · NOMEM · SYSTEM
 */
POSTERN_MUST_USE postern_err
login_store_walk(const struct login_store *s, const struct login_key *key,
                 bool (*visit)(void *arg, const char *name, const struct login_entry *e), void *arg,
                 postern_error *err);
/* The one entry that fits.  POSTERN_OK · LOGIN_NEEDED (there is none) · USAGE (there are several) ·
 * NOMEM · SYSTEM */
POSTERN_MUST_USE postern_err login_store_find(const struct login_store *s,
                                              const struct login_key *key,
                                              char ret_name[LOGIN_NAME_ROOM], postern_error *err);

/* Wait for whoever has it, at most LOGIN_LOCK_WAIT_MS.  POSTERN_OK · BUSY · SYSTEM · NOMEM */
POSTERN_MUST_USE postern_err login_store_lock(const struct login_store *s, const char *name,
                                              struct login_lock **ret, postern_error *err);
void login_store_unlock(struct login_lock *l); /* NULL is fine */
static inline void login_lock_auto(struct login_lock **l)
{
    login_store_unlock(*l);
}

/* `ret` is freed with login_entry_free(), in every case.  POSTERN_OK · LOGIN_NEEDED (not there) ·
 * CONFIG_FILE (not ours, not private, not whole) · NOMEM */
POSTERN_MUST_USE postern_err login_store_read(const struct login_store *s, const char *name,
                                              struct login_entry *ret, postern_error *err);
/* Replace it; on the disk when it returns.  POSTERN_OK · SYSTEM · NOMEM */
POSTERN_MUST_USE postern_err login_store_write(const struct login_store *s, const char *name,
                                               const struct login_entry *e, postern_error *err);
/* POSTERN_OK (also when it was not there) · SYSTEM */
POSTERN_MUST_USE postern_err login_store_remove(const struct login_store *s, const char *name,
                                                postern_error *err);
void login_entry_free(struct login_entry *e); /* wipes; it may be used again */
static inline void login_entry_auto(struct login_entry *e)
{
    login_entry_free(e);
}

#endif
