/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of protocols and actions, and what an item of a rule means in them.  Classes of Redis
 * are Redis's own; those of MCP are ours, because what a server says of its tools is hearsay.
 * @session is ours in both.  Called by the reader, by match.c and through the public header.
 */
#include "policy/actions.h"

#include <stdlib.h>

#include "base/ascii.h"

static const struct action_row login_rows[] = { { "login", "", "local user" } };
static const struct action_row raw_rows[] = { { "connect", "", "door" } };

/* Whether a command has keys at all is what is read of the third column. */
#define REDIS_COMMAND(NAME, CLASSES, KEYS) { NAME, CLASSES, #KEYS },
static const struct action_row redis_rows[] = {
#include <postern-private/redis_commands.def>
    { "connect", "session", "" }, /* the door's own; small letters are no command of a client */
};

/* Model Context Protocol up to 2025-11-25. */
static const struct action_row mcp_rows[] = {
    { "completion/complete", "read", "prompt or URI" },
    { "connect", "session", "" },
    { "elicitation/create", "server", "" },
    { "initialize", "session", "" },
    { "logging/setLevel", "log", "" },
    { "notifications/cancelled", "session notify", "" },
    { "notifications/elicitation/complete", "session notify", "" },
    { "notifications/initialized", "session notify", "" },
    { "notifications/message", "session notify", "" },
    { "notifications/progress", "session notify", "" },
    { "notifications/prompts/list_changed", "session notify", "" },
    { "notifications/resources/list_changed", "session notify", "" },
    { "notifications/resources/updated", "session notify", "URI" },
    { "notifications/roots/list_changed", "session notify", "" },
    { "notifications/tasks/status", "session notify", "task" },
    { "notifications/tools/list_changed", "session notify", "" },
    { "ping", "session", "" },
    { "prompts/get", "read", "prompt" },
    { "prompts/list", "session list", "" },
    { "resources/list", "session list", "" },
    { "resources/read", "read", "URI" },
    { "resources/subscribe", "read", "URI" },
    { "resources/templates/list", "session list", "" },
    { "resources/unsubscribe", "read", "URI" },
    { "roots/list", "server", "" },
    { "sampling/createMessage", "server", "" },
    { "tasks/cancel", "task", "task" },
    { "tasks/get", "task", "task" },
    { "tasks/list", "task", "" },
    { "tasks/result", "task", "task" },
    { "tools/call", "call", "tool" },
    { "tools/list", "session list", "" },
};

#define ROWS(table) .rows = (table), .row_count = sizeof(table) / sizeof *(table)
const struct protocol policy_protocols[] = {
    [PROTOCOL_ANY] = { .name = "*" },
    [PROTOCOL_LOGIN] = { .name = "", ROWS(login_rows) },
    { .name = "mcp", ROWS(mcp_rows), .is_open = true, .is_inspected = true, .has_uris = true },
    { .name = "raw", ROWS(raw_rows) },
    { .name = "redis",
      ROWS(redis_rows),
      .folds_case = true,
      .is_inspected = true,
      .numbers_args = true },
    { .name = NULL },
};

/* ---- protocols ---- */

/* No globs: a deny for "imap*:login" would be read aloud as more than it is. */
bool postern_policy_is_service(postern_bytes name)
{
    static const char allowed[] = "._-";

    for (size_t i = POLICY_PROTOCOLS_NAMED; policy_protocols[i].name != NULL; i++)
        if (postern_bytes_equal_str(name, policy_protocols[i].name))
            return false;
    for (size_t i = 0; i < name.len; i++)
        if (!postern_ascii_is_alnum(name.ptr[i]) &&
            (name.ptr[i] == '\0' || strchr(allowed, name.ptr[i]) == NULL))
            return false;
    return name.len != 0;
}

size_t postern_policy_find_protocol(postern_bytes name)
{
    for (size_t i = POLICY_PROTOCOLS_NAMED; policy_protocols[i].name != NULL; i++)
        if (postern_bytes_equal_str(name, policy_protocols[i].name))
            return i;
    return postern_policy_is_service(name) ? PROTOCOL_LOGIN : PROTOCOL_ANY;
}

/* ---- actions ---- */

static char to_upper(uint8_t c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
}

bool postern_policy_fold_action(const struct protocol *protocol, postern_bytes name,
                                char room[POLICY_ACTION_MAX])
{
    bool folds = protocol->folds_case && !postern_bytes_equal_str(name, "connect");

    if (name.len == 0 || name.len >= POLICY_ACTION_MAX || memchr(name.ptr, '\0', name.len) != NULL)
        return false;
    for (size_t i = 0; i < name.len; i++)
        room[i] = folds ? to_upper(name.ptr[i]) : (char)name.ptr[i];
    room[name.len] = '\0';
    return true;
}

static int compare_row(const void *name, const void *row)
{
    return strcmp(name, ((const struct action_row *)row)->name);
}

