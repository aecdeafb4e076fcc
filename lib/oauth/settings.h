/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of a postern_config: the rows of config_keys.def and the values that files gave them.
 * For lib/oauth/config*.c alone; everybody else asks through <postern/config.h>.
 */
#ifndef POSTERN_LIB_SETTINGS_H
#define POSTERN_LIB_SETTINGS_H

#include <postern/config.h>

#include "base/arena.h"

/* 4096 files of a few KiB each: beyond that a folder is not a configuration but a mistake. */
#define POSTERN_CONFIG_MEMORY_MAX ((size_t)32 << 20)
#define POSTERN_CONFIG_FILES_MAX  1024 /* files of one folder: start-up stays below a second */
/* Bytes of a service's or issuer's name: it stands in every log line. */
#define POSTERN_CONFIG_NAME_MAX 64

enum config_type {
    CONFIG_TEXT,
    CONFIG_URL,
    CONFIG_PATH,
    CONFIG_LIST,
    CONFIG_FLAG,
    CONFIG_DURATION,
    CONFIG_COUNT
};

struct config_key {
    const char *name;
    const char *sections; /* letters of the kinds that have it */
    enum config_type type;
    const char *default_text; /* ask postern_config_key_default() */
    int64_t lowest, highest;
    const char *choices; /* blank-separated, NULL: any */
    const char *meaning;
};

enum {
    CONFIG_KEY_COUNT = 0
#define POSTERN_KEY(name, sections, type, default_text, lowest, highest, choices, meaning) +1
#include "config_keys.def"
#undef POSTERN_KEY
};

struct config_value {
    const char *text;   /* as a file would say it; paths absolute; NULL: unset */
    const char **items; /* LIST: its words */
    size_t count;
    int64_t number; /* COUNT, DURATION (seconds; 0: one of its choices), FLAG (0 or 1) */
    int line;       /* of the file; 0: the built-in default */
    int column;
    const char
        *origin;    /* "services/imap.conf:3" or "default"; a preset's begins "provider NAME, " */
    bool is_preset; /* from `provider:`, of which line and column are */
};

struct postern_section {
    postern_section_kind kind;
    const char *name; /* "imap"; "" where there is one of a kind */
    const char *file; /* "services/imap.conf", as errors say it */
    struct postern_section *next;
    struct config_value values[CONFIG_KEY_COUNT];
};

#define CONFIG_KINDS (POSTERN_SECTION_CLIENT + 1)

struct postern_config {
    postern_arena arena;
    const char *dir;     /* absolute; relative paths start here; NULL: no files */
    bool is_token_check; /* postern_config_new_token_check(): no mapping, no policy */
    postern_section *first[CONFIG_KINDS]; /* in order of file names */
    postern_section **tail[CONFIG_KINDS];
    struct config_map *maps; /* config_maps.c */
};

/* config_keys.c */
extern const struct config_key postern_config_keys[CONFIG_KEY_COUNT];
/* The row for this kind of section; a row of that name for another kind when there is none; -1: no
 * such key. */
int postern_config_key_index(const char *name, postern_section_kind kind);
bool postern_config_key_is_for(int key, postern_section_kind kind);
bool postern_config_key_is_required(int key);
const char *postern_config_key_default(int key); /* as a file would say it; NULL: unset */
const char *postern_config_kind_pattern(postern_section_kind kind); /* "services/NAME.conf" */
/* The nearest key of this kind by edit distance; NULL when nothing is near enough to be a slip. */
const char *postern_config_key_nearest(const char *name, postern_section_kind kind);

/* config_value.c: parse `text` by the key's type into s->values[key].  CONFIG_VALUE · NOMEM */
POSTERN_MUST_USE postern_err postern_config_value_set(postern_config *c, postern_section *s,
                                                      int key, const char *text, int line,
                                                      int column, postern_error *err);
