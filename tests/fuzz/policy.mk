# SPDX-License-Identifier: BSD-2-Clause
fuzz_targets += tests/fuzz/fuzz_literal tests/fuzz/fuzz_policy
tests_fuzz_fuzz_literal_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_policy_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_fuzz_fuzz_policy_LDADD = $(fuzz_ldadd)
