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
#include "audit_keys.h"
#include "cli.h"
#include "line_reader.h"

/* Between two words about progress: a quarter of a second's work. */
#define PROGRESS_BYTES (UINT64_C(32) << 20)

/* One a month for longer than anybody looks back. */
#define CHECKPOINT_FILES_MAX 64

struct verify_options {
    const char *head, *seq, *key;
    const char *checkpoints[CHECKPOINT_FILES_MAX];
    size_t checkpoint_count;
    const char *config_dir;
    bool wants_help;
};

static const struct option long_options[] = {
    { "head", required_argument, NULL, 'H' },
    { "seq", required_argument, NULL, 's' },
    { "checkpoints", required_argument, NULL, 'C' },
    { "key", required_argument, NULL, 'k' },
    { "config", required_argument, NULL, 'c' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_verify_usage(FILE *out)
{
    fputs("usage: postern audit verify [--key FILE [--checkpoints FILE ...]] [--head HASH [--seq N]]\n"
          "                            [--config DIR] [FILE ...]\n\n"
          "Checks that no record was changed, removed or put in, and says up to which one a "
          "checkpoint proves it.  Files\noldest first; \"-\" is standard input; without one, "
          "audit_file of the configuration, with its checkpoint.pub\nand audit_checkpoint_file.\n"
          "  --key FILE          public keys of checkpoints (`postern audit key`), kept elsewhere\n"
          "  --checkpoints FILE  checkpoints that were kept elsewhere: what they name must be there\n"
          "  --head HASH         a head that was printed earlier must be in the chain\n\n"
          "Exit status: 0 whole, 1 broken, 2 usage, 3 a file cannot be read.\n",
          out);
}

static bool add_checkpoint_file(struct verify_options *o, const char *file)
{
    if (o->checkpoint_count == CHECKPOINT_FILES_MAX)
        return false;
    o->checkpoints[o->checkpoint_count++] = file;
    return true;
}

static bool parse_verify_options(int argc, char **argv, struct verify_options *o)
{
    int letter;

    *o = (struct verify_options){ .config_dir = POSTERN_SYSCONFDIR };
    optind = 0;
    while ((letter = getopt_long(argc, argv, "H:s:C:k:c:h", long_options, NULL)) != -1) {
        switch (letter) {
        case 'H':
            o->head = optarg;
            break;
        case 's':
            o->seq = optarg;
            break;
        case 'C':
            if (!add_checkpoint_file(o, optarg))
                return false;
            break;
        case 'k':
            o->key = optarg;
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
    return (o->seq == NULL || o->head != NULL) &&
           (o->key != NULL || o->checkpoint_count == 0 || optind == argc);
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

static void report_proof(const struct audit_check *c)
{
    const struct audit_proof *p = c->proof;
    int64_t since = c->head.seq - p->proved_seq;

    if (p->keys == NULL) {
        if (p->inside_count != 0)
            printf("%" PRIu64 " checkpoints in it, none verified: name their public key with --key\n",
                   p->inside_count);
        return;
    }
    if (p->proved_seq < c->first_seq) {
        puts("no checkpoint proves it: whoever could write the file could write all of it anew");
        return;
    }
    printf("proved from record %" PRId64 " to %" PRId64 " by the checkpoint of %s%s%s", c->first_seq,
           p->proved_seq, p->proved_time, p->proved_host[0] != '\0' ? " at " : "", p->proved_host);
    if (since > 0)
        printf("; the %" PRId64 " since are chained but not signed yet", since);
    putchar('\n');
}

/* What the chain does not show and checkpoints that were kept do. */
static int report_kept(const struct audit_check *c, const struct verify_options *o)
{
    const struct audit_proof *p = c->proof;
    const struct audit_proof_line *cut_off = audit_proof_cut_off(p, &c->head);

    if (p->other_count != 0)
        printf("%" PRIu64 " lines of --checkpoints are none\n", p->other_count);
    if (cut_off != NULL) {
        printf("%s:%" PRIu64 ": at %s there was a record %" PRId64 ", and here the last is %" PRId64
               ": the end was cut off\n",
               o->checkpoints[cut_off->file], cut_off->line, cut_off->time, cut_off->head.seq,
               c->head.seq);
        return AUDIT_BROKEN;
    }
    if (p->missing_count == 0)
        return AUDIT_DONE;
    printf("%" PRIu64 " checkpoints of the chain are missing among those of --checkpoints, the first "
           "is of record %" PRId64 "\n",
           p->missing_count, p->missing_seq);
    return AUDIT_BROKEN;
}

static int report(const struct audit_check *c, const struct verify_options *o)
{
    char head[AUDIT_HASH_DIGITS + 1];
    int kept;

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
    report_proof(c);
    kept = report_kept(c, o);
    if (!c->has_wanted || c->is_wanted_found)
        return kept;
    puts("but the head that was asked for is not in it: records up to that one were changed or "
         "removed");
    return AUDIT_BROKEN;
}

static int fail(const postern_error *err)
{
    fprintf(stderr, "postern audit verify: %s: %s\n", postern_err_text(err->code), err->detail);
    return AUDIT_UNREADABLE;
}

static int verify_files(struct audit_check *c, const struct verify_options *o, char *const *files,
                        size_t count)
{
    postern_error err = { 0 };

    for (size_t i = 0; i < count; i++) {
        if (check_file(c, files[i], &err))
            continue;
        return c->broken.line != 0 ? report_broken(c) : fail(&err);
    }
    return audit_check_finish(c) ? report(c, o) : report_broken(c);
}

/* ---- checkpoints that were kept ---- */

static postern_err keep_lines(struct audit_proof *p, uint32_t index, struct line_reader *r,
                              postern_error *err)
{
    postern_bytes line = POSTERN_BYTES_NONE;

    for (;;)
        switch (line_reader_next(r, &line, err)) {
        case LINE_WHOLE:
            POSTERN_TRY(audit_proof_keep(p, index, r->number, line, err));
            break;
        case LINE_TOO_LONG:
            p->other_count++;
            break;
        case LINE_NO_MORE:
            p->other_count += line_reader_piece(r).len != 0;
            return POSTERN_OK;
        case LINE_FAILED:
            return err->code;
        }
}

static postern_err keep_file(struct audit_proof *p, uint32_t index, const char *file,
                             uint64_t *ret_line, postern_error *err)
{
    struct line_reader r;
    postern_err e;
    int fd = -1;

    POSTERN_TRY(audit_file_open(file, &fd, err));
    e = line_reader_start(&r, fd, err);
    if (e == POSTERN_OK)
        e = keep_lines(p, index, &r, err);
    *ret_line = r.number;
    line_reader_end(&r);
    (void)close(fd);
    return e;
}

/* AUDIT_DONE: all are there and well signed. */
static int keep_files(struct audit_proof *p, const struct verify_options *o)
{
    postern_error err = { 0 };

    for (size_t i = 0; i < o->checkpoint_count; i++) {
        uint64_t line = 0;
        postern_err e = keep_file(p, (uint32_t)i, o->checkpoints[i], &line, &err);

        if (e == POSTERN_ERR_BAD_SIGNATURE) {
            printf("%s:%" PRIu64 ": %s\n", o->checkpoints[i], line, p->what);
            return AUDIT_BROKEN;
        }
        if (e != POSTERN_OK)
            return fail(&err);
    }
    audit_proof_begin(p);
    return AUDIT_DONE;
}

static int verify_with_key(struct audit_check *c, const struct verify_options *o,
                           const char *key_file, char *const *files, size_t count)
{
    struct audit_keys *keys = NULL;
    postern_error err = { 0 };
    int status;

    if (key_file != NULL && audit_public_keys_read(key_file, &keys, &err) != POSTERN_OK)
        return fail(&err);
    c->proof->keys = keys;
    status = keep_files(c->proof, o);
    if (status == AUDIT_DONE)
        status = verify_files(c, o, files, count);
    audit_keys_free(keys);
    return status;
}

/* ---- the configured ones ---- */

/* What posternd has not made yet proves nothing, and is no fault. */
static const char *if_there(const char *path)
{
    return path != NULL && access(path, F_OK) == 0 ? path : NULL;
}

static int verify_configured(struct audit_check *c, struct verify_options *o)
{
    POSTERN_AUTO(config) config = NULL;
    const char *path = NULL, *kept;
    char *key = NULL;
    postern_error err = { 0 };
    int status;

    if (audit_file_path(NULL, o->config_dir, "FILE", &config, &path, &err) != POSTERN_OK ||
        audit_key_path(o->key, o->config_dir, "checkpoint.pub", &key, &err) != POSTERN_OK) {
        free(key);
        (void)cli_fail("audit verify", &err);
        return AUDIT_UNREADABLE;
    }
    kept = if_there(postern_section_text(
        postern_config_section(config, POSTERN_SECTION_DAEMON, NULL), "audit_checkpoint_file"));
    if (o->checkpoint_count == 0 && kept != NULL && if_there(key) != NULL)
        (void)add_checkpoint_file(o, kept); /* it is the first */
    status = verify_with_key(c, o, o->key != NULL || o->checkpoint_count != 0 ? key : if_there(key),
                             (char *[]){ (char *)(uintptr_t)path }, 1);
    free(key);
    return status;
}

int audit_verify(int argc, char **argv)
{
    struct audit_proof proof = { 0 };
    struct audit_check check = { .proof = &proof };
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
    status = optind < argc ? verify_with_key(&check, &o, o.key, argv + optind, (size_t)(argc - optind))
                           : verify_configured(&check, &o);
    audit_check_free(&check);
    audit_proof_free(&proof);
    return fflush(stdout) == 0 ? status : AUDIT_UNREADABLE;
}
