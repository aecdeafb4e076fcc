/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the server calls.  The only way to `authorized` is a verdict that proved the token for the
 * issuer and the scopes of the line of pg_hba.conf; which roles the token's user may take is the
 * server's user map, or the same name where the line says delegate_ident_mapping.
 */
#include "postgres.h"

#include "fmgr.h"
#include "libpq/libpq-be.h"
#include "libpq/oauth.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "validator.h"
#include "version.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = "postern_validator", .version = VALIDATOR_VERSION);
#else
PG_MODULE_MAGIC;
#endif

/* The server's: it sets and frees them. */
static char *setting_service, *setting_socket, *setting_user;

/*
 * No check hook: a value that one refuses would be replaced by the default, and the login judged by
 * another service's rules.  A bad one is seen at each login, which then is not decided.
 */
static void define(const char *name, const char *what, char **value, const char *by_default)
{
    DefineCustomStringVariable(name, what, NULL, value, by_default, PGC_SIGHUP, 0, NULL, NULL,
                               NULL);
}

void _PG_init(void)
{
    define("postern.service", "Name of the service file of posternd.", &setting_service,
           "postgresql");
    define("postern.helper_socket", "Socket of posternd's helper.", &setting_socket,
           POSTERN_HELPER_SOCKET_DEFAULT);
    define("postern.helper_user", "User whom posternd's helper may run as, beside root.",
           &setting_user, "");
    MarkGUCPrefixReserved("postern");
}

/* ---- one login ---- */

struct login {
    postern_helper_place place;
    struct validator_scopes scopes;
    struct validator_answer answer;
};

static postern_err fail(struct login *l, postern_err code, const char *detail)
{
    size_t len = strlen(detail);

    l->answer.code = code;
    if (len >= sizeof l->answer.detail) /* a postern_error's has the same size */
        len = sizeof l->answer.detail - 1;
    memcpy(l->answer.detail, detail, len);
    l->answer.detail[len] = '\0';
    return code;
}

/* The settings and the line of pg_hba.conf. */
static postern_err prepare(struct login *l, const HbaLine *hba)
{
    const char *user = setting_user[0] == '\0' ? NULL : setting_user;
    postern_error err = { 0 };
    postern_err e =
        postern_helper_place_read(setting_service, setting_socket, user, &l->place, &err);

    if (e == POSTERN_OK)
        e = validator_scopes_read(hba->oauth_scope, &l->scopes, &err);
    return e == POSTERN_OK ? e : fail(l, e, err.detail);
}

/* The helper judges; of a delegated line the role too, so that its record says who was wanted. */
static postern_err ask(struct login *l, const Port *port, const char *token, const char *role)
{
    char address[INET6_ADDRSTRLEN];
    const postern_request rq = {
        .size = sizeof rq,
        .service = l->place.service,
        .token = postern_bytes_str(token),
        .authzid = port->hba->oauth_skip_usermap ? role : NULL,
        .carrier = POSTERN_CARRIER_SASL,
        .tls = validator_tls_state(port),
        .peer = validator_peer(port, address),
        .extra_scopes = l->scopes.list,
    };

    validator_ask(&l->place, &rq, &l->answer);
    return l->answer.code;
}

/* Nobody's word but our own is taken for what the line of pg_hba.conf says. */
static postern_err check(struct login *l, const HbaLine *hba, const char *role)
{
    if (l->answer.has_two_names)
        return fail(l, POSTERN_ERR_CONFIG_CONFLICT,
                    "login_as: both is for hosts with two names, and PostgreSQL has one");
    if (!validator_is_issuer(hba->oauth_issuer, l->answer.issuer))
        return fail(l, POSTERN_ERR_ISS, "the line of pg_hba.conf names another issuer");
    if (hba->oauth_skip_usermap && strcmp(l->answer.user, role) != 0)
        return fail(l, POSTERN_ERR_AUTHZID, "the role is not the token's user");
    return POSTERN_OK;
}

static postern_err judge(struct login *l, const Port *port, const char *token, const char *role)
{
    if (port == NULL || port->hba == NULL)
        return fail(l, POSTERN_ERR_USAGE, "called outside a login");
    POSTERN_TRY(prepare(l, port->hba));
    POSTERN_TRY(ask(l, port, token, role));
    return check(l, port->hba, role);
}

static bool validate(const ValidatorModuleState *state, const char *token, const char *role,
                     ValidatorModuleResult *result)
{
    struct login *l = palloc0(sizeof *l); /* no token in it */
    postern_err e = judge(l, MyProcPort, token, role);

    (void)state;
    result->authorized = false;
    validator_log(l->place.service, &l->answer);
    switch (validator_end_of(e)) {
    case VALIDATOR_ADMIT:
        result->authn_id = pstrdup(l->answer.user);
        result->authorized = true;
        return true;
    case VALIDATOR_REFUSE:
        validator_tell_detail(result, &l->answer);
        return true;
    case VALIDATOR_GIVE_UP:
        break;
    }
    validator_give_up(&l->answer);
}

static const OAuthValidatorCallbacks callbacks = {
    .magic = PG_OAUTH_VALIDATOR_MAGIC,
    .validate_cb = validate,
};

const OAuthValidatorCallbacks *_PG_oauth_validator_module_init(void)
{
    return &callbacks;
}
