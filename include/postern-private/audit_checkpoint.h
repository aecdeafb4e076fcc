/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checkpoints of the audit chain: the audit child signs where its chain stands, with a key that no
 * other process has.  Whoever holds a checkpoint, and the public key, can tell that no record up to
 * it was changed, removed or put in (`postern audit verify`).  A checkpoint is one line:
 *
 *   {"time":T,"event":"checkpoint","host":H,"record":N,"head":HASH,"key":ID,"signature":BASE64URL}
 *
 * which stands in the chain as the record behind number N (there with seq and prev), and is handed
 * out to wherever the administrator keeps such lines.  Signed, by ES256 in its DER form, is the text
 *
 *   postern audit checkpoint 1\ntime: T\nhost: H\nrecord: N\nhead: HASH\n
 *
 * so that openssl(1) can verify one by hand.  Not installed.
 */
#ifndef POSTERN_PRIVATE_AUDIT_CHECKPOINT_H
#define POSTERN_PRIVATE_AUDIT_CHECKPOINT_H

#include <postern-private/audit_chain.h>

#define AUDIT_CHECKPOINT_TIME_MAX 25 /* bytes with NUL: RFC 3339 with milliseconds, UTC */
#define AUDIT_CHECKPOINT_HOST_MAX 65 /* with NUL: HOST_NAME_MAX */
#define AUDIT_KEY_ID_DIGITS 32       /* half a SHA-256 of the public key's DER: a name, no proof */
/* A sequence of two integers of 33 bytes: 72. */
#define AUDIT_SIGNATURE_MAX 72
/* Bytes of a line without its newline. */
#define AUDIT_CHECKPOINT_MAX 512
/* Public keys that one verification may know: a new one a year, for longer than logs are kept. */
#define AUDIT_KEYS_MAX 32
/* Bytes of a file of keys: AUDIT_KEYS_MAX of 178 in PEM, and words between them. */
#define AUDIT_KEYS_TEXT_MAX 16384

struct audit_checkpoint {
    char              time[AUDIT_CHECKPOINT_TIME_MAX];
    char              host[AUDIT_CHECKPOINT_HOST_MAX];
    struct audit_head head;
    char              key_id[AUDIT_KEY_ID_DIGITS + 1];
    uint8_t           signature[AUDIT_SIGNATURE_MAX + 2]; /* what a decoder wants as room */
    size_t            signature_len;
};

/* ---- signing ---- */

struct audit_signer;

/* A new P-256 key as PEM.  POSTERN_OK · POSTERN_ERR_SYSTEM (the library failed) */
POSTERN_MUST_USE postern_err audit_signing_key_make(postern_buf *out, postern_error *err);
/*
 *   pem   of a P-256 private key, unencrypted
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (it is none) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err audit_signer_new(postern_bytes pem, struct audit_signer **ret,
                                              postern_error *err);
void audit_signer_free(struct audit_signer *s); /* NULL is fine */
const char *audit_signer_key_id(const struct audit_signer *s);
/* The public key as PEM.  POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err audit_signer_public(const struct audit_signer *s, postern_buf *out,
                                                 postern_error *err);
/*
 * Sign and format.
 *   head      of a record that is written
 *   time_ms   since 1970
 *   host      letters, digits, '.', '-' and '_'; anything else becomes '_'
 *   out       the object, without newline
 *   POSTERN_OK · POSTERN_ERR_USAGE (no head, no such year) · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err audit_checkpoint_write(const struct audit_signer *s,
                                                    const struct audit_head *head, int64_t time_ms,
                                                    const char *host, postern_buf *out,
                                                    postern_error *err);

/* ---- verifying ---- */

/* Members as we write them.  False: anything else. */
bool audit_checkpoint_read(const postern_json *j, uint32_t object, struct audit_checkpoint *ret);

struct audit_keys; /* public keys */

typedef enum audit_signed {
    AUDIT_SIGNED_BADLY = 0, /* a key that is ours, and a signature that is not */
    AUDIT_SIGNED_FOREIGN,   /* by a key that is none of these */
    AUDIT_SIGNED_WELL
} audit_signed;

/*
 *   pem   one or several "PUBLIC KEY" blocks of P-256
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (none, another kind, more than AUDIT_KEYS_MAX) ·
 *   POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err audit_keys_read(postern_bytes pem, struct audit_keys **ret,
                                             postern_error *err);
void audit_keys_free(struct audit_keys *k); /* NULL is fine */
size_t audit_keys_count(const struct audit_keys *k);
const char *audit_keys_id(const struct audit_keys *k, size_t index);
audit_signed audit_checkpoint_verify(const struct audit_keys *k, const struct audit_checkpoint *c);

#endif
