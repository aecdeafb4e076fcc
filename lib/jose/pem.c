/* SPDX-License-Identifier: BSD-2-Clause */
/* See postern-private/pem.h.  Called by all that read keys and certificates. */
#include <postern-private/pem.h>

#include <limits.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

int postern_pem_no_passphrase(char *room, int room_size, int is_for_writing, void *arg)
{
    (void)room, (void)room_size, (void)is_for_writing, (void)arg;
    return -1;
}

EVP_PKEY *postern_pem_private_key(postern_bytes pem)
{
    BIO *bio = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key =
        bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, postern_pem_no_passphrase, NULL);

    BIO_free(bio);
    return key;
}
