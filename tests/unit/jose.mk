# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_jws tests/unit/test_jwk tests/unit/test_jwks tests/unit/test_jwt \
	tests/unit/test_jose_vectors tests/unit/test_jose_nomem tests/unit/test_wycheproof
tests_unit_test_jwks_LDADD = $(unit_ldadd) -lpthread
tests_unit_test_jose_nomem_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_jose_nomem_LDADD = $(unit_ldadd) $(OPENSSL_LIBS)
tests_unit_test_jose_vectors_SOURCES = tests/unit/test_jose_vectors.c tests/unit/rfc_vectors.h
