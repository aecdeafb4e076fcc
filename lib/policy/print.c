/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy in one spelling: what stands for a statement does not depend on how it was written.
 * Reading the text again gives the same rules, and the same text.  Also the words in which reasons
 * and warnings name a part of a rule.
 */
#include "policy/rules.h"

#include <inttypes.h>

static const char *const party_words[PARTY_KINDS] = {
    [PARTY_NONE] = "",         [PARTY_ANYONE] = "anyone", [PARTY_NOBODY] = "nobody",
    [PARTY_AGENT] = "agent",   [PARTY_USER] = "user",     [PARTY_GROUP] = "group",
    [PARTY_CLIENT] = "client", [PARTY_ISSUER] = "issuer",
};

void postern_policy_print_list(const struct list *list, postern_buf *out)
{
    for (const struct item *i = list->first; i != NULL; i = i->next) {
        if (i != list->first)
            postern_buf_add_byte(out, ',');
        if (i->set != NULL)
            postern_buf_addf(out, "$%s", i->set->name);
        else
            postern_pattern_print(&i->pattern, out);
    }
}

void postern_policy_print_party(const struct party *party, postern_buf *out)
{
    postern_buf_add_str(out, party_words[party->kind]);
    if (party->list.first == NULL)
        return;
    postern_buf_add_byte(out, ' ');
    postern_policy_print_list(&party->list, out);
}

void postern_policy_print_who(const struct who *who, postern_buf *out)
{
    postern_policy_print_party(&who->party, out);
    if (who->human.kind == PARTY_NONE)
        return;
    postern_buf_add_str(out, " for ");
    postern_policy_print_party(&who->human, out);
}

static void print_actions(const struct target *t, postern_buf *out)
{
    const struct protocol *protocol = &policy_protocols[t->protocol];

    postern_buf_add_str(out, t->protocol == PROTOCOL_LOGIN ? t->service : protocol->name);
    for (const struct action_item *i = t->items; i != NULL; i = i->next) {
        postern_buf_add_byte(out, i == t->items ? ':' : ',');
        postern_buf_add_str(out, i->text);
    }
}

void postern_policy_print_target(const struct target *t, postern_buf *out)
{
    postern_buf_add_str(out, " to ");
    print_actions(t, out);
    if (!t->has_resources)
        return;
    postern_buf_add_str(out, " on ");
    postern_policy_print_list(&t->resources, out);
}

/* ---- tests ---- */

