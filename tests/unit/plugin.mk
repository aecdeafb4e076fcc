# SPDX-License-Identifier: BSD-2-Clause
# libsasl is a fake on one side of the plugin; on the other side the helper client is replaced symbol by symbol.
if SASL_PLUGIN
unit_tests += tests/unit/test_plugin_server tests/unit/test_plugin_client
check_PROGRAMS += tests/support/sasl_pair
endif
# For component tests: server and client in one process, through the real libsasl.
tests_support_sasl_pair_SOURCES = tests/support/sasl_pair.c
tests_support_sasl_pair_CPPFLAGS = $(AM_CPPFLAGS) $(SASL_CFLAGS)
tests_support_sasl_pair_LDADD = $(SASL_LIBS)
fake_sasl = tests/support/fake_sasl.c tests/support/fake_sasl.h
fake_helper_ldflags = -Wl,--wrap=postern_client_verify_start -Wl,--wrap=postern_client_describe_start -Wl,--wrap=postern_client_info \
	-Wl,--wrap=postern_op_run -Wl,--wrap=postern_op_failure -Wl,--wrap=postern_op_take_grant -Wl,--wrap=postern_op_free \
	-Wl,--wrap=postern_grant_user -Wl,--wrap=postern_grant_authcid -Wl,--wrap=postern_grant_ref -Wl,--wrap=postern_grant_free
tests_unit_test_plugin_server_SOURCES = tests/unit/test_plugin_server.c $(fake_sasl)
tests_unit_test_plugin_server_CPPFLAGS = $(AM_CPPFLAGS) $(SASL_CFLAGS)
tests_unit_test_plugin_server_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags) $(fake_helper_ldflags)
tests_unit_test_plugin_server_LDADD = sasl-plugin/libplugin.la lib/librun.la lib/libprocnet.la $(unit_ldadd)
tests_unit_test_plugin_client_SOURCES = tests/unit/test_plugin_client.c $(fake_sasl)
tests_unit_test_plugin_client_CPPFLAGS = $(AM_CPPFLAGS) $(SASL_CFLAGS)
tests_unit_test_plugin_client_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_plugin_client_LDADD = sasl-plugin/libplugin.la lib/librun.la lib/libprocnet.la $(unit_ldadd)
