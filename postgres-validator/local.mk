# SPDX-License-Identifier: BSD-2-Clause
# postern_validator.so links the client core and nothing else: each backend that meets an `oauth` line loads it (tests/lint/modules).
# Its objects are an archive of their own so that unit tests can call them.  What it calls of the server is bound when that loads it.
if POSTGRESQL_VALIDATOR
noinst_LTLIBRARIES += postgres-validator/libvalidator.la
pgvalidator_LTLIBRARIES = postgres-validator/postern_validator.la
endif
pgvalidatordir = $(postgresql_pkglibdir)
postgres_validator_libvalidator_la_SOURCES = postgres-validator/ask.c postgres-validator/connection.c postgres-validator/hba.c \
	postgres-validator/module.c postgres-validator/result.c postgres-validator/validator.h postgres-validator/verdict_log.c \
	postgres-validator/version.c postgres-validator/version.h
postgres_validator_libvalidator_la_CPPFLAGS = $(AM_CPPFLAGS) -DVALIDATOR_VERSION='"$(PACKAGE_VERSION)"' $(POSTGRESQL_CPPFLAGS)
postgres_validator_postern_validator_la_SOURCES =
postgres_validator_postern_validator_la_LIBADD = postgres-validator/libvalidator.la lib/libclientcore.la
postgres_validator_postern_validator_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -Wl,-z,nodelete \
	-export-symbols-regex '^(_PG_init|Pg_magic_func|_PG_oauth_validator_module_init)$$'
