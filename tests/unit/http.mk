# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_form tests/unit/test_url tests/unit/test_url_guard tests/unit/test_listener \
	tests/unit/test_http_curl tests/unit/test_metadata tests/unit/test_client_credentials
tests_unit_test_form_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_client_credentials_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
unit_tests += tests/unit/test_host_match tests/unit/test_secret_file
tests_unit_test_host_match_SOURCES = tests/unit/test_host_match.c cli/host_match.c cli/host_match.h
tests_unit_test_secret_file_SOURCES = tests/unit/test_secret_file.c cli/secret_file.c cli/secret_file.h
TESTS += tests/unit/test_completion.sh
EXTRA_DIST += tests/unit/test_completion.sh
unit_tests += tests/unit/test_client_auth tests/unit/test_exchange tests/unit/test_oauth_login
tests_unit_test_client_auth_LDADD = $(unit_ldadd) $(OPENSSL_LIBS)
tests_unit_test_client_auth_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_exchange_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_oauth_login_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
unit_tests += tests/unit/test_freshness
