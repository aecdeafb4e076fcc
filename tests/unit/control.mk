# SPDX-License-Identifier: BSD-2-Clause
control_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS)
control_ldadd = tests/support/libsupport.la $(sidecar_libs) $(CMOCKA_LIBS)
# Takes the place of sidecar/audit/line.c.
fake_audit = tests/support/fake_audit_line.c tests/support/fake_audit_line.h
control_fixture = tests/unit/control_fixture.c tests/unit/control_fixture.h
if POSTERND
unit_tests += tests/unit/test_control_blocks_text tests/unit/test_control_blocks_file tests/unit/test_control_request \
	tests/unit/test_control_status_request tests/unit/test_control_link tests/unit/test_control_act tests/unit/test_control_approve \
	tests/unit/test_control_status tests/unit/test_control_main tests/unit/test_helper_blocks tests/unit/test_helper_logins
endif
tests_unit_test_control_blocks_text_CPPFLAGS = $(control_cppflags)
tests_unit_test_control_blocks_text_LDADD = $(control_ldadd)
tests_unit_test_control_blocks_text_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_control_blocks_file_CPPFLAGS = $(control_cppflags)
tests_unit_test_control_blocks_file_LDADD = $(control_ldadd)
tests_unit_test_control_blocks_file_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_control_request_CPPFLAGS = $(control_cppflags)
tests_unit_test_control_request_LDADD = $(control_ldadd)
tests_unit_test_control_request_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_control_status_request_CPPFLAGS = $(control_cppflags)
tests_unit_test_control_status_request_LDADD = $(control_ldadd)
tests_unit_test_control_link_CPPFLAGS = $(control_cppflags)
tests_unit_test_control_link_LDADD = $(control_ldadd)
tests_unit_test_control_act_SOURCES = tests/unit/test_control_act.c $(control_fixture) $(fake_audit)
tests_unit_test_control_act_CPPFLAGS = $(control_cppflags) -I$(top_srcdir)/tests/support
tests_unit_test_control_act_LDADD = $(control_ldadd)
tests_unit_test_control_act_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_control_approve_SOURCES = tests/unit/test_control_approve.c $(control_fixture) $(fake_audit)
tests_unit_test_control_approve_CPPFLAGS = $(control_cppflags) -I$(top_srcdir)/tests/support
tests_unit_test_control_approve_LDADD = $(control_ldadd)
tests_unit_test_control_status_SOURCES = tests/unit/test_control_status.c $(control_fixture) $(fake_audit)
tests_unit_test_control_status_CPPFLAGS = $(control_cppflags) -I$(top_srcdir)/tests/support
tests_unit_test_control_status_LDADD = $(control_ldadd)
tests_unit_test_control_main_SOURCES = tests/unit/test_control_main.c $(fake_audit)
tests_unit_test_control_main_CPPFLAGS = $(control_cppflags) -I$(top_srcdir)/tests/support
tests_unit_test_control_main_LDADD = $(control_ldadd)
tests_unit_test_helper_blocks_CPPFLAGS = $(control_cppflags)
tests_unit_test_helper_blocks_LDADD = $(control_ldadd)
tests_unit_test_helper_logins_CPPFLAGS = $(control_cppflags)
tests_unit_test_helper_logins_LDADD = $(control_ldadd)
