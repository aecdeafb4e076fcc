# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_grant
