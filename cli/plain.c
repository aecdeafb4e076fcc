/* SPDX-License-Identifier: BSD-2-Clause */
/* See plain.h. */
#include "plain.h"

void plain_print_text(FILE *out, postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f)
            (void)putc(text.ptr[i], out);
        else
            fprintf(out, "\\x%02x", text.ptr[i]);
    }
}

static void print_code_point(FILE *out, uint32_t c)
{
    if (c > 0xffff)
        fprintf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
    else
        fprintf(out, "\\u%04x", c);
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

void plain_print_json(FILE *out, postern_bytes json)
{
    for (size_t i = 0; i < json.len;) {
        uint8_t lead = json.ptr[i++];
        uint32_t c = lead_bits(lead);

        while (lead >= 0x80 && i < json.len && (json.ptr[i] & 0xc0) == 0x80)
            c = c << 6 | (json.ptr[i++] & 0x3f);
        if (c >= 0x20 && c < 0x7f)
            (void)putc((int)c, out);
        else if (c < 0x20) /* between values: raw controls in strings are no JSON */
            (void)putc(' ', out);
        else
            print_code_point(out, c);
    }
}
