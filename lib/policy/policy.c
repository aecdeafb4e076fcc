/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a policy: made, filled file by file, finished, asked by any thread, freed.  Reading
 * is read.c's, answers are decide.c's.
 */
#include "policy/index.h"
#include "policy/relations.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"

/* Bytes: a hundred times what a policy of 4,096 ordinary rules takes. */
#define POLICY_MEMORY_MAX (64 * 1024 * 1024)

const char *postern_verdict_name(postern_verdict v)
{
    switch (v) {
    case POSTERN_VERDICT_ALLOW:
        return "allow";
    case POSTERN_VERDICT_HOLD:
        return "hold";
    case POSTERN_VERDICT_DENY:
        break;
    }
    return "deny";
}

void postern_policy_label(const struct rule *r, char *ret)
{
    /* Both parts are shorter than POSTERN_POLICY_NAME_MAX, so it fits. */
    if (r->label != NULL)
        (void)snprintf(ret, POSTERN_POLICY_LABEL_MAX, "%s:%s", r->file->name, r->label);
    else
        (void)snprintf(ret, POSTERN_POLICY_LABEL_MAX, "%s:%d", r->file->name, r->line);
}

postern_err postern_policy_new(postern_policy **ret, postern_error *err)
{
    postern_policy *p = calloc(1, sizeof *p);

    if (p == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    p->arena = POSTERN_ARENA_INIT(POLICY_MEMORY_MAX);
    p->files_end = &p->files;
    p->rules_end = &p->rules;
    p->ties_end = &p->ties;
    p->expects_end = &p->expects;
    *ret = p;
    return POSTERN_OK;
}

void postern_policy_free(postern_policy *p)
{
    if (p == NULL)
        return;
    postern_arena_free(&p->arena);
    free(p->by_index);
    postern_index_free(p->index);
    postern_relations_free(p->relation_table);
    free(p);
}

/* ---- adding files ---- */

static bool is_file_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len >= POSTERN_POLICY_NAME_MAX)
        return false;
    for (; *name != '\0'; name++)
        if (!postern_ascii_is_alnum((uint8_t)*name) && strchr("._-", *name) == NULL)
            return false;
    return true;
}

static postern_err check_new_file(const postern_policy *p, const char *name, postern_error *err)
{
    if (p->is_finished)
        return POSTERN_FAIL(err, USAGE, "the policy is finished");
    if (!is_file_name(name))
        return POSTERN_FAIL(err, USAGE,
                            "a policy file's name is 1 to 64 of a-z A-Z 0-9 . _ - and .rules");
    if (p->file_count == POSTERN_POLICY_FILES_MAX)
        return POSTERN_FAIL(err, USAGE, "more than %d files in one policy",
                            POSTERN_POLICY_FILES_MAX);
    for (const struct file *f = p->files; f != NULL; f = f->next)
        if (strcmp(f->name, name) == 0)
            return POSTERN_FAIL(err, USAGE, "two files of one policy are named %s.rules", name);
    return POSTERN_OK;
}

static postern_err add_file(postern_policy *p, const char *name, const char *path,
                            struct file **ret, postern_error *err)
{
    struct file *f;

    POSTERN_TRY(check_new_file(p, name, err));
    f = postern_arena_alloc(&p->arena, sizeof *f);
    if (f == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", path);
    f->policy = p;
    f->sets_end = &f->sets;
    f->name = postern_arena_text(&p->arena, postern_bytes_str(name));
    f->path = postern_arena_text(&p->arena, postern_bytes_str(path));
    if (f->name == NULL || f->path == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", path);
    *p->files_end = f;
    p->files_end = &f->next;
    p->file_count++;
    *ret = f;
    return POSTERN_OK;
}

postern_err postern_policy_add(postern_policy *p, const char *name, const char *path,
                               postern_bytes text, postern_error *err)
{
    struct file *file = NULL;
    postern_err e = add_file(p, name, path, &file, err);

    if (e == POSTERN_OK)
        e = postern_policy_read(p, file, text, err);
    p->is_broken = p->is_broken || e != POSTERN_OK;
    return e;
}

postern_err postern_policy_given(postern_policy *p, const char *path, postern_bytes text,
                                 postern_error *err)
{
    postern_err e;

    if (p->is_finished)
        return POSTERN_FAIL(err, USAGE, "the policy is finished");
    e = postern_policy_read_given(p, path, text, err);
    p->is_broken = p->is_broken || e != POSTERN_OK;
    return e;
}

/* ---- finishing ---- */

/* It binds the whole list, so two files may not say different things. */
static postern_err settle_judge(postern_policy *p, postern_error *err)
{
    const struct file *first = NULL;

    for (const struct file *f = p->files; f != NULL; f = f->next) {
        if (f->judge == JUDGE_UNSAID)
            continue;
        if (first != NULL && first->judge != f->judge)
            return POSTERN_FAIL(err, RULES,
                                "%s:%d:1: %s:%d says otherwise, and one `judge` binds "
                                "the whole policy",
                                f->path, f->judge_line, first->path, first->judge_line);
        first = first == NULL ? f : first;
    }
    p->judge = first == NULL ? JUDGE_AGENT : first->judge;
    return POSTERN_OK;
}

static bool heeds_clock(const struct rule *r)
{
    for (const struct test *t = r->tests; t != NULL; t = t->next)
        if (t->attr == ATTR_TIME || t->attr == ATTR_AUTH_AGE)
            return true;
    return false;
}

static postern_err index_rules(postern_policy *p, postern_error *err)
{
    size_t i = 0;

    p->by_index = calloc(p->rule_count + 1, sizeof(struct rule *));
    if (p->by_index == NULL)
        return POSTERN_FAIL(err, NOMEM, "policy");
    for (struct rule *r = p->rules; r != NULL; r = r->next) {
        p->heeds_clock = p->heeds_clock || heeds_clock(r);
        p->by_index[i++] = r;
    }
    return postern_index_make(p->by_index, p->rule_count, &p->index, err);
}

postern_err postern_policy_finish(postern_policy *p, postern_error *err)
{
    postern_err e;

    if (p->is_broken || p->is_finished)
        return POSTERN_FAIL(err, USAGE,
                            p->is_broken ? "a file of the policy could not be read"
                                         : "the policy is finished already");
    e = settle_judge(p, err);
    if (e == POSTERN_OK)
        e = postern_relations_make(p, &p->relation_table, err);
    if (e == POSTERN_OK)
        e = index_rules(p, err);
    p->is_finished = e == POSTERN_OK;
    if (e == POSTERN_OK)
        e = postern_policy_run_expects(p, err);
    /* It must not answer what it was expected not to, nor after expects that hold in some cases. */
    p->is_broken = e != POSTERN_OK || p->given != NULL;
    return e;
}

unsigned postern_policy_lists(const postern_policy *p)
{
    return p->judge == JUDGE_BOTH ? POSTERN_POLICY_LIST_AGENT | POSTERN_POLICY_LIST_USER
                                  : POSTERN_POLICY_LIST_AGENT;
}
