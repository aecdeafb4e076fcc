/* SPDX-License-Identifier: BSD-2-Clause */
/* Open, send and close what the door child works with (door_set.h). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "door_set.h"
#include "generation_open.h"
#include "issuer_clients.h"
#include "policy_ask.h"

#define DUMP_MAX (16u << 20) /* as posternd --dump-config */
#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* ---- memfds: text for a process that may open nothing, sealed: the next door reads it too ---- */

static bool write_all(int fd, postern_bytes text)
{
    while (text.len != 0) {
        ssize_t n = write(fd, text.ptr, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = (postern_bytes){ text.ptr + n, text.len - (size_t)n };
    }
    return true;
}

static postern_err make_memfd(const char *name, postern_bytes text, int *ret_fd, postern_error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "memfd_create: %m");
    if (write_all(fd, text) && fcntl(fd, F_ADD_SEALS, ALL_SEALS) == 0) {
        *ret_fd = fd;
        return POSTERN_OK;
    }
    (void)POSTERN_FAIL(err, SYSTEM, "memfd of %zu bytes: %m", text.len);
    (void)close(fd);
    return POSTERN_ERR_SYSTEM;
}

static postern_err dump_config(const postern_config *c, int *ret_fd, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(DUMP_MAX);

    postern_config_dump(c, &text);
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "configuration of more than %u bytes", DUMP_MAX);
    return make_memfd("postern.conf", postern_buf_bytes(&text), ret_fd, err);
}

/* ---- files ---- */

/* Takes the descriptor in every case. */
static postern_err add_file(struct door_set *s, struct door_file take, postern_error *err)
{
    struct door_file *grown = s->files;

    if (s->count == s->room && s->count < DOOR_FILES_MAX) {
        s->room = s->room == 0 ? 16 : s->room * 2;
        grown = reallocarray(s->files, s->room, sizeof *grown);
        if (grown != NULL)
            s->files = grown;
    }
    if (grown == NULL || s->count >= DOOR_FILES_MAX) {
        (void)close(take.fd);
        return POSTERN_FAIL(err, NOMEM, "more than %zu files of doors", s->count);
    }
    s->files[s->count++] = take;
    return POSTERN_OK;
}

static const struct {
    const char *key;
    bool is_secret;
} file_keys[] = { { "tls_cert_file", false },     { "tls_key_file", true },
                  { "backend_cert_file", false }, { "backend_key_file", true },
                  { "backend_tls_ca_file", false }, { "tls_client_ca_file", false },
                  { "backend_password_file", true } };

static postern_err add_files_of(struct door_set *s, const postern_section *door, postern_error *err)
{
    for (size_t i = 0; i < sizeof file_keys / sizeof file_keys[0]; i++) {
        const char *key = file_keys[i].key, *path = postern_section_text(door, key);
        struct door_file f = { postern_section_name(door), key, -1 };

        if (path == NULL)
            continue;
        POSTERN_TRY(open_door_file(path, postern_section_origin(door, key), file_keys[i].is_secret,
                                   &f.fd, err));
        POSTERN_TRY(add_file(s, f, err));
    }
    return POSTERN_OK;
}

/* The client file of a door that logs in at its backend with a token of its own. */
static postern_err add_credential_of(struct door_set *s, const postern_config *c,
                                     const postern_section *door, postern_error *err)
{
    static const char key[] = "client_credential_file";
    const char *name = postern_section_text(door, "client");
    const postern_section *client =
        name == NULL ? NULL : postern_config_section(c, POSTERN_SECTION_CLIENT, name);
    struct door_file f = { postern_section_name(door), key, -1 };

    if (client == NULL)
        return POSTERN_OK;
    if (postern_section_text(client, key) == NULL)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s: as this client a door cannot ask for a token",
                            postern_section_origin(client, "client_auth"));
    POSTERN_TRY(open_door_file(postern_section_text(client, key),
                               postern_section_origin(client, key), true, &f.fd, err));
    return add_file(s, f, err);
}

/* As whom an issuer is asked about tokens; under the issuer's name, with a key that no door has. */
static postern_err add_issuer_client(struct door_set *s, const postern_config *c,
                                     const postern_section *issuer, postern_error *err)
{
    static const char key[] = "client_credential_file";
    const postern_section *client = issuer_client_of(c, issuer);
    struct door_file f = { postern_section_name(issuer), ISSUER_CLIENT_KEY, -1 };

    if (client == NULL)
        return POSTERN_OK;
    POSTERN_TRY(open_door_file(postern_section_text(client, key),
                               postern_section_origin(client, key), true, &f.fd, err));
    return add_file(s, f, err);
}

