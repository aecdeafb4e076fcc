# SPDX-License-Identifier: BSD-2-Clause
fuzz_targets += tests/fuzz/fuzz_claims tests/fuzz/fuzz_config tests/fuzz/fuzz_config_dump
tests_fuzz_fuzz_claims_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_config_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_config_dump_LDADD = $(fuzz_ldadd)
fuzz_targets += tests/fuzz/fuzz_username_map
tests_fuzz_fuzz_username_map_LDADD = $(fuzz_ldadd)
fuzz_targets += tests/fuzz/fuzz_introspection
tests_fuzz_fuzz_introspection_LDADD = $(fuzz_ldadd)
fuzz_targets += tests/fuzz/fuzz_validate
tests_fuzz_fuzz_validate_LDADD = tests/support/libsupport.la $(fuzz_ldadd) $(OPENSSL_LIBS)
fuzz_targets += tests/fuzz/fuzz_exec_words
tests_fuzz_fuzz_exec_words_LDADD = $(fuzz_ldadd)
