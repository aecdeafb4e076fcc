/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of doors, judged and put into messages (spawn_set.h). */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern-private/exec_words.h>

#include "folder.h"
#include "spawn_set.h"
#include "users.h"

#define LINKS_MAX 40 /* as path_resolution(7) */
#define MIB (INT64_C(1) << 20)

bool spawn_set_is_program(const postern_section *door)
{
    return strncmp(postern_section_text(door, "backend"), POSTERN_EXEC_PREFIX,
                   sizeof POSTERN_EXEC_PREFIX - 1) == 0;
}

bool spawn_set_is_wanted(const postern_config *c)
{
    const postern_section *door;

    for (size_t i = 0; (door = postern_config_section_at(c, POSTERN_SECTION_DOOR, i)) != NULL; i++)
        if (spawn_set_is_program(door))
            return true;
    return false;
}

/* ---- the file ---- */

static postern_err fail_of(const postern_section *door, const char *path, const char *fault,
                           postern_error *err)
{
    return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s %s", postern_section_origin(door, "backend"), path,
                        fault);
}

/* Nobody else can put another file, or another link, in its place. */
static postern_err judge_place(const postern_section *door, const char *path, postern_error *err)
{
    const char *name;
    postern_error why = { 0 };
    int fd;

    if (folder_open_parent(path, FOLDER_TRUST_CHAIN, 0755, &fd, &name, &why) != POSTERN_OK)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %s: %s", postern_section_origin(door, "backend"),
                            path, why.detail);
    (void)close(fd);
    return POSTERN_OK;
}

static postern_err judge_file(const postern_section *door, const char *path, const struct stat *st,
                              postern_error *err)
{
    if (!S_ISREG(st->st_mode))
        return fail_of(door, path, "is no regular file", err);
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return fail_of(door, path, "belongs neither to root nor to posternd's user", err);
    if ((st->st_mode & 022) != 0)
        return fail_of(door, path, "can be written by others: chmod go-w", err);
    if ((st->st_mode & 0111) == 0)
        return fail_of(door, path, "is not executable", err);
    return POSTERN_OK;
}

/* Where the link at `path` leads, in its place. */
static bool follow(char path[PATH_MAX])
{
    char target[PATH_MAX], next[PATH_MAX];
    ssize_t len = readlink(path, target, sizeof target - 1);
    size_t folder = (size_t)(strrchr(path, '/') - path) + 1;
    int n;

    if (len <= 0)
        return false;
    target[len] = '\0';
    n = snprintf(next, sizeof next, "%.*s%s", target[0] == '/' ? 0 : (int)folder, path, target);
    if (n < 0 || n >= (int)sizeof next)
        return false;
    memcpy(path, next, (size_t)n + 1);
    return true;
}

/* A program that is missing is looked for before its folders are: those would be made. */
static postern_err judge_program(const postern_section *door, const char *program,
                                 postern_error *err)
{
    char path[PATH_MAX];
    struct stat st;

    if (stat(program, &st) != 0)
        return fail_of(door, program, strerror(errno), err);
    if (strlen(program) >= sizeof path)
        return fail_of(door, program, strerror(ENAMETOOLONG), err);
    memcpy(path, program, strlen(program) + 1);
    for (int i = 0; i < LINKS_MAX; i++) {
        POSTERN_TRY(judge_place(door, path, err));
        if (lstat(path, &st) != 0)
            return fail_of(door, path, strerror(errno), err);
        if (!S_ISLNK(st.st_mode))
            return judge_file(door, path, &st, err);
        if (!follow(path))
            break;
    }
    return fail_of(door, program, "is a link that leads nowhere", err);
}

/* ---- the user ---- */

static postern_err check_forbidden(const postern_section *door, const struct account *a,
                                   const struct spawn_forbidden *forbidden, size_t count,
                                   postern_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (forbidden[i].uid == a->uid)
            return POSTERN_FAIL(err, CONFIG_CONFLICT,
                                "%s: exec_user is the user of %s: a program must not be able to "
                                "touch posternd's own processes; give it a user of its own",
                                postern_section_origin(door, "exec_user"), forbidden[i].key);
    return POSTERN_OK;
}

static postern_err find_account(const postern_section *door, const struct spawn_forbidden *forbidden,
                                size_t count, struct account *ret, postern_error *err)
{
    const char *name = postern_section_text(door, "exec_user");
    postern_error why = { 0 };

    *ret = users_self();
    if (geteuid() != 0)
        return POSTERN_OK;
    if (name == NULL)
        return POSTERN_FAIL(err, CONFIG_MISSING,
                            "%s: backend: exec: needs exec_user when posternd starts as root",
                            postern_section_origin(door, "backend"));
    if (users_resolve("exec_user", name, ret, &why) != POSTERN_OK)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s: %s", postern_section_origin(door, "exec_user"),
                            why.detail);
    return check_forbidden(door, ret, forbidden, count, err);
}

/* ---- the message ---- */

/* Each word of a text that was judged when it was read. */
static bool put_words(postern_json_writer *w, const char *name, const char *text,
                      const postern_buf *before)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 2);
    size_t count = 0;

    if (text != NULL && postern_exec_words_split(text, &words, &count) != NULL)
        return false;
    postern_json_open_array(w, name);
    for (size_t at = 0; before != NULL && at < before->len;
         at += strlen((const char *)before->ptr + at) + 1)
        postern_json_put_string(w, NULL, postern_bytes_str((const char *)before->ptr + at));
    for (size_t at = 0; at < words.len; at += strlen((const char *)words.ptr + at) + 1)
        postern_json_put_string(w, NULL, postern_bytes_str((const char *)words.ptr + at));
    postern_json_close_array(w);
    return !words.failed;
}

