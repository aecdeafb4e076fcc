/* SPDX-License-Identifier: BSD-2-Clause */
/* helper_peers: and admin_peers: (peers.h).  Reads passwd and group once at start, never while the
 * loop runs. */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "peers.h"
#include "log.h"

#define GROUP_PREFIX "group:"
#define FEW_GROUPS 32
#define ID_MAX 4294967294ULL /* (uid_t)-1 means "none" to the kernel */

struct rule {
    const postern_section *section;
    bool                   is_group;
    bool                   is_for_handles; /* of handle_peers: no more than that */
    uint32_t               id; /* uid_t or gid_t */
};

struct peers {
    size_t      count;
    struct rule rules[];
};

/* ---- the process at the other end
 * ------------------------------------------------------------------------------------ */

/* With room for as many as nearly everybody has; else the kernel says how much is needed (ERANGE). */
static postern_err read_groups(int fd, struct peer *p, postern_error *err)
{
    gid_t few[FEW_GROUPS];
    socklen_t size = sizeof few;
    bool is_few = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &size) == 0;

    if (is_few && size == 0)
        return POSTERN_OK;
    if (!is_few && (errno != ERANGE || size == 0))
        return POSTERN_FAIL(err, SYSTEM, "SO_PEERGROUPS: %s", strerror(errno));
    p->groups = malloc(size);
    if (p->groups == NULL)
        return POSTERN_FAIL(err, NOMEM, "groups of a peer");
    if (is_few)
        memcpy(p->groups, few, size);
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, p->groups, &size) != 0)
        return POSTERN_FAIL(err, SYSTEM, "SO_PEERGROUPS: %s", strerror(errno));
    p->group_count = size / sizeof p->groups[0];
    return POSTERN_OK;
}

postern_err peer_of_socket(int fd, struct peer *ret, postern_error *err)
{
    struct ucred cred;
    socklen_t    size = sizeof cred;
    struct peer  p = { 0 };
    postern_err  e;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0 || size != sizeof cred)
        return POSTERN_FAIL(err, SYSTEM, "SO_PEERCRED: %s", strerror(errno));
    p = (struct peer){ .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
    e = read_groups(fd, &p, err);
    if (e != POSTERN_OK) {
        peer_free(&p);
        return e;
    }
    *ret = p;
    return POSTERN_OK;
}

void peer_free(struct peer *p)
{
    free(p->groups);
    *p = (struct peer){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
}

/* ---- the rules
 * --------------------------------------------------------------------------------------------------------
 */

static bool parse_number(const char *text, uint32_t *ret)
{
    unsigned long long n;
    char              *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    n = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || n > ID_MAX)
        return false;
    *ret = (uint32_t)n;
    return true;
}

static bool resolve_group(const char *name, uint32_t *ret)
{
    const struct group *gr;

    if (parse_number(name, ret))
        return true;
    gr = getgrnam(name);
    if (gr != NULL)
        *ret = gr->gr_gid;
    return gr != NULL;
}

static bool resolve_user(const char *name, uint32_t *ret)
{
    const struct passwd *pw;

    if (parse_number(name, ret))
        return true;
    pw = getpwnam(name);
    if (pw != NULL)
        *ret = pw->pw_uid;
    return pw != NULL;
}

static bool resolve_rule(const char *item, struct rule *r)
{
    r->is_group = strncmp(item, GROUP_PREFIX, strlen(GROUP_PREFIX)) == 0;
    return r->is_group ? resolve_group(item + strlen(GROUP_PREFIX), &r->id) : resolve_user(item, &r->id);
}

static size_t count_items(const postern_config *config)
{
    const postern_section *s;
    size_t                 count = 0;

    for (size_t i = 0; (s = postern_config_section_at(config, POSTERN_SECTION_SERVICE, i)) != NULL; i++)
        count += postern_section_count(s, "helper_peers") + postern_section_count(s, "handle_peers");
    return count;
}

static struct peers *make_room(size_t count)
{
    struct peers *p;

    return calloc(1, sizeof *p + count * sizeof p->rules[0]);
}

static void add_section(struct peers *p, const postern_section *section, const char *key)
{
    const char *item;

    for (size_t i = 0; (item = postern_section_item(section, key, i)) != NULL; i++) {
        struct rule *r = &p->rules[p->count];
        r->section = section;
        r->is_for_handles = strcmp(key, "handle_peers") == 0;
        if (resolve_rule(item, r))
            p->count++;
        else
            log_problem("%s: %s: there is no %s here; it admits nobody until posternd is reloaded",
                        postern_section_origin(section, key), key, item);
    }
}

postern_err peers_new(const postern_config *config, struct peers **ret, postern_error *err)
{
    const postern_section *s;
    struct peers          *p = make_room(count_items(config));

    if (p == NULL)
        return POSTERN_FAIL(err, NOMEM, "helper_peers");
    for (size_t i = 0; (s = postern_config_section_at(config, POSTERN_SECTION_SERVICE, i)) != NULL; i++) {
        add_section(p, s, "helper_peers");
        add_section(p, s, "handle_peers");
    }
    *ret = p;
    return POSTERN_OK;
}

postern_err peers_new_for(const postern_section *section, const char *key, struct peers **ret, postern_error *err)
{
    struct peers *p = make_room(postern_section_count(section, key));

    if (p == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", key);
    add_section(p, section, key);
    *ret = p;
    return POSTERN_OK;
}

void peers_free(struct peers *p)
{
    free(p);
}

static bool is_member(const struct peer *peer, gid_t gid)
{
    if (peer->gid == gid)
        return true;
    for (size_t i = 0; i < peer->group_count; i++)
        if (peer->groups[i] == gid)
            return true;
    return false;
}

static bool names(const struct rule *r, const struct peer *peer)
{
    return r->is_group ? is_member(peer, r->id) : peer->uid == r->id;
}

bool peers_know(const struct peers *p, const struct peer *peer)
{
    bool is_known = peer->uid == 0;

    for (size_t i = 0; i < p->count && !is_known; i++)
        is_known = names(&p->rules[i], peer);
    return is_known;
}

static bool is_named(const struct peers *p, const postern_section *section, const struct peer *peer,
                     bool for_handles)
{
    if (peer->uid == 0)
        return true;
    for (size_t i = 0; i < p->count; i++)
        if (p->rules[i].section == section && (for_handles || !p->rules[i].is_for_handles) &&
            names(&p->rules[i], peer))
            return true;
    return false;
}

bool peers_allow(const struct peers *p, const postern_section *section, const struct peer *peer)
{
    return is_named(p, section, peer, false);
}

bool peers_allow_handles(const struct peers *p, const postern_section *section, const struct peer *peer)
{
    return is_named(p, section, peer, true);
}
