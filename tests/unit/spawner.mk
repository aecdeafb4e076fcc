# SPDX-License-Identifier: BSD-2-Clause
if POSTERND
unit_tests += tests/unit/test_spawner
endif
tests_unit_test_spawner_CPPFLAGS = $(sidecar_cppflags) $(EVENT_CFLAGS)
tests_unit_test_spawner_LDADD = $(sidecar_ldadd)
