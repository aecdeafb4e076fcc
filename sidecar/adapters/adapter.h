/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a wire protocol is to a door: bytes in, a login out; a verdict in, bytes out.  An adapter
 * cannot open a socket, knows no clock and decides nothing; sidecar/door/conn.c drives it.  A new
 * protocol is one file of this folder and one row in adapters.c.
 */
#ifndef POSTERN_SIDECAR_ADAPTER_H
#define POSTERN_SIDECAR_ADAPTER_H

#include <postern/grant.h>
#include <postern/policy.h>
#include <postern/request.h>

/* Bytes of one login, from its first byte to the last before the backend's own: the base64 of a
 * 16 KiB token in its RFC 7628 message is 22 KiB; an HTTP head has room for some more lines. */
#define ADAPTER_LOGIN_MAX 24576
#define ADAPTER_HOST_MAX 256 /* bytes with NUL of a named target: a DNS name and no more */
/* Bytes of what is said to a client in answer to a login: a JSON object of 1500 and an HTTP head
 * that repeats two of its members. */
#define ADAPTER_ANSWER_MAX 4096

typedef enum adapter_feed {
    ADAPTER_REJECT = 0, /* not this protocol, or broken: adapter_login.code says how; deny() it */
    ADAPTER_MORE,       /* nothing wrong so far */
    ADAPTER_LOGIN,      /* a new session is asked for */
    ADAPTER_RENEW       /* a session that lives asks for a longer lease */
} adapter_feed;

/* Views point into `in` or into the adapter's state: valid until the next feed() or wipe(). */
struct adapter_login {
    /* REJECT: what failure.code is to be for deny(): MESSAGE_MALFORMED, LIMIT, NO_TOKEN,
     * MALFORMED (a password that is no token), NOMEM, USAGE. */
    postern_err     code;
    postern_bytes   token;    /* LOGIN, RENEW: 1..POSTERN_TOKEN_MAX bytes of RFC 6750 b64token */
    postern_carrier carrier;  /* RAW; PASSWORD where the token came in a password's place */
    const char     *authzid;  /* "" when none; UTF-8 without control characters */
    /* As the client wrote it, IPv6 without brackets; "" when it named no target.  To be compared
     * with configured names, never resolved. */
    char            host[ADAPTER_HOST_MAX];
    char            port[8];  /* 1..65535 without leading zero; "" when not said */
    bool            has_target; /* it asks to be taken to host:port (CONNECT) */
    postern_bytes   session;  /* RENEW: the session's secret */
};

/* What a granted client is told. */
struct adapter_granted {
    const char   *service;
    int64_t       lease_end_s; /* since 1970 */
    int64_t       lease_s;     /* from now */
    postern_bytes session;     /* printable secret; empty in the answer to a renewal */
    const char   *ref;
};

/* What a refused one is told; texts "" or NULL when there is nothing to say. */
struct adapter_denied {
    const postern_failure *failure; /* code, ref, scope, openid_configuration, resource_metadata */
    const char            *because; /* the policy's or block's own words */
    const char            *contact;
    int64_t                retry_after_s; /* 0: what answer.c takes where the answer is "later" */
};

/* ---- sessions of which every action is judged ---- */

/* Bytes of one message that is judged whole; longer ones only where the adapter can name everything
 * that they touch from their beginning. */
#define ADAPTER_MESSAGE_MAX (1u << 20)
/* Decisions that one action may need: a DEL of a thousand keys is ordinary, ten thousand are not. */
#define ADAPTER_RESOURCES_MAX 4096
/* Actions of one session that wait for their verdict or their turn: a pipeline of redis-benchmark
 * has 1,000 at most; whoever sends more waits. */
#define ADAPTER_PENDING_MAX 1024
/* Bytes that the door reads ahead for one side of one session. */
#define ADAPTER_READ_AHEAD (ADAPTER_MESSAGE_MAX + 65536)

enum adapter_side { ADAPTER_CLIENT = 0, ADAPTER_BACKEND };

/* Bytes to be sent on, in order.  Both grow; a failed one (out of memory) ends the session. */
struct adapter_flow {
    postern_buf *to_client, *to_backend;
};

