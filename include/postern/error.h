/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One table of everything that can go wrong: code, reason code, class, OAuth word, source, operator's sentence.
 * Documentation, host mappings and tests all expand it.  A reason code is
 * stable: it is what logs, JSON and `postern why` say.
 */
#ifndef POSTERN_ERROR_H
#define POSTERN_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_MUST_USE __attribute__((warn_unused_result))

/* What a host does about an error (doc/design/outcomes.md); the zero value is the safe one. */
typedef enum postern_class {
    POSTERN_CLASS_INTERNAL = 0, /* a bug of ours: undecided */
    POSTERN_CLASS_PROVED,       /* only POSTERN_OK */
    POSTERN_CLASS_AGAIN,        /* only POSTERN_AGAIN: no verdict yet */
    POSTERN_CLASS_TOKEN,        /* rejected: the token or message is bad */
    POSTERN_CLASS_SCOPE,        /* rejected: the token is good but too narrow */
    POSTERN_CLASS_IDENTITY,     /* rejected: wrong authzid, no mapping, user not allowed */
    POSTERN_CLASS_POLICY,       /* rejected: policy or an administrator says no */
    POSTERN_CLASS_TRANSPORT,    /* rejected: no TLS where it is required */
    POSTERN_CLASS_REMOTE,       /* undecided: keys, issuer or helper not reachable */
    POSTERN_CLASS_RESOURCE,     /* undecided: memory, descriptors, too much at once */
    POSTERN_CLASS_CONFIG,       /* undecided: this installation is misconfigured */
    POSTERN_CLASS_USAGE         /* undecided: the caller broke the contract */
} postern_class;

