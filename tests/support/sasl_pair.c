/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server and a client in one process, both through the real libsasl with our plugin (SASL_PATH), against a real posternd.
 * Component tests run it; nothing of ours is linked in.  Tokens come by standard input, one a line.
 *
 *     sasl_pair login MECH SERVICE [AUTHZID]    one login; prints "server CODE user NAME: DETAIL", exit 0 on SASL_OK
 *     sasl_pair list SERVICE                    the mechanisms that a server offers
 *     sasl_pair fork SERVICE COUNT USER USER    the parent logs in as the first, a child as the second, at the same time
 *     sasl_pair threads SERVICE COUNT USER ...  one thread a user
 *     sasl_pair prefork SERVICE COUNT USER ...  libsasl is started, then there is one child a user; the parent logs in after them
 *     sasl_pair grow SERVICE COUNT USER         1,000 logins, then COUNT more, which may cost neither memory nor descriptors
 *     sasl_pair chroot SERVICE COUNT USER FOLDER UID   libsasl is started, then the process goes into FOLDER and becomes UID
 *     sasl_pair silent SERVICE                  what a process does that only has the plugin installed: it dies when a socket or a
 *                                               thread is made
 *
 * All but login, list and silent fail when a login fails, when a login yields another user, or when descriptors are left open.
 */
#include "config.h"

#include <dirent.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sasl/sasl.h>

#define TOKEN_MAX 20000
#define USERS_MAX 256
#define WARM_COUNT 1000 /* logins after which libsasl, the plugin and malloc(3) have what they keep */
/* Pages of malloc's that come and go; one lost allocation of 24 bytes a login were 240 KiB in 10,000. */
#define GROWTH_MAX_KIB 160
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

/* ---- the commands -------------------------------------------------------------------------------------------------------------- */

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
        die(argv[1], "wants 1..256 users");
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

/* As servers do that load all before they fork: nobody has logged in yet. */
static int run_prefork(int n)
{
    int descriptors = count_descriptors(), failed = 0, status;

    for (int i = 0; i < n; i++) {
        pid_t child = fork();

        if (child < 0)
            die("fork", "failed");
        if (child == 0) {
            log_in_often(&users[i]);
            failed = report("child", &users[i], descriptors);
            (void)fflush(stdout);
            _exit(failed);
        }
    }
    for (int i = 0; i < n; i++)
        failed |= wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    log_in_often(&users[0]);
    return report("parent", &users[0], descriptors) | failed;
}

static long resident_kib(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL || fscanf(f, "%ld %ld", &total, &resident) != 2)
        die("/proc/self/statm", "cannot be read");
    (void)fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static int run_grow(void)
{
    int count = users[0].count, descriptors;
    long before, grown;

    users[0].count = WARM_COUNT;
    log_in_often(&users[0]);
    descriptors = count_descriptors();
    before = resident_kib();
    users[0].count = count;
    log_in_often(&users[0]);
    grown = resident_kib() - before;
    printf("grown by %ld KiB from %ld, at most %d\n", grown, before, GROWTH_MAX_KIB);
    return report("process", &users[0], descriptors) | (grown > GROWTH_MAX_KIB);
}

/* Nothing is in the folder but the helper's socket: no library, no device, no configuration. */
static int run_chroot(const char *folder, const char *uid_text)
{
    uid_t uid = (uid_t)strtoul(uid_text, NULL, 10);

    if (chroot(folder) != 0 || chdir("/") != 0)
        die(folder, "chroot failed");
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        die(uid_text, "cannot become this user");
    log_in_often(&users[0]);
    printf("in %s as %s: %d logins, %d failed\n", folder, uid_text, users[0].count, users[0].failures);
    return users[0].failures != 0;
}

/* From here on a socket, a connection, a thread or a child is the end. */
static void forbid_company(void)
{
    static const int calls[] = {
        SYS_socket, SYS_socketpair, SYS_connect, SYS_clone, SYS_clone3,
#ifdef SYS_fork /* older machines alone have calls of their own */
        SYS_fork, SYS_vfork,
#endif
    };
    enum { COUNT = sizeof calls / sizeof calls[0] };
    struct sock_filter code[COUNT + 3] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    struct sock_fprog program = { COUNT + 3, code };

    for (int i = 0; i < COUNT; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], (unsigned char)(COUNT - i), 0);
    code[COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[COUNT + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        die("seccomp", "refused");
}

static int run_silent(const sasl_callback_t *callbacks, const char *service)
{
    sasl_conn_t *server = NULL;
    const char *list = "";
    int descriptors = count_descriptors(), left;

    forbid_company();
    if (sasl_server_init(callbacks, "sasl_pair") != SASL_OK || sasl_client_init(callbacks) != SASL_OK)
        die("libsasl", "does not start");
    if (sasl_server_new(service, "localhost", NULL, NULL, NULL, NULL, 0, &server) != SASL_OK)
        die("libsasl", "makes no connection");
    if (sasl_listmech(server, NULL, "", " ", "", &list, NULL, NULL) != SASL_OK)
        list = "";
    printf("offers \"%s\"\n", list);
    sasl_dispose(&server);
    sasl_done();
    left = count_descriptors() - descriptors;
    (void)fflush(stdout);
    _exit(left != 0); /* a leak checker would want company */
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
    if (strcmp(argv[1], "silent") == 0)
        return run_silent(callbacks, argv[2]);
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
    else if (strcmp(argv[1], "prefork") == 0)
        failed = run_prefork(read_users(argc, argv));
    else if (strcmp(argv[1], "grow") == 0 && read_users(argc, argv) == 1)
        failed = run_grow();
    else if (strcmp(argv[1], "chroot") == 0 && argc == 7 && read_users(5, argv) == 1)
        failed = run_chroot(argv[5], argv[6]);
    sasl_done();
    return failed;
}
