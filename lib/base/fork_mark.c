/* SPDX-License-Identifier: BSD-2-Clause */
/* See fork_mark.h; madvise(2). */
#include "base/fork_mark.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARK_LEN 1 /* byte used; the kernel rounds up to its page */

static uint8_t *make_page(void)
{
    void *page = mmap(NULL, MARK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, MARK_LEN, MADV_WIPEONFORK) == 0)
        return page;
    (void)munmap(page, MARK_LEN);
    return NULL;
}

void postern_fork_mark_init(struct postern_fork_mark *m)
{
    uint8_t *page = make_page();

    if (page != NULL)
        page[0] = 1;
    *m = (struct postern_fork_mark){ page, getpid() };
}

bool postern_fork_mark_is_ours(const struct postern_fork_mark *m)
{
    return m->page != NULL ? m->page[0] == 1 : m->pid == getpid();
}

void postern_fork_mark_clear(struct postern_fork_mark *m)
{
    if (m->page != NULL)
        (void)munmap((void *)(uintptr_t)m->page, MARK_LEN);
    *m = (struct postern_fork_mark){ NULL, 0 };
}
