/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a wire protocol is to a door: bytes in, a login out; a verdict in, bytes out.  An adapter
 * cannot open a socket, knows no clock and decides nothing; sidecar/door/conn.c drives it.  A new
 * protocol is one file of this folder and one row in adapters.c.
 */
#ifndef POSTERN_SIDECAR_ADAPTER_H
#define POSTERN_SIDECAR_ADAPTER_H

#include <postern/grant.h>
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
    /* Append the answer, at most ADAPTER_ANSWER_MAX bytes; `out` fails when memory does, and the
     * connection ends.  deny() may come before any verdict: a login that took too long. */
    void (*grant)(void *state, const struct adapter_granted *g, postern_buf *out);
    void (*deny)(void *state, const struct adapter_denied *d, postern_buf *out);
    /* Secrets out of the state, allocations freed; also before the first feed(). */
    void (*wipe)(void *state);
};

/* NULL: no such protocol in this build. */
const struct adapter *adapter_find(const char *protocol);

#endif
