/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One session of the Redis adapter: what its login keeps, the requests that wait for their verdict,
 * their turn or their answer, and how far either side was read.  redis_login.c says hello on both
 * sides, redis_queue.c keeps the order, redis_client.c reads requests, redis_backend.c replies.
 */
#ifndef POSTERN_ADAPTERS_REDIS_STATE_H
#define POSTERN_ADAPTERS_REDIS_STATE_H

#include <postern/oauthbearer.h>

#include "adapter.h"
#include "redis_keys.h"
#include "redis_reply.h"
#include "redis_request.h"

/* Bytes of requests that wait for their turn: one of full length behind another. */
#define REDIS_WAITING_MAX (2u * ADAPTER_MESSAGE_MAX)
#define REDIS_CLIENT_NAME_MAX 1024  /* bytes of SETNAME's: longer than any library's own */
#define REDIS_GREETING_MAX 16384    /* bytes of HELLO's answer: a server with a hundred modules */
#define REDIS_EARLY_MAX 16          /* commands before the login that are answered: libraries send 4 */
#define REDIS_DATABASE_MAX 20       /* bytes with NUL: the digits that redis_read_number() takes */
#define REDIS_REFUSAL_MAX 2048      /* bytes of an error: a word, a JSON object of 1500, a line end */

/* AUTH, or HELLO with AUTH in it. */
struct redis_login {
    unsigned protocol; /* 2, 3: HELLO said so; 0: AUTH */
    bool has_auth, has_name;
    postern_bytes user, password, name;
};

typedef enum redis_login_form {
    REDIS_LOGIN_BAD = 0, /* AUTH or HELLO with words that mean nothing */
    REDIS_LOGIN_NONE,    /* another command */
    REDIS_LOGIN_GOOD     /* HELLO without AUTH is one: has_auth says */
} redis_login_form;

redis_login_form redis_login_read(struct redis_words request, struct redis_login *ret);
/* HELLO protocol [AUTH user password] [SETNAME name] */
void redis_put_hello(const struct redis_login *l, postern_buf *out);
/* -WORD {object} */
void redis_put_refusal(const char *word, const struct adapter_denied *d, postern_buf *out);
/* The word for a refused login. */
const char *redis_login_word(postern_err code);
/* Token and user of a login. */
POSTERN_MUST_USE postern_err redis_login_take(const struct redis_login *l, char **authzid,
                                              struct adapter_login *ret, postern_error *err);

/* adapter_inspector.greet, .greeted */
postern_err redis_greet(void *state, const struct adapter_backend_login *as,
                        postern_buf *to_backend, postern_error *err);
adapter_step redis_greeted(void *state, postern_bytes in, size_t *ret_used,
                           postern_buf *to_backend, postern_error *err);

/* What is to be seen to when a request is sent or answered. */
enum redis_kind {
    REDIS_PLAIN = 0,
    REDIS_MULTI,
    REDIS_EXEC,
    REDIS_DISCARD,
    REDIS_HELLO,     /* its answer says which protocol follows */
    REDIS_SELECT,    /* its answer says in which database everything behind it happens */
    REDIS_LOGIN,     /* waits for renewed() */
    REDIS_MONITOR,   /* what follows its answer is no answer */
    REDIS_SUBSCRIBE, /* as many answers as there are channels, amid messages; up to SUNSUBSCRIBE */
    REDIS_PSUBSCRIBE,
    REDIS_SSUBSCRIBE,
    REDIS_UNSUBSCRIBE,
    REDIS_PUNSUBSCRIBE,
    REDIS_SUNSUBSCRIBE,
    REDIS_TRACKING,  /* CLIENT TRACKING: the server tells of keys that change */
    REDIS_NEVER      /* would make the connection another's, or what follows unreadable */
};

/* It is no longer over with its answer, or ends what was not. */
static inline bool redis_may_go_on(enum redis_kind kind)
{
    return kind >= REDIS_MONITOR && kind <= REDIS_TRACKING;
}

enum redis_stage {
    REDIS_WAITS = 0, /* for its verdict */
    REDIS_READY,     /* for its turn to be sent */
    REDIS_SENT,      /* for its answer */
    REDIS_ANSWERED   /* by us: for its turn to be answered */
};

struct redis_entry {
    enum redis_stage stage;
    enum redis_kind kind;
    bool is_denied;     /* whatever the verdict: nobody can say what it does */
    bool is_refused;    /* inside MULTI: the transaction is lost */
    bool is_large;      /* its bytes are the beginning alone */
    bool is_awaited;    /* what stands behind it is read when it was answered */
    bool counts_found;  /* `rows` is of what was found: the second element of its answer */
    bool is_kept;       /* its channels are (redis_kept.c) */
    uint64_t rights;    /* under which it was judged */
    uint64_t owed;      /* answers; 0: as many as there are subscriptions */
    int64_t rows_max, bytes_max;
    postern_buf request; /* until it is sent; of what may be kept, until it is answered */
    postern_buf answer; /* ours; SENT: instead of the backend's */
};

