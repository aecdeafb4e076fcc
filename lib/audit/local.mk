# SPDX-License-Identifier: BSD-2-Clause
lib_libaudit_la_SOURCES += lib/audit/chain.c
