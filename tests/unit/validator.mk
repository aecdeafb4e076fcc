# SPDX-License-Identifier: BSD-2-Clause
# The server is a fake on one side of the module; on the other side the helper client is replaced symbol by symbol.
if POSTGRESQL_VALIDATOR
unit_tests += tests/unit/test_validator
endif
tests_unit_test_validator_SOURCES = tests/unit/test_validator.c tests/support/fake_postgres.c tests/support/fake_postgres.h
tests_unit_test_validator_CPPFLAGS = $(AM_CPPFLAGS) $(POSTGRESQL_CPPFLAGS)
tests_unit_test_validator_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=postern_client_verify_start -Wl,--wrap=postern_op_step -Wl,--wrap=postern_op_fd \
	-Wl,--wrap=postern_op_wait_ms -Wl,--wrap=postern_op_failure -Wl,--wrap=postern_op_take_grant -Wl,--wrap=postern_op_free \
	-Wl,--wrap=postern_grant_user -Wl,--wrap=postern_grant_authcid -Wl,--wrap=postern_grant_ref -Wl,--wrap=postern_grant_issuer \
	-Wl,--wrap=postern_grant_free
tests_unit_test_validator_LDADD = postgres-validator/libvalidator.la $(unit_ldadd)
# The client's side.  The hook sets itself in a constructor, so its file is compiled in.
if LIBPQ_HOOK
unit_tests += tests/unit/test_hook tests/unit/test_hook_peer tests/unit/test_hook_target
endif
tests_unit_test_hook_peer_LDADD = libpq-hook/libhook.la lib/librun.la $(unit_ldadd)
tests_unit_test_hook_peer_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=geteuid -Wl,--wrap=getpwnam_r -Wl,--wrap=getsockopt \
	-Wl,--wrap=postern_tcp_peer_owner
tests_unit_test_hook_target_LDADD = libpq-hook/libhook.la lib/librun.la $(unit_ldadd)
tests_unit_test_hook_SOURCES = tests/unit/test_hook.c libpq-hook/hook.c libpq-hook/target.c
tests_unit_test_hook_CPPFLAGS = $(AM_CPPFLAGS) $(LIBPQ_CPPFLAGS)
tests_unit_test_hook_LDADD = lib/librun.la $(unit_ldadd)
