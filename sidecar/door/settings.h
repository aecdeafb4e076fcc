/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One configuration at work in the door child: what the supervisor sent, made usable.  Immutable
 * and counted: a connection keeps the settings that it came in under, a reload brings new ones
 * beside them.
 */
#ifndef POSTERN_SIDECAR_DOOR_SETTINGS_H
#define POSTERN_SIDECAR_DOOR_SETTINGS_H

#include <postern/context.h>
#include <postern/policy.h>

#include "../adapters/adapter.h"
#include "backend_login.h"

/* Listeners and files of one configuration: LISTENERS_MAX, DOOR_FILES_MAX. */
#define SETTINGS_FDS_MAX 8192
#define SETTINGS_DUMP_MAX (16u << 20)

/* One door. */
struct door {
    const char             *name;
    const postern_config   *config; /* the one that it stands in */
    const postern_section  *section;
    const struct adapter   *adapter;
    postern_policy         *policy;
    SSL_CTX                *tls;     /* for its clients */
    struct upstream_target  backend; /* unless it is a program: */
    bool                    starts_program; /* backend: exec: */
    struct backend_exchange exchange; /* backend_auth: exchange */
    const char             *backend_user;     /* backend_auth: password; NULL: no name is wanted */
    postern_secret         *backend_password; /* NULL: none */
    int64_t session_max_s, expiry_grace_s;
    int64_t login_timeout_ms, idle_timeout_ms;
    int64_t revocation_check_ms; /* 0: off */
    size_t  sessions_max, agent_sessions_max;
};

struct door_listener {
    const struct door *door;
    int    fd;
    size_t loop;
    bool   is_local; /* loopback or unix, and no certificate wanted: a plain login is allowed */
};

/* clock_skew of that issuer's tokens at this door. */
int64_t settings_skew_s(const struct door *d, const char *issuer);
bool settings_trusts_several(const struct door *d);

struct door_settings;

/* ---- collecting: between two "prepare"s ---- */

struct settings_parts; /* descriptors as they come */
struct settings_parts *settings_parts_new(void); /* NULL: memory */
/* Takes the descriptor in every case.  POSTERN_OK · LIMIT · NOMEM */
POSTERN_MUST_USE postern_err settings_add_listener(struct settings_parts *p, const char *door,
                                                   const char *address, size_t loop, int take_fd,
                                                   postern_error *err);
POSTERN_MUST_USE postern_err settings_add_file(struct settings_parts *p, const char *door,
                                               const char *key, int take_fd, postern_error *err);
POSTERN_MUST_USE postern_err settings_add_policy(struct settings_parts *p, const char *name,
                                                 int take_fd, postern_error *err);
void settings_parts_free(struct settings_parts *p);

/* ---- using ---- */

/* The certificate of doors without one of their own: made once in a process's life. */
struct own_certificate {
    SSL_CTX    *tls; /* NULL: not made yet */
    postern_buf pem;
};

/*
 * Make settings of everything that came.
 *
 *   take_parts     freed in every case
 *   dump_fd        the caller's
 *   own            made here when some door needs it and it is not there
 *   ret            one reference
 *   POSTERN_OK · POSTERN_ERR_CONFIG_* · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err settings_new(struct settings_parts *take_parts, int dump_fd,
                                          struct own_certificate *own, struct door_settings **ret,
                                          postern_error *err);
struct door_settings *settings_ref(struct door_settings *s); /* thread-safe */
void settings_unref(struct door_settings *s);                /* NULL is fine */

postern_context *settings_context(const struct door_settings *s);
const postern_config *settings_config(const struct door_settings *s);
const struct door *settings_door(const struct door_settings *s, const char *name); /* NULL: none */
/* Does the door of that name there, if any, demand of a caller before his login what `d` did?  False too
 * where clients' certificates are verified, unless it is `d`: authorities are not compared. */
bool settings_demand_alike(const struct door_settings *s, const struct door *d);
size_t settings_listener_count(const struct door_settings *s);
const struct door_listener *settings_listener(const struct door_settings *s, size_t i);
/* Loop `loop` accepts no more by these settings: its listeners are closed here, though connections
 * may keep the rest for long. */
void settings_close_listeners(struct door_settings *s, size_t loop);
/* A number of postern.conf. */
int64_t settings_number(const struct door_settings *s, const char *key);
const char *settings_contact(const struct door_settings *s); /* block_contact: or "" */

#endif
