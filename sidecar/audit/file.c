/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One open audit file: its tail, a batch of lines, one write (sidecar/audit/file.h).  The head of
 * the chain moves by what stands in the file, line by line, so that a batch that was cut short
 * leaves chain and file in agreement.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "record.h"

/* A whole last line and a piece behind it. */
#define TAIL_MAX (2 * AUDIT_LINE_MAX)
/* Records, the "chain" record before them, and the line end before that. */
#define BATCH_BYTES_MAX ((AUDIT_BATCH_MAX + 1) * AUDIT_LINE_MAX + 1)

struct batch_line {
    size_t end; /* bytes of the batch up to here */
    struct audit_head head;
};

struct audit_file {
    int fd; /* -1: none yet */
    bool is_regular;
    bool is_dirty;
    bool is_torn; /* the file ends with a piece of a line */
    const char
        *mark; /* static: reason of a "chain" record that is still to be written; NULL: none */
    struct audit_head head; /* of what is written; seq 0: no chain yet */
    struct audit_head next; /* of what is in the batch */
    postern_buf batch;
    bool has_mark; /* the batch begins with the "chain" record */
    size_t line_count;
    struct batch_line lines[AUDIT_BATCH_MAX + 1];
};

postern_err audit_file_new(struct audit_file **ret, postern_error *err)
{
    struct audit_file *f = calloc(1, sizeof *f);

    if (f == NULL)
        return POSTERN_FAIL(err, NOMEM, "audit file");
    f->fd = -1;
    f->batch = POSTERN_BUF_INIT(BATCH_BYTES_MAX);
    *ret = f;
    return POSTERN_OK;
}

void audit_file_free(struct audit_file *f)
{
    if (f == NULL)
        return;
    if (f->fd >= 0)
        (void)close(f->fd);
    postern_buf_free(&f->batch);
    free(f);
}

struct audit_head audit_file_head(const struct audit_file *f)
{
    return f->head;
}

int audit_file_fd(const struct audit_file *f)
{
    return f->fd;
}

bool audit_file_is_dirty(const struct audit_file *f)
{
    return f->is_dirty;
}

/* ---- the tail ---- */

struct tail {
    uint8_t room[TAIL_MAX];
    size_t len;
    bool is_whole_file;
};

static bool read_tail(int fd, off_t size, struct tail *t)
{
    off_t at = size > TAIL_MAX ? size - TAIL_MAX : 0;

    t->is_whole_file = at == 0;
    t->len = 0;
    while (at + (off_t)t->len < size) {
        ssize_t n = pread(fd, t->room + t->len, (size_t)(size - at) - t->len, at + (off_t)t->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        t->len += (size_t)n;
    }
    return true;
}

/* The last line that has an end, without it; empty when the tail holds none that begins in it. */
static postern_bytes last_line(const struct tail *t)
{
    const uint8_t *end = memrchr(t->room, '\n', t->len), *start;

    if (end == NULL)
        return POSTERN_BYTES_NONE;
    start = memrchr(t->room, '\n', (size_t)(end - t->room));
    if (start == NULL && !t->is_whole_file)
        return POSTERN_BYTES_NONE;
    start = start == NULL ? t->room : start + 1;
    return (postern_bytes){ start, (size_t)(end - start) };
}

/* How a chain is to go on in a file. */
struct outset {
    struct audit_head head;
    const char *mark; /* reason of the "chain" record to begin with; NULL: none */
    bool is_torn;
};

/* What stands behind the last line end. */
static postern_bytes piece_of(const struct tail *t)
{
    const uint8_t *end = memrchr(t->room, '\n', t->len), *start = end == NULL ? t->room : end + 1;

    if (end == NULL && !t->is_whole_file)
        return POSTERN_BYTES_NONE;
    return (postern_bytes){ start, (size_t)(t->room + t->len - start) };
}

static void go_on_behind(const struct audit_head *last, bool is_torn, struct outset *o)
{
    bool is_ours =
        o->head.seq == last->seq && memcmp(o->head.hash, last->hash, sizeof last->hash) == 0;

    o->is_torn = is_torn;
    o->mark = is_torn ? "torn" : NULL;
    if (o->head.seq == 0)
        o->head = *last;
    else if (!is_ours)
        o->mark = "replaced";
}

/* `o` comes with the head that we have. */
static postern_err find_outset(int fd, off_t size, struct outset *o, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_link link;
    struct tail tail;

    if (!read_tail(fd, size, &tail)) {
        o->mark = "unreadable";
        o->is_torn = true; /* a line end too many is harmless, one too few is not */
        return POSTERN_OK;
    }
    o->is_torn = tail.room[tail.len - 1] != '\n';
    POSTERN_TRY(audit_chain_read(piece_of(&tail), &j, &link, err));
    if (link.kind != AUDIT_LINE_CHAINED) /* a line that lacks nothing but its end is one */
        POSTERN_TRY(audit_chain_read(last_line(&tail), &j, &link, err));
    if (link.kind == AUDIT_LINE_CHAINED) {
        go_on_behind(&link.head, o->is_torn, o);
    } else if (link.kind == AUDIT_LINE_UNCHAINED) {
        *o = (struct outset){ .mark = "unchained", .is_torn = o->is_torn };
    } else {
        o->mark = "damaged";
    }
    return POSTERN_OK;
}

/* ---- another file ---- */

static postern_err prepare(int fd, bool *ret_is_regular, off_t *ret_size, postern_error *err)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &st) != 0)
        return POSTERN_FAIL(err, SYSTEM, "audit file: %m");
    *ret_is_regular = S_ISREG(st.st_mode);
    *ret_size = *ret_is_regular ? st.st_size : 0;
    if (*ret_is_regular && (flags & O_APPEND) == 0 && fcntl(fd, F_SETFL, flags | O_APPEND) != 0)
        return POSTERN_FAIL(err, SYSTEM, "audit file, O_APPEND: %m");
    return POSTERN_OK;
}

