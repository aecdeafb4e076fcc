/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * May the host's user ask posternd?  Done as the plugin does it, by the same client code, in a
 * child that is that user: folders, owner, connection, and whether posternd describes the service
 * to him.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern/client.h>

#include "doctor.h"
#include "doctor_user.h"

#define ASK_DEADLINE_MS (POSTERN_OP_DEADLINE_MS + 2000) /* the client's own, and time to say so */

struct question {
    const char *path, *service;
    uid_t helper_uid;
};

static postern_err ask(const struct question *q, postern_service_info *ret, postern_error *err)
{
    const postern_helper_address where = { q->path, q->helper_uid };
    POSTERN_AUTO(op) op = NULL;

    POSTERN_TRY(postern_client_describe_start(&where, q->service, &op, err));
    POSTERN_TRY(postern_op_run(op, err));
    *ret = *postern_client_info(op);
    return POSTERN_OK;
}

static void ask_and_say(void *arg, FILE *out)
{
    postern_service_info info = { 0 };
    postern_error err = { 0 };

    child_say(out, "reason", postern_err_reason(ask(arg, &info, &err)));
    child_say(out, "detail", err.detail);
    child_say(out, "known", info.is_known ? "yes" : "no");
    child_say(out, "mechs", info.has_oauthbearer || info.has_xoauth2 ? "yes" : "no");
}

/* ---- what it means ---- */

static const struct {
    postern_err code;
    const char *advice;
} advices[] = {
    { POSTERN_ERR_HELPER_UNAVAILABLE,
      "Start posternd, or name its socket to the host (helper_socket: in postern.conf, "
      "postern_helper_socket in the SASL file)." },
    { POSTERN_ERR_HELPER_UNTRUSTED,
      "Socket and every folder above it must belong to root, or to posternd's user (--helper-uid, "
      "postern_helper_user in the SASL file), and nobody else may write there." },
    { POSTERN_ERR_PEER_NOT_ALLOWED,
      "Add this user to helper_peers: of the service's file and reload posternd." },
    { POSTERN_ERR_SERVICE_UNKNOWN, "posternd does not know the service yet: reload it (SIGHUP)." },
    { POSTERN_ERR_TIMEOUT, "posternd does not answer: look at its log." },
    { POSTERN_ERR_HELPER_PROTOCOL,
      "posternd and this program are of different versions: restart posternd." },
};

static const char *find_advice(postern_err code)
{
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (advices[i].code == code)
            return advices[i].advice;
    return "Look at posternd's log.";
}

static void tell(struct doctor *d, const struct question *q, const char *who, postern_bytes said)
{
    char reason[CHILD_VALUE_MAX] = "", detail[CHILD_VALUE_MAX] = "", known[CHILD_VALUE_MAX] = "";
    postern_err code;

    (void)child_said(said, "reason", 0, reason); /* stays "": then it said nothing */
    (void)child_said(said, "detail", 0, detail);
    (void)child_said(said, "known", 0, known);
    code = postern_err_from_reason(reason);
    if (strcmp(reason, postern_err_reason(POSTERN_OK)) != 0)
        doctor_add(&d->report, "socket", DOCTOR_PROBLEM, find_advice(code), "%s as %s: %s%s%s",
                   q->path, who, postern_err_text(code), detail[0] == '\0' ? "" : ": ", detail);
    else if (strcmp(known, "yes") != 0)
        doctor_add(&d->report, "socket", DOCTOR_PROBLEM, find_advice(POSTERN_ERR_SERVICE_UNKNOWN),
                   "%s as %s: posternd answers, but knows no service %s", q->path, who, q->service);
    else
        doctor_add(&d->report, "socket", DOCTOR_OK, "", "%s: %s may ask, and posternd answers",
                   q->path, who);
}

static void ask_as(struct doctor *d, const char *path, const char *who, const struct child_user *as)
{
    POSTERN_AUTO_BUF said = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    struct question q = { path, d->host_service, d->helper_uid };
    const struct child_job job = { ask_and_say, &q, as, ASK_DEADLINE_MS };
    postern_error err = { 0 };
    int status = 0;

    if (child_run(&job, &said, &status, &err) != POSTERN_OK)
        doctor_add(&d->report, "socket", DOCTOR_PROBLEM, "", "%s as %s: %s", path, who, err.detail);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        doctor_add(&d->report, "socket", DOCTOR_PROBLEM, "", "%s as %s: asking failed (status %#x)",
                   path, who, (unsigned)status);
    else
        tell(d, &q, who, postern_buf_bytes(&said));
}

/* True: somebody asked. */
static bool ask_as_named(struct doctor *d, const char *path, const char *who)
{
    struct child_user user;

    if (!doctor_user_find(who, &user)) {
        doctor_add(&d->report, "socket", DOCTOR_PROBLEM,
                   "Name the user that the host runs as in helper_peers: of the service's file.",
                   "%s is not on this machine", who);
        return false;
    }
    if (doctor_user_can_be(&user)) {
        user.is_other = geteuid() == 0;
        ask_as(d, path, who, &user);
        return true;
    }
    doctor_add(&d->report, "socket", DOCTOR_NOTE, "Run it as root to see with that user's eyes.",
               "%s: whether %s may ask is not known to you", path, who);
    return false;
}

static void check_socket(struct doctor *d, const char *path)
{
    bool has_asked = false;
    const char *who;

    if (d->peer != NULL)
        has_asked = ask_as_named(d, path, d->peer);
    else
        for (size_t i = 0; (who = postern_section_item(d->section, "helper_peers", i)) != NULL; i++)
            has_asked |= ask_as_named(d, path, who);
    if (!has_asked) /* is it there at all? */
        ask_as(d, path, "yourself", NULL);
}

/* A host that usually runs as somebody whom helper_peers does not name. */
static void check_usual_user(struct doctor *d)
{
    char usual[HOST_USER_MAX];
    struct child_user user, named;
    const char *who;

    for (size_t i = 0; d->peer == NULL && host_user_at(d->row, i, usual); i++) {
        if (!doctor_user_find(usual, &user) || user.uid == 0 || user.uid == 65534)
            continue;
        for (size_t k = 0; (who = postern_section_item(d->section, "helper_peers", k)) != NULL; k++)
            if (strncmp(who, "group:", 6) == 0 ||
                (doctor_user_find(who, &named) && named.uid == user.uid))
                return;
        doctor_add(&d->report, "peers", DOCTOR_WARNING,
                   "Add it to helper_peers:, or say as whom the host runs: --peer USER.",
                   "%s usually runs as %s here, whom helper_peers: does not name", d->row->title,
                   usual);
        return;
    }
}

void doctor_check_sockets(struct doctor *d)
{
    const postern_section *daemon = postern_config_section(d->config, POSTERN_SECTION_DAEMON, NULL);
    const char *path;

    check_usual_user(d);
    for (size_t i = 0; (path = postern_section_item(daemon, "helper_socket", i)) != NULL; i++)
        check_socket(d, path);
}
