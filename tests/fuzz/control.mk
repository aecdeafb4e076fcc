# SPDX-License-Identifier: BSD-2-Clause
if POSTERND
fuzz_targets += tests/fuzz/fuzz_blocks_text tests/fuzz/fuzz_control_request tests/fuzz/fuzz_status_request
endif
tests_fuzz_fuzz_blocks_text_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_blocks_text_LDADD = sidecar/libsidecar.la $(fuzz_ldadd)
tests_fuzz_fuzz_control_request_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_control_request_LDADD = sidecar/libsidecar.la $(fuzz_ldadd)
tests_fuzz_fuzz_status_request_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_status_request_LDADD = sidecar/libsidecar.la $(fuzz_ldadd)
