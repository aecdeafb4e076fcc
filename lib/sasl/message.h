/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two message forms share inside lib/sasl: the checks of single fields and the reading of
 * key=value pairs. Private to lib/sasl; callers use <postern/oauthbearer.h>.  RFC 7628 §3.1, RFC
 * 5801 §4.
 */
#ifndef POSTERN_LIB_SASL_MESSAGE_H
#define POSTERN_LIB_SASL_MESSAGE_H

#include <postern/oauthbearer.h>

#define SASL_KVSEP 0x01 /* RFC 7628 §3.1: kvsep */

/* Fields of one message on their way to postern_sasl_message; views into the raw bytes. */
typedef struct sasl_pairs {
    bool has_auth, has_host, has_port, has_user;
    postern_bytes auth, host, port, user;
} sasl_pairs;

/*
 * Read `*kvpair kvsep` to the end of the message: pairs, the empty pair that ends them, and nothing
 * after it. Unknown keys are skipped; auth, host, port and (XOAUTH2) user may stand once.
 *   POSTERN_OK · LIMIT (too many pairs) · MESSAGE_MALFORMED
 */
POSTERN_MUST_USE postern_err postern_sasl_pairs_read(postern_mech m, postern_reader *r,
                                                     sasl_pairs *ret, postern_error *err);
/* auth, host and port of `p` into `ret`.  POSTERN_OK · LIMIT · MESSAGE_MALFORMED */
POSTERN_MUST_USE postern_err postern_sasl_pairs_apply(const sasl_pairs *p,
                                                      postern_sasl_message *ret,
                                                      postern_error *err);
/*
 * Identity as text: 1..POSTERN_AUTHZID_MAX-1 bytes of UTF-8 without control characters.
 *   POSTERN_OK · LIMIT · MESSAGE_MALFORMED
 */
POSTERN_MUST_USE postern_err postern_sasl_identity_check(postern_bytes id, postern_error *err);
bool postern_sasl_host_is_valid(postern_bytes host); /* 1..255 bytes, printable, no blank */
bool postern_sasl_port_is_valid(postern_bytes port); /* 1..65535, decimal, no leading zero */

/*
 * gs2-header of RFC 5801 §4 without channel binding; the kvsep after it is left.  POSTERN_OK ·
 * LIMIT · MESSAGE_MALFORMED
 */
POSTERN_MUST_USE postern_err postern_gs2_read(postern_reader *r, postern_sasl_message *ret,
                                              postern_error *err);
/* "n,a=NAME," with '=' and ',' escaped, or "n,," when authzid is "". */
void postern_gs2_write(const char *authzid, postern_buf *out);

#endif
