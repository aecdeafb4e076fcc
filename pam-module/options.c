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

static postern_err check_word(const char *word, postern_error *err)
{
    char quoted[300];

    if (strcmp(word, "use_first_pass") == 0 || strcmp(word, "try_first_pass") == 0)
        return POSTERN_OK;
    return POSTERN_FAIL(err, CONFIG_KEY, "\"%s\" on the PAM line is no option of pam_postern",
                        postern_error_quote(word, strlen(word), quoted, sizeof quoted));
}

postern_err module_options_read(int argc, const char **argv, const char *pam_service,
                                postern_helper_place *ret, postern_error *err)
{
    const char *service = NULL, *path = NULL, *value;

    *ret = (postern_helper_place){ .service = "" };
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
    return postern_helper_place_read(service == NULL ? pam_service : service, path, NULL, ret, err);
}
