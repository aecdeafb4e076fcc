/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server and a client in one process, both through the real libsasl with our plugin (SASL_PATH), against a real posternd.
 * Component tests run it; nothing of ours is linked in.  Tokens come by standard input, one a line.
 *
 *     sasl_pair login MECH SERVICE [AUTHZID]    one login; prints "server CODE user NAME: DETAIL", exit 0 on SASL_OK
 *     sasl_pair list SERVICE                    the mechanisms that a server offers
 *     sasl_pair fork SERVICE COUNT USER USER    the parent logs in as the first, a child as the second, at the same time
 *     sasl_pair threads SERVICE COUNT USER ...  one thread a user
 *
 * fork and threads fail when a login fails, when a login yields another user, or when descriptors are left open.
 */
#include "config.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sasl/sasl.h>

#define TOKEN_MAX 20000
#define USERS_MAX 64
#define STEPS_MAX 8 /* an exchange has at most four */

struct credentials {
    const char *service, *mech, *authzid, *user;
    char        token[TOKEN_MAX];
    int         count;
    int         failures;
};

static struct credentials users[USERS_MAX];

static void die(const char *what, const char *why)
{
    fprintf(stderr, "sasl_pair: %s: %s\n", what, why);
    exit(2);
}

/* ---- what an application gives libsasl ----------------------------------------------------------------------------------- */

static int get_option(void *context, const char *plugin, const char *option, const char **result, unsigned *len)
{
    const char *socket = getenv("SASL_PAIR_SOCKET");

    (void)context, (void)plugin;
    if (socket == NULL || strcmp(option, "postern_helper_socket") != 0)
        return SASL_FAIL;
    *result = socket;
    if (len != NULL)
        *len = (unsigned)strlen(socket);
    return SASL_OK;
}

static int log_line(void *context, int level, const char *message)
{
    (void)context;
    if (getenv("SASL_PAIR_QUIET") == NULL)
        fprintf(stderr, "log %d %s\n", level, message);
    return SASL_OK;
}

static int get_name(void *context, int id, const char **result, unsigned *len)
{
    const struct credentials *c = context;

    (void)id;
    *result = c->authzid == NULL ? "" : c->authzid;
    if (len != NULL)
        *len = (unsigned)strlen(*result);
    return SASL_OK;
}

static int get_token(sasl_conn_t *conn, void *context, int id, sasl_secret_t **ret)
{
    static __thread union {
        sasl_secret_t secret;
        char          room[sizeof(sasl_secret_t) + TOKEN_MAX];
    } kept;
    const struct credentials *c = context;

    (void)conn, (void)id;
    kept.secret.len = strlen(c->token);
    memcpy(kept.room + offsetof(sasl_secret_t, data), c->token, kept.secret.len + 1);
    *ret = &kept.secret;
    return SASL_OK;
}

static void *new_mutex(void)
{
    pthread_mutex_t *m = malloc(sizeof *m);

    if (m != NULL)
        (void)pthread_mutex_init(m, NULL);
    return m;
}
static int lock_mutex(void *m) { return pthread_mutex_lock(m) == 0 ? SASL_OK : SASL_FAIL; }
static int unlock_mutex(void *m) { return pthread_mutex_unlock(m) == 0 ? SASL_OK : SASL_FAIL; }
static void free_mutex(void *m)
{
    (void)pthread_mutex_destroy(m);
    free(m);
}

/* ---- one login --------------------------------------------------------------------------------------------------------------- */

struct pair {
    sasl_conn_t *server, *client;
    int          server_code;
};

/* Both sides step until one is through.  Returns the server's code. */
static int exchange(struct pair *p, const char *mech)
{
    const char *to_server = NULL, *to_client = NULL, *used = NULL;
    unsigned to_server_len = 0, to_client_len = 0;
    int client = sasl_client_start(p->client, mech, NULL, &to_server, &to_server_len, &used);

    if (client != SASL_OK && client != SASL_CONTINUE) {
        fprintf(stderr, "client: %s\n", sasl_errdetail(p->client));
        return client;
    }
    p->server_code = sasl_server_start(p->server, mech, to_server, to_server_len, &to_client, &to_client_len);
    for (int i = 0; i < STEPS_MAX && p->server_code == SASL_CONTINUE; i++) {
        client = sasl_client_step(p->client, to_client, to_client_len, NULL, &to_server, &to_server_len);
        if (client != SASL_OK && client != SASL_CONTINUE)
            return client;
        p->server_code = sasl_server_step(p->server, to_server, to_server_len, &to_client, &to_client_len);
    }
    return p->server_code;
}

static int open_pair(struct credentials *c, struct pair *p)
{
    static const char address[] = "127.0.0.1;4711";
    const sasl_callback_t callbacks[] = {
        { SASL_CB_USER, (int (*)(void))(void (*)(void))get_name, c },
        { SASL_CB_AUTHNAME, (int (*)(void))(void (*)(void))get_name, c },
        { SASL_CB_PASS, (int (*)(void))(void (*)(void))get_token, c },
        { SASL_CB_LIST_END, NULL, NULL },
    };
    static __thread sasl_callback_t kept[4];
    int code = sasl_server_new(c->service, "localhost", NULL, address, address, NULL, 0, &p->server);

    memcpy(kept, callbacks, sizeof kept);
    if (code != SASL_OK)
        return code;
    return sasl_client_new(c->service, "localhost", address, address, kept, 0, &p->client);
}

