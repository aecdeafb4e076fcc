# SPDX-License-Identifier: BSD-2-Clause
lib_libclientcore_la_SOURCES += lib/helper/client.c lib/helper/place.c lib/helper/socket_path.c lib/helper/socket_path.h
