# SPDX-License-Identifier: BSD-2-Clause
# One file per room, so that a room's tests are found and changed beside each other.
unit_ldadd = tests/support/libsupport.la lib/libmint.la lib/libaudit.la $(core_libs) $(CMOCKA_LIBS)
LDADD = $(unit_ldadd)

unit_tests =
fuzz_targets =
include tests/support/local.mk
include tests/unit/base.mk
include tests/unit/grant.mk
include tests/unit/sasl.mk
include tests/unit/audit.mk
include tests/unit/helper.mk
include tests/unit/jose.mk
include tests/unit/mint.mk
include tests/unit/http.mk
include tests/unit/oauth.mk
include tests/unit/policy.mk
include tests/unit/sidecar.mk
include tests/unit/issuer.mk
include tests/unit/adapters.mk
include tests/unit/door.mk
include tests/unit/spawner.mk
include tests/unit/control.mk
include tests/unit/plugin.mk
include tests/unit/pam.mk
include tests/unit/validator.mk
include tests/unit/cli.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/lint/local.mk

if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
else
check-local:
	@echo 'make check needs cmocka and json-c (libcmocka-dev, libjson-c-dev); ./configure did not find them' >&2; exit 1
endif
AM_TESTS_ENVIRONMENT = \
	srcdir='$(srcdir)'; export srcdir; top_srcdir='$(top_srcdir)'; export top_srcdir; \
	top_builddir='$(top_builddir)'; export top_builddir; \
	POSTERN_WYCHEPROOF=$${POSTERN_WYCHEPROOF:-$(abs_top_srcdir)/../shared/vectors/wycheproof-jws.jsonl}; export POSTERN_WYCHEPROOF;

# What tests/run and .ci/run start; one file a line, in order.
EXTRA_DIST += \
	tests/component/daemon.py \
	tests/component/door_rig.py \
	tests/component/issuer_faults.py \
	tests/component/lib.sh \
	tests/component/logins.py \
	tests/component/network.py \
	tests/component/person.py \
	tests/component/pg_wire.py \
	tests/component/probe_program.py \
	tests/component/test_attacks.py \
	tests/component/test_audit_proof.py \
	tests/component/test_audit_stream.py \
	tests/component/test_backend_exchange.py \
	tests/component/test_both_names.sh \
	tests/component/test_bound_tokens.py \
	tests/component/test_connect.py \
	tests/component/test_control.py \
	tests/component/test_control_cli.py \
	tests/component/test_cyrus.sh \
	tests/component/test_doctor.py \
	tests/component/test_mcp_differential.py \
	tests/component/test_mcp_attacks.py \
	tests/component/test_mcp_door.py \
	tests/component/test_newer_libraries.sh \
	tests/component/test_door.py \
	tests/component/test_door_backends.py \
	tests/component/test_door_faults.py \
	tests/component/test_door_introspection.py \
	tests/component/test_door_strangers.py \
	tests/component/test_grants.py \
	tests/component/test_foreign_clients.py \
	tests/component/test_foreign_issuer.py \
	tests/component/test_glewlwyd.py \
	tests/component/test_introspection.py \
	tests/component/test_canary.sh \
	tests/component/test_canary_children.py \
	tests/component/test_growth.sh \
	tests/component/test_helper.sh \
	tests/component/test_init.py \
	tests/component/test_helper_faults.sh \
	tests/component/test_host_libvirt.sh \
	tests/component/test_host_mariadb.sh \
	tests/component/test_host_memcached.sh \
	tests/component/test_host_sample.sh \
	tests/component/test_host_slapd.sh \
	tests/component/test_host_svnserve.sh \
	tests/component/test_insider.py \
	tests/component/test_issuer.py \
	tests/component/test_keys_over_https.py \
	tests/component/test_issuer_double.py \
	tests/component/test_login.py \
	tests/component/test_misbehaving_issuer.py \
	tests/component/test_misled_agent.py \
	tests/component/mail.sh \
	tests/component/mail_client.py \
	tests/component/terminal.py \
	tests/component/test_mail_cyrus.sh \
	tests/component/test_mail_dovecot.sh \
	tests/component/test_mail_pop_sieve.sh \
	tests/component/test_mail_postfix.sh \
	tests/component/test_mail_saslauthd.sh \
	tests/component/test_five_habits.py \
	tests/component/test_seven_steps.py \
	tests/component/test_real_issuers.py \
	tests/component/redis_wire.py \
	tests/component/test_redis_attacks.py \
	tests/component/test_redis_differential.py \
	tests/component/test_redis_clients.py \
	tests/component/test_redis_door.py \
	tests/component/test_redis_table.py \
	tests/component/test_registration.py \
	tests/component/test_reload.py \
	tests/component/test_revoked_sessions.py \
	tests/component/test_login_policy.sh \
	tests/component/test_pages.py \
	tests/component/test_pam.sh \
	tests/component/test_pam_servers.sh \
	tests/component/test_on_behalf.py \
	tests/component/test_opaque_tokens.py \
	tests/component/test_posternd.py \
	tests/component/test_postgresql18.sh \
	tests/component/test_quickstart.sh \
	tests/component/test_saslauthd.py \
	tests/component/test_sasl.sh \
	tests/component/test_sasl_loopback.py \
	tests/component/test_slapd.sh \
	tests/component/test_spawner.py \
	tests/component/test_supervisor.py \
	tests/component/test_token.py \
	tests/component/test_two_issuers.sh \
	tests/component/test_valgrind_hosts.sh \
	tests/e2e/bare \
	tests/e2e/installed \
	tests/e2e/tarball \
	tests/e2e/pages/walk.mjs \
	tests/e2e/test_verify.sh \
	tests/hosts/bookworm \
	tests/hosts/cases.sh \
	tests/hosts/ldap_many.py \
	tests/hosts/libvirt_login.py \
	tests/hosts/memcheck.py \
	tests/hosts/memcached.py \
	tests/hosts/forky \
	tests/hosts/packages \
	tests/hosts/room.sh \
	tests/hosts/sources \
	tests/hosts/svn_many.py \
	tests/packages \
	tests/support/issuer_keys.py \
	tests/support/misbehaving_issuer.py \
	tests/run
