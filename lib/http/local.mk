# SPDX-License-Identifier: BSD-2-Clause
lib_libcore_la_SOURCES += lib/http/form.c lib/http/freshness.c lib/http/freshness.h lib/http/http.h lib/http/http_curl.c lib/http/issuer_line.c lib/http/issuer_line.h lib/http/judge.c lib/http/judge.h \
	lib/http/listener.c lib/http/listener.h lib/http/url.c lib/http/url.h lib/http/url_guard.c lib/http/url_guard.h
