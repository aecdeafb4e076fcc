/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates that a test makes: a CA, what it signs, what it should not have signed. */
#ifndef TESTS_UNIT_DOOR_CERTS_H
#define TESTS_UNIT_DOOR_CERTS_H

#include <stddef.h>

#include <openssl/ssl.h>

#include "door/tls.h"

struct test_cert {
    EVP_PKEY *key;
    X509     *x;
};

/*
 * P-256.  All of it is asserted (cmocka).
 *
 *   issuer           NULL: self-signed
 *   san              "DNS:a.example", "IP:127.0.0.1"; NULL: a CA
 *   from_s, until_s  relative to now
 */
struct test_cert test_cert_new(const struct test_cert *issuer, const char *san, long from_s,
                               long until_s);
void test_cert_free(struct test_cert *c);
int  test_cert_fd(const struct test_cert *c);  /* PEM of the certificate in a memfd */
int  test_cert_key_fd(const struct test_cert *c);
/* For errors a file without a name of its own. */
static inline struct tls_file pem_file(int fd)
{
    return (struct tls_file){ fd, "a file" };
}
int  test_text_fd(const char *text, size_t len); /* any text in a memfd */

/* Contexts as a door has them, of such certificates. */
SSL_CTX *test_server_ctx(const struct test_cert *c, const struct test_cert *client_ca);
SSL_CTX *test_client_ctx(const struct test_cert *ca, const struct test_cert *own);

/* Two connected sockets of loopback TCP; both blocking, close-on-exec. */
void test_tcp_pair(int ret[2]);
void test_set_blocking(int fd, int is_blocking);
/* Open descriptors of this process. */
size_t test_count_fds(void);

#endif
