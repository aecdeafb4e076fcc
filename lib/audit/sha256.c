/* SPDX-License-Identifier: BSD-2-Clause */
/* See postern-private/sha256.h. */
#include <postern-private/sha256.h>

#include <pthread.h>

#include <openssl/evp.h>

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_MD *fetched; /* for the process's life: to fetch is half of what a short hash costs */

static void fetch(void)
{
    fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
}

bool sha256_make(postern_bytes text, uint8_t ret[SHA256_LEN])
{
    const EVP_MD *md = EVP_sha256(); /* which fetches each time */
    const void *from = text.ptr == NULL ? (const uint8_t *)"" : text.ptr;
    unsigned len = 0;

    if (pthread_once(&fetch_once, fetch) == 0 && fetched != NULL)
        md = fetched;
    return EVP_Digest(from, text.len, ret, &len, md, NULL) == 1 && len == SHA256_LEN;
}
