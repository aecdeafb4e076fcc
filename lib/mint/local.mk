# SPDX-License-Identifier: BSD-2-Clause
lib_libmint_la_SOURCES += lib/mint/sign.c
