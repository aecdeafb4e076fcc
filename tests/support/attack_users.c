/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks by tokens that were taken back, and on the local user: RFC 7009 §2.2, RFC 9068 §5, RFC
 * 4422 §3.4.1; names that mean something else to a shell, a query or a path as in CVE-2026-24031.
 */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

#define TAKEN_BACK(code, place, name, json, words)                                                 \
    ATTACK_CLAIM_AT(SITE_TAKEN_BACK, code, REVOCATION, place, name, json, words)
#define NO_USER(place, json, words) ATTACK_CLAIM(NO_MAPPING, USER, "sub/" place, "sub", json, words)
#define DENIED(place, json, words)  ATTACK_CLAIM(USER_DENIED, USER, "sub/" place, "sub", json, words)
#define EMAIL(code, place, name, json, words)                                                      \
    ATTACK_CLAIM_AT(SITE_EMAIL, code, USER, place, name, json, words)
#define TEMPLATE(code, place, name, json, words)                                                   \
    ATTACK_CLAIM_AT(SITE_TEMPLATE, code, USER, place, name, json, words)
#define MAP(code, place, json, words)                                                              \
    ATTACK_CLAIM_AT(SITE_MAP, code, USER, "sub by a map/" place, "sub", json, words)
#define AGENT(code, place, name, json, words)                                                      \
    ATTACK_CLAIM_AT(SITE_AGENT, code, USER, place, name, json, words)
#define BOTH(code, place, name, json, words)                                                       \
    ATTACK_CLAIM_AT(SITE_BOTH, code, USER, place, name, json, words)
#define WANTED(place, name, words)                                                                 \
    {                                                                                              \
        .reason = POSTERN_ERR_AUTHZID, .check = TRAIL_AUTHZID, .field = "request.authzid/" place,  \
        .done = words, .make = attack_by_nothing, .authzid = name                                  \
    }
#define WANTED_BOTH(place, name, words)                                                            \
    {                                                                                              \
        .reason = POSTERN_ERR_AUTHZID, .check = TRAIL_AUTHZID, .field = "request.authzid/" place,  \
        .done = words, .make = attack_by_nothing, .site = SITE_BOTH, .authzid = name               \
    }

/* Tenant and subject so long that the name of both is too long. */
static struct attack_text by_long_parts(const struct attack_world *w, const struct attack *a)
{
    char *filler = calloc(1, a->len + 1), *json;
    struct attack own = *a;
    struct attack_text t;

    if (filler == NULL)
        abort();
    memset(filler, 'n', a->len);
    own.a = "tenant";
    own.b = json = test_printf("\"%s\"", filler);
    t = attack_by_claim(w, &own);
    free(json);
    free(filler);
    return t;
}

