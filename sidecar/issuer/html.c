/* SPDX-License-Identifier: BSD-2-Clause */
/* The escaping writer; see html.h.  Called by the files of the pages. */
#include "html.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static const struct {
    uint8_t byte;
    const char *entity;
} entities[] = {
    { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" },
};

static const char *find_entity(uint8_t c)
{
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (entities[i].byte == c)
            return entities[i].entity;
    return NULL;
}

/* U+061C, U+200B to U+200F, U+2028 to U+202E, U+2060 to U+2069, U+FEFF: what moves or hides what
 * stands beside it. */
static bool is_trick(postern_bytes character)
{
    const uint8_t *p = character.ptr;

    if (character.len == 2)
        return p[0] == 0xD8 && p[1] == 0x9C;
    if (character.len != 3)
        return false;
    return (p[0] == 0xE2 && p[1] == 0x80 &&
            ((p[2] >= 0x8B && p[2] <= 0x8F) || (p[2] >= 0xA8 && p[2] <= 0xAE))) ||
           (p[0] == 0xE2 && p[1] == 0x81 && p[2] >= 0xA0 && p[2] <= 0xA9) ||
           (p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF);
}

/* One character, or one byte that begins none. */
static void escape_next(postern_buf *out, postern_bytes *rest)
{
    size_t len = postern_utf8_len(*rest);
    postern_bytes character = { rest->ptr, len == 0 ? 1 : len };
    const char *entity = find_entity(rest->ptr[0]);

    *rest = (postern_bytes){ rest->ptr + character.len, rest->len - character.len };
    if (entity != NULL)
        postern_buf_add_str(out, entity);
    else if (len == 0 || postern_bytes_has_control(character) || is_trick(character))
        postern_buf_add_str(out, REPLACEMENT);
    else
        postern_buf_add(out, character);
}

void html_escape(postern_buf *out, postern_bytes text)
{
    while (text.len != 0)
        escape_next(out, &text);
}

void html_put(postern_buf *out, const char *template, const char *const *texts)
{
    const char *hole;

    while ((hole = strstr(template, "{}")) != NULL) {
        postern_buf_add(out, (postern_bytes){ (const uint8_t *)template,
                                              (size_t)(hole - template) });
        if (*texts == NULL) {
            out->failed = true; /* a template with more holes than texts */
            return;
        }
        html_escape(out, postern_bytes_str(*texts++));
        template = hole + 2;
    }
    postern_buf_add_str(out, template);
    if (*texts != NULL)
        out->failed = true; /* and one with fewer */
}
