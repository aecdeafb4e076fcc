/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sasl-plugin/, client side: client.c, client_ask.c, client_token.c, and lib/run/token_run.c.  libsasl is a fake; `postern token` is a
 * shell script of the test's.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../sasl-plugin/client.h"
#include "../support/alloc_fail.h"
#include "../support/fake_sasl.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define SENT "n,,\x01host=mail.example.org\x01port=143\x01" "auth=Bearer "
#define END "\x01\x01"

static struct fake_sasl app;
static sasl_client_params_t cparams;
static char folder[] = "/tmp/postern-client.XXXXXX";
static bool has_folder;

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];

    assert_in_range(snprintf(path, sizeof paths[0], "%s/%s", folder, name), 1, sizeof paths[0] - 1);
    return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(in_folder(name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(in_folder(name), mode), 0);
}

static const char *default_token_file(void)
{
    static char name[32];

    assert_in_range(snprintf(name, sizeof name, "bt_u%u", (unsigned)geteuid()), 1, sizeof name - 1);
    return name;
}

/* A program that stands for `postern`; its arguments go to the file "args". */
static void install_program(const char *script)
{
    char text[512];

    assert_in_range(snprintf(text, sizeof text, "#!/bin/sh\nprintf '%%s\\n' \"$@\" >%s/args\n%s\n", folder, script), 1, sizeof text - 1);
    write_file("postern", text, 0755);
    assert_int_equal(setenv("POSTERN_COMMAND", in_folder("postern"), 1), 0);
    assert_int_equal(setenv("POSTERN_CLIENT", "agent", 1), 0);
}

