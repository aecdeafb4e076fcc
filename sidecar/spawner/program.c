/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's description out of a message (program.h). */
#include "config.h"

#include <stdlib.h>

#include "program.h"

static void free_words(char **words)
{
    for (char **w = words; w != NULL && *w != NULL; w++)
        free(*w);
    free(words);
}

void program_free(struct program *p)
{
    if (p == NULL)
        return;
    free(p->door);
    free(p->dir);
    free_words(p->argv);
    free_words(p->env);
    free(p);
}

static inline void auto_free(struct program **p)
{
    program_free(*p);
}

/* No NUL in it: the scan refuses those. */
static postern_err copy_text(const postern_json *m, uint32_t node, char **ret, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    postern_bytes text;

    if (!postern_json_string(m, node, &scratch, &text))
        return POSTERN_FAIL(err, MALFORMED, "a program's message");
    *ret = strndup((const char *)text.ptr, text.len);
    return *ret != NULL ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "a program");
}

static postern_err copy_words(const postern_json *m, const char *name, char ***ret,
                              postern_error *err)
{
    uint32_t list = postern_json_member(m, 0, name), node;
    size_t count = 0;

    if (postern_json_type_of(m, list) != POSTERN_JSON_ARRAY)
        return POSTERN_FAIL(err, MALFORMED, "a program's message without %s", name);
    *ret = calloc((size_t)m->nodes[list].child_count + 1, sizeof **ret);
    if (*ret == NULL)
        return POSTERN_FAIL(err, NOMEM, "a program");
    for (node = postern_json_first(m, list); node != POSTERN_JSON_ABSENT;
         node = postern_json_next(m, node))
        POSTERN_TRY(copy_text(m, node, &(*ret)[count++], err));
    return POSTERN_OK;
}

static bool read_id(const struct channel *c, const char *name, uint32_t *ret)
{
    int64_t n;

    if (!channel_integer(c, name, &n) || n < 0 || n >= UINT32_MAX) /* (uid_t)-1: "leave it" */
        return false;
    *ret = (uint32_t)n;
    return true;
}

static bool read_limit(const struct channel *c, const char *name, int64_t *ret)
{
    *ret = 0;
    if (postern_json_member(channel_message(c), 0, name) == POSTERN_JSON_ABSENT)
        return true;
    return channel_integer(c, name, ret) && *ret > 0;
}

static bool read_numbers(const struct channel *c, struct program *p)
{
    int64_t max;

    if (!channel_integer(c, "max", &max) || max < 1)
        return false;
    p->max = (size_t)max;
    return read_id(c, "uid", &p->uid) && read_id(c, "gid", &p->gid) &&
           read_limit(c, "memory", &p->memory) && read_limit(c, "processes", &p->processes) &&
           read_limit(c, "cpu", &p->cpu_s);
}

postern_err program_read(const struct channel *c, struct program **ret, postern_error *err)
{
    __attribute__((cleanup(auto_free))) struct program *p = calloc(1, sizeof *p);
    const postern_json *m = channel_message(c);

    if (p == NULL)
        return POSTERN_FAIL(err, NOMEM, "a program");
    POSTERN_TRY(copy_text(m, postern_json_member(m, 0, "door"), &p->door, err));
    POSTERN_TRY(copy_text(m, postern_json_member(m, 0, "dir"), &p->dir, err));
    POSTERN_TRY(copy_words(m, "argv", &p->argv, err));
    POSTERN_TRY(copy_words(m, "env", &p->env, err));
    if (!read_numbers(c, p) || p->argv[0] == NULL || p->argv[0][0] != '/')
        return POSTERN_FAIL(err, MALFORMED, "a program's message");
    *ret = POSTERN_STEAL(p);
    return POSTERN_OK;
}
