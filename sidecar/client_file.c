/* SPDX-License-Identifier: BSD-2-Clause */
/* See client_file.h. */
#include "config.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client_file.h"

/* A number, or a user of this machine. */
static postern_err read_user(const char *name, uid_t *ret, postern_error *err)
{
    char room[1024], *end;
    unsigned long number = strtoul(name, &end, 10);
    struct passwd user, *found = NULL;

    if (name[0] >= '0' && name[0] <= '9' && *end == '\0' && number < UINT32_MAX)
        *ret = (uid_t)number;
    else if (getpwnam_r(name, &user, room, sizeof room, &found) == 0 && found != NULL)
        *ret = found->pw_uid;
    else
        return POSTERN_FAIL(err, CONFIG_VALUE, "loopback_user: no such user here");
    return POSTERN_OK;
}

static postern_err read_bytes(int fd, postern_buf *out, postern_error *err)
{
    uint8_t chunk[4096];
    ssize_t n;

    while ((n = pread(fd, chunk, sizeof chunk, (off_t)out->len)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            postern_buf_add(out, (postern_bytes){ chunk, (size_t)n });
        postern_wipe(chunk, sizeof chunk);
        if (n < 0)
            return POSTERN_FAIL(err, SYSTEM, "client_credential_file: %m");
        if (out->failed)
            return POSTERN_FAIL(err, CONFIG_FILE,
                                "client_credential_file: more than %d bytes, or no memory",
                                CLIENT_CREDENTIAL_MAX);
    }
    return POSTERN_OK;
}

/* Without the newline that editors put behind a secret. */
static postern_err read_credential(int fd, postern_client_auth auth, postern_secret **ret,
                                   postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(CLIENT_CREDENTIAL_MAX);
    postern_bytes secret;

    POSTERN_TRY(read_bytes(fd, &text, err));
    secret = postern_buf_bytes(&text);
    while (auth == POSTERN_CLIENT_AUTH_SECRET && secret.len != 0 &&
           (secret.ptr[secret.len - 1] == '\n' || secret.ptr[secret.len - 1] == '\r'))
        secret.len--;
    return postern_secret_new(secret, ret, err);
}

postern_err client_file_read(const postern_section *client, int credential_fd,
                             struct client_file *ret, postern_error *err)
{
    postern_agent *a = &ret->agent;

    *ret = (struct client_file){ .credential = NULL };
    a->issuer = postern_section_text(client, "issuer");
    a->client_id = postern_section_text(client, "client_id");
    a->auth = strcmp(postern_section_text(client, "client_auth"), "secret") == 0
                  ? POSTERN_CLIENT_AUTH_SECRET
                  : POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT;
    a->tls_ca_file = postern_section_text(client, "tls_ca_file");
    a->allow_loopback_http = postern_section_flag(client, "allow_loopback_http");
    POSTERN_TRY(read_user(postern_section_text(client, "loopback_user"), &a->loopback_uid, err));
    POSTERN_TRY(read_credential(credential_fd, a->auth, &ret->credential, err));
    a->credential = postern_secret_bytes(ret->credential);
    return POSTERN_OK;
}

void client_file_free(struct client_file *f)
{
    postern_secret_free(f->credential);
    *f = (struct client_file){ .credential = NULL };
}
