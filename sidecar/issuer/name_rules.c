/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of clients and people; see name_rules.h.  Called by clients.c and people.c. */
#include "name_rules.h"

#include "store_clients.h"

static const char *const reserved_names[] = {
    "root",           "daemon",         "bin", "sys", "nobody", "anonymous", "postern", "posternd",
    "postern-helper", "postern-issuer",
};

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool name_is_good(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len >= CLIENT_NAME_MAX || name[0] == '-' || name[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_name_byte(name[i]))
            return false;
    return true;
}

bool name_is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved_names / sizeof *reserved_names; i++)
        if (strcmp(name, reserved_names[i]) == 0)
            return true;
    return false;
}
