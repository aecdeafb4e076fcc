# SPDX-License-Identifier: BSD-2-Clause
if POSTERND
fuzz_targets += tests/fuzz/fuzz_said
endif
tests_fuzz_fuzz_said_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_said_LDADD = $(sidecar_libs) $(fuzz_ldadd)
