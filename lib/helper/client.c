/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper client: one op, one connection, one request (postern-helper(7)).  Looks at the folders
 * of the socket, connects without blocking, looks at the peer's uid, and only then sends the token.
 * Knows nothing of tokens beyond their alphabet and makes no grant: lib/grant/ reads the reply.
 * libc only; linked into every SASL and PAM host.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <postern/client.h>
#include <postern/oauthbearer.h>
#include <postern-private/json.h>

#include "grant/grant.h"
#include "grant/op.h"
#include "grant/reply.h"
#include "helper/socket_path.h"

/* Pause while the backlog is full: long beside a login (50 us), short beside the deadline. */
#define RETRY_MS         10
#define SERVICE_MAX      255 /* bytes: a file name (NAME_MAX) */
#define PEER_MAX         255 /* bytes: an address and port, or a host's own words */
#define PORT_TEXT_MAX    5   /* digits */
#define EXTRA_SCOPES_MAX 16  /* with the longest token they still fit one frame */
#define EXTRA_SCOPE_MAX  255
#define CERT_SHA256_LEN  32

enum phase { PHASE_CONNECT = 0, PHASE_SEND, PHASE_RECEIVE };

struct client_op {
    postern_op op;
    enum phase phase;
    postern_err (*read)(struct client_op *c, postern_bytes reply, postern_error *err);
    bool is_waiting_for_reply; /* fd is worth polling */
    postern_err refusal;       /* of the request itself, said by the first step */
    int fd;
    uid_t server_uid;
    struct sockaddr_un address;
    char service[SERVICE_MAX + 1];
    char nonce_text[POSTERN_NONCE_TEXT_LEN + 1];
    postern_buf frame; /* the request; wiped when sent */
    postern_service_info *info; /* described; NULL: not (yet) */
};

static postern_bytes nonce_of(const struct client_op *c)
{
    return postern_bytes_str(c->nonce_text);
}

/* ---- one login ---- */

/* SO_PEERCRED names who called listen(2): posternd's supervisor. */
static postern_err check_peer(const struct client_op *c, postern_error *err)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer)
        return POSTERN_FAIL(err, HELPER_UNTRUSTED, "helper socket %s does not name its peer",
                            c->address.sun_path);
    if (peer.uid != 0 && peer.uid != c->server_uid)
        return POSTERN_FAIL(err, HELPER_UNTRUSTED,
                            "helper socket %s is served by uid %ju, must be root or posternd",
                            c->address.sun_path, (uintmax_t)peer.uid);
    return POSTERN_OK;
}

static postern_err connect_helper(struct client_op *c, postern_error *err)
{
    POSTERN_TRY(postern_socket_path_check(c->address.sun_path, c->server_uid, err));
    if (c->fd < 0)
        c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "socket: %s", strerror(errno));
    if (connect(c->fd, (const struct sockaddr *)&c->address, sizeof c->address) != 0) {
        if (errno == EAGAIN || errno == EINTR)
            return POSTERN_AGAIN; /* unix(7): the backlog is full; there is nothing to poll for */
        if (errno == EPROTOTYPE)
            return POSTERN_FAIL(err, HELPER_UNTRUSTED,
                                "%s is a socket of another type than posternd's",
                                c->address.sun_path);
        return POSTERN_FAIL(err, HELPER_UNAVAILABLE, "helper socket %s: %s%s", c->address.sun_path,
                            strerror(errno), errno == ECONNREFUSED ? "; is posternd running?" : "");
    }
    POSTERN_TRY(check_peer(c, err));
    c->phase = PHASE_SEND;
    return POSTERN_OK;
}