static int set_up(void **state)
{
    static const char *const cleared[] = { "BEARER_TOKEN", "BEARER_TOKEN_FILE", "POSTERN_CLIENT", "POSTERN_COMMAND", "XDG_CONFIG_HOME" };

    (void)state;
    if (!has_folder) {
        assert_non_null(mkdtemp(folder));
        has_folder = true;
    }
    for (size_t i = 0; i < COUNT(cleared); i++)
        assert_int_equal(unsetenv(cleared[i]), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
    assert_int_equal(setenv("HOME", folder, 1), 0);
    fake_sasl_reset(&app);
    cparams = (sasl_client_params_t){
        .service = "smtp", .serverFQDN = "mail.example.org", .utils = &app.utils, .canon_user = fake_sasl_canon_user,
        .external_ssf = 256, .iplocalport = "192.0.2.9;50000", .ipremoteport = "192.0.2.1;143",
    };
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    assert_null(strstr(app.log, "SECRET"));
    assert_null(strstr(app.error, "SECRET"));
    (void)unlink(in_folder(default_token_file()));
    (void)unlink(in_folder("postern"));
    (void)unlink(in_folder("args"));
    (void)unlink(in_folder("token"));
    (void)unlink(in_folder("link"));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return has_folder ? rmdir(folder) : 0;
}

struct exchange {
    void             *context;
    const char       *out;
    unsigned          outlen;
    sasl_interact_t  *prompts;
    sasl_out_params_t oparams;
};

static struct exchange begin(struct plugin_mech *m)
{
    struct exchange x = { 0 };

    assert_int_equal(plugin_client_new(m, &cparams, &x.context), SASL_OK);
    return x;
}

static int step(struct exchange *x, const char *in)
{
    return plugin_client_step(x->context, &cparams, in, in == NULL ? 0 : (unsigned)strlen(in), &x->prompts, &x->out, &x->outlen, &x->oparams);
}

static void end(struct exchange *x)
{
    plugin_client_dispose(x->context, &app.utils);
}

static void assert_sent(const struct exchange *x, const char *want)
{
    assert_int_equal(x->outlen, strlen(want));
    assert_memory_equal(x->out, want, x->outlen);
}

/* One first step from nothing; its result and, when SASL_OK, its message. */
static int try_once(const char *want)
{
    struct exchange x = begin(&plugin_oauthbearer);
    int code = step(&x, NULL);

    if (code == SASL_OK)
        assert_sent(&x, want);
    else
        assert_null(x.out);
    end(&x);
    return code;
}

/* ---- the exchange ------------------------------------------------------------------------------------------------------------ */

static const struct fake_callback all_given[] = {
    { SASL_CB_USER, "" }, { SASL_CB_AUTHNAME, "alice" }, { SASL_CB_PASS, "T" }, { SASL_CB_LIST_END, NULL },
};
static const struct fake_callback password_given[] = { { SASL_CB_PASS, "T" }, { SASL_CB_LIST_END, NULL } };

static void the_first_step_is_ok_but_not_done(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    app.callbacks = all_given;
    assert_int_equal(step(&x, NULL), SASL_OK);
    assert_int_equal(x.oparams.doneflag, 0);
    assert_sent(&x, "n,a=alice,\x01host=mail.example.org\x01port=143\x01" "auth=Bearer T" END);
    assert_string_equal(x.oparams.authid, "alice");
    assert_string_equal(x.oparams.user, "alice");
    assert_int_equal(app.canon_calls, 1);
    memset((char *)(size_t)x.out, 'x', x.outlen); /* virsh does that */
    assert_int_equal(step(&x, ""), SASL_OK);
    assert_int_equal(x.oparams.doneflag, 1);
    assert_int_equal(x.outlen, 0);
    assert_int_equal(step(&x, ""), SASL_FAIL);
    end(&x);
}

static void a_server_that_asks_with_an_empty_challenge_is_answered(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    app.callbacks = password_given;
    assert_int_equal(step(&x, ""), SASL_OK);
    assert_sent(&x, SENT "T" END);
    end(&x);
}

static void a_server_that_speaks_first_gets_no_token(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    app.callbacks = password_given;
    assert_int_equal(step(&x, "hello"), SASL_BADPROT);
    assert_null(x.out);
    end(&x);
}

static void an_authzid_is_sent_and_kept_apart_from_the_name(void **state)
{
    static const struct fake_callback callbacks[] = {
        { SASL_CB_USER, "u:bob" }, { SASL_CB_AUTHNAME, "alice" }, { SASL_CB_PASS, "T" }, { SASL_CB_LIST_END, NULL },
    };
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    app.callbacks = callbacks;
    assert_int_equal(step(&x, NULL), SASL_OK);
    assert_sent(&x, "n,a=u:bob,\x01host=mail.example.org\x01port=143\x01" "auth=Bearer T" END);
    assert_string_equal(x.oparams.authid, "alice");
    assert_string_equal(x.oparams.user, "u:bob");
    end(&x);
}

static void a_refusal_is_answered_so_that_it_can_end(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    app.callbacks = password_given;
    assert_int_equal(step(&x, NULL), SASL_OK);
    assert_int_equal(step(&x, "{\"status\":\"invalid_token\",\"ref\":\"7Q4K\",\"scope\":\"mail.read\"}"), SASL_CONTINUE);
    assert_sent(&x, "\x01");
    assert_string_equal(app.error, "server refused the token: invalid_token, scope mail.read, ref 7Q4K");
    assert_non_null(strstr(app.log, "2 postern: OAUTHBEARER: server refused the token: invalid_token"));
    assert_int_equal(step(&x, ""), SASL_BADAUTH);
    assert_int_equal(x.oparams.doneflag, 0);
    assert_int_equal(step(&x, ""), SASL_FAIL);
    end(&x);
}

static void a_refusal_that_is_not_json_fails_all_the_same(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    app.callbacks = password_given;
    assert_int_equal(step(&x, NULL), SASL_OK);
    assert_int_equal(step(&x, "go away\x1b[2J"), SASL_CONTINUE);
    assert_string_equal(app.error, "server refused the token and did not say why");
    assert_int_equal(step(&x, ""), SASL_BADAUTH);
    end(&x);
}

static void xoauth2_needs_a_user_and_never_answers_with_nothing(void **state)
{
    struct exchange x = begin(&plugin_xoauth2);

    (void)state;
    app.callbacks = all_given;
    assert_int_equal(step(&x, NULL), SASL_OK);
    assert_sent(&x, "user=alice\x01" "auth=Bearer T" END);
    assert_int_equal(step(&x, "{\"status\":\"401\",\"schemes\":\"bearer\"}"), SASL_CONTINUE);
    assert_sent(&x, "\x01");
    assert_int_equal(step(&x, ""), SASL_BADAUTH);
    end(&x);
    app.callbacks = password_given;
    x = begin(&plugin_xoauth2);
    assert_int_equal(step(&x, NULL), SASL_BADPARAM);
    assert_string_equal(app.error, "XOAUTH2 needs a user name");
    end(&x);
}

/* doc/decisions/0005-ldap-second-bind.md, 0082-mbsync-waits-for-nobody.md */
static void clients_of_ldap_and_imap_are_told_that_more_may_come(void **state)
{
    static const struct { const char *service; int first; } cases[] = {
        { "ldap", SASL_CONTINUE }, { "imap", SASL_CONTINUE }, { "svn", SASL_OK }, { "imaps", SASL_OK },
    };

    (void)state;
    app.callbacks = password_given;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct exchange x = begin(&plugin_oauthbearer);

        cparams.service = cases[i].service;
        assert_int_equal(step(&x, NULL), cases[i].first);
        assert_int_equal(x.oparams.doneflag, 0);
        assert_int_equal(step(&x, ""), SASL_OK);
        assert_int_equal(x.oparams.doneflag, 1);
        end(&x);
    }
}

