# SPDX-License-Identifier: BSD-2-Clause
# One file a line, in order.
EXTRA_DIST += \
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
	examples/postgresql18/pg_hba.conf \
	examples/postgresql18/pg_ident.conf \
	examples/postgresql18/postgresql.conf \
	examples/postgresql18/service.conf \
	examples/quickstart/packages \
	examples/quickstart/run \
	examples/quickstart/servers.sh \
	examples/systemd/postern-door@.socket \
	examples/systemd/postern.service \
	examples/systemd/postern.sysusers.conf \
	examples/systemd/postern.tmpfiles.conf