/*  code, reason code, class, OAuth error, source, operator's sentence */
#define POSTERN_ERR_LIST(X) \
    X(LIMIT,                "limit",                TOKEN,     "invalid_token",      "doc/design/limits.md",     "token or message exceeds a size limit") \
    X(MALFORMED,            "malformed",            TOKEN,     "invalid_token",      "RFC 7515 §5.2",            "token is not well formed") \
    X(ALG_NOT_ALLOWED,      "alg_not_allowed",      TOKEN,     "invalid_token",      "RFC 8725 §3.1",            "signature algorithm is not allowed") \
    X(CRIT,                 "crit",                 TOKEN,     "invalid_token",      "RFC 7515 §4.1.11",         "token demands an extension that is not understood") \
    X(TYP,                  "typ",                  TOKEN,     "invalid_token",      "RFC 9068 §4",              "token is of another type than an access token") \
    X(ALG_KEY_MISMATCH,     "alg_key_mismatch",     TOKEN,     "invalid_token",      "RFC 8725 §3.1",            "algorithm does not fit the key") \
    X(KEY_NOT_FOR_SIG,      "key_not_for_sig",      TOKEN,     "invalid_token",      "RFC 7517 §4.2",            "key is not meant for signatures") \
    X(UNKNOWN_KID,          "unknown_kid",          TOKEN,     "invalid_token",      "RFC 7515 §4.1.4",          "token names a key that the issuer does not publish") \
    X(WEAK_KEY,             "weak_key",             TOKEN,     "invalid_token",      "RFC 7518 §3.3",            "key is too weak or not valid") \
    X(BAD_SIGNATURE,        "bad_signature",        TOKEN,     "invalid_token",      "RFC 7515 §5.2",            "signature does not verify") \
    X(ISS,                  "iss",                  TOKEN,     "invalid_token",      "RFC 9068 §4",              "token is from an issuer that is not trusted here") \
    X(AUD,                  "aud",                  TOKEN,     "invalid_token",      "RFC 9068 §4",              "token is meant for another audience") \
    X(EXPIRED,              "expired",              TOKEN,     "invalid_token",      "RFC 7519 §4.1.4",          "token has expired") \
    X(NOT_YET_VALID,        "not_yet_valid",        TOKEN,     "invalid_token",      "RFC 7519 §4.1.5",          "token is not valid yet") \
    X(CLAIM_MISSING,        "claim_missing",        TOKEN,     "invalid_token",      "RFC 9068 §2.2",            "a required claim is missing") \
    X(MALFORMED_CLAIM,      "malformed_claim",      TOKEN,     "invalid_token",      "RFC 7519 §4",              "a claim has a wrong type or value") \
    X(UNSAFE_IDENTITY,      "unsafe_identity",      TOKEN,     "invalid_token",      "RFC 9068 §5",              "an identity claim holds unsafe characters or is too long") \
    X(ACTOR_UNCLEAR,        "actor_unclear",        TOKEN,     "invalid_token",      "RFC 9068 §5",              "token does not tell an agent's own from one for a human") \
    X(CNF,                  "cnf",                  TOKEN,     "invalid_token",      "RFC 7800 §3.1",            "token is bound to a key that was not proved here") \
    X(ACTOR_NOT_ALLOWED,    "actor_not_allowed",    TOKEN,     "invalid_token",      "RFC 8693 §4.4",            "token's actor is not the one that its may_act names") \
    X(TOKEN_AGE,            "token_age",            TOKEN,     "invalid_token",      "RFC 7519 §4.1.6",          "token is older, or lives longer, than is allowed here") \
    X(ACR,                  "acr",                  TOKEN,     "insufficient_user_authentication", "RFC 9470 §3",  "the person did not authenticate in the way that is wanted here") \
    X(AUTH_AGE,             "auth_age",             TOKEN,     "insufficient_user_authentication", "RFC 9470 §3",  "the person authenticated too long ago") \
    X(REVOKED,              "revoked",              TOKEN,     "invalid_token",      "RFC 7009 §2.2",            "token or its client was revoked") \
    X(INACTIVE,             "inactive",             TOKEN,     "invalid_token",      "RFC 7662 §2.2",            "authorization server says that the token is not active") \
    X(HANDLE,               "handle",               TOKEN,     "invalid_token",      "postern-helper(7)",        "token handle is unknown, used up or expired") \
    X(NO_TOKEN,             "no_token",             TOKEN,     "invalid_request",    "RFC 7628 §4.3",            "no token was sent") \
    X(MESSAGE_MALFORMED,    "message_malformed",    TOKEN,     "invalid_request",    "RFC 7628 §3.1",            "login message is not well formed") \
    X(MESSAGE_SERVER,       "message_server",       TOKEN,     "invalid_request",    "RFC 7628 §3.2",            "login message is meant for another server") \
    X(INSUFFICIENT_SCOPE,   "insufficient_scope",   SCOPE,     "insufficient_scope", "RFC 6750 §3.1",            "required scope is missing") \
    X(AUTHZID,              "authzid",              IDENTITY,  "invalid_token",      "RFC 4422 §3.4.1",          "wanted identity is not the token's") \
    X(NO_MAPPING,           "no_mapping",           IDENTITY,  "invalid_token",      "RFC 9068 §5",              "token maps to no local user") \
    X(EMAIL_UNVERIFIED,     "email_unverified",     IDENTITY,  "invalid_token",      "OpenID Connect Core §5.7", "issuer has not verified the address that would name the user") \
    X(USER_DENIED,          "user_denied",          IDENTITY,  "invalid_token",      "deny_users",               "local user may not log in with a token") \
    X(CLIENT_NOT_ALLOWED,   "client_not_allowed",   POLICY,    "invalid_token",      "allowed_clients",          "token was issued to a client that may not come here") \
    X(POLICY,               "policy",               POLICY,    "invalid_token",      "policy",                   "policy does not allow this") \
    X(BLOCKED,              "blocked",              POLICY,    "invalid_token",      "postern block",            "agent was blocked by an administrator") \
    X(HELD,                 "held",                 POLICY,    "invalid_token",      "policy",                   "somebody must approve this first") \
    X(RATE,                 "rate",                 POLICY,    "invalid_token",      "policy",                   "policy does not allow this so often") \
    X(RENEWAL,              "renewal",              POLICY,    "invalid_token",      "postern-raw(7)",           "session cannot be renewed with this token") \
    X(TLS_REQUIRED,         "tls_required",         TRANSPORT, "invalid_request",    "RFC 7628 §3",              "connection is not protected by TLS") \
    X(KEYS_UNAVAILABLE,     "keys_unavailable",     REMOTE,    NULL,                 "RFC 7517 §5",              "the issuer's keys cannot be read") \
    X(REVOCATIONS_UNKNOWN,  "revocations_unknown",  REMOTE,    NULL,                 "RFC 7009 §2.2",            "the issuer has not told yet what was revoked") \
    X(ISSUER_UNREACHABLE,   "issuer_unreachable",   REMOTE,    NULL,                 "RFC 6749 §3.2",            "authorization server cannot be reached") \
    X(ISSUER_UNTRUSTED,     "issuer_untrusted",     REMOTE,    NULL,                 "RFC 6749 §10.1",           "what listens there is not the authorization server") \
    X(ISSUER_ANSWER,        "issuer_answer",        REMOTE,    NULL,                 "RFC 6749 §5.1",            "authorization server answered what cannot be used") \
    X(BACKEND,              "backend",              REMOTE,    NULL,                 "backend",                  "backend cannot be reached") \
    X(TOKEN_REFUSED,        "token_refused",        TOKEN,     NULL,                 "RFC 6749 §5.2",            "authorization server refused to issue a token") \
    X(LOGIN_NEEDED,         "login_needed",         TOKEN,     NULL,                 "postern login",            "a person must authorize the agent first") \
    X(HELPER_UNAVAILABLE,   "helper_unavailable",   REMOTE,    NULL,                 "postern-helper(7)",        "posternd's helper cannot be reached") \
    X(HELPER_UNTRUSTED,     "helper_untrusted",     REMOTE,    NULL,                 "postern-helper(7)",        "helper socket is not posternd's") \
    X(HELPER_PROTOCOL,      "helper_protocol",      REMOTE,    NULL,                 "postern-helper(7)",        "helper answered what cannot be used") \
    X(DOOR_UNREACHABLE,     "door_unreachable",     REMOTE,    NULL,                 "postern(1)",               "door cannot be reached") \
    X(DOOR_UNTRUSTED,       "door_untrusted",       REMOTE,    NULL,                 "RFC 9525 §6",              "what answers there is not the door") \
    X(DOOR_ANSWER,          "door_answer",          REMOTE,    NULL,                 "postern(1)",               "door answered what cannot be used") \
    X(TIMEOUT,              "timeout",              REMOTE,    NULL,                 "op_deadline",              "no verdict within the deadline") \
    X(NOMEM,                "nomem",                RESOURCE,  NULL,                 "malloc(3)",                "out of memory") \
    X(BUSY,                 "busy",                 RESOURCE,  NULL,                 "limits",                   "too many requests in flight") \
    X(AGENT_BUSY,           "agent_busy",           RESOURCE,  NULL,                 "limits",                   "the agent has as many sessions as one may have") \
    X(SYSTEM,               "system",               RESOURCE,  NULL,                 "errno(3)",                 "a system call failed") \
    X(AUDIT,                "audit",                RESOURCE,  NULL,                 "audit_file",               "the audit record could not be written") \
    X(PEER_NOT_ALLOWED,     "peer_not_allowed",     CONFIG,    NULL,                 "helper_peers",             "this process may not ask as that service") \
    X(SERVICE_UNKNOWN,      "service_unknown",      CONFIG,    NULL,                 "services/NAME.conf",       "no service file names that service") \
    X(CONFIG_SYNTAX,        "config_syntax",        CONFIG,    NULL,                 "postern.conf(5)",          "configuration line is not `key: value`") \
    X(CONFIG_KEY,           "config_key",           CONFIG,    NULL,                 "postern.conf(5)",          "configuration key is unknown or stands twice") \
    X(CONFIG_VALUE,         "config_value",         CONFIG,    NULL,                 "postern.conf(5)",          "configuration value is out of range") \
    X(CONFIG_MISSING,       "config_missing",       CONFIG,    NULL,                 "postern.conf(5)",          "a required setting is missing") \
    X(CONFIG_CONFLICT,      "config_conflict",      CONFIG,    NULL,                 "postern.conf(5)",          "two settings contradict each other") \
    X(CONFIG_FILE,          "config_file",          CONFIG,    NULL,                 "postern.conf(5)",          "a configured file cannot be used") \
    X(RULES,                "rules",                CONFIG,    NULL,                 "postern-policy(5)",        "a policy file holds a mistake") \
    X(RULES_EXPECT,         "rules_expect",         CONFIG,    NULL,                 "postern-policy(5)",        "a policy does not do what its `expect` says") \
    X(USAGE,                "usage",                USAGE,     NULL,                 "API",                      "called in a way that the contract forbids") \
    X(INTERNAL,             "internal",             INTERNAL,  NULL,                 "bug",                      "internal error")