static void a_token_that_breaks_the_grammar_is_not_sent(void **state)
{
    static const char *const tokens[] = { "SECRET TOKEN", "SECRET\n", "SECRET\x01host=x", "SECRET\xc3\xb8" };

    (void)state;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        struct fake_callback callbacks[] = { { SASL_CB_PASS, tokens[i] }, { SASL_CB_LIST_END, NULL } };

        app.callbacks = callbacks;
        assert_int_equal(try_once(NULL), SASL_BADPARAM);
    }
}

static void a_refused_user_name_stops_the_client(void **state)
{
    (void)state;
    app.callbacks = all_given;
    app.canon_result = SASL_BADPROT;
    assert_int_equal(try_once(NULL), SASL_BADPROT);
}

static void an_exchange_may_be_dropped_at_any_point(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    end(&x);
    app.callbacks = password_given;
    x = begin(&plugin_oauthbearer);
    assert_int_equal(step(&x, NULL), SASL_OK);
    end(&x);
    plugin_client_dispose(NULL, &app.utils);
}

/* ---- prompts ------------------------------------------------------------------------------------------------------------------- */

static const struct fake_callback all_by_prompt[] = {
    { SASL_CB_USER, NULL }, { SASL_CB_AUTHNAME, NULL }, { SASL_CB_PASS, NULL }, { SASL_CB_LIST_END, NULL },
};

static void answer(sasl_interact_t *p, unsigned long id, const char *text)
{
    assert_int_equal(p->id, id);
    p->result = text;
    p->len = (unsigned)strlen(text);
}

static void an_application_that_prompts_is_asked_for_all_three(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    app.callbacks = all_by_prompt;
    assert_int_equal(step(&x, NULL), SASL_INTERACT);
    assert_null(x.out);
    assert_string_equal(x.prompts[2].prompt, "OAuth 2.0 bearer token");
    assert_non_null(strstr(app.error, "no client file is there")); /* why nothing was found without asking */
    answer(&x.prompts[0], SASL_CB_USER, "");
    answer(&x.prompts[1], SASL_CB_AUTHNAME, "alice");
    answer(&x.prompts[2], SASL_CB_PASS, "T");
    assert_int_equal(x.prompts[3].id, SASL_CB_LIST_END);
    assert_int_equal(step(&x, NULL), SASL_OK);
    assert_null(x.prompts);
    assert_sent(&x, "n,a=alice,\x01host=mail.example.org\x01port=143\x01" "auth=Bearer T" END);
    end(&x);
}

