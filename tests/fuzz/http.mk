# SPDX-License-Identifier: BSD-2-Clause
fuzz_targets += tests/fuzz/fuzz_form tests/fuzz/fuzz_url tests/fuzz/fuzz_listener tests/fuzz/fuzz_answer
tests_fuzz_fuzz_form_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_url_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_listener_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_answer_LDADD = $(fuzz_ldadd)
fuzz_targets += tests/fuzz/fuzz_freshness
tests_fuzz_fuzz_freshness_LDADD = $(fuzz_ldadd)
