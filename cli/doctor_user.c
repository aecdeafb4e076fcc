/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom a host runs as: for doctor.h. */
#include "config.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "doctor.h"
#include "doctor_user.h"

#define GROUP_PREFIX "group:"
#define NOBODY       65534 /* somebody who is in no group but the one that is tried */
#define ID_DIGITS    10

static bool read_id(const char *text, unsigned long *ret)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > ID_DIGITS || text[digits] != '\0')
        return false;
    *ret = strtoul(text, NULL, 10);
    return *ret < UINT32_MAX;
}

static bool find_group(const char *name, struct child_user *ret)
{
    const struct group *g;
    unsigned long id;

    *ret = (struct child_user){ .is_other = true, .uid = NOBODY };
    if (read_id(name, &id))
        ret->gid = (gid_t)id;
    else if ((g = getgrnam(name)) != NULL)
        ret->gid = g->gr_gid;
    else
        return false;
    return true;
}

bool doctor_user_find(const char *name, struct child_user *ret)
{
    const struct passwd *pw;
    unsigned long id;

    if (strncmp(name, GROUP_PREFIX, strlen(GROUP_PREFIX)) == 0)
        return find_group(name + strlen(GROUP_PREFIX), ret);
    pw = read_id(name, &id) ? getpwuid((uid_t)id) : getpwnam(name);
    *ret = (struct child_user){ .is_other = true };
    if (pw == NULL && !read_id(name, &id))
        return false;
    ret->uid = pw != NULL ? pw->pw_uid : (uid_t)id;
    ret->gid = pw != NULL ? pw->pw_gid : NOBODY;
    ret->has_name = pw != NULL && strlen(pw->pw_name) < sizeof ret->name;
    if (ret->has_name)
        memcpy(ret->name, pw->pw_name, strlen(pw->pw_name) + 1);
    return true;
}

bool doctor_user_can_be(const struct child_user *u)
{
    return geteuid() == 0 || u->uid == geteuid();
}

/* Who is named, else the first of helper_peers that is on this machine. */
bool doctor_find_user(struct doctor *d, struct child_user *ret)
{
    const char *name;

    if (d->peer != NULL)
        return doctor_user_find(d->peer, ret);
    for (size_t i = 0; (name = postern_section_item(d->section, "helper_peers", i)) != NULL; i++)
        if (doctor_user_find(name, ret))
            return true;
    return false;
}