size_t postern_policy_find_action(const struct protocol *protocol, const char *name)
{
    const struct action_row *row = NULL;

    if (protocol->row_count != 0)
        row = bsearch(name, protocol->rows, protocol->row_count, sizeof *row, compare_row);
    return row == NULL ? POLICY_NO_ACTION : (size_t)(row - protocol->rows);
}

/* "CONFIG|GET" of "CONFIG". */
static bool is_subcommand(const char *name, const char *container)
{
    size_t len = strlen(container);

    return strncmp(name, container, len) == 0 && name[len] == '|';
}

bool postern_policy_is_container(const struct protocol *protocol, const char *name)
{
    for (size_t i = 0; i < protocol->row_count; i++)
        if (is_subcommand(protocol->rows[i].name, name))
            return true;
    return false;
}

/* ---- classes ---- */

bool postern_policy_has_class(const struct action_row *row, postern_bytes class_name)
{
    postern_reader r = { postern_bytes_str(row->classes) };
    postern_bytes one;

    while (postern_reader_take_until(&r, ' ', &one))
        if (postern_bytes_equal(one, class_name))
            return true;
    return class_name.len != 0 && postern_bytes_equal(r.rest, class_name);
}

bool postern_policy_is_session(const struct protocol *protocol, size_t action)
{
    return action != POLICY_NO_ACTION &&
           postern_policy_has_class(&protocol->rows[action], postern_bytes_str("session"));
}

static bool is_class_above(const struct protocol *protocol, size_t row, postern_bytes class_name)
{
    while (row-- != 0)
        if (postern_policy_has_class(&protocol->rows[row], class_name))
            return true;
    return false;
}

static void add_class(const struct protocol *protocol, size_t row, postern_bytes class_name,
                      postern_buf *out)
{
    if (class_name.len == 0 || is_class_above(protocol, row, class_name))
        return;
    postern_buf_add_str(out, out->len == 0 ? "@" : " @");
    postern_buf_add(out, class_name);
}

void postern_policy_class_words(const struct protocol *protocol, postern_buf *out)
{
    for (size_t i = 0; i < protocol->row_count; i++) {
        postern_reader r = { postern_bytes_str(protocol->rows[i].classes) };
        postern_bytes one;

        while (postern_reader_take_until(&r, ' ', &one))
            add_class(protocol, i, one, out);
        add_class(protocol, i, r.rest, out);
    }
}

/* ---- what one rule means ---- */

size_t postern_policy_action_words(const struct protocol *protocol)
{
    return (protocol->row_count + 63) / 64;
}

static bool item_means(const struct action_item *item, const struct action_row *row)
{
    switch (item->kind) {
    case ACTION_NAME:
        return strcmp(item->text, row->name) == 0 || is_subcommand(row->name, item->text);
    case ACTION_CLASS:
        return postern_policy_has_class(row, postern_bytes_str(item->text + 1));
    case ACTION_GLOB:
        return postern_pattern_match(&item->glob, postern_bytes_str(row->name),
                                     &(struct pattern_names){ 0 }) == PATTERN_YES;
    case ACTION_ALL:
        return true;
    }
    return false;
}

static bool names_session(const struct action_item *item)
{
    return item->kind == ACTION_NAME ||
           (item->kind == ACTION_CLASS && strcmp(item->text, "@session") == 0);
}

void postern_policy_mark_actions(const struct protocol *protocol, const struct action_item *item,
                                 uint64_t *known)
{
    for (size_t i = 0; i < protocol->row_count; i++)
        if (item_means(item, &protocol->rows[i]) &&
            (names_session(item) || !postern_policy_is_session(protocol, i)))
            known[i / 64] |= UINT64_C(1) << (i % 64);
}

/* ---- for people ---- */

const char *postern_policy_protocol(size_t i)
{
    static const size_t named = sizeof policy_protocols / sizeof *policy_protocols -
                                POLICY_PROTOCOLS_NAMED;

    return i >= named ? NULL : policy_protocols[POLICY_PROTOCOLS_NAMED + i].name;
}

/* "read fast" as "@read @fast". */
static void mark_classes(const char *classes, char *ret, size_t ret_size)
{
    size_t used = 0;

    for (; *classes != '\0' && used + 2 < ret_size; classes++) {
        if (used == 0 || ret[used - 1] == ' ')
            ret[used++] = '@';
        ret[used++] = *classes;
    }
    ret[used] = '\0';
}

static const char *resource_of(const struct action_row *row)
{
    if (strncmp(row->resource, "KEYS_", strlen("KEYS_")) != 0)
        return row->resource;
    return strcmp(row->resource, "KEYS_NONE") == 0 ? "" : "key";
}

bool postern_policy_action_at(const char *protocol, size_t i, postern_policy_action *ret)
{
    size_t found = postern_policy_find_protocol(postern_bytes_str(protocol));
    const struct action_row *row;

    if (found < POLICY_PROTOCOLS_NAMED || i >= policy_protocols[found].row_count)
        return false;
    row = &policy_protocols[found].rows[i];
    *ret = (postern_policy_action){ .name = row->name, .resource = resource_of(row) };
    mark_classes(row->classes, ret->classes, sizeof ret->classes);
    return true;
}
