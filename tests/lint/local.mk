# SPDX-License-Identifier: BSD-2-Clause
lints = tests/lint/includes tests/lint/manpages tests/lint/banned tests/lint/leaks tests/lint/spdx tests/lint/symbols tests/lint/modules tests/lint/reasons tests/lint/scripts
TESTS += $(lints)
EXTRA_DIST += $(lints)
