# SPDX-License-Identifier: BSD-2-Clause
# pam_postern.so links the client core and libpam only: whatever has PAM loads it (tests/lint/modules).  Its objects are an
# archive of their own so that unit tests can call them; the module exports what libpam looks for.
if PAM
noinst_LTLIBRARIES += pam-module/libmodule.la
pam_module_LTLIBRARIES = pam-module/pam_postern.la
endif
pam_module_libmodule_la_SOURCES = pam-module/account.c pam-module/module.c pam-module/module.h pam-module/options.c \
	pam-module/password.c pam-module/result.c pam-module/verdict_log.c
pam_module_pam_postern_la_SOURCES =
pam_module_pam_postern_la_LIBADD = pam-module/libmodule.la lib/libclientcore.la $(PAM_LIBS)
pam_module_pam_postern_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -no-undefined $(NO_UNDEFINED) -Wl,-z,nodelete \
	-export-symbols-regex '^pam_sm_(authenticate|setcred|acct_mgmt)$$'
