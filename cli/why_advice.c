/* SPDX-License-Identifier: BSD-2-Clause */
/* One line of advice a reason code; a test holds the table against POSTERN_ERR_LIST. */
#include "config.h"

#include "why_advice.h"

#define NEW_TOKEN "Fetch a new token"
#define ASK_CLIENT "The client sends something else than it should: "

static const char *const advice[POSTERN_ERR_COUNT] = {
    [POSTERN_OK] = "Nothing: the login was accepted.",
    [POSTERN_ERR_LIMIT] = "The token is far larger than access tokens are. " NEW_TOKEN
                          " with fewer scopes or claims at the authorization server.",
    [POSTERN_ERR_MALFORMED] =
        ASK_CLIENT "the token is damaged or is no JWT (a password, an ID token, quotes or a line "
                   "break pasted along?). " NEW_TOKEN " and send it as it is. An opaque token that is "
                   "not of the embedded issuer counts only with `introspection:` of the issuer's file, "
                   "in place of a password only with the service's `opaque_prefix:`.",
    [POSTERN_ERR_ALG_NOT_ALLOWED] =
        "Let the authorization server sign with an algorithm of `algorithms:` in the issuer's "
        "file, or add its algorithm there. `none` and HMAC are never accepted.",
    [POSTERN_ERR_CRIT] = "The token carries a `crit` header that Postern does not know. Turn that "
                         "extension off at the authorization server.",
    [POSTERN_ERR_TYP] = "An access token is wanted, not an ID token. If this issuer never sends "
                        "typ at+jwt, set `token_types: JWT` in its file.",
    [POSTERN_ERR_ALG_KEY_MISMATCH] = "The token's alg does not fit the key that its kid names. "
                                     "Compare the token's header with the issuer's key set.",
    [POSTERN_ERR_KEY_NOT_FOR_SIG] =
        "The key in the issuer's key set is for encryption (use or key_ops). Let the authorization "
        "server publish its signing key.",
    [POSTERN_ERR_UNKNOWN_KID] =
        NEW_TOKEN ": the issuer may have changed its keys. If it stays, compare the key set in "
                  "`jwks_file:`, or at `jwks_uri:`, with what the issuer publishes.",
    [POSTERN_ERR_WEAK_KEY] = "Make a new signing key at the authorization server: RSA from 2048 "
                             "bits, or a curve of RFC 7518.",
    [POSTERN_ERR_BAD_SIGNATURE] =
        "The token was changed on its way, or another key signed it. " NEW_TOKEN
        "; if it stays, `jwks_file:` or `jwks_uri:` of the issuer's file holds another server's keys. "
        "Somebody "
        "may be trying forged tokens.",
    [POSTERN_ERR_ISS] =
        "The token's issuer is none that this service trusts. Ask the right authorization server, "
        "or add a file to issuers/ and its name to `issuers:` of the service.",
    [POSTERN_ERR_AUD] = "The token is for another service. Ask for one with --resource and an "
                        "`audience:` of this service's file.",
    [POSTERN_ERR_HANDLE] =
        "Mint a new handle (`postern handle`) right before the login: it lasts a minute, as often as "
        "--uses said, and ends with a reload of posternd.",
    [POSTERN_ERR_EXPIRED] = NEW_TOKEN ". If new ones are refused too, compare the clocks of this "
                                      "host and of the authorization server.",
    [POSTERN_ERR_NOT_YET_VALID] = "Compare the clocks of this host and of the authorization server "
                                  "(`clock_skew:` of the issuer's file is the tolerance).",
    [POSTERN_ERR_CLAIM_MISSING] =
        "Let the authorization server put the claim into its access tokens, or take it out of "
        "`required_claims:` (of an opaque token: `introspection_claims:`) in the issuer's file.",
    [POSTERN_ERR_MALFORMED_CLAIM] = "A claim has a type or value that the standard does not allow. "
                                    "This is the authorization server's to mend.",
    [POSTERN_ERR_UNSAFE_IDENTITY] =
        "The name in the token has characters that no log or user database should see. Rename the "
        "client or user, or set another `username_claim:`.",
    [POSTERN_ERR_ACTOR_UNCLEAR] =
        "Let the authorization server add the claim that the detail names, so that an agent's own "
        "tokens are known; or correct `provider:` of the issuer's file.",
    [POSTERN_ERR_CNF] =
        "The token is bound to a certificate or key (cnf). At a door with `tls_client_certificate: "
        "ask`, connect with that certificate (`tls_cert_file:` of client.conf for postern connect); "
        "elsewhere, or when it is bound to a DPoP key, ask for a plain bearer token.",
    [POSTERN_ERR_ACTOR_NOT_ALLOWED] =
        "Whoever the token's act names is not whom its may_act allows to act. This is the "
        "authorization server's to mend: look at its exchange policy.",
    [POSTERN_ERR_TOKEN_AGE] =
        NEW_TOKEN ". If new ones are refused too, the authorization server gives them a longer life "
                  "than `max_token_lifetime:` or keeps them longer than `max_token_age:` of the "
                  "issuer's file allows.",
    [POSTERN_ERR_ACR] =
        "The person must authenticate in one of the ways of `required_acr:` of the service's file "
        "(acr_values of RFC 9470), then the agent asks again. An agent's own token never has one.",
    [POSTERN_ERR_AUTH_AGE] =
        "The person must authenticate again (postern login), then the agent asks for a new token; "
        "`max_auth_age:` of the service's file says how long that counts. An agent's own token, or "
        "one of an issuer that sends no auth_time, never gets in.",
    [POSTERN_ERR_CLIENT_NOT_ALLOWED] =
        "Add the client to `allowed_clients:` of the service's or door's file, if it is one that may "
        "come here; azp, client_id and what agent_claim finds must all be on the list.",
    [POSTERN_ERR_REVOKED] =
        "The agent was removed, its tokens were revoked, or the person ended what they came from. "
        "If that was a mistake, register the agent again (postern client add), or let the person "
        "authorize it again (postern login); old tokens stay refused.",
    [POSTERN_ERR_INACTIVE] =
        NEW_TOKEN ": this one has ended, was taken back, or is none of the issuer's. If new ones are "
                  "refused too, the issuer does not let the client of `client:` see them.",
    [POSTERN_ERR_NO_TOKEN] = ASK_CLIENT
    "an empty message, as clients do to ask which authorization server is wanted. " NEW_TOKEN
    " and log in again.",
    [POSTERN_ERR_MESSAGE_MALFORMED] = ASK_CLIENT
    "the SASL message does not follow RFC 7628 (or XOAUTH2). Update or report the client.",
    [POSTERN_ERR_MESSAGE_SERVER] = "The client's message names another host or port. Connect by a "
                                   "name of `server_names:`, or add the name there.",
    [POSTERN_ERR_INSUFFICIENT_SCOPE] =
        "Ask for a token with every scope of `required_scopes:` and one of `required_scopes_any:` in "
        "the service's file, and allow them to the agent (postern client add --scope).",
    [POSTERN_ERR_AUTHZID] = "The client wants to be another user than the token's. Leave the user "
                            "name out, or log in as the token's user.",
    [POSTERN_ERR_NO_MAPPING] =
        "The token's user has no local name here. Look at `username_claim:` of the issuer's and "
        "`username_strip_domain:`, `username_chars:` of the service's file.",
    [POSTERN_ERR_EMAIL_UNVERIFIED] =
        "Let the issuer verify addresses and say so (email_verified: true), or name users by another "
        "claim in `username_claim:` of the issuer's file.",
    [POSTERN_ERR_USER_DENIED] =
        "That local user may not log in with a token. See `allow_users:`, `deny_users:` and "
        "`allow_system_users:` of the service's file; better, use another user.",
    [POSTERN_ERR_POLICY] =
        "A policy or an administrator refuses this. See the rule that the detail names.",
    [POSTERN_ERR_BLOCKED] = "An administrator blocked this agent (postern blocks says why and until "
                            "when). `postern unblock AGENT` lets it in again.",
    [POSTERN_ERR_HELD] = "A rule wants somebody's approval first. `postern held` lists what waits; "
                         "`postern approve REF` lets the same request pass once.",
    [POSTERN_ERR_RATE] = "The agent did this as often as the rule that the detail names allows. It may "
                         "again later; a rule's `with rate` says how often.",
    [POSTERN_ERR_RENEWAL] = "A session is renewed by a token of the same issuer, subject, client "
                            "and actor, for the same door. " NEW_TOKEN " as the same agent.",
    [POSTERN_ERR_TLS_REQUIRED] =
        "Connect with TLS. If the host guards TLS itself and never tells SASL (Postfix, svnserve, "
        "memcached), set `require_tls: host` in the service's file.",
    [POSTERN_ERR_KEYS_UNAVAILABLE] =
        "posternd cannot read the issuer's keys: look at posternd's log for keys.unusable. With "
        "`jwks_file:` look at its owner and mode, else whether this host reaches the issuer by "
        "HTTPS and `tls_ca_file:` fits its certificate.",
    [POSTERN_ERR_REVOCATIONS_UNKNOWN] =
        "The embedded issuer has not told the helper its revocations yet: try again in a moment. "
        "If it stays, look for the issuer child in posternd's log.",
    [POSTERN_ERR_ISSUER_UNREACHABLE] =
        "Look whether the authorization server runs and can be reached from this host. What an opaque "
        "token of the embedded issuer stands for is known to posternd's issuer child alone (postern "
        "verify cannot ask it): look for that child in posternd's log.",
    [POSTERN_ERR_ISSUER_UNTRUSTED] =
        "Something else listens where the authorization server should be. Find out what (ss "
        "-ltnp), start posternd, then try again.",
    [POSTERN_ERR_ISSUER_ANSWER] = "The authorization server answered in a way that RFC 6749 or "
                                  "RFC 7662 does not allow. Look at its log, whether a proxy stands "
                                  "between, and whether it knows the client of `client:`.",
    [POSTERN_ERR_BACKEND] =
        "The door's token was fine; the daemon behind the door was not there. Look whether it runs "
        "where `backend:` of the door's file says, and at its certificate where `backend_tls:` asks "
        "for one.",
    [POSTERN_ERR_LOGIN_NEEDED] =
        "Let the person authorize the agent once with `postern login`, then ask again.",
    [POSTERN_ERR_TOKEN_REFUSED] = "The authorization server did not issue a token: check the "
                                  "client's name, secret, scopes and resource there.",
    [POSTERN_ERR_HELPER_UNAVAILABLE] =
        "Start posternd, or look whether the host can reach the socket of `helper_socket:` (a "
        "chroot needs one of its own).",
    [POSTERN_ERR_HELPER_UNTRUSTED] =
        "The helper's socket or its folder does not belong to root. Put it where only root can "
        "write, and look who made the other one.",
    [POSTERN_ERR_HELPER_PROTOCOL] =
        "Plugin and posternd are of different versions: install the same one, then restart both.",
    [POSTERN_ERR_DOOR_UNREACHABLE] =
        "Look whether posternd runs on the door's machine and listens where the client asks, and "
        "whether a firewall stands between.",
    [POSTERN_ERR_DOOR_UNTRUSTED] =
        "The client knows the door by another certificate or owner: compare `tls_cert_file:` of the "
        "door with the client's `door_tls_ca_file:`, and the name in the URL.",
    [POSTERN_ERR_DOOR_ANSWER] = "What the client reached is no door with `protocol: raw`, or one of "
                                "another version of Postern.",
    [POSTERN_ERR_TIMEOUT] = "No verdict came in time: look at the load of this host and at "
                            "posternd's log, then try again.",
    [POSTERN_ERR_NOMEM] = "This host, or posternd's control group, is short of memory.",
    [POSTERN_ERR_BUSY] = "More logins at one time than `helper_max_connections:` of postern.conf, or "
                         "more sessions than `max_connections:` of the door, or more new tokens at "
                         "one time than an issuer is asked about. Raise it, or look who has so "
                         "many.",
    [POSTERN_ERR_AGENT_BUSY] =
        "The agent has as many sessions as `max_connections_per_agent:` of the door says: `postern "
        "sessions --agent` lists them. Raise it, or see why the agent does not close what it opens.",
    [POSTERN_ERR_SYSTEM] = "A system call failed, as the detail says: often descriptors "
                           "(LimitNOFILE=) or a full disk.",
    [POSTERN_ERR_AUDIT] = "Nothing is accepted that cannot be recorded. Make room on the disk of "
                          "`audit_file:`, then try again.",
    [POSTERN_ERR_PEER_NOT_ALLOWED] = "Add the user that the host runs as to `helper_peers:` of the "
                                     "service's file, if it is the right host; an agent that wants a "
                                     "token handle belongs into `handle_peers:`.",
    [POSTERN_ERR_SERVICE_UNKNOWN] = "Make services/NAME.conf, or put the host's service name into "
                                    "`service_names:` of an existing one, and reload posternd.",
    [POSTERN_ERR_CONFIG_SYNTAX] =
        "Mend the line that the detail names; `posternd --check` tests it.",
    [POSTERN_ERR_CONFIG_KEY] = "Mend the line that the detail names; `posternd --check` tests it, "
                               "postern.conf(5) lists all keys.",
    [POSTERN_ERR_CONFIG_VALUE] =
        "Mend the value that the detail names; `posternd --check` tests it.",
    [POSTERN_ERR_CONFIG_MISSING] =
        "Add the setting that the detail names; `posternd --check` tests it.",
    [POSTERN_ERR_CONFIG_CONFLICT] =
        "Change one of the two settings that the detail names; `posternd --check` tests it.",
    [POSTERN_ERR_CONFIG_FILE] =
        "Look at the file that the detail names: it must be there, with the right owner and mode.",
    [POSTERN_ERR_RULES] =
        "Mend the line that the detail names; `postern policy check` tests the file.",
    [POSTERN_ERR_RULES_EXPECT] =
        "Either the rules or the `expect` that the detail names is wrong: `postern policy explain` "
        "shows which rule decides.",
    [POSTERN_ERR_USAGE] =
        "The host called Postern in a way it should not: report it, with the detail.",
    [POSTERN_ERR_INTERNAL] = "This is a defect of Postern: report it, with the detail.",
};

const char *why_advice(postern_err code)
{
    return (unsigned)code < POSTERN_ERR_COUNT ? advice[code] : NULL;
}
