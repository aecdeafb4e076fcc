# SPDX-License-Identifier: BSD-2-Clause
sidecar_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
sidecar_ldadd = tests/support/libsupport.la $(sidecar_libs) $(CMOCKA_LIBS)
if POSTERND
unit_tests += tests/unit/test_channel tests/unit/test_folder tests/unit/test_key_set tests/unit/test_listen \
	tests/unit/test_log tests/unit/test_published_file tests/unit/test_supervisor_line tests/unit/test_users
if SECCOMP
unit_tests += tests/unit/test_sandbox_calls
endif
endif
tests_unit_test_channel_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_channel_LDADD = $(sidecar_ldadd)
tests_unit_test_channel_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_folder_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_folder_LDADD = $(sidecar_ldadd)
tests_unit_test_key_set_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_key_set_LDADD = $(sidecar_ldadd)
tests_unit_test_listen_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_listen_LDADD = $(sidecar_ldadd)
tests_unit_test_log_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_log_LDADD = $(sidecar_ldadd)
tests_unit_test_published_file_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_published_file_LDADD = $(sidecar_ldadd)
tests_unit_test_supervisor_line_CPPFLAGS = $(sidecar_cppflags) $(EVENT_CFLAGS)
tests_unit_test_supervisor_line_LDADD = $(sidecar_ldadd)
tests_unit_test_supervisor_line_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_sandbox_calls_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_sandbox_calls_LDADD = $(sidecar_ldadd)
tests_unit_test_users_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_users_LDADD = $(sidecar_ldadd)

# postern why, without the rest of the command line
if CLI
unit_tests += tests/unit/test_why
endif
tests_unit_test_why_SOURCES = tests/unit/test_why.c cli/audit_find.c cli/audit_find.h cli/why_advice.c cli/why_advice.h
tests_unit_test_why_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli

# The real daemon with roles that misbehave on command (tests/component/test_supervisor.py)
if POSTERND
check_PROGRAMS += tests/support/posternd_fake
endif
tests_support_posternd_fake_SOURCES = tests/support/posternd_fake.c sidecar/main.c
tests_support_posternd_fake_CPPFLAGS = $(sidecar_cppflags) -DROLE_READY_MAX_MS=5000
tests_support_posternd_fake_LDADD = $(sidecar_libs)
