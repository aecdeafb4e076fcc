# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += sidecar/audit/denials.c sidecar/audit/denials.h \
	sidecar/audit/file.c sidecar/audit/file.h sidecar/audit/flights.c sidecar/audit/flights.h sidecar/audit/line.c sidecar/audit/line.h sidecar/audit/main.c \
	sidecar/audit/record.c sidecar/audit/record.h sidecar/audit/server.c sidecar/audit/server.h \
	sidecar/audit/server_inner.h sidecar/audit/writers.c \
	sidecar/audit/tally.c sidecar/audit/tally.h sidecar/audit/tally_inner.h sidecar/audit/tally_memory.h sidecar/audit/tally_read.c \
	sidecar/audit/checkpoints.c sidecar/audit/checkpoints.h sidecar/audit/sums.c sidecar/audit/sums.h
