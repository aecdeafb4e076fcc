# SPDX-License-Identifier: BSD-2-Clause
if POSTERND
unit_tests += tests/unit/test_answer tests/unit/test_raw tests/unit/test_raw_connect tests/unit/test_redis_login \
	tests/unit/test_redis_session tests/unit/test_mcp_message tests/unit/test_mcp_session tests/unit/test_pins
endif
tests_unit_test_answer_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_answer_LDADD = $(sidecar_ldadd)
tests_unit_test_answer_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_raw_SOURCES = tests/unit/test_raw.c $(raw_fixture)
tests_unit_test_raw_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_raw_LDADD = $(sidecar_ldadd)
tests_unit_test_raw_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags) -Wl,--wrap=free
tests_unit_test_raw_connect_SOURCES = tests/unit/test_raw_connect.c $(raw_fixture)
tests_unit_test_raw_connect_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_raw_connect_LDADD = $(sidecar_ldadd)
tests_unit_test_raw_connect_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
raw_fixture = tests/unit/raw_fixture.c tests/unit/raw_fixture.h tests/support/raw_judge.c tests/support/raw_judge.h
tests_unit_test_redis_login_SOURCES = tests/unit/test_redis_login.c $(redis_rig)
tests_unit_test_redis_login_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_redis_login_LDADD = $(sidecar_ldadd)
tests_unit_test_redis_login_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_redis_session_SOURCES = tests/unit/test_redis_session.c $(redis_rig)
tests_unit_test_redis_session_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_redis_session_LDADD = $(sidecar_ldadd)
tests_unit_test_redis_session_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_mcp_message_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_mcp_message_LDADD = $(sidecar_ldadd)
tests_unit_test_mcp_message_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_mcp_session_SOURCES = tests/unit/test_mcp_session.c tests/support/mcp_rig.c tests/support/mcp_rig.h
tests_unit_test_mcp_session_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_mcp_session_LDADD = $(sidecar_ldadd)
tests_unit_test_mcp_session_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags) -Wl,--wrap=EVP_Digest
tests_unit_test_pins_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_pins_LDADD = $(sidecar_ldadd)
tests_unit_test_pins_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
