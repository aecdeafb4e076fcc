# SPDX-License-Identifier: BSD-2-Clause
lib_libclientcore_la_SOURCES += lib/base/clock.c lib/base/error.c lib/base/bytes.c lib/base/buf.c lib/base/secret.c lib/base/base64.c \
	lib/base/arena.c lib/base/arena.h lib/base/ascii.h lib/base/eight_bytes.h lib/base/fork_mark.c lib/base/fork_mark.h lib/base/keyfile.c lib/base/keyfile.h \
	lib/base/json.c lib/base/json_value.c lib/base/json_number.c lib/base/json_write.c lib/base/json_text.h lib/base/json_names.c lib/base/json_names.h \
	lib/base/nearest.c lib/base/nearest.h lib/base/plain_text.c lib/base/plain_text.h
