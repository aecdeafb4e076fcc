/* SPDX-License-Identifier: BSD-2-Clause */
/* The search in the audit file: whatever stands there, a record that is found is one JSON object with the reference asked for. */
#include "config.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit_find.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct audit_found found;
    postern_error err = { 0 };
    int fd = memfd_create("audit", MFD_CLOEXEC);

    if (fd < 0)
        return 0;
    if (write(fd, data, size) == (ssize_t)size) {
        postern_err e = audit_find(fd, "R-1", &found, &err);

        demand(e == POSTERN_OK || e == POSTERN_ERR_NOMEM);
        if (e == POSTERN_OK && found.is_found)
            demand(postern_json_string_is(&found.json, postern_json_member(&found.json, 0, "ref"), "R-1"));
        audit_found_free(&found);
    }
    demand(audit_find(fd, "R 1", &found, &err) == POSTERN_ERR_USAGE);
    (void)close(fd);
    demand(audit_find(-1, "R-1", &found, &err) == POSTERN_ERR_SYSTEM);
    return 0;
}
