/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/tls.c: contexts from descriptors, against OpenSSL's own client over a socket pair.
 */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "../support/alloc_fail.h"
#include "door/tls.h"
#include "door_certs.h"

static const struct tls_file no_file = { -1, "" };

static struct test_cert ca, other_ca, leaf, client_leaf, stranger;

/* ---- two ends ---- */

struct ends {
    SSL *server, *client;
    int fds[2];
};

static void open_ends(struct ends *e, SSL_CTX *server, SSL_CTX *client)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, e->fds), 0);
    e->server = SSL_new(server);
    e->client = SSL_new(client);
    assert_int_equal(SSL_set_fd(e->server, e->fds[0]) + SSL_set_fd(e->client, e->fds[1]), 2);
    SSL_set_accept_state(e->server);
    SSL_set_connect_state(e->client);
}

static void close_ends(struct ends *e)
{
    SSL_set_shutdown(e->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* tickets stay good */
    SSL_free(e->server);
    SSL_free(e->client);
    assert_int_equal(close(e->fds[0]) + close(e->fds[1]), 0);
    ERR_clear_error();
}

static bool is_waiting(SSL *ssl, int n)
{
    int why = SSL_get_error(ssl, n);

    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* True when both ends are through, and then the client has read what the server sent behind. */
static bool shake_hands(struct ends *e)
{
    int a = 0, b = 0;
    char room[8];

    for (int i = 0; i < 20 && (a != 1 || b != 1); i++) {
        if (b != 1) {
            b = SSL_do_handshake(e->client);
            if (b != 1 && !is_waiting(e->client, b))
                return false;
        }
        if (a != 1) {
            a = SSL_do_handshake(e->server);
            if (a != 1 && !is_waiting(e->server, a))
                return false;
        }
    }
    if (a != 1 || b != 1 || SSL_write(e->server, "hi", 2) != 2)
        return false;
    for (int i = 0; i < 20; i++) {
        b = SSL_read(e->client, room, sizeof room);
        if (b > 0)
            return b == 2;
        if (!is_waiting(e->client, b))
            return false;
    }
    return false;
}

static bool can_talk(SSL_CTX *server, SSL_CTX *client)
{
    struct ends e;
    bool is_up;

    open_ends(&e, server, client);
    is_up = shake_hands(&e);
    close_ends(&e);
    return is_up;
}

/* ---- contexts from files ---- */

static void a_server_with_certificate_and_key_is_trusted_by_its_ca_alone(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, NULL), *client = test_client_ctx(&ca, NULL);
    SSL_CTX *wrong = test_client_ctx(&other_ca, NULL), *self = test_client_ctx(&leaf, NULL);
    struct ends e;

    (void)state;
    open_ends(&e, server, client);
    assert_true(shake_hands(&e));
    assert_string_equal(SSL_get_version(e.client), "TLSv1.3");
    assert_null(SSL_get_current_compression(e.server));
    close_ends(&e);
    assert_false(can_talk(server, wrong));
    assert_false(can_talk(server, self)); /* the leaf is no anchor for itself */
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    SSL_CTX_free(wrong);
    SSL_CTX_free(self);
}

static void descriptors_are_read_from_their_beginning_and_stay_open(void **state)
{
    int cert = test_cert_fd(&leaf), key = test_cert_key_fd(&leaf);
    SSL_CTX *ctx = NULL;

    (void)state;
    for (int i = 0; i < 2; i++) { /* a reload gets the same ones */
        assert_int_equal(tls_server_context(pem_file(cert), pem_file(key), no_file, "x", &ctx, NULL),
                         POSTERN_OK);
        SSL_CTX_free(ctx);
    }
    assert_int_equal(close(cert) + close(key), 0);
}

static SSL_CTX *asking_ctx(void)
{
    SSL_CTX *ctx = test_server_ctx(&leaf, NULL);

    assert_int_equal(tls_ask_for_certificate(ctx, "x", NULL), POSTERN_OK);
    return ctx;
}

/* Nobody vouches for it, and its time may be over: its key is what counts. */
static void a_door_that_asks_takes_every_certificate_and_none(void **state)
{
    struct test_cert expired = test_cert_new(NULL, NULL, -7200, -3600);
    SSL_CTX *server = asking_ctx();
    SSL_CTX *clients[] = { test_client_ctx(&ca, NULL), test_client_ctx(&ca, &leaf),
                           test_client_ctx(&ca, &stranger), test_client_ctx(&ca, &expired) };

    (void)state;
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        assert_true(can_talk(server, clients[i]));
        SSL_CTX_free(clients[i]);
    }
    assert_int_equal(SSL_CTX_get_num_tickets(server), 0);
    assert_true((SSL_CTX_get_options(server) & SSL_OP_NO_TICKET) != 0);
    SSL_CTX_free(server);
    test_cert_free(&expired);
}

