/* SPDX-License-Identifier: BSD-2-Clause */
/* Windows of the file from its end to its beginning, lines of a window from last to first, strict
 * JSON for those that count. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_find.h"

#define WINDOW 262144 /* 64 times posternd's longest record: few reads, little memory */

static bool is_ref(const char *ref)
{
    size_t len = strspn(ref, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

    return len != 0 && len <= AUDIT_REF_MAX && ref[len] == '\0';
}

/* Keep the line if it is the record. */
static postern_err try_line(postern_bytes line, const char *ref, struct audit_found *f,
                            postern_error *err)
{
    postern_err e;

    if (memmem(line.ptr, line.len, ref, strlen(ref)) == NULL) /* cheap, and no verdict */
        return POSTERN_OK;
    e = postern_json_scan(&f->json, line, err);
    if (e == POSTERN_ERR_NOMEM)
        return e;
    if (e != POSTERN_OK || postern_json_type_of(&f->json, 0) != POSTERN_JSON_OBJECT) {
        f->damaged_lines++;
        return POSTERN_OK;
    }
    if (!postern_json_string_is(&f->json, postern_json_member(&f->json, 0, "ref"), ref))
        return POSTERN_OK;
    postern_buf_add(&f->line, line);
    if (f->line.failed)
        return POSTERN_FAIL(err, NOMEM, "record of %zu bytes", line.len);
    f->is_found = true;
    return postern_json_scan(&f->json, postern_buf_bytes(&f->line), err); /* the window goes away */
}

/* Lines of `text` from the last to the first. */
static postern_err try_lines(postern_bytes text, const char *ref, struct audit_found *f,
                             postern_error *err)
{
    while (text.len != 0 && !f->is_found) {
        const uint8_t *newline = memrchr(text.ptr, '\n', text.len);
        size_t start = newline == NULL ? 0 : (size_t)(newline - text.ptr) + 1;

        POSTERN_TRY(try_line((postern_bytes){ text.ptr + start, text.len - start }, ref, f, err));
        text.len = newline == NULL ? 0 : start - 1;
    }
    return POSTERN_OK;
}

static postern_err read_at(int fd, uint8_t *room, size_t len, off_t at, postern_error *err)
{
    while (len != 0) {
        ssize_t n = pread(fd, room, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, SYSTEM, "reading the audit file: %m");
        if (n == 0)
            return POSTERN_FAIL(err, SYSTEM, "the audit file became shorter while it was read");
        room += n;
        at += n;
        len -= (size_t)n;
    }
    return POSTERN_OK;
}

/* The whole lines of the window that ends at *end; *end moves to where they begin. */
static postern_err try_window(int fd, uint8_t *room, off_t *end, const char *ref,
                              struct audit_found *f, postern_error *err)
{
    off_t start = *end > WINDOW ? *end - WINDOW : 0;
    postern_bytes text = { room, (size_t)(*end - start) };
    const uint8_t *newline;
    size_t skip = 0;

    POSTERN_TRY(read_at(fd, room, text.len, start, err));
    if (start != 0) { /* the first line has begun before the window */
        newline = memchr(text.ptr, '\n', text.len);
        skip = newline == NULL ? text.len : (size_t)(newline - text.ptr) + 1;
    }
    POSTERN_TRY(try_lines((postern_bytes){ text.ptr + skip, text.len - skip }, ref, f, err));
    /* Nothing but part of one line: it is too long. */
    *end = skip == text.len ? start : start + (off_t)skip;
    return POSTERN_OK;
}

postern_err audit_find(int fd, const char *ref, struct audit_found *ret, postern_error *err)
{
    off_t end = lseek(fd, 0, SEEK_END);
    postern_err e = POSTERN_OK;
    uint8_t *room;

    *ret = (struct audit_found){ .line = POSTERN_BUF_INIT(WINDOW) };
    if (!is_ref(ref))
        return POSTERN_FAIL(err, USAGE, "a reference is up to %d letters, digits and '-'",
                            AUDIT_REF_MAX);
    if (end < 0)
        return POSTERN_FAIL(err, SYSTEM, "the audit file is no regular file: %m");
    room = malloc(WINDOW);
    if (room == NULL)
        return POSTERN_FAIL(err, NOMEM, "window of %d bytes", WINDOW);
    while (e == POSTERN_OK && end > 0 && !ret->is_found)
        e = try_window(fd, room, &end, ref, ret, err);
    free(room);
    return e;
}

void audit_found_free(struct audit_found *f)
{
    postern_json_free(&f->json);
    postern_buf_free(&f->line);
}
