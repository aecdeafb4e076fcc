/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A door's own certificate for loopback, made anew at each start: P-256, self-signed, its key in
 * this process alone.  It is an end entity, not a CA, and names nothing but this machine: a client
 * that trusts it trusts nobody else by it (and rustls refuses a CA's certificate as a server's).
 */
#include "config.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tls.h"
#include "tls_own.h"

#define NAME         "certificate for loopback"
#define SERIAL_BYTES 16              /* CA/Browser Forum BR §7.1: at least 64 random bits */
#define VALID_S      (3650L * 86400) /* nobody is there to renew what a client has pinned */
#define SKEW_S       86400L          /* a client's clock may be behind */
#define PEM_MAX      4096            /* it is about 700 bytes */

/* No authority key identifier: of a self-signed one it says nothing (RFC 5280 §4.2.1.1). */
static const struct {
    int nid;
    const char *value;
} extensions[] = {
    { NID_basic_constraints, "critical,CA:FALSE" },
    { NID_key_usage, "critical,digitalSignature" },
    { NID_ext_key_usage, "serverAuth" },
    { NID_subject_key_identifier, "hash" },
    { NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1" },
};

static bool add_extensions(X509 *x)
{
    X509V3_CTX v3;

    X509V3_set_ctx_nodb(&v3);
    X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &v3, extensions[i].nid, extensions[i].value);
        bool is_added = e != NULL && X509_add_ext(x, e, -1) == 1;

        X509_EXTENSION_free(e);
        if (!is_added)
            return false;
    }
    return true;
}

static bool set_serial(X509 *x)
{
    unsigned char random[SERIAL_BYTES];
    BIGNUM *number;
    bool is_set;

    if (RAND_bytes(random, sizeof random) != 1)
        return false;
    random[0] = (unsigned char)((random[0] & 0x7F) | 0x40); /* positive, always of 16 bytes */
    number = BN_bin2bn(random, sizeof random, NULL);
    is_set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
    BN_free(number);
    return is_set;
}

static bool fill(X509 *x, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(x);

    return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
           X509_gmtime_adj(X509_getm_notBefore(x), -SKEW_S) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(x), VALID_S) != NULL &&
           X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Postern", -1,
                                      -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost",
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
           add_extensions(x) && X509_sign(x, key, EVP_sha256()) > 0;
}

static bool write_pem(X509 *x, postern_buf *ret)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text;
    long len;

    if (out != NULL && PEM_write_bio_X509(out, x) == 1 && (len = BIO_get_mem_data(out, &text)) > 0)
        postern_buf_add(ret, (postern_bytes){ (const uint8_t *)text, (size_t)len });
    BIO_free(out);
    return ret->len != 0 && !ret->failed;
}

postern_err tls_server_context_for_loopback(SSL_CTX **ret, postern_buf *ret_pem, postern_error *err)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(PEM_MAX);
    SSL_CTX *ctx = NULL;
    EVP_PKEY *key;
    X509 *x;
    bool is_made;

    POSTERN_TRY(tls_new_server(NAME, &ctx, err));
    key = EVP_EC_gen("P-256");
    x = X509_new();
    is_made = key != NULL && x != NULL && fill(x, key) && SSL_CTX_use_certificate(ctx, x) == 1 &&
              SSL_CTX_use_PrivateKey(ctx, key) == 1 && write_pem(x, &pem);
    X509_free(x);
    EVP_PKEY_free(key);
    if (!is_made) {
        char room[128];

        SSL_CTX_free(ctx);
        return POSTERN_FAIL(err, NOMEM, NAME ": %s", tls_error_text(room, sizeof room));
    }
    postern_buf_free(ret_pem);
    *ret_pem = pem;
    pem = POSTERN_BUF_INIT(0);
    *ret = ctx;
    return POSTERN_OK;
}
