/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "door/tls.h"
#include "door_certs.h"

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX v3;
    X509_EXTENSION *e;

    X509V3_set_ctx_nodb(&v3);
    X509V3_set_ctx(&v3, issuer, x, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &v3, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

struct test_cert test_cert_new(const struct test_cert *issuer, const char *san, long from_s,
                               long until_s)
{
    static long serial = 1;
    struct test_cert c = { EVP_EC_gen("P-256"), X509_new() };
    X509_NAME *name;

    assert_non_null(c.key);
    assert_non_null(c.x);
    name = X509_get_subject_name(c.x);
    assert_int_equal(X509_set_version(c.x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(c.x), ++serial), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(c.x), from_s));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(c.x), until_s));
    assert_int_equal(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   (const unsigned char *)(san == NULL ? "CA" : "leaf"), -1, -1, 0),
        1);
    assert_int_equal(
        X509_set_issuer_name(c.x, issuer == NULL ? name : X509_get_subject_name(issuer->x)), 1);
    assert_int_equal(X509_set_pubkey(c.x, c.key), 1);
    extend(c.x, c.x, NID_basic_constraints, san == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (san != NULL)
        extend(c.x, c.x, NID_subject_alt_name, san);
    assert_true(X509_sign(c.x, issuer == NULL ? c.key : issuer->key, EVP_sha256()) > 0);
    return c;
}

void test_cert_free(struct test_cert *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->x);
    *c = (struct test_cert){ NULL, NULL };
}

int test_text_fd(const char *text, size_t len)
{
    int fd = memfd_create("pem", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    return fd;
}

static int fd_of_bio(BIO *b)
{
    char *text;
    long len = BIO_get_mem_data(b, &text);
    int fd;

    assert_true(len > 0);
    fd = test_text_fd(text, (size_t)len);
    BIO_free(b);
    return fd;
}

int test_cert_fd(const struct test_cert *c)
{
    BIO *b = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_X509(b, c->x), 1);
    return fd_of_bio(b);
}

int test_cert_key_fd(const struct test_cert *c)
{
    BIO *b = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_PrivateKey(b, c->key, NULL, NULL, 0, NULL, NULL), 1);
    return fd_of_bio(b);
}

SSL_CTX *test_server_ctx(const struct test_cert *c, const struct test_cert *client_ca)
{
    int cert = test_cert_fd(c), key = test_cert_key_fd(c);
    int ca = client_ca == NULL ? -1 : test_cert_fd(client_ca);
    postern_error err = { 0 };
    SSL_CTX *ctx = NULL;

    if (tls_server_context(pem_file(cert), pem_file(key), pem_file(ca), "test", &ctx, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    assert_int_equal(close(cert) + close(key), 0);
    assert_int_equal(ca < 0 ? 0 : close(ca), 0);
    return ctx;
}

SSL_CTX *test_client_ctx(const struct test_cert *ca, const struct test_cert *own)
{
    int ca_fd = test_cert_fd(ca);
    int cert = own == NULL ? -1 : test_cert_fd(own), key = own == NULL ? -1 : test_cert_key_fd(own);
    postern_error err = { 0 };
    SSL_CTX *ctx = NULL;

    if (tls_client_context(pem_file(ca_fd), pem_file(cert), pem_file(key), "test", &ctx, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    assert_int_equal(close(ca_fd), 0);
    if (own != NULL)
        assert_int_equal(close(cert) + close(key), 0);
    return ctx;
}

void test_tcp_pair(int ret[2])
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ret[0], (struct sockaddr *)&a, len), 0);
    ret[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(ret[1] >= 0);
    assert_int_equal(close(listener), 0);
}

void test_set_blocking(int fd, int is_blocking)
{
    int flags = fcntl(fd, F_GETFL);

    assert_true(flags >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), 0);
}

size_t test_count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    assert_int_equal(closedir(d), 0);
    return count - 3; /* ".", "..", its own */
}
