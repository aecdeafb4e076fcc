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
	sidecar/adapters/raw_connect.c sidecar/adapters/raw_connect.h \
	sidecar/adapters/redis.h sidecar/adapters/redis_backend.c sidecar/adapters/redis_client.c \
	sidecar/adapters/redis_commands.c sidecar/adapters/redis_keys.c sidecar/adapters/redis_keys.h \
	sidecar/adapters/redis_login.c sidecar/adapters/redis_queue.c \
	sidecar/adapters/redis_reply.c sidecar/adapters/redis_reply.h \
	sidecar/adapters/redis_request.c sidecar/adapters/redis_request.h \
	sidecar/adapters/redis_session.c sidecar/adapters/bytes_hash.h sidecar/adapters/redis_kept.c sidecar/adapters/redis_state.h
