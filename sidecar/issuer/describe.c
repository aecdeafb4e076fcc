/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for people; see describe.h.  Called by consent.c and account.c. */
#include "describe.h"

#include <stdio.h>
#include <time.h>

#include "words.h"

static void copy_text(postern_bytes text, char ret[DESCRIBE_MAX])
{
    size_t len = 0;

    while (len < text.len) { /* whole characters */
        size_t one = postern_utf8_len((postern_bytes){ text.ptr + len, text.len - len });

        one = one == 0 ? 1 : one;
        if (len + one >= DESCRIBE_MAX)
            break;
        len += one;
    }
    if (len != 0)
        memcpy(ret, text.ptr, len);
    ret[len] = '\0';
}

/* What stands last in the scopes that servers make up: SUBJECT.VERB or SUBJECT:VERB. */
static const struct {
    const char *verb, *words;
} verbs[] = {
    { "read", "Read" },     { "write", "Read and change" }, { "send", "Send" },
    { "delete", "Delete" }, { "create", "Create" },         { "manage", "Manage" },
    { "admin", "Administer" }, { "use", "Use" },            { "list", "List" },
    { "search", "Search" },
};

static size_t find_last(postern_bytes b, const char *stops)
{
    size_t at = b.len;

    for (size_t i = 0; i < b.len; i++)
        if (strchr(stops, b.ptr[i]) != NULL)
            at = i;
    return at;
}

void describe_scope(postern_bytes scope, char ret[DESCRIBE_MAX])
{
    size_t at = find_last(scope, ".:"); /* no scope holds a NUL, which strchr() would find */
    postern_bytes subject = { scope.ptr, at }, verb = { scope.ptr + at + 1, 0 };

    verb.len = at < scope.len ? scope.len - at - 1 : 0;
    for (size_t i = 0; at != 0 && i < sizeof verbs / sizeof *verbs; i++)
        if (postern_bytes_equal_str(verb, verbs[i].verb)) {
            (void)snprintf(ret, DESCRIBE_MAX, "%s %.*s", verbs[i].words, (int)subject.len,
                           (const char *)subject.ptr); /* a scope is ASCII: cut is cut */
            return;
        }
    copy_text(scope, ret);
}

void describe_service(const struct issuer_settings *s, postern_bytes resource,
                      char ret[DESCRIBE_MAX])
{
    for (size_t i = 0; i < s->service_count; i++)
        if (words_has(s->services[i].audiences, resource)) {
            copy_text(postern_bytes_str(s->services[i].name), ret);
            return;
        }
    copy_text(postern_bytes_equal_str(resource, s->whoami)
                  ? POSTERN_BYTES_LIT("this login server (who you are)")
                  : POSTERN_BYTES_LIT("a service that is not there any more"),
              ret);
}

void describe_redirect(const char *uri, char ret[DESCRIBE_MAX])
{
    const char *rest = strstr(uri, "://");

    if (strncmp(uri, "http://", 7) == 0) /* loopback literals alone may be registered with http */
        (void)snprintf(ret, DESCRIBE_MAX, "a program on this computer (%.*s)",
                       (int)strcspn(uri + 7, "/?"), uri + 7); /* ASCII: cut is cut */
    else if (strncmp(uri, "https://", 8) == 0 && rest != NULL)
        copy_text((postern_bytes){ (const uint8_t *)rest + 3, strcspn(rest + 3, "/?") }, ret);
    else
        (void)snprintf(ret, DESCRIBE_MAX, "the app %.*s", (int)strcspn(uri, ":"),
                       uri); /* ASCII: cut is cut */
}

void describe_time(int64_t when_s, char ret[DESCRIBE_MAX])
{
    time_t t = (time_t)when_s;
    struct tm parts;

    if (gmtime_r(&t, &parts) == NULL || strftime(ret, DESCRIBE_MAX, "%-d %B %Y, %H:%M UTC", &parts) == 0)
        copy_text(POSTERN_BYTES_LIT("a time far away"), ret);
}
