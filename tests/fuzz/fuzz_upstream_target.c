/* SPDX-License-Identifier: BSD-2-Clause */
/* `backend:` of a door: what is taken is one place, said in full and in one way only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door/upstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, const struct upstream_target *t)
{
    struct sockaddr_storage address;
    socklen_t len;
    char again[sizeof t->host + sizeof t->port + 8];
    bool is_v6 = strchr(t->host, ':') != NULL;

    if ((t->path[0] != '\0') == (t->host[0] != '\0'))
        abort();
    if (t->path[0] != '\0')
        snprintf(again, sizeof again, "unix:%s", t->path);
    else
        snprintf(again, sizeof again, is_v6 ? "[%s]:%s" : "%s:%s", t->host, t->port);
    if (strcmp(again, text) != 0)
        abort();
    if (is_v6 && !upstream_target_address(t, &address, &len))
        abort();
    if (t->tls != UPSTREAM_VERIFY_FULL || t->tls_ctx != NULL)
        abort();
    (void)upstream_target_is_local(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upstream_target t;
    postern_error err = { .code = POSTERN_ERR_UNSET };
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (upstream_target_parse(text, &t, &err) == POSTERN_OK)
        check(text, &t);
    else if (err.code != POSTERN_ERR_CONFIG_VALUE)
        abort();
    free(text);
    return 0;
}
