# SPDX-License-Identifier: BSD-2-Clause
sidecar_libsidecar_la_SOURCES += \
	sidecar/issuer/access_token.c sidecar/issuer/access_token.h \
	sidecar/issuer/answer.c sidecar/issuer/answer.h \
	sidecar/issuer/authenticate.c sidecar/issuer/authenticate.h \
	sidecar/issuer/client_auth.c sidecar/issuer/client_auth.h \
	sidecar/issuer/clients.c sidecar/issuer/clients.h \
	sidecar/issuer/exchange_details.c sidecar/issuer/exchange_details.h \
	sidecar/issuer/grant_client_credentials.c sidecar/issuer/grant_code.c \
	sidecar/issuer/grant_exchange.c sidecar/issuer/grant_refresh.c \
	sidecar/issuer/grants.c sidecar/issuer/grants.h \
	sidecar/issuer/introspect.c sidecar/issuer/introspect.h sidecar/issuer/introspect_line.c sidecar/issuer/introspect_line.h \
	sidecar/issuer/issuer.h sidecar/issuer/job.h sidecar/issuer/random.c \
	sidecar/issuer/metadata.c sidecar/issuer/metadata.h \
	sidecar/issuer/key_ring.c sidecar/issuer/key_ring.h sidecar/issuer/keys.c sidecar/issuer/keys.h \
	sidecar/issuer/openapi.c sidecar/issuer/openapi.h \
	sidecar/issuer/name_rules.c sidecar/issuer/name_rules.h \
	sidecar/issuer/passwords.c sidecar/issuer/passwords.h sidecar/issuer/people.c sidecar/issuer/people.h \
	sidecar/issuer/rate.c sidecar/issuer/rate.h \
	sidecar/issuer/register.c sidecar/issuer/register.h \
	sidecar/issuer/register_request.c sidecar/issuer/register_request.h \
	sidecar/issuer/registrations.c sidecar/issuer/registrations.h \
	sidecar/issuer/store_opaque.c sidecar/issuer/store_opaque.h \
	sidecar/issuer/store_keys.c sidecar/issuer/store_keys.h \
	sidecar/issuer/store_registrations.c sidecar/issuer/store_registrations.h \
	sidecar/issuer/client_assertion.c sidecar/issuer/client_assertion.h \
	sidecar/issuer/redirect_uri.c sidecar/issuer/redirect_uri.h \
	sidecar/issuer/opaque.c sidecar/issuer/opaque.h \
	sidecar/issuer/own_token.c sidecar/issuer/own_token.h \
	sidecar/issuer/request_form.c sidecar/issuer/request_form.h \
	sidecar/issuer/revoke.c sidecar/issuer/revoke.h \
	sidecar/issuer/routes.c sidecar/issuer/routes.h \
	sidecar/issuer/settings.c sidecar/issuer/settings.h sidecar/issuer/settings_load.c \
	sidecar/issuer/store.c sidecar/issuer/store.h sidecar/issuer/store_inner.h sidecar/issuer/store_queries.def \
	sidecar/issuer/store_clients.c sidecar/issuer/store_clients.h sidecar/issuer/store_grants.c sidecar/issuer/store_grants.h \
	sidecar/issuer/store_revocations.c sidecar/issuer/store_revocations.h \
	sidecar/issuer/store_users.c sidecar/issuer/store_users.h \
	sidecar/issuer/token_endpoint.c sidecar/issuer/token_endpoint.h \
	sidecar/issuer/token_request.c sidecar/issuer/token_request.h \
	sidecar/issuer/whoami.c sidecar/issuer/whoami.h \
	sidecar/issuer/words.c sidecar/issuer/words.h
sidecar_libsidecar_la_SOURCES += \
	sidecar/issuer/admin.c sidecar/issuer/admin.h sidecar/issuer/admin_request.c sidecar/issuer/admin_request.h \
	sidecar/issuer/admin_keys.c sidecar/issuer/admin_verbs.h \
	sidecar/issuer/admin_socket.c sidecar/issuer/admin_socket.h \
	sidecar/issuer/http.c sidecar/issuer/http.h sidecar/issuer/http_connections.c sidecar/issuer/http_connections.h \
	sidecar/issuer/main.c \
	sidecar/issuer/output.c sidecar/issuer/output.h \
	sidecar/issuer/revocations.c sidecar/issuer/revocations.h sidecar/issuer/work.c sidecar/issuer/work.h

# The pages for people.
sidecar_libsidecar_la_SOURCES += \
	sidecar/issuer/account.c sidecar/issuer/account.h sidecar/issuer/authorize.c sidecar/issuer/authorize.h \
	sidecar/issuer/authorize_request.c sidecar/issuer/authorize_request.h \
	sidecar/issuer/consent.c sidecar/issuer/consent.h sidecar/issuer/cookies.c sidecar/issuer/cookies.h \
	sidecar/issuer/describe.c sidecar/issuer/describe.h sidecar/issuer/form_token.c sidecar/issuer/form_token.h \
	sidecar/issuer/html.c sidecar/issuer/html.h \
	sidecar/issuer/known_browser.c sidecar/issuer/known_browser.h sidecar/issuer/login.c sidecar/issuer/login.h \
	sidecar/issuer/page.c sidecar/issuer/page.h sidecar/issuer/page_style.c \
	sidecar/issuer/password_change.c sidecar/issuer/password_change.h \
	sidecar/issuer/visitor.c sidecar/issuer/visitor.h
