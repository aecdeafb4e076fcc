/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS settings for connections to a door; see connect_door.h. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <postern-private/pem.h>

#include "connect_door.h"
#include "secret_file.h"

static const char *tls_reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());

    return text != NULL ? text : "unknown";
}

/* The places that OpenSSL was built with.  SSL_CTX_set_default_verify_paths() is not used: it lets
 * SSL_CERT_FILE of the environment replace them. */
static bool load_system(SSL_CTX *tls)
{
    const char *file = X509_get_default_cert_file(), *folder = X509_get_default_cert_dir();
    bool has_file = access(file, R_OK) == 0;

    return (!has_file || SSL_CTX_load_verify_file(tls, file) == 1) &&
           SSL_CTX_load_verify_dir(tls, folder) == 1;
}

static postern_err set_up(SSL_CTX *tls, const char *ca_file, postern_error *err)
{
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1)
        return POSTERN_FAIL(err, NOMEM, "TLS settings: %s", tls_reason());
    if (ca_file != NULL && SSL_CTX_load_verify_file(tls, ca_file) != 1)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: no certificate authorities: %s", ca_file,
                            tls_reason());
    if (ca_file == NULL && !load_system(tls))
        return POSTERN_FAIL(err, CONFIG_FILE, "the system's certificate authorities: %s",
                            tls_reason());
    return POSTERN_OK;
}

/* The key by secret_file.h, so that one which others can read is refused. */
static postern_err show(SSL_CTX *tls, struct connect_own own, postern_error *err)
{
    POSTERN_AUTO(secret) pem = NULL;
    EVP_PKEY *key;
    bool is_set;

    if (own.cert_file == NULL)
        return POSTERN_OK;
    if (SSL_CTX_use_certificate_chain_file(tls, own.cert_file) != 1)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: no certificate: %s", own.cert_file,
                            tls_reason());
    POSTERN_TRY(secret_file_read(own.key_file, &pem, err));
    key = postern_pem_private_key(postern_secret_bytes(pem)); /* at most SECRET_FILE_MAX */
    if (key == NULL)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: no private key without a passphrase: %s",
                            own.key_file, tls_reason());
    is_set = SSL_CTX_use_PrivateKey(tls, key) == 1 && SSL_CTX_check_private_key(tls) == 1;
    EVP_PKEY_free(key);
    return is_set ? POSTERN_OK
                  : POSTERN_FAIL(err, CONFIG_FILE, "%s: not the key of %s: %s", own.key_file,
                                 own.cert_file, tls_reason());
}

postern_err connect_trust_new(const char *ca_file, struct connect_own own, uid_t socket_uid,
                              struct connect_trust *ret, postern_error *err)
{
    struct connect_trust t = { .socket_uid = socket_uid };
    postern_err e;

    ERR_clear_error();
    if ((t.tls = SSL_CTX_new(TLS_client_method())) == NULL)
        return POSTERN_FAIL(err, NOMEM, "TLS settings: %s", tls_reason());
    e = set_up(t.tls, ca_file, err);
    if (e == POSTERN_OK)
        e = show(t.tls, own, err);
    if (e != POSTERN_OK)
        connect_trust_free(&t);
    else
        *ret = t;
    return e;
}

void connect_trust_free(struct connect_trust *t)
{
    SSL_CTX_free(t->tls);
    t->tls = NULL;
}