enum redis_stream {
    REDIS_STREAM_NONE = 0,
    REDIS_STREAM_WAITS, /* for verdict and turn of the last entry */
    REDIS_STREAM_PASSES,
    REDIS_STREAM_DROPPED
};

/* What becomes of the reply that is read. */
enum redis_fate {
    REDIS_FATE_HELD = 0, /* not known yet: none of it was used */
    REDIS_FATE_PASSES,
    REDIS_FATE_DROPPED   /* another answer stands in its place */
};

/* ---- redis_kept.c ---- */

struct redis_kept_item;
/* What was allowed and goes on: channels, patterns, MONITOR, CLIENT TRACKING. */
struct redis_kept {
    struct redis_kept_item *items;
    size_t count, max, bytes;
    unsigned lost;   /* kinds, a bit each, of which there is more than can be kept */
    uint64_t rights; /* under which all of it is allowed, if they are those of now */
};

struct redis_state;
/* The backend has answered this one, no error: it goes on from now, or is over. */
void redis_kept_note(struct redis_state *s, struct redis_entry *e, bool is_last);
/* Is all of it allowed still?  Asked before anything is let through that nobody asked for. */
bool redis_kept_stands(struct redis_state *s);
void redis_kept_free(struct redis_kept *k);

struct redis_state {
    /* login */
    bool is_read;               /* LOGIN was said */
    bool has_quit;              /* QUIT instead of a login */
    postern_err refusal;        /* what REJECT said; UNSET before */
    size_t early_at;            /* bytes of what was said before the login */
    unsigned early, early_said; /* commands among them; answers that were given */
    unsigned protocol;          /* of HELLO; 0: AUTH */
    char *authzid;
    postern_buf client_name;
    postern_buf greeting;       /* HELLO's answer, for grant() */
    bool is_greeted;
    /* session */
    bool is_open;
    bool is_out_of_memory;
    struct redis_scan scan;
    enum redis_stream stream;
    struct redis_reply reply;
    enum redis_fate fate;
    bool is_push;               /* of the reply that passes: it is nobody's answer */
    size_t seen;                /* bytes of a held reply that were looked at */
    bool is_resp3, is_monitor;
    uint64_t channels, patterns, shards; /* subscriptions */
    /* requests in their order: a ring */
    struct redis_entry *ring;
    size_t ring_size, ring_head, count;
    size_t passed;              /* of them: sent, or passed over because we answer them */
    uint64_t head_id;           /* of the first */
    uint64_t login_id;          /* of the one that waits for renewed() */
    size_t waiting;             /* bytes of requests that are here */
    size_t awaited;             /* entries with is_awaited: 0 or 1 */
    bool in_multi, is_lost;     /* by what was sent; something in it was refused */
    uint64_t multi_rights;      /* of MULTI: what was allowed inside was allowed by these */
    struct redis_kept kept;
    uint64_t asked_database;    /* of the SELECT that is awaited */
    char database[REDIS_DATABASE_MAX]; /* in which commands happen now; "": 0 */
    const struct adapter_host *host; /* NULL: its rights never change */
    struct redis_name name;
    postern_bytes *words, *keys; /* of the action that was handed out last */
    size_t words_max, keys_max;
};

static inline uint64_t redis_rights(const struct redis_state *s)
{
    return s->host == NULL || s->host->rights == NULL ? 0 : s->host->rights(s->host->arg);
}

/* ---- redis_queue.c ---- */

/* Room for one more; a new entry that waits, or NULL when memory is out. */
struct redis_entry *redis_queue_push(struct redis_state *s, enum redis_kind kind,
                                     postern_bytes request);
static inline uint64_t redis_queue_last_id(const struct redis_state *s)
{
    return s->head_id + s->count - 1;
}
/* NULL: it is gone. */
struct redis_entry *redis_queue_find(struct redis_state *s, uint64_t id);
/* The first, where the backend owes it an answer; else NULL. */
struct redis_entry *redis_queue_head(struct redis_state *s);
void redis_queue_pop(struct redis_state *s);
/* Answer it ourselves: `out` of the answer is e->answer. */
void redis_queue_refuse(struct redis_state *s, struct redis_entry *e);
/* Send what may be sent, answer what is to be answered now. */
void redis_queue_advance(struct redis_state *s, struct adapter_flow *out);
void redis_queue_free(struct redis_state *s);

/* ---- both sides ---- */

adapter_step redis_read_client(struct redis_state *s, postern_bytes in, size_t *ret_used,
                               struct adapter_action *ret, struct adapter_login *login,
                               struct adapter_flow *out, postern_error *err);
adapter_step redis_read_backend(struct redis_state *s, postern_bytes in, size_t *ret_used,
                                struct adapter_flow *out, postern_error *err);

/* A request once more, as the action that it was; views as of read().  False: memory. */
bool redis_action_of(struct redis_state *s, postern_bytes request, struct adapter_action *ret);
/* The words of a request that is here whole; NULL: memory. */
struct redis_words redis_words_of(struct redis_state *s, postern_bytes request);

extern const struct adapter_inspector redis_inspector;

#endif