/* Of more primes it is found in a fraction of the time, and checked like any other. */
static EVP_PKEY *find_rsa(int bits, int primes)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, primes), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* One of 2048 bits for all tests. */
static EVP_PKEY *usual_rsa(void)
{
    static EVP_PKEY *usual;

    if (usual == NULL)
        usual = find_rsa(2048, 3);
    assert_int_equal(EVP_PKEY_up_ref(usual), 1);
    return usual;
}

static BIGNUM *number_of(const EVP_PKEY *key, const char *name)
{
    BIGNUM *n = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    return n;
}

/* Of a key with its primes and perhaps one more: which numbers have no inverse. */
static BIGNUM *count_units(const EVP_PKEY *key, unsigned more)
{
    static const char *const names[] = { OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
                                         OSSL_PKEY_PARAM_RSA_FACTOR3, OSSL_PKEY_PARAM_RSA_FACTOR4 };
    BN_CTX *room = BN_CTX_new();
    BIGNUM *units = BN_new();

    assert_int_equal(BN_set_word(units, more == 0 ? 1 : more - 1), 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        BIGNUM *prime = NULL;

        if (EVP_PKEY_get_bn_param(key, names[i], &prime) != 1)
            break;
        assert_int_equal(BN_sub_word(prime, 1) + BN_mul(units, units, prime, room), 2);
        BN_clear_free(prime);
    }
    ERR_clear_error();
    BN_CTX_free(room);
    return units;
}

/* From `e` on the first exponent that the primes allow, and the one that undoes it. */
static void find_exponents(const BIGNUM *units, BIGNUM *e, BIGNUM *d)
{
    BN_CTX *room = BN_CTX_new();

    while (BN_mod_inverse(d, e, units, room) == NULL)
        assert_int_equal(BN_add_word(e, 2), 1);
    ERR_clear_error();
    BN_CTX_free(room);
}

/*
 * A key made of the primes of another one.
 *
 *   e_bits   of its exponent; 0: the usual one
 *   more     one more prime; 0: none
 */
static EVP_PKEY *derive_rsa(const EVP_PKEY *key, unsigned e_bits, unsigned more)
{
    BIGNUM *n = number_of(key, OSSL_PKEY_PARAM_RSA_N), *e = BN_new(), *d = BN_new(),
           *units = count_units(key, more);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *other = NULL;
    OSSL_PARAM *params;

    assert_int_equal(BN_set_word(e, 65537), 1);
    assert_int_equal(e_bits == 0 || BN_set_bit(e, (int)e_bits - 1), 1);
    assert_int_equal(more == 0 || BN_mul_word(n, more), 1);
    find_exponents(units, e, d);
    assert_int_equal(BN_num_bits(e), e_bits == 0 ? 17 : e_bits);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_D, d), 1);
    params = OSSL_PARAM_BLD_to_param(builder);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &other, EVP_PKEY_KEYPAIR, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    BN_free(e);
    BN_clear_free(d);
    BN_clear_free(units);
    return other;
}

