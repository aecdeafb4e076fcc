/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts into settings (settings.h).  Runs on the door's first thread; blocking reads of memfds and
 * small files that the supervisor opened. */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../issuer_clients.h"
#include "../spawn_set.h"
#include "settings.h"
#include "tls.h"

#define FILE_NAME_MAX 256 /* bytes with NUL: with it, a detail has room for what is wrong */
/* Bytes of a file with a password: Redis takes 512, and others are not longer. */
#define BACKEND_PASSWORD_FILE_MAX 4096
#define PART_TEXT_MAX 320 /* bytes with NUL of an address or a name */

struct part {
    char   door[PART_TEXT_MAX]; /* a policy has none */
    char   name[PART_TEXT_MAX]; /* address, key, or the policy's name */
    size_t loop;
    int    fd; /* -1: moved */
};

struct part_list {
    struct part *list;
    size_t       count, room;
};

struct settings_parts {
    struct part_list listeners, files, policies;
};

struct door_settings {
    atomic_uint           refs;
    postern_context      *context;
    const postern_config *config; /* the context's */
    struct door          *doors;
    size_t                door_count;
    struct door_listener *listeners;
    size_t                listener_count;
};

/* ---- parts ---- */

struct settings_parts *settings_parts_new(void)
{
    return calloc(1, sizeof(struct settings_parts));
}

static void free_parts(struct part_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].fd >= 0)
            (void)close(l->list[i].fd);
    free(l->list);
}

void settings_parts_free(struct settings_parts *p)
{
    if (p == NULL)
        return;
    free_parts(&p->listeners);
    free_parts(&p->files);
    free_parts(&p->policies);
    free(p);
}

static bool copy_text(char ret[PART_TEXT_MAX], const char *text)
{
    size_t len = strlen(text);

    if (len >= PART_TEXT_MAX)
        return false;
    memcpy(ret, text, len + 1);
    return true;
}

static postern_err add_part(struct part_list *l, const char *door, const char *name, size_t loop,
                            int take_fd, postern_error *err)
{
    struct part p = { .loop = loop, .fd = take_fd };

    if (l->count == l->room && l->count < SETTINGS_FDS_MAX) {
        size_t room = l->room == 0 ? 16 : l->room * 2;
        struct part *grown = reallocarray(l->list, room, sizeof *grown);

        if (grown != NULL) {
            l->list = grown;
            l->room = room;
        }
    }
    if (l->count == l->room || !copy_text(p.door, door) || !copy_text(p.name, name)) {
        (void)close(take_fd);
        return POSTERN_FAIL(err, LIMIT, "too many or too long parts of a configuration");
    }
    l->list[l->count++] = p;
    return POSTERN_OK;
}

postern_err settings_add_listener(struct settings_parts *p, const char *door, const char *address,
                                  size_t loop, int take_fd, postern_error *err)
{
    return add_part(&p->listeners, door, address, loop, take_fd, err);
}

postern_err settings_add_file(struct settings_parts *p, const char *door, const char *key,
                              int take_fd, postern_error *err)
{
    return add_part(&p->files, door, key, 0, take_fd, err);
}

postern_err settings_add_policy(struct settings_parts *p, const char *name, int take_fd,
                                postern_error *err)
{
    return add_part(&p->policies, "", name, 0, take_fd, err);
}

/* -1: there is none. */
static int find_fd(const struct part_list *l, const char *door, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->list[i].door, door) == 0 && strcmp(l->list[i].name, name) == 0)
            return l->list[i].fd;
    return -1;
}

/* ---- reading ---- */

/* Without moving the descriptor's position: the supervisor's copy serves the next child too. */
static postern_err read_whole(int fd, postern_buf *out, postern_error *err)
{
    uint8_t chunk[16384];
    off_t at = 0;
    ssize_t n;

    while ((n = pread(fd, chunk, sizeof chunk, at)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, SYSTEM, "reading a part of the configuration: %m");
        postern_buf_add(out, (postern_bytes){ chunk, (size_t)n });
        postern_wipe(chunk, (size_t)n); /* perhaps a password */
        at += n;
        if (out->failed && (size_t)at > out->max)
            return POSTERN_FAIL(err, CONFIG_FILE, "a part of the configuration has over %zu bytes",
                                out->max);
        if (out->failed)
            return POSTERN_FAIL(err, NOMEM, "a part of the configuration");
    }
    return POSTERN_OK;
}

