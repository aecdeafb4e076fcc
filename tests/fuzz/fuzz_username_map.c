/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map of user names; the first line is the name that is looked for.  What is read dumps and reads
 * again as the same, and finds the same; an expression that was let through always compiles into one
 * that matches the whole name or nothing.
 */
#include <stdlib.h>

#include "oauth/username_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME_MAX 64 /* bytes: enough for every way through an expression */

static postern_err find(const struct username_map *m, postern_bytes name, postern_buf *out)
{
    postern_error err = { 0 };
    int line = 0;
    postern_err e = postern_username_map_find(m, name, out, &line, &err);

    if (e != POSTERN_OK && e != POSTERN_ERR_NO_MAPPING && e != POSTERN_ERR_NOMEM)
        abort();
    if (e == POSTERN_OK && (line < 1 || out->len == 0 || out->len > 1024))
        abort();
    return e;
}

/* As many users as lines, none without text, in the lines' order. */
static void check_users(const struct username_map *m)
{
    struct username_map_user user = { .line = 0 };
    size_t count = 0;
    int line = 0;

    for (; postern_username_map_user(m, count, &user); count++) {
        if (user.line <= line)
            abort();
        line = user.line;
    }
    if (count != postern_username_map_count(m) || strcmp(postern_username_map_shown(m), "m") != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_MAP_DUMP_MAX);
    POSTERN_AUTO_BUF again = POSTERN_BUF_INIT(POSTERN_MAP_DUMP_MAX);
    POSTERN_AUTO_BUF first = POSTERN_BUF_INIT(2048);
    POSTERN_AUTO_BUF second = POSTERN_BUF_INIT(2048);
    struct username_map *m = NULL, *copy = NULL;
    postern_reader r = { { data, size } };
    postern_bytes name;
    postern_error err = { 0 };

    if (!postern_reader_take_until(&r, '\n', &name) || name.len == 0 || name.len > NAME_MAX ||
        memchr(name.ptr, '\0', name.len) != NULL)
        return 0;
    if (postern_username_map_parse("m", r.rest, &m, &err) != POSTERN_OK) {
        if (m != NULL || err.detail[0] != 'm')
            abort();
        return 0;
    }
    postern_username_map_dump(m, &text);
    if (postern_username_map_parse_dump("m", postern_buf_bytes(&text), &copy, &err) != POSTERN_OK)
        abort();
    postern_username_map_dump(copy, &again);
    if (!postern_bytes_equal(postern_buf_bytes(&text), postern_buf_bytes(&again)))
        abort();
    check_users(m);
    if (find(m, name, &first) != find(copy, name, &second) ||
        !postern_bytes_equal(postern_buf_bytes(&first), postern_buf_bytes(&second)))
        abort();
    postern_username_map_free(copy);
    postern_username_map_free(m);
    return 0;
}
