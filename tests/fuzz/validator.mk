# SPDX-License-Identifier: BSD-2-Clause
# Needs nothing of PostgreSQL.
fuzz_targets += tests/fuzz/fuzz_hba
tests_fuzz_fuzz_hba_SOURCES = tests/fuzz/fuzz_hba.c postgres-validator/hba.c
tests_fuzz_fuzz_hba_LDADD = $(fuzz_ldadd)
