# SPDX-License-Identifier: BSD-2-Clause
lib_libclientcore_la_SOURCES += lib/grant/op.c lib/grant/op.h lib/grant/frame.c lib/grant/grant.c lib/grant/grant.h lib/grant/reply.c lib/grant/reply.h
