# SPDX-License-Identifier: BSD-2-Clause
lib_libcore_la_SOURCES += lib/http/form.c lib/http/http.h
