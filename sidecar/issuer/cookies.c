/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing the pages' cookies; see cookies.h.  RFC 6265 §4.2 and §5.2, draft 6265bis §4.1.3
 * (the prefix __Host-). */
#include "cookies.h"

#include <stdio.h>

/* COOKIE_BYTES in canonical base64url. */
static bool is_our_value(postern_bytes value)
{
    uint8_t raw[POSTERN_BASE64URL_DECODED_MAX(COOKIE_VALUE_MAX - 1)];
    size_t len = 0;
    bool is_good = value.len == COOKIE_VALUE_MAX - 1 &&
                   postern_base64url_decode(value, raw, &len, NULL) == POSTERN_OK &&
                   len == COOKIE_BYTES;

    postern_wipe(raw, sizeof raw);
    return is_good;
}

const char *cookie_name(const struct issuer_settings *s)
{
    return issuer_settings_is_https(s) ? "__Host-postern" : "postern";
}

const char *cookie_known_name(const struct issuer_settings *s)
{
    return issuer_settings_is_https(s) ? "__Host-postern-known" : "postern-known";
}

bool cookie_read(const char *header, const char *name, char ret[COOKIE_VALUE_MAX])
{
    const char *p = header;
    size_t name_len = strlen(name);

    if (header == NULL || strnlen(header, COOKIE_HEADER_MAX + 1) > COOKIE_HEADER_MAX)
        return false;
    for (size_t len; *p != '\0'; p += len + (p[len] == ';')) {
        p += strspn(p, " \t");
        len = strcspn(p, ";");
        if (len > name_len && strncmp(p, name, name_len) == 0 && p[name_len] == '=' &&
            is_our_value((postern_bytes){ (const uint8_t *)p + name_len + 1, len - name_len - 1 })) {
            memcpy(ret, p + name_len + 1, COOKIE_VALUE_MAX - 1);
            ret[COOKIE_VALUE_MAX - 1] = '\0';
            return true;
        }
    }
    return false;
}

/*
 * SameSite=Lax: the way here is a link or redirect of the agent's site, a GET; our forms post to
 * ourselves.  Over loopback http cookies of all ports are one: ours are narrow, and no redirect URI
 * may lie where they are sent (authorize_request.c).
 *
 *   age   "": it goes with the browser
 */
static void write_cookie(const struct issuer_settings *s, const char *name, const char *value,
                         const char *age, char ret[ANSWER_COOKIE_MAX])
{
    bool is_https = issuer_settings_is_https(s);

    (void)snprintf(ret, ANSWER_COOKIE_MAX, "%s=%s; Path=%s%s; HttpOnly; SameSite=Lax%s%s", name,
                   value, is_https ? "" : s->path, is_https ? "/" : "/oauth",
                   is_https ? "; Secure" : "",
                   age); /* a path that is too long is cut: a bad cookie */
}

void cookie_set(const struct issuer_settings *s, const char *value, struct answer *a)
{
    write_cookie(s, cookie_name(s), value, value[0] == '\0' ? "; Max-Age=0" : "", a->set_cookie);
}

void cookie_set_known(const struct issuer_settings *s, const char *value, struct answer *a)
{
    char age[32];

    (void)snprintf(age, sizeof age, "; Max-Age=%d", COOKIE_KNOWN_LIFE_S); /* fits */
    write_cookie(s, cookie_known_name(s), value, age, a->set_known_cookie);
}