/* May a client with that key talk to a door that asks? */
static bool is_taken(EVP_PKEY *take_key)
{
    struct test_cert cert = test_cert_new(NULL, NULL, -60, 3600);
    SSL_CTX *server = asking_ctx(), *client = test_client_ctx(&ca, NULL);
    bool is_up;

    SSL_CTX_set_security_level(server, 0); /* our own rule, not OpenSSL's */
    SSL_CTX_set_security_level(client, 0);
    assert_int_equal(X509_set_pubkey(cert.x, take_key), 1);
    assert_true(X509_sign(cert.x, take_key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(client, cert.x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(client, take_key), 1);
    is_up = can_talk(server, client);
    EVP_PKEY_free(take_key);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    test_cert_free(&cert);
    return is_up;
}

/* Such a key can be found, and then anybody holds it. */
static void a_key_that_is_too_weak_proves_nothing(void **state)
{
    (void)state;
    assert_false(is_taken(EVP_RSA_gen(1024)));
    assert_true(is_taken(usual_rsa()));
}

/* A stranger would have us calculate for a hundred times as long as he does. */
static void a_key_that_is_dear_to_check_is_not_checked(void **state)
{
    EVP_PKEY *usual = usual_rsa(), *longest = find_rsa(4096, 4);
    EVP_PKEY *longer = derive_rsa(longest, 0, 3);

    (void)state;
    assert_int_equal(EVP_PKEY_get_bits(longest), 4096);
    assert_in_range(EVP_PKEY_get_bits(longer), 4097, 4098);
    assert_true(is_taken(derive_rsa(usual, 64, 0)));
    assert_false(is_taken(derive_rsa(usual, 65, 0)));
    assert_false(is_taken(derive_rsa(usual, 2000, 0)));
    assert_true(is_taken(derive_rsa(usual, 0, 0)));
    EVP_PKEY_free(usual);
    assert_true(is_taken(derive_rsa(longest, 0, 0)));
    assert_true(is_taken(longest));
    assert_false(is_taken(longer));
    assert_true(is_taken(EVP_EC_gen("P-521")));
}

static void an_intermediate_behind_the_certificate_is_sent(void **state)
{
    struct test_cert between = test_cert_new(&ca, NULL, -60, 3600);
    struct test_cert end;
    SSL_CTX *server = NULL, *client = test_client_ctx(&ca, NULL);
    BIO *chain = BIO_new(BIO_s_mem());
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(between.x));
    char *text;
    long len;
    int cert, key;

    (void)state;
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_ASC,
                                                (const unsigned char *)"between", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_subject_name(between.x, name), 1);
    assert_true(X509_sign(between.x, ca.key, EVP_sha256()) > 0);
    end = test_cert_new(&between, "DNS:localhost", -60, 3600);
    assert_int_equal(PEM_write_bio_X509(chain, end.x) + PEM_write_bio_X509(chain, between.x), 2);
    len = BIO_get_mem_data(chain, &text);
    cert = test_text_fd(text, (size_t)len);
    key = test_cert_key_fd(&end);
    assert_int_equal(tls_server_context(pem_file(cert), pem_file(key), no_file, "x", &server, NULL),
                     POSTERN_OK);
    assert_true(can_talk(server, client));
    SSL_CTX_free(server);
    server = test_server_ctx(&end, NULL); /* without it there is no way to the anchor */
    assert_false(can_talk(server, client));
    assert_int_equal(close(cert) + close(key), 0);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    X509_NAME_free(name);
    BIO_free(chain);
    test_cert_free(&between);
    test_cert_free(&end);
}

/* `why` begins with the file that is to blame. */
static void expect_refused(int cert, int key, int client_ca, const char *why)
{
    postern_error err = { 0 };
    SSL_CTX *ctx = NULL;
    postern_err e = tls_server_context((struct tls_file){ cert, "cert.pem" },
                                       (struct tls_file){ key, "key.pem" },
                                       (struct tls_file){ client_ca, "ca.pem" }, "cache", &ctx, &err);

    assert_null(ctx);
    if (e != POSTERN_ERR_CONFIG_FILE || strstr(err.detail, why) == NULL)
        fail_msg("%s: %s, not %s", postern_err_reason(e), err.detail, why);
    assert_int_equal(ERR_peek_error(), 0);
}

static int encrypted_key_fd(void)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *text;
    long len;
    int fd;

    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(b, leaf.key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
    len = BIO_get_mem_data(b, &text);
    fd = test_text_fd(text, (size_t)len);
    BIO_free(b);
    return fd;
}

