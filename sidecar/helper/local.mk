# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += sidecar/helper/blocks.c sidecar/helper/blocks.h sidecar/helper/helper.c sidecar/helper/helper.h \
	sidecar/helper/handles.c sidecar/helper/handles.h sidecar/helper/links.c sidecar/helper/links.h \
	sidecar/helper/login.c sidecar/helper/login.h sidecar/helper/login_policy.c sidecar/helper/login_policy.h sidecar/helper/logins.c sidecar/helper/logins.h \
	sidecar/helper/request.c sidecar/helper/request.h \
	sidecar/helper/saslauthd.c sidecar/helper/saslauthd.h \
	sidecar/helper/server.c sidecar/helper/server.h
