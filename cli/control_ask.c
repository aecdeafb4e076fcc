/* SPDX-License-Identifier: BSD-2-Clause */
/* The question to the control socket and its answer's members; see control.h.  Names in an answer
 * come from tokens: a terminal sees them escaped. */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include <postern/config.h>

#include "admin_call.h"
#include "cli.h"
#include "control.h"

/* ---- members ---- */

const char *control_text(const postern_json *j, uint32_t object, const char *name,
                         char room[CONTROL_TEXT_MAX])
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(CONTROL_TEXT_MAX);
    postern_bytes text = POSTERN_BYTES_NONE;
    size_t used = 0;

    (void)postern_json_string(j, postern_json_member(j, object, name), &scratch,
                              &text); /* else it stays empty */
    for (size_t i = 0; i < text.len && used + 5 < CONTROL_TEXT_MAX; i++)
        if (text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f && text.ptr[i] != '\\')
            room[used++] = (char)text.ptr[i];
        else
            used += (size_t)snprintf(room + used, 5, "\\x%02x", text.ptr[i]); /* 4 bytes */
    room[used] = '\0';
    return room;
}

int64_t control_number(const postern_json *j, uint32_t object, const char *name, int64_t otherwise)
{
    int64_t n = 0;

    return postern_json_integer(j, postern_json_member(j, object, name), &n) ? n : otherwise;
}

const char *control_time(int64_t when_s, char room[CONTROL_TIME_MAX])
{
    time_t t = (time_t)when_s;
    struct tm parts;

    if (gmtime_r(&t, &parts) == NULL ||
        strftime(room, CONTROL_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        memcpy(room, "?", 2);
    return room;
}

/* ---- asking ---- */

static postern_err find_socket(const struct control_call *call, postern_config **ret_config,
                               const char **ret, postern_error *err)
{
    if (call->socket != NULL) {
        *ret = call->socket;
        return POSTERN_OK;
    }
    POSTERN_TRY(postern_config_load(call->config_dir, ret_config, err));
    *ret = postern_section_text(postern_config_section(*ret_config, POSTERN_SECTION_DAEMON, NULL),
                                "control_socket");
    return POSTERN_OK;
}

static postern_err ask(const struct control_call *call, const postern_buf *request,
                       postern_buf *reply, postern_json *j, postern_error *err)
{
    POSTERN_AUTO(config) config = NULL;
    const char *path = NULL;

    if (request->failed)
        return POSTERN_FAIL(err, USAGE, "the command line is too long");
    POSTERN_TRY(find_socket(call, &config, &path, err));
    return admin_call(&admin_control, path, postern_buf_bytes(request), reply, j, err);
}

/* Refused, as far as posternd's own word for it says: then nothing was changed, and asking again
 * will not help. */
static const char *const refusals[] = { "not_allowed", "bad_request", "not_blocked", "no_doors",
                                        "not_held",    "own_request" };

static int print_refusal(const struct control_call *call, const postern_json *j)
{
    char message[CONTROL_TEXT_MAX];
    uint32_t error = postern_json_member(j, 0, "error");

    control_text(j, 0, "message", message);
    fprintf(stderr, "postern %s: %s\n", call->command,
            message[0] == '\0' ? "posternd refused and did not say why" : message);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (postern_json_string_is(j, error, refusals[i]))
            return CLI_REJECTED;
    return CLI_UNDECIDED;
}

int control_ask(const struct control_call *call, const postern_buf *request, postern_buf *reply,
                postern_json *j)
{
    postern_error err = { 0 };
    postern_err e = ask(call, request, reply, j, &err);

    if (e == POSTERN_OK)
        return admin_call_is_ok(j) ? CLI_PROVED : print_refusal(call, j);
    if (e != POSTERN_ERR_SYSTEM && e != POSTERN_ERR_TIMEOUT)
        return cli_fail(call->command, &err);
    fprintf(stderr, "postern %s: %s%s\n", call->command, err.detail,
            e == POSTERN_ERR_TIMEOUT ? "; whether it was done is not known" : "");
    return CLI_UNDECIDED;
}
