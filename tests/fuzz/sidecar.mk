# SPDX-License-Identifier: BSD-2-Clause
if POSTERND
fuzz_targets += tests/fuzz/fuzz_channel tests/fuzz/fuzz_tally
endif
tests_fuzz_fuzz_tally_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_tally_LDADD = $(sidecar_libs) $(fuzz_ldadd)
tests_fuzz_fuzz_channel_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_fuzz_fuzz_channel_LDADD = $(sidecar_libs) $(fuzz_ldadd)
if CLI
fuzz_targets += tests/fuzz/fuzz_audit_find
endif
tests_fuzz_fuzz_audit_find_SOURCES = tests/fuzz/fuzz_audit_find.c cli/audit_find.c cli/audit_find.h
tests_fuzz_fuzz_audit_find_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_fuzz_fuzz_audit_find_LDADD = $(fuzz_ldadd)
if CLI
fuzz_targets += tests/fuzz/fuzz_audit_checkpoint tests/fuzz/fuzz_audit_verify
endif
tests_fuzz_fuzz_audit_checkpoint_SOURCES = tests/fuzz/fuzz_audit_checkpoint.c cli/audit_proof.c cli/audit_proof.h
tests_fuzz_fuzz_audit_checkpoint_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_fuzz_fuzz_audit_checkpoint_LDADD = lib/libaudit.la $(fuzz_ldadd)
tests_fuzz_fuzz_audit_verify_SOURCES = tests/fuzz/fuzz_audit_verify.c $(audit_cli_sources)
tests_fuzz_fuzz_audit_verify_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_fuzz_fuzz_audit_verify_LDADD = $(fuzz_ldadd)
