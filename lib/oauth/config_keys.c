/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of settings as data and its own manual-page text.  Knows no value and no file.
 */
#include "base/nearest.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>

static const char required_marker[] = "";
#define REQUIRED required_marker
const struct config_key postern_config_keys[CONFIG_KEY_COUNT] = {
#define POSTERN_KEY(name, sections, type, default_text, lowest, highest, choices, meaning)         \
    { name, sections, CONFIG_##type, default_text, lowest, highest, choices, meaning },
#include "config_keys.def"
#undef POSTERN_KEY
};

static const struct {
    char letter; /* as in config_keys.def */
    const char *pattern;
} kinds[CONFIG_KINDS] = {
    [POSTERN_SECTION_NONE] = { '-', "" },
    [POSTERN_SECTION_DAEMON] = { 'D', "postern.conf" },
    [POSTERN_SECTION_ISSUER] = { 'I', "issuers/NAME.conf" },
    [POSTERN_SECTION_SERVICE] = { 'S', "services/NAME.conf" },
    [POSTERN_SECTION_DOOR] = { 'L', "doors/NAME.conf" },
    [POSTERN_SECTION_SERVER] = { 'A', "issuer.conf" },
    [POSTERN_SECTION_CLIENT] = { 'C', "client.conf" },
};

int postern_config_key_index(const char *name, postern_section_kind kind)
{
    int elsewhere = -1;

    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (strcmp(postern_config_keys[i].name, name) != 0)
            continue;
        if (postern_config_key_is_for(i, kind))
            return i;
        elsewhere = i;
    }
    return elsewhere;
}

bool postern_config_key_is_for(int key, postern_section_kind kind)
{
    return strchr(postern_config_keys[key].sections, kinds[kind].letter) != NULL;
}

bool postern_config_key_is_required(int key)
{
    return postern_config_keys[key].default_text == required_marker;
}

const char *postern_config_key_default(int key)
{
    return postern_config_key_is_required(key) ? NULL : postern_config_keys[key].default_text;
}

const char *postern_config_kind_pattern(postern_section_kind kind)
{
    return kinds[kind].pattern;
}

const char *postern_config_key_nearest(const char *name, postern_section_kind kind)
{
    const char *nearest = NULL;
    size_t best = POSTERN_NEAREST_MAX;

    for (int i = 0; i < CONFIG_KEY_COUNT; i++)
        if (postern_config_key_is_for(i, kind) &&
            postern_nearest_is_slip(name, postern_config_keys[i].name, &best))
            nearest = postern_config_keys[i].name;
    return nearest;
}

/* What stands behind the key in the manual page: where it belongs, its type and its default. */
static void describe_place(int key, postern_buf *out)
{
    static const char *const types[] = {
        [CONFIG_TEXT] = "text",   [CONFIG_URL] = "URL",        [CONFIG_PATH] = "path",
        [CONFIG_LIST] = "list",   [CONFIG_FLAG] = "yes or no", [CONFIG_DURATION] = "duration",
        [CONFIG_COUNT] = "count",
    };
    const char *separator = "";

    for (int kind = POSTERN_SECTION_DAEMON; kind < CONFIG_KINDS; kind++)
        if (postern_config_key_is_for(key, (postern_section_kind)kind)) {
            postern_buf_addf(out, "%s%s", separator, kinds[kind].pattern);
            separator = ", ";
        }
    postern_buf_addf(out, "; %s", types[postern_config_keys[key].type]);
}

static void describe_range(const struct config_key *k, postern_buf *out)
{
    const char *unit = k->type == CONFIG_DURATION ? "s" : "";

    if (k->choices != NULL && k->highest == 0)
        postern_buf_addf(out, "One of: %s.\n", k->choices);
    if (k->highest != 0)
        postern_buf_addf(out, "From %lld%s to %lld%s%s%s.\n", (long long)k->lowest, unit,
                         (long long)k->highest, unit, k->choices != NULL ? ", or: " : "",
                         k->choices != NULL ? k->choices : "");
}

static void describe_default(int key, postern_buf *out)
{
    const char *text = postern_config_key_default(key);

    if (postern_config_key_is_required(key))
        postern_buf_add_str(out, "Required.\n");
    else if (text == NULL)
        postern_buf_add_str(out, "Default: unset.\n");
    else
        postern_buf_addf(out, "Default: %s\n", text);
}

void postern_config_describe_keys(postern_buf *out)
{
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        postern_buf_addf(out, ".It Ic %s\n(", postern_config_keys[i].name);
        describe_place(i, out);
        postern_buf_addf(out, ")\n%s.\n", postern_config_keys[i].meaning);
        describe_range(&postern_config_keys[i], out);
        describe_default(i, out);
    }
}
