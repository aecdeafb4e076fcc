# SPDX-License-Identifier: BSD-2-Clause
fuzz_targets += tests/fuzz/fuzz_oauthbearer tests/fuzz/fuzz_sasl_error
tests_fuzz_fuzz_oauthbearer_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_sasl_error_LDADD = $(fuzz_ldadd)
