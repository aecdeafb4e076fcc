/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking a configuration: sections and values, read-only and lock-free.  How it came to be is in
 * config_load.c (files), config_value.c (one value) and config_check.c (what must fit together).
 */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>

const postern_section *postern_config_section(const postern_config *c, postern_section_kind kind,
                                              const char *name)
{
    for (const postern_section *s = c->first[kind]; s != NULL; s = s->next)
        if (name == NULL || strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

const postern_section *postern_config_section_at(const postern_config *c, postern_section_kind kind,
                                                 size_t i)
{
    const postern_section *s = c->first[kind];

    while (s != NULL && i-- != 0)
        s = s->next;
    return s;
}

static bool is_listed(const postern_section *s, const char *key, const char *word)
{
    const struct config_value *v = postern_section_value(s, key);

    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->items[i], word) == 0)
            return true;
    return false;
}

const postern_section *postern_config_service_for(const postern_config *c, const char *service_name)
{
    for (const postern_section *s = c->first[POSTERN_SECTION_SERVICE]; s != NULL; s = s->next)
        if (strcmp(s->name, service_name) == 0 || is_listed(s, "service_names", service_name))
            return s;
    return NULL;
}

/* A key that this kind of section does not have is a bug of the caller: stop where it can be seen.
 */
const struct config_value *postern_section_value(const postern_section *s, const char *key)
{
    int index = postern_config_key_index(key, s->kind);

    if (index < 0 || !postern_config_key_is_for(index, s->kind))
        abort(); /* lint: abort because a key that the table lacks is a bug, not an input */
    return &s->values[index];
}

const char *postern_section_name(const postern_section *s)
{
    return s->name;
}

const char *postern_section_text(const postern_section *s, const char *key)
{
    return postern_section_value(s, key)->text;
}

size_t postern_section_count(const postern_section *s, const char *key)
{
    return postern_section_value(s, key)->count;
}

const char *postern_section_item(const postern_section *s, const char *key, size_t i)
{
    const struct config_value *v = postern_section_value(s, key);

    return i < v->count ? v->items[i] : NULL;
}

bool postern_section_flag(const postern_section *s, const char *key)
{
    return postern_section_value(s, key)->number != 0;
}

int64_t postern_section_number(const postern_section *s, const char *key)
{
    return postern_section_value(s, key)->number;
}

bool postern_section_has(const postern_section *s, const char *key)
{
    return postern_section_value(s, key)->line != 0;
}

const char *postern_section_origin(const postern_section *s, const char *key)
{
    const char *origin = postern_section_value(s, key)->origin;

    return origin != NULL ? origin : "default";
}

size_t postern_config_issuer_count(const postern_section *service)
{
    size_t named = postern_section_count(service, "issuers");

    return named == 0 ? 1 : named;
}

const postern_section *postern_config_issuer_of(const postern_config *c,
                                                const postern_section *service, size_t i)
{
    return postern_config_section(c, POSTERN_SECTION_ISSUER,
                                  postern_section_item(service, "issuers", i));
}

const postern_section *postern_config_trusted_by(const postern_config *c,
                                                 const postern_section *service, size_t i)
{
    return i < postern_config_issuer_count(service) ? postern_config_issuer_of(c, service, i)
                                                    : NULL;
}

void postern_config_free(postern_config *c)
{
    postern_arena arena;

    if (c == NULL)
        return;
    postern_config_free_maps(c);
    arena = c->arena;
    free(c);
    postern_arena_free(&arena);
}
