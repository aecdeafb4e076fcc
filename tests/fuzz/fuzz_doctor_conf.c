/* SPDX-License-Identifier: BSD-2-Clause */
/* A host's settings: whatever the file is, a value lies within it, on one line, without blanks around it. */
#include <stdlib.h>

#include "doctor_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void look(postern_bytes text, const char *plugin)
{
    postern_bytes value = POSTERN_BYTES_NONE;

    if (!doctor_conf_find(text, plugin, "mech_list", &value))
        return;
    demand(value.ptr >= text.ptr && value.ptr + value.len <= text.ptr + text.len);
    demand(postern_bytes_find(value, '\n') == value.len);
    demand(value.len == 0 || (!is_blank(value.ptr[0]) && !is_blank(value.ptr[value.len - 1])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const postern_bytes text = { data, size };

    look(text, NULL);
    look(text, "oauthbearer");
    return 0;
}
