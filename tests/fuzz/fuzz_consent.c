/* SPDX-License-Identifier: BSD-2-Clause */
/* Consent forms: whatever is sent, what is approved was asked for. */
#include <stdlib.h>

#include "issuer/consent.h"
#include "issuer/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_subset(const char *list, const char *of)
{
    postern_bytes word;

    while (words_next(&list, &word))
        if (!words_has(of, word))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct authorize_request asked = {
        .scopes = "mail.read mail.send",
        .resources = "https://mail.example.org/imap https://ldap.example.org/ldap",
    };
    struct consent_choice choice;
    POSTERN_AUTO(form) form = NULL;

    if (postern_form_parse((postern_bytes){ data, size }, &form, NULL) != POSTERN_OK ||
        !consent_read(form, &asked, &choice))
        return 0;
    if (!choice.is_approved)
        return 0;
    check_subset(choice.scopes, asked.scopes);
    check_subset(choice.resources, asked.resources);
    if (choice.life_s < 3600 || choice.life_s > 90 * 86400 ||
        (choice.fault == NULL && (choice.scopes[0] == '\0' || choice.resources[0] == '\0')))
        abort();
    return 0;
}
