# SPDX-License-Identifier: BSD-2-Clause
lib_libaudit_la_SOURCES += lib/audit/args_digest.c lib/audit/chain.c lib/audit/checkpoint.c lib/audit/sha256.c
