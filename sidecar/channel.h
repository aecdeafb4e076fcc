/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One end of a SEQPACKET pair between two processes of posternd: one JSON object a datagram,
 * "type" first, with at most one descriptor beside it.  Not the helper's protocol for plugins
 * (postern-helper(7)); both ends here are ours, and yet nothing is taken on trust: sizes, shape
 * and the number of descriptors are checked.  Messages: sidecar/role.h.
 */
#ifndef POSTERN_SIDECAR_CHANNEL_H
#define POSTERN_SIDECAR_CHANNEL_H

#include <postern-private/json.h>

/* The largest messages: sessions of a door page by page, a key set of the embedded issuer (a handful
 * of ES256 keys of 250 bytes). */
#define CHANNEL_MESSAGE_MAX 65536

struct channel;

typedef enum channel_event {
    CHANNEL_BROKEN = 0, /* the other end broke the rules or the socket failed: close it */
    CHANNEL_MESSAGE,    /* one message is there; valid until the next receive */
    CHANNEL_NOTHING,    /* poll for POLLIN */
    CHANNEL_CLOSED      /* the other end is gone */
} channel_event;

/*
 * Wrap a descriptor.  It becomes non-blocking and close-on-exec.
 *
 *   take_fd   closed by channel_free(), and here on failure
 *   ret       caller frees with channel_free()
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err channel_new(int take_fd, struct channel **ret, postern_error *err);
/* Two connected, non-blocking, close-on-exec descriptors.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err channel_pair(int ret_fds[2], postern_error *err);
/* Closes the descriptor, and a received one that nobody took.  NULL is fine. */
void channel_free(struct channel *c);
int  channel_fd(const struct channel *c); /* for poll; owned by the channel */

/*
 * Send one object, all of it or nothing; never blocks, no SIGPIPE.
 *
 *   object   1..CHANNEL_MESSAGE_MAX bytes
 *   fd       passed along, stays the caller's; -1: none
 *   POSTERN_OK · POSTERN_AGAIN (the other end is slow: poll for POLLOUT and send again) ·
 *   POSTERN_ERR_LIMIT · POSTERN_ERR_SYSTEM (the other end is gone, or no descriptors left)
 */
POSTERN_MUST_USE postern_err channel_send(struct channel *c, postern_bytes object, int fd,
                                          postern_error *err);
/* The same for whoever may wait (the supervisor, while a configuration is handed out): at most this
 * long for each message that the other end takes. */
#define CHANNEL_PATIENCE_MS 1000
/*
 *   reader   who is at the other end, for the error: "the door"
 *   As channel_send(), but for POSTERN_AGAIN, which is POSTERN_ERR_SYSTEM here
 */
POSTERN_MUST_USE postern_err channel_send_patiently(struct channel *c, postern_bytes object, int fd,
                                                    const char *reader, postern_error *err);
/* Send {"type":TYPE}; codes as above. */
POSTERN_MUST_USE postern_err channel_send_type(struct channel *c, const char *type, int fd,
                                               postern_error *err);

/*
 * Take one datagram from the socket, never blocks.  A descriptor of the message before that
 * nobody took is closed.
 *
 *   err   filled for CHANNEL_BROKEN only: too large, not one JSON object, "type" not first, two
 *         descriptors, errno
 */
channel_event channel_receive(struct channel *c, postern_error *err);

/* The message that channel_receive() announced; node 0 is the object.  Empty text before the
 * first. */
const postern_json *channel_message(const struct channel *c);
bool channel_type_is(const struct channel *c, const char *type);
/* The descriptor beside it, now the caller's (close-on-exec); -1: none. */
int  channel_take_fd(struct channel *c);
/* Members by name.  False: not there, another type, or (text) longer than the room with its NUL
 * or holding a NUL. */
bool channel_integer(const struct channel *c, const char *name, int64_t *ret);
bool channel_text(const struct channel *c, const char *name, char *room, size_t room_size);

#endif
