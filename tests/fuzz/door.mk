# SPDX-License-Identifier: BSD-2-Clause
if POSTERND
fuzz_targets += tests/fuzz/fuzz_backend_answer tests/fuzz/fuzz_rates tests/fuzz/fuzz_upstream_target
endif
tests_fuzz_fuzz_backend_answer_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS) $(SSL_CFLAGS)
tests_fuzz_fuzz_backend_answer_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_rates_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(SSL_CFLAGS)
tests_fuzz_fuzz_rates_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_upstream_target_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS) $(SSL_CFLAGS)
tests_fuzz_fuzz_upstream_target_LDADD = $(sidecar_libs) $(fuzz_ldadd)
