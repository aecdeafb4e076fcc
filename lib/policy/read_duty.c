/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Duties: what an allow or a hold is bound to.  A duty that nobody could keep is refused here, so that
 * a file promises nothing.  Called by read.c.
 */
#include "policy/read.h"

/* ---- values ---- */

static postern_err parse_once(struct parser *p, const char *duty, bool is_said)
{
    return is_said ? postern_parse_fail(p, p->at, "a rule has one %s", duty) : POSTERN_OK;
}

static postern_err parse_read(struct parser *p, const char *what,
                              const char *(*read)(const char *text, int64_t *ret), int64_t *ret)
{
    const struct token *t = p->at;
    char text[POSTERN_POLICY_TEXT_MAX];
    const char *fault;

    POSTERN_TRY(postern_parse_value(p, what, text));
    fault = read(text, ret);
    return fault == NULL ? POSTERN_OK : postern_parse_fail(p, t, "\"%s\" %s", text, fault);
}

static const char *read_count(const char *text, int64_t *ret)
{
    const char *fault = postern_value_read_number(text, ret);

    return fault == NULL && *ret < 1 ? "is less than one" : fault;
}

static const char *read_rate(const char *text, struct postern_policy_rate *ret)
{
    size_t len = strcspn(text, "/");
    char count[POSTERN_POLICY_TEXT_MAX];

    if (text[len] == '\0')
        return "is no rate: a number, a / and a duration, like 100/1s";
    memcpy(count, text, len); /* shorter than text, which has the same room */
    count[len] = '\0';
    if (read_count(count, &ret->count) != NULL)
        return "is no rate: at least one, a / and a duration, like 100/1s";
    return postern_value_read_duration(text + len + 1, &ret->period_s) == NULL
               ? NULL
               : "is no rate: the period is a duration from 1s to 366d, like 100/1s";
}

/* ---- each duty ---- */

static postern_err parse_lease(struct parser *p, struct rule *r)
{
    const struct token *t = p->at;

    POSTERN_TRY(parse_once(p, "lease", r->duties.lease_s != 0));
    if (r->target.protocol == PROTOCOL_LOGIN) /* a promise that nobody could keep */
        return postern_parse_fail(p, t - 1,
                                  "a lease ends sessions of doors; nobody can end one of a service");
    return parse_read(p, "a duration like 15m", postern_value_read_duration, &r->duties.lease_s);
}

static postern_err parse_log(struct parser *p, struct rule *r)
{
    bool is_summary = postern_parse_is_word(p, "summary");

    POSTERN_TRY(parse_once(p, "log", r->duties.logs_each || r->duties.logs_summary));
    if (is_summary && !policy_protocols[r->target.protocol].is_inspected)
        return postern_parse_fail(p, p->at,
                                  "`log summary` is for actions that a door inspects, mcp: or "
                                  "redis:; a connection and a login are logged each");
    if (!postern_parse_take_word(p, "each") && !postern_parse_take_word(p, "summary"))
        return postern_parse_expected(p, "`each` or `summary`");
    r->duties.logs_each = !is_summary;
    r->duties.logs_summary = is_summary;
    return POSTERN_OK;
}

static postern_err parse_rate(struct parser *p, struct rule *r)
{
    const struct token *t = p->at;
    char text[POSTERN_POLICY_TEXT_MAX];
    const char *fault;

    POSTERN_TRY(parse_once(p, "rate", r->duties.rate.count != 0));
    POSTERN_TRY(postern_parse_value(p, "a rate like 100/1s", text));
    fault = read_rate(text, &r->duties.rate);
    return fault == NULL ? POSTERN_OK : postern_parse_fail(p, t, "\"%s\" %s", text, fault);
}

static postern_err parse_rows(struct parser *p, struct rule *r)
{
    POSTERN_TRY(parse_once(p, "rows", r->duties.rows != 0));
    return parse_read(p, "a number of rows", read_count, &r->duties.rows);
}

