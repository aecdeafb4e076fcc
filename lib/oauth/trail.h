/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing a postern_trail, for validate.c and what it calls.  `t` may be NULL everywhere: nobody
 * asks, and nothing is written. */
#ifndef POSTERN_LIB_TRAIL_H
#define POSTERN_LIB_TRAIL_H

#include <postern/bytes.h>
#include <postern/trail.h>

/* In the order in which they are taken: name, source. */
#define POSTERN_TRAIL_LIST(X)                                                                      \
    X(SERVICE, "service", "services/NAME.conf, doors/NAME.conf")                                   \
    X(TRANSPORT, "transport", "RFC 7628 §3")                                                       \
    X(MESSAGE, "message", "RFC 7628 §3.2")                                                         \
    X(SIZE, "size", "doc/design/limits.md")                                                        \
    X(CACHE, "cache", "postern.conf(5)")                                                           \
    X(FORM, "form", "RFC 7515 §5.2")                                                               \
    X(WHOSE, "whose", "RFC 8725 §3.8")                                                             \
    X(ALGORITHM, "algorithm", "RFC 8725 §3.1")                                                     \
    X(TYPE, "type", "RFC 9068 §4")                                                                 \
    X(KEYS, "keys", "RFC 7517 §5")                                                                 \
    X(SIGNATURE, "signature", "RFC 7515 §5.2")                                                     \
    X(PAYLOAD, "payload", "RFC 7519 §7.2")                                                         \
    X(INTROSPECTION, "introspection", "RFC 7662 §2.2")                                             \
    X(CLOCK, "clock", "RFC 7519 §4.1.4")                                                           \
    X(ID_TOKEN, "id_token", "OpenID Connect Core §3.1.3.6")                                        \
    X(CLAIMS, "claims", "RFC 7519 §4")                                                             \
    X(ISSUER, "issuer", "RFC 9068 §4")                                                             \
    X(AUDIENCE, "audience", "RFC 9068 §4")                                                         \
    X(TIMES, "times", "RFC 7519 §4.1.4")                                                           \
    X(IDENTITIES, "identities", "RFC 9068 §2.2")                                                   \
    X(CLIENT, "client", "OpenID Connect Core §2")                                                  \
    X(BINDING, "binding", "RFC 8705 §3")                                                           \
    X(ACTORS, "actors", "RFC 8693 §4.1")                                                           \
    X(PARTY, "party", "RFC 9068 §5")                                                               \
    X(LINEAGE, "lineage", "RFC 9396 §9.1")                                                         \
    X(AUTHENTICATION, "authentication", "RFC 9470 §3")                                             \
    X(SCOPE, "scope", "RFC 6750 §3.1")                                                             \
    X(REVOCATION, "revocation", "RFC 7009 §2.2")                                                   \
    X(USER, "user", "RFC 9068 §5")                                                                 \
    X(AUTHZID, "authzid", "RFC 4422 §3.4.1")                                                       \
    X(ACTIVE, "active", "RFC 7662 §2.2")

enum trail_step {
#define POSTERN_TRAIL_ENUM(code, name, source) TRAIL_##code,
    POSTERN_TRAIL_LIST(POSTERN_TRAIL_ENUM)
#undef POSTERN_TRAIL_ENUM
        TRAIL_STEPS
};

/*
 * Nearly every login is judged without a trail: what would be noted is not even worked out then.
 *
 *   enter        what was entered before has passed.  A step that comes again, because a phase
 * waited and was entered anew, begins anew, and so does everything behind it note         one more
 * fact of the step that was entered, behind a semicolon.  Bytes that do not print become '?'
 *   note_value   `name` and a value from outside, escaped and cut; nothing when it is empty
 */
#define postern_trail_enter(t, step)                                                               \
    do {                                                                                           \
        if ((t) != NULL)                                                                           \
            postern_trail_put_step((t), (step));                                                   \
    } while (0)
#define postern_trail_note(t, ...)                                                                 \
    do {                                                                                           \
        if ((t) != NULL)                                                                           \
            postern_trail_put((t), __VA_ARGS__);                                                   \
    } while (0)
#define postern_trail_note_value(t, name, value)                                                   \
    do {                                                                                           \
        if ((t) != NULL)                                                                           \
            postern_trail_put_value((t), (name), (value));                                         \
    } while (0)

void postern_trail_put_step(postern_trail *t, enum trail_step step);
void postern_trail_put(postern_trail *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void postern_trail_put_value(postern_trail *t, const char *name, postern_bytes value);
void postern_trail_end(postern_trail *t, postern_err verdict);

#endif
