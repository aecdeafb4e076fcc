/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration behind `postern verify --issuer`: one issuer, one audience, one key-set file,
 * and nothing that concerns a host (no mapping, no TLS demand).  Made of the same sections as files
 * are.
 */
#include "settings.h"

#include "url.h"

#define LIST_MAX 1048576 /* bytes: as many words as a list may have, each a URL of some length */
/* For an issuer's own tokens: as long as any verifier may take one (config_keys.def). */
#define CLOCK_SKEW_MAX "300s"

/* One setting of a section, as the command line gave it. */
static postern_err put(postern_config *c, postern_section *s, const char *key, const char *text,
                       postern_error *err)
{
    return postern_config_value_set(c, s, postern_config_key_index(key, s->kind), text, 1, 1, err);
}

/* Issuer and audience are only compared, so any word will do; a blank would make two of one
 * audience. */
static postern_err check_word(const char *what, const char *word, postern_error *err)
{
    size_t len = word == NULL ? 0 : strlen(word);

    if (len == 0 || len > POSTERN_CONFIG_URL_MAX)
        return POSTERN_FAIL(err, USAGE, "%s must have 1 to %d bytes", what, POSTERN_CONFIG_URL_MAX);
    if (!postern_bytes_is_printable(postern_bytes_str(word)) || strchr(word, ' ') != NULL)
        return POSTERN_FAIL(err, USAGE, "%s holds a blank or a character that is not ASCII", what);
    return POSTERN_OK;
}

/* A list of words; NULL or empty: its default. */
static postern_err put_list(postern_config *c, postern_section *s, const char *key,
                            const char *const *words, postern_error *err)
{
    POSTERN_AUTO_BUF list = POSTERN_BUF_INIT(LIST_MAX);

    if (words == NULL || words[0] == NULL)
        return POSTERN_OK;
    for (size_t i = 0; words[i] != NULL; i++)
        postern_buf_addf(&list, "%s%s", i == 0 ? "" : " ", words[i]);
    if (list.failed)
        return POSTERN_FAIL(err, NOMEM, "%s", key);
    return put(c, s, key, postern_buf_cstr(&list), err);
}

/* One issuer, its keys, and what its tokens may be for. */
struct token_check {
    const char *issuer, *jwks_file, *clock_skew; /* NULL: the key's default */
    const char *const *audiences, *const *required_scopes;
};

static postern_err add_issuer(postern_config *c, const struct token_check *t, postern_error *err)
{
    postern_section *s;

    POSTERN_TRY(
        postern_config_add_section(c, POSTERN_SECTION_ISSUER, "token", "(command line)", &s, err));
    POSTERN_TRY(put(c, s, "issuer", t->issuer, err));
    if (t->clock_skew != NULL)
        POSTERN_TRY(put(c, s, "clock_skew", t->clock_skew, err));
    return put(c, s, "jwks_file", t->jwks_file, err);
}

static postern_err add_service(postern_config *c, const char *const *audiences,
                               const char *const *scopes, postern_error *err)
{
    postern_section *s;

    POSTERN_TRY(
        postern_config_add_section(c, POSTERN_SECTION_SERVICE, "token", "(command line)", &s, err));
    POSTERN_TRY(put_list(c, s, "audience", audiences, err));
    POSTERN_TRY(put(c, s, "require_tls", "no", err));
    return put_list(c, s, "required_scopes", scopes, err);
}

static postern_err check_audiences(const char *const *audiences, postern_error *err)
{
    if (audiences == NULL || audiences[0] == NULL)
        return POSTERN_FAIL(err, USAGE, "an audience is required");
    for (size_t i = 0; audiences[i] != NULL; i++)
        POSTERN_TRY(check_word("audience", audiences[i], err));
    return POSTERN_OK;
}

static postern_err make(const struct token_check *t, postern_config **ret, postern_error *err)
{
    POSTERN_AUTO(config) c = NULL;
    postern_section *daemon;

    POSTERN_TRY(check_word("issuer", t->issuer, err));
    POSTERN_TRY(check_audiences(t->audiences, err));
    if (t->jwks_file == NULL || t->jwks_file[0] == '\0')
        return POSTERN_FAIL(err, USAGE, "a key-set file is required");
    POSTERN_TRY(postern_config_new(&c, err));
    c->is_token_check = true;
    POSTERN_TRY(
        postern_config_add_section(c, POSTERN_SECTION_DAEMON, "", "(command line)", &daemon, err));
    POSTERN_TRY(add_issuer(c, t, err));
    POSTERN_TRY(add_service(c, t->audiences, t->required_scopes, err));
    *ret = POSTERN_STEAL(c);
    return POSTERN_OK;
}

postern_err postern_config_new_token_check(const char *issuer, const char *audience,
                                           const char *jwks_file,
                                           const char *const *required_scopes, postern_config **ret,
                                           postern_error *err)
{
    const char *const audiences[] = { audience, NULL };
    struct token_check t = { issuer, jwks_file, NULL, audiences, required_scopes };

    POSTERN_TRY(check_word("issuer", issuer, err));
    POSTERN_TRY(check_word("audience", audience, err)); /* NULL would end the list */
    return make(&t, ret, err);
}

postern_err postern_config_new_audience_check(const char *issuer, const char *const *audiences,
                                              const char *jwks_file, postern_config **ret,
                                              postern_error *err)
{
    struct token_check t = { issuer, jwks_file, CLOCK_SKEW_MAX, audiences, NULL };

    return make(&t, ret, err);
}
