/* SPDX-License-Identifier: BSD-2-Clause */
/* Form bodies from strangers: what parses holds no NUL and only UTF-8, and survives being written
 * and parsed again. */
#include <stdlib.h>

#include <postern-private/form.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts when `value` does not come back from its own encoding. */
static void check_round_trip(const char *value)
{
    POSTERN_AUTO_BUF encoded = POSTERN_BUF_INIT(3 * POSTERN_FORM_BODY_MAX);
    POSTERN_AUTO_BUF decoded = POSTERN_BUF_INIT(POSTERN_FORM_BODY_MAX);

    postern_form_encode(postern_bytes_str(value), &encoded);
    if (encoded.failed ||
        postern_form_decode(postern_buf_bytes(&encoded), &decoded, NULL) != POSTERN_OK)
        abort();
    if (!postern_bytes_equal_str(postern_buf_bytes(&decoded), value))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "grant_type", "resource", "scope", "a", "" };
    POSTERN_AUTO(form) f = NULL;
    POSTERN_AUTO_BUF one = POSTERN_BUF_INIT(256);
    postern_error err;

    if (postern_form_decode((postern_bytes){ data, size }, &one, &err) == POSTERN_OK &&
        one.len > size)
        abort();
    if (postern_form_parse((postern_bytes){ data, size }, &f, &err) != POSTERN_OK)
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t n = 0; n < postern_form_count(f, names[i]); n++) {
            const char *value = postern_form_value_at(f, names[i], n);

            if (!postern_bytes_is_utf8(postern_bytes_str(value)))
                abort();
            check_round_trip(value);
        }
    return 0;
}