/* One thing that somebody wants to do.  Views into `in` or the state: valid until the next call. */
struct adapter_action {
    uint64_t id;              /* the adapter's own number, for settle() */
    enum adapter_side from;   /* who wants it */
    const char *name;         /* "GET" "CONFIG|GET" "tools/call"; NULL: nobody can say, so denied */
    /* What it touches: each is a decision of its own, and all must be allowed.  None: one decision,
     * in which the resource is not known. */
    const postern_bytes *resources;
    size_t resource_count;
    bool has_unnamed; /* it may touch more than it names: one more decision, on something not known */
    postern_policy_args args;
    /* What the digest in its record is made of, piece by piece: its arguments, as received. */
    const postern_bytes *digested;
    size_t digested_count;
    const char *database; /* in which of several it happens; NULL, "": the only or the first one */
    bool is_partial; /* more of it follows that nobody has seen: no digest, and no approval, is of it */
    const char *claimed_purpose; /* said with the call, logged and never judged; NULL: none */
    bool can_wait; /* held, it may wait for its approval while others go on; else it is refused */
};

typedef enum adapter_ruling {
    ADAPTER_REFUSE = 0, /* answer it with `denied`, in its turn */
    ADAPTER_RELEASE,    /* its bytes go on, in their turn */
    ADAPTER_HOLD        /* it waits (can_wait): settle() is called once more, with one of the above */
} adapter_ruling;

struct adapter_verdict {
    adapter_ruling ruling;
    struct adapter_denied denied; /* REFUSE */
    int64_t rows_max, bytes_max;  /* of its answer, where that can be counted; 0: no bound */
};

typedef enum adapter_step {
    ADAPTER_STEP_BROKEN = 0, /* nobody can be sure what the bytes mean: the session ends (flow is sent) */
    ADAPTER_STEP_MORE,  /* `used` bytes are dealt with; for the rest more must come */
    ADAPTER_STEP_AGAIN, /* `used` bytes are dealt with; call again */
    ADAPTER_STEP_PASS,  /* the same, and these go to the other side as they are, behind the flow */
    ADAPTER_STEP_JUDGE, /* the same, and `action` waits for settle(), before or after the next read() */
    ADAPTER_STEP_LOGIN, /* the same, and `login` asks for a longer lease: renewed() follows before the
                         * next read() of this side */
    ADAPTER_STEP_FULL   /* too much waits: call again when something was settled or came back */
} adapter_step;

/* What it may ask meanwhile: would such an action be allowed, with some arguments?  For lists. */
struct adapter_host {
    bool (*may_see)(void *arg, const char *action, postern_bytes resource);
    void *arg;
    /* Another number when something may be allowed no more that was: another grant, another policy.
     * For what is judged now and happens later.  Also when an hour has struck that a rule names.
     * NULL: never. */
    uint64_t (*rights)(void *arg);
    /* What would be said of such an action now: of one that was let through and still goes on, when
     * rights() is another number.  Nothing is recorded, counted or asked for.  HOLD: only behind an
     * approval.  NULL: nothing goes on. */
    adapter_ruling (*stands)(void *arg, const struct adapter_action *action);
    /* Who asked for an action that waits, for its verdict or for an approval, wants it no more.  One
     * that is held gets no second verdict then; a first one follows, and goes nowhere.  NULL: nobody
     * asks. */
    void (*withdrawn)(void *arg, uint64_t id);
};

/* As whom the door logs in at the backend; NULL or "": as nobody. */
struct adapter_backend_login {
    const char   *user;
    postern_bytes password; /* secret; borrowed for the call */
};

