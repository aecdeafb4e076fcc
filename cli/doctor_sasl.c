/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libsasl makes of our plugin, as the host's user: in a child of `postern doctor`
 * (doctor_plugin.c), which alone loads libsasl; the command itself is not linked with it
 * (doc/decisions/0078-doctor-loads-what-hosts-load.md).
 */
#include "config.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include <sasl/sasl.h>

#include "doctor.h"
#include "doctor_conf.h"

#define LIBRARY "libsasl2.so.2"
#define PLUGIN  "liboauthbearer.so"
#define SSF_TLS                                                                                    \
    256 /* as a host says of TLS; a host that says nothing offers the same without noplain */
#define FOLDERS_MAX 4096 /* bytes of a list of folders, and of a value */

/* The plugin folders of this libsasl: what is said, else the environment's, else beside the
 * library. */
static bool find_folders(void *library, const struct doctor_sasl *s, char room[FOLDERS_MAX])
{
    const char *said = s->module_dir != NULL ? s->module_dir : secure_getenv("SASL_PATH");
    char folder[CHILD_PATH_MAX];
    int len;

    if (said != NULL && said[0] != '\0')
        len = snprintf(room, FOLDERS_MAX, "%s", said);
    else if (child_find_folder(dlsym(library, "sasl_server_new"), folder))
        len = snprintf(room, FOLDERS_MAX, "%s/sasl2:/usr/lib/sasl2", folder);
    else
        return false;
    return len > 0 && len < FOLDERS_MAX;
}

static bool find_plugin(const char *folders, char room[FOLDERS_MAX])
{
    for (const char *at = folders; *at != '\0';) {
        size_t len = strcspn(at, ":");
        int n = snprintf(room, FOLDERS_MAX, "%.*s/" PLUGIN, (int)len, at);

        if (n > 0 && n < FOLDERS_MAX && access(room, F_OK) == 0)
            return true;
        at += len + (at[len] == ':');
    }
    return false;
}

static void *open_library(FILE *out)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL);

    if (library == NULL)
        child_say(out, "no-library", dlerror());
    return library;
}

void doctor_sasl_load(void *arg, FILE *out)
{
    char folders[FOLDERS_MAX], plugin[FOLDERS_MAX];
    void *library = open_library(out);

    if (library == NULL || !find_folders(library, arg, folders))
        return;
    child_say(out, "folders", folders);
    if (!find_plugin(folders, plugin))
        return;
    child_say(out, "plugin", plugin);
    if (access(plugin, R_OK) != 0)
        child_say(out, "unreadable", plugin);
    else if (dlopen(plugin, RTLD_NOW | RTLD_LOCAL) == NULL)
        child_say(out, "links", dlerror());
    else
        child_say(out, "loaded", plugin);
}

/* ---- as a server ---- */

static struct {
    FILE *out;
    const struct doctor_sasl *asked;
    char folders[FOLDERS_MAX];
    postern_buf conf; /* of conf_file */
    char value[FOLDERS_MAX];
} host;

static int get_path(void *context, const char **path)
{
    (void)context;
    *path = host.folders;
    return SASL_OK;
}

static int get_conf_path(void *context, char **path)
{
    (void)context;
    *path = strdup(host.asked->conf_dir); /* libsasl frees it */
    return *path == NULL ? SASL_NOMEM : SASL_OK;
}

static int get_option(void *context, const char *plugin, const char *option, const char **result,
                      unsigned *len)
{
    postern_bytes value;

    (void)context;
    if (!doctor_conf_find(postern_buf_bytes(&host.conf), plugin, option, &value) ||
        value.len >= sizeof host.value)
        return SASL_FAIL;
    memcpy(host.value, value.ptr, value.len);
    host.value[value.len] = '\0';
    *result = strdup(host.value); /* several are held at a time; the process ends soon */
    if (len != NULL)
        *len = (unsigned)value.len;
    return *result == NULL ? SASL_NOMEM : SASL_OK;
}

static int take_log(void *context, int level, const char *message)
{
    (void)context;
    if (level != SASL_LOG_NONE && level <= SASL_LOG_NOTE && message != NULL)
        child_say(host.out, "log", message);
    return SASL_OK;
}

static bool read_conf(const char *path)
{
    FILE *f = fopen(path, "re");
    uint8_t chunk[4096];
    size_t n;

    host.conf = POSTERN_BUF_INIT(DOCTOR_CONF_MAX);
    if (f == NULL)
        return false;
    while ((n = fread(chunk, 1, sizeof chunk, f)) != 0)
        postern_buf_add(&host.conf, (postern_bytes){ chunk, n });
    n = (size_t)ferror(f);
    return fclose(f) == 0 && n == 0 && !host.conf.failed;
}

/* POSIX lets a data pointer be a function's; ISO C has no word for it. */
#define FIND(library, name)                                                                        \
    __typeof__(&name) name##_;                                                                     \
    *(void **)&name##_ = dlsym(library, #name)

static const char *list_mechanisms(void *library, const struct doctor_sasl *s,
                                   const sasl_callback_t *callbacks)
{
    sasl_ssf_t ssf = SSF_TLS;
    const char *list = NULL;
    sasl_conn_t *conn = NULL;

    FIND(library, sasl_server_init);
    FIND(library, sasl_server_new);
    FIND(library, sasl_setprop);
    FIND(library, sasl_listmech);
    if (sasl_server_init_ == NULL || sasl_server_new_ == NULL || sasl_setprop_ == NULL ||
        sasl_listmech_ == NULL || sasl_server_init_(callbacks, s->app) != SASL_OK ||
        sasl_server_new_(s->service, "localhost", NULL, NULL, NULL, NULL, 0, &conn) != SASL_OK ||
        sasl_setprop_(conn, SASL_SSF_EXTERNAL, &ssf) != SASL_OK ||
        sasl_listmech_(conn, NULL, "", " ", "", &list, NULL, NULL) != SASL_OK)
        return NULL;
    return list;
}

#define CALLBACK(function) ((int (*)(void))(uintptr_t)(function))

void doctor_sasl_offer(void *arg, FILE *out)
{
    static sasl_callback_t callbacks[5];
    void *library = open_library(out);
    const char *list;
    size_t n = 0;

    host.out = out;
    host.asked = arg;
    if (library == NULL || !find_folders(library, arg, host.folders))
        return;
    callbacks[n++] = (sasl_callback_t){ SASL_CB_LOG, CALLBACK(take_log), NULL };
    callbacks[n++] = (sasl_callback_t){ SASL_CB_GETPATH, CALLBACK(get_path), NULL };
    if (host.asked->conf_file != NULL && !read_conf(host.asked->conf_file))
        child_say(out, "no-conf", host.asked->conf_file);
    if (host.asked->conf_file != NULL)
        callbacks[n++] = (sasl_callback_t){ SASL_CB_GETOPT, CALLBACK(get_option), NULL };
    if (host.asked->conf_dir != NULL)
        callbacks[n++] = (sasl_callback_t){ SASL_CB_GETCONFPATH, CALLBACK(get_conf_path), NULL };
    callbacks[n] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
    list = list_mechanisms(library, arg, callbacks);
    if (list != NULL) /* unsaid: nothing is offered */
        child_say(out, "mechs", list);
}
