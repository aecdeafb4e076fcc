# SPDX-License-Identifier: BSD-2-Clause
# What tests of several rooms share.  An archive: a test takes from it only what it calls.
check_LTLIBRARIES += tests/support/libsupport.la
tests_support_libsupport_la_SOURCES = tests/support/test_keys.c tests/support/test_keys.h
tests_support_libsupport_la_LIBADD = $(OPENSSL_LIBS)