/* ---- policies ---- */

static bool has_policy(const struct door_set *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->files[i].section == NULL && strcmp(s->files[i].key, name) == 0)
            return true;
    return false;
}

static postern_err keep_policy(void *arg, const char *name, postern_bytes text, postern_error *err)
{
    struct door_set *s = arg;
    struct door_file f = { NULL, name, -1 };

    if (has_policy(s, name))
        return POSTERN_OK;
    POSTERN_TRY(make_memfd(name, text, &f.fd, err));
    return add_file(s, f, err);
}

/* Read as the door will, so that --check and a start name what is wrong: nobody is asked to start a
 * door that cannot. */
static postern_err add_policies_of(struct door_set *s, const postern_config *c,
                                   const postern_section *door, postern_error *err)
{
    POSTERN_AUTO(policy) judged = NULL;

    return policy_read(c, door, (struct policy_reader){ keep_policy, s }, &judged, err);
}

static postern_err open_all(struct door_set *s, const postern_config *c, postern_error *err)
{
    const postern_section *door, *issuer;

    POSTERN_TRY(dump_config(c, &s->dump_fd, err));
    for (size_t i = 0; (issuer = postern_config_section_at(c, POSTERN_SECTION_ISSUER, i)) != NULL;
         i++)
        POSTERN_TRY(add_issuer_client(s, c, issuer, err));
    for (size_t i = 0; (door = postern_config_section_at(c, POSTERN_SECTION_DOOR, i)) != NULL; i++) {
        POSTERN_TRY(add_files_of(s, door, err));
        POSTERN_TRY(add_credential_of(s, c, door, err));
        POSTERN_TRY(add_policies_of(s, c, door, err));
    }
    return POSTERN_OK;
}

postern_err door_set_open(const postern_config *c, struct door_set *ret, postern_error *err)
{
    *ret = (struct door_set){ .dump_fd = -1, .args_key_fd = -1 };
    return open_all(ret, c, err);
}

void door_set_close(struct door_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        (void)close(s->files[i].fd);
    if (s->dump_fd >= 0)
        (void)close(s->dump_fd);
    free(s->files);
    *s = (struct door_set){ .dump_fd = -1, .args_key_fd = -1 };
}

/* ---- sending ---- */

static postern_err send_to(struct channel *to, postern_bytes message, int fd, postern_error *err)
{
    return channel_send_patiently(to, message, fd, "the door", err);
}

static postern_err send_built(struct channel *to, const postern_buf *message, int fd,
                              postern_error *err)
{
    if (message->failed)
        return POSTERN_FAIL(err, NOMEM, "message to the door");
    return send_to(to, postern_buf_bytes(message), fd, err);
}

static postern_err send_file(const struct door_file *f, struct channel *to, postern_error *err)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(1024);
    postern_json_writer w = { .out = &b };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", f->section != NULL ? "file" : "policy");
    postern_json_put_str(&w, "door", f->section);
    postern_json_put_str(&w, f->section != NULL ? "key" : "name", f->key);
    postern_json_close_object(&w);
    return send_built(to, &b, f->fd, err);
}

static postern_err send_listener(const struct listener *l, struct channel *to, postern_error *err)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(1024);
    postern_json_writer w = { .out = &b };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "listener");
    postern_json_put_str(&w, "door", l->door);
    postern_json_put_str(&w, "address", l->address);
    postern_json_put_integer(&w, "loop", (int64_t)l->loop);
    postern_json_close_object(&w);
    return send_built(to, &b, l->fd, err);
}

postern_err door_set_send(const struct door_set *s, const struct listeners *ls, size_t loops,
                          struct channel *to, postern_error *err)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(256);
    postern_json_writer w = { .out = &b };

    POSTERN_TRY(send_to(to, POSTERN_BYTES_LIT("{\"type\":\"abandon\"}"), -1, err));
    if (s->args_key_fd >= 0)
        POSTERN_TRY(send_to(to, POSTERN_BYTES_LIT("{\"type\":\"args_key\"}"), s->args_key_fd,
                                   err));
    for (size_t i = 0; i < ls->count; i++)
        if (ls->list[i].kind == LISTENER_DOOR)
            POSTERN_TRY(send_listener(&ls->list[i], to, err));
    for (size_t i = 0; i < s->count; i++)
        POSTERN_TRY(send_file(&s->files[i], to, err));
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "prepare");
    postern_json_put_integer(&w, "loops", (int64_t)loops);
    postern_json_close_object(&w);
    return send_built(to, &b, s->dump_fd, err);
}
