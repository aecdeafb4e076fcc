/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `provider:` fills in what its file does not say itself.  The values stand in the dump like
 * others, with the provider in their origin.
 */
#include "provider.h"
#include "settings.h"

static postern_err set_origin(postern_config *c, const struct config_value *provider,
                              struct config_value *v, postern_error *err)
{
    POSTERN_AUTO_BUF origin = POSTERN_BUF_INIT(4096);

    postern_buf_addf(&origin, "provider %s, %s", provider->text, provider->origin);
    v->origin = origin.failed ? NULL : postern_arena_text(&c->arena, postern_buf_bytes(&origin));
    v->is_preset = true;
    return v->origin != NULL ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "configuration");
}

static postern_err preset(postern_config *c, postern_section *s,
                          const struct provider_setting *setting, postern_error *err)
{
    const struct config_value *provider = postern_section_value(s, "provider");
    int key = postern_config_key_index(setting->key, s->kind);

    if (s->values[key].line != 0)
        return POSTERN_OK;
    POSTERN_TRY(
        postern_config_value_set(c, s, key, setting->text, provider->line, provider->column, err));
    return set_origin(c, provider, &s->values[key], err);
}

postern_err postern_config_apply_provider(postern_config *c, postern_section *s, postern_error *err)
{
    const struct config_value *v;
    const struct provider *p;

    if (s->kind != POSTERN_SECTION_ISSUER)
        return POSTERN_OK;
    v = postern_section_value(s, "provider");
    p = postern_provider(v->text);
    if (v->line == 0 || p == NULL) /* the defaults of the table are those of rfc9068 */
        return POSTERN_OK;
    for (size_t i = 0; i < POSTERN_PROVIDER_SETTINGS_MAX; i++)
        POSTERN_TRY(preset(c, s, &p->settings[i], err));
    return POSTERN_OK;
}
