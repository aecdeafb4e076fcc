/* SPDX-License-Identifier: BSD-2-Clause */
/* The two cookies of the pages, as they travel (RFC 6265): the session's, and the one of a browser that
 * is known (known_browser.h).  Pure. */
#ifndef POSTERN_ISSUER_COOKIES_H
#define POSTERN_ISSUER_COOKIES_H

#include "answer.h"
#include "settings.h"

#define COOKIE_BYTES 32     /* of randomness */
#define COOKIE_VALUE_MAX 44 /* bytes with NUL: base64url */
#define COOKIE_KNOWN_LIFE_S 7776000 /* 90 days after the last login */
#define COOKIE_HEADER_MAX 16384 /* bytes: other sites of a host leave theirs */

/* "__Host-postern" over https; browsers take that without Secure from nobody, so over loopback
 * http it is "postern". */
const char *cookie_name(const struct issuer_settings *s);
const char *cookie_known_name(const struct issuer_settings *s);
/*
 * The value of the first cookie of that name that has the form of ours; false: there is none.
 * One of another form is somebody else's.
 */
bool cookie_read(const char *header, const char *name, char ret[COOKIE_VALUE_MAX]);
/* Set-Cookie of `value`; "" takes it away. */
void cookie_set(const struct issuer_settings *s, const char *value, struct answer *a);
/* Likewise of the known browser's, which stays when the browser goes. */
void cookie_set_known(const struct issuer_settings *s, const char *value, struct answer *a);

#endif
