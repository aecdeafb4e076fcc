# SPDX-License-Identifier: BSD-2-Clause
unit_tests += tests/unit/test_blocks tests/unit/test_cache tests/unit/test_claims tests/unit/test_claim_rules tests/unit/test_token_limits tests/unit/test_config tests/unit/test_config_doors tests/unit/test_config_text \
	tests/unit/test_context tests/unit/test_identity tests/unit/test_judge_again tests/unit/test_keyring \
	tests/unit/test_man_keys tests/unit/test_oauth_nomem tests/unit/test_revocations tests/unit/test_validate tests/unit/test_validate_cache
unit_tests += tests/unit/test_exec_words tests/unit/test_trail tests/unit/test_provider tests/unit/test_username tests/unit/test_username_map
unit_tests += tests/unit/test_trusts
tests_unit_test_trusts_LDADD = $(oauth_ldadd)
tests_unit_test_trusts_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
unit_tests += tests/unit/test_attack_table tests/unit/test_oauth_vectors
tests_unit_test_oauth_vectors_LDADD = $(oauth_ldadd)
tests_unit_test_attack_table_LDADD = $(oauth_ldadd)
tests_unit_test_username_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_username_map_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
oauth_ldadd = tests/support/libsupport.la $(unit_ldadd) $(OPENSSL_LIBS)
tests_unit_test_token_limits_LDADD = $(oauth_ldadd)
tests_unit_test_claim_rules_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_trail_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_exec_words_LDADD = $(oauth_ldadd)
tests_unit_test_exec_words_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_provider_LDADD = $(oauth_ldadd)
tests_unit_test_provider_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_blocks_LDADD = $(oauth_ldadd) -lpthread
tests_unit_test_blocks_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_cache_LDADD = $(oauth_ldadd) -lpthread
tests_unit_test_cache_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_config_text_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_judge_again_LDADD = $(oauth_ldadd)
tests_unit_test_judge_again_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_context_LDADD = $(oauth_ldadd) -lpthread
tests_unit_test_keyring_LDADD = $(oauth_ldadd)
tests_unit_test_oauth_nomem_LDADD = $(oauth_ldadd)
tests_unit_test_oauth_nomem_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_validate_LDADD = $(oauth_ldadd)
tests_unit_test_validate_cache_LDADD = $(oauth_ldadd)
tests_unit_test_validate_cache_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
TESTS += tests/e2e/test_verify.sh
EXTRA_DIST += tests/e2e/test_verify.sh
unit_tests += tests/unit/test_discovery tests/unit/test_retry
tests_unit_test_discovery_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
unit_tests += tests/unit/test_fetch tests/unit/test_key_fetch tests/unit/test_upkeep
tests_unit_test_key_fetch_LDADD = $(oauth_ldadd) -lpthread
tests_unit_test_key_fetch_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_fetch_LDADD = $(oauth_ldadd) -lpthread
tests_unit_test_fetch_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_upkeep_LDADD = $(oauth_ldadd)
tests_unit_test_upkeep_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
unit_tests += tests/unit/test_source_buckets
tests_unit_test_source_buckets_LDADD = $(oauth_ldadd)
tests_unit_test_source_buckets_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
unit_tests += tests/unit/test_introspection tests/unit/test_issuer_line
tests_unit_test_issuer_line_LDADD = $(oauth_ldadd)
tests_unit_test_issuer_line_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_introspection_LDADD = $(oauth_ldadd)
tests_unit_test_introspection_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
TESTS += tests/unit/test_example_hosts.sh tests/unit/test_example_issuers.sh tests/unit/test_man_examples.sh
EXTRA_DIST += tests/unit/test_example_hosts.sh tests/unit/test_example_issuers.sh tests/unit/test_man_examples.sh
unit_tests += tests/unit/test_survey
tests_unit_test_survey_LDADD = $(oauth_ldadd)
tests_unit_test_survey_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
unit_tests += tests/unit/test_system_fails
tests_unit_test_system_fails_LDADD = $(oauth_ldadd)
tests_unit_test_system_fails_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pthread_mutex_init -Wl,--wrap=pthread_mutex_trylock -Wl,--wrap=getrandom \
	-Wl,--wrap=epoll_create1 -Wl,--wrap=epoll_ctl -Wl,--wrap=eventfd -Wl,--wrap=write \
	-Wl,--wrap=read -Wl,--wrap=access -Wl,--wrap=fstat -Wl,--wrap=lstat -Wl,--wrap=statvfs \
	-Wl,--wrap=regcomp -Wl,--wrap=regexec -Wl,--wrap=newlocale -Wl,--wrap=EVP_MD_fetch \
	-Wl,--wrap=EVP_DigestInit_ex2 -Wl,--wrap=EVP_DigestFinal_ex -Wl,--wrap=EVP_Digest \
	-Wl,--wrap=pthread_mutex_destroy
unit_tests += tests/unit/test_config_refusals tests/unit/test_accounts tests/unit/test_token_call
tests_unit_test_config_refusals_LDADD = $(oauth_ldadd)
tests_unit_test_accounts_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
tests_unit_test_token_call_LDADD = $(oauth_ldadd)
tests_unit_test_token_call_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
unit_tests += tests/unit/test_config_urls
tests_unit_test_config_urls_LDADD = $(oauth_ldadd)
unit_tests += tests/unit/test_verdicts tests/unit/test_introspector
tests_unit_test_verdicts_LDADD = $(oauth_ldadd)
tests_unit_test_introspector_LDADD = $(oauth_ldadd)
tests_unit_test_introspector_LDFLAGS = $(AM_LDFLAGS) $(alloc_fail_ldflags)
