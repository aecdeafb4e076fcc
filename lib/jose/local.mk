# SPDX-License-Identifier: BSD-2-Clause
lib_libcore_la_SOURCES += \
	lib/jose/assertion.c \
	lib/jose/crypto_errors.c lib/jose/crypto_errors.h lib/jose/header.c lib/jose/header.h lib/jose/jwk.c lib/jose/jwk.h \
	lib/jose/jwks.c lib/jose/jwks.h lib/jose/jws.c lib/jose/jws.h lib/jose/jwt.c lib/jose/jwt.h \
	lib/jose/pem.c lib/jose/signer.c lib/jose/signer.h
