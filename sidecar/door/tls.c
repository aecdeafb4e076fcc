/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SSL contexts of a door (sidecar/door/tls.h).  Files are read whole through a descriptor, so that
 * OpenSSL opens none by itself, now or later (a directory of CAs would be read on the event loop).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <postern-private/pem.h>

#include "tls.h"
#include "tls_own.h"

/* Everything that TLS 1.2 and 1.3 offer by default, less what has no forward secrecy: a login that
 * was recorded today stays closed when the key leaks tomorrow. */
#define SERVER_CIPHERS "DEFAULT:!kRSA:!PSK:!SRP"
#define SERVER_GROUPS  "X25519:P-256" /* the two that OpenSSL 3.0 has fast code for */
/*
 * Of TLS 1.3 first, before OpenSSL's own choice of AES-256 with SHA-384: both groups are of the
 * strength of 128 bits, to which a longer key behind them adds nothing, and the hashes of a
 * handshake are a twentieth of it (SHA-256 has instructions of its own).  RFC 8446 §9.1: every
 * client has it.
 */
#define SERVER_FIRST_SUITE "TLS_AES_128_GCM_SHA256"
#define SUITES_TEXT_MAX    1024 /* bytes of all names; five are defined */

static void auto_ctx(SSL_CTX **c)
{
    SSL_CTX_free(*c);
}

static void auto_bio(BIO **b)
{
    BIO_free(*b);
}

static void auto_x509(X509 **x)
{
    X509_free(*x);
}

