/* SPDX-License-Identifier: BSD-2-Clause */
/* See fake_postgres.h. */
#include "postgres.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "fmgr.h"
#include "libpq/libpq-be.h"
#include "libpq/oauth.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

#undef snprintf
#undef vsnprintf
#include "fake_postgres.h"

#define BLOCKS_MAX 32

struct fake_postgres fake_postgres;

volatile sig_atomic_t InterruptPending;
struct Latch *MyLatch;
struct Port *MyProcPort;
sigjmp_buf *PG_exception_stack;
ErrorContextCallback *error_context_stack;

static struct Latch latch;
static struct Port port;
static HbaLine line;
static sigjmp_buf process_end;
static struct {
    pg_on_exit_callback function;
    Datum arg;
} callback;
static void *blocks[BLOCKS_MAX];
static unsigned block_count;
static struct {
    int level, sqlstate;
    char message[600], detail[200], hint[200];
} report;

/* ---- memory of the backend ---- */

static void called(void)
{
    if (fake_postgres.on_server_call != NULL)
        fake_postgres.on_server_call();
}

static void *allocate(size_t size)
{
    called();
    if (++fake_postgres.allocs == fake_postgres.failing_alloc)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    if (block_count == BLOCKS_MAX)
        abort();
    return blocks[block_count++] = calloc(1, size);
}

void *palloc0(Size size)
{
    return allocate(size);
}

char *pstrdup(const char *text)
{
    return strcpy(allocate(strlen(text) + 1), text);
}

char *psprintf(const char *fmt, ...)
{
    char *text = allocate(600);
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, 600, fmt, args);
    va_end(args);
    return text;
}

/* ---- the ends ---- */

static void end_process(void)
{
    if (callback.function != NULL) {
        pg_on_exit_callback function = callback.function;

        callback.function = NULL;
        function(1, callback.arg);
    }
    siglongjmp(process_end, 1);
}

void before_shmem_exit(pg_on_exit_callback function, Datum arg)
{
    if (++fake_postgres.callbacks == fake_postgres.failing_callback)
        ereport(FATAL, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("out of slots")));
    if (callback.function != NULL)
        abort();
    callback.function = function;
    callback.arg = arg;
}

void cancel_before_shmem_exit(pg_on_exit_callback function, Datum arg)
{
    if (callback.function != function || callback.arg != arg)
        abort();
    callback.function = NULL;
}

void pg_re_throw(void)
{
    if (PG_exception_stack != NULL)
        siglongjmp(*PG_exception_stack, 1);
    end_process();
    abort();
}

/* ---- reports ---- */

bool errstart(int level, const char *domain)
{
    (void)domain;
    report.level = level;
    report.sqlstate = 0;
    report.message[0] = report.detail[0] = report.hint[0] = '\0';
    return true;
}

bool errstart_cold(int level, const char *domain)
{
    return errstart(level, domain);
}

int errcode(int sqlstate)
{
    report.sqlstate = sqlstate;
    return 0;
}

#define REPORT_PART(name, field)                                                                   \
    int name(const char *fmt, ...)                                                                 \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, fmt);                                                                       \
        if (vsnprintf(report.field, sizeof report.field, fmt, args) >= (int)sizeof report.field)   \
            abort();                                                                               \
        va_end(args);                                                                              \
        return 0;                                                                                  \
    }
REPORT_PART(errmsg, message)
REPORT_PART(errdetail, detail)
REPORT_PART(errhint, hint)

static const char *sqlstate_text(int state)
{
    static char text[6];

    for (int i = 0; i < 5; i++, state >>= 6)
        text[i] = PGUNSIXBIT(state);
    return text;
}

void errfinish(const char *file, int at, const char *function)
{
    size_t len = strlen(fake_postgres.log);

    (void)file, (void)at, (void)function;
    called();
    if (report.level < ERROR) {
        (void)snprintf(fake_postgres.log + len, sizeof fake_postgres.log - len, "%s\n", report.message);
        return;
    }
    if (report.level == ERROR && PG_exception_stack != NULL)
        siglongjmp(*PG_exception_stack, 1);
    (void)snprintf(fake_postgres.fatal, sizeof fake_postgres.fatal, "%s %s|%s|%s",
                   sqlstate_text(report.sqlstate), report.message, report.detail, report.hint);
    end_process();
}

/* ---- waits ---- */

uint32 WaitEventExtensionNew(const char *name)
{
    return name[0] == '\0' ? 0 : 7;
}

int WaitLatchOrSocket(Latch *l, int events, pgsocket fd, long timeout_ms, uint32 event)
{
    if (l != &latch || event != 7)
        abort();
    fake_postgres.waits++;
    fake_postgres.wait_fd = fd;
    fake_postgres.wait_ms = timeout_ms;
    fake_postgres.wait_events = events;
    if (fake_postgres.signal == FAKE_POSTMASTER_GONE)
        end_process();
    InterruptPending = fake_postgres.signal != FAKE_NO_SIGNAL;
    return WL_LATCH_SET;
}

