/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ask posternd's helper (SOCK_SEQPACKET unix socket, postern-helper(7)).  One op owns one
 * connection with one request outstanding; the reply must echo a 128-bit nonce and the service.
 * After fork(2) an inherited op's descriptor is closed, never used: the child gets
 * POSTERN_ERR_HELPER_UNAVAILABLE.
 */
#ifndef POSTERN_CLIENT_H
#define POSTERN_CLIENT_H

#include <sys/types.h>

#include <postern/op.h>
#include <postern/request.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_HELPER_SOCKET_DEFAULT "/run/postern/helper.sock"
/* Bytes of one JSON frame: token 16 KiB, names, and room; one datagram. */
#define POSTERN_HELPER_FRAME_MAX 32768

typedef struct postern_helper_address {
    const char *path;       /* absolute; NULL: POSTERN_HELPER_SOCKET_DEFAULT */
    uid_t       server_uid; /* the peer must be uid 0 or this one; 0 for "root only" */
} postern_helper_address;

#define POSTERN_SERVICE_NAME_MAX 128 /* bytes with NUL of a service's name in a host's settings */
#define POSTERN_HELPER_PATH_MAX  108 /* bytes with NUL: sun_path of unix(7) */
/* What a host's own configuration says of the helper.  Not to be moved: `where` points into it. */
typedef struct postern_helper_place {
    char service[POSTERN_SERVICE_NAME_MAX];
    char socket[POSTERN_HELPER_PATH_MAX];
    postern_helper_address where; /* path points to `socket` */
} postern_helper_place;

/*
 * Read it.  After a failure `service` is "" or what was named.
 *
 *   service   letters, digits, '-', '_' and '.'
 *   socket    absolute; NULL: POSTERN_HELPER_SOCKET_DEFAULT
 *   user      whom posternd's helper may run as beside root, a name or a number; NULL: nobody
 *   POSTERN_OK · POSTERN_ERR_CONFIG_VALUE
 */
POSTERN_MUST_USE postern_err postern_helper_place_read(const char *service, const char *socket,
                                                       const char *user, postern_helper_place *ret,
                                                       postern_error *err);

/* What the helper says of a service (mech_avail asks once and keeps the answer 60 s). */
typedef struct postern_service_info {
    bool            is_known;
    bool            has_oauthbearer;
    bool            has_xoauth2;
    /* How an opaque token begins that comes in place of a password; "": none does. */
    char            opaque_prefix[POSTERN_OPAQUE_PREFIX_MAX];
    /* Scope, openid_configuration, resource_metadata: the answer to an empty auth. */
    postern_failure discovery;
} postern_service_info;

/*
 * Start asking for a verdict on rq->token.  Connects without blocking; checks that the socket's
 * parent folders belong to root or server_uid and that nobody else may write there, and the
 * peer's uid, before the token is sent.
 *
 *   where   copied; NULL: defaults
 *   rq      copied; carrier must be said; at most 16 extra scopes of 255 bytes
 *   POSTERN_OK · POSTERN_ERR_USAGE (no service, no carrier, relative path) · POSTERN_ERR_NOMEM ·
 *   POSTERN_ERR_SYSTEM (no random numbers); verdicts and HELPER_UNAVAILABLE / HELPER_UNTRUSTED /
 *   HELPER_PROTOCOL / TIMEOUT come from postern_op_step(), which also says NO_TOKEN, LIMIT,
 *   MALFORMED, AUTHZID and MESSAGE_MALFORMED of what is not worth asking about; then nothing was
 *   sent.
 */
POSTERN_MUST_USE postern_err postern_client_verify_start(const postern_helper_address *where,
                                                         const postern_request *rq,
                                                         postern_op **ret_op, postern_error *err);
#define POSTERN_HANDLE_USES_MAX 8 /* logins by one handle: connections that a mail client opens at once */
/*
 * Start asking for a handle: at most 64 characters that stand for the token, for a minute, wherever a
 * password is asked for and the helper judges it.  postern_op_take_token() gives it.
 *
 *   token   copied; must be good for the service
 *   uses    1..POSTERN_HANDLE_USES_MAX
 *   POSTERN_OK · POSTERN_ERR_USAGE · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM; verdicts as of
 *   postern_client_verify_start(), and BUSY, come from postern_op_step()
 */
POSTERN_MUST_USE postern_err postern_client_handle_start(const postern_helper_address *where,
                                                         const char *service, postern_bytes token,
                                                         unsigned uses, postern_op **ret_op,
                                                         postern_error *err);
/* Start asking what the helper knows of a service; the answer is read with
 * postern_client_info(). */
POSTERN_MUST_USE postern_err postern_client_describe_start(const postern_helper_address *where,
                                                           const char *service, postern_op **ret_op,
                                                           postern_error *err);
/* Valid after step() said POSTERN_OK on a describe op (an unknown service is POSTERN_OK with
 * is_known false), else NULL. */
const postern_service_info *postern_client_info(const postern_op *op);

#ifdef __cplusplus
}
#endif
#endif
