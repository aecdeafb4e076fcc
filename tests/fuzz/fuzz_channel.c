/* SPDX-License-Identifier: BSD-2-Clause */
/* A message between processes of posternd, the key set in it, and an address of `listen:`, from a child gone bad. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "introspect_message.h"
#include "key_set.h"
#include "listen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* What is read as a hash is the text that stood there, and nothing stood beside it. */
static void read_question(const struct channel *c)
{
    POSTERN_AUTO_BUF again = POSTERN_BUF_INIT(64);
    uint8_t sha256[INTROSPECT_HASH];
    char text[64];

    if (!introspect_message_read(c, sha256))
        return;
    postern_base64url_encode((postern_bytes){ sha256, sizeof sha256 }, &again);
    demand(channel_text(c, "sha256", text, sizeof text));
    demand(again.failed || strcmp(postern_buf_cstr(&again), text) == 0);
    demand(postern_json_member(channel_message(c), 0, "token") == POSTERN_JSON_ABSENT);
}

static void read_message(const struct channel *c)
{
    const postern_json *m = channel_message(c);
    uint32_t set = postern_json_member(m, 0, "jwks");
    char text[64];
    int64_t n = 0;

    demand(channel_text(c, "type", text, sizeof text) || !channel_type_is(c, "ready"));
    if (channel_text(c, "client", text, sizeof text))
        demand(strlen(text) < sizeof text);
    if (channel_integer(c, "id", &n))
        demand(n >= -(1LL << 53) && n <= 1LL << 53);
    if (key_set_check(m, set, NULL) == POSTERN_OK) /* what is written must be an object as it stands */
        demand(postern_json_raw(m, set).ptr[0] == '{');
}

static void parse_address(const uint8_t *data, size_t size)
{
    struct sockaddr_storage a;
    char text[128];
    socklen_t len;

    if (size >= sizeof text)
        return;
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (listen_parse_loopback(text, &a, &len, NULL) == POSTERN_OK)
        demand(a.ss_family == AF_INET || a.ss_family == AF_INET6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct channel *c;
    postern_error err = { 0 };
    channel_event event;
    int fds[2];

    parse_address(data, size);
    if (size == 0 || channel_pair(fds, NULL) != POSTERN_OK)
        return 0;
    if (channel_new(fds[0], &c, NULL) == POSTERN_OK) {
        if (send(fds[1], data, size, MSG_NOSIGNAL) == (ssize_t)size) {
            event = channel_receive(c, &err);
            demand(event == CHANNEL_MESSAGE || event == CHANNEL_BROKEN);
            demand(event == CHANNEL_MESSAGE || err.detail[0] != '\0');
            if (event == CHANNEL_MESSAGE) {
                read_message(c);
                read_question(c);
            }
        }
        channel_free(c);
    }
    (void)close(fds[1]);
    return 0;
}
