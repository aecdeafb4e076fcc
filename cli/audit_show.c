/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern audit show` and `follow`: the records of the audit file, one line each, and for `follow`
 * what comes.  Reads only, asks no daemon.  See postern(1).
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern-private/clock.h>
#include <postern/config.h>

#include "audit.h"
#include "audit_print.h"
#include "cli.h"
#include "line_reader.h"
#include "safe_text.h"

#define SHOW_FILES_MAX 64 /* rotated files of one call */
/* `follow` looks again without being told: file systems without inotify, folders that it may not
 * watch. */
#define FOLLOW_LOOK_MS 1000
/* A line that line_reader.h gives, each of its bytes escaped. */
#define PRINTED_MAX (6 * LINE_READER_MAX)

struct show {
    const char *verb;
    const char *files[SHOW_FILES_MAX];
    size_t file_count;
    const char *config_dir;
    struct audit_filter filter;
    bool as_json, wants_help;
    uint64_t damaged_count;
    postern_json json;
};

static const struct option long_options[] = {
    { "file", required_argument, NULL, 'f' },    { "config", required_argument, NULL, 'c' },
    { "agent", required_argument, NULL, 'a' },   { "human", required_argument, NULL, 'u' },
    { "service", required_argument, NULL, 's' }, { "session", required_argument, NULL, 'S' },
    { "event", required_argument, NULL, 'e' },   { "since", required_argument, NULL, 't' },
    { "purpose", required_argument, NULL, 'p' }, { "grant", required_argument, NULL, 'g' },
    { "action", required_argument, NULL, 'A' },  { "door", required_argument, NULL, 's' },
    { "denied", no_argument, NULL, 'd' },        { "would-deny", no_argument, NULL, 'w' },
    { "json", no_argument, NULL, 'j' },
    { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
};

static void print_show_usage(const struct show *s, FILE *out)
{
    fprintf(out,
            "usage: postern audit %s [OPTION ...]\n\n"
            "  --file FILE     %s\n"
            "  --config DIR    the configuration that names it otherwise\n"
            "  --agent NAME    who acts          --human NAME    for whom\n"
            "  --service NAME  which service     --session ID    which session of a door\n"
            "  --door NAME     which door        --action NAME   what was done: redis:GET, 'mcp:*'\n"
            "  --purpose TEXT  what for          --grant ID      by which authorization\n"
            "  --event NAME    verify, login, action, actions, held, approve, renew, end, refused,\n"
            "                  block ...\n"
            "  --since TIME    2026-11-21, 2026-11-21T10:30, or 30m, 12h, 7d ago\n"
            "  --denied        only what was not proved\n"
            "  --would-deny    only what a policy on trial would have denied\n"
            "  --json          the records as they stand in the file\n\n"
            "Exit status: 0 done, 2 usage, 3 a file cannot be read.\n",
            s->verb,
            strcmp(s->verb, "show") == 0 ? "oldest first, as often as there are files"
                                         : "to be read and waited for");
}

static bool add_file(struct show *s, const char *file)
{
    if (s->file_count == (strcmp(s->verb, "show") == 0 ? SHOW_FILES_MAX : 1))
        return false;
    s->files[s->file_count++] = file;
    return true;
}

static bool take_option(struct show *s, int letter)
{

    switch (letter) {
    case 'f':
        return add_file(s, optarg);
    case 'c':
        s->config_dir = optarg;
        return true;
    case 'a':
        s->filter.agent = optarg;
        return true;
    case 'u':
        s->filter.human = optarg;
        return true;
    case 's':
        s->filter.service = optarg;
        return true;
    case 'S':
        s->filter.session = optarg;
        return true;
    case 'e':
        s->filter.event = optarg;
        return true;
    case 'p':
        s->filter.purpose = optarg;
        return true;
    case 'g':
        s->filter.grant_id = optarg;
        return true;
    case 't':
        return audit_since_parse(optarg, clock_wall_s(), s->filter.since);
    case 'A':
        s->filter.action = optarg;
        return true;
    case 'w':
        s->filter.only_would_deny = true;
        return true;
    case 'd':
        s->filter.only_denied = true;
        return true;
    case 'j':
        s->as_json = true;
        return true;
    case 'h':
        s->wants_help = true;
        return true;
    default:
        return false;
    }
}

static bool parse_show_options(int argc, char **argv, struct show *s)
{
    int letter;

    *s = (struct show){ .verb = argv[0], .config_dir = POSTERN_SYSCONFDIR };
    optind = 0;
    while ((letter = getopt_long(argc, argv, "f:c:a:u:s:S:e:p:g:t:A:dwjh", long_options, NULL)) != -1)
        if (!take_option(s, letter))
            return false;
    return optind == argc;
}

/* ---- records ---- */

/* A terminal gets no byte that steers it; a pipe gets the bytes that were hashed. */
static void write_json(postern_bytes line, postern_buf *out)
{
    if (isatty(STDOUT_FILENO) == 1)
        safe_json_add(line, out);
    else
        postern_buf_add(out, line);
    postern_buf_add_byte(out, '\n');
}

static postern_err show_line(struct show *s, postern_bytes line, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(PRINTED_MAX);
    postern_err e = postern_json_scan(&s->json, line, err);

    if (e == POSTERN_ERR_NOMEM)
        return e;
    if (e != POSTERN_OK || postern_json_type_of(&s->json, 0) != POSTERN_JSON_OBJECT) {
        s->damaged_count++;
        return POSTERN_OK;
    }
    if (!audit_filter_takes(&s->filter, &s->json))
        return POSTERN_OK;
    if (s->as_json)
        write_json(line, &out);
    else
        audit_print_record(&s->json, &out);
    if (out.failed)
        return POSTERN_FAIL(err, NOMEM, "line of %zu bytes", line.len);
    if (fwrite(out.ptr, 1, out.len, stdout) != out.len)
        return POSTERN_FAIL(err, SYSTEM, "writing: %m");
    return POSTERN_OK;
}

/* Until the file's end as it is now. */
static postern_err show_lines(struct show *s, struct line_reader *r, postern_error *err)
{
    for (;;) {
        postern_bytes line;

        switch (line_reader_next(r, &line, err)) {
        case LINE_WHOLE:
            POSTERN_TRY(show_line(s, line, err));
            break;
        case LINE_TOO_LONG:
            s->damaged_count++;
            break;
        case LINE_NO_MORE:
            return POSTERN_OK;
        case LINE_FAILED:
            return err->code;
        }
    }
}

static postern_err show_file(struct show *s, const char *file, postern_error *err)
{
    struct line_reader r;
    postern_err e;
    int fd = -1;

    POSTERN_TRY(audit_file_open(file, &fd, err));
    e = line_reader_start(&r, fd, err);
    if (e == POSTERN_OK)
        e = show_lines(s, &r, err);
    if (e == POSTERN_OK && line_reader_piece(&r).len != 0)
        s->damaged_count++;
    line_reader_end(&r);
    (void)close(fd);
    return e;
}

static postern_err show_files(struct show *s, postern_error *err)
{
    for (size_t i = 0; i < s->file_count; i++)
        POSTERN_TRY(show_file(s, s->files[i], err));
    if (fflush(stdout) != 0)
        return POSTERN_FAIL(err, SYSTEM, "writing: %m");
    if (s->damaged_count != 0)
        fprintf(stderr,
                "postern audit show: %llu lines are no records; `postern audit verify` says more\n",
                (unsigned long long)s->damaged_count);
    return POSTERN_OK;
}

/* ---- follow ---- */

struct follower {
    const char *path;
    int fd;     /* of the file that is read */
    int notify; /* inotify on its folder; -1: none */
    struct line_reader reader;
};

/* Something may have changed, or FOLLOW_LOOK_MS are over.  False: nobody reads our output any more.
 */
static bool wait_for_change(struct follower *f)
{
    struct pollfd p[] = { { .fd = STDOUT_FILENO }, { .fd = f->notify, .events = POLLIN } };
    char events[4096];

    if (poll(p, 2, FOLLOW_LOOK_MS) > 0 && (p[1].revents & POLLIN) != 0)
        while (read(f->notify, events, sizeof events) > 0)
            ;
    return (p[0].revents & (POLLERR | POLLHUP)) == 0;
}

/* There is another file of that name, and something in it: whoever writes has left the one before.
 */
static bool is_rotated(const struct follower *f, int *ret_fd)
{
    struct stat now, mine;
    postern_error err = { 0 };

    return stat(f->path, &now) == 0 && fstat(f->fd, &mine) == 0 &&
           (now.st_ino != mine.st_ino || now.st_dev != mine.st_dev) && now.st_size > 0 &&
           audit_file_open(f->path, ret_fd, &err) == POSTERN_OK;
}

/* Cut off under us: what was read up to here is gone, or is a piece that posternd took back. */
static postern_err look_for_cut(struct follower *f, postern_error *err)
{
    struct stat mine;
    off_t at = lseek(f->fd, 0, SEEK_CUR);
    off_t given = (off_t)f->reader.offset;

    if (at < 0 || fstat(f->fd, &mine) != 0 || mine.st_size >= at)
        return POSTERN_OK;
    if (mine.st_size < given) {
        fprintf(stderr, "postern audit follow: %s was cut off: reading it from its beginning\n",
                f->path);
        given = 0;
    }
    if (lseek(f->fd, given, SEEK_SET) < 0)
        return POSTERN_FAIL(err, SYSTEM, "%s: %m", f->path);
    line_reader_restart(&f->reader, f->fd);
    f->reader.offset = (uint64_t)given;
    return POSTERN_OK;
}

static postern_err show_new(struct show *s, struct follower *f, postern_error *err)
{
    int next = -1;

    POSTERN_TRY(look_for_cut(f, err));
    for (;;) {
        bool is_last = !is_rotated(f, &next);

        POSTERN_TRY(show_lines(
            s, &f->reader, err)); /* after the look: nothing is missed at the end of the old one */
        if (is_last)
            break;
        (void)close(f->fd);
        f->fd = next;
        line_reader_restart(&f->reader, f->fd);
    }
    return fflush(stdout) == 0 ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "writing: %m");
}

static void watch_folder(struct follower *f)
{
    char path[PATH_MAX];
    size_t len = strlen(f->path);

    f->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->notify < 0 || len >= sizeof path)
        return;
    memcpy(path, f->path, len + 1);
    if (inotify_add_watch(f->notify, dirname(path), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
        (void)close(f->notify);
        f->notify = -1;
    }
}

static postern_err follow_file(struct show *s, const char *path, postern_error *err)
{
    struct follower f = { .path = path, .fd = -1, .notify = -1 };
    postern_err e;

    POSTERN_TRY(audit_file_open(path, &f.fd, err));
    watch_folder(&f);
    e = line_reader_start(&f.reader, f.fd, err);
    do {
        if (e == POSTERN_OK)
            e = show_new(s, &f, err);
    } while (e == POSTERN_OK && wait_for_change(&f));
    line_reader_end(&f.reader);
    if (f.notify >= 0)
        (void)close(f.notify);
    (void)close(f.fd);
    return e;
}

/* ---- the commands ---- */

static postern_err run(struct show *s, postern_config **ret_config, postern_error *err)
{
    if (s->file_count == 0) {
        POSTERN_TRY(audit_file_path(NULL, s->config_dir, "--file", ret_config, &s->files[0], err));
        s->file_count = 1;
    }
    return strcmp(s->verb, "follow") == 0 ? follow_file(s, s->files[0], err) : show_files(s, err);
}

int audit_show(int argc, char **argv)
{
    POSTERN_AUTO(config) config = NULL;
    postern_error err = { 0 };
    struct show s;
    postern_err e;

    if (!parse_show_options(argc, argv, &s)) {
        print_show_usage(&s, stderr);
        return AUDIT_USAGE;
    }
    if (s.wants_help) {
        print_show_usage(&s, stdout);
        return AUDIT_DONE;
    }
    e = run(&s, &config, &err);
    postern_json_free(&s.json);
    if (e == POSTERN_OK)
        return AUDIT_DONE;
    fprintf(stderr, "postern audit %s: %s: %s\n", s.verb, postern_err_text(err.code), err.detail);
    return AUDIT_UNREADABLE;
}

int audit_follow(int argc, char **argv)
{
    return audit_show(argc, argv);
}
