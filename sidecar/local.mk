# SPDX-License-Identifier: BSD-2-Clause
# Everything of posternd but main.c is a convenience library, so that unit tests link it; the roles append their files in
# sidecar/helper/local.mk and sidecar/issuer/local.mk.
if POSTERND
noinst_LTLIBRARIES += sidecar/libsidecar.la
endif
sidecar_libsidecar_la_SOURCES = sidecar/channel.c sidecar/channel.h sidecar/log.c sidecar/log.h sidecar/role.h
sidecar_libsidecar_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS) $(SQLITE_CFLAGS)
sidecar_libs = sidecar/libsidecar.la lib/libmint.la $(core_libs) $(EVENT_LIBS) $(SQLITE_LIBS)
