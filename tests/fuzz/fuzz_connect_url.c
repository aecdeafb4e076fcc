/* SPDX-License-Identifier: BSD-2-Clause */
/* The URL of a door: what is taken is written again as one URL that means the same. */
#include <stdlib.h>
#include <string.h>

#include "connect_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct connect_target once, twice;
    char *url = malloc(size + 1);

    if (url == NULL)
        return 0;
    if (size != 0)
        memcpy(url, data, size);
    url[size] = '\0';
    if (connect_target_parse(url, &once, NULL) == POSTERN_OK) {
        demand(connect_target_is_url(url) && host_is_service(once.service) && host_is_name(once.host));
        demand((once.path[0] == '\0') != (once.port[0] == '\0'));
        demand(connect_target_parse(once.text, &twice, NULL) == POSTERN_OK);
        demand(strcmp(once.service, twice.service) == 0 && strcmp(once.host, twice.host) == 0);
        demand(strcmp(once.port, twice.port) == 0 && strcmp(once.path, twice.path) == 0);
        demand(strcmp(once.text, twice.text) == 0);
    }
    free(url);
    return 0;
}
