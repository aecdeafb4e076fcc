/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postgres-validator/hba.c: whatever stands in a line of pg_hba.conf, scopes are the words between its blanks, and an issuer that fits
 * is the line's bytes, at most without the part that makes them the address of a document.  Input: the line's value, NUL, an issuer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../postgres-validator/validator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);

    if (text == NULL)
        abort();
    if (len != 0)
        memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

static void check_scopes(const char *line)
{
    struct validator_scopes s;
    size_t count = 0;
    const char *at = line;

    if (validator_scopes_read(line, &s, NULL) != POSTERN_OK) {
        for (at += strspn(at, " "); *at != '\0'; at += strspn(at, " "), count++)
            at += strcspn(at, " ");
        if (count <= VALIDATOR_SCOPES_MAX && strlen(line) < sizeof s.room)
            abort();
        return;
    }
    for (; s.list[count] != NULL; count++) {
        size_t len = strlen(s.list[count]);

        at += strspn(at, " ");
        if (count >= VALIDATOR_SCOPES_MAX || len == 0 || strncmp(at, s.list[count], len) != 0 || (at[len] != ' ' && at[len] != '\0'))
            abort();
        at += len;
    }
    if (at[strspn(at, " ")] != '\0')
        abort();
}

static void check_issuer(const char *line, const char *iss)
{
    size_t same = 0, line_len = strlen(line), iss_len = strlen(iss);

    if (!validator_is_issuer(line, iss)) {
        if (iss[0] != '\0' && strcmp(line, iss) == 0 && strstr(line, "/.well-known/") == NULL)
            abort();
        return;
    }
    while (same < iss_len && line[same] == iss[same])
        same++;
    if (iss_len == 0 || iss_len > line_len || strcmp(line + line_len - (iss_len - same), iss + same) != 0)
        abort();
    if (iss_len != line_len && strncmp(strstr(line, "/.well-known/"), "/.well-known/o", 14) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t first = size == 0 ? 0 : postern_bytes_find((postern_bytes){ data, size }, 0);
    char *line = copy(data, first), *iss = first < size ? copy(data + first + 1, size - first - 1) : copy(data, 0);

    check_scopes(line);
    check_issuer(line, iss);
    free(line);
    free(iss);
    return 0;
}
