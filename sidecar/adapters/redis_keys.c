/* SPDX-License-Identifier: BSD-2-Clause */
/* See redis_keys.h.  Options are read as the commands themselves read them (redis.io/commands), not
 * as a search for a word would: a group may be called "streams". */
#include "redis_keys.h"

#define NUMBER_DIGITS_MAX 18 /* below 2^63, so that sums of a few cannot overflow */

bool redis_read_number(postern_bytes digits, uint64_t *ret)
{
    uint64_t value = 0;

    if (digits.len == 0 || digits.len > NUMBER_DIGITS_MAX)
        return false;
    if (digits.ptr[0] == '0' && digits.len != 1)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    *ret = value;
    return true;
}

static void add_key(struct redis_found *found, postern_bytes key)
{
    if (found->count == found->max)
        found->is_full = true;
    else
        found->keys[found->count++] = key;
}

/* Words first, first + step … up to last, which is below 0 when counted from the end. */
static void add_range(struct redis_words w, int first, int last, int step,
                      struct redis_found *found)
{
    size_t end = last >= 0 ? (size_t)last + 1
                           : (w.count >= (size_t)-last ? w.count - (size_t)-last + 1 : 0);

    if (end > w.count || (size_t)first >= end)
        found->has_unnamed = true; /* Redis refuses it, or knows it in another form */
    for (size_t i = (size_t)first; i < end && i < w.count; i += (size_t)step)
        add_key(found, w.at[i]);
}

static void add_numbered(struct redis_words w, const struct redis_keys *k,
                         struct redis_found *found)
{
    size_t at = (size_t)k->last, step = (size_t)k->step;
    uint64_t count;