static postern_err parse_bytes(struct parser *p, struct rule *r)
{
    POSTERN_TRY(parse_once(p, "bytes", r->duties.bytes != 0));
    return parse_read(p, "a size like 64KiB", postern_value_read_size, &r->duties.bytes);
}

static postern_err parse_wait(struct parser *p, struct rule *r)
{
    POSTERN_TRY(parse_once(p, "wait", r->duties.wait_s != 0));
    return parse_read(p, "a duration like 10m", postern_value_read_duration, &r->duties.wait_s);
}

static bool has_variable(const struct list *list)
{
    for (const struct item *i = list->first; i != NULL; i = i->next)
        if (i->set != NULL ? has_variable(&i->set->list)
                           : i->pattern.has_agent || i->pattern.has_user)
            return true;
    return false;
}

/* A variable is the name of who asks, who may not approve himself. */
static postern_err parse_approver(struct parser *p, struct rule *r)
{
    const struct token *t = p->at;

    POSTERN_TRY(parse_once(p, "approver", r->duties.approver.kind != PARTY_NONE));
    POSTERN_TRY(postern_parse_party(p, "user group", &r->duties.approver));
    if (has_variable(&r->duties.approver.list))
        return postern_parse_fail(p, t, "an approver is not who asks: no ${agent}, no ${user}");
    return POSTERN_OK;
}

/* ---- duties ---- */

static const struct {
    const char *word;
    bool is_inspected; /* asks for a door that looks at each action */
    bool is_of_hold;
    postern_err (*parse)(struct parser *p, struct rule *r);
} duties[] = {
    { "lease", false, false, parse_lease },   { "log", false, false, parse_log },
    { "rate", true, false, parse_rate },      { "rows", true, false, parse_rows },
    { "bytes", true, false, parse_bytes },    { "approver", false, true, parse_approver },
    { "wait", false, true, parse_wait },
};
#define DUTY_COUNT (sizeof duties / sizeof *duties)
#define DUTY_WORDS "lease log rate rows bytes approver wait"

static postern_err check_duty(const struct parser *p, size_t i, const struct rule *r)
{
    if (duties[i].is_of_hold && r->verdict != POSTERN_VERDICT_HOLD)
        return postern_parse_fail(p, p->at, "`%s` is a duty of hold: an allow waits for nobody",
                                  duties[i].word);
    if (!duties[i].is_inspected || policy_protocols[r->target.protocol].is_inspected)
        return POSTERN_OK;
    if (r->target.protocol == PROTOCOL_ANY)
        return postern_parse_fail(p, p->at,
                                  "`%s` needs a door that looks at each action: name mcp: or redis:, "
                                  "for `*` takes in raw doors and logins",
                                  duties[i].word);
    return postern_parse_fail(p, p->at, "`%s` needs a door that looks at each action; %s",
                              duties[i].word,
                              r->target.protocol == PROTOCOL_LOGIN
                                  ? "a service sees one login and nothing behind it"
                                  : "a raw door sees a connection and nothing in it");
}

static postern_err parse_duty(struct parser *p, struct rule *r)
{
    for (size_t i = 0; i < DUTY_COUNT; i++) {
        if (!postern_parse_is_word(p, duties[i].word))
            continue;
        POSTERN_TRY(check_duty(p, i, r));
        p->at++;
        return duties[i].parse(p, r);
    }
    return p->at->kind == TOKEN_WORD ? postern_parse_unknown(p, p->at, "duty", DUTY_WORDS)
                                     : postern_parse_expected(p, "a duty");
}

postern_err postern_parse_duties(struct parser *p, struct rule *r)
{
    if (!postern_parse_is_word(p, "with"))
        return POSTERN_OK;
    if (r->verdict == POSTERN_VERDICT_DENY)
        return postern_parse_fail(p, p->at,
                                  "a deny has no duties: nothing happens that could be "
                                  "bounded");
    do {
        p->at++;
        POSTERN_TRY(parse_duty(p, r));
    } while (postern_parse_is_word(p, "and"));
    return POSTERN_OK;
}
