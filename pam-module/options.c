/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PAM line (pam_postern(8)).  Everything about tokens is in the service file that posternd
 * reads; here stands only how to reach posternd and as which service.
 */
#include "module.h"

/* Its value, or NULL where `word` is not `name`=…. */
static const char *value_of(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
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

static postern_err copy_text(const char *from, const char *name, char *to, size_t to_size,
                             postern_error *err)
{
    size_t len = strlen(from);

    if (len >= to_size)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s is longer than %zu bytes", name, to_size - 1);
    memcpy(to, from, len + 1);
    return POSTERN_OK;
}

static postern_err check_word(const char *word, postern_error *err)
{
    char quoted[300];

    if (strcmp(word, "use_first_pass") == 0 || strcmp(word, "try_first_pass") == 0)
        return POSTERN_OK;
    return POSTERN_FAIL(err, CONFIG_KEY, "\"%s\" on the PAM line is no option of pam_postern",
                        postern_error_quote(word, strlen(word), quoted, sizeof quoted));
}

postern_err module_options_read(int argc, const char **argv, const char *pam_service,
                                struct module_options *ret, postern_error *err)
{
    const char *service = NULL, *path = NULL, *value;

    *ret = (struct module_options){ .where.path = ret->socket };
    for (int i = 0; i < argc; i++) {
        const char **named = NULL;

        if ((value = value_of(argv[i], "service")) != NULL)
            named = &service;
        else if ((value = value_of(argv[i], "helper_socket")) != NULL)
            named = &path;
        if (named == NULL) {
            POSTERN_TRY(check_word(argv[i], err));
            continue;
        }
        if (*named != NULL)
            return POSTERN_FAIL(err, CONFIG_KEY, "an option stands twice on the PAM line");
        *named = value;
    }
    if (service == NULL)
        service = pam_service == NULL ? "" : pam_service;
    if (path == NULL)
        path = POSTERN_HELPER_SOCKET_DEFAULT;
    if (!is_service_name(service))
        return POSTERN_FAIL(err, CONFIG_VALUE, "service= is no service name");
    POSTERN_TRY(copy_text(service, "service=", ret->service, sizeof ret->service, err));
    if (path[0] != '/')
        return POSTERN_FAIL(err, CONFIG_VALUE, "helper_socket= is no absolute path");
    return copy_text(path, "helper_socket=", ret->socket, sizeof ret->socket, err);
}
