# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += sidecar/door/backend_answer.c sidecar/door/backend_answer.h sidecar/door/backend_login.c \
	sidecar/door/backend_login.h sidecar/door/backend_session.c sidecar/door/backend_session.h sidecar/door/conn.c sidecar/door/conn.h sidecar/door/gate.c sidecar/door/gate.h \
	sidecar/door/lease.c sidecar/door/lease.h sidecar/door/limits.c sidecar/door/limits.h sidecar/door/role_line.c \
	sidecar/door/role_line.h sidecar/door/loop.c sidecar/door/loop.h sidecar/door/mailbox.c sidecar/door/mailbox.h \
	sidecar/door/main.c sidecar/door/main.h sidecar/door/audit.c sidecar/door/audit.h sidecar/door/registry.c \
	sidecar/door/registry.h sidecar/door/session.c sidecar/door/session.h sidecar/door/session_inner.h sidecar/door/session_judge.c sidecar/door/settings.c \
	sidecar/door/settings.h sidecar/door/taken_back.c sidecar/door/taken_back.h
sidecar_libsidecar_la_SOURCES += \
	sidecar/door/action_record.c sidecar/door/action_record.h \
	sidecar/door/actions.c sidecar/door/actions.h \
	sidecar/door/greeting.c sidecar/door/greeting.h \
	sidecar/door/holds.c sidecar/door/holds.h \
	sidecar/door/holds_control.c sidecar/door/holds_control.h \
	sidecar/door/inspect.c sidecar/door/inspect.h \
	sidecar/door/leg.c sidecar/door/leg.h \
	sidecar/door/rates.c sidecar/door/rates.h \
	sidecar/door/rates_memory.c sidecar/door/rates_memory.h \
	sidecar/door/refusal.c sidecar/door/refusal.h \
	sidecar/door/renew_within.c sidecar/door/renew_within.h \
	sidecar/door/wire.c sidecar/door/wire.h \
	sidecar/door/pipes.c sidecar/door/pipes.h \
	sidecar/door/program_start.c sidecar/door/program_start.h \
	sidecar/door/recheck.c sidecar/door/recheck.h sidecar/door/records.c sidecar/door/records.h \
	sidecar/door/relay.c sidecar/door/relay.h \
	sidecar/door/reserve.c sidecar/door/reserve.h \
	sidecar/door/tls.c sidecar/door/tls.h sidecar/door/tls_own.c sidecar/door/tls_own.h \
	sidecar/door/upstream.c sidecar/door/upstream.h \
	sidecar/door/upstream_target.c
