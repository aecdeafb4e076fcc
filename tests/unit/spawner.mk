# SPDX-License-Identifier: BSD-2-Clause
if POSTERND
unit_tests += tests/unit/test_program tests/unit/test_program_start tests/unit/test_said tests/unit/test_spawn_set tests/unit/test_spawner
endif
tests_unit_test_program_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_program_LDADD = $(sidecar_ldadd)
tests_unit_test_program_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_program_start_CPPFLAGS = $(door_cppflags)
tests_unit_test_program_start_LDADD = $(door_ldadd)
tests_unit_test_program_start_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_said_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_said_LDADD = $(sidecar_ldadd)
tests_unit_test_spawn_set_CPPFLAGS = $(sidecar_cppflags)
tests_unit_test_spawn_set_LDADD = $(sidecar_ldadd)
tests_unit_test_spawner_CPPFLAGS = $(sidecar_cppflags) $(EVENT_CFLAGS)
tests_unit_test_spawner_LDADD = $(sidecar_ldadd)

# The real daemon, whose MCP doors speak the raw door's protocol (tests/component/test_spawner.py)
if POSTERND
check_PROGRAMS += tests/support/posternd_programs
endif
tests_support_posternd_programs_SOURCES = tests/support/posternd_programs.c sidecar/main.c
tests_support_posternd_programs_CPPFLAGS = $(sidecar_cppflags)
tests_support_posternd_programs_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=adapter_find
tests_support_posternd_programs_LDADD = $(sidecar_libs)