static void a_token_that_is_found_is_not_prompted_for(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    app.callbacks = all_by_prompt;
    assert_int_equal(setenv("BEARER_TOKEN", "E", 1), 0);
    assert_int_equal(step(&x, NULL), SASL_INTERACT);
    answer(&x.prompts[0], SASL_CB_USER, "bob");
    assert_int_equal(x.prompts[1].id, SASL_CB_LIST_END);
    assert_int_equal(step(&x, NULL), SASL_OK);
    assert_sent(&x, "n,a=bob,\x01host=mail.example.org\x01port=143\x01" "auth=Bearer E" END);
    end(&x);
    x = begin(&plugin_xoauth2);
    assert_int_equal(step(&x, NULL), SASL_INTERACT);
    assert_int_equal(x.prompts[1].id, SASL_CB_AUTHNAME); /* its message must hold a name */
    assert_int_equal(x.prompts[2].id, SASL_CB_LIST_END);
    end(&x);
}

static void an_unanswered_prompt_ends_the_login(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);

    (void)state;
    app.callbacks = all_by_prompt;
    assert_int_equal(step(&x, NULL), SASL_INTERACT);
    assert_int_equal(step(&x, NULL), SASL_FAIL);
    assert_non_null(strstr(app.error, "no token"));
    end(&x);
}

static void an_overlong_name_is_refused(void **state)
{
    struct exchange x = begin(&plugin_oauthbearer);
    char name[POSTERN_AUTHZID_MAX + 1];

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    app.callbacks = all_by_prompt;
    assert_int_equal(step(&x, NULL), SASL_INTERACT);
    answer(&x.prompts[0], SASL_CB_USER, name);
    assert_int_equal(step(&x, NULL), SASL_BADPARAM);
    end(&x);
}

/* ---- tokens found without asking ----------------------------------------------------------------------------------------------- */

static void discovery_takes_the_first_source_in_order(void **state)
{
    (void)state;
    assert_int_equal(try_once(NULL), SASL_FAIL);
    write_file(default_token_file(), "DEFAULT\n", 0600);
    assert_int_equal(try_once(SENT "DEFAULT" END), SASL_OK);
    write_file("token", " \tFILE \r\n", 0600);
    assert_int_equal(setenv("BEARER_TOKEN_FILE", in_folder("token"), 1), 0);
    assert_int_equal(try_once(SENT "FILE" END), SASL_OK);
    assert_int_equal(setenv("BEARER_TOKEN", " ENV\n", 1), 0);
    assert_int_equal(try_once(SENT "ENV" END), SASL_OK);
    app.callbacks = password_given;
    assert_int_equal(try_once(SENT "T" END), SASL_OK); /* what the application says counts first */
}

static void a_source_that_is_there_but_bad_ends_the_login(void **state)
{
    (void)state;
    install_program("echo NEVER");
    write_file(default_token_file(), "DEFAULT", 0600);
    assert_int_equal(setenv("BEARER_TOKEN", "SECRET TOKEN", 1), 0);
    assert_int_equal(try_once(NULL), SASL_FAIL);
    assert_string_equal(app.error, "BEARER_TOKEN holds no bearer token");
    assert_int_equal(setenv("BEARER_TOKEN", "", 1), 0); /* as good as unset */
    assert_int_equal(try_once(SENT "DEFAULT" END), SASL_OK);
    assert_int_equal(setenv("BEARER_TOKEN_FILE", in_folder("nowhere"), 1), 0);
    assert_int_equal(try_once(NULL), SASL_FAIL);
    write_file("token", "SECRET", 0644);
    assert_int_equal(setenv("BEARER_TOKEN_FILE", in_folder("token"), 1), 0);
    assert_int_equal(try_once(NULL), SASL_FAIL);
    assert_non_null(strstr(app.error, "nobody else may read"));
    assert_int_equal(setenv("BEARER_TOKEN_FILE", folder, 1), 0);
    assert_int_equal(try_once(NULL), SASL_FAIL);
    assert_int_not_equal(access(in_folder("args"), F_OK), 0);
}

