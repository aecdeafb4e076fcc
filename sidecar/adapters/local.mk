# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += \
	sidecar/adapters/adapter.h sidecar/adapters/adapters.c \
	sidecar/adapters/answer.c sidecar/adapters/answer.h \
	sidecar/adapters/connect_answer.c sidecar/adapters/connect_target.c \
	sidecar/adapters/credential.c sidecar/adapters/credential.h \
	sidecar/adapters/line.c sidecar/adapters/line.h \
	sidecar/adapters/raw.c sidecar/adapters/raw.h \
	sidecar/adapters/raw_connect.c sidecar/adapters/raw_connect.h \
	sidecar/adapters/redis.h sidecar/adapters/redis_backend.c sidecar/adapters/redis_client.c \
	sidecar/adapters/redis_commands.c sidecar/adapters/redis_keys.c sidecar/adapters/redis_keys.h \
	sidecar/adapters/redis_login.c sidecar/adapters/redis_queue.c \
	sidecar/adapters/redis_reply.c sidecar/adapters/redis_reply.h \
	sidecar/adapters/redis_request.c sidecar/adapters/redis_request.h \
	sidecar/adapters/redis_session.c sidecar/adapters/redis_state.h