static postern_err read_config(int dump_fd, postern_config **ret, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(SETTINGS_DUMP_MAX);

    POSTERN_TRY(read_whole(dump_fd, &text, err));
    return postern_config_load_dump(postern_buf_bytes(&text), ret, err);
}

static postern_err add_policy_file(postern_policy *policy, const struct settings_parts *p,
                                   const char *name, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    int fd = find_fd(&p->policies, "", name);
    char path[PART_TEXT_MAX + 20];
    int n = snprintf(path, sizeof path, "policies/%s.rules", name);

    if (fd < 0 || n < 0 || (size_t)n >= sizeof path)
        return POSTERN_FAIL(err, INTERNAL, "policy %s did not come", name);
    POSTERN_TRY(read_whole(fd, &text, err));
    return postern_policy_add(policy, name, path, postern_buf_bytes(&text), err);
}

static postern_err read_policy(struct door *d, const struct settings_parts *p, postern_error *err)
{
    const char *name;

    POSTERN_TRY(postern_policy_new(&d->policy, err));
    for (size_t i = 0; (name = postern_section_item(d->section, "policy", i)) != NULL; i++)
        POSTERN_TRY(add_policy_file(d->policy, p, name, err));
    POSTERN_TRY(postern_policy_finish(d->policy, err));
    if (postern_config_trusted_by(d->config, d->section, 1) == NULL)
        return POSTERN_OK;
    return postern_policy_check_issuers(d->policy, err);
}

/* ---- TLS ---- */

/* "cache: tls_cert_file /etc/ssl/cache.pem": who reads the error looks for that file. */
static struct tls_file find_file(const struct door *d, const struct settings_parts *p,
                                 const char *key, char room[FILE_NAME_MAX])
{
    const char *path = postern_section_text(d->section, key);

    if (snprintf(room, FILE_NAME_MAX, "%s: %s %s", d->name, key, path == NULL ? "" : path) < 0)
        room[0] = '\0';
    return (struct tls_file){ find_fd(&p->files, d->name, key), room };
}

/* Doors that ask nothing of their clients share one context. */
static postern_err use_own_certificate(struct door *d, struct tls_file client_ca, bool asks,
                                       struct own_certificate *own, postern_error *err)
{
    if (own->tls == NULL) {
        own->pem = POSTERN_BUF_INIT(8192);
        POSTERN_TRY(tls_server_context_for_loopback(&own->tls, &own->pem, err));
    }
    if (client_ca.fd >= 0 || asks)
        return tls_server_context_again(own->tls, client_ca, d->name, &d->tls, err);
    if (SSL_CTX_up_ref(own->tls) != 1)
        return POSTERN_FAIL(err, NOMEM, "TLS");
    d->tls = own->tls;
    return POSTERN_OK;
}

static postern_err read_client_side(struct door *d, const struct settings_parts *p,
                                    struct own_certificate *own, postern_error *err)
{
    char cert_name[FILE_NAME_MAX], key_name[FILE_NAME_MAX], ca_name[FILE_NAME_MAX];
    struct tls_file cert = find_file(d, p, "tls_cert_file", cert_name);
    struct tls_file key = find_file(d, p, "tls_key_file", key_name);
    struct tls_file ca = find_file(d, p, "tls_client_ca_file", ca_name);
    bool asks = strcmp(postern_section_text(d->section, "tls_client_certificate"), "ask") == 0;

    if (cert.fd >= 0 || key.fd >= 0)
        POSTERN_TRY(tls_server_context(cert, key, ca, d->name, &d->tls, err));
    else
        POSTERN_TRY(use_own_certificate(d, ca, asks, own, err));
    return asks ? tls_ask_for_certificate(d->tls, d->name, err) : POSTERN_OK;
}

static upstream_tls backend_tls_of(const struct door *d)
{
    const char *text = postern_section_text(d->section, "backend_tls");

    if (text == NULL)
        return upstream_target_is_local(&d->backend) ? UPSTREAM_PLAIN : UPSTREAM_VERIFY_FULL;
    if (strcmp(text, "disable") == 0)
        return UPSTREAM_PLAIN;
    return strcmp(text, "verify-ca") == 0 ? UPSTREAM_VERIFY_CA : UPSTREAM_VERIFY_FULL;
}

