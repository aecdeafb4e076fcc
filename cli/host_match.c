/* SPDX-License-Identifier: BSD-2-Clause */
/* See host_match.h.  fnmatch(3) is not used: it knows paths, not labels, and its brackets follow
 * the locale. */
#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "host_match.h"

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_label_char(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool host_is_service(const char *service)
{
    size_t len = 0;

    while (is_label_char(service[len]))
        len++;
    return len != 0 && len <= 63 && service[len] == '\0';
}

bool host_is_name(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    size_t label_len = 0, len;

    if (inet_pton(AF_INET6, host, address) == 1)
        return true;
    for (len = 0; host[len] != '\0'; len++) {
        if (host[len] == '.' ? label_len == 0 : !is_label_char(host[len]))
            return false;
        label_len = host[len] == '.' ? 0 : label_len + 1;
    }
    return label_len != 0 && len <= HOST_NAME_MAX_LEN;
}

bool host_matches(const char *pattern, const char *host)
{
    const char *star = NULL,
               *retry = NULL; /* behind the last '*', and how much of the host it has taken */

    while (*host != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            retry = host;
        } else if (*pattern != '\0' &&
                   (lower(*pattern) == lower(*host) || (*pattern == '?' && *host != '.'))) {
            pattern++;
            host++;
        } else if (star != NULL && *retry != '.') { /* let the '*' take one more character */
            pattern = star;
            host = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
