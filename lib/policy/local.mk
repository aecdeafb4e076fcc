# SPDX-License-Identifier: BSD-2-Clause
lib_libcore_la_SOURCES += \
	lib/policy/above.c lib/policy/above.h lib/policy/above_keys.c lib/policy/above_keys.h lib/policy/actions.c lib/policy/actions.h lib/policy/approve.c lib/policy/args.c lib/policy/args.h lib/policy/bearing.c lib/policy/clock.c \
	lib/policy/covers.c lib/policy/decide.c lib/policy/expect.c lib/policy/facts.c lib/policy/facts.h lib/policy/glob.c lib/policy/glob.h lib/policy/issuers.c lib/policy/lex.c \
	lib/policy/lex.h lib/policy/literal.c lib/policy/index.c lib/policy/index.h lib/policy/index_keys.h lib/policy/index_make.c \
	lib/policy/match.c lib/policy/match.h lib/policy/match_test.c lib/policy/pattern.c lib/policy/pattern.h lib/policy/policy.c lib/policy/print.c \
	lib/policy/read.c lib/policy/read.h lib/policy/read_duty.c lib/policy/read_expect.c lib/policy/read_path.c lib/policy/read_relation.c lib/policy/read_target.c \
	lib/policy/read_test.c lib/policy/read_value.c lib/policy/read_who.c lib/policy/relations.c lib/policy/relations.h lib/policy/rules.h lib/policy/span.c \
	lib/policy/target.c lib/policy/under.c lib/policy/under.h lib/policy/values.c lib/policy/values.h lib/policy/warn.c
