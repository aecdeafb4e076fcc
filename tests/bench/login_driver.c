/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The work of `login` that takes a C program.
 *
 *   login_driver tokens ALG COUNT ISSUER AUDIENCE SUBJECT TYP FOLDER    a new key; its set and public half, and COUNT distinct tokens
 *   login_driver helper SOCKET SERVICE COUNT TOKENS                     round trips of the helper, one token after the other
 *   login_driver echo SOCKET                                            a bare server: reads a JSON object, writes it back, closes
 *   login_driver recorded SOCKET FILE                                   the same; another process has written the object to FILE before
 *   login_driver echoes SOCKET COUNT TOKENS                             round trips to that, with frames as long as the helper's
 *   login_driver sasl MECH SERVICE COUNT TOKENS                         logins in libsasl2 alone, as a server, in this process
 *
 * The measuring ones print "CPU-NANOSECONDS WALL-NANOSECONDS" of this process for COUNT.  TOKENS has one a line, taken in turn.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sasl/sasl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <postern/client.h>

#include "../support/test_keys.h"

#define KID   "2026-11-key-of-the-bench"
#define FRAME POSTERN_HELPER_FRAME_MAX

static void __attribute__((noreturn)) die(const char *what, const char *why)
{
    fprintf(stderr, "login_driver: %s%s%s\n", what, *why == '\0' ? "" : ": ", why);
    exit(1);
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) != 0)
        die("clock_gettime", "");
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static size_t read_count(const char *text)
{
    unsigned long n = strtoul(text, NULL, 10);

    if (n == 0 || n > 10000000)
        die("no such count", text);
    return n;
}

/* ---- tokens ---- */

struct tokens {
    char **lines;
    size_t count;
};

static struct tokens read_tokens(const char *path)
{
    struct tokens t = { NULL, 0 };
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (f == NULL)
        die(path, strerror(errno));
    while ((len = getline(&line, &room, f)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        t.lines = realloc(t.lines, (t.count + 1) * sizeof *t.lines);
        if (t.lines == NULL || (t.lines[t.count] = strdup(line)) == NULL)
            die("out of memory", "");
        t.count++;
    }
    free(line);
    fclose(f);
    if (t.count == 0)
        die(path, "is empty");
    return t;
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char *path = test_printf("%s/%s", folder, name);
    FILE *f = fopen(path, "w");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        die(path, strerror(errno));
    free(path);
}

static test_key *make_key(const char *alg)
{
    return alg[0] == 'R' || alg[0] == 'P' ? test_key_new("RSA-2048") : test_key_new("P-256");
}

static int make_tokens(char **arg)
{
    const char *alg = arg[0], *folder = arg[6];
    test_key *key = make_key(alg);
    char *header = test_printf("{\"typ\":\"%s\",\"alg\":\"%s\",\"kid\":\"%s\"}", arg[5], alg, KID);
    char *path = test_printf("%s/tokens", folder);
    size_t count = read_count(arg[1]);
    FILE *f = fopen(path, "w");
    char *text;

    if (f == NULL)
        die(path, strerror(errno));
    write_file(folder, "jwks.json", text = test_key_jwks(key, KID, alg));
    free(text);
    write_file(folder, "public.pem", text = test_key_public_pem(key));
    free(text);
    for (size_t i = 0; i < count; i++) {
        char *more = test_printf("\"scope\":\"mail.read mail.send\",\"sid\":\"s-%08zu\"", i);
        char *claims = test_claims(arg[2], arg[3], arg[4], (long long)time(NULL), more);
        char *token = test_sign(key, alg, header, claims);

        if (fprintf(f, "%s\n", token) < 0)
            die(path, strerror(errno));
        free(token);
        free(claims);
        free(more);
    }
    if (fclose(f) != 0)
        die(path, strerror(errno));
    free(path);
    free(header);
    test_key_free(key);
    return 0;
}

/* ---- measuring ---- */

typedef void (*login_fn)(void *arg, const char *token);

static void measure(login_fn login, void *arg, size_t count, const struct tokens *t)
{
    int64_t cpu, wall;

    for (size_t i = 0; i < 20; i++) /* warm */
        login(arg, t->lines[t->count - 1]);
    cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    wall = now_ns(CLOCK_MONOTONIC);
    for (size_t i = 0; i < count; i++)
        login(arg, t->lines[i % t->count]);
    printf("%lld %lld\n", (long long)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu),
           (long long)(now_ns(CLOCK_MONOTONIC) - wall));
}

/* ---- the helper ---- */

struct asked {
    postern_helper_address where;
    const char *service;
};

static void ask_helper(void *arg, const char *token)
{
    const struct asked *a = arg;
    const postern_request rq = { .size = sizeof rq,
                                 .service = a->service,
                                 .token = postern_bytes_str(token),
                                 .carrier = POSTERN_CARRIER_SASL,
                                 .tls = POSTERN_TLS_ON };
    postern_error err = { 0 };
    postern_op *op = NULL;
    postern_grant *g;

    if (postern_client_verify_start(&a->where, &rq, &op, &err) != POSTERN_OK ||
        postern_op_run(op, &err) != POSTERN_OK)
        die("the helper", err.detail);
    if ((g = postern_op_take_grant(op)) == NULL)
        die("the helper", "no grant");
    postern_grant_free(g);
    postern_op_free(op);
}

