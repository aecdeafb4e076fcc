/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An application with PAM, for component tests: authenticates and asks for the account through the real libpam, with the PAM services of
 * one folder.
 *
 *   pam_host CONFDIR SERVICE USER [--times N] [--threads N] [--linger SECONDS]     USER "": none
 *
 * Reads lines from stdin: the answers to prompts, in turn; the last one is repeated.  Prints for each attempt "auth=CODE account=CODE
 * cred=CODE user=USER prompts=N", then "fds=N" once.  With --threads that many attempts run at a time and only counts are printed.
 */
#include <dirent.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWERS_MAX 8
#define ANSWER_MAX  70000
#define THREADS_MAX 512

static char *answers[ANSWERS_MAX];
static size_t answer_count;
static const char *confdir, *service, *user;
static unsigned linger_s;

struct attempt {
    unsigned prompts;
    int      auth, account, cred;
    char     user[1100];
};

static int converse(int count, const struct pam_message **messages, struct pam_response **ret, void *arg)
{
    struct attempt *a = arg;
    struct pam_response *r = calloc((size_t)count, sizeof *r);

    if (r == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++) {
        size_t at = a->prompts < answer_count ? a->prompts : answer_count - 1;

        if (messages[i]->msg_style != PAM_PROMPT_ECHO_OFF || answer_count == 0) {
            free(r);
            return PAM_CONV_ERR; /* nothing else is asked here */
        }
        r[i].resp = strdup(answers[at]);
        a->prompts++;
    }
    *ret = r;
    return PAM_SUCCESS;
}

static void attempt(struct attempt *a)
{
    const struct pam_conv conv = { converse, a };
    pam_handle_t *h = NULL;
    const void *name = NULL;

    memset(a, 0, sizeof *a);
    a->auth = a->account = a->cred = -1;
    if (pam_start_confdir(service, user[0] == '\0' ? NULL : user, &conv, confdir, &h) != PAM_SUCCESS)
        return;
    a->auth = pam_authenticate(h, 0);
    if (linger_s != 0) {
        struct timespec pause = { .tv_sec = linger_s };
        (void)nanosleep(&pause, NULL);
    }
    a->account = pam_acct_mgmt(h, 0);
    if (a->auth == PAM_SUCCESS)
        a->cred = pam_setcred(h, PAM_ESTABLISH_CRED);
    if (pam_get_item(h, PAM_USER, &name) == PAM_SUCCESS && name != NULL)
        (void)snprintf(a->user, sizeof a->user, "%s", (const char *)name);
    if (pam_end(h, a->auth) != PAM_SUCCESS)
        a->auth = -2;
}

static void print(const struct attempt *a)
{
    printf("auth=%d account=%d cred=%d user=%s prompts=%u\n", a->auth, a->account, a->cred, a->user, a->prompts);
}

static void *run_thread(void *arg)
{
    attempt(arg);
    return NULL;
}

static void run_threads(unsigned count)
{
    static pthread_t threads[THREADS_MAX];
    static struct attempt attempts[THREADS_MAX];
    unsigned good = 0, bad = 0, undecided = 0;

    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, run_thread, &attempts[i]) != 0)
            abort();
    for (unsigned i = 0; i < count; i++) {
        if (pthread_join(threads[i], NULL) != 0)
            abort();
        good += attempts[i].auth == PAM_SUCCESS && attempts[i].account == PAM_SUCCESS;
        bad += attempts[i].auth == PAM_AUTH_ERR;
        undecided += attempts[i].auth == PAM_AUTHINFO_UNAVAIL;
    }
    printf("good=%u bad=%u undecided=%u\n", good, bad, undecided);
}

static unsigned count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        (void)closedir(d);
    return n;
}

static void read_answers(void)
{
    char *line = malloc(ANSWER_MAX);

    while (line != NULL && answer_count < ANSWERS_MAX && fgets(line, ANSWER_MAX, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        answers[answer_count++] = strdup(line);
    }
    free(line);
}

int main(int argc, char **argv)
{
    unsigned times = 1, threads = 0, first = 0;
    struct attempt a;

    if (argc < 4)
        return 2;
    confdir = argv[1], service = argv[2], user = argv[3];
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "--times") == 0 && i + 1 < argc)
            times = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--linger") == 0 && i + 1 < argc)
            linger_s = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            return 2;
    }
    if (threads > THREADS_MAX)
        return 2;
    read_answers();
    if (threads != 0)
        run_threads(threads);
    for (unsigned i = 0; threads == 0 && i < times; i++) {
        attempt(&a);
        print(&a);
        if (i == 0)
            first = count_fds();
    }
    if (threads == 0)
        printf("fds=%d\n", (int)count_fds() - (int)first);
    for (size_t i = 0; i < answer_count; i++)
        free(answers[i]);
    return 0;
}