static void auto_pkey(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

#define AUTO(kind) __attribute__((cleanup(auto_##kind)))

const char *tls_error_text(char *room, size_t room_size)
{
    unsigned long first = ERR_get_error();
    const char *reason = ERR_reason_error_string(first);

    if (first != 0 && ERR_SYSTEM_ERROR(first))
        reason = strerror(ERR_GET_REASON(first));
    if (snprintf(room, room_size, "%s", reason != NULL ? reason : "no reason given") < 0)
        room[0] = '\0';
    ERR_clear_error();
    return room;
}

/* ---- files ---- */

static postern_err read_file(struct tls_file f, postern_buf *ret, postern_error *err)
{
    off_t at = 0;

    for (;;) {
        uint8_t room[4096];
        ssize_t n = pread(f.fd, room, sizeof room, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            postern_buf_add(ret, (postern_bytes){ room, (size_t)n });
        postern_wipe(room, sizeof room); /* it may be a key */
        if (n < 0)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s", f.name, strerror(errno));
        at += n;
        if (at > (off_t)TLS_FILE_MAX)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: a PEM file is over %u bytes", f.name,
                                TLS_FILE_MAX);
        if (ret->failed)
            return POSTERN_FAIL(err, NOMEM, "%s: PEM file", f.name);
        if (n == 0)
            return POSTERN_OK;
    }
}

static postern_err fail_of_openssl(const char *name, const char *what, postern_error *err)
{
    char room[128];
    bool is_nomem = ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;

    tls_error_text(room, sizeof room);
    if (is_nomem)
        return POSTERN_FAIL(err, NOMEM, "%s: %s", name, what);
    return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s: %s", name, what, room);
}

/* A PEM file as a BIO over `text`, which must outlive it. */
static postern_err open_pem(struct tls_file f, postern_buf *text, BIO **ret, postern_error *err)
{
    POSTERN_TRY(read_file(f, text, err));
    ERR_clear_error();
    if (text->len == 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: a PEM file is empty", f.name);
    if ((*ret = BIO_new_mem_buf(text->ptr, (int)text->len)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s: PEM file", f.name);
    return POSTERN_OK;
}

/* The next certificate, NULL behind the last. */
static postern_err next_certificate(BIO *pem, const char *name, X509 **ret, postern_error *err)
{
    unsigned long why;

    *ret = PEM_read_bio_X509(pem, NULL, postern_pem_no_passphrase, NULL);
    if (*ret != NULL)
        return POSTERN_OK;
    why = ERR_peek_last_error();
    if (ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE) {
        ERR_clear_error();
        return POSTERN_OK;
    }
    return fail_of_openssl(name, "certificate", err);
}

typedef bool (*take_certificate)(SSL_CTX *ctx, X509 *x, bool is_first);

/* All certificates of a file, one at least. */
static postern_err take_certificates(SSL_CTX *ctx, struct tls_file f, const char *kind,
                                     take_certificate take, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(TLS_FILE_MAX + 4096);
    AUTO(bio) BIO *pem = NULL;

    POSTERN_TRY(open_pem(f, &text, &pem, err));
    for (bool is_first = true;; is_first = false) {
        AUTO(x509) X509 *x = NULL;

        POSTERN_TRY(next_certificate(pem, f.name, &x, err));
        if (x == NULL && is_first)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: no %s in the file", f.name, kind);
        if (x == NULL)
            return POSTERN_OK;
        if (!take(ctx, x, is_first))
            return fail_of_openssl(f.name, kind, err);
    }
}

/* The certificate itself, then the chain above it. */
static bool add_to_chain(SSL_CTX *ctx, X509 *x, bool is_first)
{
    return is_first ? SSL_CTX_use_certificate(ctx, x) == 1 : SSL_CTX_add1_chain_cert(ctx, x) == 1;
}

static bool trust_server(SSL_CTX *ctx, X509 *x, bool is_first)
{
    (void)is_first; /* all are alike */
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) == 1;
}

static bool trust_client(SSL_CTX *ctx, X509 *x, bool is_first)
{
    return trust_server(ctx, x, is_first) && SSL_CTX_add_client_CA(ctx, x) == 1;
}

static postern_err use_chain(SSL_CTX *ctx, struct tls_file f, postern_error *err)
{
    return take_certificates(ctx, f, "certificate", add_to_chain, err);
}

static postern_err trust(SSL_CTX *ctx, struct tls_file f, take_certificate take, postern_error *err)
{
    return take_certificates(ctx, f, "CA certificate", take, err);
}

static postern_err use_key(SSL_CTX *ctx, struct tls_file f, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(TLS_FILE_MAX + 4096);
    AUTO(bio) BIO *pem = NULL;
    AUTO(pkey) EVP_PKEY *key = NULL;

    POSTERN_TRY(open_pem(f, &text, &pem, err));
    key = PEM_read_bio_PrivateKey(pem, NULL, postern_pem_no_passphrase, NULL);
    if (key == NULL)
        return fail_of_openssl(f.name, "private key (one without a passphrase is needed)", err);
    if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        return fail_of_openssl(f.name, "key and certificate", err);
    return POSTERN_OK;
}

int tls_system_ca_open(void)
{
    /* Debian and Alpine; Fedora and RHEL; SUSE; OpenSSL's own place.  A folder of hashed names is
     * of no use: OpenSSL would read it during each handshake. */
    const char *paths[] = { "/etc/ssl/certs/ca-certificates.crt",
                            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                            "/etc/ssl/ca-bundle.pem", X509_get_default_cert_file() };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        int fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd >= 0)
            return fd;
    }
    return -1;
}

/* ---- contexts ---- */

static postern_err new_context(const SSL_METHOD *method, const char *name, SSL_CTX **ret,
                               postern_error *err)
{
    AUTO(ctx) SSL_CTX *ctx = NULL;

    ERR_clear_error();
    if ((ctx = SSL_CTX_new(method)) == NULL)
        return fail_of_openssl(name, "TLS context", err);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
        return fail_of_openssl(name, "TLS 1.2", err);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);            /* the caller's loop decides */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets hold the state */
    *ret = POSTERN_STEAL(ctx);
    return POSTERN_OK;
}

static void add_suites(const SSL_CTX *ctx, bool is_first, postern_buf *out)
{
    const STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);

    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
        const char *name = SSL_CIPHER_get_name(c);

        if (strcmp(SSL_CIPHER_get_version(c), "TLSv1.3") != 0 ||
            (strcmp(name, SERVER_FIRST_SUITE) == 0) != is_first)
            continue;
        if (out->len != 0)
            postern_buf_add_byte(out, ':');
        postern_buf_add_str(out, name);
    }
}

