# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_error tests/unit/test_bytes tests/unit/test_fork_mark tests/unit/test_base64 tests/unit/test_buf_nomem \
	tests/unit/test_json tests/unit/test_json_suite tests/unit/test_keyfile tests/unit/test_op
tests_unit_test_buf_nomem_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_json_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_keyfile_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_op_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
