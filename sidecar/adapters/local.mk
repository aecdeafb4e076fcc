# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += sidecar/adapters/adapter.h
