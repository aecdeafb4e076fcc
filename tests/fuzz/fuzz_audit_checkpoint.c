/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of a file of checkpoints: never a crash, and what is read has the form that is signed.  What was signed here is read and verified;
 * with any of its bytes changed it is not.
 */
#include "config.h"

#include <stdlib.h>

#include "audit_proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static struct audit_signer *signer;
static struct audit_keys *keys;

/* Another key each time: no input can be made for it. */
static void make_keys(void)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(4096), public = POSTERN_BUF_INIT(4096);

    if (keys != NULL)
        return;
    demand(audit_signing_key_make(&pem, NULL) == POSTERN_OK);
    demand(audit_signer_new(postern_buf_bytes(&pem), &signer, NULL) == POSTERN_OK);
    demand(audit_signer_public(signer, &public, NULL) == POSTERN_OK);
    demand(audit_keys_read(postern_buf_bytes(&public), &keys, NULL) == POSTERN_OK);
}

static void read_line(postern_bytes line)
{
    struct audit_proof p = { .keys = keys };
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_checkpoint c;
    postern_err e = audit_proof_keep(&p, 0, 1, line, NULL);

    demand(e != POSTERN_OK || p.line_count + p.other_count == 1);
    demand(p.line_count == 0);
    demand(postern_bytes_is_printable(postern_bytes_str(p.what)));
    if (postern_json_scan(&j, line, NULL) == POSTERN_OK && audit_checkpoint_read(&j, 0, &c)) {
        demand(e == POSTERN_ERR_BAD_SIGNATURE);
        demand(c.head.seq >= 1 && strlen(c.time) == AUDIT_CHECKPOINT_TIME_MAX - 1);
        demand(postern_bytes_is_printable(postern_bytes_str(c.host)) && c.host[0] != '\0');
        demand(c.signature_len != 0 && c.signature_len <= AUDIT_SIGNATURE_MAX);
        memcpy(c.key_id, audit_keys_id(keys, 0), sizeof c.key_id);
        demand(audit_checkpoint_verify(keys, &c) == AUDIT_SIGNED_BADLY);
    }
    audit_proof_free(&p);
}

static audit_signed verdict(postern_bytes line)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_checkpoint c;

    if (postern_json_scan(&j, line, NULL) != POSTERN_OK || !audit_checkpoint_read(&j, 0, &c))
        return AUDIT_SIGNED_BADLY;
    return audit_checkpoint_verify(keys, &c);
}

/* The first bytes say which byte is changed, and how; the rest is a host's name. */
static void sign_and_change(postern_bytes data)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_CHECKPOINT_MAX);
    struct audit_head head = { .seq = 1 + data.ptr[0] };
    char host[AUDIT_CHECKPOINT_HOST_MAX] = "";
    uint8_t *at;

    memcpy(host, data.ptr + 3, data.len - 3);
    memcpy(head.hash, data.ptr, 3);
    demand(audit_checkpoint_write(signer, &head, 1764000000123 + data.ptr[1], host, &out, NULL) == POSTERN_OK);
    demand(verdict(postern_buf_bytes(&out)) == AUDIT_SIGNED_WELL);
    at = &out.ptr[(size_t)(data.ptr[0] << 8 | data.ptr[1]) % out.len];
    *at ^= data.ptr[2];
    demand(verdict(postern_buf_bytes(&out)) != AUDIT_SIGNED_WELL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    make_keys();
    read_line((postern_bytes){ data, size });
    if (size > 3 && size < AUDIT_CHECKPOINT_HOST_MAX + 3 && data[2] != 0)
        sign_and_change((postern_bytes){ data, size });
    return 0;
}
