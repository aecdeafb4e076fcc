/* SPDX-License-Identifier: BSD-2-Clause */
/* admin_peers: against SO_PEERCRED and SO_PEERGROUPS; see admin_peers.h.  passwd and group are read at start only. */
#include "config.h"

#include "admin_peers.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "log.h"

#define GROUP_PREFIX "group:"
#define ID_MAX 4294967294UL /* (uid_t)-1 means "none" to the kernel */
#define GROUPS_MAX 65536    /* NGROUPS_MAX of Linux */

struct rule {
    bool     is_group;
    uint32_t id; /* uid_t or gid_t */
};

struct admin_peers {
    size_t      count;
    struct rule rules[];
};

static bool read_number(const char *text, uint32_t *ret)
{
    unsigned long n;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    n = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || n > ID_MAX)
        return false;
    *ret = (uint32_t)n;
    return true;
}

static bool find_group(const char *name, uint32_t *ret)
{
    const struct group *g = getgrnam(name);

    if (g != NULL)
        *ret = g->gr_gid;
    return g != NULL;
}

static bool find_user(const char *name, uint32_t *ret)
{
    const struct passwd *p = getpwnam(name);

    if (p != NULL)
        *ret = p->pw_uid;
    return p != NULL;
}

static bool resolve(const char *item, struct rule *ret)
{
    size_t prefix_len = strlen(GROUP_PREFIX);

    ret->is_group = strncmp(item, GROUP_PREFIX, prefix_len) == 0;
    if (ret->is_group)
        item += prefix_len;
    return read_number(item, &ret->id) || (ret->is_group ? find_group(item, &ret->id) : find_user(item, &ret->id));
}

postern_err admin_peers_new(const postern_section *server, struct admin_peers **ret, postern_error *err)
{
    size_t count = postern_section_count(server, "admin_peers");
    struct admin_peers *p = calloc(1, sizeof *p + count * sizeof p->rules[0]);

    if (p == NULL)
        return POSTERN_FAIL(err, NOMEM, "admin_peers");
    for (size_t i = 0; i < count; i++) {
        const char *item = postern_section_item(server, "admin_peers", i);

        if (resolve(item, &p->rules[p->count]))
            p->count++;
        else
            log_problem("%s: admin_peers: there is no %s here; it admits nobody until posternd is reloaded",
                        postern_section_origin(server, "admin_peers"), item);
    }
    *ret = p;
    return POSTERN_OK;
}

void admin_peers_free(struct admin_peers *p)
{
    free(p);
}

/* Supplementary groups as they were at connect(2).  None, and logged, when the kernel does not say. */
static size_t read_groups(int fd, gid_t **ret)
{
    socklen_t size = GROUPS_MAX * sizeof(gid_t);
    gid_t *groups = malloc(size);

    if (groups == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
        log_problem("administration: groups of the peer: %m");
        free(groups);
        return 0;
    }
    *ret = groups;
    return size / sizeof(gid_t);
}

static bool is_member(const struct admin_peers *p, const gid_t *groups, size_t count)
{
    for (size_t i = 0; i < p->count; i++)
        for (size_t g = 0; p->rules[i].is_group && g < count; g++)
            if (groups[g] == p->rules[i].id)
                return true;
    return false;
}

static bool is_named(const struct admin_peers *p, uid_t uid)
{
    for (size_t i = 0; i < p->count; i++)
        if (!p->rules[i].is_group && p->rules[i].id == uid)
            return true;
    return false;
}

bool admin_peers_allow(const struct admin_peers *p, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    gid_t *groups = NULL;
    size_t count;
    bool is_allowed;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer) {
        log_problem("administration: SO_PEERCRED: %m");
        return false;
    }
    if (peer.uid == 0 || is_named(p, peer.uid) || is_member(p, &peer.gid, 1))
        return true;
    count = read_groups(fd, &groups);
    is_allowed = is_member(p, groups, count);
    free(groups);
    if (!is_allowed)
        log_problem("administration: uid %d (pid %d) is none of admin_peers:", (int)peer.uid, (int)peer.pid);
    return is_allowed;
}
