# SPDX-License-Identifier: BSD-2-Clause
# libpostern-client = base + grant + sasl + helper (libc only).  libpostern = the rest, links it.  Programs and modules of ours link
# the convenience archives, so that private symbols never leave a shared object (doc/decisions/0002-linking.md).
noinst_LTLIBRARIES += lib/libclientcore.la lib/librun.la lib/libprocnet.la lib/libcore.la lib/libmint.la lib/libaudit.la
lib_libclientcore_la_SOURCES =
# What starts processes is apart: modules in daemons have no such code in them.
lib_librun_la_SOURCES = lib/run/token_run.c
# Owners of sockets: the hook of libpq and the SASL plugin need them and nothing else of the core.
lib_libprocnet_la_SOURCES = lib/http/proc_tcp.c lib/http/tcp_peer.c lib/http/trusted_owner.c
lib_libcore_la_SOURCES =
lib_libmint_la_SOURCES =
lib_libaudit_la_SOURCES =
lib_libcore_la_LIBADD = lib/libprocnet.la $(OPENSSL_LIBS) $(CURL_LIBS)
lib_libmint_la_LIBADD = $(OPENSSL_LIBS)
lib_libaudit_la_LIBADD = $(OPENSSL_LIBS)
core_libs = lib/libcore.la lib/libclientcore.la

lib_LTLIBRARIES += libpostern-client.la libpostern.la
libpostern_client_la_SOURCES =
libpostern_client_la_LIBADD = lib/librun.la lib/libclientcore.la
libpostern_client_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 $(NO_UNDEFINED) -Wl,--version-script=$(top_srcdir)/lib/libpostern-client.map
EXTRA_libpostern_client_la_DEPENDENCIES = lib/libpostern-client.map
libpostern_la_SOURCES =
libpostern_la_LIBADD = lib/libcore.la libpostern-client.la
libpostern_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 $(NO_UNDEFINED) -Wl,--version-script=$(top_srcdir)/lib/libpostern.map
EXTRA_libpostern_la_DEPENDENCIES = lib/libpostern.map
EXTRA_DIST += lib/libpostern-client.map lib/libpostern.map

pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = lib/libpostern.pc lib/libpostern-client.pc

posternincludedir = $(includedir)/postern
posterninclude_HEADERS = \
	include/postern/acquire.h include/postern/agent.h include/postern/bytes.h include/postern/client.h include/postern/config.h \
	include/postern/context.h include/postern/error.h include/postern/event.h include/postern/exchange.h include/postern/grant.h include/postern/login.h \
	include/postern/oauthbearer.h include/postern/op.h include/postern/policy.h include/postern/request.h include/postern/run.h \
	include/postern/survey.h include/postern/trail.h include/postern/upkeep.h include/postern/validate.h
noinst_HEADERS = include/postern-private/args_digest.h include/postern-private/assertion.h include/postern-private/audit_chain.h \
	include/postern-private/audit_checkpoint.h include/postern-private/clock.h include/postern-private/form.h include/postern-private/frame.h \
	include/postern-private/human.h include/postern-private/exec_words.h \
	include/postern-private/issuer_line.h include/postern-private/json.h include/postern-private/mint.h include/postern-private/pem.h include/postern-private/proc_tcp.h include/postern-private/redis_commands.def include/postern-private/reply.h include/postern-private/sha256.h \
	include/postern-private/tcp_peer.h
