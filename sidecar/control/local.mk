# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += \
	sidecar/control/act.c sidecar/control/act.h sidecar/control/act_approve.c sidecar/control/act_change.c sidecar/control/act_inner.h sidecar/control/act_look.c \
	sidecar/control/blocks_file.c sidecar/control/blocks_file.h sidecar/control/blocks_text.c sidecar/control/blocks_text.h \
	sidecar/control/control.h sidecar/control/control_request.c sidecar/control/control_request.h \
	sidecar/control/control_socket.c sidecar/control/control_socket.h sidecar/control/link.c sidecar/control/link.h \
	sidecar/control/main.c sidecar/control/status.c sidecar/control/status.h \
	sidecar/control/status_request.c sidecar/control/status_request.h
