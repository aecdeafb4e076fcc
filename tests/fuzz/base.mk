# SPDX-License-Identifier: BSD-2-Clause
fuzz_targets += tests/fuzz/fuzz_base64url
tests_fuzz_fuzz_base64url_LDADD = $(fuzz_ldadd)