static void a_named_file_may_be_a_link_but_a_default_one_may_not(void **state)
{
    (void)state;
    write_file("token", "LINKED", 0600);
    assert_int_equal(symlink(in_folder("token"), in_folder("link")), 0);
    assert_int_equal(setenv("BEARER_TOKEN_FILE", in_folder("link"), 1), 0);
    assert_int_equal(try_once(SENT "LINKED" END), SASL_OK);
    assert_int_equal(unsetenv("BEARER_TOKEN_FILE"), 0);
    assert_int_equal(symlink(in_folder("token"), in_folder(default_token_file())), 0);
    assert_int_equal(try_once(NULL), SASL_FAIL);
}

static void a_default_file_that_others_can_read_is_passed_over(void **state)
{
    (void)state;
    write_file(default_token_file(), "DEFAULT", 0640 | S_IROTH);
    assert_int_equal(try_once(NULL), SASL_FAIL);
    if (geteuid() == 0) { /* somebody else's */
        assert_int_equal(chmod(in_folder(default_token_file()), 0600), 0);
        assert_int_equal(chown(in_folder(default_token_file()), 4711, (gid_t)-1), 0);
        assert_int_equal(try_once(NULL), SASL_FAIL);
    }
}

static void a_file_that_never_ends_is_cut_off(void **state)
{
    char text[POSTERN_TOKEN_MAX + 200];

    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    write_file("token", text, 0600);
    assert_int_equal(setenv("BEARER_TOKEN_FILE", in_folder("token"), 1), 0);
    assert_int_equal(try_once(NULL), SASL_FAIL);
    assert_non_null(strstr(app.error, "holds more than a token"));
}

static void found_tokens_go_over_protected_connections_only(void **state)
{
    static const struct { const char *why; sasl_ssf_t ssf; const char *local, *remote, *name; bool is_sent; } cases[] = {
        { "clear over a network", 0, "192.0.2.9;5", "192.0.2.1;143", "mail.example.org", false },
        { "a name that looks local, an address that is not", 0, "192.0.2.9;5", "192.0.2.1;143", "localhost", false },
        { "nothing known", 0, NULL, NULL, "mail.example.org", false },
        { "nothing known, not even a name", 0, NULL, NULL, NULL, false },
        { "name that begins like loopback", 0, NULL, NULL, "127.0.0.1.evil.example", false },
        { "a name that DNS has put on loopback", 0, "127.0.0.1;0", "127.0.0.1;0", "mail.example.org", false },
        { "loopback, and nobody is there", 0, "127.0.0.1;5", "127.0.0.1;60001", "localhost", false },
        { "loopback with an end that is none", 0, "127.0.0.1;5", "127.0.0.1;x", "localhost", false },
        { "literal loopback, and nobody knows who", 0, NULL, NULL, "127.0.0.1", false },
        { "localhost, and nobody knows who", 0, NULL, NULL, "localhost", false },
        { "a unix socket, which libvirt calls port 0", 0, "127.0.0.1;0", "127.0.0.1;0", "localhost", true },
        { "the same in capitals", 0, "127.0.0.1;0", "127.0.0.1;0", "LocalHost", true },
        { "ldapi", 71, NULL, NULL, "mail.example.org", true },
    };

    (void)state;
    assert_int_equal(setenv("BEARER_TOKEN", "E", 1), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct exchange x = begin(&plugin_oauthbearer);

        cparams.external_ssf = cases[i].ssf;
        cparams.iplocalport = cases[i].local;
        cparams.ipremoteport = cases[i].remote;
        cparams.serverFQDN = cases[i].name;
        if (step(&x, NULL) != (cases[i].is_sent ? SASL_OK : SASL_FAIL))
            fail_msg("%s", cases[i].why);
        end(&x);
        app.canon_calls = 0;
    }
    cparams.external_ssf = 0;
    cparams.serverFQDN = "mail.example.org";
    app.callbacks = password_given; /* typed by hand: the application's own security properties decide */
    assert_int_equal(try_once("n,,\x01host=mail.example.org\x01" "auth=Bearer T" END), SASL_OK);
}

