# SPDX-License-Identifier: BSD-2-Clause
audit_child_sources = tests/support/audit_child.c tests/support/audit_child.h
if POSTERND
unit_tests += tests/unit/test_args_digest tests/unit/test_tally tests/unit/test_audit_chain tests/unit/test_audit_denials tests/unit/test_audit_file tests/unit/test_audit_line \
	tests/unit/test_audit_record tests/unit/test_audit_secrets tests/unit/test_audit_server tests/unit/test_audit_stream tests/unit/test_audit_sums
endif
unit_tests += tests/unit/test_sha256
tests_unit_test_sha256_CPPFLAGS = $(AM_CPPFLAGS) $(SSL_CFLAGS)
tests_unit_test_sha256_LDADD = $(unit_ldadd) $(OPENSSL_LIBS) -lpthread
tests_unit_test_sha256_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=EVP_Digest -Wl,--wrap=EVP_MD_fetch
tests_unit_test_args_digest_CPPFLAGS = $(helper_cppflags)
tests_unit_test_args_digest_LDADD = $(helper_ldadd)
tests_unit_test_tally_CPPFLAGS = $(helper_cppflags)
tests_unit_test_tally_LDADD = $(helper_ldadd)
tests_unit_test_audit_chain_CPPFLAGS = $(helper_cppflags)
tests_unit_test_audit_chain_LDADD = $(helper_ldadd)
tests_unit_test_audit_denials_CPPFLAGS = $(helper_cppflags)
tests_unit_test_audit_denials_LDADD = $(helper_ldadd)
tests_unit_test_audit_file_CPPFLAGS = $(helper_cppflags)
tests_unit_test_audit_file_LDADD = $(helper_ldadd)
tests_unit_test_audit_line_CPPFLAGS = $(helper_cppflags)
tests_unit_test_audit_line_LDADD = $(helper_ldadd)
tests_unit_test_audit_record_CPPFLAGS = $(helper_cppflags)
tests_unit_test_audit_record_LDADD = $(helper_ldadd)
tests_unit_test_audit_secrets_CPPFLAGS = $(helper_cppflags)
tests_unit_test_audit_secrets_LDADD = $(helper_ldadd)
tests_unit_test_audit_sums_CPPFLAGS = $(helper_cppflags)
tests_unit_test_audit_sums_LDADD = $(helper_ldadd)
tests_unit_test_audit_sums_SOURCES = tests/unit/test_audit_sums.c $(audit_child_sources)
tests_unit_test_audit_server_CPPFLAGS = $(helper_cppflags)
tests_unit_test_audit_server_LDADD = $(helper_ldadd)
tests_unit_test_audit_chain_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_audit_file_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_audit_stream_CPPFLAGS = $(helper_cppflags)
tests_unit_test_audit_stream_LDADD = $(helper_ldadd)
tests_unit_test_audit_stream_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_mono_ms -Wl,--wrap=timer_start
tests_unit_test_audit_server_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_audit_line_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags) -Wl,--wrap=clock_mono_ms
tests_unit_test_audit_line_SOURCES = tests/unit/test_audit_line.c $(audit_child_sources)
tests_unit_test_audit_server_SOURCES = tests/unit/test_audit_server.c $(audit_child_sources)

# postern audit, without the rest of the command line
audit_cli_sources = cli/audit_check.c cli/audit_check.h cli/audit_proof.c cli/audit_proof.h cli/audit_print.c cli/audit_print.h cli/line_reader.c cli/line_reader.h \
	cli/safe_text.c cli/safe_text.h
TESTS += tests/unit/test_audit.sh
EXTRA_DIST += tests/unit/test_audit.sh
if CLI
unit_tests += tests/unit/test_audit_print
if POSTERND
unit_tests += tests/unit/test_audit_checkpoint tests/unit/test_audit_verify
endif
endif
tests_unit_test_audit_print_SOURCES = tests/unit/test_audit_print.c $(audit_cli_sources)
tests_unit_test_audit_print_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_unit_test_audit_verify_SOURCES = tests/unit/test_audit_verify.c $(audit_cli_sources)
tests_unit_test_audit_verify_CPPFLAGS = $(helper_cppflags) -I$(top_srcdir)/cli
tests_unit_test_audit_verify_LDADD = $(helper_ldadd)
tests_unit_test_audit_checkpoint_SOURCES = tests/unit/test_audit_checkpoint.c $(audit_cli_sources)
tests_unit_test_audit_checkpoint_CPPFLAGS = $(helper_cppflags) -I$(top_srcdir)/cli
tests_unit_test_audit_checkpoint_LDADD = $(helper_ldadd)
tests_unit_test_audit_checkpoint_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
