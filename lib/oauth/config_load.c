/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files into sections: which files a folder holds, whose they are, and each line into its value.
 * Syntax is base/keyfile.c's business, meaning config_value.c's and config_check.c's.
 */
#include "settings.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/keyfile.h"
#include "trusted_file.h"

static inline void free_keyfile(postern_keyfile **f)
{
    postern_keyfile_free(*f);
}

static inline void free_text(char **text)
{
    free(*text);
}

/* One folder's file names, sorted by byte value so that every machine reads them in one order. */
struct names {
    struct dirent **entries;
    int count;
};

static void free_names(struct names *n)
{
    for (int i = 0; i < n->count; i++)
        free(n->entries[i]);
    free(n->entries);
}

postern_err postern_config_new(postern_config **ret, postern_error *err)
{
    postern_config *c = calloc(1, sizeof *c);

    if (c == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    c->arena = POSTERN_ARENA_INIT(POSTERN_CONFIG_MEMORY_MAX);
    for (int kind = 0; kind < CONFIG_KINDS; kind++)
        c->tail[kind] = &c->first[kind];
    *ret = c;
    return POSTERN_OK;
}

static postern_err set_defaults(postern_config *c, postern_section *s, postern_error *err)
{
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        const char *text = postern_config_key_default(key);

        if (postern_config_key_is_for(key, s->kind) && text != NULL)
            POSTERN_TRY(postern_config_value_set(c, s, key, text, 0, 0, err));
    }
    return POSTERN_OK;
}

