# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_form tests/unit/test_url tests/unit/test_url_guard tests/unit/test_listener \
	tests/unit/test_http_curl tests/unit/test_metadata tests/unit/test_client_credentials
tests_unit_test_form_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_client_credentials_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