static postern_err read_backend_side(struct door *d, const struct settings_parts *p,
                                     postern_error *err)
{
    char ca_name[FILE_NAME_MAX], cert_name[FILE_NAME_MAX], key_name[FILE_NAME_MAX];

    d->starts_program = spawn_set_is_program(d->section);
    if (d->starts_program)
        return POSTERN_OK;
    POSTERN_TRY(
        upstream_target_parse(postern_section_text(d->section, "backend"), &d->backend, err));
    d->backend.tls = backend_tls_of(d);
    if (d->backend.tls == UPSTREAM_PLAIN)
        return POSTERN_OK;
    return tls_client_context(find_file(d, p, "backend_tls_ca_file", ca_name),
                              find_file(d, p, "backend_cert_file", cert_name),
                              find_file(d, p, "backend_key_file", key_name), d->name,
                              &d->backend.tls_ctx, err);
}

/* ---- the door's own login at the backend ---- */

static postern_err read_exchange(const postern_config *config, struct door *d,
                                 const struct settings_parts *p, postern_error *err)
{
    const postern_section *client;
    int fd;

    if (strcmp(postern_section_text(d->section, "backend_auth"), "exchange") != 0)
        return POSTERN_OK;
    client = postern_config_section(config, POSTERN_SECTION_CLIENT,
                                    postern_section_text(d->section, "client"));
    fd = find_fd(&p->files, d->name, "client_credential_file");
    if (client == NULL || fd < 0)
        return POSTERN_FAIL(err, INTERNAL, "door %s: its client file did not come", d->name);
    d->exchange.resource = postern_section_text(d->section, "backend_resource");
    return client_file_read(client, fd, &d->exchange.client, err);
}

