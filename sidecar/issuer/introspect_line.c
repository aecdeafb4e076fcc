/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Introspection for processes of posternd; see introspect_line.h.  They may see every token, so there
 * is nobody to authenticate.  A guess costs one look-up by hash.  A token is answered until the
 * longest clock_skew of a verifier has passed: whether it has expired is theirs to say, as with a
 * signed one.
 */
#include "introspect_line.h"

#include <sys/socket.h>
#include <unistd.h>

#include <postern/validate.h>

#include "introspect.h"
#include "introspect_message.h"
#include "log.h"
#include "own_token.h"

/* False: nobody can say. */
static bool write_answer(struct issuer *is, const uint8_t sha256[INTROSPECT_HASH], postern_buf *out)
{
    AUTO_OWN_TOKEN t = OWN_TOKEN_INIT;
    postern_error err = { 0 };

    switch (postern_err_outcome(own_token_judge_opaque(is, sha256, &t, &err))) {
    case POSTERN_PROVED:
        introspect_write_active(&t, out);
        return !out->failed;
    case POSTERN_REJECTED:
        introspect_write_inactive(out);
        return !out->failed;
    case POSTERN_UNDECIDED:
        break;
    }
    log_error("introspection inside posternd", &err);
    return false;
}

/* Who does not read any more has given up. */
static void send_answer(int fd, postern_bytes answer)
{
    ssize_t n = send(fd, answer.ptr, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    (void)n;
}

void introspect_line_answer(struct issuer *is, struct channel *c)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_TOKEN_MAX);
    uint8_t sha256[INTROSPECT_HASH];
    int fd = channel_take_fd(c);

    if (fd < 0)
        return;
    if (introspect_message_read(c, sha256) && write_answer(is, sha256, &out))
        send_answer(fd, postern_buf_bytes(&out));
    (void)close(fd);
}
