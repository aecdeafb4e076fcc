# SPDX-License-Identifier: BSD-2-Clause
if POSTERND
fuzz_targets += tests/fuzz/fuzz_mcp_message tests/fuzz/fuzz_mcp_session tests/fuzz/fuzz_raw_login tests/fuzz/fuzz_redis_request \
	tests/fuzz/fuzz_redis_session
endif
tests_fuzz_fuzz_raw_login_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_raw_login_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_raw_login_SOURCES = tests/fuzz/fuzz_raw_login.c tests/support/raw_judge.c tests/support/raw_judge.h
tests_fuzz_fuzz_mcp_message_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_mcp_message_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_mcp_session_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_mcp_session_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_mcp_session_SOURCES = tests/fuzz/fuzz_mcp_session.c tests/support/mcp_rig.c tests/support/mcp_rig.h
tests_fuzz_fuzz_redis_request_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_redis_request_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_redis_session_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_redis_session_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_redis_session_SOURCES = tests/fuzz/fuzz_redis_session.c $(redis_rig)