/* SASL_OK only when the server is content and names `want` (NULL: anybody). */
static int log_in(struct credentials *c, const char *want, FILE *report)
{
    struct pair p = { .server_code = SASL_FAIL };
    const void *user = NULL;
    int code = open_pair(c, &p);

    if (code == SASL_OK)
        code = exchange(&p, c->mech);
    if (code == SASL_OK && sasl_getprop(p.server, SASL_USERNAME, &user) != SASL_OK)
        code = SASL_FAIL;
    if (report != NULL)
        fprintf(report, "server %d user %s: %s\n", code, user == NULL ? "-" : (const char *)user,
                p.server == NULL ? "-" : sasl_errdetail(p.server));
    if (code == SASL_OK && want != NULL && strcmp(user, want) != 0)
        code = SASL_BADAUTH;
    sasl_dispose(&p.client);
    sasl_dispose(&p.server);
    return code;
}

static void *log_in_often(void *arg)
{
    struct credentials *c = arg;

    for (int i = 0; i < c->count; i++)
        c->failures += log_in(c, c->user, NULL) != SASL_OK;
    return NULL;
}

static int count_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;

    if (d == NULL)
        die("/proc/self/fd", "cannot be read");
    while (readdir(d) != NULL)
        count++;
    (void)closedir(d);
    return count;
}

/* ---- the four commands --------------------------------------------------------------------------------------------------------- */

static void read_token(struct credentials *c)
{
    if (fgets(c->token, sizeof c->token, stdin) == NULL)
        die("standard input", "a token a line is wanted");
    c->token[strcspn(c->token, "\n")] = '\0';
}

static int run_list(const char *service)
{
    struct credentials c = { .service = service };
    struct pair p = { 0 };
    const char *list = NULL;
    int code = open_pair(&c, &p);

    if (code == SASL_OK)
        code = sasl_listmech(p.server, NULL, "", " ", "", &list, NULL, NULL);
    printf("%s\n", code == SASL_OK ? list : "");
    sasl_dispose(&p.client);
    sasl_dispose(&p.server);
    return 0;
}

static int read_users(int argc, char **argv)
{
    int n = argc - 4;

    if (n < 1 || n > USERS_MAX)
        die(argv[1], "wants 1..64 users");
    for (int i = 0; i < n; i++) {
        users[i].service = argv[2];
        users[i].mech = "OAUTHBEARER";
        users[i].count = (int)strtol(argv[3], NULL, 10);
        users[i].user = argv[4 + i];
        read_token(&users[i]);
    }
    return n;
}

static int report(const char *who, const struct credentials *c, int descriptors)
{
    int leaked = count_descriptors() - descriptors;

    printf("%s: %d logins as %s, %d failed, %d descriptors left\n", who, c->count, c->user, c->failures, leaked);
    return c->failures != 0 || leaked != 0;
}

/* The library and the plugin are in use before the fork, as in a preforking server. */
static int run_fork(void)
{
    int descriptors, status = 0, failed;
    pid_t child;

    if (log_in(&users[0], users[0].user, NULL) != SASL_OK)
        return 1;
    descriptors = count_descriptors();
    child = fork();
    if (child < 0)
        die("fork", "failed");
    if (child == 0) {
        log_in_often(&users[1]);
        failed = report("child", &users[1], descriptors);
        (void)fflush(stdout);
        _exit(failed);
    }
    log_in_often(&users[0]);
    failed = report("parent", &users[0], descriptors);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        failed = 1;
    return failed;
}

static int run_threads(int n)
{
    pthread_t threads[USERS_MAX];
    int descriptors = count_descriptors(), failed = 0;

    for (int i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, log_in_often, &users[i]) != 0)
            die("pthread_create", "failed");
    for (int i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < n; i++)
        failed |= report("thread", &users[i], descriptors);
    return failed;
}

int main(int argc, char **argv)
{
    static const sasl_callback_t callbacks[] = {
        { SASL_CB_GETOPT, (int (*)(void))(void (*)(void))get_option, NULL },
        { SASL_CB_LOG, (int (*)(void))(void (*)(void))log_line, NULL },
        { SASL_CB_LIST_END, NULL, NULL },
    };
    int failed = 2;

    if (argc < 3)
        die("usage", "see the head of tests/support/sasl_pair.c");
    sasl_set_mutex(new_mutex, lock_mutex, unlock_mutex, free_mutex);
    if (sasl_server_init(callbacks, "sasl_pair") != SASL_OK || sasl_client_init(callbacks) != SASL_OK)
        die("libsasl", "does not start");
    if (strcmp(argv[1], "list") == 0)
        failed = run_list(argv[2]);
    else if (strcmp(argv[1], "login") == 0 && argc >= 4) {
        struct credentials c = { .mech = argv[2], .service = argv[3], .authzid = argc > 4 ? argv[4] : NULL };

        read_token(&c);
        failed = log_in(&c, NULL, stdout) != SASL_OK;
    } else if (strcmp(argv[1], "fork") == 0 && read_users(argc, argv) == 2)
        failed = run_fork();
    else if (strcmp(argv[1], "threads") == 0)
        failed = run_threads(read_users(argc, argv));
    sasl_done();
    return failed;
}
