# SPDX-License-Identifier: BSD-2-Clause
dist_man_MANS += doc/man/oauthbearer.7
dist_man_MANS += doc/man/posternd.8
dist_man_MANS += doc/man/postern-helper.7
dist_man_MANS += doc/man/postern.conf.5
dist_man_MANS += doc/man/postern.1
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = doc/completion/postern.bash
EXTRA_DIST += doc/decisions/0011-loopback-listener.md doc/decisions/0012-curl-allocator.md
dist_man_MANS += doc/man/postern-issuer.7
EXTRA_DIST += doc/decisions/0003-cli-reads-json.md doc/decisions/0013-issuer-limits.md