static bool is_plain_part(const char *part)
{
    return part[strspn(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
           '\0';
}

static void print_path(const char *prefix, const struct claim_name *name, postern_buf *out)
{
    postern_buf_add_str(out, prefix);
    for (size_t i = 0; i < name->count; i++) {
        postern_buf_add_byte(out, '.');
        if (is_plain_part(name->parts[i]))
            postern_buf_add_str(out, name->parts[i]);
        else
            postern_text_print(name->parts[i], out);
    }
}

static void print_value(const struct test *t, postern_buf *out)
{
    if (t->list.first != NULL) {
        postern_buf_add_byte(out, '(');
        postern_policy_print_list(&t->list, out);
        postern_buf_add_byte(out, ')');
    } else if (t->value.ops != NULL) {
        postern_pattern_print(&t->value, out);
    } else if (t->attr == ATTR_AUTH_AGE) {
        postern_value_print_duration(t->number, out);
    } else {
        postern_buf_addf(out, "%" PRId64, t->number);
    }
}

static void print_relation(const struct test *t, postern_buf *out)
{
    postern_buf_addf(out, "%s is %s", party_words[t->who], t->relation->name);
    if (t->claim.count == 0)
        return;
    postern_buf_add_str(out, " of ");
    print_path("arg", &t->claim, out);
}

void postern_policy_print_test(const struct test *t, postern_buf *out)
{
    postern_buf_add_str(out, t->is_not ? "not " : "");
    if (t->attr == ATTR_RELATION) {
        print_relation(t, out);
        return;
    }
    print_path(policy_attr_names[t->attr], &t->claim, out);
    postern_buf_add_byte(out, ' ');
    if (t->attr == ATTR_TIME) {
        postern_span_print(&t->span, out);
        return;
    }
    postern_buf_addf(out, "%s ", t->attr == ATTR_ARGS ? "only" : policy_op_names[t->op]);
    print_value(t, out);
}

/* ---- statements ---- */

/* " with " before the first, " and " before the others. */
static void print_duty(const char **separator, const char *word, postern_buf *out)
{
    postern_buf_addf(out, "%s%s", *separator, word);
    *separator = " and ";
}

static void print_number_duty(const char **separator, const char *word, int64_t number,
                              postern_buf *out)
{
    if (number == 0)
        return;
    print_duty(separator, word, out);
    postern_buf_addf(out, " %" PRId64, number);
}

static void print_duration_duty(const char **separator, const char *word, int64_t s,
                                postern_buf *out)
{
    if (s == 0)
        return;
    print_duty(separator, word, out);
    postern_buf_add_byte(out, ' ');
    postern_value_print_duration(s, out);
}

static void print_size(int64_t bytes, postern_buf *out)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = { { "GiB", 1073741824 }, { "MiB", 1048576 }, { "KiB", 1024 }, { "", 1 } };
    size_t i = 0;

    while (bytes % units[i].bytes != 0) /* one divides all */
        i++;
    postern_buf_addf(out, "%" PRId64 "%s", bytes / units[i].bytes, units[i].name);
}

void postern_policy_print_duties(const struct rule *r, postern_buf *out)
{
    const struct duties *d = &r->duties;
    const char *separator = " with ";

    print_duration_duty(&separator, "lease", d->lease_s, out);
    if (d->rate.count != 0) {
        print_number_duty(&separator, "rate", d->rate.count, out);
        postern_buf_add_byte(out, '/');
        postern_value_print_duration(d->rate.period_s, out);
    }
    print_number_duty(&separator, "rows", d->rows, out);
    if (d->bytes != 0) {
        print_duty(&separator, "bytes ", out);
        print_size(d->bytes, out);
    }
    if (d->logs_each || d->logs_summary)
        print_duty(&separator, d->logs_each ? "log each" : "log summary", out);
    if (d->approver.kind != PARTY_NONE) {
        print_duty(&separator, "approver ", out);
        postern_policy_print_party(&d->approver, out);
    }
    print_duration_duty(&separator, "wait", d->wait_s, out);
}

void postern_policy_print_rule(const struct rule *r, postern_buf *out)
{
    if (r->label != NULL)
        postern_buf_addf(out, "%s: ", r->label);
    postern_buf_addf(out, "%s ", postern_verdict_name(r->verdict));
    postern_policy_print_who(&r->who, out);
    postern_policy_print_target(&r->target, out);
    for (const struct test *t = r->tests; t != NULL; t = t->next) {
        postern_buf_add_str(out, t == r->tests ? " if " : " and ");
        postern_policy_print_test(t, out);
    }
    postern_policy_print_duties(r, out);
    if (r->because != NULL) {
        postern_buf_add_str(out, " because ");
        postern_text_print(r->because, out);
    }
    postern_buf_add_byte(out, '\n');
}

static void print_pair(const struct pair *pair, postern_buf *out)
{
    static const char *const words[] = {
        [PAIR_NONE] = "",
        [PAIR_CLAIM] = "claim",
        [PAIR_DETAIL] = "detail",
        [PAIR_ARG] = "arg",
        [PAIR_SCOPE] = "scope",
        [PAIR_PURPOSE] = "purpose",
        [PAIR_SOURCE] = "source",
        [PAIR_CHAIN] = "chain",
        [PAIR_AUTH_AGE] = "auth_age",
        [PAIR_CLIENT] = "client",
        [PAIR_ISSUER] = "issuer",
        [PAIR_GROUP] = "group",
        [PAIR_TIME] = "time",
    };

    print_path(words[pair->kind], &pair->claim, out);
    postern_buf_add_str(out, " = ");
    if (pair->literal != NULL)
        postern_buf_add_str(out, pair->text);
    else
        postern_text_print(pair->text, out);
}

void postern_policy_print_expect(const struct expect *e, postern_buf *out)
{
    postern_buf_addf(out, "expect %s ", postern_verdict_name(e->verdict));
    postern_policy_print_who(&e->who, out);
    postern_policy_print_target(&e->target, out);
    for (const struct pair *pair = e->pairs; pair != NULL; pair = pair->next) {
        postern_buf_add_str(out, pair == e->pairs ? " given " : ", ");
        print_pair(pair, out);
    }
    postern_buf_add_byte(out, '\n');
}

static void print_settings(const struct file *f, postern_buf *out)
{
    if (f->has_timezone) {
        postern_buf_add_str(out, "timezone ");
        postern_value_print_zone(f->zone_s, out);
        postern_buf_add_byte(out, '\n');
    }
    if (f->judge != JUDGE_UNSAID)
        postern_buf_add_str(out,
                            f->judge == JUDGE_BOTH ? "judge agent and user\n" : "judge agent\n");
    for (const struct set *s = f->sets; s != NULL; s = s->next) {
        postern_buf_addf(out, "set $%s = ", s->name);
        postern_policy_print_list(&s->list, out);
        postern_buf_add_byte(out, '\n');
    }
}

static void print_tie(const struct tie *tie, postern_buf *out)
{
    postern_policy_print_party(&tie->party, out);
    postern_buf_addf(out, " is %s", tie->relation->name);
    if (tie->objects.first != NULL) {
        postern_buf_add_str(out, " of ");
        postern_policy_print_list(&tie->objects, out);
    }
    postern_buf_add_byte(out, '\n');
}

/* Settings, sets, relations, rules, expects: a set may stand above rules that stood above it. */
bool postern_policy_print(const postern_policy *p, size_t file, postern_buf *out)
{
    const struct file *f = p->files;

    while (f != NULL && file-- != 0)
        f = f->next;
    if (f == NULL)
        return false;
    print_settings(f, out);
    for (const struct tie *tie = p->ties; tie != NULL; tie = tie->next)
        if (tie->file == f)
            print_tie(tie, out);
    for (const struct rule *r = f->rules; r != NULL && r->file == f; r = r->next)
        postern_policy_print_rule(r, out);
    for (const struct expect *e = p->expects; e != NULL; e = e->next)
        if (e->file == f)
            postern_policy_print_expect(e, out);
    return true;
}
