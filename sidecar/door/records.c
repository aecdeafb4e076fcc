/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "records.h"
#include "tls.h"

/*
 * Into the SSL's own room, and what comes behind it here.  Is it a body that is asked for, only the
 * head of the next record: then that is all that is copied.  Is it a head, as much as a record has:
 * small messages come with one call.
 */
static size_t receive(struct records *x, void *to, size_t room)
{
    size_t behind =
        room > SSL3_RT_HEADER_LENGTH ? SSL3_RT_HEADER_LENGTH : sizeof x->in_room;
    struct iovec parts[] = { { to, room }, { x->in_room, behind } };
    struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };
    size_t got;
    ssize_t n;

    if (x->is_dry || x->received >= RECORDS_TURN_MAX)
        return 0;
    do
        n = recvmsg(x->fd, &msg, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    x->is_cut = n == 0;
    x->error = n < 0 && errno != EAGAIN && errno != EWOULDBLOCK ? errno : 0;
    got = n < 0 ? 0 : (size_t)n;
    x->is_dry = got < room + behind;
    x->received += got;
    x->in_at = 0;
    x->in_len = got > room ? got - room : 0;
    return got - x->in_len;
}

static int read_in(BIO *b, char *to, int room)
{
    struct records *x = BIO_get_data(b);
    size_t n = room < 0 ? 0 : (size_t)room;

    BIO_clear_retry_flags(b);
    x->asked++;
    if (x->in_len == 0) {
        n = receive(x, to, n);
    } else {
        n = n > x->in_len ? x->in_len : n;
        memcpy(to, x->in_room + x->in_at, n);
        x->in_at += n;
        x->in_len -= n;
    }
    if (n == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    return (int)n;
}

/* No retry when it is full: nobody but an attacker makes it so (RECORDS_OUT_MAX). */
static int write_out(BIO *b, const char *from, int len)
{
    struct records *x = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (len < 0 || (size_t)len > sizeof x->out - x->out_len)
        return -1;
    memcpy(x->out + x->out_len, from, (size_t)len);
    x->out_len += (size_t)len;
    return len;
}

static long control(BIO *b, int what, long number, void *ptr)
{
    (void)b;
    (void)number;
    (void)ptr;
    return what == BIO_CTRL_FLUSH;
}

static void begin_turn(struct records *x, int fd)
{
    x->fd = fd;
    x->in_at = x->in_len = x->received = 0;
    x->is_dry = fd < 0;
    x->is_cut = false;
    x->error = 0;
}

postern_err records_new(struct records **ret, postern_error *err)
{
    struct records *x = malloc(sizeof *x);

    if (x == NULL)
        return POSTERN_FAIL(err, NOMEM, "gather buffers of %zu bytes", sizeof *x);
    x->out_len = 0;
    x->why[0] = '\0';
    x->asked = 0;
    x->bio = NULL;
    begin_turn(x, -1);
    x->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "records of a relay");
    if (x->method == NULL || BIO_meth_set_read(x->method, read_in) != 1 ||
        BIO_meth_set_write(x->method, write_out) != 1 ||
        BIO_meth_set_ctrl(x->method, control) != 1 || (x->bio = BIO_new(x->method)) == NULL) {
        ERR_clear_error();
        records_free(x);
        return POSTERN_FAIL(err, NOMEM, "gather buffers");
    }
    BIO_set_data(x->bio, x);
    BIO_set_init(x->bio, 1);
    *ret = x;
    return POSTERN_OK;
}

void records_free(struct records *x)
{
    if (x == NULL)
        return;
    BIO_free(x->bio);
    BIO_meth_free(x->method);
    free(x);
}

void records_attach(struct records *x, SSL *ssl)
{
    (void)BIO_up_ref(x->bio);
    SSL_set0_rbio(ssl, x->bio);
    (void)BIO_up_ref(x->bio);
    SSL_set0_wbio(ssl, x->bio);
    /* A ticket or KeyUpdate between two records of data is no reason to come back: reading cannot
     * block here. */
    (void)SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_set_read_ahead(ssl, 0); /* what it does not need stays with us */
}

/* The socket had no more, and neither has the SSL: to ask it would only say so. */
static bool has_all(const struct records *x, const SSL *ssl)
{
    return x->is_dry && x->in_len == 0 && SSL_has_pending(ssl) == 0;
}

records_read records_decrypt(struct records *x, SSL *ssl, int fd, size_t *ret_len)
{
    size_t len = 0;
    records_read result = RECORDS_FULL;

    begin_turn(x, fd);
    while (len < sizeof x->plain) {
        size_t n = 0, before = x->asked;

        tls_forget_errors();
        if (SSL_read_ex(ssl, x->plain + len, sizeof x->plain - len, &n) == 1) {
            len += n;
            if (has_all(x, ssl)) {
                result = RECORDS_DRY;
                break;
            }
            continue;
        }
        switch (SSL_get_error(ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            if (x->in_len != 0 && x->asked != before) /* a message that was no data */
                continue;
            result = x->in_len == 0 ? RECORDS_DRY : RECORDS_BROKEN;
            break;
        case SSL_ERROR_ZERO_RETURN:
            result = RECORDS_END;
            break;
        default:
            result = RECORDS_BROKEN;
        }
        break;
    }
    if (result == RECORDS_FULL && x->in_len != 0)
        result = RECORDS_BROKEN; /* cannot be: decrypted is shorter than encrypted */
    *ret_len = len;
    x->in_len = 0;
    return result;
}

bool records_encrypt(struct records *x, SSL *ssl, postern_bytes plain)
{
    (void)x;
    while (plain.len > 0) {
        size_t n = 0;

        tls_forget_errors();
        if (SSL_write_ex(ssl, plain.ptr, plain.len, &n) != 1)
            return false; /* memory neither blocks nor renegotiates */
        plain.ptr += n;
        plain.len -= n;
    }
    return true;
}

bool records_encrypt_end(struct records *x, SSL *ssl)
{
    (void)x;
    tls_forget_errors();
    return SSL_shutdown(ssl) >= 0;
}