static void files_that_are_not_what_they_should_be_are_refused(void **state)
{
    static char huge[TLS_FILE_MAX + 1];
    int cert = test_cert_fd(&leaf), key = test_cert_key_fd(&leaf);
    int other_key = test_cert_key_fd(&stranger), locked = encrypted_key_fd();
    int empty = test_text_fd("", 0), noise = test_text_fd("hello\n", 6), big, cut, folder[2];

    (void)state;
    memset(huge, '\n', sizeof huge);
    big = test_text_fd(huge, sizeof huge);
    cut = test_text_fd("-----BEGIN CERTIFICATE-----\nMIIB", 32);
    assert_int_equal(pipe(folder), 0); /* nothing that can be read from its beginning */
    expect_refused(cert, other_key, -1, "key.pem: key and certificate: key values mismatch");
    expect_refused(cert, locked, -1, "key.pem: private key (one without a passphrase");
    expect_refused(key, key, -1, "cert.pem: no certificate in the file");
    expect_refused(cert, cert, -1, "key.pem: private key");
    expect_refused(empty, key, -1, "cert.pem: a PEM file is empty");
    expect_refused(cert, empty, -1, "key.pem: a PEM file is empty");
    expect_refused(noise, key, -1, "cert.pem: no certificate in the file");
    expect_refused(cert, noise, -1, "key.pem: private key");
    expect_refused(big, key, -1, "cert.pem: a PEM file is over 1048576 bytes");
    expect_refused(cert, big, -1, "key.pem: a PEM file is over 1048576 bytes");
    expect_refused(cut, key, -1, "cert.pem: certificate: ");
    expect_refused(folder[0], key, -1, "cert.pem: Illegal seek");
    expect_refused(-1, key, -1, "cert.pem: Bad file descriptor");
    expect_refused(cert, key, noise, "ca.pem: no CA certificate");
    expect_refused(cert, key, cut, "ca.pem: certificate: ");
    assert_int_equal(close(cert) + close(key) + close(other_key) + close(locked) + close(empty) +
                         close(noise) + close(big) + close(cut) + close(folder[0]) +
                         close(folder[1]),
                     0);
}

static void a_backends_context_wants_whole_pairs(void **state)
{
    int cert = test_cert_fd(&leaf), key = test_cert_key_fd(&leaf);
    int noise = test_text_fd("hello\n", 6);
    postern_error err = { 0 };
    SSL_CTX *ctx = NULL;

    (void)state;
    assert_int_equal(tls_client_context(pem_file(cert), pem_file(cert), no_file, "x", &ctx, &err),
                     POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(tls_client_context(pem_file(cert), no_file, pem_file(key), "x", &ctx, &err),
                     POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(tls_client_context(pem_file(noise), no_file, no_file, "x", &ctx, &err),
                     POSTERN_ERR_CONFIG_FILE);
    assert_null(ctx);
    assert_int_equal(close(cert) + close(key) + close(noise), 0);
}

static void the_systems_anchors_are_read_at_once(void **state)
{
    int fd = tls_system_ca_open();
    postern_error err = { 0 };
    SSL_CTX *ctx = NULL, *server;

    (void)state;
    if (fd < 0) { /* a machine without: said, not passed over */
        assert_int_equal(tls_client_context(no_file, no_file, no_file, "x", &ctx, &err),
                         POSTERN_ERR_CONFIG_FILE);
        return;
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(tls_client_context(no_file, no_file, no_file, "x", &ctx, &err), POSTERN_OK);
    assert_true(sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx))) > 0);
    server = test_server_ctx(&leaf, NULL);
    assert_false(can_talk(server, ctx)); /* and ours is not among them */
    SSL_CTX_free(server);
    SSL_CTX_free(ctx);
}

/* ---- client certificates ---- */

static void a_client_certificate_of_the_right_ca_is_wanted(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, &other_ca);
    SSL_CTX *good = test_client_ctx(&ca, &client_leaf), *none = test_client_ctx(&ca, NULL);
    SSL_CTX *wrong = test_client_ctx(&ca, &stranger);

    (void)state;
    assert_true(can_talk(server, good));
    assert_false(can_talk(server, none));
    assert_false(can_talk(server, wrong));
    SSL_CTX_free(server);
    SSL_CTX_free(good);
    SSL_CTX_free(none);
    SSL_CTX_free(wrong);
}

/* ---- versions and habits ---- */