typedef enum postern_err {
    POSTERN_ERR_UNSET = 0, /* zeroed memory is never a success */
    POSTERN_OK,
    POSTERN_AGAIN,         /* postern_op_step(): poll and step again */
#define POSTERN_ERR_ENUM(code, reason, class, oauth, source, text) POSTERN_ERR_##code,
    POSTERN_ERR_LIST(POSTERN_ERR_ENUM)
#undef POSTERN_ERR_ENUM
    POSTERN_ERR_COUNT
} postern_err;

/*
 * Where and why, filled on failure only.  `detail` is one operator's sentence without token bytes or secrets;
 * values that came from outside are escaped and capped.
 */
typedef struct postern_error {
    postern_err code;
    int         line;        /* of our source */
    const char *file;        /* of our source, static */
    char        detail[384]; /* NUL-terminated, printable ASCII */
} postern_error;

const char   *postern_err_reason(postern_err e); /* stable, lower case: "bad_signature"; never NULL */
const char   *postern_err_text(postern_err e);   /* the operator's sentence; never NULL */
const char   *postern_err_source(postern_err e); /* RFC section, setting or manual page; never NULL */
const char   *postern_err_oauth(postern_err e);  /* RFC 6750 §3.1 / RFC 7628 word, NULL when undecided */
postern_class postern_err_class(postern_err e);
/* The code of an error's reason; POSTERN_ERR_UNSET when there is none of that name.  Never POSTERN_OK or POSTERN_AGAIN:
 * a word from a wire cannot become a yes. */
