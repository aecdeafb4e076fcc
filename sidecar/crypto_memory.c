/* SPDX-License-Identifier: BSD-2-Clause */
/* OpenSSL's allocator (sidecar/crypto_memory.h): malloc(3) with a free(3) that wipes. */
#include "config.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <postern/bytes.h>

#include "crypto_memory.h"

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size == 0 ? NULL : malloc(size);
}

static void wipe_and_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    if (p != NULL)
        postern_wipe(p, malloc_usable_size(p));
    free(p);
}

/* Never realloc(3): what it leaves behind when it moves is not wiped. */
static void *resize(void *p, size_t size, const char *file, int line)
{
    size_t have = p == NULL ? 0 : malloc_usable_size(p);
    void *grown;

    if (p != NULL && size == 0) {
        wipe_and_free(p, file, line);
        return NULL;
    }
    grown = take(size, file, line);
    if (grown != NULL && p != NULL) {
        memcpy(grown, p, have < size ? have : size);
        wipe_and_free(p, file, line);
    }
    return grown;
}

bool crypto_memory_wipe_freed(void)
{
    return CRYPTO_set_mem_functions(take, resize, wipe_and_free) == 1;
}
