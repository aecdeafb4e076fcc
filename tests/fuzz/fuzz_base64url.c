/* SPDX-License-Identifier: BSD-2-Clause */
/* What decodes must encode to the same text again, in both alphabets: there is no second spelling
 * of anything. */
#include <stdlib.h>

#include <postern/bytes.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef postern_err (*decode_fn)(postern_bytes in, uint8_t *out, size_t *ret_len,
                                 postern_error *err);
typedef void (*encode_fn)(postern_bytes in, postern_buf *out);

static void check_both_ways(decode_fn decode, encode_fn encode, postern_bytes text)
{
    POSTERN_AUTO_BUF again = POSTERN_BUF_INIT(text.len + 4);
    uint8_t *out = malloc(POSTERN_BASE64URL_DECODED_MAX(text.len));
    postern_error err;
    size_t len;

    if (out == NULL)
        abort();
    if (decode(text, out, &len, &err) == POSTERN_OK) {
        encode((postern_bytes){ out, len }, &again);
        if (again.failed || !postern_bytes_equal(postern_buf_bytes(&again), text))
            abort();
    } else if (err.code != POSTERN_ERR_MALFORMED) {
        abort();
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_both_ways(postern_base64url_decode, postern_base64url_encode,
                    (postern_bytes){ data, size });
    check_both_ways(postern_base64_decode, postern_base64_encode, (postern_bytes){ data, size });
    return 0;
}
