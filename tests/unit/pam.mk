# SPDX-License-Identifier: BSD-2-Clause
# libpam is a fake on one side of the module; on the other side the helper client is replaced symbol by symbol.
if PAM
unit_tests += tests/unit/test_pam_module
endif
tests_unit_test_pam_module_SOURCES = tests/unit/test_pam_module.c tests/support/fake_pam.c tests/support/fake_pam.h
tests_unit_test_pam_module_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags) $(fake_helper_ldflags) -Wl,--wrap=postern_grant_exp_s \
	-Wl,--wrap=clock_gettime
tests_unit_test_pam_module_LDADD = pam-module/libmodule.la $(unit_ldadd)
# For component tests: an application with the real libpam.
if PAM_CONFDIR
check_PROGRAMS += tests/support/pam_host
endif
tests_support_pam_host_SOURCES = tests/support/pam_host.c
tests_support_pam_host_LDADD = $(PAM_LIBS)
