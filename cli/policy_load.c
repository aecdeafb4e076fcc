/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules into a policy: from files that the command line names, or as a door or service of the
 * configuration has them.  Asks no daemon.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "policy.h"
#include "safe_text.h"

#define SUFFIX ".rules"

void policy_print_fault(void *arg, const postern_error *err)
{
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);

    (void)arg;
    postern_buf_addf(&line, "%s\n", err->detail);
    (void)policy_put(&line, stderr);
}

int policy_exit_code(postern_err e)
{
    if (e == POSTERN_OK)
        return CLI_PROVED;
    return e == POSTERN_ERR_RULES || e == POSTERN_ERR_RULES_EXPECT ? CLI_REJECTED : CLI_UNDECIDED;
}

bool policy_source_option(struct policy_source *from, int letter, const char *value)
{
    if (letter == 'D')
        from->door = value;
    else if (letter == 'F')
        from->config_dir = value;
    else
        return false;
    from->has_config_dir = from->has_config_dir || letter == 'F';
    return true;
}

bool policy_source_names(struct policy_source *from, int argc, char **argv, int next)
{
    from->names = argv + next;
    from->count = (size_t)(argc - next);
    return (from->count != 0) != (from->door != NULL);
}

/* ---- files ---- */

/* One byte more than a policy may have is enough for its refusal. */
static postern_err read_open_file(int fd, const char *path, postern_buf *text, postern_error *err)
{
    uint8_t chunk[4096];
    ssize_t n;

    while (text->len <= POSTERN_POLICY_FILE_MAX && (n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
        postern_buf_add(text, (postern_bytes){ chunk, (size_t)n });
    }
    return text->failed ? POSTERN_FAIL(err, NOMEM, "%s", path) : POSTERN_OK;
}

static postern_err read_file(const char *path, postern_buf *text, postern_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    postern_err e;

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
    e = read_open_file(fd, path, text, err);
    (void)close(fd); /* only read */
    return e;
}

static bool has_suffix(const char *name)
{
    size_t len = strlen(name), suffix = strlen(SUFFIX);

    return len > suffix && strcmp(name + len - suffix, SUFFIX) == 0;
}

/* "policies/cache.rules" is named "cache". */
static postern_err name_of(const char *path, char *ret, postern_error *err)
{
    const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
    size_t len = strlen(base) - (has_suffix(base) ? strlen(SUFFIX) : 0);

    if (len >= POSTERN_POLICY_NAME_MAX)
        return POSTERN_FAIL(err, USAGE, "%s: the name is too long", path);
    memcpy(ret, base, len);
    ret[len] = '\0';
    return POSTERN_OK;
}

static postern_err add_file(postern_policy *p, const char *path, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX + 4096);
    char name[POSTERN_POLICY_NAME_MAX];

    POSTERN_TRY(name_of(path, name, err));
    POSTERN_TRY(read_file(path, &text, err));
    return postern_policy_add(p, name, path, postern_buf_bytes(&text), err);
}

/* ---- a door or service ---- */

/* policies/NAME.rules, as posternd names it. */
static postern_err add_configured(const postern_config *c, const char *name, postern_policy *p,
                                  postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX + 4096);
    char path[sizeof "policies/" SUFFIX + POSTERN_POLICY_NAME_MAX];
    int n = snprintf(path, sizeof path, "policies/%s" SUFFIX, name);

    if (n < 0 || (size_t)n >= sizeof path)
        return POSTERN_FAIL(err, CONFIG_VALUE, "policy: name of %zu bytes", strlen(name));
    POSTERN_TRY(postern_config_read_policy(c, name, &text, err));
    return postern_policy_add(p, name, path, postern_buf_bytes(&text), err);
}

static postern_err find_section(const postern_config *c, const char *name,
                                const postern_section **ret, postern_error *err)
{
    *ret = postern_config_section(c, POSTERN_SECTION_DOOR, name);
    if (*ret == NULL)
        *ret = postern_config_section(c, POSTERN_SECTION_SERVICE, name);
    if (*ret == NULL)
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "%s: no door or service of that name, and no rules file", name);
    if (postern_section_count(*ret, "policy") == 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: it has no `policy:`", name);
    return POSTERN_OK;
}

/* "cache", where nothing is called so in the file system. */
static bool is_door_name(const char *name)
{
    return strchr(name, '/') == NULL && !has_suffix(name) && access(name, F_OK) != 0;
}

