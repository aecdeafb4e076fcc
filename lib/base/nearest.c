/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Levenshtein distance, for the nearest valid word in a refusal.  Words of at most
 * POSTERN_NEAREST_MAX bytes, one row of memory.  Called by the readers of configuration and of
 * policies.
 */
#include "base/nearest.h"

#include <string.h>

static size_t least_of_three(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Both shorter than POSTERN_NEAREST_MAX. */
static size_t measure_distance(const char *a, const char *b)
{
    size_t row[POSTERN_NEAREST_MAX], b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];

            row[j] = least_of_three(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

/* A third of the letters may differ, at least one: "listn" is a slip, "apple" for "audience" is
 * not. */
bool postern_nearest_is_slip(const char *written, const char *meant, size_t *best)
{
    size_t len = strlen(written), distance;

    if (len >= POSTERN_NEAREST_MAX || strlen(meant) >= POSTERN_NEAREST_MAX)
        return false;
    distance = measure_distance(written, meant);
    if (distance > len / 3 + 1 || distance >= *best)
        return false;
    *best = distance;
    return true;
}

bool postern_nearest_word(const char *word, const char *choices, char *ret, size_t ret_size)
{
    char choice[POSTERN_NEAREST_MAX];
    size_t best = POSTERN_NEAREST_MAX;

    while (*choices != '\0') {
        size_t len = strcspn(choices, " ");

        if (len < sizeof choice && len < ret_size) {
            memcpy(choice, choices, len);
            choice[len] = '\0';
            if (postern_nearest_is_slip(word, choice, &best))
                memcpy(ret, choice, len + 1);
        }
        choices += len + strspn(choices + len, " ");
    }
    return best != POSTERN_NEAREST_MAX;
}
