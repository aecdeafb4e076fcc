# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += \
	sidecar/door/pipes.c sidecar/door/pipes.h \
	sidecar/door/records.c sidecar/door/records.h \
	sidecar/door/relay.c sidecar/door/relay.h \
	sidecar/door/reserve.c sidecar/door/reserve.h \
	sidecar/door/tls.c sidecar/door/tls.h sidecar/door/tls_own.c sidecar/door/tls_own.h \
	sidecar/door/upstream.c sidecar/door/upstream.h \
	sidecar/door/upstream_target.c
