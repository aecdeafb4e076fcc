/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SASL bearer messages, both ways: OAUTHBEARER (RFC 7628, RFC 5801) and XOAUTH2 (Google's and
 * Microsoft's form).  Pure: bytes in, bytes out.  No network, no tokens checked.
 */
#ifndef POSTERN_OAUTHBEARER_H
#define POSTERN_OAUTHBEARER_H

#include <postern/grant.h>
#include <postern/request.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum postern_mech {
    POSTERN_MECH_NONE = 0,
    POSTERN_MECH_OAUTHBEARER,
    POSTERN_MECH_XOAUTH2
} postern_mech;
const char  *postern_mech_name(postern_mech m);          /* "OAUTHBEARER", "XOAUTH2"; "" for none */
postern_mech postern_mech_from_name(const char *name);   /* exact upper-case name */

/* Token plus authzid, host, port and unknown pairs. */
#define POSTERN_SASL_MESSAGE_MAX (POSTERN_TOKEN_MAX + 4096)
/* key=value pairs; real clients send three. */
#define POSTERN_SASL_PAIRS_MAX 64
/* Bytes with NUL: CANON_BUF_SIZE of libsasl. */
#define POSTERN_AUTHZID_MAX 1024
#define POSTERN_HOST_MAX 256                                /* bytes with NUL: RFC 1035 §2.3.4 */
/* Libpq cuts near 2000, SMTP replies at 2048 base64. */
#define POSTERN_ERROR_JSON_MAX 1500

typedef struct postern_sasl_message {
    /* Empty `auth`: RFC 7628 §4.3; token is empty then. */
    bool          is_discovery;
    /* View into the parsed message, token68 bytes only. */
    postern_bytes token;
    bool          has_authzid;
    /* Decoded, valid UTF-8, no control characters; "" when absent. */
    char          authzid[POSTERN_AUTHZID_MAX];
    char          host[POSTERN_HOST_MAX];       /* "" when absent */
    char          port[6];                      /* decimal without leading zero; "" when absent */
} postern_sasl_message;

/*
 * Parse the client's first message.
 *
 *   raw   0..POSTERN_SASL_MESSAGE_MAX decoded bytes (not base64)
 *   ret   views into `raw`
 *   POSTERN_OK (discovery included) · POSTERN_ERR_LIMIT · POSTERN_ERR_MESSAGE_MALFORMED
 */
POSTERN_MUST_USE postern_err postern_sasl_message_parse(postern_mech m, postern_bytes raw,
                                                        postern_sasl_message *ret,
                                                        postern_error *err);
/*
 * The client's answer to the error challenge (RFC 7628 §3.2.3: %x01; XOAUTH2: empty).  Both are
 * accepted for both.
 * POSTERN_OK means well formed only: the exchange fails in every case.
 */
POSTERN_MUST_USE postern_err postern_sasl_step2_parse(postern_mech m, postern_bytes raw,
                                                      postern_error *err);
/*
 * Compare host and port with the server's own where the message has them (RFC 7628 §3.2); names
 * ASCII-case-insensitive, one trailing dot ignored.  `names` is NULL-terminated; `port` NULL or
 * "" compares no port.
 *   POSTERN_OK · POSTERN_ERR_MESSAGE_SERVER
 */
POSTERN_MUST_USE postern_err postern_sasl_message_check_server(const postern_sasl_message *m,
                                                               const char *const *names,
                                                               const char *port,
                                                               postern_error *err);
/*
 * Build the client's first message into `out`.  authzid, host and port may be NULL or ""
 * (XOAUTH2 needs authzid).
 *   POSTERN_OK · POSTERN_ERR_USAGE (a byte outside the grammar, missing user) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_sasl_message_build(postern_mech m, const char *authzid,
                                                        const char *host, const char *port,
                                                        postern_bytes token, postern_buf *out,
                                                        postern_error *err);
/*
 * Build the server's error challenge (RFC 7628 §3.2.2; XOAUTH2: status 400/401/403 and schemes),
 * ≤ POSTERN_ERROR_JSON_MAX. Members: status, scope, openid-configuration, resource_metadata,
 * ref; all strings; empty ones left out.
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_sasl_error_build(postern_mech m, const postern_failure *f,
                                                      postern_buf *out, postern_error *err);

/* What a client keeps of a challenge.  Fields are "" where absent, printable ASCII only. */
typedef struct postern_sasl_error {
    char status[64];
    char scope[POSTERN_SCOPE_MAX];
    char openid_configuration[POSTERN_URL_MAX];
    char ref[POSTERN_REF_MAX];
} postern_sasl_error;
/* POSTERN_OK · POSTERN_ERR_LIMIT · POSTERN_ERR_MESSAGE_MALFORMED */
POSTERN_MUST_USE postern_err postern_sasl_error_parse(postern_bytes json, postern_sasl_error *ret,
                                                      postern_error *err);

/* True when every byte is of RFC 6750 §2.1 b64token and there is at least one. */
bool postern_token_is_token68(postern_bytes token);
/*
 * True when the bytes are a signed token by their form and nothing that a person would type: three
 * parts of base64url, none empty, of which the first begins a JSON object ('{"' is eyJ; RFC 7515 §7.1).
 * Where a token stands in place of a password, nothing else may be sent on or named in a log.
 */
bool postern_token_is_compact_jws(postern_bytes token);
/* What a token handle begins with, so that secret scanners find it, and its length in characters. */
#define POSTERN_HANDLE_PREFIX "pst_"
#define POSTERN_HANDLE_LEN    36
/* True when the bytes are a token handle (postern handle) by their form: the prefix and 32 characters of
 * base64url.  It counts at the helper that made it, and nowhere else. */
bool postern_token_is_handle(postern_bytes text);
/* What an opaque access token of the embedded issuer begins with, and its length in characters. */
#define POSTERN_OPAQUE_TOKEN_PREFIX "pot_"
#define POSTERN_OPAQUE_TOKEN_LEN    47
/* True when the bytes are one by their form: the prefix and 43 characters of base64url (256 bits).  Its
 * issuer alone knows what it stands for. */
bool postern_token_is_opaque(postern_bytes token);

#ifdef __cplusplus
}
#endif
#endif