static const char *door_of(const struct policy_source *from)
{
    if (from->door != NULL)
        return from->door;
    return from->count == 1 && is_door_name(from->names[0]) ? from->names[0] : NULL;
}

/* ---- both ---- */

struct loading {
    const struct policy_source *from;
    policy_fault *fault;
    void *arg;
    postern_err first; /* fault */
};

static bool note(struct loading *l, postern_err e, const postern_error *err)
{
    if (e != POSTERN_OK)
        l->fault(l->arg, err);
    l->first = l->first == POSTERN_OK ? e : l->first;
    return e == POSTERN_OK;
}

static const postern_section *add_door(struct loading *l, const char *door,
                                       const struct policy_opened *opened)
{
    const postern_section *section = NULL;
    postern_error err = { 0 };
    const char *name;

    if (!note(l, find_section(opened->config, door, &section, &err), &err))
        return NULL;
    for (size_t i = 0; (name = postern_section_item(section, "policy", i)) != NULL; i++)
        (void)note(l, add_configured(opened->config, name, opened->policy, &err), &err);
    return section;
}

/* Those of the command line, as a file of its own, whose name is nobody's. */
static void add_expects(struct loading *l, postern_policy *p)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX + 4096);
    postern_error err = { 0 };
    postern_err e;

    if (l->from->expect_count == 0)
        return;
    for (size_t i = 0; i < l->from->expect_count; i++)
        postern_buf_addf(&text, "expect %s\n", l->from->expects[i]);
    e = text.failed ? POSTERN_FAIL(&err, USAGE, "--expect: too many")
                    : postern_policy_add(p, "--expect", "--expect", postern_buf_bytes(&text), &err);
    (void)note(l, e, &err);
}

static void add_given(struct loading *l, postern_policy *p)
{
    postern_error err = { 0 };

    for (size_t i = 0; i < l->from->given_count; i++)
        (void)note(l,
                   postern_policy_given(p, "--given", postern_bytes_str(l->from->given[i]), &err),
                   &err);
}

static postern_err fill(struct loading *l, struct policy_opened *opened)
{
    const char *door = door_of(l->from);
    const postern_section *section = NULL;
    postern_error err = { 0 };

    if ((door != NULL || l->from->has_config_dir) &&
        !note(l, postern_config_load(l->from->config_dir, &opened->config, &err), &err))
        return l->first;
    if (door != NULL)
        section = add_door(l, door, opened);
    for (size_t i = 0; door == NULL && i < l->from->count; i++)
        (void)note(l, add_file(opened->policy, l->from->names[i], &err), &err);
    add_expects(l, opened->policy);
    add_given(l, opened->policy);
    if (l->first == POSTERN_OK)
        (void)note(l, postern_policy_finish(opened->policy, &err), &err);
    if (l->first == POSTERN_OK && section != NULL &&
        postern_config_trusted_by(opened->config, section, 1) != NULL)
        (void)note(l, postern_policy_check_issuers(opened->policy, &err), &err);
    return l->first;
}

postern_err policy_open(const struct policy_source *from, policy_fault *fault, void *arg,
                        struct policy_opened *ret)
{
    struct loading l = { .from = from, .fault = fault, .arg = arg, .first = POSTERN_OK };
    postern_error err = { 0 };
    postern_err e;

    *ret = (struct policy_opened){ .policy = NULL };
    if (!note(&l, postern_policy_new(&ret->policy, &err), &err))
        return l.first;
    e = fill(&l, ret);
    if (e != POSTERN_OK && e != POSTERN_ERR_RULES_EXPECT) {
        postern_policy_free(ret->policy);
        ret->policy = NULL;
    }
    return e;
}

void policy_close(struct policy_opened *opened)
{
    postern_policy_free(opened->policy);
    postern_config_free(opened->config);
    *opened = (struct policy_opened){ .policy = NULL };
}

int policy_describe(const struct policy_source *from, bool is_json, policy_writer *write,
                    const void *rq)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);
    struct policy_opened opened;
    int status = CLI_UNDECIDED;
    bool may;

    if (policy_open(from, policy_print_fault, NULL, &opened) == POSTERN_OK) {
        may = write(rq, opened.policy, &out);
        status = is_json ? policy_put_json(&out) : policy_put(&out, stdout);
        if (status == CLI_PROVED && !may)
            status = CLI_REJECTED;
    }
    policy_close(&opened);
    return status;
}