/* The first line, without its end. */
static postern_bytes first_line(postern_bytes text)
{
    size_t len = postern_bytes_find(text, '\n');

    if (len < text.len)
        text.len = len;
    if (text.len != 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    return text;
}

static postern_err read_password(struct door *d, const struct settings_parts *p, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(BACKEND_PASSWORD_FILE_MAX);
    const char *path = postern_section_text(d->section, "backend_password_file");
    int fd = find_fd(&p->files, d->name, "backend_password_file");
    postern_bytes line;

    if (strcmp(postern_section_text(d->section, "backend_auth"), "password") != 0)
        return POSTERN_OK;
    if (fd < 0)
        return POSTERN_FAIL(err, INTERNAL, "door %s: its password file did not come", d->name);
    POSTERN_TRY(read_whole(fd, &text, err));
    line = first_line(postern_buf_bytes(&text));
    if (line.len == 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: backend_password_file: %s: its first line is empty",
                            d->name, path);
    d->backend_user = postern_section_text(d->section, "backend_user");
    return postern_secret_new(line, &d->backend_password, err);
}

/* ---- as whom issuers are asked ---- */

static postern_err give_issuer_clients(struct door_settings *s, const struct settings_parts *p,
                                       postern_error *err)
{
    const postern_section *issuer;

    for (size_t i = 0;
         (issuer = postern_config_section_at(s->config, POSTERN_SECTION_ISSUER, i)) != NULL; i++) {
        const char *name = postern_section_name(issuer);
        int fd = find_fd(&p->files, name, ISSUER_CLIENT_KEY);

        if (issuer_client_of(s->config, issuer) == NULL)
            continue;
        if (fd < 0)
            return POSTERN_FAIL(err, INTERNAL, "issuer %s: its client file did not come", name);
        POSTERN_TRY(issuer_client_give(s->context, issuer, fd, err));
    }
    return POSTERN_OK;
}

/* ---- doors ---- */

/* What the door's file names has come: a CA that is missing would mean the system's, a certificate
 * that is missing one of our own. */
static postern_err check_files(const struct door *d, const struct settings_parts *p,
                               postern_error *err)
{
    static const char *const keys[] = { "tls_cert_file", "tls_key_file", "backend_tls_ca_file",
                                        "backend_cert_file", "backend_key_file",
                                        "tls_client_ca_file", "backend_password_file" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (postern_section_text(d->section, keys[i]) != NULL &&
            find_fd(&p->files, d->name, keys[i]) < 0)
            return POSTERN_FAIL(err, INTERNAL, "door %s: %s did not come", d->name, keys[i]);
    return POSTERN_OK;
}

static postern_err read_door(struct door_settings *s, struct door *d,
                             const struct settings_parts *p, struct own_certificate *own,
                             postern_error *err)
{
    d->name = postern_section_name(d->section);
    d->adapter = adapter_find(postern_section_text(d->section, "protocol"));
    if (d->adapter == NULL)
        return POSTERN_FAIL(err, CONFIG_VALUE, "door %s: no such protocol in this build", d->name);
    d->config = s->config;
    d->session_max_s = postern_section_number(d->section, "session_max");
    d->expiry_grace_s = postern_section_number(d->section, "expiry_grace");
    d->login_timeout_ms = postern_section_number(d->section, "login_timeout") * 1000;
    d->idle_timeout_ms = postern_section_number(d->section, "idle_timeout") * 1000;
    d->revocation_check_ms = postern_section_number(d->section, "revocation_check") * 1000;
    d->sessions_max = (size_t)postern_section_number(d->section, "max_connections");
    d->agent_sessions_max =
        (size_t)postern_section_number(d->section, "max_connections_per_agent");
    POSTERN_TRY(check_files(d, p, err));
    POSTERN_TRY(read_policy(d, p, err));
    POSTERN_TRY(read_client_side(d, p, own, err));
    POSTERN_TRY(read_exchange(s->config, d, p, err));
    POSTERN_TRY(read_password(d, p, err));
    return read_backend_side(d, p, err);
}

static postern_err read_doors(struct door_settings *s, const struct settings_parts *p,
                              struct own_certificate *own, postern_error *err)
{
    const postern_section *section;
    size_t count = 0;

    while (postern_config_section_at(s->config, POSTERN_SECTION_DOOR, count) != NULL)
        count++;
    s->doors = calloc(count + 1, sizeof *s->doors);
    if (s->doors == NULL)
        return POSTERN_FAIL(err, NOMEM, "%zu doors", count);
    for (size_t i = 0; i < count; i++) {
        section = postern_config_section_at(s->config, POSTERN_SECTION_DOOR, i);
        s->doors[i].section = section;
        s->door_count++; /* before it is complete: freed in any case */
        POSTERN_TRY(read_door(s, &s->doors[i], p, own, err));
    }
    return POSTERN_OK;
}

/* ---- listeners ---- */

/* Of a token that a door took: its issuer is one that the door trusts.  None: no tolerance. */
int64_t settings_skew_s(const struct door *d, const char *issuer)
{
    const postern_section *s;

    for (size_t i = 0; (s = postern_config_trusted_by(d->config, d->section, i)) != NULL; i++)
        if (issuer != NULL && strcmp(postern_section_text(s, "issuer"), issuer) == 0)
            return postern_section_number(s, "clock_skew");
    return 0;
}

bool settings_trusts_several(const struct door *d)
{
    return postern_config_trusted_by(d->config, d->section, 1) != NULL;
}

static bool is_local_address(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 || strncmp(address, "127.0.0.1:", 10) == 0 ||
           strncmp(address, "[::1]:", 6) == 0;
}

/* Without TLS there is no certificate either, though a door wants one. */
static bool takes_plain_logins(const struct door *d, const char *address)
{
    return is_local_address(address) &&
           strcmp(postern_section_text(d->section, "tls_client_certificate"), "require") != 0;
}

static postern_err take_listeners(struct door_settings *s, struct settings_parts *p,
                                  postern_error *err)
{
    s->listeners = calloc(p->listeners.count + 1, sizeof *s->listeners);
    if (s->listeners == NULL)
        return POSTERN_FAIL(err, NOMEM, "%zu listeners", p->listeners.count);
    for (size_t i = 0; i < p->listeners.count; i++) {
        struct part *part = &p->listeners.list[i];
        const struct door *door = settings_door(s, part->door);

        if (door == NULL)
            return POSTERN_FAIL(err, INTERNAL, "a listener of no door");
        s->listeners[s->listener_count++] =
            (struct door_listener){ .door = door,
                                    .fd = part->fd,
                                    .loop = part->loop,
                                    .is_local = takes_plain_logins(door, part->name) };
        part->fd = -1;
    }
    return POSTERN_OK;
}

/* ---- the whole ---- */

static postern_err fill(struct door_settings *s, struct settings_parts *p, int dump_fd,
                        struct own_certificate *own, postern_error *err)
{
    postern_config *config = NULL;

    POSTERN_TRY(read_config(dump_fd, &config, err));
    POSTERN_TRY(postern_context_new(config, NULL, &s->context, err));
    s->config = postern_context_config(s->context);
    POSTERN_TRY(give_issuer_clients(s, p, err));
    POSTERN_TRY(read_doors(s, p, own, err));
    return take_listeners(s, p, err);
}

postern_err settings_new(struct settings_parts *take_parts, int dump_fd,
                         struct own_certificate *own, struct door_settings **ret,
                         postern_error *err)
{
    struct door_settings *s = calloc(1, sizeof *s);
    postern_err e = POSTERN_ERR_NOMEM;

    if (s == NULL)
        (void)POSTERN_FAIL(err, NOMEM, "settings"); /* e says it */
    else
        atomic_init(&s->refs, 1);
    if (s != NULL)
        e = fill(s, take_parts, dump_fd, own, err);
    settings_parts_free(take_parts);
    if (e != POSTERN_OK) {
        settings_unref(s);
        return e;
    }
    *ret = s;
    return POSTERN_OK;
}

struct door_settings *settings_ref(struct door_settings *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

static void free_door(struct door *d)
{
    postern_policy_free(d->policy);
    SSL_CTX_free(d->tls);
    SSL_CTX_free(d->backend.tls_ctx);
    client_file_free(&d->exchange.client);
    postern_secret_free(d->backend_password);
}

void settings_unref(struct door_settings *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i].fd >= 0)
            (void)close(s->listeners[i].fd);
    for (size_t i = 0; i < s->door_count; i++)
        free_door(&s->doors[i]);
    free(s->listeners);
    free(s->doors);
    postern_context_free(s->context);
    free(s);
}

postern_context *settings_context(const struct door_settings *s)
{
    return s->context;
}

const postern_config *settings_config(const struct door_settings *s)
{
    return s->config;
}

const struct door *settings_door(const struct door_settings *s, const char *name)
{
    for (size_t i = 0; i < s->door_count; i++)
        if (s->doors[i].name != NULL && strcmp(s->doors[i].name, name) == 0)
            return &s->doors[i];
    return NULL;
}

static bool is_same_list(const struct door *a, const struct door *b, const char *key)
{
    size_t count = postern_section_count(a->section, key);

    if (postern_section_count(b->section, key) != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(postern_section_item(a->section, key, i),
                   postern_section_item(b->section, key, i)) != 0)
            return false;
    return true;
}

static bool is_same_text(const struct door *a, const struct door *b, const char *key)
{
    const char *x = postern_section_text(a->section, key),
               *y = postern_section_text(b->section, key);

    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

bool settings_demand_alike(const struct door_settings *s, const struct door *d)
{
    const struct door *now = settings_door(s, d->name);

    if (now == NULL || now == d)
        return true;
    return is_same_text(now, d, "tls_client_certificate") &&
           strcmp(postern_section_text(d->section, "tls_client_certificate"), "require") != 0 &&
           is_same_list(now, d, "server_names") && is_same_text(now, d, "server_port");
}

size_t settings_listener_count(const struct door_settings *s)
{
    return s->listener_count;
}

const struct door_listener *settings_listener(const struct door_settings *s, size_t i)
{
    return &s->listeners[i];
}

/* Each loop touches its own entries alone. */
void settings_close_listeners(struct door_settings *s, size_t loop)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        struct door_listener *l = &s->listeners[i];

        if (l->loop != loop || l->fd < 0)
            continue;
        (void)close(l->fd);
        l->fd = -1;
    }
}

int64_t settings_number(const struct door_settings *s, const char *key)
{
    return postern_section_number(postern_config_section(s->config, POSTERN_SECTION_DAEMON, NULL),
                                  key);
}

const char *settings_contact(const struct door_settings *s)
{
    const char *contact = postern_section_text(
        postern_config_section(s->config, POSTERN_SECTION_DAEMON, NULL), "block_contact");

    return contact == NULL ? "" : contact;
}
