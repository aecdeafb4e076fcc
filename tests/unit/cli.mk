# SPDX-License-Identifier: BSD-2-Clause
if CLI
unit_tests += tests/unit/test_connect_answer tests/unit/test_connect_lease tests/unit/test_connect_peer tests/unit/test_connect_target \
	tests/unit/test_login_callback tests/unit/test_login_store
unit_tests += tests/unit/test_child_run tests/unit/test_doctor_conf tests/unit/test_doctor_report tests/unit/test_hosts \
	tests/unit/test_init_files tests/unit/test_init_guess
endif
cli_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_unit_test_connect_answer_SOURCES = tests/unit/test_connect_answer.c cli/connect_answer.c cli/connect_answer.h
tests_unit_test_connect_answer_CPPFLAGS = $(cli_cppflags)
tests_unit_test_connect_answer_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_connect_lease_SOURCES = tests/unit/test_connect_lease.c cli/connect_lease.c cli/connect_lease.h
tests_unit_test_connect_lease_CPPFLAGS = $(cli_cppflags)
tests_unit_test_connect_peer_SOURCES = tests/unit/test_connect_peer.c cli/connect_peer.c cli/connect_peer.h
tests_unit_test_connect_peer_CPPFLAGS = $(cli_cppflags)
tests_unit_test_connect_peer_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=postern_proc_tcp_walk
tests_unit_test_connect_target_SOURCES = tests/unit/test_connect_target.c cli/connect_target.c cli/connect_target.h cli/host_match.c \
	cli/host_match.h
tests_unit_test_connect_target_CPPFLAGS = $(cli_cppflags)
tests_unit_test_login_callback_SOURCES = tests/unit/test_login_callback.c cli/login_callback.c cli/login_callback.h
tests_unit_test_login_callback_CPPFLAGS = $(cli_cppflags)
unit_tests += tests/unit/test_private_file
tests_unit_test_private_file_SOURCES = tests/unit/test_private_file.c cli/private_file.c cli/private_file.h
tests_unit_test_private_file_CPPFLAGS = $(cli_cppflags)
tests_unit_test_login_store_SOURCES = tests/unit/test_login_store.c cli/login_store.c cli/login_store.h cli/private_file.c cli/private_file.h
tests_unit_test_login_store_CPPFLAGS = $(cli_cppflags)
tests_unit_test_login_store_LDADD = $(unit_ldadd) $(OPENSSL_LIBS)
TESTS += tests/unit/test_admin_options.sh
EXTRA_DIST += tests/unit/test_admin_options.sh
tests_unit_test_child_run_SOURCES = tests/unit/test_child_run.c cli/child_run.c cli/child_run.h
tests_unit_test_child_run_CPPFLAGS = $(cli_cppflags)
tests_unit_test_doctor_conf_SOURCES = tests/unit/test_doctor_conf.c cli/doctor_conf.c cli/doctor_conf.h
tests_unit_test_doctor_conf_CPPFLAGS = $(cli_cppflags)
tests_unit_test_doctor_report_SOURCES = tests/unit/test_doctor_report.c cli/doctor_report.c cli/doctor_report.h cli/safe_text.c cli/safe_text.h
tests_unit_test_doctor_report_CPPFLAGS = $(cli_cppflags)
tests_unit_test_doctor_report_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_hosts_SOURCES = tests/unit/test_hosts.c cli/hosts.c cli/hosts.def cli/hosts.h
tests_unit_test_hosts_CPPFLAGS = $(cli_cppflags)
tests_unit_test_init_files_SOURCES = tests/unit/test_init_files.c cli/init_files.c cli/init_files.h
tests_unit_test_init_files_CPPFLAGS = $(cli_cppflags)
tests_unit_test_init_files_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_init_guess_SOURCES = tests/unit/test_init_guess.c cli/hosts.c cli/hosts.def cli/hosts.h cli/init_guess.c cli/init_guess.h
tests_unit_test_init_guess_CPPFLAGS = $(cli_cppflags)
if CLI
TESTS += tests/unit/test_host_lines.sh
endif
EXTRA_DIST += tests/unit/test_host_lines.sh
