# SPDX-License-Identifier: BSD-2-Clause
# One file a line, in order.
EXTRA_DIST += \
	examples/hosts/postgresql18/about \
	examples/hosts/postgresql18/etc/postern/services/postgresql.conf \
	examples/hosts/postgresql18/etc/postgresql/18/main/conf.d/postern.conf \
	examples/hosts/postgresql18/etc/postgresql/18/main/pg_hba.conf \
	examples/hosts/postgresql18/etc/postgresql/18/main/pg_ident.conf.add \
	examples/issuers/entra.conf \
	examples/issuers/entra.map \
	examples/issuers/keycloak.conf \
	examples/issuers/okta.conf \
	examples/issuers/rfc9068.conf \
	examples/pam/mixed \
	examples/pam/postgresql \
	examples/pam/sshd \
	examples/policies/guardrails.rules \
	examples/policies/team-data.rules \
	examples/quickstart/packages \
	examples/quickstart/run \
	examples/quickstart/servers.sh \
	examples/systemd/postern-door@.socket \
	examples/systemd/postern.service \
	examples/systemd/postern.sysusers.conf \
	examples/systemd/postern.tmpfiles.conf
