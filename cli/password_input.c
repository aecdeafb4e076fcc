/* SPDX-License-Identifier: BSD-2-Clause */
/* Typing and making passwords; see password_input.h.  Called by user.c. */
#include "password_input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"

/* ---- a terminal ---- */

/* Echo comes back also when the person interrupts: signals wait until it is. */
struct quiet_terminal {
    int fd;
    struct termios before;
    sigset_t signals;
};

static postern_err silence(struct quiet_terminal *t, postern_error *err)
{
    struct termios quiet;
    sigset_t all;

    if (tcgetattr(t->fd, &t->before) != 0)
        return POSTERN_FAIL(err, SYSTEM, "the terminal: %m");
    quiet = t->before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
    quiet.c_lflag |= ECHONL | ICANON | ISIG;
    quiet.c_cc[VINTR] = quiet.c_cc[VQUIT] = quiet.c_cc[VSUSP] = _POSIX_VDISABLE;
    (void)sigfillset(&all); /* fails for a bad pointer only */
    (void)sigprocmask(SIG_BLOCK, &all, &t->signals);
    if (tcsetattr(t->fd, TCSAFLUSH, &quiet) == 0)
        return POSTERN_OK;
    (void)sigprocmask(SIG_SETMASK, &t->signals, NULL);
    return POSTERN_FAIL(err, SYSTEM, "the terminal: %m");
}

static void restore(struct quiet_terminal *t)
{
    (void)tcsetattr(t->fd, TCSAFLUSH, &t->before); /* nothing else could be done */
    (void)sigprocmask(SIG_SETMASK, &t->signals, NULL);
}

/* One line; a terminal gives no more than that at once. */
static postern_err read_line(int fd, postern_secret **ret, postern_error *err)
{
    uint8_t line[PASSWORD_INPUT_MAX + 2];
    ssize_t n;
    postern_err e;

    do
        n = read(fd, line, sizeof line);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return POSTERN_FAIL(err, SYSTEM, "reading the terminal: %m");
    if (n > 0 && line[n - 1] == '\n')
        n--;
    else if (n > PASSWORD_INPUT_MAX)
        return POSTERN_FAIL(err, LIMIT, "a password has at most %d bytes", PASSWORD_INPUT_MAX);
    e = postern_secret_new((postern_bytes){ line, (size_t)n }, ret, err);
    postern_wipe(line, sizeof line);
    return e;
}

static postern_err ask(struct quiet_terminal *t, const char *prompt, const char *name,
                       postern_secret **ret, postern_error *err)
{
    if (dprintf(t->fd, "%s%s: ", prompt, name) < 0)
        return POSTERN_FAIL(err, SYSTEM, "the terminal: %m");
    return read_line(t->fd, ret, err);
}

static postern_err ask_twice(struct quiet_terminal *t, const char *name, postern_secret **ret,
                             postern_error *err)
{
    POSTERN_AUTO(secret) first = NULL;
    POSTERN_AUTO(secret) second = NULL;

    POSTERN_TRY(ask(t, "New password for ", name, &first, err));
    POSTERN_TRY(ask(t, "The same again for ", name, &second, err));
    if (!postern_bytes_equal_ct(postern_secret_bytes(first), postern_secret_bytes(second)))
        return POSTERN_FAIL(err, USAGE, "the password was not the same both times");
    *ret = POSTERN_STEAL(first);
    return POSTERN_OK;
}

static postern_err ask_terminal(const char *name, postern_secret **ret, postern_error *err)
{
    struct quiet_terminal t = { .fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) };
    postern_err e;

    if (t.fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "/dev/tty: %m");
    e = silence(&t, err);
    if (e == POSTERN_OK) {
        e = ask_twice(&t, name, ret, err);
        restore(&t);
    }
    (void)close(t.fd); /* nothing is unwritten */
    return e;
}

/* ---- */

postern_err password_input_read(const char *name, postern_secret **ret, postern_error *err)
{
    POSTERN_AUTO(secret) password = NULL;

    if (isatty(STDIN_FILENO))
        POSTERN_TRY(ask_terminal(name, &password, err));
    else
        POSTERN_TRY(cli_read_stdin(PASSWORD_INPUT_MAX, &password, err));
    if (postern_secret_bytes(password).len == 0)
        return POSTERN_FAIL(err, USAGE, "there is no password");
    *ret = POSTERN_STEAL(password);
    return POSTERN_OK;
}

postern_err password_input_generate(postern_secret **ret, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(64);
    uint8_t raw[PASSWORD_GENERATED_BYTES];
    ssize_t n = getrandom(raw, sizeof raw, 0); /* so few bytes come at once, uninterrupted */

    if (n != (ssize_t)sizeof raw)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    postern_base64url_encode((postern_bytes){ raw, sizeof raw }, &text);
    postern_wipe(raw, sizeof raw);
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "a password");
    return postern_secret_new(postern_buf_bytes(&text), ret, err);
}