/* Which there are is said by the system (openssl.cnf), and only their order here. */
static postern_err order_suites(SSL_CTX *ctx, const char *name, postern_error *err)
{
    POSTERN_AUTO_BUF names = POSTERN_BUF_INIT(SUITES_TEXT_MAX);

    add_suites(ctx, true, &names);
    add_suites(ctx, false, &names);
    if (names.failed)
        return POSTERN_FAIL(err, NOMEM, "%s: TLS settings", name);
    if (SSL_CTX_set_ciphersuites(ctx, postern_buf_cstr(&names)) != 1)
        return fail_of_openssl(name, "TLS settings", err);
    return POSTERN_OK;
}

/* SSL_MODE_NO_AUTO_CHAIN: what is sent is what stands in the file of the certificate.  OpenSSL would
 * look for more among the clients' CAs, anew in each handshake, which is 3 % of it. */
postern_err tls_new_server(const char *name, SSL_CTX **ret, postern_error *err)
{
    /* With a client's certificate asked for, OpenSSL resumes within one such context only.  The
     * key of the tickets is each SSL_CTX's own: no ticket crosses doors or a reload. */
    static const unsigned char id[] = "postern door";
    AUTO(ctx) SSL_CTX *ctx = NULL;

    POSTERN_TRY(new_context(TLS_server_method(), name, &ctx, err));
    (void)SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    if (SSL_CTX_set_cipher_list(ctx, SERVER_CIPHERS) != 1 ||
        SSL_CTX_set1_groups_list(ctx, SERVER_GROUPS) != 1 ||
        SSL_CTX_set_num_tickets(ctx, 0) != 1 || /* see offer_ticket() */
        SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) != 1)
        return fail_of_openssl(name, "TLS settings", err);
    POSTERN_TRY(order_suites(ctx, name, err));
    *ret = POSTERN_STEAL(ctx);
    return POSTERN_OK;
}

/*
 * A ticket of TLS 1.3 is 8 % of a handshake with a P-256 key, and a handshake that is resumed
 * spares the server 14 % of one: who comes twice for each ticket is worth it, and `postern connect`
 * never comes with one.  Where the proof is dear, by RSA or by a client's chain, it spares two thirds.
 * (A second ticket, as OpenSSL sends, is for clients that make two connections at once.)
 */
static postern_err offer_ticket(SSL_CTX *ctx, const char *name, bool asks_for_certificate,
                                postern_error *err)
{
    int kind = EVP_PKEY_get_base_id(SSL_CTX_get0_privatekey(ctx));
    bool is_rsa = kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS;

    if ((is_rsa || asks_for_certificate) && SSL_CTX_set_num_tickets(ctx, 1) != 1)
        return fail_of_openssl(name, "TLS settings", err);
    return POSTERN_OK;
}

/* For whom `client_ca` vouches; nothing is demanded without it. */
static postern_err demand_certificate(SSL_CTX *ctx, struct tls_file client_ca, postern_error *err)
{
    if (client_ca.fd < 0)
        return POSTERN_OK;
    POSTERN_TRY(trust(ctx, client_ca, trust_client, err));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return POSTERN_OK;
}

postern_err tls_server_context(struct tls_file cert, struct tls_file key,
                               struct tls_file client_ca, const char *name, SSL_CTX **ret,
                               postern_error *err)
{
    AUTO(ctx) SSL_CTX *ctx = NULL;

    POSTERN_TRY(tls_new_server(name, &ctx, err));
    POSTERN_TRY(use_chain(ctx, cert, err));
    POSTERN_TRY(use_key(ctx, key, err));
    POSTERN_TRY(demand_certificate(ctx, client_ca, err));
    POSTERN_TRY(offer_ticket(ctx, name, client_ca.fd >= 0, err));
    *ret = POSTERN_STEAL(ctx);
    return POSTERN_OK;
}

/* For the key of a client that nobody vouches for: RSA of 2048 bits, and every curve that TLS 1.3 has. */
#define CLIENT_KEY_SECURITY_MIN 112
/* The same up: a stranger's RSA of 3072 bits with an exponent as long costs us 34 ms each time that
 * he calls, one within these bounds 1.5. */
#define CLIENT_KEY_BITS_MAX      4096
#define CLIENT_EXPONENT_BITS_MAX 64 /* as of an issuer's keys (lib/jose/jwk.c) */
/* Bytes of a client's certificates, before anybody knows who it is: three of the common size. */
#define CLIENT_CERTS_MAX 16384

