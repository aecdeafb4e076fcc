/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a person's browser may be sent with an answer: which addresses a client may register, and
 * whether one that a request names is registered.  Pure.  RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700
 * §4.1; compared byte for byte, never normalised (RFC 3986 §6.2.1).
 */
#ifndef POSTERN_ISSUER_REDIRECT_URI_H
#define POSTERN_ISSUER_REDIRECT_URI_H

#include <postern/bytes.h>

#define REDIRECT_URI_MAX 1024 /* bytes: what browsers and proxies carry without trouble, halved */

/*
 * May it be registered?  One of
 *   https://HOST[:PORT][/PATH][?QUERY]
 *   http://127.0.0.1[:PORT]… or http://[::1][:PORT]…   (RFC 8252 §7.3: literals, no name)
 *   a private-use scheme with a dot, com.example.app:/… (RFC 8252 §7.1)
 * in the characters of a URI (RFC 3986 §2), scheme in lower case; no fragment, no user info, no
 * '*', and so neither javascript: nor data: nor file:.
 */
bool redirect_uri_is_good(postern_bytes uri);
/* Is `presented` the registered one?  Byte for byte; on a loopback literal the port is free. */
bool redirect_uri_matches(postern_bytes registered, postern_bytes presented);
/* Does it match one of the words of a client's record? */
bool redirect_uri_is_registered(const char *registered_words, postern_bytes presented);

#endif