/* ---- postern token -------------------------------------------------------------------------------------------------------------- */

static void the_program_is_asked_for_this_host_and_service(void **state)
{
    FILE *f;
    char args[256] = "";

    (void)state;
    install_program("echo FETCHED");
    assert_int_equal(try_once(SENT "FETCHED" END), SASL_OK);
    f = fopen(in_folder("args"), "r");
    assert_non_null(f);
    assert_true(fread(args, 1, sizeof args - 1, f) > 0);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(args, "token\n--quiet\n--for-host\nmail.example.org\n--for-service\nsmtp\n");
}

static void without_a_client_nothing_is_run(void **state)
{
    (void)state;
    install_program("echo FETCHED");
    assert_int_equal(unsetenv("POSTERN_CLIENT"), 0);
    assert_int_equal(try_once(NULL), SASL_FAIL);
    assert_int_not_equal(access(in_folder("args"), F_OK), 0);
    assert_int_equal(setenv("XDG_CONFIG_HOME", folder, 1), 0);
    assert_int_equal(mkdir(in_folder("postern.d"), 0700), 0);
    assert_int_equal(rmdir(in_folder("postern.d")), 0);
    assert_int_equal(try_once(NULL), SASL_FAIL);
}

static void a_client_file_is_enough(void **state)
{
    (void)state;
    install_program("echo FETCHED");
    assert_int_equal(unsetenv("POSTERN_CLIENT"), 0);
    assert_int_equal(mkdir(in_folder(".config"), 0700), 0);
    assert_int_equal(mkdir(in_folder(".config/postern"), 0700), 0);
    write_file(".config/postern/client.conf", "client_id: agent-7\n", 0600);
    assert_int_equal(try_once(SENT "FETCHED" END), SASL_OK);
    assert_int_equal(unlink(in_folder(".config/postern/client.conf")), 0);
    assert_int_equal(rmdir(in_folder(".config/postern")), 0);
    assert_int_equal(rmdir(in_folder(".config")), 0);
}

static void what_the_program_does_wrong_ends_the_login(void **state)
{
    static const struct { const char *script, *want; } cases[] = {
        { "exit 1", "see `postern token --for-host mail.example.org --for-service smtp`" },
        { "echo SECRET; exit 3", "see `postern token" },
        { "kill -9 $$", "see `postern token" },
        { "echo SECRET TOKEN", "printed no bearer token" },
        { "echo SECRET; echo", "printed no bearer token" },
        { "exit 0", "printed no bearer token" },
        { "head -c 20000 /dev/zero | tr '\\0' a", "more output than a token" },
        { "while :; do echo SECRET; done", "more output than a token" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        install_program(cases[i].script);
        app.error[0] = '\0';
        if (try_once(NULL) != SASL_FAIL)
            fail_msg("%s", cases[i].script);
        if (strstr(app.error, cases[i].want) == NULL)
            fail_msg("%s: %s", cases[i].script, app.error);
    }
    assert_int_equal(setenv("POSTERN_COMMAND", in_folder("nowhere"), 1), 0);
    assert_int_equal(try_once(NULL), SASL_FAIL);
}

static void names_that_look_like_options_are_not_passed_on(void **state)
{
    static const char *const names[] = { "-x", "--help", "a b", "a;b", "a/b", "$(id)", "" };

    (void)state;
    install_program("echo FETCHED");
    for (size_t i = 0; i < COUNT(names); i++) {
        cparams.serverFQDN = names[i];
        assert_int_equal(try_once(NULL), SASL_FAIL);
        cparams.serverFQDN = "mail.example.org";
        cparams.service = names[i];
        assert_int_equal(try_once(NULL), SASL_FAIL);
        cparams.service = "smtp";
    }
    assert_int_not_equal(access(in_folder("args"), F_OK), 0);
}

static void the_program_gets_no_descriptor_and_no_blocked_signal(void **state)
{
    sigset_t blocked, before;
    int leaked = dup(STDOUT_FILENO);

    (void)state;
    assert_int_equal(sigfillset(&blocked), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &blocked, &before), 0);
    /* What ls and grep inherit: 0, 1, 2, and the folder that ls reads. */
    install_program("n=$(ls /proc/self/fd | wc -l); [ $n = 4 ] && grep -q '^SigBlk:.0000000000000000' /proc/self/status && echo CLEAN");
    assert_int_equal(try_once(SENT "CLEAN" END), SASL_OK);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    assert_int_equal(close(leaked), 0);
}