bool fake_postgres_waited_well(bool has_socket)
{
    int wanted = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;

    return fake_postgres.wait_events == (has_socket ? wanted | WL_SOCKET_READABLE : wanted);
}

void ResetLatch(Latch *l)
{
    if (l != &latch)
        abort();
}

void ProcessInterrupts(void)
{
    InterruptPending = 0;
    if (fake_postgres.signal == FAKE_CANCEL)
        ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("canceled")));
    ereport(FATAL, (errcode(ERRCODE_ADMIN_SHUTDOWN), errmsg("terminated")));
}

/* ---- settings ---- */

static const char *setting(const char *name, const char *by_default)
{
    const char *value = NULL;

    if (strcmp(name, "postern.service") == 0)
        value = fake_postgres.service;
    else if (strcmp(name, "postern.helper_socket") == 0)
        value = fake_postgres.socket;
    else if (strcmp(name, "postern.helper_user") == 0)
        value = fake_postgres.user;
    else
        abort();
    return value == NULL ? by_default : value;
}

void DefineCustomStringVariable(const char *name, const char *what, const char *more, char **value,
                                const char *by_default, GucContext context, int flags,
                                GucStringCheckHook check, GucStringAssignHook assign,
                                GucShowHook show)
{
    (void)what, (void)more, (void)check, (void)assign, (void)show;
    if (context != PGC_SIGHUP || flags != 0)
        abort();
    *value = (char *)(uintptr_t)setting(name, by_default);
}

void MarkGUCPrefixReserved(const char *prefix)
{
    if (strcmp(prefix, "postern") != 0)
        abort();
}

/* ---- a login ---- */

static void set_address(SockAddr *a, int family, const char *text)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a->addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->addr;

    a->addr.ss_family = (sa_family_t)family;
    if (family == AF_INET)
        (void)inet_pton(family, text, &v4->sin_addr);
    else if (family == AF_INET6)
        (void)inet_pton(family, text, &v6->sin6_addr);
}

static void set_connection(void)
{
    static const struct {
        int family;
        const char *local, *remote;
    } ends[] = {
        [FAKE_REMOTE] = { AF_INET, "192.0.2.1", "192.0.2.7" },
        [FAKE_LOOPBACK4] = { AF_INET, "127.0.0.1", "127.9.9.9" },
        [FAKE_LOOPBACK6] = { AF_INET6, "::1", "::1" },
        [FAKE_HALF_LOOPBACK] = { AF_INET, "192.0.2.1", "127.0.0.1" },
        [FAKE_UNIX] = { AF_UNIX, "", "" },
        [FAKE_TLS] = { AF_INET6, "2001:db8::1", "2001:db8::7" },
    };

    set_address(&port.laddr, ends[fake_postgres.connection].family, ends[fake_postgres.connection].local);
    set_address(&port.raddr, ends[fake_postgres.connection].family, ends[fake_postgres.connection].remote);
    port.ssl_in_use = fake_postgres.connection == FAKE_TLS;
    /* With log_hostname what the client's name server says: it may say anything. */
    port.remote_host = (char *)(uintptr_t)(fake_postgres.connection == FAKE_UNIX ? "[local]" : "10.0.0.1");
}

extern const Pg_magic_struct *Pg_magic_func(void);

const char *fake_postgres_module_name(void)
{
    return Pg_magic_func()->name;
}

void _PG_init(void);

void fake_postgres_login(const char *token, const char *role)
{
    const OAuthValidatorCallbacks *c = _PG_oauth_validator_module_init();
    ValidatorModuleState state = { .sversion = PG_VERSION_NUM };
    ValidatorModuleResult result = { .authorized = false };

    memset(&port, 0, sizeof port);
    memset(&line, 0, sizeof line);
    fake_postgres.fatal[0] = fake_postgres.log[0] = fake_postgres.authn_id[0] = '\0';
    fake_postgres.has_returned = fake_postgres.is_authorized = fake_postgres.has_said_done = false;
    fake_postgres.waits = fake_postgres.callbacks = fake_postgres.allocs = 0;
    set_connection();
    line.oauth_issuer = (char *)(uintptr_t)fake_postgres.issuer;
    line.oauth_scope = (char *)(uintptr_t)fake_postgres.scope;
    line.oauth_skip_usermap = fake_postgres.is_delegated;
    port.hba = fake_postgres.has_no_line ? NULL : &line;
    MyProcPort = &port;
    MyLatch = &latch;
    PG_exception_stack = NULL;
    callback.function = NULL;
    if (c->magic != PG_OAUTH_VALIDATOR_MAGIC)
        abort();
    if (sigsetjmp(process_end, 0) == 0) {
        _PG_init();
        fake_postgres.has_said_done = c->validate_cb(&state, token, role, &result);
        fake_postgres.has_returned = true;
        fake_postgres.is_authorized = result.authorized;
        (void)snprintf(fake_postgres.authn_id, sizeof fake_postgres.authn_id, "%s",
                       result.authn_id == NULL ? "" : result.authn_id);
    }
    if (callback.function != NULL)
        abort();
    while (block_count != 0)
        free(blocks[--block_count]);
}
