/* SPDX-License-Identifier: BSD-2-Clause */
/* JOSE headers as JSON (fuzz_jwt would have to guess their base64url): what passes has an algorithm
 * of ours and a kid within bounds. */
#include <stdlib.h>

#include "jose/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct postern_jose_header
    header; /* kept, as in a daemon: a header may not shine through to the next */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(2 * POSTERN_JWT_HEADER_MAX);
    postern_error err;
    postern_err e;

    if (header.scratch.max == 0)
        postern_jose_header_init(&header);
    postern_base64url_encode((postern_bytes){ data, size }, &text);
    if (text.failed)
        return 0;
    e = postern_jose_header_parse(&header, postern_buf_bytes(&text), &err);
    if ((e == POSTERN_OK) != (header.alg > POSTERN_ALG_NONE && header.alg < POSTERN_ALG_COUNT))
        abort();
    if (e == POSTERN_OK &&
        (header.kid_len > sizeof header.kid || header.typ_len > sizeof header.typ ||
         (!header.has_kid && header.kid_len != 0)))
        abort();
    if (postern_jose_header_parse(&header, postern_buf_bytes(&text), &err) !=
        e) /* remembered or read again: the same answer */
        abort();
    return 0;
}
