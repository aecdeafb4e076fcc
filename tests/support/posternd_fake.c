/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posternd with roles that misbehave on command, for tests/component/test_supervisor.py.  The role NAME reads its orders from
 * the file $FAKE_ORDERS/NAME at each start: one of the words of `orders` below.  Everything but the roles is the real daemon:
 * sidecar/main.c is linked in.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postern/config.h>

#include "channel.h"
#include "log.h"
#include "role.h"

#define PUBLIC_SET "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"kid\":\"fake\"}]}"
#define PRIVATE_SET "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"d\":\"AA\"}]}"

enum order { ORDER_OK = 0, ORDER_EXIT, ORDER_DEAF, ORDER_GARBAGE, ORDER_EARLY, ORDER_PRIVATE, ORDER_STEAL, ORDER_CLOSE, ORDER_LINK };
static const char *const orders[] = {
    [ORDER_OK] = "ok",           /* as a role should */
    [ORDER_EXIT] = "exit",       /* ends with status 3 before it is ready */
    [ORDER_DEAF] = "deaf",       /* ready, then ignores "drain" */
    [ORDER_GARBAGE] = "garbage", /* ready, then sends what is no message */
    [ORDER_EARLY] = "early",     /* ready before its key set is written */
    [ORDER_PRIVATE] = "private", /* sends a private key */
    [ORDER_STEAL] = "steal",     /* ready, then sends a key set although it is the helper */
    [ORDER_LINK] = "link",       /* ready, then asks five times for a line to the other role */
    [ORDER_CLOSE] = "close",     /* ready, then closes its channel and stays */
};

static enum order read_order(const char *role)
{
    const char *dir = getenv("FAKE_ORDERS");
    char path[300], word[32] = "";
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", dir == NULL ? "" : dir, role);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, word, sizeof word - 1) < 0)
            word[0] = '\0';
        close(fd);
    }
    word[strcspn(word, "\n")] = '\0';
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (strcmp(orders[i], word) == 0)
            return (enum order)i;
    return ORDER_OK;
}

static void say(struct channel *c, const char *text)
{
    if (channel_send(c, postern_bytes_str(text), -1, NULL) != POSTERN_OK)
        log_problem("fake: cannot send");
}

static void say_jwks(struct channel *c, const char *set)
{
    char text[512];

    (void)snprintf(text, sizeof text, "{\"type\":\"jwks\",\"jwks\":%s}", set);
    say(c, text);
}

/* What the role does once it is ready. */
static void misbehave(struct channel **c, enum order order)
{
    if (order == ORDER_GARBAGE)
        say(*c, "[1,2");
    if (order == ORDER_STEAL)
        say_jwks(*c, PUBLIC_SET);
    for (int i = 0; order == ORDER_LINK && i < 5; i++)
        say(*c, "{\"type\":\"link\"}");
    if (order == ORDER_CLOSE) {
        channel_free(*c);
        *c = NULL;
    }
}

static void wait_for(struct channel *c)
{
    struct pollfd p = { .fd = c == NULL ? -1 : channel_fd(c), .events = POLLIN };

    (void)poll(&p, 1, -1);
}

/* What a role waits for before it is ready; NULL: nothing. */
static const char *first_message(const char *role)
{
    if (strcmp(role, "audit") == 0)
        return "file";
    return strcmp(role, "door") == 0 ? "prepare" : NULL;
}

static bool is_line(const struct channel *c)
{
    static const char *const types[] = { "issuer", "helper", "door", "control", "audit", "writer" };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (channel_type_is(c, types[i]))
            return true;
    return false;
}

static int run_fake(struct role_setup *setup, const char *role, bool is_issuer)
{
    enum order order = read_order(role);
    struct channel *c;
    bool is_done = false;

    if (order == ORDER_EXIT)
        return 3;
    if (channel_new(setup->supervisor_fd, &c, NULL) != POSTERN_OK)
        return 4;
    if (is_issuer && order != ORDER_EARLY)
        say_jwks(c, order == ORDER_PRIVATE ? PRIVATE_SET : PUBLIC_SET);
    else
        say(c, "{\"type\":\"ready\"}");
    for (;;) {
        if (!is_issuer && !is_done)
            misbehave(&c, order);
        is_done = true;
        wait_for(c);
        switch (channel_receive(c, NULL)) {
        case CHANNEL_MESSAGE:
            break;
        case CHANNEL_NOTHING:
            continue;
        case CHANNEL_CLOSED:
        case CHANNEL_BROKEN:
            channel_free(c);
            postern_config_free(setup->take_config);
            return 0;
        }
        if (channel_type_is(c, "jwks_written"))
            say(c, "{\"type\":\"ready\"}");
        else if (channel_type_is(c, "issuer") || channel_type_is(c, "helper"))
            log_note("fake: linked, descriptor %s", channel_take_fd(c) >= 0 ? "came" : "missing");
        else if (channel_type_is(c, "drain") && order != ORDER_DEAF)
            break;
    }
    channel_free(c);
    postern_config_free(setup->take_config);
    return 0;
}

int helper_main(struct role_setup *setup)
{
    return run_fake(setup, "helper", false);
}

int issuer_main(struct role_setup *setup)
{
    return run_fake(setup, "issuer", true);
}
