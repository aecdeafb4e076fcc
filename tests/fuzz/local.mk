# SPDX-License-Identifier: BSD-2-Clause
# Each target is tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput and a corpus in tests/fuzz/corpus/NAME/.  With --enable-fuzzing it is linked
# with libFuzzer, otherwise with replay.c, which runs the corpus and a fixed number of deterministic mutations of it (make check).
# A room adds its targets in tests/fuzz/ROOM.mk.
include tests/fuzz/base.mk
include tests/fuzz/sasl.mk
include tests/fuzz/helper.mk
include tests/fuzz/jose.mk
include tests/fuzz/http.mk
include tests/fuzz/oauth.mk
EXTRA_DIST += tests/fuzz/corpus