postern_err   postern_err_from_reason(const char *reason);

typedef enum postern_outcome { POSTERN_UNDECIDED = 0, POSTERN_REJECTED, POSTERN_PROVED } postern_outcome;
/* Three outcomes, never two: only POSTERN_OK is proved. */
postern_outcome postern_err_outcome(postern_err e);
const char     *postern_outcome_name(postern_outcome o); /* "proved" "rejected" "undecided" */

/* Record and yield `code`.  `err` may be NULL.  Non-printing bytes in the result become '?'. */
postern_err postern_error_set(postern_error *err, postern_err code, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* `from` (escaped, at most 64 bytes of it, then "...") as text for a detail; `room` should be ≥ 260. */
const char *postern_error_quote(const void *from, size_t len, char *room, size_t room_size);

#define POSTERN_FAIL(err, code, ...) postern_error_set((err), POSTERN_ERR_##code, __FILE__, __LINE__, __VA_ARGS__)
/* The only hidden control flow in the tree: returns on anything but POSTERN_OK. */
#define POSTERN_TRY(call)                       \
    do {                                        \
        postern_err try_result_ = (call);       \
        if (try_result_ != POSTERN_OK)          \
            return try_result_;                 \
    } while (0)

#define POSTERN_AUTO(noun) __attribute__((cleanup(postern_auto_##noun))) postern_##noun *
#define POSTERN_STEAL(ptr)                      \
    __extension__({                             \
        __typeof__(ptr) stolen_ = (ptr);        \
        (ptr) = NULL;                           \
        stolen_;                                \
    })

#ifdef __cplusplus
}
#endif
#endif