static const struct attack rows[] = {
    TAKEN_BACK(REVOKED, "client_id/removed", "client_id", "\"agent-gone\"", "a removed client"),
    TAKEN_BACK(REVOKED, "jti/revoked", "jti", "\"t-gone\"", "a revoked token"),
    TAKEN_BACK(REVOKED, "grant_id/ended", "grant_id", "\"g-gone\"", "an authorization that ended"),
    TAKEN_BACK(REVOKED, "derived_from/first", "derived_from", "[\"t-gone\",\"t-0\"]",
               "exchanged from a revoked token"),
    TAKEN_BACK(REVOKED, "derived_from/last", "derived_from", "[\"t-0\",\"t-gone\"]",
               "exchanged from one, earlier"),
    TAKEN_BACK(REVOKED, "act.sub/removed", "act", "{\"sub\":\"agent-gone\"}", "a removed actor"),
    TAKEN_BACK(REVOKED, "act.act.sub/removed", "act",
               "{\"sub\":\"agent-9\",\"act\":{\"sub\":\"agent-gone\"}}",
               "a removed actor who handed the token on"),
    TAKEN_BACK(REVOKED, "jti/revoked, escaped", "jti", "\"t-\\u0067one\"", "its name by an escape"),
    TAKEN_BACK(REVOKED, "client_id/removed and blocked", "client_id",
               "\"agent-gone\",\"act\":{\"sub\":\"agent-blocked\"}",
               "what the issuer says counts first"),
    TAKEN_BACK(BLOCKED, "client_id/blocked", "client_id", "\"agent-blocked\"", "a blocked agent"),
    TAKEN_BACK(BLOCKED, "client_id/blocked, a second left", "client_id", "\"agent-blocked-until\"",
               "blocked for one second more"),
    TAKEN_BACK(BLOCKED, "act.sub/blocked", "act", "{\"sub\":\"agent-blocked\"}",
               "a blocked agent with a client's token"),
    TAKEN_BACK(BLOCKED, "client_id/blocked, escaped", "client_id", "\"agent\\u002dblocked\"",
               "its name by an escape"),

    NO_USER("blank", "\"ali ce\"", "a blank inside"),
    NO_USER("path", "\"../alice\"", "a path"),
    NO_USER("slash", "\"a/b\"", "a slash"),
    NO_USER("backslash", "\"DOMAIN\\\\alice\"", "a backslash, as Windows writes domains"),
    NO_USER("dot in front", "\".alice\"", "a dot in front"),
    NO_USER("dots", "\"..\"", "the folder above"),
    NO_USER("hyphen in front", "\"-oProxyCommand\"", "an option of ssh"),
    NO_USER("hyphen after strip", "\"-x@example.org\"", "an option, when the domain is off"),
    NO_USER("nothing left", "\"@example.org\"", "a domain and nothing else"),
    NO_USER("@ in front", "\"@alice\"", "nothing in front of it"),
    NO_USER("@ behind", "\"alice@\"", "nothing behind it"),
    NO_USER("quote", "\"alice' OR '1'='1\"", "a condition of SQL"),
    NO_USER("double quote", "\"a\\\"b\"", "a quotation mark"),
    NO_USER("semicolon", "\"alice;id\"", "a command"),
    NO_USER("dollar", "\"$(id)\"", "a command"),
    NO_USER("backtick", "\"`id`\"", "a command"),
    NO_USER("pipe", "\"alice|id\"", "a command"),
    NO_USER("percent", "\"%n\"", "a format of printf(3)"),
    NO_USER("star", "\"*\"", "any, of LDAP"),
    NO_USER("parenthesis", "\"*)(uid=*\"", "a filter of LDAP"),
    NO_USER("equal sign", "\"uid=alice\"", "a name of LDAP"),
    NO_USER("comma", "\"alice,dc=x\"", "a name of LDAP"),
    NO_USER("plus", "\"alice+x\"", "a subaddress"),
    NO_USER("colon", "\"alice:0:0\"", "a line of passwd(5)"),
    NO_USER("hash", "\"#0\"", "a uid, of sudo"),
    NO_USER("tilde", "\"~root\"", "a home"),
    NO_USER("not ASCII", "\"al\\u00edce\"", "an accent"),
    NO_USER("homoglyph", "\"\\u0430lice\"", "a Cyrillic first letter"),
    NO_USER("zero width", "\"alice\\u200b\"", "a letter that nobody sees"),
    NO_USER("right to left", "\"\\u202eecila\"", "a name that reads as another"),
    NO_USER("wide letters", "\"\\uff41lice\"", "a fullwidth first letter"),
    NO_USER("URL", "\"https://sso.example.org/alice\"", "a URL"),
    DENIED("root", "\"root\"", "root"),
    DENIED("root, case", "\"ROOT\"", "root, to a host that folds names"),
    DENIED("root, our domain", "\"root@example.org\"", "root, when the domain is off"),
    DENIED("root, another domain", "\"root@evil.example\"",
           "root, to a host that cuts the realm off"),
    DENIED("root, two domains", "\"root@a@example.org\"", "root, cut off at the first @"),
    DENIED("cyrus", "\"cyrus\"", "the administrator of Cyrus"),
    DENIED("postgres", "\"postgres\"", "the administrator of PostgreSQL"),
    DENIED("system account", "\"daemon\"", "an account with a uid below 1000"),
    DENIED("system account, case", "\"Daemon\"", "the same in upper case"),
    DENIED("system account, domain", "\"daemon@x\"", "the same in front of a realm"),
    EMAIL(EMAIL_UNVERIFIED, "email_verified/missing", "email_verified", NULL, "nobody says it"),
    EMAIL(EMAIL_UNVERIFIED, "email_verified/false", "email_verified", "false", "not verified"),
    EMAIL(EMAIL_UNVERIFIED, "email_verified/string", "email_verified", "\"true\"", "a string"),
    EMAIL(EMAIL_UNVERIFIED, "email_verified/number", "email_verified", "1", "a number"),
    EMAIL(EMAIL_UNVERIFIED, "email_verified/null", "email_verified", "null", "null"),
    EMAIL(EMAIL_UNVERIFIED, "email_verified/array", "email_verified", "[true]", "an array of one"),
    EMAIL(EMAIL_UNVERIFIED, "email_verified/elsewhere", "email_verified",
          "null,\"act\":{\"sub\":\"agent-9\",\"email_verified\":\"true\"}", "in the actor"),
    EMAIL(NO_MAPPING, "email/missing", "email", NULL, "no address"),
    EMAIL(MALFORMED_CLAIM, "email/array", "email", "[\"alice@example.org\"]", "an array of one"),
    EMAIL(MALFORMED_CLAIM, "email/empty", "email", "\"\"", "an empty string"),
    EMAIL(UNSAFE_IDENTITY, "email/newline", "email", "\"alice\\n@example.org\"", "a newline"),
    EMAIL(USER_DENIED, "email/root", "email", "\"root@example.org\"", "root, verified"),
    TEMPLATE(NO_MAPPING, "tenant/missing", "tenant", NULL, "half of the name is missing"),
    TEMPLATE(NO_MAPPING, "tenant/separator", "tenant", "\"north--east\"",
             "the separator inside: two tokens with one name"),
    TEMPLATE(NO_MAPPING, "tenant/begins the separator", "tenant", "\"north-\"",
             "half of the separator at the end"),
    TEMPLATE(MALFORMED_CLAIM, "tenant/number", "tenant", "7", "a number"),
    TEMPLATE(MALFORMED_CLAIM, "tenant/empty", "tenant", "\"\"", "an empty string"),
    TEMPLATE(UNSAFE_IDENTITY, "tenant/newline", "tenant", "\"a\\nb\"", "a newline"),
    { .reason = POSTERN_ERR_UNSAFE_IDENTITY,
      .check = TRAIL_USER,
      .field = "tenant/length",
      .done = "too long together",
      .make = by_long_parts,
      .len = 1020,
      .site = SITE_TEMPLATE },
    MAP(NO_MAPPING, "no line", "\"bob@example.org\"", "nobody whom a line names"),
    MAP(NO_MAPPING, "case", "\"Alice@example.org\"", "upper case"),
    MAP(NO_MAPPING, "longer", "\"alice@example.org.evil.example\"", "a longer domain"),
    MAP(NO_MAPPING, "pattern not at the front", "\"x-svc-mail\"", "the pattern is anchored"),
    MAP(USER_DENIED, "mapped to root", "\"svc-root\"", "a pattern that yields root"),
    MAP(NO_MAPPING, "mapped to an option", "\"svc--x\"", "a pattern that yields an option"),
    MAP(NO_MAPPING, "mapped to nothing", "\"svc-\"", "a pattern that yields nothing"),
    AGENT(USER_DENIED, "client_id/root", "client_id", "\"root\"", "an agent of that name"),
    AGENT(NO_MAPPING, "client_id/URL", "client_id", "\"https://a.example/x\"", "no local name"),
    AGENT(USER_DENIED, "act.sub/root", "act", "{\"sub\":\"root\"}", "an actor of that name"),
    BOTH(USER_DENIED, "act.sub/the human", "act", "{\"sub\":\"alice\"}", "one name for both"),
    BOTH(USER_DENIED, "act.sub/the human, case", "act", "{\"sub\":\"Alice\"}",
         "one name to a host that folds names"),
    BOTH(NO_MAPPING, "act.sub/blank", "act", "{\"sub\":\"a b\"}", "an agent that no host can name"),
    BOTH(USER_DENIED, "act.sub/system account", "act", "{\"sub\":\"daemon\"}", "a system account"),

    WANTED("another", "bob", "somebody else"),
    WANTED("root", "root", "root"),
    WANTED("case", "Alice", "upper case"),
    WANTED("longer", "alicex", "one letter more"),
    WANTED("shorter", "alic", "one letter short"),
    WANTED("domain", "alice@example.org", "the name before its domain was cut off"),
    WANTED("blank", " alice", "a blank in front"),
    WANTED("LDAP", "u:alice", "as LDAP writes it"),
    WANTED("DN", "dn:uid=alice,dc=example,dc=org", "a name of LDAP"),
    WANTED("agent", "agent-7", "the agent"),
    WANTED_BOTH("agent, login_as both", "agent-9", "the agent, where it is the other name"),
    WANTED_BOTH("another, login_as both", "bob", "somebody else, behind both names"),
};

const struct attack_group attacks_on_users = ATTACK_GROUP(rows);
