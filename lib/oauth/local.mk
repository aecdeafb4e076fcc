# SPDX-License-Identifier: BSD-2-Clause
lib_libcore_la_SOURCES += \
	lib/oauth/accounts.c lib/oauth/accounts.h lib/oauth/blocks.c lib/oauth/blocks.h lib/oauth/cache.c lib/oauth/cache.h lib/oauth/claim_age.c lib/oauth/claim_binding.c lib/oauth/claim_lineage.c lib/oauth/claim_party.c lib/oauth/claim_read.c lib/oauth/claims.c lib/oauth/claims.h \
	lib/oauth/config.c lib/oauth/config_check.c lib/oauth/config_doors.c lib/oauth/config_dump.c lib/oauth/config_keys.c lib/oauth/config_keys.def \
	lib/oauth/config_load.c lib/oauth/config_maps.c lib/oauth/config_provider.c lib/oauth/config_text.c lib/oauth/config_token_check.c lib/oauth/config_trusts.c lib/oauth/config_value.c lib/oauth/context.c \
	lib/oauth/context_inner.h lib/oauth/discovery.c lib/oauth/discovery.h lib/oauth/retry.c lib/oauth/retry.h lib/oauth/exec_words.c lib/oauth/fetch.c lib/oauth/fetch.h lib/oauth/identity.c lib/oauth/identity.h lib/oauth/judge.c lib/oauth/judge.h lib/oauth/key_fetch.c lib/oauth/key_fetch.h lib/oauth/key_file.c lib/oauth/key_file.h lib/oauth/keyring.c lib/oauth/keyring.h \
	lib/oauth/claim_scope.c lib/oauth/provider.c lib/oauth/provider.h lib/oauth/map_pattern.c lib/oauth/map_pattern.h lib/oauth/revocations.c lib/oauth/revocations.h lib/oauth/rules.c lib/oauth/rules.h lib/oauth/scope.c lib/oauth/scope.h lib/oauth/server.h lib/oauth/settings.h \
	lib/oauth/trusted_file.c lib/oauth/trusted_file.h lib/oauth/url.c lib/oauth/url.h lib/oauth/trail.c lib/oauth/trail.h lib/oauth/username.c lib/oauth/username.h lib/oauth/username_map.c \
	lib/oauth/upkeep.c lib/oauth/username_map.h lib/oauth/validate.c lib/oauth/validate_request.c lib/oauth/validate_request.h
lib_libcore_la_SOURCES += lib/oauth/introspecting.c lib/oauth/introspecting.h lib/oauth/introspection.c lib/oauth/introspection.h \
	lib/oauth/introspection_call.c lib/oauth/introspection_call.h lib/oauth/introspector.c lib/oauth/introspector.h \
	lib/oauth/source_buckets.c lib/oauth/source_buckets.h
lib_libcore_la_SOURCES += lib/oauth/answer.c lib/oauth/answer.h lib/oauth/client_auth.c lib/oauth/client_auth.h \
	lib/oauth/client_credentials.c lib/oauth/client_credentials.h lib/oauth/exchange.c lib/oauth/exchange.h lib/oauth/login.c \
	lib/oauth/login.h lib/oauth/metadata.c lib/oauth/metadata.h lib/oauth/pkce.c lib/oauth/pkce.h lib/oauth/refresh.c \
	lib/oauth/revoke.c lib/oauth/token_answer.c lib/oauth/token_answer.h lib/oauth/token_call.c lib/oauth/token_call.h
lib_libcore_la_SOURCES += lib/oauth/survey.c lib/oauth/survey.h
