/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is wiped before it is freed, and the wipe itself.  One block, never grown: a secret
 * is made once. */
#include <postern/bytes.h>

#include <stdlib.h>

struct postern_secret {
    size_t len;
    uint8_t bytes[]; /* len bytes and a NUL */
};

void postern_wipe(void *ptr, size_t len)
{
    if (len != 0) /* ptr may be NULL then */
        explicit_bzero(ptr, len);
}

postern_err postern_secret_new(postern_bytes from, postern_secret **ret_secret, postern_error *err)
{
    postern_secret *s = NULL;

    if (from.len < SIZE_MAX - sizeof *s)
        s = malloc(sizeof *s + from.len + 1);
    if (s == NULL)
        return POSTERN_FAIL(err, NOMEM, "secret of %zu bytes", from.len);
    if (from.len != 0)
        memcpy(s->bytes, from.ptr, from.len);
    s->bytes[from.len] = '\0';
    s->len = from.len;
    *ret_secret = s;
    return POSTERN_OK;
}

postern_bytes postern_secret_bytes(const postern_secret *s)
{
    return s == NULL ? POSTERN_BYTES_NONE : (postern_bytes){ s->bytes, s->len };
}

void postern_secret_free(postern_secret *s)
{
    if (s == NULL)
        return;
    postern_wipe(s, sizeof *s + s->len);
    free(s);
}
