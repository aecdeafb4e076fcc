# SPDX-License-Identifier: BSD-2-Clause
# liboauthbearer.so links the client core only: every process that uses SASL loads it (tests/lint/modules).  Its objects are
# an archive of their own so that unit tests can call them; the module exports two names.
if SASL_PLUGIN
noinst_LTLIBRARIES += sasl-plugin/libplugin.la
sasl_plugin_LTLIBRARIES = sasl-plugin/liboauthbearer.la
endif
sasl_plugin_libplugin_la_SOURCES = sasl-plugin/client.c sasl-plugin/client.h sasl-plugin/client_ask.c \
	sasl-plugin/client_token.c sasl-plugin/client_way.c sasl-plugin/init.c sasl-plugin/log.c sasl-plugin/mech.c sasl-plugin/options.c sasl-plugin/peer.c \
	sasl-plugin/plugin.h sasl-plugin/result.c sasl-plugin/server.c sasl-plugin/service.c
sasl_plugin_libplugin_la_CPPFLAGS = $(AM_CPPFLAGS) $(SASL_CFLAGS)
sasl_plugin_liboauthbearer_la_SOURCES =
sasl_plugin_liboauthbearer_la_LIBADD = sasl-plugin/libplugin.la lib/librun.la lib/libprocnet.la lib/libclientcore.la
sasl_plugin_liboauthbearer_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -no-undefined $(NO_UNDEFINED) -Wl,-z,nodelete \
	-export-symbols-regex '^sasl_(server|client)_plug_init$$'
