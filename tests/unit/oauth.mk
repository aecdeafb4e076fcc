# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_config tests/unit/test_claims tests/unit/test_identity
