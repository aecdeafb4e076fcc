# SPDX-License-Identifier: BSD-2-Clause
if CLI
bin_PROGRAMS += postern
endif
postern_SOURCES = cli/main.c cli/cli.h cli/parse.c
postern_SOURCES += cli/audit.c cli/audit.h cli/audit_check.c cli/audit_check.h cli/audit_digest.c cli/audit_key.c cli/audit_keys.h \
	cli/audit_proof.c cli/audit_proof.h cli/audit_print.c cli/audit_print.h cli/audit_show.c \
	cli/audit_verify.c cli/line_reader.c cli/line_reader.h cli/safe_text.c cli/safe_text.h
postern_SOURCES += cli/audit_find.c cli/audit_find.h cli/why.c cli/why_advice.c cli/why_advice.h
postern_SOURCES += cli/admin_call.c cli/admin_call.h cli/client.c cli/client.h cli/client_add.c cli/client_list.c cli/handle.c cli/keys.c
postern_SOURCES += cli/password_input.c cli/password_input.h cli/user.c
postern_SOURCES += cli/policy.c cli/policy.h cli/policy_actions.c cli/policy_arguments.c cli/policy_check.c cli/policy_explain.c cli/policy_load.c \
	cli/policy_question.c cli/policy_question.h cli/policy_show.c cli/policy_test.c cli/policy_who_can.c cli/policy_words.c
postern_SOURCES += cli/control.c cli/control.h cli/control_ask.c cli/control_block.c cli/control_held.c cli/control_list.c cli/control_sessions.c
postern_SOURCES += cli/verify.c cli/verify_clients.c cli/verify_clients.h cli/verify_path.c cli/verify_path.h cli/verify_run.c \
	cli/verify_run.h
postern_SOURCES += cli/child_run.c cli/child_run.h cli/hosts.c cli/hosts.def cli/hosts.h cli/posternd_check.c cli/posternd_check.h
postern_SOURCES += cli/init.c cli/init.h cli/init_files.c cli/init_files.h cli/init_guess.c cli/init_guess.h cli/init_print.c
postern_SOURCES += cli/doctor.c cli/doctor.h cli/doctor_conf.c cli/doctor_conf.h cli/doctor_issuer.c cli/doctor_plugin.c \
	cli/doctor_report.c cli/doctor_report.h cli/doctor_socket.c cli/doctor_token.c cli/doctor_user.c cli/doctor_user.h
if SASL_PLUGIN
postern_SOURCES += cli/doctor_sasl.c
else
postern_SOURCES += cli/doctor_nosasl.c
endif
postern_SOURCES += cli/host_match.c cli/host_match.h cli/secret_file.c cli/secret_file.h cli/token.c cli/token.h \
	cli/options.c cli/options.h cli/private_file.c cli/private_file.h cli/token_cache.c cli/token_cache.h cli/token_fetch.c cli/token_fetch.h cli/token_options.c \
	cli/token_print.c cli/token_settings.c
postern_SOURCES += cli/exchange.c cli/login.c cli/login_browser.c cli/login_browser.h cli/login_callback.c cli/login_callback.h \
	cli/login_listen.c cli/login_listen.h cli/login_store.c cli/login_store.h cli/login_token.c cli/login_token.h cli/logout.c \
	cli/status.c
postern_SOURCES += cli/connect.c cli/connect.h cli/connect_answer.c cli/connect_answer.h cli/connect_door.c cli/connect_door.h \
	cli/connect_explain.c cli/connect_io.c cli/connect_lease.c cli/connect_lease.h cli/connect_listen.c cli/connect_mcp.c cli/connect_peer.c \
	cli/connect_peer.h cli/connect_place.c cli/connect_place.h cli/connect_relay.c cli/connect_relay.h cli/connect_renew.c \
	cli/connect_session.c cli/connect_target.c cli/connect_target.h cli/connect_trust.c
postern_SOURCES += cli/psql.c
postern_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTERN_LIBDIR='"$(libdir)"' $(SSL_CFLAGS) $(SASL_CFLAGS)
postern_CFLAGS = $(AM_CFLAGS) $(PROGRAM_CFLAGS)
postern_LDFLAGS = $(AM_LDFLAGS) $(PROGRAM_LDFLAGS)
postern_LDADD = lib/libaudit.la $(core_libs) $(SSL_LIBS)
