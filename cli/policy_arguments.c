/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --arg NAME=VALUE as what a policy is asked with: the members of one JSON object, or what stands
 * behind a command's name.
 */
#include "policy.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX (1 << 20) /* bytes of all of them: what a door reads of one message */

/* A value that is JSON counts as what it is; anything else is a text. */
static bool is_json(postern_bytes value)
{
    POSTERN_AUTO_JSON j = { 0 };

    return postern_json_scan(&j, value, NULL) == POSTERN_OK;
}

static postern_err split(const char *pair, char *name, postern_bytes *ret_value, postern_error *err)
{
    const char *equals = strchr(pair, '=');

    if (equals == NULL || equals == pair || (size_t)(equals - pair) >= POSTERN_POLICY_TEXT_MAX)
        return POSTERN_FAIL(err, USAGE, "--arg is NAME=VALUE: %s", pair);
    memcpy(name, pair, (size_t)(equals - pair));
    name[equals - pair] = '\0';
    *ret_value = postern_bytes_str(equals + 1);
    return POSTERN_OK;
}

static postern_err make_list(struct policy_arguments *a, postern_error *err)
{
    char name[POSTERN_POLICY_TEXT_MAX], want[16];

    for (size_t i = 0; i < a->count; i++) {
        POSTERN_TRY(split(a->pairs[i], name, &a->list[i], err));
        (void)snprintf(want, sizeof want, "%zu", i);
        if (strcmp(name, want) != 0)
            return POSTERN_FAIL(err, USAGE, "--arg: here %s=VALUE, then the next number: %s", want,
                                a->pairs[i]);
    }
    a->args = (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_LIST,
                                     .list = a->list,
                                     .count = a->count };
    return POSTERN_OK;
}

static postern_err make_object(struct policy_arguments *a, postern_error *err)
{
    postern_json_writer w = { .out = &a->text };
    char name[POSTERN_POLICY_TEXT_MAX];
    postern_bytes value;

    postern_json_open_object(&w, NULL);
    for (size_t i = 0; i < a->count; i++) {
        POSTERN_TRY(split(a->pairs[i], name, &value, err));
        if (is_json(value))
            postern_json_put_raw(&w, name, value);
        else
            postern_json_put_string(&w, name, value);
    }
    postern_json_close_object(&w);
    if (a->text.failed)
        return POSTERN_FAIL(err, USAGE, "--arg: the arguments are too long, or not UTF-8");
    if (postern_json_scan(&a->json, postern_buf_bytes(&a->text), err) != POSTERN_OK)
        return err->code == POSTERN_ERR_NOMEM
                   ? err->code
                   : POSTERN_FAIL(err, USAGE, "--arg: a name stands twice");
    a->args =
        (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_JSON, .json = &a->json, .object = 0 };
    return POSTERN_OK;
}

postern_err policy_arguments_make(struct policy_arguments *a, bool is_list, postern_error *err)
{
    a->text = POSTERN_BUF_INIT(TEXT_MAX);
    return is_list ? make_list(a, err) : make_object(a, err);
}

void policy_arguments_free(struct policy_arguments *a)
{
    postern_json_free(&a->json);
    postern_buf_free(&a->text);
}
