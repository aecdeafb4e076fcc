# SPDX-License-Identifier: BSD-2-Clause
fuzz_targets += tests/fuzz/fuzz_helper_reply
tests_fuzz_fuzz_helper_reply_LDADD = $(fuzz_ldadd)
if POSTERND
fuzz_targets += tests/fuzz/fuzz_helper_request tests/fuzz/fuzz_saslauthd
endif
tests_fuzz_fuzz_helper_request_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS)
tests_fuzz_fuzz_helper_request_LDADD = sidecar/libsidecar.la $(fuzz_ldadd)
tests_fuzz_fuzz_saslauthd_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(EVENT_CFLAGS)
tests_fuzz_fuzz_saslauthd_LDADD = sidecar/libsidecar.la $(fuzz_ldadd)
