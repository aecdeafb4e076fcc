/* SPDX-License-Identifier: BSD-2-Clause */
/* See control_fixture.h. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "control_fixture.h"

static void on_lost(void *arg)
{
    (void)arg;
}

static void on_audit_lost(void *arg)
{
    (void)arg;
}

static void on_blocks(void *arg)
{
    struct control *c = arg;

    link_set_blocks(c->door, blocks_file_list(c->blocks));
    link_set_blocks(c->helper, blocks_file_list(c->blocks));
}

static void load_config(struct fixture *f)
{
    char text[256];
    postern_error err = { 0 };

    (void)snprintf(text, sizeof text, "control_admins: %d\ncontrol_watchers: %d\n", FIXTURE_ADMIN, FIXTURE_WATCHER);
    test_folder_put(&f->folder, "etc/postern.conf", text);
    if (postern_config_load(test_folder_at(&f->folder, "etc"), &f->config, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    f->control.settings = postern_config_section(f->config, POSTERN_SECTION_DAEMON, NULL);
}

int fixture_set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct control *c;

    if (f == NULL)
        return -1;
    c = &f->control;
    fake_audit_reset();
    test_folder_make(&f->folder);
    load_config(f);
    f->folder_fd = open(f->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    c->base = event_base_new();
    c->has_doors = true;
    c->is_audited = true;
    assert_int_equal(link_new(c->base, "door", "ops", (struct link_owner){ on_lost, NULL }, &c->door, NULL), POSTERN_OK);
    assert_int_equal(link_new(c->base, "helper", "ops", (struct link_owner){ on_lost, NULL }, &c->helper, NULL), POSTERN_OK);
    assert_int_equal(audit_line_new(c->base, (struct audit_line_owner){ .want_line = on_audit_lost }, &c->audit, NULL), POSTERN_OK);
    assert_int_equal(blocks_file_new(c->base, f->folder_fd, "blocks", (struct blocks_file_owner){ on_blocks, c }, &c->blocks, NULL),
                     POSTERN_OK);
    on_blocks(c);
    *state = f;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *f = *state;
    struct control *c = &f->control;

    audit_line_free(c->audit);
    link_free(c->door);
    link_free(c->helper);
    blocks_file_free(c->blocks);
    channel_free(f->door);
    channel_free(f->helper);
    event_base_free(c->base);
    postern_config_free(f->config);
    close(f->folder_fd);
    test_folder_remove(&f->folder);
    free(f);
    return 0;
}

void fixture_turn(struct fixture *f)
{
    for (int i = 0; i < 8; i++)
        assert_true(event_base_loop(f->control.base, EVLOOP_NONBLOCK) >= 0);
}

int64_t fixture_expect(struct channel *other, const char *type)
{
    int64_t id = 0;

    assert_int_equal(channel_receive(other, NULL), CHANNEL_MESSAGE);
    if (!channel_type_is(other, type))
        fail_msg("not %s: %.*s", type, (int)channel_message(other)->text.len, (const char *)channel_message(other)->text.ptr);
    (void)channel_integer(other, "id", &id);
    return id;
}

void fixture_expect_silence(struct channel *other)
{
    assert_int_equal(channel_receive(other, NULL), CHANNEL_NOTHING);
}

void fixture_say(struct fixture *f, struct channel *other, const char *format, ...)
{
    char text[8192];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_in_range(n, 1, sizeof text - 1);
    assert_int_equal(channel_send(other, (postern_bytes){ (uint8_t *)text, (size_t)n }, -1, NULL), POSTERN_OK);
    fixture_turn(f);
}

void fixture_connect(struct fixture *f, struct link *l, struct channel **ret_other)
{
    int fds[2];

    channel_free(*ret_other);
    *ret_other = NULL;
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], ret_other, NULL), POSTERN_OK);
    link_set(l, fds[1]);
    fixture_turn(f);
    fixture_expect(*ret_other, "blocks_begin");
    while (channel_receive(*ret_other, NULL) == CHANNEL_MESSAGE && channel_type_is(*ret_other, "block"))
        ;
    assert_true(channel_type_is(*ret_other, "blocks_end"));
    {
        int64_t id = 0;

        assert_true(channel_integer(*ret_other, "id", &id));
        fixture_say(f, *ret_other, "{\"type\":\"done\",\"id\":%jd}", (intmax_t)id);
    }
}

void fixture_connect_both(struct fixture *f)
{
    fixture_connect(f, f->control.door, &f->door);
    fixture_connect(f, f->control.helper, &f->helper);
}