static void tls_1_1_is_refused_and_1_2_is_not(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, NULL), *client = test_client_ctx(&ca, NULL);

    (void)state;
    SSL_CTX_set_security_level(server, 0); /* nothing but the version stands in its way */
    SSL_CTX_set_security_level(client, 0);
    assert_int_equal(SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION), 1);
    assert_true(can_talk(server, client));
    assert_int_equal(SSL_CTX_set_min_proto_version(client, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(client, TLS1_1_VERSION), 1);
    assert_false(can_talk(server, client));
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    server = test_server_ctx(&leaf, NULL); /* and of a backend that knows no better */
    client = test_client_ctx(&ca, NULL);
    SSL_CTX_set_security_level(server, 0);
    SSL_CTX_set_security_level(client, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(server, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION), 1);
    assert_false(can_talk(server, client));
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void ciphers_without_forward_secrecy_are_refused(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, NULL);
    const STACK_OF(SSL_CIPHER) *offered = SSL_CTX_get_ciphers(server);

    (void)state;
    assert_true(sk_SSL_CIPHER_num(offered) > 3);
    for (int i = 0; i < sk_SSL_CIPHER_num(offered); i++) {
        int exchange = SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(offered, i));

        assert_true(exchange == NID_kx_any || exchange == NID_kx_ecdhe || exchange == NID_kx_dhe);
        assert_int_not_equal(SSL_CIPHER_get_auth_nid(sk_SSL_CIPHER_value(offered, i)),
                             NID_auth_null);
    }
    SSL_CTX_free(server);
}

static void expect_suite(SSL_CTX *server, SSL_CTX *client, const char *offered, const char *want)
{
    struct ends e;

    assert_int_equal(SSL_CTX_set_ciphersuites(client, offered), 1);
    open_ends(&e, server, client);
    assert_int_equal(shake_hands(&e), want != NULL);
    if (want != NULL)
        assert_string_equal(SSL_get_cipher_name(e.server), want);
    close_ends(&e);
}

static void the_suite_is_of_the_groups_strength_and_a_client_without_it_has_its_own(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, NULL), *client = test_client_ctx(&ca, NULL);

    (void)state;
    expect_suite(server, client, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
                 "TLS_AES_128_GCM_SHA256");
    expect_suite(server, client, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384");
    expect_suite(server, client, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256");
    expect_suite(server, client, "TLS_AES_128_CCM_8_SHA256", NULL); /* short tags: not OpenSSL's default */
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

/* The clients' CA is no chain of ours, though it signed our certificate. */
static void no_certificate_is_sent_that_its_file_has_not(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, &ca), *client = test_client_ctx(&ca, NULL);
    struct ends e;

    (void)state;
    open_ends(&e, server, client);
    (void)shake_hands(&e); /* which the client's lack of a certificate ends, behind ours */
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(e.client)), 1);
    close_ends(&e);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void the_group_is_one_of_the_fast_two(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, NULL), *client = test_client_ctx(&ca, NULL);
    struct ends e;

    (void)state;
    open_ends(&e, server, client);
    assert_true(shake_hands(&e));
    assert_int_equal(SSL_get_shared_group(e.server, 0), NID_X25519);
    close_ends(&e);
    assert_int_equal(SSL_CTX_set1_groups_list(client, "P-256"), 1);
    assert_true(can_talk(server, client));
    assert_int_equal(SSL_CTX_set1_groups_list(client, "P-384"), 1);
    assert_false(can_talk(server, client));
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void renegotiation_is_refused(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, NULL), *client = test_client_ctx(&ca, NULL);
    struct ends e;
    char room[8];
    bool is_renewed = true;

    (void)state;
    assert_int_equal(SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION), 1);
    (void)SSL_CTX_clear_options(client, SSL_OP_NO_RENEGOTIATION);
    open_ends(&e, server, client);
    assert_true(shake_hands(&e));
    assert_int_equal(SSL_renegotiate(e.client), 1);
    (void)SSL_do_handshake(e.client); /* its ClientHello is out */
    for (int i = 0; i < 5 && is_renewed; i++) {
        int n = SSL_read(e.server, room, sizeof room);

        assert_true(n <= 0);
        n = SSL_do_handshake(e.client);
        is_renewed = n == 1 || is_waiting(e.client, n);
    }
    assert_false(is_renewed);
    assert_int_equal(SSL_num_renegotiations(e.server), 0);
    close_ends(&e);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

/* ---- tickets ---- */

static int ticket_count;
static SSL_SESSION *ticket;

static int take_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    ticket_count++;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1; /* ours now */
}

