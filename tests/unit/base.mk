# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_error tests/unit/test_bytes tests/unit/test_base64 tests/unit/test_buf_nomem
tests_unit_test_buf_nomem_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
