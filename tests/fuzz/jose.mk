# SPDX-License-Identifier: BSD-2-Clause
fuzz_targets += tests/fuzz/fuzz_jwt tests/fuzz/fuzz_jwks tests/fuzz/fuzz_jose_header
tests_fuzz_fuzz_jwt_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_jwks_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_jose_header_LDADD = $(fuzz_ldadd)
