/* SPDX-License-Identifier: BSD-2-Clause */
/* Wiped when sent; see output.h.  Called by http.c and admin_socket.c. */
#include "output.h"

#include <stdlib.h>

#include <event2/buffer.h>

static void wipe_sent(const void *data, size_t len, void *arg)
{
    postern_buf *owned = arg;

    (void)data; /* the buffer's */
    (void)len;  /* likewise */
    postern_buf_free(owned);
    free(owned);
}

bool output_move(postern_buf *text, struct evbuffer *out)
{
    postern_buf *owned = malloc(sizeof *owned);

    if (owned == NULL) {
        postern_buf_free(text);
        return false;
    }
    *owned = *text;
    *text = POSTERN_BUF_INIT(owned->max);
    if (evbuffer_add_reference(out, owned->ptr, owned->len, wipe_sent, owned) == 0)
        return true;
    wipe_sent(NULL, 0, owned);
    return false;
}
