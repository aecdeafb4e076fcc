/* SPDX-License-Identifier: BSD-2-Clause */
/* Signing and verifying where the audit chain stands (postern-private/audit_checkpoint.h); ES256 is
 * OpenSSL's.  Reads and writes no file. */
#include <postern-private/audit_checkpoint.h>
#include <postern-private/pem.h>
#include <postern-private/sha256.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define PRIVATE_PEM_MAX 4096 /* bytes; ours has 241 */
#define SIGNED_TEXT_MAX 320  /* bytes with NUL: five lines, each of a bounded length */

struct audit_signer {
    EVP_PKEY *key;
    char id[AUDIT_KEY_ID_DIGITS + 1];
};

struct audit_keys {
    size_t count;
    struct {
        EVP_PKEY *key;
        char id[AUDIT_KEY_ID_DIGITS + 1];
    } list[AUDIT_KEYS_MAX];
};

/* ---- keys ---- */

static bool is_p256(const EVP_PKEY *key)
{
    char group[32] = "";

    return EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                          NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static bool make_id(const EVP_PKEY *key, char ret[AUDIT_KEY_ID_DIGITS + 1])
{
    uint8_t hash[AUDIT_HASH_LEN], *der = NULL;
    char text[AUDIT_HASH_DIGITS + 1];
    int len = i2d_PUBKEY(key, &der);
    bool is_made = len > 0 && sha256_make((postern_bytes){ der, (size_t)len }, hash);

    OPENSSL_free(der);
    if (!is_made)
        return false;
    audit_hash_text(hash, text);
    memcpy(ret, text, AUDIT_KEY_ID_DIGITS);
    ret[AUDIT_KEY_ID_DIGITS] = '\0';
    return true;
}

/* Copied by hand: the buffer's storage is wiped, the BIO's by the allocator of whoever needs that. */
static bool copy_bio(BIO *bio, postern_buf *out)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);

    if (len <= 0)
        return false;
    postern_buf_add(out, (postern_bytes){ (const uint8_t *)text, (size_t)len });
    return !out->failed;
}

/* `write` is one of PEM_write_bio_*. */
static bool write_pem(EVP_PKEY *key, bool is_private, postern_buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int written = 0;

    if (bio != NULL)
        written = is_private ?
                      PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) :
                      PEM_write_bio_PUBKEY(bio, key);
    written = written == 1 && copy_bio(bio, out);
    BIO_free(bio);
    ERR_clear_error();
    return written;
}

postern_err audit_signing_key_make(postern_buf *out, postern_error *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    bool is_made = key != NULL && write_pem(key, true, out);

    EVP_PKEY_free(key);
    return is_made ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "a new P-256 key");
}

static EVP_PKEY *read_private(postern_bytes pem)
{
    EVP_PKEY *key = pem.len > PRIVATE_PEM_MAX ? NULL : postern_pem_private_key(pem);

    ERR_clear_error();
    return key;
}

postern_err audit_signer_new(postern_bytes pem, struct audit_signer **ret, postern_error *err)
{
    struct audit_signer *s = calloc(1, sizeof *s);

    if (s == NULL)
        return POSTERN_FAIL(err, NOMEM, "signer of checkpoints");
    s->key = read_private(pem);
    if (s->key == NULL || !is_p256(s->key)) {
        audit_signer_free(s);
        return POSTERN_FAIL(err, CONFIG_FILE, "this is no P-256 private key in PEM");
    }
    if (!make_id(s->key, s->id)) {
        audit_signer_free(s);
        return POSTERN_FAIL(err, NOMEM, "signer of checkpoints");
    }
    *ret = s;
    return POSTERN_OK;
}

void audit_signer_free(struct audit_signer *s)
{
    if (s == NULL)
        return;
    EVP_PKEY_free(s->key);
    free(s);
}

const char *audit_signer_key_id(const struct audit_signer *s)
{
    return s->id;
}

postern_err audit_signer_public(const struct audit_signer *s, postern_buf *out, postern_error *err)
{
    return write_pem(s->key, false, out) ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "public key");
}

/* ---- what is signed ---- */

static size_t write_signed_text(const struct audit_checkpoint *c, char room[SIGNED_TEXT_MAX])
{
    char head[AUDIT_HASH_DIGITS + 1];
    int len;

    audit_hash_text(c->head.hash, head);
    len = snprintf(room, SIGNED_TEXT_MAX,
                   "postern audit checkpoint 1\ntime: %s\nhost: %s\nrecord: %" PRId64 "\nhead: %s\n",
                   c->time, c->host, c->head.seq, head);
    return len < 0 || len >= SIGNED_TEXT_MAX ? 0 : (size_t)len;
}

