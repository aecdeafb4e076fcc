# SPDX-License-Identifier: BSD-2-Clause
fuzz_targets += tests/fuzz/fuzz_base64url
tests_fuzz_fuzz_base64url_LDADD = $(fuzz_ldadd)
fuzz_targets += tests/fuzz/fuzz_json tests/fuzz/fuzz_keyfile
tests_fuzz_fuzz_json_CPPFLAGS = $(AM_CPPFLAGS) $(JSONC_CFLAGS)
tests_fuzz_fuzz_json_LDADD = $(fuzz_ldadd) $(JSONC_LIBS)
tests_fuzz_fuzz_keyfile_LDADD = $(fuzz_ldadd)
