/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a front end reaches the helper and as which service, from the words of its host's own
 * configuration.  Everything about tokens is in the service file that posternd reads.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>

#include <postern/client.h>

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

static postern_err copy_text(const char *from, const char *what, char *to, size_t to_size,
                             postern_error *err)
{
    size_t len = strlen(from);

    if (len >= to_size)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s is longer than %zu bytes", what, to_size - 1);
    memcpy(to, from, len + 1);
    return POSTERN_OK;
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
            return POSTERN_FAIL(err, CONFIG_VALUE, "the helper's user is no user number");
        *ret = (uid_t)number;
        return POSTERN_OK;
    }
    if (getpwnam_r(name, &entry, room, sizeof room, &found) != 0 || found == NULL)
        return POSTERN_FAIL(err, CONFIG_VALUE,
                            "the helper's user names nobody here; a number works in a chroot too");
    *ret = found->pw_uid;
    return POSTERN_OK;
}

postern_err postern_helper_place_read(const char *service, const char *socket, const char *user,
                                      postern_helper_place *ret, postern_error *err)
{
    const char *path = socket == NULL ? POSTERN_HELPER_SOCKET_DEFAULT : socket;

    *ret = (postern_helper_place){ .where.path = ret->socket };
    if (service == NULL || !is_service_name(service))
        return POSTERN_FAIL(err, CONFIG_VALUE, "the service's name is none of a file");
    POSTERN_TRY(copy_text(service, "the service's name", ret->service, sizeof ret->service, err));
    if (path[0] != '/')
        return POSTERN_FAIL(err, CONFIG_VALUE, "the helper's socket is no absolute path");
    POSTERN_TRY(copy_text(path, "the helper's socket", ret->socket, sizeof ret->socket, err));
    return user == NULL ? POSTERN_OK : read_user(user, &ret->where.server_uid, err);
}
