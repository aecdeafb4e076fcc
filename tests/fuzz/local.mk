# SPDX-License-Identifier: BSD-2-Clause
# A target is tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput, a corpus in tests/fuzz/corpus/NAME/ and perhaps a dictionary
# tests/fuzz/dict/NAME.dict.  A room adds two lines a target in tests/fuzz/ROOM.mk:
#
#     fuzz_targets += tests/fuzz/fuzz_NAME
#     tests_fuzz_fuzz_NAME_LDADD = $(fuzz_ldadd)
#
# An ordinary build links replay.c: `make check` runs the corpus and a fixed number of deterministic mutations of it (not where configure
# was told --disable-replay).  With
# --enable-fuzzing (CC=clang) the same target is a libFuzzer program, and `make fuzz FUZZ_SECONDS=60` runs each in turn.
# tests/fuzz/parsers says whose parser it is (tests/coverage).  After a new row of the settings: tests/fuzz/renew_dumps.
if FUZZING
fuzz_ldadd = $(FUZZ_LDFLAGS) $(unit_ldadd)
else
fuzz_ldadd = tests/fuzz/libreplay.la $(unit_ldadd)
check_LTLIBRARIES += tests/fuzz/libreplay.la
tests_fuzz_libreplay_la_SOURCES = tests/fuzz/replay.c
endif

include tests/fuzz/base.mk
include tests/fuzz/sasl.mk
include tests/fuzz/helper.mk
include tests/fuzz/validator.mk
include tests/fuzz/jose.mk
include tests/fuzz/http.mk
include tests/fuzz/oauth.mk
include tests/fuzz/cli.mk
include tests/fuzz/policy.mk
include tests/fuzz/sidecar.mk
include tests/fuzz/issuer.mk
include tests/fuzz/adapters.mk
include tests/fuzz/door.mk
include tests/fuzz/spawner.mk
include tests/fuzz/control.mk

EXTRA_DIST += tests/fuzz/corpus tests/fuzz/dict tests/fuzz/parsers tests/fuzz/renew_dumps tests/coverage
FUZZ_SECONDS = 10
if FUZZING
check_PROGRAMS += $(fuzz_targets)
.PHONY: fuzz fuzz-targets
fuzz-targets: $(fuzz_targets)
fuzz: $(fuzz_targets)
	@set -e; for target in $(fuzz_targets); do \
		name=$${target##*/fuzz_}; dict='$(srcdir)'/tests/fuzz/dict/$$name.dict; \
		$(MKDIR_P) fuzz-found/$$name; echo "== $$target"; \
		./$$target -max_total_time=$(FUZZ_SECONDS) -timeout=5 -print_final_stats=1 -verbosity=0 \
			$$(test -f "$$dict" && echo "-dict=$$dict") \
			fuzz-found/$$name '$(srcdir)'/tests/fuzz/corpus/$$name; \
	done
endif
if REPLAY
check_PROGRAMS += $(fuzz_targets)
TESTS += $(fuzz_targets)
endif