static bool sign(const struct audit_signer *s, struct audit_checkpoint *c)
{
    char text[SIGNED_TEXT_MAX];
    size_t text_len = write_signed_text(c, text);
    EVP_MD_CTX *ctx = text_len == 0 ? NULL : EVP_MD_CTX_new();
    bool is_signed;

    c->signature_len = sizeof c->signature;
    is_signed = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, s->key) == 1 &&
                EVP_DigestSign(ctx, c->signature, &c->signature_len, (const uint8_t *)text,
                               text_len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return is_signed;
}

/* ---- writing ---- */

static bool write_time(int64_t time_ms, char ret[AUDIT_CHECKPOINT_TIME_MAX])
{
    time_t second = (time_t)(time_ms / 1000);
    struct tm t;
    char text[64];
    int len;

    if (time_ms < 0 || gmtime_r(&second, &t) == NULL || t.tm_year > 9999 - 1900)
        return false;
    len = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900,
                   t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)(time_ms % 1000));
    if (len != AUDIT_CHECKPOINT_TIME_MAX - 1)
        return false;
    memcpy(ret, text, AUDIT_CHECKPOINT_TIME_MAX);
    return true;
}

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

static void write_host(const char *host, char ret[AUDIT_CHECKPOINT_HOST_MAX])
{
    size_t len = strnlen(host, AUDIT_CHECKPOINT_HOST_MAX - 1);

    for (size_t i = 0; i < len; i++)
        ret[i] = is_host_byte(host[i]) ? host[i] : '_';
    ret[len] = '\0';
    if (len == 0)
        memcpy(ret, "_", 2);
}

static void format(const struct audit_checkpoint *c, postern_buf *out)
{
    POSTERN_AUTO_BUF signature = POSTERN_BUF_INIT(128);
    postern_json_writer w = { .out = out };
    char head[AUDIT_HASH_DIGITS + 1];

    audit_hash_text(c->head.hash, head);
    postern_base64url_encode((postern_bytes){ c->signature, c->signature_len }, &signature);
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "time", c->time);
    postern_json_put_str(&w, "event", "checkpoint");
    postern_json_put_str(&w, "host", c->host);
    postern_json_put_integer(&w, "record", c->head.seq);
    postern_json_put_str(&w, "head", head);
    postern_json_put_str(&w, "key", c->key_id);
    postern_json_put_string(&w, "signature", postern_buf_bytes(&signature));
    postern_json_close_object(&w);
    out->failed |= signature.failed;
}

postern_err audit_checkpoint_write(const struct audit_signer *s, const struct audit_head *head,
                                   int64_t time_ms, const char *host, postern_buf *out,
                                   postern_error *err)
{
    struct audit_checkpoint c = { .head = *head };

    if (head->seq < 1 || !write_time(time_ms, c.time))
        return POSTERN_FAIL(err, USAGE, "checkpoint without a record or a time");
    write_host(host, c.host);
    memcpy(c.key_id, s->id, sizeof c.key_id);
    if (!sign(s, &c))
        return POSTERN_FAIL(err, SYSTEM, "signing a checkpoint");
    format(&c, out);
    return out->failed ? POSTERN_FAIL(err, NOMEM, "checkpoint") : POSTERN_OK;
}

/* ---- reading ---- */

/* A string without escapes, as we write them all.  False: another type, or too long. */
static bool read_text(const postern_json *j, uint32_t object, const char *name, char *room,
                      size_t room_size)
{
    uint32_t node = postern_json_member(j, object, name);
    postern_bytes raw = postern_json_raw(j, node);

    if (postern_json_type_of(j, node) != POSTERN_JSON_STRING || raw.len < 2 ||
        raw.len - 2 >= room_size || memchr(raw.ptr, '\\', raw.len) != NULL)
        return false;
    memcpy(room, raw.ptr + 1, raw.len - 2);
    room[raw.len - 2] = '\0';
    return true;
}

