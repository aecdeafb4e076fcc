# SPDX-License-Identifier: BSD-2-Clause
EXTRA_DIST += examples/policies/guardrails.rules examples/policies/team-data.rules
EXTRA_DIST += examples/systemd/postern-door@.socket examples/systemd/postern.service examples/systemd/postern.sysusers.conf examples/systemd/postern.tmpfiles.conf