static int measure_helper(char **arg)
{
    struct asked a = { { .path = arg[0] }, arg[1] };
    struct tokens t = read_tokens(arg[3]);

    measure(ask_helper, &a, read_count(arg[2]), &t);
    return 0;
}

/* ---- the bare one ---- */

static struct sockaddr_un make_address(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof at.sun_path)
        die(path, "is too long");
    memcpy(at.sun_path, path, strlen(path) + 1);
    return at;
}

/* The other process: writes what comes, then says so. */
static void __attribute__((noreturn)) record(int line, const char *path)
{
    static char room[FRAME];
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    ssize_t len;

    while (file >= 0 && (len = recv(line, room, sizeof room, 0)) > 0)
        if (write(file, room, (size_t)len) != len || send(line, "done", 4, MSG_NOSIGNAL) != 4)
            break;
    _exit(0);
}

static int start_recorder(const char *path)
{
    int line[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line) != 0)
        die("socketpair", strerror(errno));
    switch (fork()) {
    case -1:
        die("fork", strerror(errno));
    case 0:
        close(line[0]);
        record(line[1], path);
    }
    close(line[1]);
    return line[0];
}

/* What the least server does that speaks JSON: parse, print.  recorder: -1, or who writes it down before. */
static void echo_one(int fd, int recorder)
{
    static char room[FRAME];
    ssize_t len = recv(fd, room, sizeof room - 1, 0);
    struct json_object *o;
    const char *text;

    if (len <= 0)
        return;
    room[len] = '\0';
    if ((o = json_tokener_parse(room)) == NULL)
        die("echo", "no JSON");
    text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
    if (recorder >= 0 && (send(recorder, text, strlen(text), MSG_NOSIGNAL) < 0 || recv(recorder, room, 4, 0) != 4))
        die("recorder", strerror(errno));
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        die("echo", strerror(errno));
    json_object_put(o);
}

static int serve(const char *path, int recorder)
{
    struct sockaddr_un at = make_address(path);
    int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fd;

    if (s < 0 || bind(s, (struct sockaddr *)&at, sizeof at) != 0 || listen(s, 64) != 0)
        die(path, strerror(errno));
    while ((fd = accept4(s, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        echo_one(fd, recorder);
        close(fd);
    }
    die("accept", strerror(errno));
}

static int serve_echoes(char **arg)
{
    return serve(arg[0], -1);
}

static int serve_recorded(char **arg)
{
    return serve(arg[0], start_recorder(arg[1]));
}

static void ask_echo(void *arg, const char *token)
{
    const struct sockaddr_un *at = arg;
    static char room[FRAME];
    int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int len = snprintf(room, sizeof room,
                       "{\"v\":1,\"op\":\"verify\",\"nonce\":\"0123456789abcdef0123456789abcdef\","
                       "\"service\":\"bench\",\"carrier\":\"sasl\",\"tls\":\"on\",\"token\":\"%s\"}",
                       token);

    if (s < 0 || connect(s, (const struct sockaddr *)at, sizeof *at) != 0 ||
        send(s, room, (size_t)len, MSG_NOSIGNAL) != len || recv(s, room, sizeof room, 0) <= 0)
        die("echo", strerror(errno));
    close(s);
}

static int measure_echoes(char **arg)
{
    struct sockaddr_un at = make_address(arg[0]);
    struct tokens t = read_tokens(arg[2]);

    measure(ask_echo, &at, read_count(arg[1]), &t);
    return 0;
}

/* ---- libsasl2 alone ---- */

struct sasl_login {
    const char *mech, *service;
};

static void log_in(void *arg, const char *token)
{
    static char message[POSTERN_HELPER_FRAME_MAX];
    const struct sasl_login *l = arg;
    const sasl_ssf_t external = 256; /* as under TLS */
    const void *user = NULL;
    sasl_conn_t *conn = NULL;
    const char *out;
    unsigned out_len;
    int len = snprintf(message, sizeof message, "n,,\001auth=Bearer %s\001\001", token), r;

    if (sasl_server_new(l->service, "localhost", NULL, NULL, NULL, NULL, 0, &conn) != SASL_OK ||
        sasl_setprop(conn, SASL_SSF_EXTERNAL, &external) != SASL_OK)
        die("sasl_server_new", "");
    r = sasl_server_start(conn, l->mech, message, (unsigned)len, &out, &out_len);
    if (r != SASL_OK || sasl_getprop(conn, SASL_USERNAME, &user) != SASL_OK || user == NULL)
        die("login", sasl_errdetail(conn));
    sasl_dispose(&conn);
}

static int measure_sasl(char **arg)
{
    struct sasl_login l = { arg[0], arg[1] };
    struct tokens t = read_tokens(arg[3]);

    if (sasl_server_init(NULL, "bench") != SASL_OK)
        die("sasl_server_init", "");
    measure(log_in, &l, read_count(arg[2]), &t);
    sasl_server_done();
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arguments;
        int (*run)(char **);
    } verbs[] = {
        { "tokens", 7, make_tokens },    { "helper", 4, measure_helper },
        { "echo", 1, serve_echoes },     { "echoes", 3, measure_echoes },
        { "sasl", 4, measure_sasl },     { "recorded", 2, serve_recorded },
    };

    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0 && argc == 2 + verbs[i].arguments)
            return verbs[i].run(argv + 2);
    fputs("usage: login_driver tokens|helper|echo|recorded|echoes|sasl ARGUMENTS\n", stderr);
    return 2;
}