static postern_err send_request(struct client_op *c, postern_error *err)
{
    ssize_t sent = send(c->fd, c->frame.ptr, c->frame.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return POSTERN_AGAIN;
    if (sent < 0 && errno == EPIPE)
        sent = (ssize_t)c->frame.len; /* turned away: why may be there to read */
    if (sent < 0 || (size_t)sent != c->frame.len)
        return POSTERN_FAIL(err, HELPER_UNAVAILABLE, "sending to the helper: %s",
                            sent < 0 ? strerror(errno) : "cut short");
    postern_buf_free(&c->frame);
    c->phase = PHASE_RECEIVE;
    c->is_waiting_for_reply = true;
    return POSTERN_OK;
}

static postern_err read_reply(struct client_op *c, postern_bytes reply, postern_error *err)
{
    postern_failure *failure = postern_op_tell(&c->op);

    if (failure == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", c->op.class->name);
    return postern_grant_from_reply(reply, nonce_of(c), c->service, &c->op.grant, failure, err);
}

static postern_err read_info(struct client_op *c, postern_bytes reply, postern_error *err)
{
    POSTERN_AUTO_FRAME f = { 0 };

    POSTERN_TRY(postern_frame_open(&f, reply, err));
    if (c->info == NULL && (c->info = calloc(1, sizeof *c->info)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", c->op.class->name);
    return postern_reply_read_info(&f, nonce_of(c), c->service, c->info, err);
}

/* A handle is handed over as what it stands for: postern_op_take_token(). */
static postern_err read_handle(struct client_op *c, postern_bytes reply, postern_error *err)
{
    POSTERN_AUTO_FRAME f = { 0 };
    postern_failure *failure = postern_op_tell(&c->op);
    postern_bytes handle;

    if (failure == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", c->op.class->name);
    POSTERN_TRY(postern_frame_open(&f, reply, err));
    POSTERN_TRY(postern_reply_read_handle(&f, nonce_of(c), c->service, &handle, failure, err));
    return postern_secret_new(handle, &c->op.token, err);
}

/* One datagram into `room`.  POSTERN_OK · POSTERN_AGAIN · HELPER_UNAVAILABLE · HELPER_PROTOCOL */
static postern_err receive_frame(int fd, uint8_t *room, size_t *ret_len, postern_error *err)
{
    struct iovec part = { room, POSTERN_HELPER_FRAME_MAX };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (got < 0 && errno == ECONNRESET) /* closed with our frame unread; what it said comes now */
        got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return POSTERN_AGAIN;
    if (got < 0)
        return POSTERN_FAIL(err, HELPER_UNAVAILABLE, "receiving from the helper: %s",
                            strerror(errno));
    if (got == 0)
        return POSTERN_FAIL(err, HELPER_UNAVAILABLE,
                            "helper closed the connection without an answer");
    *ret_len = (size_t)got;
    if ((message.msg_flags & MSG_TRUNC) != 0)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "reply is longer than %d bytes",
                            POSTERN_HELPER_FRAME_MAX);
    /* Descriptors came along; without room for them the kernel closed them. */
    if ((message.msg_flags & MSG_CTRUNC) != 0)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "reply carries descriptors");
    return POSTERN_OK;
}

static postern_err receive_reply(struct client_op *c, postern_error *err)
{
    uint8_t *room = malloc(POSTERN_HELPER_FRAME_MAX);
    size_t len = 0;
    postern_err e;

    if (room == NULL)
        return POSTERN_FAIL(err, NOMEM, "reply of the helper");
    e = receive_frame(c->fd, room, &len, err);
    if (e == POSTERN_OK)
        e = c->read(c, (postern_bytes){ room, len }, err);
    postern_wipe(room, len);
    free(room);
    return e;
}

static postern_err step_client(postern_op *op, postern_error *err)
{
    struct client_op *c = (struct client_op *)op;

    if (c->refusal != POSTERN_ERR_UNSET)
        return postern_error_set(err, c->refusal, __FILE__, __LINE__,
                                 "refused before the helper was asked: %s",
                                 postern_err_text(c->refusal));
    if (c->phase == PHASE_CONNECT)
        POSTERN_TRY(connect_helper(c, err));
    if (c->phase == PHASE_SEND) {
        POSTERN_TRY(send_request(c, err));
        return POSTERN_AGAIN; /* no answer is that fast: its record is written first */
    }
    return receive_reply(c, err);
}

static int fd_of_client(const postern_op *op)
{
    const struct client_op *c = (const struct client_op *)op;

    return c->is_waiting_for_reply ? c->fd : -1;
}

static int wait_ms_of_client(const postern_op *op)
{
    const struct client_op *c = (const struct client_op *)op;

    return c->is_waiting_for_reply ? POSTERN_OP_DEADLINE_MS : RETRY_MS;
}

static const char *client_awaits(const postern_op *op)
{
    const struct client_op *c = (const struct client_op *)op;

    return c->phase == PHASE_CONNECT ? "the backlog of the helper's socket was full" :
                                       "the helper did not answer";
}

static void destroy_client(postern_op *op)
{
    struct client_op *c = (struct client_op *)op;

    if (c->fd >= 0)
        (void)close(c->fd);
    postern_buf_free(&c->frame);
    free(c->info);
}

#define CLIENT_CLASS(name_)                                                                        \
    {                                                                                              \
        .name = name_, .size = sizeof(struct client_op), .step = step_client, .fd = fd_of_client,  \
        .wait_ms = wait_ms_of_client, .destroy = destroy_client,                                   \
        .after_fork = POSTERN_ERR_HELPER_UNAVAILABLE, .awaits = client_awaits,                     \
    }
static const struct postern_op_class verify_class = CLIENT_CLASS("client.verify");
static const struct postern_op_class describe_class = CLIENT_CLASS("client.describe");
static const struct postern_op_class handle_class = CLIENT_CLASS("client.handle");

/* ---- the request ---- */

static bool is_plain(const char *text, size_t max)
{
    postern_bytes b = postern_bytes_str(text);

    return b.len <= max && postern_bytes_is_utf8(b) && !postern_bytes_has_control(b);
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

static postern_err make_nonce(char *ret_text, postern_error *err)
{
    uint8_t nonce[POSTERN_NONCE_LEN];
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(64);

    if (getrandom(nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %s", strerror(errno));
    postern_base64url_encode((postern_bytes){ nonce, sizeof nonce }, &text);
    if (text.failed || text.len != POSTERN_NONCE_TEXT_LEN)
        return POSTERN_FAIL(err, NOMEM, "nonce");
    memcpy(ret_text, text.ptr, text.len);
    ret_text[text.len] = '\0';
    return POSTERN_OK;
}

static postern_err set_address(struct client_op *c, const postern_helper_address *where,
                               postern_error *err)
{
    const char *path =
        where == NULL || where->path == NULL ? POSTERN_HELPER_SOCKET_DEFAULT : where->path;
    size_t len = strlen(path);

    if (path[0] != '/' || len >= sizeof c->address.sun_path)
        return POSTERN_FAIL(err, USAGE, "helper socket needs an absolute path of at most %zu bytes",
                            sizeof c->address.sun_path - 1);
    c->address.sun_family = AF_UNIX;
    memcpy(c->address.sun_path, path, len + 1);
    c->server_uid = where == NULL ? 0 : where->server_uid;
    return POSTERN_OK;
}

/* An op whose frame begins with the members that both requests have; the writer stays open for
 * more. */
static postern_err new_client(const struct postern_op_class *class,
                              const postern_helper_address *where, const char *op_name,
                              const char *service, postern_json_writer *w, postern_op **ret,
                              postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    struct client_op *c;

    if (is_empty(service) || !is_plain(service, SERVICE_MAX))
        return POSTERN_FAIL(err, USAGE, "a service name of 1..%d plain bytes is required",
                            SERVICE_MAX);
    POSTERN_TRY(postern_op_new(class, NULL, 0, &op, err));
    c = (struct client_op *)op;
    c->fd = -1;
    c->frame = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);
    memcpy(c->service, service, strlen(service) + 1);
    POSTERN_TRY(set_address(c, where, err));
    POSTERN_TRY(make_nonce(c->nonce_text, err));
    *w = (postern_json_writer){ .out = &c->frame };
    postern_json_open_object(w, NULL);
    postern_json_put_integer(w, "v", POSTERN_FRAME_VERSION);
    postern_json_put_str(w, "op", op_name);
    postern_json_put_str(w, "nonce", c->nonce_text);
    postern_json_put_str(w, "service", c->service);
    *ret = POSTERN_STEAL(op);
    return POSTERN_OK;
}

/* What can be refused without asking anybody; POSTERN_ERR_UNSET: ask. */
static postern_err judge_request(const postern_request *rq)
{
    if (rq->token.len == 0)
        return POSTERN_ERR_NO_TOKEN;
    if (rq->token.len > POSTERN_TOKEN_MAX)
        return POSTERN_ERR_LIMIT;
    if (!postern_token_is_token68(rq->token))
        return POSTERN_ERR_MALFORMED; /* RFC 6750 §2.1; it also is a JSON string of the same length
                                       */
    if (!is_empty(rq->authzid) && !is_plain(rq->authzid, POSTERN_AUTHZID_MAX - 1))
        return POSTERN_ERR_AUTHZID;
    if ((!is_empty(rq->message_host) && !is_plain(rq->message_host, POSTERN_HOST_MAX - 1)) ||
        (!is_empty(rq->message_port) && !is_plain(rq->message_port, PORT_TEXT_MAX)))
        return POSTERN_ERR_MESSAGE_MALFORMED;
    return POSTERN_ERR_UNSET;
}

static const char *carrier_word(postern_carrier carrier)
{
    static const char *const words[] = { NULL, "sasl", "password", "raw" };

    return (size_t)carrier < sizeof words / sizeof words[0] ? words[carrier] : NULL;
}

static const char *tls_word(postern_tls tls)
{
    static const char *const words[] = { "unknown", "none", "local", "on" };

    return (size_t)tls < sizeof words / sizeof words[0] ? words[tls] : NULL;
}

static postern_err put_scopes(postern_json_writer *w, const char *const *scopes, postern_error *err)
{
    if (scopes == NULL || scopes[0] == NULL)
        return POSTERN_OK;
    postern_json_open_array(w, "scopes");
    for (size_t i = 0; scopes[i] != NULL; i++) {
        if (i == EXTRA_SCOPES_MAX || is_empty(scopes[i]) || !is_plain(scopes[i], EXTRA_SCOPE_MAX))
            return POSTERN_FAIL(err, USAGE, "at most %d extra scopes of 1..%d plain bytes",
                                EXTRA_SCOPES_MAX, EXTRA_SCOPE_MAX);
        postern_json_put_str(w, NULL, scopes[i]);
    }
    postern_json_close_array(w);
    return POSTERN_OK;
}

static postern_err put_client_cert(postern_json_writer *w, postern_bytes digest, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(64);

    if (digest.len == 0)
        return POSTERN_OK;
    if (digest.len != CERT_SHA256_LEN)
        return POSTERN_FAIL(err, USAGE, "a certificate's SHA-256 has %d bytes", CERT_SHA256_LEN);
    postern_base64url_encode(digest, &text);
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "request frame");
    postern_json_put_string(w, "client_cert_sha256", postern_buf_bytes(&text));
    return POSTERN_OK;
}

static postern_err put_request(postern_json_writer *w, const postern_request *rq,
                               postern_error *err)
{
    postern_json_put_string(w, "token", rq->token);
    postern_json_put_str(w, "authzid", rq->authzid);
    postern_json_put_str(w, "carrier", carrier_word(rq->carrier));
    postern_json_put_str(w, "tls", tls_word(rq->tls));
    if (!is_empty(rq->peer) && is_plain(rq->peer, PEER_MAX)) /* audit only: not worth a refusal */
        postern_json_put_str(w, "peer", rq->peer);
    postern_json_put_str(w, "host", rq->message_host);
    postern_json_put_str(w, "port", rq->message_port);
    POSTERN_TRY(put_scopes(w, rq->extra_scopes, err));
    POSTERN_TRY(put_client_cert(w, rq->client_cert_sha256, err));
    postern_json_put_flag(w, "last", true); /* one op, one connection */
    postern_json_close_object(w);
    return w->out->failed ? POSTERN_FAIL(err, NOMEM, "request frame") : POSTERN_OK;
}

postern_err postern_client_verify_start(const postern_helper_address *where,
                                        const postern_request *rq, postern_op **ret_op,
                                        postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    postern_json_writer w;
    struct client_op *c;

    if (rq == NULL || rq->size != sizeof *rq || carrier_word(rq->carrier) == NULL ||
        tls_word(rq->tls) == NULL)
        return POSTERN_FAIL(err, USAGE, "request needs its size, a carrier and a kind of TLS");
    POSTERN_TRY(new_client(&verify_class, where, "verify", rq->service, &w, &op, err));
    c = (struct client_op *)op;
    c->read = read_reply;
    c->refusal = judge_request(rq);
    if (c->refusal == POSTERN_ERR_UNSET)
        POSTERN_TRY(put_request(&w, rq, err));
    *ret_op = POSTERN_STEAL(op);
    return POSTERN_OK;
}

postern_err postern_client_describe_start(const postern_helper_address *where, const char *service,
                                          postern_op **ret_op, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    postern_json_writer w;

    POSTERN_TRY(new_client(&describe_class, where, "describe", service, &w, &op, err));
    ((struct client_op *)op)->read = read_info;
    postern_json_close_object(&w);
    if (w.out->failed)
        return POSTERN_FAIL(err, NOMEM, "request frame");
    *ret_op = POSTERN_STEAL(op);
    return POSTERN_OK;
}

postern_err postern_client_handle_start(const postern_helper_address *where, const char *service,
                                        postern_bytes token, unsigned uses, postern_op **ret_op,
                                        postern_error *err)
{
    const postern_request rq = { .size = sizeof rq, .token = token };
    POSTERN_AUTO(op) op = NULL;
    postern_json_writer w;
    struct client_op *c;

    if (uses < 1 || uses > POSTERN_HANDLE_USES_MAX)
        return POSTERN_FAIL(err, USAGE, "a handle has 1..%d uses", POSTERN_HANDLE_USES_MAX);
    POSTERN_TRY(new_client(&handle_class, where, "handle", service, &w, &op, err));
    c = (struct client_op *)op;
    c->read = read_handle;
    c->refusal = judge_request(&rq);
    postern_json_put_string(&w, "token", c->refusal == POSTERN_ERR_UNSET ? token : POSTERN_BYTES_NONE);
    postern_json_put_integer(&w, "uses", uses);
    postern_json_close_object(&w);
    if (w.out->failed)
        return POSTERN_FAIL(err, NOMEM, "request frame");
    *ret_op = POSTERN_STEAL(op);
    return POSTERN_OK;
}

const postern_service_info *postern_client_info(const postern_op *op)
{
    if (op == NULL || op->class != &describe_class || op->verdict != POSTERN_OK)
        return NULL;
    return ((const struct client_op *)op)->info;
}
