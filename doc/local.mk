# SPDX-License-Identifier: BSD-2-Clause
dist_man_MANS += doc/man/oauthbearer.7
dist_man_MANS += doc/man/posternd.8
dist_man_MANS += doc/man/postern-helper.7
dist_man_MANS += doc/man/postern.conf.5