static void an_application_that_ignores_its_children_works_too(void **state)
{
    (void)state;
    install_program("echo FETCHED");
    assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    assert_int_equal(try_once(SENT "FETCHED" END), SASL_OK);
    assert_true(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

static void running_out_of_memory_sends_nothing(void **state)
{
    bool is_refused = true;

    (void)state;
    app.callbacks = all_given;
    for (unsigned nth = 1; is_refused; nth++) {
        struct exchange x = { 0 };
        int code;

        assert_in_range(nth, 1, 100);
        app.canon_calls = 0;
        alloc_fail_arm(nth);
        code = plugin_client_new(&plugin_oauthbearer, &cparams, &x.context);
        if (code == SASL_OK)
            code = step(&x, NULL);
        is_refused = alloc_fail_disarm();
        assert_int_equal(code == SASL_OK, !is_refused);
        assert_int_equal(code == SASL_OK, x.out != NULL);
        end(&x);
    }
}

#define CLIENT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TEST(the_first_step_is_ok_but_not_done),
        CLIENT_TEST(a_server_that_asks_with_an_empty_challenge_is_answered),
        CLIENT_TEST(a_server_that_speaks_first_gets_no_token),
        CLIENT_TEST(an_authzid_is_sent_and_kept_apart_from_the_name),
        CLIENT_TEST(a_refusal_is_answered_so_that_it_can_end),
        CLIENT_TEST(a_refusal_that_is_not_json_fails_all_the_same),
        CLIENT_TEST(clients_of_ldap_and_imap_are_told_that_more_may_come),
        CLIENT_TEST(xoauth2_needs_a_user_and_never_answers_with_nothing),
        CLIENT_TEST(a_token_that_breaks_the_grammar_is_not_sent),
        CLIENT_TEST(a_refused_user_name_stops_the_client),
        CLIENT_TEST(an_exchange_may_be_dropped_at_any_point),
        CLIENT_TEST(an_application_that_prompts_is_asked_for_all_three),
        CLIENT_TEST(a_token_that_is_found_is_not_prompted_for),
        CLIENT_TEST(an_unanswered_prompt_ends_the_login),
        CLIENT_TEST(an_overlong_name_is_refused),
        CLIENT_TEST(discovery_takes_the_first_source_in_order),
        CLIENT_TEST(a_source_that_is_there_but_bad_ends_the_login),
        CLIENT_TEST(a_named_file_may_be_a_link_but_a_default_one_may_not),
        CLIENT_TEST(a_default_file_that_others_can_read_is_passed_over),
        CLIENT_TEST(a_file_that_never_ends_is_cut_off),
        CLIENT_TEST(found_tokens_go_over_protected_connections_only),
        CLIENT_TEST(the_program_is_asked_for_this_host_and_service),
        CLIENT_TEST(without_a_client_nothing_is_run),
        CLIENT_TEST(a_client_file_is_enough),
        CLIENT_TEST(what_the_program_does_wrong_ends_the_login),
        CLIENT_TEST(names_that_look_like_options_are_not_passed_on),
        CLIENT_TEST(the_program_gets_no_descriptor_and_no_blocked_signal),
        CLIENT_TEST(an_application_that_ignores_its_children_works_too),
        CLIENT_TEST(running_out_of_memory_sends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, remove_folder);
}
