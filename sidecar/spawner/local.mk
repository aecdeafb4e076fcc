# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += sidecar/spawner/keeper.c sidecar/spawner/keeper.h sidecar/spawner/kill_children.c \
	sidecar/spawner/kill_children.h sidecar/spawner/main.c \
	sidecar/spawner/program.c sidecar/spawner/program.h sidecar/spawner/said.c sidecar/spawner/said.h \
	sidecar/spawner/start.c sidecar/spawner/start.h
