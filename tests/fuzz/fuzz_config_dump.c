/* SPDX-License-Identifier: BSD-2-Clause */
/* A dump: what is read dumps byte for byte the same, and is complete: a context can be made of it.
 */
#include <stdlib.h>

#include <postern/context.h>

#include "oauth/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const postern_bytes text = { data, size };
    POSTERN_AUTO_BUF again = POSTERN_BUF_INIT(1 << 22);
    POSTERN_AUTO(context) context = NULL;
    postern_config *c = NULL;
    postern_error err = { 0 };
    postern_err e = postern_config_load_dump(text, &c, &err);

    if (e != POSTERN_OK) {
        if (c != NULL || err.code != e || postern_err_class(e) != POSTERN_CLASS_CONFIG)
            abort();
        return 0;
    }
    postern_config_dump(c, &again);
    if (!postern_bytes_equal(text, postern_buf_bytes(&again)))
        abort();
    if (postern_context_new(c, NULL, &context, &err) != POSTERN_OK)
        abort();
    return 0;
}