postern_err postern_config_add_section(postern_config *c, postern_section_kind kind,
                                       const char *name, const char *file, postern_section **ret,
                                       postern_error *err)
{
    postern_section *s = postern_arena_alloc(&c->arena, sizeof *s);

    if (s == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    s->kind = kind;
    s->name = postern_arena_text(&c->arena, postern_bytes_str(name));
    s->file = postern_arena_text(&c->arena, postern_bytes_str(file));
    if (s->name == NULL || s->file == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    POSTERN_TRY(set_defaults(c, s, err));
    *c->tail[kind] = s;
    c->tail[kind] = &s->next;
    *ret = s;
    return POSTERN_OK;
}

/* "doors/NAME.conf or issuer.conf": where a known key that stands in the wrong kind of file
 * belongs; empty when no file has it. */
static void find_right_files(const char *key, char *ret, size_t ret_size)
{
    size_t used = 0;

    ret[0] = '\0';
    for (int kind = POSTERN_SECTION_DAEMON; kind < CONFIG_KINDS; kind++) {
        int index = postern_config_key_index(key, (postern_section_kind)kind), n;

        if (index < 0 || !postern_config_key_is_for(index, (postern_section_kind)kind))
            continue;
        n = snprintf(ret + used, ret_size - used, "%s%s", used == 0 ? "" : " or ",
                     postern_config_kind_pattern((postern_section_kind)kind));
        if (n > 0 && (size_t)n < ret_size - used)
            used += (size_t)n;
    }
}

static postern_err fail_unknown_key(const postern_section *s, const postern_keyfile_entry *e,
                                    postern_error *err)
{
    char right_files[128];
    const char *nearest = postern_config_key_nearest(e->key, s->kind);

    find_right_files(e->key, right_files, sizeof right_files);
    if (right_files[0] != '\0')
        return POSTERN_FAIL(err, CONFIG_KEY, "%s:%d:1: key \"%s\" belongs in %s, not here", s->file,
                            e->line, e->key, right_files);
    if (nearest != NULL)
        return POSTERN_FAIL(err, CONFIG_KEY, "%s:%d:1: unknown key \"%s\"; did you mean \"%s\"?",
                            s->file, e->line, e->key, nearest);
    return POSTERN_FAIL(err, CONFIG_KEY,
                        "%s:%d:1: unknown key \"%s\"; postern.conf(5) lists the keys", s->file,
                        e->line, e->key);
}

static postern_err read_entries(postern_config *c, postern_section *s, const postern_keyfile *f,
                                postern_error *err)
{
    for (size_t i = 0; i < postern_keyfile_count(f); i++) {
        const postern_keyfile_entry *e = postern_keyfile_at(f, i);
        int key = postern_config_key_index(e->key, s->kind);

        if (key < 0 || !postern_config_key_is_for(key, s->kind))
            return fail_unknown_key(s, e, err);
        POSTERN_TRY(postern_config_value_set(c, s, key, e->value, e->line, e->column, err));
    }
    return POSTERN_OK;
}

postern_err postern_config_read_text(postern_config *c, postern_section *s, postern_bytes text,
                                     postern_error *err)
{
    __attribute__((cleanup(free_keyfile))) postern_keyfile *f = NULL;

    POSTERN_TRY(postern_keyfile_parse(s->file, text, &f, err));
    POSTERN_TRY(read_entries(c, s, f, err));
    POSTERN_TRY(postern_config_apply_provider(c, s, err));
    return postern_config_check_section(s, err);
}

/* `path` is opened; `s->file` stands in errors. */
static postern_err read_section(postern_config *c, postern_section *s, const char *path,
                                postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_KEYFILE_MAX);

    POSTERN_TRY(postern_trusted_file_read(path, s->file, FILE_OF_ROOT_OR_SELF, &text, NULL, err));
    return postern_config_read_text(c, s, postern_buf_bytes(&text), err);
}

static const char *join_path(postern_config *c, const char *file, postern_error *err)
{
    POSTERN_AUTO_BUF path = POSTERN_BUF_INIT(PATH_MAX);
    const char *joined;

    postern_buf_addf(&path, "%s/%s", c->dir, file);
    joined = path.failed ? NULL : postern_arena_text(&c->arena, postern_buf_bytes(&path));
    if (joined == NULL)
        (void)POSTERN_FAIL(err, NOMEM, "configuration"); /* the caller sees NULL */
    return joined;
}

static postern_err load_file(postern_config *c, postern_section_kind kind, const char *name,
                             const char *file, postern_error *err)
{
    postern_section *s;
    const char *path = join_path(c, file, err);

    if (path == NULL)
        return POSTERN_ERR_NOMEM;
    POSTERN_TRY(postern_config_add_section(c, kind, name, file, &s, err));
    return read_section(c, s, path, err);
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ||
           errno != ENOENT; /* not readable is there: reading it will say why */
}

/* Who may add a file here decides who gets in; a read-only mount (Kubernetes) nobody can write. */
postern_err postern_config_check_folder(const char *path, const char *shown, postern_error *err)
{
    struct statvfs mount;
    struct stat st;

    if (stat(path, &st) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", shown);
    if (!S_ISDIR(st.st_mode))
        return POSTERN_FAIL(err, CONFIG_FILE, "%s is not a folder", shown);
    if (statvfs(path, &mount) == 0 && (mount.f_flag & ST_RDONLY) != 0)
        return POSTERN_OK;
    return postern_trusted_file_check(&st, shown, err);
}

#define FILE_SUFFIX ".conf"

static bool is_config_file(const char *name)
{
    size_t len = strlen(name), suffix = sizeof FILE_SUFFIX - 1;

    return name[0] != '.' && len > suffix && strcmp(name + len - suffix, FILE_SUFFIX) == 0;
}

static int is_config_entry(const struct dirent *entry)
{
    return is_config_file(entry->d_name);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static const struct {
    const char *file; /* "postern.conf", or the folder of many */
    postern_section_kind kind;
    bool is_folder;
} places[] = {
    { "postern.conf", POSTERN_SECTION_DAEMON, false }, { "issuers/", POSTERN_SECTION_ISSUER, true },
    { "services/", POSTERN_SECTION_SERVICE, true },    { "doors/", POSTERN_SECTION_DOOR, true },
    { "issuer.conf", POSTERN_SECTION_SERVER, false },  { "clients/", POSTERN_SECTION_CLIENT, true },
};

/* The file's name without ".conf", which is the service's or issuer's name everywhere. */
static postern_err take_name(const char *folder, const char *file, char *ret, postern_error *err)
{
    size_t len = strlen(file) - (sizeof FILE_SUFFIX - 1);
    char quoted[300];

    if (len >= POSTERN_CONFIG_NAME_MAX ||
        strspn(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
            strlen(file))
        return POSTERN_FAIL(
            err, CONFIG_FILE,
            "%s/%s: a name has at most %d letters, digits, dots, underscores or hyphens", folder,
            postern_error_quote(file, strlen(file), quoted, sizeof quoted),
            POSTERN_CONFIG_NAME_MAX - 1);
    memcpy(ret, file, len);
    ret[len] = '\0';
    return POSTERN_OK;
}

bool postern_config_kind_of_file(const char *file, postern_section_kind *ret_kind,
                                 char ret_name[POSTERN_CONFIG_NAME_MAX])
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        size_t len = strlen(places[i].file);

        *ret_kind = places[i].kind;
        ret_name[0] = '\0';
        if (!places[i].is_folder && strcmp(file, places[i].file) == 0)
            return true;
        if (places[i].is_folder && strncmp(file, places[i].file, len) == 0)
            return is_config_file(file + len) &&
                   take_name(places[i].file, file + len, ret_name, NULL) == POSTERN_OK;
    }
    return false;
}

static postern_err load_named(postern_config *c, postern_section_kind kind, const char *folder,
                              const char *file_name, postern_error *err)
{
    POSTERN_AUTO_BUF file = POSTERN_BUF_INIT(PATH_MAX);
    char name[POSTERN_CONFIG_NAME_MAX];

    POSTERN_TRY(take_name(folder, file_name, name, err));
    postern_buf_addf(&file, "%s/%s", folder, file_name);
    if (postern_buf_cstr(&file) == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    return load_file(c, kind, name, postern_buf_cstr(&file), err);
}

static postern_err load_folder(postern_config *c, postern_section_kind kind, const char *folder,
                               postern_error *err)
{
    __attribute__((cleanup(free_names))) struct names n = { NULL, 0 };
    const char *path = join_path(c, folder, err);

    if (path == NULL)
        return POSTERN_ERR_NOMEM;
    if (!is_there(path))
        return POSTERN_OK;
    POSTERN_TRY(postern_config_check_folder(path, folder, err));
    n.count = scandir(path, &n.entries, is_config_entry, compare_names);
    if (n.count < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", folder);
    if (n.count > POSTERN_CONFIG_FILES_MAX)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s holds more than %d files", folder,
                            POSTERN_CONFIG_FILES_MAX);
    for (int i = 0; i < n.count; i++)
        POSTERN_TRY(load_named(c, kind, folder, n.entries[i]->d_name, err));
    return POSTERN_OK;
}

/* A file of which there is one, or none. */
static postern_err load_single(postern_config *c, postern_section_kind kind, const char *file,
                               postern_error *err)
{
    const char *path = join_path(c, file, err);

    if (path == NULL)
        return POSTERN_ERR_NOMEM;
    return is_there(path) ? load_file(c, kind, "", file, err) : POSTERN_OK;
}

/* Make c->dir absolute: posternd changes its folder, and paths in files start here. */
static postern_err set_folder(postern_config *c, const char *dir, postern_error *err)
{
    __attribute__((cleanup(free_text))) char *real = realpath(dir, NULL);

    if (real == NULL)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", dir);
    c->dir = postern_arena_text(&c->arena, postern_bytes_str(real));
    return c->dir != NULL ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "configuration");
}

static postern_err load_clients_of(postern_config *c, const postern_section *s, postern_error *err)
{
    POSTERN_AUTO_BUF file = POSTERN_BUF_INIT(PATH_MAX);

    for (; s != NULL; s = s->next) {
        const char *name = postern_section_text(s, "client");

        if (name == NULL || postern_config_section(c, POSTERN_SECTION_CLIENT, name) != NULL)
            continue;
        postern_buf_reset(&file);
        postern_buf_addf(&file, "%s" FILE_SUFFIX, name);
        if (postern_buf_cstr(&file) == NULL)
            return POSTERN_FAIL(err, NOMEM, "configuration");
        POSTERN_TRY(load_named(c, POSTERN_SECTION_CLIENT, "clients", postern_buf_cstr(&file), err));
    }
    return POSTERN_OK;
}

/* Those of agents on this machine are theirs: only the ones that a door or an issuer file names are
 * read. */
static postern_err load_clients(postern_config *c, postern_error *err)
{
    POSTERN_TRY(load_clients_of(c, c->first[POSTERN_SECTION_DOOR], err));
    return load_clients_of(c, c->first[POSTERN_SECTION_ISSUER], err);
}

postern_err postern_config_load(const char *dir, postern_config **ret, postern_error *err)
{
    POSTERN_AUTO(config) c = NULL;
    postern_section *daemon;

    POSTERN_TRY(postern_config_new(&c, err));
    POSTERN_TRY(set_folder(c, dir, err));
    POSTERN_TRY(postern_config_check_folder(c->dir, c->dir, err));
    POSTERN_TRY(load_single(c, POSTERN_SECTION_DAEMON, "postern.conf", err));
    if (c->first[POSTERN_SECTION_DAEMON] == NULL)
        POSTERN_TRY(postern_config_add_section(c, POSTERN_SECTION_DAEMON, "", "postern.conf",
                                               &daemon, err));
    POSTERN_TRY(load_folder(c, POSTERN_SECTION_ISSUER, "issuers", err));
    POSTERN_TRY(load_folder(c, POSTERN_SECTION_SERVICE, "services", err));
    POSTERN_TRY(load_folder(c, POSTERN_SECTION_DOOR, "doors", err));
    POSTERN_TRY(load_clients(c, err));
    POSTERN_TRY(load_single(c, POSTERN_SECTION_SERVER, "issuer.conf", err));
    POSTERN_TRY(postern_config_check_all(c, err));
    POSTERN_TRY(postern_config_load_maps(c, err));
    POSTERN_TRY(postern_config_check_trusts(c, err));
    *ret = POSTERN_STEAL(c);
    return POSTERN_OK;
}

/* The folder that `file` stands in, so that its relative paths start there. */
static postern_err set_folder_of(postern_config *c, const char *file, postern_error *err)
{
    const char *slash = strrchr(file, '/');
    POSTERN_AUTO_BUF folder = POSTERN_BUF_INIT(PATH_MAX);

    if (slash == NULL)
        return set_folder(c, ".", err);
    if (strlen(file) >= PATH_MAX)
        return POSTERN_FAIL(err, CONFIG_FILE, "the path of a client file is too long");
    postern_buf_add(&folder, (postern_bytes){ (const uint8_t *)file, (size_t)(slash - file) + 1 });
    if (postern_buf_cstr(&folder) == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    return set_folder(c, postern_buf_cstr(&folder), err);
}

postern_err postern_config_load_client(const char *file, postern_config **ret, postern_error *err)
{
    POSTERN_AUTO(config) c = NULL;
    postern_section *s;

    POSTERN_TRY(postern_config_new(&c, err));
    POSTERN_TRY(set_folder_of(c, file, err));
    POSTERN_TRY(postern_config_add_section(c, POSTERN_SECTION_CLIENT, "", file, &s, err));
    POSTERN_TRY(read_section(c, s, file, err));
    *ret = POSTERN_STEAL(c);
    return POSTERN_OK;
}

postern_err postern_config_read_policy(const postern_config *c, const char *name, postern_buf *out,
                                       postern_error *err)
{
    POSTERN_AUTO_BUF path = POSTERN_BUF_INIT(PATH_MAX);
    POSTERN_AUTO_BUF shown = POSTERN_BUF_INIT(PATH_MAX);

    if (c->dir == NULL || strchr(name, '/') != NULL)
        return POSTERN_FAIL(err, USAGE, "a policy is a name in a configuration folder");
    postern_buf_addf(&shown, "policies/%s.rules", name);
    postern_buf_addf(&path, "%s/policies", c->dir);
    if (postern_buf_cstr(&path) == NULL || postern_buf_cstr(&shown) == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    if (is_there(postern_buf_cstr(&path)))
        POSTERN_TRY(postern_config_check_folder(postern_buf_cstr(&path), "policies", err));
    postern_buf_addf(&path, "/%s.rules", name);
    if (postern_buf_cstr(&path) == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    return postern_trusted_file_read(postern_buf_cstr(&path), postern_buf_cstr(&shown),
                                     FILE_OF_ROOT_OR_SELF, out, NULL, err);
}
