# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_policy_above tests/unit/test_policy_bearing tests/unit/test_policy_decide tests/unit/test_policy_expect \
	tests/unit/test_policy_facts tests/unit/test_policy_glob tests/unit/test_policy_issuers tests/unit/test_policy_match tests/unit/test_policy_index \
	tests/unit/test_policy_args \
	tests/unit/test_policy_nomem tests/unit/test_policy_print tests/unit/test_policy_read tests/unit/test_policy_table tests/unit/test_policy_values
tests_unit_test_policy_nomem_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
TESTS += tests/unit/test_policy.sh
EXTRA_DIST += tests/unit/test_policy.sh
