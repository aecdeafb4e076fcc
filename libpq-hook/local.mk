# SPDX-License-Identifier: BSD-2-Clause
# libpostern-libpq.so is preloaded into psql: libc only, and libpq by weak references (tests/lint/modules).
if LIBPQ_HOOK
noinst_LTLIBRARIES += libpq-hook/libhook.la
lib_LTLIBRARIES += libpostern-libpq.la
endif
libpq_hook_libhook_la_SOURCES = libpq-hook/hook.c libpq-hook/hook.h libpq-hook/peer.c libpq-hook/target.c
libpq_hook_libhook_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBPQ_CPPFLAGS)
libpostern_libpq_la_SOURCES =
libpostern_libpq_la_LIBADD = libpq-hook/libhook.la lib/librun.la lib/libprocnet.la lib/libclientcore.la
libpostern_libpq_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -no-undefined $(NO_UNDEFINED) -Wl,-z,nodelete \
	-Wl,--version-script=$(top_srcdir)/libpq-hook/hook.map
EXTRA_libpostern_libpq_la_DEPENDENCIES = libpq-hook/hook.map
EXTRA_DIST += libpq-hook/hook.map
