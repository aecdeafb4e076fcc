# SPDX-License-Identifier: BSD-2-Clause
door_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS) $(SSL_CFLAGS)
door_ldadd = tests/support/libsupport.la $(sidecar_libs) $(CMOCKA_LIBS) -lpthread
door_certs = tests/unit/door_certs.c tests/unit/door_certs.h
if POSTERND
unit_tests += tests/unit/test_backend_answer tests/unit/test_door tests/unit/test_door_settings tests/unit/test_held_calls tests/unit/test_holds tests/unit/test_inspect tests/unit/test_judged_door tests/unit/test_lease tests/unit/test_limits \
	tests/unit/test_loop tests/unit/test_mailbox tests/unit/test_mcp_flood tests/unit/test_rates tests/unit/test_recheck tests/unit/test_registry tests/unit/test_relay tests/unit/test_reserve \
	tests/unit/test_role_line tests/unit/test_taken_back tests/unit/test_tls tests/unit/test_upstream
endif
tests_unit_test_backend_answer_CPPFLAGS = $(door_cppflags)
tests_unit_test_backend_answer_LDADD = $(door_ldadd)
tests_unit_test_backend_answer_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_relay_SOURCES = tests/unit/test_relay.c $(door_certs)
tests_unit_test_relay_CPPFLAGS = $(door_cppflags)
tests_unit_test_relay_LDADD = $(door_ldadd)
tests_unit_test_relay_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_inspect_SOURCES = tests/unit/test_inspect.c tests/unit/line_adapter.c tests/unit/line_adapter.h $(door_certs)
tests_unit_test_inspect_CPPFLAGS = $(door_cppflags)
tests_unit_test_inspect_LDADD = $(door_ldadd)
tests_unit_test_inspect_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_holds_CPPFLAGS = $(door_cppflags)
tests_unit_test_holds_LDADD = $(door_ldadd)
tests_unit_test_holds_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags) -Wl,--wrap=settings_ref -Wl,--wrap=settings_unref
tests_unit_test_judged_door_SOURCES = tests/unit/test_judged_door.c tests/unit/line_adapter.c tests/unit/line_adapter.h \
	tests/unit/door_rig.c tests/unit/door_rig.h $(door_certs)
tests_unit_test_judged_door_CPPFLAGS = $(door_cppflags)
tests_unit_test_judged_door_LDADD = $(door_ldadd)
tests_unit_test_judged_door_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=adapter_find
tests_unit_test_mcp_flood_SOURCES = tests/unit/test_mcp_flood.c $(door_certs)
tests_unit_test_mcp_flood_CPPFLAGS = $(door_cppflags)
tests_unit_test_mcp_flood_LDADD = $(door_ldadd)
tests_unit_test_held_calls_SOURCES = tests/unit/test_held_calls.c tests/unit/door_rig.c tests/unit/door_rig.h $(door_certs)
tests_unit_test_held_calls_CPPFLAGS = $(door_cppflags)
tests_unit_test_held_calls_LDADD = $(door_ldadd)
tests_unit_test_held_calls_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=rates_take
tests_unit_test_rates_CPPFLAGS = $(door_cppflags)
tests_unit_test_rates_LDADD = $(door_ldadd)
tests_unit_test_rates_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags) -Wl,--wrap=EVP_Digest
tests_unit_test_recheck_CPPFLAGS = $(door_cppflags)
tests_unit_test_recheck_LDADD = $(door_ldadd)
tests_unit_test_recheck_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=loop_now -Wl,--wrap=gate_new -Wl,--wrap=gate_begin -Wl,--wrap=gate_free
tests_unit_test_reserve_SOURCES = tests/unit/test_reserve.c $(door_certs)
tests_unit_test_reserve_CPPFLAGS = $(door_cppflags)
tests_unit_test_reserve_LDADD = $(door_ldadd)
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c $(door_certs)
tests_unit_test_tls_CPPFLAGS = $(door_cppflags)
tests_unit_test_tls_LDADD = $(door_ldadd)
tests_unit_test_tls_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_upstream_SOURCES = tests/unit/test_upstream.c $(door_certs)
tests_unit_test_upstream_CPPFLAGS = $(door_cppflags)
tests_unit_test_upstream_LDADD = $(door_ldadd)
tests_unit_test_upstream_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_door_SOURCES = tests/unit/test_door.c tests/unit/door_rig.c tests/unit/door_rig.h $(door_certs)
tests_unit_test_door_CPPFLAGS = $(door_cppflags)
tests_unit_test_door_LDADD = $(door_ldadd)
tests_unit_test_door_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=session_renew
tests_unit_test_door_settings_SOURCES = tests/unit/test_door_settings.c $(door_certs)
tests_unit_test_door_settings_CPPFLAGS = $(door_cppflags)
tests_unit_test_door_settings_LDADD = $(door_ldadd)
tests_unit_test_door_settings_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_lease_CPPFLAGS = $(door_cppflags)
tests_unit_test_lease_LDADD = $(door_ldadd)
tests_unit_test_limits_CPPFLAGS = $(door_cppflags)
tests_unit_test_limits_LDADD = $(door_ldadd)
tests_unit_test_limits_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_mailbox_CPPFLAGS = $(door_cppflags)
tests_unit_test_mailbox_LDADD = $(door_ldadd)
tests_unit_test_mailbox_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_registry_CPPFLAGS = $(door_cppflags)
tests_unit_test_registry_LDADD = $(door_ldadd)
tests_unit_test_registry_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_role_line_CPPFLAGS = $(door_cppflags)
tests_unit_test_role_line_LDADD = $(door_ldadd)
tests_unit_test_role_line_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_taken_back_CPPFLAGS = $(door_cppflags)
tests_unit_test_taken_back_LDADD = $(door_ldadd)
tests_unit_test_taken_back_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_loop_CPPFLAGS = $(door_cppflags)
tests_unit_test_loop_LDADD = $(door_ldadd)
