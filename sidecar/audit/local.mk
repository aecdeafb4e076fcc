# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += sidecar/audit/line.h sidecar/audit/record.c sidecar/audit/record.h
