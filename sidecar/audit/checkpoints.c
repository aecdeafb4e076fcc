/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See checkpoints.h.  A checkpoint is handed out first and written into the chain then: one that
 * stands in the chain is missing outside only where somebody took it away.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern-private/audit_checkpoint.h>

#include "checkpoints.h"

#define KEY_FILE_MAX 4096 /* bytes of a PEM file; ours has 241 */

struct checkpoints {
    struct audit_signer *signer; /* NULL: none yet */
    int64_t every_ms;
    int fd;           /* handed out to; -1: nobody */
    bool is_torn;     /* it ends with a piece of a line */
    int64_t last_seq; /* of our latest record; 0: none */
    int64_t tried_seq; /* where the chain stood when we tried last */
    char host[AUDIT_CHECKPOINT_HOST_MAX];
};

postern_err checkpoints_new(struct checkpoints **ret, postern_error *err)
{
    struct checkpoints *c = calloc(1, sizeof *c);

    if (c == NULL)
        return POSTERN_FAIL(err, NOMEM, "checkpoints");
    c->fd = -1;
    if (gethostname(c->host, sizeof c->host - 1) != 0)
        c->host[0] = '\0'; /* a name too long: none */
    *ret = c;
    return POSTERN_OK;
}

static void forget_file(struct checkpoints *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
    c->is_torn = false;
}

void checkpoints_free(struct checkpoints *c)
{
    if (c == NULL)
        return;
    forget_file(c);
    audit_signer_free(c->signer);
    free(c);
}

static postern_err read_key(int fd, struct audit_signer **ret, postern_error *err)
{
    uint8_t room[KEY_FILE_MAX];
    ssize_t len = pread(fd, room, sizeof room, 0);
    postern_err e;

    if (len < 0)
        return POSTERN_FAIL(err, SYSTEM, "key of checkpoints: %m");
    e = audit_signer_new((postern_bytes){ room, (size_t)len }, ret, err);
    postern_wipe(room, sizeof room);
    return e;
}

postern_err checkpoints_use_key(struct checkpoints *c, int take_fd, int64_t every_s,
                                postern_error *err)
{
    struct audit_signer *signer = NULL;
    postern_err e = read_key(take_fd, &signer, err);

    (void)close(take_fd);
    POSTERN_TRY(e);
    audit_signer_free(c->signer);
    c->signer = signer;
    c->every_ms = every_s * 1000;
    forget_file(c);
    return POSTERN_OK;
}

/* Of what was there before us, or of us before we were killed. */
static bool ends_torn(int fd)
{
    struct stat st;
    char last = '\n';

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
           pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
}

void checkpoints_use_file(struct checkpoints *c, int take_fd)
{
    forget_file(c);
    c->fd = take_fd;
    c->is_torn = ends_torn(take_fd);
}

postern_err checkpoints_public(const struct checkpoints *c, postern_buf *out, postern_error *err)
{
    if (c->signer == NULL)
        return POSTERN_FAIL(err, USAGE, "there is no key of checkpoints");
    return audit_signer_public(c->signer, out, err);
}

int64_t checkpoints_every_ms(const struct checkpoints *c)
{
    return c->signer == NULL ? 0 : c->every_ms;
}

/* Our own record needs none. */
bool checkpoints_has_work(const struct checkpoints *c, const struct audit_file *f)
{
    int64_t seq = audit_file_head(f).seq;

    return c->signer != NULL && seq != 0 && seq != c->last_seq;
}

/* What failed is not tried again with each batch: a disk that is full would cost every one a sync. */
bool checkpoints_is_full(const struct checkpoints *c, const struct audit_file *f)
{
    int64_t since = c->tried_seq > c->last_seq ? c->tried_seq : c->last_seq;

    return checkpoints_has_work(c, f) && audit_file_head(f).seq - since >= CHECKPOINT_RECORDS;
}

/* ---- one checkpoint ---- */

static bool write_all(int fd, postern_bytes text, size_t *ret_done)
{
    for (*ret_done = 0; *ret_done < text.len;) {
        ssize_t n = write(fd, text.ptr + *ret_done, text.len - *ret_done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        *ret_done += (size_t)n;
    }
    return true;
}

static postern_err hand_out(struct checkpoints *c, postern_bytes line, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(AUDIT_CHECKPOINT_MAX + 2);
    size_t done;

    if (c->fd < 0)
        return POSTERN_OK;
    if (c->is_torn)
        postern_buf_add_byte(&text, '\n');
    postern_buf_add(&text, line);
    postern_buf_add_byte(&text, '\n');
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "checkpoint");
    if (!write_all(c->fd, postern_buf_bytes(&text), &done)) {
        c->is_torn |= done != 0;
        return POSTERN_FAIL(err, AUDIT, "audit_checkpoint_file: %m");
    }
    c->is_torn = false;
    if (fdatasync(c->fd) != 0 && errno != EINVAL && errno != EROFS) /* a pipe */
        return POSTERN_FAIL(err, AUDIT, "audit_checkpoint_file, fdatasync: %m");
    return POSTERN_OK;
}

static postern_err write_down(struct audit_file *f, postern_bytes line, int64_t now_ms,
                              postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    size_t whole = 0;

    POSTERN_TRY(postern_json_scan(&j, line, err));
    POSTERN_TRY(audit_file_add(f, &j, 0, now_ms, err));
    return audit_file_write(f, &whole, err);
}

/* Only what is on the disk is signed: a checkpoint of a record that a crash took away would prove for
 * ever that somebody removed it. */
static postern_err sign(const struct checkpoints *c, struct audit_file *f, int64_t now_ms,
                        postern_buf *ret_line, postern_error *err)
{
    struct audit_head head;

    POSTERN_TRY(audit_file_settle(f, now_ms, err));
    POSTERN_TRY(audit_file_sync(f, err));
    head = audit_file_head(f);
    POSTERN_TRY(audit_checkpoint_write(c->signer, &head, now_ms, c->host, ret_line, err));
    return ret_line->len <= AUDIT_CHECKPOINT_MAX ? POSTERN_OK :
                                                   POSTERN_FAIL(err, INTERNAL, "long checkpoint");
}

postern_err checkpoints_make(struct checkpoints *c, struct audit_file *f, int64_t now_ms,
                             postern_buf *ret_line, postern_error *err)
{
    postern_err e;

    postern_buf_reset(ret_line);
    if (!checkpoints_has_work(c, f) || !audit_file_is_writable(f))
        return POSTERN_OK;
    c->tried_seq = audit_file_head(f).seq;
    e = sign(c, f, now_ms, ret_line, err);
    if (e == POSTERN_OK)
        e = hand_out(c, postern_buf_bytes(ret_line), err);
    if (e != POSTERN_OK)
        return e;
    POSTERN_TRY(write_down(f, postern_buf_bytes(ret_line), now_ms, err));
    c->last_seq = audit_file_head(f).seq;
    return POSTERN_OK;
}
