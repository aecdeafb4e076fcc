/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit role (sidecar/role.h): the only writer of the audit file.  It gets the file and its
 * writers' lines from the supervisor and reads no configuration.  Ends with status 0 when it was
 * drained.
 */
#include "config.h"

#include <signal.h>
#include <unistd.h>

#include "../log.h"
#include "../role.h"
#include "server.h"

static void on_ended(void *arg)
{
    (void)event_base_loopbreak(arg);
}

static postern_err run(int take_supervisor_fd, postern_error *err)
{
    struct event_base *base = event_base_new();
    struct audit_server *server = NULL;
    postern_err e;

    if (base == NULL) {
        (void)close(take_supervisor_fd);
        return POSTERN_FAIL(err, NOMEM, "event loop");
    }
    e = audit_server_new(base, take_supervisor_fd, (struct audit_server_owner){ on_ended, base },
                         &server, err);
    if (e == POSTERN_OK && event_base_dispatch(base) != 0)
        e = POSTERN_FAIL(err, SYSTEM, "event loop");
    audit_server_free(server);
    event_base_free(base);
    return e;
}

int audit_main(struct role_setup *setup)
{
    postern_error err = { 0 };

    postern_config_free(POSTERN_STEAL(setup->take_config));
    if (signal(SIGXFSZ, SIG_IGN) ==
        SIG_ERR) { /* a file size limit is a full disk: an error of write(2) */
        log_problem("audit child cannot start: %m");
        return 1;
    }
    if (run(setup->supervisor_fd, &err) == POSTERN_OK)
        return 0;
    log_error("audit child", &err);
    return 1;
}