/* Record CONFIG_VALUE as "file:line:column: key: why". */
postern_err postern_config_value_fail(const postern_section *s, const char *key, postern_error *err,
                                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
const struct config_value *postern_section_value(const postern_section *s, const char *key);

/* How many issuers a service or door trusts: 1 or more in a configuration that was loaded. */
size_t postern_config_issuer_count(const postern_section *service);
/* The ith of them; never NULL for a configuration that was loaded. */
const postern_section *postern_config_issuer_of(const postern_config *c,
                                                const postern_section *service, size_t i);

/* config_load.c */
/* "services/imap.conf" to kind and name; false: no file of a configuration folder is called so. */
bool postern_config_kind_of_file(const char *file, postern_section_kind *ret_kind,
                                 char ret_name[POSTERN_CONFIG_NAME_MAX]);
POSTERN_MUST_USE postern_err postern_config_new(postern_config **ret, postern_error *err);
/* A section with nothing but defaults, appended to c. */
POSTERN_MUST_USE postern_err postern_config_add_section(postern_config *c,
                                                        postern_section_kind kind, const char *name,
                                                        const char *file, postern_section **ret,
                                                        postern_error *err);

/* config_provider.c: `provider:` into the keys that its file does not set.  NOMEM */
POSTERN_MUST_USE postern_err postern_config_apply_provider(postern_config *c, postern_section *s,
                                                           postern_error *err);

/* A file's text into its section, judged.  CONFIG_* · LIMIT · NOMEM */
POSTERN_MUST_USE postern_err postern_config_read_text(postern_config *c, postern_section *s,
                                                      postern_bytes text, postern_error *err);

/* Who may write in a folder that decides who gets in.  CONFIG_FILE */
POSTERN_MUST_USE postern_err postern_config_check_folder(const char *path, const char *shown,
                                                         postern_error *err);

/* config_maps.c: the files of username_map_file:. */
struct username_map;
/* Which one counts for a service's tokens of that issuer; NULL: none is set. */
const char *postern_config_map_path(const postern_section *service, const postern_section *issuer);
/* NULL: that one was not read. */
const struct username_map *postern_config_map(const postern_config *c, const char *path);
/* Read each that a service or door names.  CONFIG_FILE · CONFIG_SYNTAX · NOMEM */
POSTERN_MUST_USE postern_err postern_config_load_maps(postern_config *c, postern_error *err);
void postern_config_free_maps(postern_config *c);
bool postern_config_has_maps(const postern_config *c);
void postern_config_dump_maps(const postern_config *c, postern_buf *out);
POSTERN_MUST_USE postern_err postern_config_read_dumped_map(postern_config *c, const char *path,
                                                            postern_bytes body, postern_error *err);
/* Each that is named is there, and no other.  CONFIG_SYNTAX */
POSTERN_MUST_USE postern_err postern_config_check_dumped_maps(const postern_config *c,
                                                              postern_error *err);

/* config_check.c: what can only be judged when a section, or all of them, are read.  CONFIG_* */
POSTERN_MUST_USE postern_err postern_config_check_section(const postern_section *s,
                                                          postern_error *err);
POSTERN_MUST_USE postern_err postern_config_check_all(const postern_config *c, postern_error *err);

/* NULL when `word` may be a unix socket's path, else the end of a sentence that begins with it. */
const char *postern_socket_fault(const char *word);

/*
 * config_trusts.c: no two issuers of one service can name the same local user.  Maps must have been
 * read.  CONFIG_CONFLICT · CONFIG_VALUE · NOMEM
 */
POSTERN_MUST_USE postern_err postern_config_check_trusts(const postern_config *c,
                                                         postern_error *err);

/* What a service's users of that issuer may be called by: username_chars of both.  CONFIG_VALUE */
struct username_chars;
POSTERN_MUST_USE postern_err postern_config_username_chars(const postern_section *service,
                                                           const postern_section *issuer,
                                                           struct username_chars *ret,
                                                           postern_error *err);

/* config_doors.c, for config_check.c */
const char *postern_door_listen_fault(const char *word);
const char *postern_door_backend_fault(const char *word);
POSTERN_MUST_USE postern_err postern_config_check_door(const postern_section *s,
                                                       postern_error *err);
/* client.conf, clients/NAME.conf: what is said of doors there. */
POSTERN_MUST_USE postern_err postern_config_check_door_agent(const postern_section *s,
                                                             postern_error *err);
/* What a door says about the issuers that it trusts. */
POSTERN_MUST_USE postern_err postern_config_check_door_issuers(const postern_config *c,
                                                               const postern_section *s,
                                                               postern_error *err);
/* No two listeners of doors at one address. */
POSTERN_MUST_USE postern_err postern_config_check_listens(const postern_config *c,
                                                          postern_error *err);

#endif
