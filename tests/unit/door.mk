# SPDX-License-Identifier: BSD-2-Clause
door_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS) $(SSL_CFLAGS)
door_ldadd = tests/support/libsupport.la $(sidecar_libs) $(CMOCKA_LIBS) -lpthread
door_certs = tests/unit/door_certs.c tests/unit/door_certs.h
if POSTERND
unit_tests += tests/unit/test_relay tests/unit/test_reserve tests/unit/test_tls \
	tests/unit/test_upstream
endif
tests_unit_test_relay_SOURCES = tests/unit/test_relay.c $(door_certs)
tests_unit_test_relay_CPPFLAGS = $(door_cppflags)
tests_unit_test_relay_LDADD = $(door_ldadd)
tests_unit_test_relay_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
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
