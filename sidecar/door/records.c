/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "records.h"

static int read_in(BIO *b, char *to, int room)
{
    struct records *x = BIO_get_data(b);
    size_t n = room < 0 ? 0 : (size_t)room;

    BIO_clear_retry_flags(b);
    if (n > x->in_len)
        n = x->in_len;
    if (n == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    memcpy(to, x->in_room + x->in_at, n);
    x->in_at += n;
    x->in_len -= n;
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

postern_err records_new(struct records **ret, postern_error *err)
{
    struct records *x = malloc(sizeof *x);

    if (x == NULL)
        return POSTERN_FAIL(err, NOMEM, "gather buffers of %zu bytes", sizeof *x);
    x->in_at = x->in_len = x->out_len = 0;
    x->bio = NULL;
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

records_read records_decrypt(struct records *x, SSL *ssl, size_t received, size_t *ret_len)
{
    size_t len = 0;
    records_read result = RECORDS_FULL;

    x->in_at = 0;
    x->in_len = received;
    while (len < sizeof x->plain) {
        size_t n = 0, before = x->in_len;

        ERR_clear_error();
        if (SSL_read_ex(ssl, x->plain + len, sizeof x->plain - len, &n) == 1) {
            len += n;
            continue;
        }
        switch (SSL_get_error(ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            if (x->in_len != 0 && x->in_len < before) /* a message that was no data */
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

        ERR_clear_error();
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
    ERR_clear_error();
    return SSL_shutdown(ssl) >= 0;
}
