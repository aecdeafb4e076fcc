# SPDX-License-Identifier: BSD-2-Clause
# liboauthbearer.so links the client core only: every process that uses SASL loads it (tests/lint/modules).  Its objects are
# an archive of their own so that unit tests can call them; the module exports two names.
if SASL_PLUGIN
noinst_LTLIBRARIES += sasl-plugin/libplugin.la
endif
sasl_plugin_libplugin_la_SOURCES = sasl-plugin/client.c sasl-plugin/client.h sasl-plugin/client_ask.c sasl-plugin/client_run.c \
	sasl-plugin/client_token.c sasl-plugin/init.c sasl-plugin/log.c sasl-plugin/mech.c sasl-plugin/options.c sasl-plugin/peer.c \
	sasl-plugin/plugin.h sasl-plugin/result.c sasl-plugin/server.c sasl-plugin/service.c
sasl_plugin_libplugin_la_CPPFLAGS = $(AM_CPPFLAGS) $(SASL_CFLAGS)
