/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/init_guess.c: what an issuer is taken for, and what its file is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "init_guess.h"

static void providers_are_known_by_url_and_metadata(void **state)
{
    static const struct {
        const char *issuer, *token_endpoint, *want;
    } cases[] = {
        { "https://sso.example.org/realms/agents",
          "https://sso.example.org/realms/agents/protocol/openid-connect/token", "keycloak" },
        { "https://sso.example.org/auth/realms/a",
          "https://sso.example.org/auth/realms/a/protocol/openid-connect/token", "keycloak" },
        { "https://sso.example.org/realms/agents", "https://sso.example.org/token", "rfc9068" },
        { "https://realms.example.org/", "", "rfc9068" },
        { "https://login.microsoftonline.com/72f988bf/v2.0", "", "entra" },
        { "https://login.microsoftonline.us/72f988bf/v2.0", "", "entra" },
        { "https://login.partner.microsoftonline.cn/72f988bf/v2.0", "", "entra" },
        { "https://LOGIN.microsoftonline.com/72f988bf/v2.0", "", "entra" },
        { "https://login.microsoftonline.com.evil.example/x/v2.0", "", "rfc9068" },
        { "https://example.org/login.microsoftonline.com", "", "rfc9068" },
        { "https://example.okta.com/oauth2/default", "", "okta" },
        { "https://example.oktapreview.com/oauth2/x", "", "okta" },
        { "https://login.example.org/oauth2/aus1",
          "https://login.example.org/oauth2/aus1/v1/token", "okta" },
        { "https://okta.com", "", "rfc9068" },
        { "https://notokta.com/", "", "rfc9068" },
        { "https://[::1]:8443/x", "", "rfc9068" },
        { "nothing", "", "rfc9068" },
        { "", "", "rfc9068" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        postern_survey s = { 0 };

        memcpy(s.token_endpoint, cases[i].token_endpoint, strlen(cases[i].token_endpoint) + 1);
        assert_string_equal(init_guess_provider(cases[i].issuer, &s), cases[i].want);
    }
    assert_string_equal(init_guess_provider("https://h/realms/a", NULL), "keycloak");
}

static void entras_tokens_of_version_1_are_told_apart(void **state)
{
    (void)state;
    assert_true(init_guess_is_entra_v1("https://sts.windows.net/72f988bf/"));
    assert_true(init_guess_is_entra_v1("https://login.microsoftonline.com/72f988bf"));
    assert_false(init_guess_is_entra_v1("https://login.microsoftonline.com/72f988bf/v2.0"));
    assert_false(init_guess_is_entra_v1("https://sso.example.org/"));
}

static void files_are_called_after_the_host_or_the_provider(void **state)
{
    static const struct {
        const char *issuer, *provider, *want;
    } cases[] = {
        { "https://sso.example.org/realms/a", "keycloak", "sso" },
        { "https://sso.example.org:8443/", "rfc9068", "sso" },
        { "https://sso", "rfc9068", "sso" },
        { "https://www.example.org", "rfc9068", "issuer" },
        { "https://127.0.0.1:8443/realms/a", "keycloak", "keycloak" },
        { "https://127.0.0.1", "rfc9068", "issuer" },
        { "https://[::1]:8443", "rfc9068", "issuer" },
        { "https://login.microsoftonline.com/x/v2.0", "entra", "entra" },
        { "https://-.example.org", "rfc9068", "issuer" },
        { "nothing", "okta", "okta" },
    };
    char name[INIT_NAME_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        init_guess_name(cases[i].issuer, cases[i].provider, name);
        assert_string_equal(name, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(providers_are_known_by_url_and_metadata),
        cmocka_unit_test(entras_tokens_of_version_1_are_told_apart),
        cmocka_unit_test(files_are_called_after_the_host_or_the_provider),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
