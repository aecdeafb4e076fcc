/* SPDX-License-Identifier: BSD-2-Clause */
/* Authorization requests from anybody's links: what is good keeps to what the client may have, and nothing is ever sent to an
 * address that is not registered. */
#include <stdlib.h>

#include "issuer/authorize_request.h"
#include "issuer/redirect_uri.h"
#include "issuer/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REDIRECTS "http://127.0.0.1/cb https://agent.example/cb?x=1 com.example.app:/cb"

static const struct client_record client = {
    .name = "agent-7",
    .scopes = "mail.read mail.send",
    .resources = "https://mail.example.org/imap https://ldap.example.org/ldap",
    .redirects = REDIRECTS,
};

static void check_subset(const char *list, const char *of)
{
    postern_bytes word;

    while (words_next(&list, &word))
        if (!words_has(of, word))
            abort();
}

static void check_good(const struct issuer_settings *s, const struct authorize_request *r)
{
    const char *resources = r->resources;
    postern_bytes word;

    check_subset(r->scopes, client.scopes);
    if (words_count(r->resources) == 0 || strlen(r->challenge) != GRANT_CHALLENGE_MAX - 1)
        abort();
    while (words_next(&resources, &word))
        if (!issuer_settings_has_resource(s, word))
            abort();
    if (postern_bytes_has_control(postern_bytes_str(r->purpose)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct issuer_settings settings;
    static bool is_ready;
    struct authorize_request r = { .error = "" };
    POSTERN_AUTO(form) form = NULL;
    postern_error err = { 0 };

    if (!is_ready) {
        if (issuer_settings_init(&settings, "http://127.0.0.1:8414", 300, NULL) != POSTERN_OK ||
            issuer_settings_add_service(&settings, "imap", "https://mail.example.org/imap", "", NULL) != POSTERN_OK ||
            issuer_settings_add_service(&settings, "ldap", "https://ldap.example.org/ldap", "", NULL) != POSTERN_OK)
            abort();
        is_ready = true;
    }
    if (postern_form_parse((postern_bytes){ data, size }, &form, &err) != POSTERN_OK)
        return 0;
    r.client = client;
    switch (authorize_request_judge(&settings, form, &r, &err)) {
    case AUTHORIZE_GOOD:
        check_good(&settings, &r);
        break;
    case AUTHORIZE_REFUSED:
        if (r.error[0] == '\0' || r.why == NULL)
            abort();
        break;
    case AUTHORIZE_BAD:
        if (r.why == NULL)
            abort();
        return 0;
    case AUTHORIZE_FAILED:
        if (err.code != POSTERN_ERR_NOMEM)
            abort();
        return 0;
    }
    if (!redirect_uri_is_registered(REDIRECTS, postern_bytes_str(r.redirect)) ||
        !postern_bytes_is_printable(postern_bytes_str(r.state)))
        abort();
    return 0;
}
