# SPDX-License-Identifier: BSD-2-Clause
# Programs that measure: `make bench` builds and runs them, `make check` does not.  Each prints one JSON object a line: name, value,
# unit, and ratio with against where there is one.
bench_programs = tests/bench/policy tests/bench/verify
if POSTERND
bench_programs += tests/bench/door_relay
endif
EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)
tests_bench_policy_SOURCES = tests/bench/policy.c
tests_bench_policy_LDADD = $(unit_ldadd)
tests_bench_verify_SOURCES = tests/bench/verify.c
tests_bench_verify_LDADD = $(unit_ldadd)
tests_bench_door_relay_SOURCES = tests/bench/door_relay.c
tests_bench_door_relay_CPPFLAGS = $(door_cppflags)
tests_bench_door_relay_LDADD = $(sidecar_libs) -lpthread

bench: $(bench_programs)
	@for program in $(bench_programs); do ./$$program || exit 1; done