static bool is_exponent_short(const EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    bool is_short;

    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA_PSS)
        return true;
    is_short = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
               BN_num_bits(e) <= CLIENT_EXPONENT_BITS_MAX;
    BN_free(e);
    return is_short;
}

/* In place of building a chain: what a stranger sends is not followed anywhere. */
static int take_any_certificate(X509_STORE_CTX *store, void *arg)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    EVP_PKEY *key = leaf == NULL ? NULL : X509_get0_pubkey(leaf);

    (void)arg;
    if (key == NULL || EVP_PKEY_get_security_bits(key) < CLIENT_KEY_SECURITY_MIN) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_EE_KEY_TOO_SMALL);
        return 0;
    }
    if (EVP_PKEY_get_bits(key) <= CLIENT_KEY_BITS_MAX && is_exponent_short(key))
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

postern_err tls_ask_for_certificate(SSL_CTX *ctx, const char *name, postern_error *err)
{
    if (SSL_CTX_set_num_tickets(ctx, 0) != 1)
        return fail_of_openssl(name, "TLS settings", err);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET); /* those of TLS 1.2 */
    SSL_CTX_set_max_cert_list(ctx, CLIENT_CERTS_MAX);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, take_any_certificate, NULL);
    return POSTERN_OK;
}

bool tls_client_certificate(const SSL *ssl, uint8_t ret[TLS_CERT_SHA256_LEN])
{
    const X509 *shown = ssl == NULL ? NULL : SSL_get0_peer_certificate(ssl);
    unsigned len = 0;
    bool is_there;

    ERR_clear_error();
    is_there = shown != NULL && X509_digest(shown, EVP_sha256(), ret, &len) == 1 &&
               len == TLS_CERT_SHA256_LEN;
    ERR_clear_error();
    return is_there; /* without memory for it, it was not shown: the token is refused then */
}

bool tls_resumes_expired(const SSL *ssl, int64_t now_s)
{
    const X509 *shown = SSL_get0_peer_certificate(ssl);
    time_t now = (time_t)now_s;

    /* 0 is a time that cannot be read */
    return SSL_session_reused(ssl) == 1 && shown != NULL &&
           X509_cmp_time(X509_get0_notAfter(shown), &now) <= 0;
}

postern_err tls_server_context_again(const SSL_CTX *own, struct tls_file client_ca,
                                     const char *name, SSL_CTX **ret, postern_error *err)
{
    AUTO(ctx) SSL_CTX *ctx = NULL;

    POSTERN_TRY(tls_new_server(name, &ctx, err));
    if (SSL_CTX_use_certificate(ctx, SSL_CTX_get0_certificate(own)) != 1 ||
        SSL_CTX_use_PrivateKey(ctx, SSL_CTX_get0_privatekey(own)) != 1)
        return fail_of_openssl(name, "certificate", err);
    POSTERN_TRY(demand_certificate(ctx, client_ca, err));
    *ret = POSTERN_STEAL(ctx);
    return POSTERN_OK;
}

static postern_err trust_system(SSL_CTX *ctx, const char *name, postern_error *err)
{
    int fd = tls_system_ca_open();
    postern_err e;

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: this system has no bundle of CA certificates",
                            name);
    e = trust(ctx, (struct tls_file){ fd, name }, trust_server, err);
    (void)close(fd);
    return e;
}

postern_err tls_client_context(struct tls_file ca, struct tls_file cert, struct tls_file key,
                               const char *name, SSL_CTX **ret, postern_error *err)
{
    AUTO(ctx) SSL_CTX *ctx = NULL;

    if ((cert.fd < 0) != (key.fd < 0))
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: certificate and key come together", name);
    POSTERN_TRY(new_context(TLS_client_method(), name, &ctx, err));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    POSTERN_TRY(ca.fd < 0 ? trust_system(ctx, name, err) : trust(ctx, ca, trust_server, err));
    if (cert.fd >= 0) {
        POSTERN_TRY(use_chain(ctx, cert, err));
        POSTERN_TRY(use_key(ctx, key, err));
    }
    *ret = POSTERN_STEAL(ctx);
    return POSTERN_OK;
}