static bool is_resumed(SSL_CTX *server, SSL_CTX *client)
{
    struct ends e;
    bool is_reused;

    open_ends(&e, server, client);
    assert_int_equal(SSL_set_session(e.client, ticket), 1);
    assert_true(shake_hands(&e));
    is_reused = SSL_session_reused(e.server) == 1;
    close_ends(&e);
    return is_reused;
}

static int count_tickets(SSL_CTX *server, const struct test_cert *own)
{
    SSL_CTX *client = test_client_ctx(&ca, own);

    (void)SSL_CTX_set_session_cache_mode(client,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, take_ticket);
    ticket_count = 0;
    assert_true(can_talk(server, client));
    SSL_SESSION_free(ticket);
    ticket = NULL;
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return ticket_count;
}

/* What a ticket costs comes back only where the proof that it spares is dear. */
static void a_ticket_is_given_where_it_is_worth_its_cost(void **state)
{
    struct test_cert rsa = test_cert_new(&ca, "DNS:localhost", -60, 3600);

    (void)state;
    EVP_PKEY_free(rsa.key);
    rsa.key = usual_rsa();
    assert_int_equal(X509_set_pubkey(rsa.x, rsa.key), 1);
    assert_true(X509_sign(rsa.x, ca.key, EVP_sha256()) > 0);
    assert_int_equal(count_tickets(test_server_ctx(&leaf, NULL), NULL), 0);
    assert_int_equal(count_tickets(test_server_ctx(&leaf, &other_ca), &client_leaf), 1);
    assert_int_equal(count_tickets(test_server_ctx(&rsa, NULL), NULL), 1);
    assert_int_equal(count_tickets(test_server_ctx(&rsa, &other_ca), &client_leaf), 1);
    test_cert_free(&rsa);
}

static void one_ticket_is_given_and_is_good_here_only(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, &other_ca), *again = test_server_ctx(&leaf, &other_ca);
    SSL_CTX *client = test_client_ctx(&ca, &client_leaf);
    SSL_SESSION *first;

    (void)state;
    (void)SSL_CTX_set_session_cache_mode(client,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, take_ticket);
    ticket_count = 0;
    assert_true(can_talk(server, client));
    assert_int_equal(ticket_count, 1);
    first = ticket;
    assert_int_equal(SSL_SESSION_up_ref(first), 1);
    assert_true(is_resumed(server, client));
    assert_int_equal(SSL_CTX_sess_number(server), 0); /* no memory of it on our side */
    SSL_SESSION_free(ticket);
    ticket = first;
    assert_false(is_resumed(again, client)); /* another door, or after a reload */
    SSL_SESSION_free(ticket);
    ticket = NULL;
    SSL_CTX_free(server);
    SSL_CTX_free(again);
    SSL_CTX_free(client);
}

/* Else a ticket from a ticket from a ticket would outlive every certificate. */
static void a_resumed_session_lives_no_longer_than_its_certificate(void **state)
{
    SSL_CTX *server = test_server_ctx(&leaf, &other_ca);
    SSL_CTX *client = test_client_ctx(&ca, &client_leaf);
    int64_t now_s = time(NULL);
    struct ends e;

    (void)state;
    (void)SSL_CTX_set_session_cache_mode(client,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, take_ticket);
    for (int i = 0; i < 3; i++) {
        ticket_count = 0;
        open_ends(&e, server, client);
        if (i != 0)
            assert_int_equal(SSL_set_session(e.client, ticket), 1);
        assert_true(shake_hands(&e));
        assert_int_equal(ticket_count, 1); /* a new one each time */
        assert_int_equal(SSL_session_reused(e.server), i != 0);
        assert_false(tls_resumes_expired(e.server, now_s));
        assert_false(tls_resumes_expired(e.server, now_s + 3500));
        assert_int_equal(tls_resumes_expired(e.server, now_s + 3601), i != 0);
        close_ends(&e);
    }
    SSL_SESSION_free(ticket);
    ticket = NULL;
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void contexts_have_the_modes_that_the_relay_needs(void **state)
{
    const long want = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;
    SSL_CTX *ctxs[] = { test_server_ctx(&leaf, NULL), test_client_ctx(&ca, NULL) };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(SSL_CTX_get_mode(ctxs[i]) & want, want);
        assert_int_equal(SSL_CTX_get_mode(ctxs[i]) & SSL_MODE_AUTO_RETRY, 0);
        assert_int_equal(SSL_CTX_get_session_cache_mode(ctxs[i]), SSL_SESS_CACHE_OFF);
        assert_true((SSL_CTX_get_options(ctxs[i]) & SSL_OP_NO_RENEGOTIATION) != 0);
        SSL_CTX_free(ctxs[i]);
    }
}

