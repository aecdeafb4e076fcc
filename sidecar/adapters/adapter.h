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
/* Bytes of what is said to a client in answer to a login. */
#define ADAPTER_ANSWER_MAX 4096

typedef enum adapter_feed {
    ADAPTER_REJECT = 0, /* not this protocol, or broken: adapter_login.code says how; deny() it */
    ADAPTER_MORE,       /* nothing wrong so far */
    ADAPTER_LOGIN,      /* a new session is asked for */
    ADAPTER_RENEW       /* a session that lives asks for a longer lease */
} adapter_feed;

/* Views point into `in` or into the adapter's state: valid until the next feed() or wipe(). */
struct adapter_login {
    postern_err     code;     /* REJECT: MESSAGE_MALFORMED, LIMIT, NO_TOKEN … with err filled */
    postern_bytes   token;
    postern_carrier carrier;  /* RAW; PASSWORD where the token came in a password's place */
    const char     *authzid;  /* "" when none */
    char            host[ADAPTER_HOST_MAX]; /* "" when the client named no target */
    char            port[8];
    bool            has_target; /* the client asks to be taken to host:port (CONNECT) */
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
    int64_t                retry_after_s; /* 0: not said */
};

struct adapter {
    const char *name;       /* as `protocol:` spells it */
    size_t      state_size; /* conn.c allocates it zeroed and wipes it after wipe() */
    /*
     * Read a login from its beginning.
     *
     *   in         everything received so far; the same bytes and more at the next call
     *   ret_used   LOGIN, RENEW: bytes that were the login; the rest belongs to the backend
     *   ret        LOGIN, RENEW, REJECT
     *   err        REJECT: filled; holds nothing of the token
     */
    adapter_feed (*feed)(void *state, postern_bytes in, size_t *ret_used,
                         struct adapter_login *ret, postern_error *err);
    /* Append the answer; `out` fails when memory does, and the connection ends. */
    void (*grant)(void *state, const struct adapter_granted *g, postern_buf *out);
    void (*deny)(void *state, const struct adapter_denied *d, postern_buf *out);
    /* Secrets out of the state, allocations freed; also before the first feed(). */
    void (*wipe)(void *state);
};

/* NULL: no such protocol in this build. */
const struct adapter *adapter_find(const char *protocol);

#endif