/* "2026-11-28T18:00:00.000Z": digits where digits are. */
static bool is_time(const char *text)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";

    for (size_t i = 0; i < sizeof form; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

static bool is_host(const char *text)
{
    size_t len = 0;

    while (is_host_byte(text[len]))
        len++;
    return len != 0 && text[len] == '\0';
}

static bool read_signature(const postern_json *j, uint32_t object, struct audit_checkpoint *ret)
{
    char text[AUDIT_SIGNATURE_MAX / 3 * 4 + 1];
    postern_bytes in;

    if (!read_text(j, object, "signature", text, sizeof text))
        return false;
    in = postern_bytes_str(text);
    return in.len != 0 &&
           postern_base64url_decode(in, ret->signature, &ret->signature_len, NULL) == POSTERN_OK;
}

bool audit_checkpoint_read(const postern_json *j, uint32_t object, struct audit_checkpoint *ret)
{
    char head[AUDIT_HASH_DIGITS + 1];

    return postern_json_type_of(j, object) == POSTERN_JSON_OBJECT &&
           postern_json_string_is(j, postern_json_member(j, object, "event"), "checkpoint") &&
           read_text(j, object, "time", ret->time, sizeof ret->time) && is_time(ret->time) &&
           read_text(j, object, "host", ret->host, sizeof ret->host) && is_host(ret->host) &&
           postern_json_integer(j, postern_json_member(j, object, "record"), &ret->head.seq) &&
           ret->head.seq >= 1 && ret->head.seq <= AUDIT_SEQ_MAX &&
           read_text(j, object, "head", head, sizeof head) &&
           audit_hash_parse(postern_bytes_str(head), ret->head.hash) &&
           read_text(j, object, "key", ret->key_id, sizeof ret->key_id) &&
           read_signature(j, object, ret);
}

/* ---- verifying ---- */

static postern_err add_key(struct audit_keys *k, EVP_PKEY *take_key, postern_error *err)
{
    const char *fault = k->count == AUDIT_KEYS_MAX ? "more keys than there may be" :
                        is_p256(take_key)          ? NULL :
                                                     "a public key that is not of P-256";

    if (fault != NULL) {
        EVP_PKEY_free(take_key);
        return POSTERN_FAIL(err, CONFIG_FILE, "%s", fault);
    }
    k->list[k->count].key = take_key;
    if (!make_id(take_key, k->list[k->count++].id))
        return POSTERN_FAIL(err, NOMEM, "public key");
    return POSTERN_OK;
}

static postern_err add_all(struct audit_keys *k, BIO *bio, postern_error *err)
{
    EVP_PKEY *key;

    while ((key = PEM_read_bio_PUBKEY(bio, NULL, postern_pem_no_passphrase, NULL)) != NULL)
        POSTERN_TRY(add_key(k, key, err));
    ERR_clear_error(); /* of the end: no further one */
    return k->count != 0 ? POSTERN_OK : POSTERN_FAIL(err, CONFIG_FILE, "there is no public key in it");
}

postern_err audit_keys_read(postern_bytes pem, struct audit_keys **ret, postern_error *err)
{
    struct audit_keys *k = calloc(1, sizeof *k);
    BIO *bio = pem.len > AUDIT_KEYS_TEXT_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
    postern_err e;

    if (pem.len > AUDIT_KEYS_TEXT_MAX)
        e = POSTERN_FAIL(err, CONFIG_FILE, "more than %d bytes of keys", AUDIT_KEYS_TEXT_MAX);
    else if (k == NULL || bio == NULL)
        e = POSTERN_FAIL(err, NOMEM, "public keys");
    else
        e = add_all(k, bio, err);
    BIO_free(bio);
    if (e == POSTERN_OK)
        *ret = k;
    else
        audit_keys_free(k);
    return e;
}

void audit_keys_free(struct audit_keys *k)
{
    if (k == NULL)
        return;
    for (size_t i = 0; i < k->count; i++)
        EVP_PKEY_free(k->list[i].key);
    free(k);
}

size_t audit_keys_count(const struct audit_keys *k)
{
    return k->count;
}

const char *audit_keys_id(const struct audit_keys *k, size_t index)
{
    return k->list[index].id;
}

static audit_signed verify_by(EVP_PKEY *key, const struct audit_checkpoint *c)
{
    char text[SIGNED_TEXT_MAX];
    size_t text_len = write_signed_text(c, text);
    EVP_MD_CTX *ctx = text_len == 0 ? NULL : EVP_MD_CTX_new();
    bool is_good;

    is_good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(ctx, c->signature, c->signature_len, (const uint8_t *)text,
                               text_len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return is_good ? AUDIT_SIGNED_WELL : AUDIT_SIGNED_BADLY;
}

/* The id only finds the key; the signature decides. */
audit_signed audit_checkpoint_verify(const struct audit_keys *k, const struct audit_checkpoint *c)
{
    for (size_t i = 0; i < k->count; i++)
        if (strcmp(k->list[i].id, c->key_id) == 0)
            return verify_by(k->list[i].key, c);
    return AUDIT_SIGNED_FOREIGN;
}
