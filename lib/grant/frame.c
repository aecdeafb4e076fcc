/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strict reading of one JSON frame of the helper's protocol (postern-helper(7)): the strict scan of
 * lib/base, then members against a table.  Knows no member by name except "v".  Called by grant.c
 * and lib/helper (replies) and by sidecar/helper (requests).  A frame that is not as documented is
 * HELPER_PROTOCOL: undecided, never a verdict.
 */
#include <inttypes.h>
#include <stdlib.h>

#include <postern-private/frame.h>

postern_err postern_frame_open(postern_frame *f, postern_bytes bytes, postern_error *err)
{
    postern_error scan_error = { 0 };
    postern_err e;

    if (bytes.len == 0)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "empty frame");
    e = postern_json_scan(&f->json, bytes, &scan_error);
    if (e == POSTERN_ERR_NOMEM)
        return POSTERN_FAIL(err, NOMEM, "scanning a frame of %zu bytes", bytes.len);
    if (e != POSTERN_OK)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "frame is not strict JSON: %s",
                            scan_error.detail);
    /* Unescaped text is no longer than its source, and two quotes make room for one NUL. */
    f->text = malloc(bytes.len);
    if (f->text == NULL)
        return POSTERN_FAIL(err, NOMEM, "frame of %zu bytes", bytes.len);
    f->text_size = bytes.len;
    f->scratch = POSTERN_BUF_INIT(bytes.len);
    return POSTERN_OK;
}

void postern_frame_free(postern_frame *f)
{
    postern_json_free(&f->json);
    postern_buf_free(&f->scratch);
    if (f->text != NULL)
        postern_wipe(f->text, f->text_size);
    free(f->text);
    *f = (postern_frame){ 0 };
}

static bool is_type(const postern_json *j, uint32_t node, postern_json_type want)
{
    postern_json_type is = postern_json_type_of(j, node);

    return is == want || (want == POSTERN_JSON_FALSE && is == POSTERN_JSON_TRUE);
}

static size_t find_row(const postern_json *j, uint32_t node,
                       const struct postern_frame_member *table, size_t count)
{
    size_t row = 0;

    while (row < count && !postern_json_name_is(j, node, table[row].name))
        row++;
    return row;
}

postern_err postern_frame_members(const postern_frame *f, uint32_t object,
                                  const struct postern_frame_member *table, size_t count,
                                  uint32_t *ret_nodes, postern_error *err)
{
    const postern_json *j = &f->json;

    if (postern_json_type_of(j, object) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "frame is not a JSON object");
    for (size_t row = 0; row < count; row++)
        ret_nodes[row] = POSTERN_JSON_ABSENT;
    for (uint32_t n = postern_json_first(j, object); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n)) {
        size_t row = find_row(j, n, table, count);
        if (row == count)
            return POSTERN_FAIL(err, HELPER_PROTOCOL,
                                "frame has a member that this version does not know");
        if (!is_type(j, n, table[row].type))
            return POSTERN_FAIL(err, HELPER_PROTOCOL, "member %s has a wrong type",
                                table[row].name);
        if (table[row].type == POSTERN_JSON_ARRAY && j->nodes[n].child_count > table[row].max)
            return POSTERN_FAIL(err, HELPER_PROTOCOL, "member %s has more than %zu elements",
                                table[row].name, table[row].max);
        ret_nodes[row] = n;
    }
    for (size_t row = 0; row < count; row++)
        if (table[row].is_required && ret_nodes[row] == POSTERN_JSON_ABSENT)
            return POSTERN_FAIL(err, HELPER_PROTOCOL, "member %s is missing", table[row].name);
    return POSTERN_OK;
}

postern_err postern_frame_text(postern_frame *f, uint32_t node, size_t max, postern_bytes *ret,
                               postern_error *err)
{
    postern_bytes text;
    char *copy = f->text + f->text_used;

    if (node == POSTERN_JSON_ABSENT) {
        *ret = POSTERN_BYTES_NONE;
        return POSTERN_OK;
    }
    if (postern_json_type_of(&f->json, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "a string is of another type");
    postern_buf_reset(&f->scratch);
    if (!postern_json_string(&f->json, node, &f->scratch, &text))
        return POSTERN_FAIL(err, NOMEM, "unescaping a string of a frame");
    if (text.len == 0 || text.len > max)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "a string is empty or longer than %zu bytes",
                            max);
    if (postern_bytes_has_control(text))
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "a string holds a control character");
    if (text.len >= f->text_size - f->text_used) /* a string read twice */
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "strings exceed the frame");
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    f->text_used += text.len + 1;
    *ret = (postern_bytes){ (const uint8_t *)copy, text.len };
    return POSTERN_OK;
}

postern_err postern_frame_check_version(const postern_frame *f, postern_error *err)
{
    uint32_t node = POSTERN_JSON_ABSENT;
    int64_t version;

    if (postern_json_type_of(&f->json, 0) == POSTERN_JSON_OBJECT)
        node = postern_json_member(&f->json, 0, "v");
    if (node == POSTERN_JSON_ABSENT || !postern_json_integer(&f->json, node, &version))
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "frame has no protocol version (member v)");
    if (version != POSTERN_FRAME_VERSION)
        return POSTERN_FAIL(err, HELPER_PROTOCOL,
                            "frame is of protocol version %" PRId64
                            ", this program speaks version %d: "
                            "plugin and posternd must be of one release",
                            version, POSTERN_FRAME_VERSION);
    return POSTERN_OK;
}
