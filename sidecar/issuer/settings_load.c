/* SPDX-License-Identifier: BSD-2-Clause */
/* The issuer's settings from issuer.conf, services/ and doors/; see settings.h.  The only reader of
 * the configuration beside main.c. */
#include "settings.h"

#include <stdlib.h>

#include "words.h"

/* Bytes of one service's audiences or scopes: a file of the key-file parser has at most 256 KiB. */
#define LIST_MAX 65536

static void add_list(postern_buf *b, const postern_section *section, const char *key)
{
    for (size_t i = 0; i < postern_section_count(section, key); i++) {
        if (b->len != 0)
            postern_buf_add_byte(b, ' ');
        postern_buf_add_str(b, postern_section_item(section, key, i));
    }
}

static bool asks_certificate(const postern_section *section, postern_section_kind kind)
{
    return kind == POSTERN_SECTION_DOOR &&
           strcmp(postern_section_text(section, "tls_client_certificate"), "off") != 0;
}

/* A client that holds another issuer's tokens reads here that the service takes them too. */
static postern_err load_issuers(struct issuer_service *service, const postern_config *c,
                                const postern_section *section, postern_error *err)
{
    POSTERN_AUTO_BUF list = POSTERN_BUF_INIT(LIST_MAX);
    const postern_section *issuer;

    for (size_t i = 0; (issuer = postern_config_trusted_by(c, section, i)) != NULL; i++)
        postern_buf_addf(&list, "%s%s", i == 0 ? "" : " ", postern_section_text(issuer, "issuer"));
    if (postern_buf_cstr(&list) == NULL ||
        (service->issuers = strdup(postern_buf_cstr(&list))) == NULL)
        return POSTERN_FAIL(err, NOMEM, "service %s", postern_section_name(section));
    return POSTERN_OK;
}

static postern_err load_service(struct issuer_settings *s, const postern_config *c,
                                const postern_section *section, postern_section_kind kind,
                                postern_error *err)
{
    POSTERN_AUTO_BUF audiences = POSTERN_BUF_INIT(LIST_MAX);
    POSTERN_AUTO_BUF scopes = POSTERN_BUF_INIT(LIST_MAX);

    add_list(&audiences, section, "audience");
    add_list(&scopes, section, "required_scopes");
    add_list(&scopes, section, "required_scopes_any");
    if (postern_buf_cstr(&audiences) == NULL || postern_buf_cstr(&scopes) == NULL)
        return POSTERN_FAIL(err, NOMEM, "service %s", postern_section_name(section));
    POSTERN_TRY(issuer_settings_add_service(s, postern_section_name(section),
                                            postern_buf_cstr(&audiences),
                                            postern_buf_cstr(&scopes), err));
    s->services[s->service_count - 1].wants_opaque =
        strcmp(postern_section_text(section, "access_token_format"), "opaque") == 0;
    s->services[s->service_count - 1].asks_certificate = asks_certificate(section, kind);
    return load_issuers(&s->services[s->service_count - 1], c, section, err);
}

static const struct {
    const char *word;
    registration_mode mode;
} registration_words[] = {
    { "off", REGISTRATION_OFF },
    { "token", REGISTRATION_TOKEN },
    { "open", REGISTRATION_OPEN },
};

static postern_err copy_list(const postern_section *server, const char *key, char **ret,
                             postern_error *err)
{
    POSTERN_AUTO_BUF list = POSTERN_BUF_INIT(LIST_MAX);

    add_list(&list, server, key);
    if (postern_buf_cstr(&list) == NULL || (*ret = strdup(postern_buf_cstr(&list))) == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", key);
    return POSTERN_OK;
}

static postern_err load_registration(struct issuer_settings *s, const postern_section *server,
                                     postern_error *err)
{
    const char *word = postern_section_text(server, "registration");

    for (size_t i = 0; i < sizeof registration_words / sizeof *registration_words; i++)
        if (strcmp(word, registration_words[i].word) == 0)
            s->registration = registration_words[i].mode;
    s->registration_max = postern_section_number(server, "registration_max");
    s->registration_unused_s = postern_section_number(server, "registration_unused");
    POSTERN_TRY(copy_list(server, "registration_scopes", &s->registration_scopes, err));
    return copy_list(server, "registration_resources", &s->registration_resources, err);
}

/* What strangers may get must be there: a slip would else show only when they ask. */
static postern_err check_registration(const struct issuer_settings *s, postern_error *err)
{
    const char *cursor = s->registration_resources;
    postern_bytes word;

    while (words_next(&cursor, &word))
        if (!issuer_settings_has_resource(s, word))
            return POSTERN_FAIL(err, CONFIG_VALUE,
                                "issuer.conf: registration_resources: %.*s is no audience of a "
                                "service or door",
                                (int)(word.len < 200 ? word.len : 200), (const char *)word.ptr);
    return POSTERN_OK;
}

postern_err issuer_settings_load(struct issuer_settings *s, const postern_config *c,
                                 postern_error *err)
{
    static const postern_section_kind guarded[] = { POSTERN_SECTION_SERVICE, POSTERN_SECTION_DOOR };
    const postern_section *server = postern_config_section(c, POSTERN_SECTION_SERVER, NULL);
    const postern_section *section;

    *s = (struct issuer_settings){ 0 };
    if (server == NULL)
        return POSTERN_FAIL(err, CONFIG_MISSING, "there is no issuer.conf");
    POSTERN_TRY(issuer_settings_init(s, postern_section_text(server, "issuer"),
                                     postern_section_number(server, "token_lifetime"), err));
    for (size_t k = 0; k < sizeof guarded / sizeof guarded[0]; k++)
        for (size_t i = 0; (section = postern_config_section_at(c, guarded[k], i)) != NULL; i++)
            POSTERN_TRY(load_service(s, c, section, guarded[k], err));
    s->key_rotation_s = postern_section_number(server, "key_rotation");
    s->key_announcement_s = postern_section_number(server, "key_announcement");
    POSTERN_TRY(load_registration(s, server, err));
    return check_registration(s, err);
}
