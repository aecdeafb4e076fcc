# SPDX-License-Identifier: BSD-2-Clause
lib_libclientcore_la_SOURCES += lib/sasl/error_json.c lib/sasl/gs2.c lib/sasl/message.h lib/sasl/oauthbearer.c lib/sasl/pairs.c
