/* SPDX-License-Identifier: BSD-2-Clause */
/* See fake_sasl.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_sasl.h"

static struct fake_sasl *current;

static int get_option(void *context, const char *plugin, const char *option, const char **result, unsigned *len)
{
    (void)context;
    if (strcmp(plugin, "oauthbearer") != 0 || current->options == NULL)
        return SASL_FAIL;
    for (const struct fake_option *o = current->options; o->name != NULL; o++)
        if (strcmp(o->name, option) == 0) {
            *result = o->value;
            if (len != NULL)
                *len = (unsigned)strlen(o->value);
            return SASL_OK;
        }
    return SASL_FAIL;
}

__attribute__((format(printf, 3, 4))) static void add_log(sasl_conn_t *conn, int level, const char *fmt, ...)
{
    size_t used = strlen(current->log);
    va_list args;

    (void)conn;
    used += (size_t)snprintf(current->log + used, sizeof current->log - used, "%d ", level);
    va_start(args, fmt);
    used += (size_t)vsnprintf(current->log + used, sizeof current->log - used, fmt, args);
    va_end(args);
    (void)snprintf(current->log + used, sizeof current->log - used, "\n");
}

__attribute__((format(printf, 3, 4))) static void set_error(sasl_conn_t *conn, unsigned flags, const char *fmt, ...)
{
    va_list args;

    (void)conn;
    if (flags != SASL_NOLOG)
        abort(); /* libsasl would log it a second time */
    va_start(args, fmt);
    (void)vsnprintf(current->error, sizeof current->error, fmt, args);
    va_end(args);
}

static int answer_simple(void *context, int id, const char **result, unsigned *len)
{
    const struct fake_callback *c = context;

    (void)id;
    *result = c->value;
    if (len != NULL)
        *len = (unsigned)strlen(c->value);
    return SASL_OK;
}

static int answer_secret(sasl_conn_t *conn, void *context, int id, sasl_secret_t **ret)
{
    static union {
        sasl_secret_t secret;
        char          room[sizeof(sasl_secret_t) + 20000];
    } kept;
    const struct fake_callback *c = context;

    (void)conn, (void)id;
    kept.secret.len = strlen(c->value);
    if (kept.secret.len >= 20000)
        abort();
    memcpy(kept.room + offsetof(sasl_secret_t, data), c->value, kept.secret.len + 1);
    *ret = &kept.secret;
    return SASL_OK;
}

static int get_callback(sasl_conn_t *conn, unsigned long id, sasl_callback_ft *ret_proc, void **ret_context)
{
    (void)conn;
    for (const struct fake_callback *c = current->callbacks; c != NULL && c->id != SASL_CB_LIST_END; c++) {
        if (c->id != id)
            continue;
        if (c->value == NULL)
            return SASL_INTERACT;
        *ret_proc = id == SASL_CB_PASS ? (sasl_callback_ft)(void (*)(void))answer_secret
                                       : (sasl_callback_ft)(void (*)(void))answer_simple;
        *ret_context = (void *)(size_t)c;
        return SASL_OK;
    }
    return SASL_FAIL;
}

int fake_sasl_canon_user(sasl_conn_t *conn, const char *in, unsigned len, unsigned flags, sasl_out_params_t *oparams)
{
    unsigned n = current->canon_calls++;

    (void)conn;
    if (n >= 4)
        abort();
    if (len == 0)
        len = (unsigned)strlen(in);
    (void)snprintf(current->canon_names[n], sizeof current->canon_names[n], "%.*s", (int)len, in);
    current->canon_flags[n] = flags;
    if (current->canon_result != SASL_OK)
        return current->canon_result;
    if ((flags & SASL_CU_AUTHID) == 0 && current->canon_authzid_result != SASL_OK)
        return current->canon_authzid_result;
    if ((flags & SASL_CU_AUTHID) != 0)
        oparams->authid = current->canon_names[n];
    if ((flags & SASL_CU_AUTHZID) != 0)
        oparams->user = current->canon_names[n];
    return SASL_OK;
}

void fake_sasl_reset(struct fake_sasl *f)
{
    memset(f, 0, sizeof *f);
    f->utils.version = SASL_UTILS_VERSION;
    f->utils.getopt = get_option;
    f->utils.getcallback = get_callback;
    f->utils.log = add_log;
    f->utils.seterror = set_error;
    f->canon_result = SASL_OK;
    current = f;
}
