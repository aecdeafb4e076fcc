/* SPDX-License-Identifier: BSD-2-Clause */
/* Wait on 127.0.0.1 for the browser that comes back from the login page. */
#ifndef POSTERN_CLI_LOGIN_LISTEN_H
#define POSTERN_CLI_LOGIN_LISTEN_H

#include <postern/op.h>

struct login_listener {
    int fd;
    char authority[24];    /* "127.0.0.1:PORT" */
    char redirect_uri[48]; /* "http://127.0.0.1:PORT/callback" */
    char start_uri[48];    /* "http://127.0.0.1:PORT/start" */
};

/* port 0: a free one.  POSTERN_OK · SYSTEM */
POSTERN_MUST_USE postern_err login_listen(uint16_t port, struct login_listener *ret,
                                          postern_error *err);
/*
 * Answer requests until one holds the login's own state; every other gets 404 and ends nothing.
 * Who asks at start_uri is led to the login page when he is of this process's own user, or root.
 *   ret_query   of POSTERN_BUF_INIT(LOGIN_REQUEST_MAX): the query string
 *   POSTERN_OK · TIMEOUT · SYSTEM · NOMEM
 */
POSTERN_MUST_USE postern_err login_wait(const struct login_listener *l, const postern_op *login,
                                        int timeout_s, postern_buf *ret_query, postern_error *err);
void login_listen_close(struct login_listener *l);

#endif
