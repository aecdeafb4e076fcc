/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern audit verify FILE...`: reads files, says whether their chain is whole.  See postern(1).
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/config.h>

#include "audit.h"
#include "audit_check.h"
#include "cli.h"
#include "line_reader.h"

/* Between two words about progress: a quarter of a second's work. */
#define PROGRESS_BYTES (UINT64_C(32) << 20)

struct verify_options {
    const char *head, *seq;
    const char *config_dir;
    bool wants_help;
};

static const struct option long_options[] = {
    { "head", required_argument, NULL, 'H' },
    { "seq", required_argument, NULL, 's' },
    { "config", required_argument, NULL, 'c' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_verify_usage(FILE *out)
{
    fputs("usage: postern audit verify [--head HASH [--seq N]] [--config DIR] [FILE ...]\n\n"
          "Checks that no record was changed, removed or put in.  Files oldest first; \"-\" is "
          "standard input; without\n"
          "one, audit_file of the configuration.  --head: a head that was printed earlier must be "
          "in the chain.\n\n"
          "Exit status: 0 whole, 1 broken, 2 usage, 3 a file cannot be read.\n",
          out);
}

static bool parse_verify_options(int argc, char **argv, struct verify_options *o)
{
    int letter;

    *o = (struct verify_options){ .config_dir = POSTERN_SYSCONFDIR };
    optind = 0;
    while ((letter = getopt_long(argc, argv, "H:s:c:h", long_options, NULL)) != -1) {
        switch (letter) {
        case 'H':
            o->head = optarg;
            break;
        case 's':
            o->seq = optarg;
            break;
        case 'c':
            o->config_dir = optarg;
            break;
        case 'h':
            o->wants_help = true;
            return true;
        default:
            return false;
        }
    }
    return o->seq == NULL || o->head != NULL;
}

static bool parse_seq(const char *text, int64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *ret >= 1 &&
           *ret <= AUDIT_SEQ_MAX;
}

static bool set_wanted(const struct verify_options *o, struct audit_check *c)
{
    if (o->head == NULL)
        return true;
    c->has_wanted = true;
    c->has_wanted_seq = o->seq != NULL;
    return audit_hash_parse(postern_bytes_str(o->head), c->wanted_hash) &&
           (o->seq == NULL || parse_seq(o->seq, &c->wanted_seq));
}

/* ---- one file ---- */

static void show_progress(const char *file, const struct line_reader *r, off_t size, uint64_t *next)
{
    if (r->offset < *next || size <= 0)
        return;
    *next = r->offset + PROGRESS_BYTES;
    fprintf(stderr, "\r%s: %d %%", file, (int)(r->offset * 100 / (uint64_t)size));
}

/* False: broken (c says where) or unreadable (err is set). */
static bool check_lines(struct audit_check *c, const char *file, struct line_reader *r,
                        off_t progress_of, postern_error *err)
{
    uint64_t next = PROGRESS_BYTES;
    bool is_whole = true;
    postern_bytes line;

    while (is_whole) {
        line_event event = line_reader_next(r, &line, err);

        if (event == LINE_FAILED)
            return false;
        if (event == LINE_NO_MORE)
            break;
        is_whole = audit_check_line(c, file, r->number, line, event == LINE_WHOLE, err);
        show_progress(file, r, progress_of, &next);
    }
    line = line_reader_piece(r);
    if (is_whole && line.len != 0)
        is_whole = audit_check_line(c, file, r->number + 1, line, false, err);
    if (next != PROGRESS_BYTES)
        fputs("\r\033[K", stderr);
    return is_whole;
}

static bool check_file(struct audit_check *c, const char *file, postern_error *err)
{
    struct line_reader r;
    struct stat st;
    bool is_whole = false, is_shown = isatty(STDERR_FILENO) == 1;
    int fd = -1;

    if (audit_file_open(file, &fd, err) != POSTERN_OK)
        return false;
    if (line_reader_start(&r, fd, err) == POSTERN_OK)
        is_whole = check_lines(c, file, &r, is_shown && fstat(fd, &st) == 0 ? st.st_size : 0, err);
    line_reader_end(&r);
    (void)close(fd);
    return is_whole;
}

/* ---- what came out ---- */

static int report_broken(const struct audit_check *c)
{
    printf("%s:%" PRIu64 ": %s\n", c->broken.file, c->broken.line, c->what);
    return AUDIT_BROKEN;
}

static int report(const struct audit_check *c)
{
    char head[AUDIT_HASH_DIGITS + 1];

    if (c->head.seq == 0) {
        printf("no chain: %" PRIu64 " records without seq and prev\n", c->unchained_count);
        return AUDIT_BROKEN;
    }
    audit_hash_text(c->head.hash, head);
    printf("%" PRIu64 " records, chain whole since %" PRId64 " (%s), head %s, number %" PRId64 "\n",
           c->record_count, c->first_seq, c->first_time, head, c->head.seq);
    if (c->unchained_count != 0)
        printf("%" PRIu64 " records before it have no chain\n", c->unchained_count);
    if (c->torn_count != 0)
        printf("%" PRIu64
               " pieces of lines that were never confirmed (a full disk, or posternd was killed)\n",
               c->torn_count);
    if (!c->has_wanted || c->is_wanted_found)
        return AUDIT_DONE;
    puts("but the head that was asked for is not in it: records up to that one were changed or "
         "removed");
    return AUDIT_BROKEN;
}

static int verify_files(struct audit_check *c, char *const *files, size_t count)
{
    postern_error err = { 0 };

    for (size_t i = 0; i < count; i++) {
        if (check_file(c, files[i], &err))
            continue;
        if (c->broken.line != 0)
            return report_broken(c);
        fprintf(stderr, "postern audit verify: %s: %s\n", postern_err_text(err.code), err.detail);
        return AUDIT_UNREADABLE;
    }
    return audit_check_finish(c) ? report(c) : report_broken(c);
}

static int verify_configured(struct audit_check *c, const char *config_dir)
{
    POSTERN_AUTO(config) config = NULL;
    const char *path = NULL;
    postern_error err = { 0 };

    if (audit_file_path(NULL, config_dir, "FILE", &config, &path, &err) != POSTERN_OK) {
        (void)cli_fail("audit verify", &err);
        return AUDIT_UNREADABLE;
    }
    return verify_files(c, (char *[]){ (char *)(uintptr_t)path }, 1);
}

int audit_verify(int argc, char **argv)
{
    struct audit_check check = { 0 };
    struct verify_options o;
    int status;

    if (!parse_verify_options(argc, argv, &o) || (!o.wants_help && !set_wanted(&o, &check))) {
        print_verify_usage(stderr);
        return AUDIT_USAGE;
    }
    if (o.wants_help) {
        print_verify_usage(stdout);
        return AUDIT_DONE;
    }
    status = optind < argc ? verify_files(&check, argv + optind, (size_t)(argc - optind))
                           : verify_configured(&check, o.config_dir);
    audit_check_free(&check);
    return fflush(stdout) == 0 ? status : AUDIT_UNREADABLE;
}
