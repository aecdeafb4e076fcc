# SPDX-License-Identifier: BSD-2-Clause
issuer_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS) $(SQLITE_CFLAGS)
issuer_ldadd = tests/support/libsupport.la $(sidecar_libs) $(CMOCKA_LIBS)
issuer_fixture = tests/unit/issuer_fixture.c tests/unit/issuer_fixture.h
grants_fixture = $(issuer_fixture) tests/unit/grants_fixture.c tests/unit/grants_fixture.h
if POSTERND
unit_tests += tests/unit/test_issuer_words tests/unit/test_issuer_rate tests/unit/test_issuer_store \
	tests/unit/test_issuer_token tests/unit/test_issuer_routes tests/unit/test_issuer_admin \
	tests/unit/test_issuer_keys tests/unit/test_issuer_whoami tests/unit/test_issuer_revocations tests/unit/test_issuer_nomem \
	tests/unit/test_issuer_grant_code tests/unit/test_issuer_grant_refresh tests/unit/test_issuer_grant_exchange \
	tests/unit/test_issuer_introspect tests/unit/test_issuer_revoke tests/unit/test_issuer_exchange_details \
	tests/unit/test_issuer_store_grants tests/unit/test_issuer_grants_nomem
unit_tests += tests/unit/test_issuer_redirect_uri tests/unit/test_issuer_assertion tests/unit/test_issuer_register \
	tests/unit/test_issuer_key_ring
unit_tests += tests/unit/test_issuer_pages tests/unit/test_issuer_html tests/unit/test_issuer_work tests/unit/test_issuer_pages_nomem
unit_tests += tests/unit/test_issuer_crash tests/unit/test_issuer_opaque tests/unit/test_issuer_opaque_access
endif
tests_unit_test_issuer_words_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_words_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_rate_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_rate_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_store_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_store_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_token_SOURCES = tests/unit/test_issuer_token.c $(issuer_fixture)
tests_unit_test_issuer_token_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_token_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_routes_SOURCES = tests/unit/test_issuer_routes.c $(issuer_fixture)
tests_unit_test_issuer_routes_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_routes_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_admin_SOURCES = tests/unit/test_issuer_admin.c $(issuer_fixture)
tests_unit_test_issuer_admin_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_admin_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_whoami_SOURCES = tests/unit/test_issuer_whoami.c $(issuer_fixture)
tests_unit_test_issuer_whoami_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_whoami_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_revocations_SOURCES = tests/unit/test_issuer_revocations.c $(issuer_fixture)
tests_unit_test_issuer_revocations_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_revocations_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_keys_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_keys_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_nomem_SOURCES = tests/unit/test_issuer_nomem.c $(issuer_fixture)
tests_unit_test_issuer_nomem_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_nomem_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_nomem_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_issuer_redirect_uri_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_redirect_uri_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_assertion_SOURCES = tests/unit/test_issuer_assertion.c $(issuer_fixture)
tests_unit_test_issuer_assertion_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_assertion_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_register_SOURCES = tests/unit/test_issuer_register.c $(issuer_fixture)
tests_unit_test_issuer_register_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_register_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_key_ring_SOURCES = tests/unit/test_issuer_key_ring.c $(issuer_fixture)
tests_unit_test_issuer_key_ring_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_key_ring_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_grant_code_SOURCES = tests/unit/test_issuer_grant_code.c $(grants_fixture)
tests_unit_test_issuer_grant_code_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_grant_code_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_grant_refresh_SOURCES = tests/unit/test_issuer_grant_refresh.c $(grants_fixture)
tests_unit_test_issuer_grant_refresh_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_grant_refresh_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_grant_exchange_SOURCES = tests/unit/test_issuer_grant_exchange.c $(grants_fixture)
tests_unit_test_issuer_grant_exchange_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_grant_exchange_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_introspect_SOURCES = tests/unit/test_issuer_introspect.c $(grants_fixture)
tests_unit_test_issuer_introspect_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_introspect_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_revoke_SOURCES = tests/unit/test_issuer_revoke.c $(grants_fixture)
tests_unit_test_issuer_revoke_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_revoke_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_exchange_details_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_exchange_details_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_store_grants_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_store_grants_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_grants_nomem_SOURCES = tests/unit/test_issuer_grants_nomem.c $(grants_fixture)
tests_unit_test_issuer_grants_nomem_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_grants_nomem_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_grants_nomem_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_issuer_crash_SOURCES = tests/unit/test_issuer_crash.c $(grants_fixture)
tests_unit_test_issuer_crash_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_crash_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_pages_SOURCES = tests/unit/test_issuer_pages.c $(issuer_fixture) \
	tests/unit/pages_browser.c tests/unit/pages_browser.h
tests_unit_test_issuer_pages_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_pages_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_pages_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=EVP_PBE_scrypt -Wl,--wrap=HMAC
tests_unit_test_issuer_opaque_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_opaque_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_opaque_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_issuer_html_SOURCES = tests/unit/test_issuer_html.c $(issuer_fixture)
tests_unit_test_issuer_html_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_html_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_work_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_work_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_pages_nomem_SOURCES = tests/unit/test_issuer_pages_nomem.c $(issuer_fixture) \
	tests/unit/pages_browser.c tests/unit/pages_browser.h
tests_unit_test_issuer_pages_nomem_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_pages_nomem_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_pages_nomem_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags) -Wl,--wrap=EVP_PBE_scrypt
tests_unit_test_issuer_opaque_access_SOURCES = tests/unit/test_issuer_opaque_access.c $(grants_fixture)
tests_unit_test_issuer_opaque_access_CPPFLAGS = $(issuer_cppflags)
tests_unit_test_issuer_opaque_access_LDADD = $(issuer_ldadd)
tests_unit_test_issuer_opaque_access_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
