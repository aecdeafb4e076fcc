/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of username_map_file:, read with the configuration and changed with it: a service's
 * names must not change between two reloads that are in the log.  They travel in the dump, behind
 * the sections, because the doors' process may open no file.
 */
#include "settings.h"

#include <limits.h>

#include "trusted_file.h"
#include "username_map.h"

struct config_map {
    const char *path; /* absolute, as the setting has it */
    struct username_map *map;
    struct config_map *next;
};

const struct username_map *postern_config_map(const postern_config *c, const char *path)
{
    for (const struct config_map *m = c->maps; m != NULL; m = m->next)
        if (strcmp(m->path, path) == 0)
            return m->map;
    return NULL;
}

bool postern_config_has_maps(const postern_config *c)
{
    return c->maps != NULL;
}

/* Linked in before it is read, so that postern_config_free_maps() finds it. */
static postern_err add_map(postern_config *c, const char *path, struct config_map **ret,
                           postern_error *err)
{
    struct config_map *m = postern_arena_alloc(&c->arena, sizeof *m), **end = &c->maps;

    if (m != NULL)
        m->path = postern_arena_text(&c->arena, postern_bytes_str(path));
    if (m == NULL || m->path == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    while (*end != NULL)
        end = &(*end)->next;
    *end = m;
    *ret = m;
    return POSTERN_OK;
}

/* Who may put another file in its place decides who somebody is. */
static postern_err check_folder_of(const char *path, postern_error *err)
{
    const char *slash = strrchr(path, '/');
    POSTERN_AUTO_BUF folder = POSTERN_BUF_INIT(PATH_MAX);

    if (slash == NULL || slash == path)
        return postern_config_check_folder("/", "/", err);
    postern_buf_add(&folder, (postern_bytes){ (const uint8_t *)path, (size_t)(slash - path) });
    if (postern_buf_cstr(&folder) == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    return postern_config_check_folder(postern_buf_cstr(&folder), postern_buf_cstr(&folder), err);
}

static postern_err load_map(postern_config *c, const char *path, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_MAP_FILE_MAX);
    struct config_map *m;

    POSTERN_TRY(check_folder_of(path, err));
    POSTERN_TRY(postern_trusted_file_read(path, path, FILE_OF_ROOT_OR_SELF, &text, NULL, err));
    POSTERN_TRY(add_map(c, path, &m, err));
    return postern_username_map_parse(path, postern_buf_bytes(&text), &m->map, err);
}

/* A service's own comes before its issuer's. */
const char *postern_config_map_path(const postern_section *service, const postern_section *issuer)
{
    const char *path = postern_section_text(service, "username_map_file");

    return path != NULL ? path : postern_section_text(issuer, "username_map_file");
}

static const postern_section_kind kinds[] = { POSTERN_SECTION_ISSUER, POSTERN_SECTION_SERVICE,
                                              POSTERN_SECTION_DOOR };
#define KINDS (sizeof kinds / sizeof kinds[0])

/* NULL: this kind of section has none, or none is set. */
static const char *get_map_path(const postern_section *s)
{
    for (size_t i = 0; i < KINDS; i++)
        if (s->kind == kinds[i])
            return postern_section_text(s, "username_map_file");
    return NULL;
}

static postern_err load_maps_of(postern_config *c, const postern_section *s, postern_error *err)
{
    for (; s != NULL; s = s->next) {
        const char *path = get_map_path(s);

        if (path != NULL && postern_config_map(c, path) == NULL)
            POSTERN_TRY(load_map(c, path, err));
    }
    return POSTERN_OK;
}

postern_err postern_config_load_maps(postern_config *c, postern_error *err)
{
    for (size_t i = 0; i < KINDS; i++)
        POSTERN_TRY(load_maps_of(c, c->first[kinds[i]], err));
    return POSTERN_OK;
}

void postern_config_free_maps(postern_config *c)
{
    for (struct config_map *m = c->maps; m != NULL; m = m->next)
        postern_username_map_free(m->map);
    c->maps = NULL;
}

/* ---- in a dump ---- */

void postern_config_dump_maps(const postern_config *c, postern_buf *out)
{
    for (const struct config_map *m = c->maps; m != NULL; m = m->next) {
        postern_buf_addf(out, "# == %s ==\n", m->path);
        postern_username_map_dump(m->map, out);
    }
}

/* Nothing but what postern_config_dump_maps() writes. */
postern_err postern_config_read_dumped_map(postern_config *c, const char *path, postern_bytes body,
                                           postern_error *err)
{
    POSTERN_AUTO_BUF again = POSTERN_BUF_INIT(POSTERN_MAP_DUMP_MAX);
    struct config_map *m;

    if (postern_config_map(c, path) != NULL)
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump with a map twice");
    POSTERN_TRY(add_map(c, path, &m, err));
    POSTERN_TRY(postern_username_map_parse_dump(path, body, &m->map, err));
    postern_username_map_dump(m->map, &again);
    if (again.failed && again.len < body.len)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    if (!postern_bytes_equal(postern_buf_bytes(&again), body))
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump with a map that is not as it is dumped");
    return POSTERN_OK;
}

static bool is_used(const postern_config *c, const char *path)
{
    for (size_t i = 0; i < KINDS; i++)
        for (const postern_section *s = c->first[kinds[i]]; s != NULL; s = s->next)
            if (get_map_path(s) != NULL && strcmp(get_map_path(s), path) == 0)
                return true;
    return false;
}

static postern_err check_maps_of(const postern_config *c, const postern_section *s,
                                 postern_error *err)
{
    for (; s != NULL; s = s->next)
        if (get_map_path(s) != NULL && postern_config_map(c, get_map_path(s)) == NULL)
            return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump without the map of %s", s->file);
    return POSTERN_OK;
}

postern_err postern_config_check_dumped_maps(const postern_config *c, postern_error *err)
{
    for (size_t i = 0; i < KINDS; i++)
        POSTERN_TRY(check_maps_of(c, c->first[kinds[i]], err));
    for (const struct config_map *m = c->maps; m != NULL; m = m->next)
        if (!is_used(c, m->path))
            return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump with a map that nobody uses");
    return POSTERN_OK;
}
