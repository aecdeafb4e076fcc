# SPDX-License-Identifier: BSD-2-Clause
lib_libclientcore_la_SOURCES += lib/base/error.c lib/base/bytes.c lib/base/buf.c lib/base/secret.c lib/base/base64.c \
	lib/base/arena.c lib/base/arena.h lib/base/keyfile.h
