/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern client list` and `show`: every client that the issuer knows, page by page, or one, for
 * people or as JSON. */
#include <stdio.h>
#include <time.h>

#include "admin_call.h"
#include "cli.h"
#include "client.h"
#include "control.h"

static void print_words(const postern_json *j, uint32_t client, const char *name)
{
    uint32_t list = postern_json_member(j, client, name);
    char separator = ' ';

    printf("  %s:", name);
    if (postern_json_first(j, list) == POSTERN_JSON_ABSENT)
        printf(" none");
    for (uint32_t n = postern_json_first(j, list); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n)) {
        postern_bytes raw =
            postern_json_raw(j, n); /* printable ASCII without quotes: the issuer's rules */

        if (raw.len >= 2)
            printf("%c%.*s", separator, (int)(raw.len - 2), (const char *)raw.ptr + 1);
    }
    putchar('\n');
}

static void print_time(int64_t when_s)
{
    time_t t = (time_t)when_s;
    struct tm parts;
    char text[32];

    if (gmtime_r(&t, &parts) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) != 0)
        printf("  added: %s\n", text);
}

static bool is_true(const postern_json *j, uint32_t client, const char *name)
{
    return postern_json_type_of(j, postern_json_member(j, client, name)) == POSTERN_JSON_TRUE;
}

/* What most clients have not. */
static void print_more(const postern_json *j, uint32_t client)
{
    char title[CONTROL_TEXT_MAX], auth[CONTROL_TEXT_MAX];
    uint32_t redirects = postern_json_member(j, client, "redirect_uris");

    if (postern_json_member(j, client, "title") != POSTERN_JSON_ABSENT)
        printf("  title: %s\n", control_text(j, client, "title", title));
    printf("  authenticates by: %s\n", control_text(j, client, "auth", auth));
    if (postern_json_first(j, redirects) != POSTERN_JSON_ABSENT)
        print_words(j, client, "redirect_uris");
    if (is_true(j, client, "may_impersonate"))
        puts("  may impersonate");
    if (is_true(j, client, "may_introspect"))
        puts("  may introspect");
    if (is_true(j, client, "self_registered"))
        puts("  registered itself");
}

static void print_client(const postern_json *j, uint32_t client)
{
    char name[CLIENT_TEXT_MAX];
    int64_t created_s = 0;

    printf("%s\n", admin_call_text(j, client, "name", name, sizeof name));
    print_words(j, client, "scopes");
    print_words(j, client, "resources");
    print_more(j, client);
    if (postern_json_integer(j, postern_json_member(j, client, "created"), &created_s))
        print_time(created_s);
}

/* One page; *ret_more and `last` (name of its last client) say where to go on. */
static postern_err list_page(const struct client_request *rq, char last[CLIENT_TEXT_MAX],
                             bool *ret_more, int *ret_status, postern_error *err)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    bool is_first = last[0] == '\0';
    uint32_t clients;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "client_list");
    postern_json_put_str(&w, "after", last);
    postern_json_close_object(&w);
    *ret_more = false;
    POSTERN_TRY(client_ask(rq, &request, &reply, &j, err));
    if (!admin_call_is_ok(&j)) {
        *ret_status = client_print_refusal("client", &j);
        return POSTERN_OK;
    }
    clients = postern_json_member(&j, 0, "clients");
    for (uint32_t n = postern_json_first(&j, clients); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(&j, n)) {
        postern_bytes raw = postern_json_raw(&j, n);

        if (rq->is_json)
            printf("%s%.*s", is_first ? "[" : ",\n", (int)raw.len, (const char *)raw.ptr);
        else
            print_client(&j, n);
        is_first = false;
        admin_call_text(&j, n, "name", last, CLIENT_TEXT_MAX);
    }
    *ret_more = postern_json_type_of(&j, postern_json_member(&j, 0, "more")) == POSTERN_JSON_TRUE &&
                last[0] != '\0';
    *ret_status = CLI_PROVED;
    return POSTERN_OK;
}

int client_list(const struct client_request *rq)
{
    postern_error err = { 0 };
    char last[CLIENT_TEXT_MAX] = "";
    int status = CLI_UNDECIDED;
    bool has_more = true;

    while (has_more)
        if (list_page(rq, last, &has_more, &status, &err) != POSTERN_OK)
            return cli_fail("client", &err);
    if (rq->is_json && status == CLI_PROVED)
        puts(last[0] == '\0' ? "[]" : "]");
    return status;
}

/* ---- show ---- */

static postern_err show(const struct client_request *rq, int *ret_status, postern_error *err)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    uint32_t client, jwks;
    postern_bytes raw;

    client_write_verb(rq, "client_show", &request);
    POSTERN_TRY(client_ask(rq, &request, &reply, &j, err));
    if (!admin_call_is_ok(&j)) {
        *ret_status = client_print_refusal("client", &j);
        return POSTERN_OK;
    }
    *ret_status = CLI_PROVED;
    client = postern_json_member(&j, 0, "client");
    jwks = postern_json_member(&j, 0, "jwks");
    if (postern_json_type_of(&j, client) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "the issuer's answer holds no client");
    if (!rq->is_json) {
        print_client(&j, client);
        return POSTERN_OK;
    }
    raw = postern_json_raw(&j, client); /* one object: its keys are a member of it */
    printf("%.*s", (int)raw.len - 1, (const char *)raw.ptr);
    if (jwks != POSTERN_JSON_ABSENT) {
        raw = postern_json_raw(&j, jwks);
        printf(",\"jwks\":%.*s", (int)raw.len, (const char *)raw.ptr);
    }
    puts("}");
    return POSTERN_OK;
}

int client_show(const struct client_request *rq)
{
    postern_error err = { 0 };
    int status = CLI_UNDECIDED;

    return show(rq, &status, &err) == POSTERN_OK ? status : cli_fail("client", &err);
}
