/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and numbers of `helper_user:` and `issuer_user:`, and the one-way change to them. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "users.h"

/* (uid_t)-1 means "leave it" to setresuid(2); 16-bit -1 and -2 are nobody's by convention and fine. */
#define UID_LIMIT 4294967294ULL

static bool is_number(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if (!isdigit((unsigned char)*p))
            return false;
    return *text != '\0';
}

static postern_err resolve_number(const char *key, const char *text, struct account *a,
                                  postern_error *err)
{
    const struct passwd *pw;
    unsigned long long n;

    errno = 0;
    n = strtoull(text, NULL, 10);
    if (errno != 0 || n > UID_LIMIT)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s: %s is no user number", key, text);
    a->uid = (uid_t)n;
    pw = getpwuid(a->uid);
    a->gid = pw != NULL ? pw->pw_gid : (gid_t)n; /* containers have no /etc/passwd */
    return POSTERN_OK;
}

static postern_err resolve_name(const char *key, const char *name, struct account *a,
                                postern_error *err)
{
    const struct passwd *pw = getpwnam(name);

    if (pw == NULL)
        return POSTERN_FAIL(err, CONFIG_VALUE,
                            "%s: there is no user \"%s\" here; make it (systemd-sysusers, or "
                            "useradd --system --shell /usr/sbin/nologin %s), or set %s: to a user or a number",
                            key, name, name, key);
    a->uid = pw->pw_uid;
    a->gid = pw->pw_gid;
    return POSTERN_OK;
}

postern_err users_resolve(const char *key, const char *name, struct account *ret, postern_error *err)
{
    struct account a;

    memset(&a, 0, sizeof a);
    if (strlen(name) >= sizeof a.name)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s: user name of %zu bytes", key, strlen(name));
    memcpy(a.name, name, strlen(name) + 1);
    if (is_number(name))
        POSTERN_TRY(resolve_number(key, name, &a, err));
    else
        POSTERN_TRY(resolve_name(key, name, &a, err));
    if (a.uid == 0)
        return POSTERN_FAIL(err, CONFIG_VALUE,
                            "%s: %s is root; a role of posternd never runs as root", key, name);
    *ret = a;
    return POSTERN_OK;
}

struct account users_self(void)
{
    struct account a = { .uid = geteuid(), .gid = getegid() };
    int n = snprintf(a.name, sizeof a.name, "%lu", (unsigned long)a.uid);

    if (n < 0)
        a.name[0] = '\0';
    return a;
}

bool users_has_become(const struct account *a)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    if (getresuid(&ruid, &euid, &suid) != 0 || getresgid(&rgid, &egid, &sgid) != 0)
        return false;
    return ruid == a->uid && euid == a->uid && suid == a->uid && rgid == a->gid && egid == a->gid &&
           sgid == a->gid;
}

postern_err users_become(const struct account *a, postern_error *err)
{
    if (geteuid() == 0) {
        if (a->uid == 0)
            return POSTERN_FAIL(err, INTERNAL, "a role was about to stay root");
        if (setgroups(0, NULL) != 0)
            return POSTERN_FAIL(err, SYSTEM, "setgroups: %m");
        if (setresgid(a->gid, a->gid, a->gid) != 0)
            return POSTERN_FAIL(err, SYSTEM, "setresgid to %lu: %m", (unsigned long)a->gid);
        if (setresuid(a->uid, a->uid, a->uid) != 0)
            return POSTERN_FAIL(err, SYSTEM, "setresuid to %lu: %m", (unsigned long)a->uid);
        if (setuid(0) == 0 || setgid(0) == 0)
            return POSTERN_FAIL(err, SYSTEM, "root could be had back");
    }
    if (!users_has_become(a))
        return POSTERN_FAIL(err, SYSTEM, "process did not become %s (uid %lu, gid %lu)", a->name,
                            (unsigned long)a->uid, (unsigned long)a->gid);
    return POSTERN_OK;
}
