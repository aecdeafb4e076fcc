# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_oauthbearer tests/unit/test_error_json
tests_unit_test_error_json_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
TESTS += tests/unit/test_parse.sh
EXTRA_DIST += tests/unit/test_parse.sh
