# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_place tests/unit/test_client
tests_unit_test_client_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)

helper_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS)
helper_ldadd = tests/support/libsupport.la $(sidecar_libs) $(CMOCKA_LIBS)
if POSTERND
unit_tests += tests/unit/test_helper_peers tests/unit/test_quota tests/unit/test_helper_request tests/unit/test_helper_server \
	tests/unit/test_saslauthd tests/unit/test_handles tests/unit/test_login_policy
check_PROGRAMS += tests/component/helper
endif
tests_component_helper_CPPFLAGS = $(helper_cppflags)
tests_component_helper_LDADD = $(helper_ldadd)
tests_unit_test_helper_peers_CPPFLAGS = $(helper_cppflags)
tests_unit_test_helper_peers_LDADD = $(helper_ldadd)
tests_unit_test_quota_CPPFLAGS = $(helper_cppflags)
tests_unit_test_quota_LDADD = $(helper_ldadd)
tests_unit_test_helper_request_CPPFLAGS = $(helper_cppflags)
tests_unit_test_helper_request_LDADD = $(helper_ldadd)
tests_unit_test_helper_request_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_helper_server_SOURCES = tests/unit/test_helper_server.c $(audit_child_sources)
tests_unit_test_helper_server_CPPFLAGS = $(helper_cppflags)
tests_unit_test_helper_server_LDADD = $(helper_ldadd)
tests_unit_test_login_policy_CPPFLAGS = $(helper_cppflags)
tests_unit_test_login_policy_LDADD = $(helper_ldadd)
tests_unit_test_login_policy_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_saslauthd_CPPFLAGS = $(helper_cppflags)
tests_unit_test_saslauthd_LDADD = $(helper_ldadd)
tests_unit_test_saslauthd_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_handles_CPPFLAGS = $(helper_cppflags)
tests_unit_test_handles_LDADD = $(helper_ldadd)
tests_unit_test_handles_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
