/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern status`: who authorized what, as stored here; never a token or a piece of one.  See
 * postern(1). */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include <postern-private/clock.h>
#include <postern-private/json.h>

#include "cli.h"
#include "login_store.h"
#include "options.h"
#include "safe_text.h"
#include "token_fetch.h"

#define OUTPUT_MAX 1048576 /* bytes: more logins than one user has */

struct status_options {
    bool is_json, is_help;
};

static void print_help(FILE *out)
{
    fputs("usage: postern status [--json]\n"
          "\n"
          "Show the logins that `postern login` stored for this user, without their tokens.\n"
          "\n"
          "  --json                   one JSON object\n"
          "\n"
          "Exit status: 0 shown (also when there are none), 2 usage, 3 the store cannot be read.\n",
          out);
}

static const struct option long_options[] = {
    { "json", no_argument, NULL, 'j' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static bool take_option(void *arg, int option, const char *value)
{
    struct status_options *o = arg;

    (void)value;
    if (option == 'j')
        o->is_json = true;
    else if (option == 'h')
        o->is_help = true;
    else
        return false;
    return true;
}

/* Seconds; 0 when it is over or there is none, -1 when the server did not say. */
static int64_t left_s(const struct login_entry *e)
{
    int64_t left = e->expires_s - clock_wall_s();

    if (e->access_token == NULL)
        return 0;
    if (e->expires_s == 0)
        return -1;
    return left > 0 ? left : 0;
}

/* ---- for programs ---- */

static bool put_entry(void *arg, const char *name, const struct login_entry *e)
{
    postern_json_writer *w = arg;

    (void)name;
    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "issuer", e->issuer);
    postern_json_put_str(w, "client_id", e->client_id);
    postern_json_put_str(w, "person", e->person);
    postern_json_put_str(w, "sub", e->subject);
    postern_json_put_str(w, "resource", e->resource);
    postern_json_put_str(w, "scope", e->scope);
    if (left_s(e) >= 0)
        postern_json_put_integer(w, "expires_in", left_s(e));
    postern_json_put_flag(w, "refresh_token", e->refresh_token != NULL);
    postern_json_put_flag(w, "interrupted", e->is_refreshing);
    postern_json_close_object(w);
    return true;
}

static postern_err print_json(const struct login_store *store, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(OUTPUT_MAX);
    postern_json_writer w = { .out = &out };

    postern_json_open_object(&w, NULL);
    postern_json_open_array(&w, "logins");
    POSTERN_TRY(login_store_walk(store, &(struct login_key){ 0 }, put_entry, &w, err));
    postern_json_close_array(&w);
    postern_json_close_object(&w);
    if (postern_buf_cstr(&out) == NULL)
        return POSTERN_FAIL(err, NOMEM, "the list of logins");
    puts(postern_buf_cstr(&out));
    return POSTERN_OK;
}

/* ---- for people ---- */

static void print_row(const char *label, const char *text)
{
    if (text[0] == '\0')
        return;
    printf("  %-9s ", label);
    safe_text_print(stdout, postern_bytes_str(text));
    (void)putchar('\n');
}

static void print_life(const struct login_entry *e)
{
    int64_t left = left_s(e);

    if (e->is_refreshing)
        puts("  state     a refresh was cut off: log in again with `postern login`");
    else if (left == 0 && e->refresh_token == NULL)
        puts("  state     over: log in again with `postern login`");
    else if (left < 0)
        printf("  token     life not known, %s refresh token\n",
               e->refresh_token != NULL ? "with" : "no");
    else
        printf("  token     %" PRId64 " s left, %s refresh token\n", left,
               e->refresh_token != NULL ? "with" : "no");
}

static bool print_entry(void *arg, const char *name, const struct login_entry *e)
{
    size_t *count = arg;

    (void)name;
    if ((*count)++ != 0)
        (void)putchar('\n');
    safe_text_print(stdout, postern_bytes_str(e->client_id));
    (void)putchar('\n');
    print_row("issuer", e->issuer);
    print_row("for", e->subject);
    print_row("person", e->person);
    print_row("resource", e->resource);
    print_row("scope", e->scope);
    print_life(e);
    return true;
}

static postern_err print_text(const struct login_store *store, postern_error *err)
{
    size_t count = 0;

    POSTERN_TRY(login_store_walk(store, &(struct login_key){ 0 }, print_entry, &count, err));
    if (count == 0)
        puts("No login is stored.");
    return POSTERN_OK;
}

static postern_err print(const struct status_options *o, postern_error *err)
{
    __attribute__((cleanup(login_store_auto))) struct login_store *store = NULL;

    POSTERN_TRY(login_store_open(&store, err));
    POSTERN_TRY(o->is_json ? print_json(store, err) : print_text(store, err));
    return fflush(stdout) == 0 ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "standard output: %m");
}

int command_status(int argc, char **argv)
{
    struct status_options o = { 0 };
    postern_error err = { 0 };
    int status = 0;

    if (token_is_privileged("status"))
        return CLI_USAGE;
    if (cli_options_read(&(struct cli_options){ "status", long_options, take_option, &o }, argc,
                         argv, &err) != POSTERN_OK)
        return cli_fail("status", &err);
    if (o.is_help) {
        print_help(stdout);
        return 0;
    }
    token_set_dumpable(false);
    if (print(&o, &err) != POSTERN_OK)
        status = cli_fail("status", &err);
    token_set_dumpable(true); /* all is wiped: leak checkers may look */
    return status;
}
