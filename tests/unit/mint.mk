# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_sign
tests_unit_test_sign_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
