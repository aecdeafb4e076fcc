# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += \
	sidecar/adapters/adapter.h sidecar/adapters/adapters.c \
	sidecar/adapters/answer.c sidecar/adapters/answer.h \
	sidecar/adapters/connect_answer.c sidecar/adapters/connect_target.c \
	sidecar/adapters/credential.c sidecar/adapters/credential.h \
	sidecar/adapters/line.c sidecar/adapters/line.h \
	sidecar/adapters/raw.c sidecar/adapters/raw.h \
	sidecar/adapters/raw_connect.c sidecar/adapters/raw_connect.h
