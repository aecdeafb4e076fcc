/* SPDX-License-Identifier: BSD-2-Clause */
/* Escapes for what is printed (cli/safe_text.h). */
#include "config.h"

#include "safe_text.h"

#define MEMBER_MAX 65536      /* bytes of one text: a line of the audit file has 4096 */
#define PRINT_MAX  (6u << 18) /* bytes: the longest line that audit_find() takes, each as \u00NN */

void safe_text_add(postern_bytes text, postern_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f)
            postern_buf_add_byte(out, text.ptr[i]);
        else
            postern_buf_addf(out, "\\x%02x", text.ptr[i]);
    }
}

static void add_code_point(uint32_t c, postern_buf *out)
{
    if (c > 0xffff)
        postern_buf_addf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                         0xdc00 + (c & 0x3ff));
    else
        postern_buf_addf(out, "\\u%04x", c);
}

/* The bits of a UTF-8 lead byte that count. */
static uint32_t lead_bits(uint8_t lead)
{
    if (lead < 0x80)
        return lead;
    if (lead < 0xe0)
        return lead & 0x1f;
    return lead < 0xf0 ? lead & 0x0f : lead & 0x07;
}

/* UTF-8 is well formed in JSON that was scanned, and what is not ASCII stands in strings. */
void safe_json_add(postern_bytes json, postern_buf *out)
{
    for (size_t i = 0; i < json.len;) {
        uint8_t lead = json.ptr[i++];
        uint32_t c = lead_bits(lead);

        while (lead >= 0x80 && i < json.len && (json.ptr[i] & 0xc0) == 0x80)
            c = c << 6 | (json.ptr[i++] & 0x3f);
        if (c >= 0x20 && c < 0x7f)
            postern_buf_add_byte(out, (uint8_t)c);
        else if (c < 0x20) /* between values: raw controls in strings are no JSON */
            postern_buf_add_byte(out, ' ');
        else
            add_code_point(c, out);
    }
}

bool safe_member_add(const postern_json *j, const char *name, postern_buf *out)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(MEMBER_MAX);
    uint32_t node = postern_json_member(j, 0, name);
    postern_bytes text;

    if (postern_json_type_of(j, node) == POSTERN_JSON_NONE)
        return false;
    if (postern_json_string(j, node, &scratch, &text))
        safe_text_add(text, out);
    else
        safe_text_add(postern_json_raw(j, node), out);
    return true;
}

static void print_buf(FILE *out, postern_buf *text)
{
    const char *printable = postern_buf_cstr(text);

    fputs(printable != NULL ? printable : "(out of memory)", out);
}

void safe_text_print(FILE *out, postern_bytes text)
{
    POSTERN_AUTO_BUF safe = POSTERN_BUF_INIT(PRINT_MAX);

    safe_text_add(text, &safe);
    print_buf(out, &safe);
}

void safe_json_print(FILE *out, postern_bytes json)
{
    POSTERN_AUTO_BUF safe = POSTERN_BUF_INIT(PRINT_MAX);

    safe_json_add(json, &safe);
    print_buf(out, &safe);
}
