# SPDX-License-Identifier: BSD-2-Clause
if CLI
fuzz_targets += tests/fuzz/fuzz_connect_answer tests/fuzz/fuzz_connect_url tests/fuzz/fuzz_doctor_conf tests/fuzz/fuzz_login_callback
endif
tests_fuzz_fuzz_connect_answer_SOURCES = tests/fuzz/fuzz_connect_answer.c cli/connect_answer.c cli/connect_answer.h
tests_fuzz_fuzz_connect_answer_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_fuzz_fuzz_connect_answer_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_connect_url_SOURCES = tests/fuzz/fuzz_connect_url.c cli/connect_target.c cli/connect_target.h cli/host_match.c cli/host_match.h
tests_fuzz_fuzz_connect_url_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_fuzz_fuzz_connect_url_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_login_callback_SOURCES = tests/fuzz/fuzz_login_callback.c cli/login_callback.c cli/login_callback.h
tests_fuzz_fuzz_login_callback_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_fuzz_fuzz_login_callback_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_doctor_conf_SOURCES = tests/fuzz/fuzz_doctor_conf.c cli/doctor_conf.c cli/doctor_conf.h
tests_fuzz_fuzz_doctor_conf_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_fuzz_fuzz_doctor_conf_LDADD = $(fuzz_ldadd)
