# SPDX-License-Identifier: BSD-2-Clause
# Everything of posternd but main.c is a convenience library, so that unit tests link it; the roles append their files in
# their own local.mk.
if POSTERND
noinst_LTLIBRARIES += sidecar/libsidecar.la
endif
sidecar_libsidecar_la_SOURCES = \
	sidecar/audit_secrets.c sidecar/audit_secrets.h sidecar/channel.c sidecar/channel.h sidecar/channel_watch.c sidecar/channel_watch.h sidecar/introspect_message.c sidecar/introspect_message.h sidecar/revoke_message.c sidecar/revoke_message.h sidecar/child.c sidecar/child.h sidecar/client_file.c sidecar/client_file.h \
	sidecar/issuer_clients.c sidecar/issuer_clients.h \
	sidecar/door_set.c sidecar/door_set.h sidecar/event_log.c sidecar/event_log.h sidecar/folder.c sidecar/folder.h \
	sidecar/generation.c sidecar/generation.h sidecar/generation_children.c sidecar/generation_inner.h sidecar/generation_messages.c \
	sidecar/generation_open.c sidecar/generation_open.h \
	sidecar/key_set.c sidecar/key_set.h sidecar/lines.c sidecar/lines.h sidecar/listen.c sidecar/listen.h \
	sidecar/log.c sidecar/log.h sidecar/login_policies.c sidecar/login_policies.h sidecar/names.c sidecar/names.h sidecar/notify.c sidecar/notify.h \
	sidecar/options.c sidecar/options.h sidecar/peers.c sidecar/peers.h sidecar/published_file.c sidecar/published_file.h \
	sidecar/privilege.c sidecar/privilege.h sidecar/spawn_set.c sidecar/spawn_set.h sidecar/pins.c sidecar/pins.h \
	sidecar/policy_ask.c sidecar/policy_ask.h sidecar/quota.c sidecar/quota.h \
	sidecar/role.h sidecar/sandbox.c sidecar/sandbox.h sidecar/sandbox_apart.c sidecar/sandbox_files.c sidecar/sandbox_landlock.c sidecar/sandbox_landlock.h sidecar/setting.c sidecar/setting.h sidecar/shared_memory.c sidecar/shared_memory.h \
	sidecar/supervisor.c sidecar/supervisor.h \
	sidecar/supervisor_line.c sidecar/supervisor_line.h sidecar/text_hash.h sidecar/timer.c sidecar/timer.h sidecar/upkeep.c sidecar/upkeep.h sidecar/users.c sidecar/users.h
if SECCOMP
sidecar_libsidecar_la_SOURCES += sidecar/sandbox_calls.c
else
sidecar_libsidecar_la_SOURCES += sidecar/sandbox_nocalls.c
endif
sidecar_libsidecar_la_SOURCES += sidecar/crypto_memory.c sidecar/crypto_memory.h
sidecar_libsidecar_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS) $(SQLITE_CFLAGS) $(SSL_CFLAGS)
sidecar_libs = sidecar/libsidecar.la lib/libmint.la lib/libaudit.la $(SSL_LIBS) $(core_libs) $(EVENT_LIBS) $(SQLITE_LIBS) $(SECCOMP_LIBS)

if POSTERND
sbin_PROGRAMS += posternd
endif
posternd_SOURCES = sidecar/main.c
posternd_CPPFLAGS = $(sidecar_libsidecar_la_CPPFLAGS)
posternd_CFLAGS = $(AM_CFLAGS) $(PROGRAM_CFLAGS)
posternd_LDFLAGS = $(AM_LDFLAGS) $(PROGRAM_LDFLAGS)
posternd_LDADD = $(sidecar_libs)