/* ---- the certificate of its own ---- */

static bool is_valid_for(SSL_CTX *server, SSL_CTX *client, const char *name, const char *ip)
{
    struct ends e;
    bool is_up;

    open_ends(&e, server, client);
    if (name != NULL)
        assert_int_equal(SSL_set1_host(e.client, name), 1);
    if (ip != NULL)
        assert_int_equal(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(e.client), ip), 1);
    /* Python from 3.13 on asks for this. */
    assert_int_equal(X509_VERIFY_PARAM_set_flags(SSL_get0_param(e.client), X509_V_FLAG_X509_STRICT),
                     1);
    is_up = shake_hands(&e);
    close_ends(&e);
    return is_up;
}

static void its_own_certificate_is_good_for_loopback_and_nothing_else(void **state)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(16);
    SSL_CTX *server = NULL, *client = NULL, *elsewhere = test_client_ctx(&ca, NULL);
    int fd;

    (void)state;
    assert_int_equal(tls_server_context_for_loopback(&server, &pem, NULL), POSTERN_OK);
    assert_null(memmem(pem.ptr, pem.len, "PRIVATE", 7));
    fd = test_text_fd((const char *)pem.ptr, pem.len);
    assert_int_equal(tls_client_context(pem_file(fd), no_file, no_file, "x", &client, NULL),
                     POSTERN_OK);
    assert_int_equal(close(fd), 0);
    assert_true(is_valid_for(server, client, "localhost", NULL));
    assert_true(is_valid_for(server, client, NULL, "127.0.0.1"));
    assert_true(is_valid_for(server, client, NULL, "::1"));
    assert_false(is_valid_for(server, client, "example.org", NULL));
    assert_false(is_valid_for(server, client, NULL, "127.0.0.2"));
    assert_false(is_valid_for(server, client, NULL, "192.0.2.1"));
    assert_false(is_valid_for(server, elsewhere, "localhost", NULL));
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    SSL_CTX_free(elsewhere);
}

static void its_own_certificate_is_new_each_time_and_signs_for_nobody(void **state)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(16);
    X509 *own[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        SSL_CTX *server = NULL;
        BIO *b;

        assert_int_equal(tls_server_context_for_loopback(&server, &pem, NULL), POSTERN_OK);
        b = BIO_new_mem_buf(pem.ptr, (int)pem.len);
        own[i] = PEM_read_bio_X509(b, NULL, NULL, NULL);
        assert_non_null(own[i]);
        assert_int_equal(X509_cmp(own[i], SSL_CTX_get0_certificate(server)), 0);
        assert_int_equal(X509_check_ca(own[i]), 0);
        assert_int_equal(X509_check_purpose(own[i], X509_PURPOSE_SSL_SERVER, 0), 1);
        assert_int_equal(X509_check_purpose(own[i], X509_PURPOSE_SSL_CLIENT, 0), 0);
        BIO_free(b);
        SSL_CTX_free(server);
    }
    assert_int_not_equal(X509_cmp(own[0], own[1]), 0);
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(own[0]), X509_get0_serialNumber(own[1])), 0);
    X509_free(own[0]);
    X509_free(own[1]);
}

/* ---- errors ---- */

static void error_text_says_the_first_and_empties_the_queue(void **state)
{
    char room[64], tiny[4];

    (void)state;
    ERR_raise(ERR_LIB_SSL, SSL_R_WRONG_VERSION_NUMBER);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    assert_string_equal(tls_error_text(room, sizeof room), "wrong version number");
    assert_int_equal(ERR_peek_error(), 0);
    assert_string_equal(tls_error_text(room, sizeof room), "no reason given");
    ERR_raise(ERR_LIB_SYS, ECONNRESET);
    assert_string_equal(tls_error_text(room, sizeof room), "Connection reset by peer");
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    assert_string_equal(tls_error_text(tiny, sizeof tiny), "bad");
}

struct files {
    int cert, key, ca;
};

