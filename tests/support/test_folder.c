/* SPDX-License-Identifier: BSD-2-Clause */
/* Temporary folders below $TMPDIR or /tmp; see the header. */
#include "config.h"

#include "test_folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void demand(int is_ok, const char *what)
{
    if (is_ok)
        return;
    perror(what);
    abort();
}

void test_folder_make(test_folder *f)
{
    const char *base = getenv("TMPDIR");

    if (base == NULL || strlen(base) > 40)
        base = "/tmp";
    demand(snprintf(f->path, sizeof f->path, "%s/postern-XXXXXX", base) > 0, "snprintf");
    demand(mkdtemp(f->path) != NULL, "mkdtemp");
}

const char *test_folder_fast(void)
{
    return access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

const char *test_folder_at(const test_folder *f, const char *name)
{
    static char rooms[4][512];
    static unsigned next;
    char *room = rooms[next++ % 4];

    demand(snprintf(room, sizeof rooms[0], "%s/%s", f->path, name) < (int)sizeof rooms[0],
           "snprintf");
    return room;
}

static void make_parents(const test_folder *f, const char *name)
{
    char path[512];

    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        demand(snprintf(path, sizeof path, "%s/%.*s", f->path, (int)(slash - name), name) > 0,
               "snprintf");
        demand(mkdir(path, 0755) == 0 || errno == EEXIST, path);
    }
}

void test_folder_put(const test_folder *f, const char *name, const char *text)
{
    const char *path = test_folder_at(f, name), *fresh = test_folder_at(f, ".fresh");
    FILE *out;

    make_parents(f, name);
    out = fopen(fresh, "w");
    demand(out != NULL, fresh);
    demand(fwrite(text, 1, strlen(text), out) == strlen(text) && fclose(out) == 0, fresh);
    demand(chmod(fresh, 0644) == 0 && rename(fresh, path) == 0, path);
}

void test_folder_mode(const test_folder *f, const char *name, unsigned mode)
{
    const char *path = test_folder_at(f, name);

    demand(chmod(path, (mode_t)mode) == 0, path);
}

void test_folder_drop(const test_folder *f, const char *name)
{
    const char *path = test_folder_at(f, name);

    demand(unlink(path) == 0, path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void test_folder_remove(test_folder *f)
{
    demand(nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, f->path);
}
