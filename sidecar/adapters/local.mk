# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += \
	sidecar/adapters/adapter.h sidecar/adapters/adapters.c \
	sidecar/adapters/answer.c sidecar/adapters/answer.h \
	sidecar/adapters/connect_answer.c sidecar/adapters/connect_target.c \
	sidecar/adapters/credential.c sidecar/adapters/credential.h \
	sidecar/adapters/line.c sidecar/adapters/line.h \
	sidecar/adapters/login.c sidecar/adapters/login.h \
	sidecar/adapters/mcp.c sidecar/adapters/mcp.h \
	sidecar/adapters/mcp_action.c sidecar/adapters/mcp_action.h sidecar/adapters/mcp_answers.c \
	sidecar/adapters/mcp_calls.c sidecar/adapters/mcp_calls.h \
	sidecar/adapters/mcp_error.c sidecar/adapters/mcp_error.h \
	sidecar/adapters/mcp_list.c sidecar/adapters/mcp_list.h \
	sidecar/adapters/mcp_message.c sidecar/adapters/mcp_message.h sidecar/adapters/mcp_names.c \
	sidecar/adapters/mcp_session.c sidecar/adapters/mcp_session.h sidecar/adapters/mcp_uri.c \
	sidecar/adapters/raw.c sidecar/adapters/raw.h \
	sidecar/adapters/raw_connect.c sidecar/adapters/raw_connect.h
