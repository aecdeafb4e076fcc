# SPDX-License-Identifier: BSD-2-Clause
if POSTERND
fuzz_targets += tests/fuzz/fuzz_client_auth tests/fuzz/fuzz_admin_request
fuzz_targets += tests/fuzz/fuzz_redirect_uri tests/fuzz/fuzz_client_assertion tests/fuzz/fuzz_register_request
fuzz_targets += tests/fuzz/fuzz_token_forms
fuzz_targets += tests/fuzz/fuzz_authorize tests/fuzz/fuzz_consent tests/fuzz/fuzz_cookie
endif
tests_fuzz_fuzz_client_auth_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_client_auth_LDADD = sidecar/libsidecar.la $(fuzz_ldadd)
tests_fuzz_fuzz_admin_request_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_admin_request_LDADD = sidecar/libsidecar.la $(fuzz_ldadd)
tests_fuzz_fuzz_token_forms_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_token_forms_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_redirect_uri_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_redirect_uri_LDADD = sidecar/libsidecar.la $(fuzz_ldadd)
tests_fuzz_fuzz_authorize_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_authorize_LDADD = $(fuzz_ldadd) $(sidecar_libs)
tests_fuzz_fuzz_consent_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_consent_LDADD = $(fuzz_ldadd) $(sidecar_libs)
tests_fuzz_fuzz_cookie_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_cookie_LDADD = $(fuzz_ldadd) $(sidecar_libs)
tests_fuzz_fuzz_client_assertion_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_client_assertion_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_register_request_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_register_request_LDADD = sidecar/libsidecar.la $(fuzz_ldadd)