/* The same state as the login's.  Sans I/O: everything comes and goes as bytes. */
struct adapter_inspector {
    /*
     * Between the backend's connection and the client's answer: say the first words there, and judge
     * the backend's.  What they mean for the client (HELLO's map) is kept for grant().
     *   POSTERN_OK · POSTERN_ERR_USAGE (a login that this protocol cannot make) · POSTERN_ERR_NOMEM
     */
    postern_err (*greet)(void *state, const struct adapter_backend_login *as,
                         postern_buf *to_backend, postern_error *err);
    /* BROKEN: the backend refuses, or speaks something else · MORE · AGAIN · PASS: the greeting is
     * over; bytes behind `used` are the session's. */
    adapter_step (*greeted)(void *state, postern_bytes in, size_t *ret_used,
                            postern_buf *to_backend, postern_error *err);
    /* Once, behind grant(); the host stays. */
    void (*begin)(void *state, const struct adapter_host *host);
    /*
     * Bytes of one side, from the first that was not used.  The verdicts do not depend on how the
     * bytes were cut into calls.
     *   in        at most ADAPTER_READ_AHEAD bytes; so many that MORE would mean BROKEN
     *   ret       JUDGE
     *   login     LOGIN: token and carrier
     *   err       BROKEN: filled; no byte of either side is in it.  POLICY: the bytes are well, but
     *             what goes on is allowed no more (stands()); goodbye() follows
     */
    adapter_step (*read)(void *state, enum adapter_side from, postern_bytes in, size_t *ret_used,
                         struct adapter_action *ret, struct adapter_login *login,
                         struct adapter_flow *out, postern_error *err);
    /* A verdict on action `id`; in any order. */
    void (*settle)(void *state, uint64_t id, const struct adapter_verdict *v,
                   struct adapter_flow *out);
    /* One that is held, as it was judged, to be judged again; views as of read().  Not inside of
     * read().  False: it is not held (any more), or memory.  NULL: nothing of this protocol waits. */
    bool (*again)(void *state, uint64_t id, struct adapter_action *ret);
    /* What became of LOGIN: granted, or denied (the other is NULL). */
    void (*renewed)(void *state, const struct adapter_granted *g, const struct adapter_denied *d,
                    struct adapter_flow *out);
    /* The session ends: the protocol's own last word, where it has one and it may be said now. */
    void (*goodbye)(void *state, const struct adapter_denied *why, struct adapter_flow *out);
    bool tells_end; /* goodbye() is called, too, when the backend ends by itself */
    /* Nothing is in flight: no answer is owed, no transaction open.  A safe moment to end. */
    bool (*is_quiet)(const void *state);
};

struct adapter {
    const char *name;       /* as `protocol:` spells it */
    size_t      state_size; /* conn.c allocates it zeroed and wipes it after wipe() */
    /*
     * Read a login from its beginning.
     *
     *   in         everything received so far; the same bytes and more at the next call, perhaps at
     *              another address.  With ADAPTER_LOGIN_MAX bytes there is a verdict: room for them
     *   ret_used   LOGIN, RENEW: bytes that were the login; the rest belongs to the backend
     *   ret        LOGIN, RENEW, REJECT
     *   err        REJECT: filled; no byte of the client's is in it.  NULL is fine
     *
     * The verdict does not depend on how the bytes were cut into calls.  After it feed() is not
     * called again (if it is, nothing but REJECT comes).
     */
    adapter_feed (*feed)(void *state, postern_bytes in, size_t *ret_used,
                         struct adapter_login *ret, postern_error *err);
    /* What is said to a client that talks before it logs in, at most ADAPTER_ANSWER_MAX bytes in all
     * its calls; called when feed() said MORE and no byte more is there.  NULL: never anything.  What
     * was not said then stands in grant()'s and deny()'s answer. */
    void (*chat)(void *state, postern_buf *out);
    /* Append the answer, at most ADAPTER_ANSWER_MAX bytes; `out` fails when memory does, and the
     * connection ends.  deny() may come before any verdict: a login that took too long. */
    void (*grant)(void *state, const struct adapter_granted *g, postern_buf *out);
    void (*deny)(void *state, const struct adapter_denied *d, postern_buf *out);
    /* Secrets out of the state, allocations freed; also before the first feed(). */
    void (*wipe)(void *state);
    /* NULL: behind the login bytes are relayed as they come, and nothing but the connection is
     * judged. */
    const struct adapter_inspector *inspector;
};

/* NULL: no such protocol in this build. */
const struct adapter *adapter_find(const char *protocol);

#endif
