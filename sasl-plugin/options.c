/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings of the server side, from the host's own SASL file (oauthbearer(7)).  Everything about
 * tokens is in the service file that posternd reads; here stands only how to reach posternd and as
 * which service.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>

#include "plugin.h"

/* The host's value; NULL when it has none. */
static const char *get_option(const sasl_utils_t *utils, const char *name)
{
    const char *value = NULL;
    unsigned len = 0;

    if (utils == NULL || utils->getopt == NULL)
        return NULL;
    if (utils->getopt(utils->getopt_context, PLUGIN_NAME, name, &value, &len) != SASL_OK)
        return NULL;
    return value == NULL || value[0] == '\0' ? NULL : value;
}

/*
 * Service names become no path here, but the helper looks files up by them: only what a file name
 * needs.
 */
static bool is_service_name(const char *s)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

    return s[0] != '\0' && s[0] != '.' && s[0] != '-' && s[strspn(s, allowed)] == '\0';
}

static postern_err read_user(const char *name, uid_t *ret, postern_error *err)
{
    char *end, room[4096];
    struct passwd entry, *found = NULL;
    unsigned long number;

    errno = 0;
    number = strtoul(name, &end, 10);
    if (name[0] >= '0' && name[0] <= '9' && *end == '\0') {
        if (errno != 0 || number >= (uid_t)-1)
            return POSTERN_FAIL(err, CONFIG_VALUE, "postern_helper_user is no user number");
        *ret = (uid_t)number;
        return POSTERN_OK;
    }
    if (getpwnam_r(name, &entry, room, sizeof room, &found) != 0 || found == NULL)
        return POSTERN_FAIL(
            err, CONFIG_VALUE,
            "postern_helper_user names nobody here; a number works in a chroot too");
    *ret = found->pw_uid;
    return POSTERN_OK;
}

static postern_err copy_text(const char *from, const char *name, char *to, size_t to_size,
                             postern_error *err)
{
    size_t len = strlen(from);

    if (len >= to_size)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s is longer than %zu bytes", name, to_size - 1);
    memcpy(to, from, len + 1);
    return POSTERN_OK;
}

postern_err plugin_options_read(const sasl_server_params_t *sparams, struct plugin_options *ret,
                                postern_error *err)
{
    const char *service = get_option(sparams->utils, "postern_service");
    const char *path = get_option(sparams->utils, "postern_helper_socket");
    const char *user = get_option(sparams->utils, "postern_helper_user");

    *ret = (struct plugin_options){ .where.path = ret->socket };
    if (service == NULL)
        service = sparams->service == NULL ? "" : sparams->service;
    if (path == NULL)
        path = POSTERN_HELPER_SOCKET_DEFAULT;
    if (!is_service_name(service))
        return POSTERN_FAIL(err, CONFIG_VALUE, "postern_service is no service name");
    POSTERN_TRY(copy_text(service, "postern_service", ret->service, sizeof ret->service, err));
    if (path[0] != '/')
        return POSTERN_FAIL(err, CONFIG_VALUE, "postern_helper_socket is no absolute path");
    POSTERN_TRY(copy_text(path, "postern_helper_socket", ret->socket, sizeof ret->socket, err));
    return user == NULL ? POSTERN_OK : read_user(user, &ret->where.server_uid, err);
}
