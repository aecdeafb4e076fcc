/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern audit key`: the public key by which checkpoints are verified; and the files of keys. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postern/config.h>

#include "audit.h"
#include "audit_keys.h"

static postern_err read_all(int fd, postern_buf *out, postern_error *err)
{
    uint8_t room[4096];
    ssize_t n;

    do {
        n = read(fd, room, sizeof room);
        if (n > 0)
            postern_buf_add(out, (postern_bytes){ room, (size_t)n });
    } while (n > 0 || (n < 0 && errno == EINTR));
    postern_wipe(room, sizeof room);
    if (n < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%m");
    return out->failed ? POSTERN_FAIL(err, LIMIT, "more than %zu bytes", out->max) : POSTERN_OK;
}

postern_err audit_key_file_read(const char *path, postern_buf *out, postern_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    postern_error why = { 0 };
    postern_err e;

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
    e = read_all(fd, out, &why);
    (void)close(fd);
    return e == POSTERN_OK ? POSTERN_OK :
                             POSTERN_FAIL(err, CONFIG_FILE, "%s: %s", path, why.detail);
}

postern_err audit_key_path(const char *named, const char *config_dir, const char *file,
                           char **ret_path, postern_error *err)
{
    POSTERN_AUTO(config) config = NULL;
    const char *dir;
    int len;

    if (named == NULL)
        POSTERN_TRY(postern_config_load(config_dir, &config, err));
    dir = named != NULL ? NULL :
                          postern_section_text(
                              postern_config_section(config, POSTERN_SECTION_DAEMON, NULL),
                              "audit_key_dir");
    len = named != NULL ? asprintf(ret_path, "%s", named) : asprintf(ret_path, "%s/%s", dir, file);
    if (len < 0)
        return POSTERN_FAIL(err, NOMEM, "path of a key");
    return POSTERN_OK;
}

postern_err audit_public_keys_read(const char *path, struct audit_keys **ret, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(AUDIT_KEYS_TEXT_MAX);
    postern_error why = { 0 };

    POSTERN_TRY(audit_key_file_read(path, &text, err));
    if (audit_keys_read(postern_buf_bytes(&text), ret, &why) == POSTERN_OK)
        return POSTERN_OK;
    return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s", path, why.detail);
}

/* ---- the command ---- */

struct key_options {
    const char *config_dir, *file;
    bool wants_help;
};

static const struct option long_options[] = {
    { "config", required_argument, NULL, 'c' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_key_usage(FILE *out)
{
    fputs("usage: postern audit key [--config DIR] [FILE]\n\n"
          "Prints the public key of the audit log's checkpoints, with the name by which they call it; "
          "keep it where\nthis machine cannot write, for `postern audit verify --key`.  FILE: of "
          "public keys in PEM; without one,\ncheckpoint.pub in audit_key_dir of the configuration.\n",
          out);
}

static bool parse_key_options(int argc, char **argv, struct key_options *o)
{
    int letter;

    *o = (struct key_options){ .config_dir = POSTERN_SYSCONFDIR };
    optind = 0;
    while ((letter = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        if (letter == 'h') {
            o->wants_help = true;
            return true;
        }
        if (letter != 'c')
            return false;
        o->config_dir = optarg;
    }
    o->file = optind < argc ? argv[optind++] : NULL;
    return optind == argc;
}

/* What stands around the keys (who made them, when) is the file's, and is not repeated. */
static postern_err print_keys(const char *path, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(AUDIT_KEYS_TEXT_MAX);
    struct audit_keys *keys = NULL;
    const char *at, *end;

    POSTERN_TRY(audit_public_keys_read(path, &keys, err));
    for (size_t i = 0; i < audit_keys_count(keys); i++)
        printf("# key %s\n", audit_keys_id(keys, i));
    audit_keys_free(keys);
    POSTERN_TRY(audit_key_file_read(path, &text, err));
    for (at = postern_buf_cstr(&text); at != NULL && (at = strstr(at, "-----BEGIN PUBLIC")) != NULL;
         at = end) {
        end = strstr(at + 1, "-----END PUBLIC KEY-----");
        if (end == NULL)
            break;
        end += strlen("-----END PUBLIC KEY-----");
        printf("%.*s\n", (int)(end - at), at);
    }
    return POSTERN_OK;
}

int audit_key(int argc, char **argv)
{
    struct key_options o;
    postern_error err = { 0 };
    char *path = NULL;
    postern_err e;

    if (!parse_key_options(argc, argv, &o)) {
        print_key_usage(stderr);
        return AUDIT_USAGE;
    }
    if (o.wants_help) {
        print_key_usage(stdout);
        return AUDIT_DONE;
    }
    e = audit_key_path(o.file, o.config_dir, "checkpoint.pub", &path, &err);
    if (e == POSTERN_OK)
        e = print_keys(path, &err);
    free(path);
    if (e == POSTERN_OK && fflush(stdout) == 0)
        return AUDIT_DONE;
    fprintf(stderr, "postern audit key: %s: %s\n", postern_err_text(err.code), err.detail);
    return AUDIT_UNREADABLE;
}
