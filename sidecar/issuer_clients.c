/* SPDX-License-Identifier: BSD-2-Clause */
/* See issuer_clients.h. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "client_file.h"
#include "generation_open.h"
#include "issuer_clients.h"

static const char credential_key[] = "client_credential_file";

const postern_section *issuer_client_of(const postern_config *c, const postern_section *issuer)
{
    const char *name = postern_section_text(issuer, "client");

    return name == NULL ? NULL : postern_config_section(c, POSTERN_SECTION_CLIENT, name);
}

static postern_err add(struct issuer_clients *s, const postern_section *issuer,
                       const postern_section *client, postern_error *err)
{
    int fd;

    if (s->count == ISSUER_CLIENTS_MAX)
        return POSTERN_FAIL(err, LIMIT, "more than %d issuers with introspection",
                            ISSUER_CLIENTS_MAX);
    POSTERN_TRY(open_door_file(postern_section_text(client, credential_key),
                               postern_section_origin(client, credential_key), true, &fd, err));
    s->list[s->count].issuer = issuer;
    s->list[s->count++].fd = fd;
    return POSTERN_OK;
}

postern_err issuer_clients_open(const postern_config *c, struct issuer_clients *ret,
                                postern_error *err)
{
    const postern_section *issuer, *client;

    *ret = (struct issuer_clients){ .count = 0 };
    for (size_t i = 0; (issuer = postern_config_section_at(c, POSTERN_SECTION_ISSUER, i)) != NULL;
         i++)
        if ((client = issuer_client_of(c, issuer)) != NULL)
            POSTERN_TRY(add(ret, issuer, client, err));
    return POSTERN_OK;
}

void issuer_clients_close(struct issuer_clients *s)
{
    for (size_t i = 0; i < s->count; i++)
        (void)close(s->list[i].fd);
    s->count = 0;
}

postern_err issuer_client_give(postern_context *ctx, const postern_section *issuer,
                               int credential_fd, postern_error *err)
{
    const postern_section *client = issuer_client_of(postern_context_config(ctx), issuer);
    struct client_file file = { .credential = NULL };
    postern_err e;

    if (client == NULL)
        return POSTERN_FAIL(err, INTERNAL, "an issuer's client file did not come");
    e = client_file_read(client, credential_fd, &file, err);
    if (e == POSTERN_OK)
        e = postern_context_set_issuer_client(ctx, postern_section_text(issuer, "issuer"),
                                              &file.agent, err);
    client_file_free(&file);
    return e;
}
