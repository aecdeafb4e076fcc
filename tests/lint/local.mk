# SPDX-License-Identifier: BSD-2-Clause
lints = \
	tests/lint/banned \
	tests/lint/hosts \
	tests/lint/includes \
	tests/lint/leaks \
	tests/lint/manpages \
	tests/lint/modules \
	tests/lint/reasons \
	tests/lint/scripts \
	tests/lint/spdx \
	tests/lint/symbols \
	tests/lint/units
TESTS += $(lints)
EXTRA_DIST += $(lints)

# What passed before (tests/lint/scripts).
distclean-local:
	rm -rf tests/lint/passed