static const char *mark_of_empty(const struct audit_file *f, bool is_regular)
{
    if (f->head.seq == 0)
        return "new";
    if (f->is_torn) /* the piece stands at the end of the file before */
        return "torn";
    /* So that the new file says where the chain stands, should we end before its next record. */
    return is_regular ? "rotated" : NULL;
}

/* Write the "chain" record now; a failure is no reason to refuse the file, it goes out with the
 * next record. */
static void begin_file(struct audit_file *f, int64_t now_ms);

static void leave_file(struct audit_file *f)
{
    postern_err e = audit_file_sync(f, NULL);

    (void)e; /* it is left in any case; who wants to know syncs before */
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = -1;
}

postern_err audit_file_take(struct audit_file *f, int take_fd, int64_t now_ms, postern_error *err)
{
    struct outset o = { .head = f->head };
    bool is_regular = false;
    off_t size = 0;
    postern_err e = prepare(take_fd, &is_regular, &size, err);

    if (e == POSTERN_OK && size > 0)
        e = find_outset(take_fd, size, &o, err);
    else if (e == POSTERN_OK)
        o.mark = mark_of_empty(f, is_regular);
    if (e != POSTERN_OK) {
        (void)close(take_fd);
        return e;
    }
    leave_file(f);
    f->fd = take_fd;
    f->is_regular = is_regular;
    f->is_dirty = false;
    f->is_torn = o.is_torn;
    f->head = o.head;
    f->mark = o.mark;
    begin_file(f, now_ms);
    return POSTERN_OK;
}

/* ---- a batch ---- */

static void clear_batch(struct audit_file *f)
{
    f->batch.len =
        0; /* kept, not wiped: records are no secrets, and the storage serves the next batch */
    f->batch.failed = false;
    f->line_count = 0;
    f->has_mark = false;
    f->next = f->head;
}

static postern_err add_line(struct audit_file *f, const postern_json *j, uint32_t object,
                            postern_error *err)
{
    size_t start = f->batch.len;
    postern_err e = audit_chain_add(&f->next, j, object, &f->batch, err);

    if (e != POSTERN_OK) {
        f->batch.len = start;
        f->batch.failed = false;
        return e;
    }
    f->lines[f->line_count++] = (struct batch_line){ f->batch.len, f->next };
    return POSTERN_OK;
}

static postern_err add_mark(struct audit_file *f, int64_t now_ms, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
    POSTERN_AUTO_JSON j = { 0 };

    if (!audit_format_chain(now_ms, f->mark, &text))
        return POSTERN_FAIL(err, NOMEM, "record of the audit file");
    POSTERN_TRY(postern_json_scan(&j, postern_buf_bytes(&text), err));
    POSTERN_TRY(add_line(f, &j, 0, err));
    f->has_mark = true;
    return POSTERN_OK;
}

/* What must stand before the first record of a batch. */
static postern_err begin_batch(struct audit_file *f, int64_t now_ms, postern_error *err)
{
    postern_err e = POSTERN_OK;

    clear_batch(f);
    if (f->is_torn)
        postern_buf_add_byte(&f->batch, '\n');
    if (f->batch.failed)
        e = POSTERN_FAIL(err, NOMEM, "batch of audit records");
    if (e == POSTERN_OK && f->mark != NULL)
        e = add_mark(f, now_ms, err);
    if (e != POSTERN_OK)
        clear_batch(f);
    return e;
}

bool audit_file_is_full(const struct audit_file *f)
{
    size_t max = f->is_regular ? AUDIT_BATCH_MAX : AUDIT_BATCH_STREAM_MAX;

    return f->line_count - f->has_mark >= max;
}

postern_err audit_file_add(struct audit_file *f, const postern_json *j, uint32_t object,
                           int64_t now_ms, postern_error *err)
{
    if (f->fd < 0)
        return POSTERN_FAIL(err, AUDIT, "there is no audit file yet");
    if (audit_file_is_full(f))
        return POSTERN_FAIL(err, LIMIT, "batch of audit records is full");
    if (f->line_count == 0)
        POSTERN_TRY(begin_batch(f, now_ms, err));
    return add_line(f, j, object, err);
}

