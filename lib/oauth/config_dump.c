/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration back into text: the whole of it as valid files (`posternd --dump-config`), and
 * one line for each safety that an administrator has relaxed (logged at start).
 */
#include "settings.h"

#include <stdio.h>

static void dump_section(const postern_section *s, postern_buf *out)
{
    postern_buf_addf(out, "# == %s ==\n", s->file);
    for (int key = 0; key < CONFIG_KEY_COUNT; key++)
        if (postern_config_key_is_for(key, s->kind) && s->values[key].text != NULL)
            postern_buf_addf(out, "# %s\n%s: %s\n", s->values[key].origin,
                             postern_config_keys[key].name, s->values[key].text);
}

void postern_config_dump(const postern_config *c, postern_buf *out)
{
    for (int kind = 0; kind < CONFIG_KINDS; kind++)
        for (const postern_section *s = c->first[kind]; s != NULL; s = s->next)
            dump_section(s, out);
    postern_config_dump_maps(c, out);
}

static bool is_on(const struct config_value *v)
{
    return v->number != 0;
}

static bool is_not_yes(const struct config_value *v)
{
    return strcmp(v->text, "yes") != 0;
}

static bool is_shadow(const struct config_value *v)
{
    return strcmp(v->text, "shadow") == 0;
}

static bool is_not_full(const struct config_value *v)
{
    return strcmp(v->text, "verify-full") != 0;
}

static bool lists(const struct config_value *v, const char *word, size_t len)
{
    for (size_t i = 0; i < v->count; i++)
        if (strlen(v->items[i]) == len && memcmp(v->items[i], word, len) == 0)
            return true;
    return false;
}

static bool accepts_plain_jwt(const struct config_value *v)
{
    return lists(v, "JWT", 3) || lists(v, "untyped", 7);
}

/* Lacks a word that the default has. */
static bool lacks_default(const struct config_value *v, const char *key)
{
    const char *rest =
        postern_config_key_default(postern_config_key_index(key, POSTERN_SECTION_NONE));

    while (*rest != '\0') {
        size_t len = strcspn(rest, " ");

        if (!lists(v, rest, len))
            return true;
        rest += len + strspn(rest + len, " ");
    }
    return false;
}

static bool requires_fewer_claims(const struct config_value *v)
{
    return lacks_default(v, "required_claims");
}

static bool denies_fewer_users(const struct config_value *v)
{
    return lacks_default(v, "deny_users");
}

static const struct {
    postern_section_kind kind;
    const char *key;
    bool (*is_relaxed)(const struct config_value *v);
    const char *meaning;
} relaxations[] = {
    { POSTERN_SECTION_ISSUER, "token_types", accepts_plain_jwt,
      "tokens without typ at+jwt are accepted, which does not tell an access token from other JWTs "
      "of this issuer" },
    { POSTERN_SECTION_ISSUER, "required_claims", requires_fewer_claims,
      "tokens may lack a claim that RFC 9068 requires" },
    { POSTERN_SECTION_ISSUER, "allow_loopback_http", is_on,
      "the issuer may be reached by plain http on loopback" },
    { POSTERN_SECTION_SERVICE, "require_tls", is_not_yes,
      "logins are taken without a sign of TLS" },
    { POSTERN_SECTION_SERVICE, "shared_audience", is_on,
      "a token for this service opens another one as well" },
    { POSTERN_SECTION_SERVICE, "allow_system_users", is_on,
      "tokens may log in as system accounts" },
    { POSTERN_SECTION_SERVICE, "deny_users", denies_fewer_users,
      "tokens may log in as an account that is denied by default" },
    { POSTERN_SECTION_SERVICE, "policy_mode", is_shadow,
      "the policy is asked and not obeyed" },
    { POSTERN_SECTION_DOOR, "policy_mode", is_shadow, "the policy is asked and not obeyed" },
    { POSTERN_SECTION_DOOR, "shared_audience", is_on,
      "a token for this door opens another service as well" },
    { POSTERN_SECTION_DOOR, "allow_system_users", is_on, "tokens may stand for system accounts" },
    { POSTERN_SECTION_DOOR, "deny_users", denies_fewer_users,
      "tokens may stand for an account that is denied by default" },
    { POSTERN_SECTION_DOOR, "backend_tls", is_not_full,
      "the backend is reached without TLS, or its name is not compared" },
};

static void report_relaxation(size_t row, const postern_section *s, postern_buf *out)
{
    const struct config_value *v = postern_section_value(s, relaxations[row].key);

    if (v->line != 0 && relaxations[row].is_relaxed(v))
        postern_buf_addf(out, "%s: %s: %s: %s\n", v->origin, relaxations[row].key, v->text,
                         relaxations[row].meaning);
}

void postern_config_relaxations(const postern_config *c, postern_buf *out)
{
    for (size_t row = 0; row < sizeof relaxations / sizeof relaxations[0]; row++)
        for (const postern_section *s = c->first[relaxations[row].kind]; s != NULL; s = s->next)
            report_relaxation(row, s, out);
}
