/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend of PostgreSQL for tests of the validator: one line of pg_hba.conf, one connection, the
 * latch, and both ways in which the server unwinds (ERROR by longjmp, FATAL by the callbacks of
 * proc_exit).  Defines the functions of the server that the module calls.  Names no type of the
 * server, so that a test needs none of its headers.
 */
#ifndef TESTS_SUPPORT_FAKE_POSTGRES_H
#define TESTS_SUPPORT_FAKE_POSTGRES_H

#include <stdbool.h>

enum fake_connection { FAKE_REMOTE, FAKE_LOOPBACK4, FAKE_LOOPBACK6, FAKE_HALF_LOOPBACK, FAKE_UNIX, FAKE_TLS };
enum fake_signal {
    FAKE_NO_SIGNAL,
    FAKE_TERMINATE, /* pg_terminate_backend, authentication_timeout: FATAL */
    FAKE_CANCEL,    /* ERROR */
    FAKE_POSTMASTER_GONE
};

struct fake_postgres {
    /* The line of pg_hba.conf. */
    const char *issuer, *scope;
    bool is_delegated, has_no_line;
    enum fake_connection connection;
    const char *service, *socket, *user; /* postern.*; NULL: the default */
    enum fake_signal signal; /* comes with the first wait */
    unsigned failing_alloc;  /* the n-th palloc is an ERROR; 0: none */
    unsigned failing_callback; /* the n-th before_shmem_exit is a FATAL */
    void (*on_server_call)(void); /* whenever the server could unwind, but for its waits */

    /* What happened. */
    bool has_returned, is_authorized, has_said_done; /* of the callback */
    char authn_id[1100];
    char fatal[1100];  /* "SQLSTATE message|detail|hint" of the FATAL that ended it; "" none */
    char log[4000];    /* lines of LOG */
    unsigned waits, callbacks, allocs;
    int wait_fd;
    long wait_ms;
    int wait_events;
};
extern struct fake_postgres fake_postgres;

/* A login with this token and role, as a backend has it from the loading of the module on. */
void fake_postgres_login(const char *token, const char *role);
/* What a wait must ask for: the latch, a time-out, the end of the postmaster; and the socket. */
bool fake_postgres_waited_well(bool has_socket);
const char *fake_postgres_module_name(void);

#endif
