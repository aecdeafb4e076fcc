/* SPDX-License-Identifier: BSD-2-Clause */
/* Key files: what is accepted is clean, and written out as `key: value` lines it is read as the
 * same; what is refused names its place. */
#include <stdlib.h>

#include "base/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
    if (!claim)
        abort();
}

static void check_entry(const postern_keyfile_entry *e)
{
    must(e->key[0] != '\0' &&
         strspn(e->key, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(e->key));
    must(e->value[0] != '\0' && e->value[0] != ' ' && e->value[0] != '\t' &&
         e->value[strlen(e->value) - 1] != ' ');
    must(postern_bytes_is_utf8(postern_bytes_str(e->value)) &&
         strpbrk(e->value, "\n\r\x1b\x7f") == NULL);
    must(e->line >= 1 && e->line <= POSTERN_KEYFILE_LINES && e->column >= 1);
}

static void check_round_trip(const postern_keyfile *f)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(2 * POSTERN_KEYFILE_MAX);
    POSTERN_AUTO(keyfile) again = NULL;

    for (size_t i = 0; i < postern_keyfile_count(f); i++)
        postern_buf_addf(&text, "%s: %s\n", postern_keyfile_at(f, i)->key,
                         postern_keyfile_at(f, i)->value);
    if (text.len > POSTERN_KEYFILE_MAX)
        return; /* blanks that the original did not have */
    must(postern_keyfile_parse("again", postern_buf_bytes(&text), &again, NULL) == POSTERN_OK);
    must(postern_keyfile_count(again) == postern_keyfile_count(f));
    for (size_t i = 0; i < postern_keyfile_count(f); i++) {
        must(strcmp(postern_keyfile_at(f, i)->key, postern_keyfile_at(again, i)->key) == 0);
        must(strcmp(postern_keyfile_at(f, i)->value, postern_keyfile_at(again, i)->value) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    POSTERN_AUTO(keyfile) f = NULL;
    postern_error err;
    postern_err e = postern_keyfile_parse("f", (postern_bytes){ data, size }, &f, &err);

    if (e != POSTERN_OK) {
        must(f == NULL && err.code == e &&
             (e == POSTERN_ERR_CONFIG_SYNTAX || e == POSTERN_ERR_CONFIG_KEY));
        must(strncmp(err.detail, "f:", 2) == 0);
        return 0;
    }
    for (size_t i = 0; i < postern_keyfile_count(f); i++)
        check_entry(postern_keyfile_at(f, i));
    check_round_trip(f);
    return 0;
}
