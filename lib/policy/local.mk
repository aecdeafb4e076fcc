# SPDX-License-Identifier: BSD-2-Clause
lib_libcore_la_SOURCES += \
	lib/policy/approve.c lib/policy/bearing.c lib/policy/stub_actions.c lib/policy/decide.c lib/policy/expect.c lib/policy/facts.c lib/policy/facts.h lib/policy/lex.c lib/policy/lex.h \
	lib/policy/match.c lib/policy/match.h lib/policy/pattern.c lib/policy/pattern.h lib/policy/policy.c lib/policy/print.c \
	lib/policy/read.c lib/policy/read.h lib/policy/read_expect.c lib/policy/read_test.c lib/policy/read_who.c lib/policy/rules.h \
	lib/policy/issuers.c lib/policy/span.c lib/policy/values.c lib/policy/values.h lib/policy/warn.c