    if ((size_t)k->first >= w.count || !redis_read_number(w.at[k->first], &count) ||
        at > w.count || count > (w.count - at + step - 1) / step) {
        found->has_unnamed = true;
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        add_key(found, w.at[at + (size_t)i * step]);
}

/* ---- options ---- */

/* A word that may stand among the options of a command, and how many words belong to it. */
struct option {
    const char *word;
    unsigned arguments;
    bool is_last; /* what stands behind it is no option */
};

/* The option at word i; NULL: none that is known, or its arguments are not all there. */
static const struct option *option_at(struct redis_words w, size_t i, const struct option *options)
{
    for (; options->word != NULL; options++)
        if (redis_word_is(w.at[i], options->word))
            return w.count - i > options->arguments ? options : NULL;
    return NULL;
}

static void find_copy(struct redis_words w, struct redis_found *found)
{
    static const struct option options[] = { { "REPLACE", 0, false }, { NULL, 0, false } };

    add_range(w, 1, 2, 1, found);
    for (size_t i = 3; i < w.count; i++)
        if (option_at(w, i, options) == NULL)
            found->has_unnamed = true; /* DB: a key of another database */
}

/* BY without an asterisk sorts by nothing, GET # gets the element itself: no other key is read. */
static bool names_by_value(const struct option *o, postern_bytes pattern)
{
    if (strcmp(o->word, "BY") == 0)
        return postern_bytes_find(pattern, '*') != pattern.len;
    return strcmp(o->word, "GET") == 0 && !postern_bytes_equal_str(pattern, "#");
}

static void find_sort(struct redis_words w, struct redis_found *found)
{
    static const struct option options[] = {
        { "ASC", 0, false }, { "DESC", 0, false }, { "ALPHA", 0, false }, { "LIMIT", 2, false },
        { "STORE", 1, false }, { "BY", 1, false }, { "GET", 1, false }, { NULL, 0, false },
    };

    add_range(w, 1, 1, 1, found);
    for (size_t i = 2; i < w.count; i++) {
        const struct option *o = option_at(w, i, options);

        if (o == NULL) {
            found->has_unnamed = true;
            return;
        }
        if (strcmp(o->word, "STORE") == 0)
            add_key(found, w.at[i + 1]);
        else if (o->arguments == 1 && names_by_value(o, w.at[i + 1]))
            found->has_unnamed = true;
        i += o->arguments;
    }
}

static void find_geo(struct redis_words w, size_t first, struct redis_found *found)
{
    static const struct option options[] = {
        { "WITHCOORD", 0, false }, { "WITHDIST", 0, false }, { "WITHHASH", 0, false },
        { "ANY", 0, false }, { "ASC", 0, false }, { "DESC", 0, false }, { "COUNT", 1, false },
        { "STORE", 1, false }, { "STOREDIST", 1, false }, { NULL, 0, false },
    };

    add_range(w, 1, 1, 1, found);
    for (size_t i = first; i < w.count; i++) {
        const struct option *o = option_at(w, i, options);

        if (o == NULL) {
            found->has_unnamed = true;
            return;
        }
        if (strncmp(o->word, "STORE", 5) == 0)
            add_key(found, w.at[i + 1]);
        i += o->arguments;
    }
}

static void find_streams(struct redis_words w, struct redis_found *found)
{
    static const struct option options[] = {
        { "BLOCK", 1, false }, { "COUNT", 1, false }, { "CLAIM", 1, false },
        { "GROUP", 2, false }, { "NOACK", 0, false }, { "STREAMS", 0, true },
        { NULL, 0, false },
    };
    const struct option *o = NULL;
    size_t i = 1;

    for (; i < w.count && (o = option_at(w, i, options)) != NULL && !o->is_last; i++)
        i += o->arguments;
    if (i >= w.count || o == NULL || (w.count - i - 1) % 2 != 0 || w.count - i == 1) {
        found->has_unnamed = true;
        return;
    }
    for (size_t half = (w.count - i - 1) / 2, n = 1; n <= half; n++)
        add_key(found, w.at[i + n]);
}

/* MIGRATE host port key|"" db timeout options: what it touches is also another server's. */
static void find_migrate(struct redis_words w, struct redis_found *found)
{
    static const struct option options[] = {
        { "COPY", 0, false }, { "REPLACE", 0, false }, { "AUTH", 1, false },
        { "AUTH2", 2, false }, { "KEYS", 0, true }, { NULL, 0, false },
    };

    found->has_unnamed = true;
    if (w.count > 3 && w.at[3].len != 0)
        add_key(found, w.at[3]);
    for (size_t i = 6; i < w.count; i++) {
        const struct option *o = option_at(w, i, options);

        if (o == NULL)
            return;
        if (!o->is_last) {
            i += o->arguments;
            continue;
        }
        while (++i < w.count)
            add_key(found, w.at[i]);
    }
}

void redis_keys_find(const struct redis_keys *k, struct redis_words w, struct redis_found *found)
{
    found->count = 0;
    found->is_full = false;
    found->has_unnamed = k->form == REDIS_KEYS_UNKNOWN || k->form == REDIS_KEYS_AND_MORE ||
                         k->form == REDIS_KEYS_NUMBER_AND_MORE;
    switch (k->form) {
    case REDIS_KEYS_UNKNOWN:
    case REDIS_KEYS_NONE:
        break;
    case REDIS_KEYS_RANGE:
    case REDIS_KEYS_AND_MORE:
        add_range(w, k->first, k->last, k->step, found);
        break;
    case REDIS_KEYS_STORE:
        add_range(w, 1, 1, 1, found);
        add_numbered(w, k, found);
        break;
    case REDIS_KEYS_NUMBER:
    case REDIS_KEYS_NUMBER_AND_MORE:
        add_numbered(w, k, found);
        break;
    case REDIS_KEYS_COPY:
        find_copy(w, found);
        break;
    case REDIS_KEYS_SORT:
        find_sort(w, found);
        break;
    case REDIS_KEYS_GEO:
        find_geo(w, (size_t)k->first, found);
        break;
    case REDIS_KEYS_STREAMS:
        find_streams(w, found);
        break;
    case REDIS_KEYS_MIGRATE:
        find_migrate(w, found);
        break;
    }
}

bool redis_keys_lead(const struct redis_keys *k, size_t known)
{
    return k->form == REDIS_KEYS_RANGE && k->last > 0 && (size_t)k->last < known;
}