/* ---- writing ---- */

bool audit_file_is_writable(const struct audit_file *f)
{
    struct pollfd p = { .fd = f->fd, .events = POLLOUT };

    /* Whoever is gone is writable, too: write(2) then says so. */
    return f->is_regular || f->fd < 0 || poll(&p, 1, 0) != 0;
}

/* How many of these bytes got there.  errno: why not all, 0 when that was not told. */
static size_t append(int fd, const uint8_t *bytes, size_t len)
{
    size_t done = 0;

    errno = 0;
    while (done < len) {
        ssize_t n = write(fd, bytes + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return done;
        done += (size_t)n;
    }
    return done;
}

/* A pipe or socket gets line by line, as long as it does not let us wait. */
static size_t append_lines(const struct audit_file *f)
{
    size_t done = 0;

    for (size_t i = 0; i < f->line_count && done == (i == 0 ? 0 : f->lines[i - 1].end); i++) {
        if (i > 0 && !audit_file_is_writable(f)) {
            errno = EAGAIN;
            return done;
        }
        done += append(f->fd, f->batch.ptr + done, f->lines[i].end - done);
    }
    return done;
}

/* Cut off the last `len` bytes, which we have written just now, if nothing came behind them: a write
 * with O_APPEND leaves the descriptor's place behind what it wrote. */
static bool cut_piece(const struct audit_file *f, size_t len)
{
    struct stat st;

    return f->is_regular && fstat(f->fd, &st) == 0 && lseek(f->fd, 0, SEEK_CUR) == st.st_size &&
           ftruncate(f->fd, st.st_size - (off_t)len) == 0;
}

/* Lines of the batch within the first `written` bytes. */
static size_t count_whole(const struct audit_file *f, size_t written)
{
    size_t count = 0;

    while (count < f->line_count && f->lines[count].end <= written)
        count++;
    return count;
}

/* Head, mark and tear as the first `written` bytes of the batch left them. */
static void settle(struct audit_file *f, size_t written, size_t whole_count)
{
    size_t whole_end = whole_count == 0 ? 0 : f->lines[whole_count - 1].end;
    size_t piece = written - whole_end;

    if (whole_count != 0) {
        f->head = f->lines[whole_count - 1].head;
        f->is_torn = false;
        f->mark = NULL; /* it stands before every record of a batch */
    }
    if (piece != 0 && !cut_piece(f, piece)) {
        if (written + 1 ==
            f->lines[whole_count].end) /* it lacks nothing but its line end: it is there */
            f->head = f->lines[whole_count].head;
        f->is_torn = true;
        if (f->head.seq != 0)
            f->mark = "torn";
    }
}

/* A batch that holds nothing but the "chain" record counts no records. */
static postern_err write_batch(struct audit_file *f, size_t *ret_whole, postern_error *err)
{
    size_t written = f->is_regular ? append(f->fd, f->batch.ptr, f->batch.len) : append_lines(f);
    int why = errno;
    bool is_all = written == f->batch.len;
    size_t whole_count = count_whole(f, written);

    *ret_whole = whole_count - (f->has_mark && whole_count > 0);
    f->is_dirty |= written > 0;
    settle(f, written, whole_count);
    clear_batch(f);
    if (is_all)
        return POSTERN_OK;
    return POSTERN_FAIL(err, AUDIT, "%s", why != 0 ? strerror(why) : "no room for all of it");
}

postern_err audit_file_write(struct audit_file *f, size_t *ret_whole, postern_error *err)
{
    *ret_whole = 0;
    return f->line_count == 0 ? POSTERN_OK : write_batch(f, ret_whole, err);
}

postern_err audit_file_settle(struct audit_file *f, int64_t now_ms, postern_error *err)
{
    size_t whole;

    if (f->fd < 0)
        return POSTERN_FAIL(err, AUDIT, "there is no audit file yet");
    if (f->mark == NULL)
        return POSTERN_OK;
    POSTERN_TRY(begin_batch(f, now_ms, err));
    return audit_file_write(f, &whole, err);
}

static void begin_file(struct audit_file *f, int64_t now_ms)
{
    postern_err e = POSTERN_OK;
    size_t whole;

    clear_batch(f);
    if (f->mark != NULL && audit_file_is_writable(f))
        e = begin_batch(f, now_ms, NULL);
    if (e == POSTERN_OK)
        e = audit_file_write(f, &whole, NULL);
    (void)e; /* f->mark is still set when it failed */
}

postern_err audit_file_sync(struct audit_file *f, postern_error *err)
{
    if (f->is_dirty && f->is_regular && fdatasync(f->fd) != 0)
        return POSTERN_FAIL(err, SYSTEM, "fdatasync: %m"); /* still dirty: it is tried again */
    f->is_dirty = false;
    return POSTERN_OK;
}
