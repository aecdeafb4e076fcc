/* SPDX-License-Identifier: BSD-2-Clause */
/* One configuration file; the first byte says of which kind.  What is accepted is complete, and its
 * dump means the same again. */
#include <stdlib.h>

#include "oauth/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static postern_config *read_config(postern_section_kind kind, postern_bytes text)
{
    POSTERN_AUTO(config) c = NULL;
    postern_section *s;
    postern_error err;

    if (postern_config_new(&c, &err) != POSTERN_OK)
        return NULL;
    c->dir = "/etc/postern";
    if (postern_config_add_section(c, kind, "x", "x.conf", &s, &err) != POSTERN_OK)
        abort(); /* the defaults of the table are values like others */
    if (postern_config_read_text(c, s, text, &err) != POSTERN_OK)
        return NULL;
    return POSTERN_STEAL(c);
}

/* The dump's lines without the origins, which differ. */
static void dump_values(const postern_config *c, postern_section_kind kind, postern_buf *out)
{
    const postern_section *s = c->first[kind];

    for (int key = 0; key < CONFIG_KEY_COUNT; key++)
        if (s->values[key].text != NULL)
            postern_buf_addf(out, "%s: %s\n", postern_config_keys[key].name, s->values[key].text);
}

/* "off" stands beside a duration. */
static bool is_word_of(const struct config_key *k, const char *text)
{
    return k->choices != NULL && strcmp(k->choices, text) == 0;
}

static void check_values(const postern_section *s)
{
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        const struct config_key *k = &postern_config_keys[key];
        const struct config_value *v = &s->values[key];

        if (v->text == NULL && postern_config_key_is_for(key, s->kind) &&
            postern_config_key_is_required(key))
            abort();
        if (v->text != NULL && k->highest != 0 && !is_word_of(k, v->text) &&
            (v->number < k->lowest || v->number > k->highest))
            abort();
        if (v->text != NULL && k->type == CONFIG_PATH && v->text[0] != '/' &&
            strcmp(v->text, "-") != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    POSTERN_AUTO_BUF first = POSTERN_BUF_INIT(1 << 20), second = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO(config) c = NULL;
    POSTERN_AUTO(config) again = NULL;
    postern_section_kind kind;

    if (size == 0)
        return 0;
    kind = (postern_section_kind)(1 + data[0] % (CONFIG_KINDS - 1));
    c = read_config(kind, (postern_bytes){ data + 1, size - 1 });
    if (c == NULL)
        return 0;
    check_values(c->first[kind]);
    dump_values(c, kind, &first);
    again = read_config(kind, postern_buf_bytes(&first));
    if (again == NULL)
        abort();
    dump_values(again, kind, &second);
    if (!postern_bytes_equal(postern_buf_bytes(&first), postern_buf_bytes(&second)))
        abort();
    return 0;
}
