# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_error tests/unit/test_bytes tests/unit/test_base64
