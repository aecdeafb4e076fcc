/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern audit digest`: was it this command?  Makes the digest that stands in a record, for
 * whoever may read the key. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern-private/args_digest.h>

#include "audit.h"
#include "audit_keys.h"
#include "cli.h"

#define JSON_ARGS_MAX (1u << 20) /* bytes of standard input: as much as a door judges whole */

struct digest_options {
    const char *config_dir, *key_file, *json_args, *database;
    bool wants_help;
};

static const struct option long_options[] = {
    { "key", required_argument, NULL, 'k' },
    { "json-args", required_argument, NULL, 'j' },
    { "database", required_argument, NULL, 'd' },
    { "config", required_argument, NULL, 'c' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_digest_usage(FILE *out)
{
    fputs("usage: postern audit digest [--key FILE] [--config DIR] [--database NUMBER] ACTION [ARG ...]\n"
          "       postern audit digest [--key FILE] [--config DIR] --json-args JSON ACTION\n\n"
          "Prints the digest that a record of this action with these arguments holds as args_digest, "
          "to compare.\nACTION: as in the record.  NUMBER: of the Redis database that a SELECT chose; 0 "
          "without one.\nJSON: params of an MCP call byte for byte as they were sent; \"-\" is standard "
          "input.\nFILE: the key; without one, args.key in audit_key_dir of the configuration.\n",
          out);
}

/* As doors write it: no other text names the database.  0 is the one that has no name. */
static bool take_database(const char *text, struct digest_options *o)
{
    size_t len = strlen(text);

    if (len == 0 || strspn(text, "0123456789") != len || (text[0] == '0' && len != 1))
        return false;
    o->database = text[0] == '0' ? NULL : text;
    return true;
}

static bool parse_digest_options(int argc, char **argv, struct digest_options *o)
{
    int letter;

    *o = (struct digest_options){ .config_dir = POSTERN_SYSCONFDIR };
    optind = 0;
    while ((letter = getopt_long(argc, argv, "+k:j:d:c:h", long_options, NULL)) != -1) {
        switch (letter) {
        case 'k':
            o->key_file = optarg;
            break;
        case 'j':
            o->json_args = optarg;
            break;
        case 'd':
            if (!take_database(optarg, o))
                return false;
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
    return optind < argc &&
           (o->json_args == NULL || (optind + 1 == argc && o->database == NULL));
}

static postern_err read_key(const struct digest_options *o, struct args_digest_key *ret,
                            postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(4096); /* of whatever was named */
    char *path = NULL;
    postern_err e = audit_key_path(o->key_file, o->config_dir, "args.key", &path, err);

    if (e == POSTERN_OK)
        e = audit_key_file_read(path, &text, err);
    if (e == POSTERN_OK && text.len != ARGS_DIGEST_KEY_LEN)
        e = POSTERN_FAIL(err, CONFIG_FILE, "%s: a key has %d bytes", path, ARGS_DIGEST_KEY_LEN);
    if (e == POSTERN_OK)
        memcpy(ret->bytes, text.ptr, ARGS_DIGEST_KEY_LEN);
    free(path);
    return e;
}

static postern_err print_digest(const struct digest_options *o, const struct args_digest_key *key,
                                const char *action, const postern_bytes *pieces, size_t count,
                                postern_error *err)
{
    char digest[ARGS_DIGEST_MAX];

    if (!args_digest_make(key, action, o->database, pieces, count, digest))
        return POSTERN_FAIL(err, SYSTEM, "HMAC-SHA-256");
    return puts(digest) == EOF || fflush(stdout) != 0 ? POSTERN_FAIL(err, SYSTEM, "%m") : POSTERN_OK;
}

static postern_err digest_json(const struct digest_options *o, const struct args_digest_key *key,
                               const char *action, postern_error *err)
{
    POSTERN_AUTO(secret) input = NULL;
    postern_bytes piece = postern_bytes_str(o->json_args);

    if (strcmp(o->json_args, "-") == 0) {
        POSTERN_TRY(cli_read_stdin_exact(JSON_ARGS_MAX, &input, err));
        piece = postern_secret_bytes(input);
    }
    return print_digest(o, key, action, &piece, 1, err);
}

static postern_err digest_words(const struct digest_options *o, const struct args_digest_key *key,
                                const char *action, char *const *words, size_t count,
                                postern_error *err)
{
    postern_bytes *pieces = calloc(count + 1, sizeof *pieces);
    postern_err e;

    if (pieces == NULL)
        return POSTERN_FAIL(err, NOMEM, "arguments");
    for (size_t i = 0; i < count; i++)
        pieces[i] = postern_bytes_str(words[i]);
    e = print_digest(o, key, action, pieces, count, err);
    free(pieces);
    return e;
}

int audit_digest(int argc, char **argv)
{
    struct args_digest_key key;
    struct digest_options o;
    postern_error err = { 0 };
    postern_err e;

    if (!parse_digest_options(argc, argv, &o)) {
        print_digest_usage(stderr);
        return AUDIT_USAGE;
    }
    if (o.wants_help) {
        print_digest_usage(stdout);
        return AUDIT_DONE;
    }
    e = read_key(&o, &key, &err);
    if (e == POSTERN_OK)
        e = o.json_args != NULL ? digest_json(&o, &key, argv[optind], &err) :
                                  digest_words(&o, &key, argv[optind], argv + optind + 1,
                                               (size_t)(argc - optind - 1), &err);
    postern_wipe(&key, sizeof key);
    if (e == POSTERN_OK)
        return AUDIT_DONE;
    fprintf(stderr, "postern audit digest: %s: %s\n", postern_err_text(err.code), err.detail);
    return AUDIT_UNREADABLE;
}