/* exec_env: has NAME=…? */
static bool is_given(const char *env, const char *name)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 2);
    size_t count = 0, len = strlen(name);

    if (env == NULL || postern_exec_words_split(env, &words, &count) != NULL)
        return false;
    for (size_t at = 0; at < words.len; at += strlen((const char *)words.ptr + at) + 1)
        if (strncmp((const char *)words.ptr + at, name, len) == 0 && words.ptr[at + len] == '=')
            return true;
    return false;
}

static void add_variable(postern_buf *out, const char *env, const char *name, const char *value)
{
    if (is_given(env, name))
        return;
    postern_buf_addf(out, "%s=%s", name, value);
    postern_buf_add_byte(out, 0);
}

/* What a login would give, and nothing of ours. */
static bool put_environment(postern_json_writer *w, const postern_section *door,
                            const struct account *a)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(16384);
    const char *env = postern_section_text(door, "exec_env");
    const struct passwd *pw = getpwuid(a->uid);
    const char *name = pw == NULL ? a->name : pw->pw_name;

    add_variable(&words, env, "PATH", "/usr/local/bin:/usr/bin:/bin");
    add_variable(&words, env, "HOME", pw == NULL || pw->pw_dir[0] == '\0' ? "/" : pw->pw_dir);
    add_variable(&words, env, "USER", name);
    add_variable(&words, env, "LOGNAME", name);
    add_variable(&words, env, "LANG", "C.UTF-8");
    return !words.failed && put_words(w, "env", env, &words);
}

static void put_limit(postern_json_writer *w, const char *name, int64_t limit)
{
    if (limit != 0)
        postern_json_put_integer(w, name, limit);
}

static postern_err write_message(const postern_section *door, const struct account *a,
                                 postern_buf *out, postern_error *err)
{
    const char *command = postern_section_text(door, "backend") + sizeof POSTERN_EXEC_PREFIX - 1;
    postern_json_writer w = { .out = out };
    bool is_written;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "program");
    postern_json_put_str(&w, "door", postern_section_name(door));
    is_written = put_words(&w, "argv", command, NULL) && put_environment(&w, door, a);
    postern_json_put_str(&w, "dir", postern_section_text(door, "exec_dir"));
    postern_json_put_integer(&w, "uid", a->uid);
    postern_json_put_integer(&w, "gid", a->gid);
    postern_json_put_integer(&w, "max", postern_section_number(door, "max_connections"));
    put_limit(&w, "memory", postern_section_number(door, "exec_memory_max") * MIB);
    put_limit(&w, "processes", postern_section_number(door, "exec_processes_max"));
    put_limit(&w, "cpu", postern_section_number(door, "exec_cpu_max"));
    postern_json_close_object(&w);
    if (!is_written || out->failed)
        return POSTERN_FAIL(err, NOMEM, "door %s: its program", postern_section_name(door));
    return POSTERN_OK;
}

/* ---- the set ---- */

static postern_err add_door(struct spawn_set *s, const postern_section *door,
                            const struct spawn_forbidden *forbidden, size_t count,
                            postern_error *err)
{
    const char *command = postern_section_text(door, "backend") + sizeof POSTERN_EXEC_PREFIX - 1;
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 2);
    postern_buf *grown, message = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    struct account a;
    size_t word_count;
    postern_err e;

    if (postern_exec_words_split(command, &words, &word_count) != NULL || words.failed)
        return POSTERN_FAIL(err, NOMEM, "door %s: its program", postern_section_name(door));
    POSTERN_TRY(judge_program(door, (const char *)words.ptr, err));
    POSTERN_TRY(find_account(door, forbidden, count, &a, err));
    e = write_message(door, &a, &message, err);
    grown = e == POSTERN_OK ? reallocarray(s->messages, s->count + 1, sizeof *grown) : NULL;
    if (grown == NULL) {
        postern_buf_free(&message);
        return e != POSTERN_OK ? e : POSTERN_FAIL(err, NOMEM, "programs of doors");
    }
    s->messages = grown;
    s->messages[s->count++] = message;
    return POSTERN_OK;
}

postern_err spawn_set_open(const postern_config *c, const struct spawn_forbidden *forbidden,
                           size_t count, struct spawn_set *ret, postern_error *err)
{
    const postern_section *door;

    *ret = (struct spawn_set){ 0 };
    for (size_t i = 0; (door = postern_config_section_at(c, POSTERN_SECTION_DOOR, i)) != NULL; i++)
        if (spawn_set_is_program(door))
            POSTERN_TRY(add_door(ret, door, forbidden, count, err));
    return POSTERN_OK;
}

static postern_err send_to(struct channel *to, postern_bytes message, postern_error *err)
{
    return channel_send_patiently(to, message, -1, "the spawner", err);
}

postern_err spawn_set_send(const struct spawn_set *s, int64_t drain_ms, struct channel *to,
                           postern_error *err)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(256);
    postern_json_writer w = { .out = &b };

    for (size_t i = 0; i < s->count; i++)
        POSTERN_TRY(send_to(to, postern_buf_bytes(&s->messages[i]), err));
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "programs");
    postern_json_put_integer(&w, "drain", drain_ms);
    postern_json_close_object(&w);
    if (b.failed)
        return POSTERN_FAIL(err, NOMEM, "message to the spawner");
    return send_to(to, postern_buf_bytes(&b), err);
}

void spawn_set_close(struct spawn_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        postern_buf_free(&s->messages[i]);
    free(s->messages);
    *s = (struct spawn_set){ 0 };
}
