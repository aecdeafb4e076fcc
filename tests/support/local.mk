# SPDX-License-Identifier: BSD-2-Clause
# What tests of several rooms share.  An archive: a test takes from it only what it calls.
check_LTLIBRARIES += tests/support/libsupport.la
tests_support_libsupport_la_SOURCES = tests/support/alloc_fail.c tests/support/alloc_fail.h \
	tests/support/effort.c tests/support/effort.h \
	tests/support/fake_transport.c tests/support/fake_transport.h tests/support/jose_judge.c tests/support/jose_judge.h tests/support/op_stub.c tests/support/op_stub.h \
	tests/support/policy_lines.c tests/support/policy_lines.h \
	tests/support/test_folder.c tests/support/test_folder.h tests/support/test_login.c tests/support/test_login.h \
	tests/support/test_keys.c tests/support/test_keys.h tests/support/test_policy.c tests/support/test_policy.h tests/support/together.c \
	tests/support/together.h
# Tokens that must be refused, and the program that prints them for doc/design/attack-tokens.md.
tests_support_libsupport_la_SOURCES += tests/support/attack_table.c tests/support/attack_table.h tests/support/attack_sites.c \
	tests/support/attack_form.c tests/support/attack_header.c tests/support/attack_type.c tests/support/attack_issuers.c tests/support/attack_kid.c tests/support/attack_keys.c \
	tests/support/attack_recipes.c tests/support/attack_rsa.c tests/support/attack_signature.c tests/support/attack_payload.c tests/support/attack_claims.c tests/support/attack_identities.c \
	tests/support/attack_parties.c tests/support/attack_scope.c tests/support/attack_users.c
check_PROGRAMS += tests/support/attack_table
tests_support_attack_table_SOURCES = tests/support/attack_print.c
tests_support_attack_table_LDADD = tests/support/libsupport.la $(core_libs) $(OPENSSL_LIBS)
tests_support_libsupport_la_LIBADD = $(OPENSSL_LIBS)
# For a test that makes allocations fail (tests/support/alloc_fail.h): tests_unit_test_NAME_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
alloc_fail_ldflags = -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=reallocarray -Wl,--wrap=strdup -Wl,--wrap=strndup
check_PROGRAMS += tests/support/token_tool
tests_support_token_tool_LDADD = lib/libmint.la $(core_libs)
# The Redis adapter alone, in front of a real server (tests/component/test_redis_table.py, test_redis_differential.py).
redis_rig = tests/support/redis_rig.c tests/support/redis_rig.h
if POSTERND
check_PROGRAMS += tests/support/redis_judge
endif
tests_support_redis_judge_SOURCES = tests/support/redis_judge.c $(redis_rig)
tests_support_redis_judge_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_support_redis_judge_LDADD = $(sidecar_libs)
# An ordinary client, for tests/component/test_redis_clients.py.
if HAVE_HIREDIS
check_PROGRAMS += tests/support/hiredis_client
endif
tests_support_hiredis_client_CPPFLAGS = $(AM_CPPFLAGS) $(HIREDIS_CFLAGS)
tests_support_hiredis_client_LDADD = $(HIREDIS_LIBS)
# Looks for pieces of tokens where none may be; component tests run it (tests/component/test_canary.sh).
check_PROGRAMS += tests/support/canary
tests_support_canary_SOURCES = tests/support/canary.c
TESTS += tests/unit/test_canary.sh
EXTRA_DIST += tests/unit/test_canary.sh tests/support/link
if POSTERND
check_PROGRAMS += tests/support/mcp_judge
endif
tests_support_mcp_judge_SOURCES = tests/support/mcp_judge.c tests/support/mcp_rig.c tests/support/mcp_rig.h
tests_support_mcp_judge_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(JSONC_CFLAGS)
tests_support_mcp_judge_LDADD = $(sidecar_libs) $(JSONC_LIBS)