static postern_err make_server_once(void *arg, postern_error *err)
{
    const struct files *f = arg;
    SSL_CTX *ctx = NULL;
    postern_err e = tls_server_context(pem_file(f->cert), pem_file(f->key), pem_file(f->ca), "x", &ctx, err);

    assert_true((ctx != NULL) == (e == POSTERN_OK));
    SSL_CTX_free(ctx);
    return e;
}

static postern_err make_client_once(void *arg, postern_error *err)
{
    const struct files *f = arg;
    SSL_CTX *ctx = NULL;
    postern_err e = tls_client_context(pem_file(f->ca), pem_file(f->cert), pem_file(f->key), "x", &ctx, err);

    SSL_CTX_free(ctx);
    return e;
}

static postern_err make_own_once(void *arg, postern_error *err)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(16);
    SSL_CTX *ctx = NULL;
    postern_err e = tls_server_context_for_loopback(&ctx, &pem, err);

    (void)arg;
    SSL_CTX_free(ctx);
    return e;
}

static void no_memory_is_said_and_nothing_leaks(void **state)
{
    struct files f = { test_cert_fd(&leaf), test_cert_key_fd(&leaf), test_cert_fd(&ca) };

    (void)state;
    assert_true(alloc_fail_sweep(make_server_once, &f, POSTERN_OK) > 0);
    assert_true(alloc_fail_sweep(make_client_once, &f, POSTERN_OK) > 0);
    assert_true(alloc_fail_sweep(make_own_once, NULL, POSTERN_OK) > 0);
    assert_int_equal(close(f.cert) + close(f.key) + close(f.ca), 0);
}

/* ---- all tests ---- */

static int make_world(void **state)
{
    (void)state;
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -1;
    ca = test_cert_new(NULL, NULL, -60, 3600);
    other_ca = test_cert_new(NULL, NULL, -60, 3600);
    leaf = test_cert_new(&ca, "DNS:localhost", -60, 3600);
    client_leaf = test_cert_new(&other_ca, "DNS:door", -60, 3600);
    stranger = test_cert_new(&ca, "DNS:stranger", -60, 3600);
    return 0;
}

static int free_world(void **state)
{
    (void)state;
    test_cert_free(&ca);
    test_cert_free(&other_ca);
    test_cert_free(&leaf);
    test_cert_free(&client_leaf);
    test_cert_free(&stranger);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_with_certificate_and_key_is_trusted_by_its_ca_alone),
        cmocka_unit_test(descriptors_are_read_from_their_beginning_and_stay_open),
        cmocka_unit_test(a_door_that_asks_takes_every_certificate_and_none),
        cmocka_unit_test(a_key_that_is_too_weak_proves_nothing),
        cmocka_unit_test(a_key_that_is_dear_to_check_is_not_checked),
        cmocka_unit_test(an_intermediate_behind_the_certificate_is_sent),
        cmocka_unit_test(files_that_are_not_what_they_should_be_are_refused),
        cmocka_unit_test(a_backends_context_wants_whole_pairs),
        cmocka_unit_test(the_systems_anchors_are_read_at_once),
        cmocka_unit_test(a_client_certificate_of_the_right_ca_is_wanted),
        cmocka_unit_test(tls_1_1_is_refused_and_1_2_is_not),
        cmocka_unit_test(ciphers_without_forward_secrecy_are_refused),
        cmocka_unit_test(the_suite_is_of_the_groups_strength_and_a_client_without_it_has_its_own),
        cmocka_unit_test(no_certificate_is_sent_that_its_file_has_not),
        cmocka_unit_test(the_group_is_one_of_the_fast_two),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(a_ticket_is_given_where_it_is_worth_its_cost),
        cmocka_unit_test(one_ticket_is_given_and_is_good_here_only),
        cmocka_unit_test(a_resumed_session_lives_no_longer_than_its_certificate),
        cmocka_unit_test(contexts_have_the_modes_that_the_relay_needs),
        cmocka_unit_test(its_own_certificate_is_good_for_loopback_and_nothing_else),
        cmocka_unit_test(its_own_certificate_is_new_each_time_and_signs_for_nobody),
        cmocka_unit_test(error_text_says_the_first_and_empties_the_queue),
        cmocka_unit_test(no_memory_is_said_and_nothing_leaks),
    };

    return cmocka_run_group_tests_name("tls", tests, make_world, free_world);
}
