/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The issuers that a service trusts: is there a key set with keys, from where and how old, and do
 * the two clocks agree?  Asked afresh, by the rules of logins; what posternd holds at the moment is
 * its own.
 */
#include <stdlib.h>
#include <unistd.h>

#include <postern/survey.h>

#include "doctor.h"
#include "why_advice.h"

/* Date has whole seconds, and the answer took a while: less than that is no difference. */
#define CLOCK_GRAIN_S 2
/* A key set in a file is written anew by who keeps it current: an old one is one that nobody keeps.
 */
#define FILE_OLD_S (90 * INT64_C(86400))

static const char *get_name(const postern_section *issuer)
{
    return postern_section_name(issuer);
}

/* ---- keys ---- */

static void put_age(int64_t age_s, char room[40])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = { { 86400, "days" }, { 3600, "hours" }, { 60, "minutes" }, { 1, "seconds" } };
    size_t i = 0;

    if (age_s < 0)
        age_s = 0;
    while (i < sizeof units / sizeof *units - 1 && age_s < 2 * units[i].seconds)
        i++;
    (void)snprintf(room, 40, "%lld %s", (long long)(age_s / units[i].seconds), units[i].name);
}

static void tell_file(struct doctor *d, const postern_section *issuer, const postern_survey *s)
{
    int64_t age_s = s->came_s - s->written_s;
    bool is_old = age_s > FILE_OLD_S;
    char age[40];

    put_age(age_s, age);
    doctor_add(&d->report, "keys", is_old ? DOCTOR_WARNING : DOCTOR_OK,
               is_old ? "Is the file still kept current?  Keys are replaced now and then." : "",
               "issuer %s: %zu (%s) in %s, written %s ago", get_name(issuer), s->key_count,
               s->algorithms, s->jwks_uri, age);
}

static void tell_fetched(struct doctor *d, const postern_section *issuer, const postern_survey *s)
{
    char age[40] = "";

    if (s->max_age_s > 0)
        put_age(s->max_age_s, age);
    doctor_add(&d->report, "keys", DOCTOR_OK, "", "issuer %s: %zu (%s) at %s, fetched just now%s%s",
               get_name(issuer), s->key_count, s->algorithms, s->jwks_uri,
               age[0] == '\0' ? "" : ", good for ", age);
}

static void tell_keys(struct doctor *d, const postern_section *issuer, const postern_survey *s)
{
    if (s->key_count == 0)
        doctor_add(&d->report, "keys", DOCTOR_PROBLEM,
                   "No token of this issuer can be proved: it must publish a signing key (RSA of "
                   "2048 bits, P-256, P-384, P-521 or Ed25519).",
                   "issuer %s: %s holds no key that can be used, of %zu", get_name(issuer),
                   s->jwks_uri, s->skipped_count);
    else if (s->written_s >= 0)
        tell_file(d, issuer, s);
    else
        tell_fetched(d, issuer, s);
}

/* ---- clocks ---- */

static void tell_clock(struct doctor *d, const postern_section *issuer, const postern_survey *s)
{
    int64_t allowed_s = postern_section_number(issuer, "clock_skew"), off_s;

    if (s->date_s < 0) {
        if (s->written_s < 0)
            doctor_add(&d->report, "clock", DOCTOR_NOTE, "", "issuer %s does not tell its time",
                       get_name(issuer));
        return;
    }
    off_s = s->came_s - s->date_s;
    if (off_s >= -CLOCK_GRAIN_S && off_s <= CLOCK_GRAIN_S) {
        doctor_add(&d->report, "clock", DOCTOR_OK, "", "this clock and that of issuer %s agree",
                   get_name(issuer));
        return;
    }
    doctor_add(&d->report, "clock",
               llabs((long long)off_s) > allowed_s + CLOCK_GRAIN_S ? DOCTOR_PROBLEM
                                                                   : DOCTOR_WARNING,
               "Set this machine's clock (timedatectl, chrony), or the issuer's.",
               "this clock is %lld s %s that of issuer %s; clock_skew: allows %lld s",
               llabs((long long)off_s), off_s > 0 ? "ahead of" : "behind", get_name(issuer),
               (long long)allowed_s);
}

/* ---- asking ---- */

static postern_err look(const postern_section *issuer, postern_op **ret, postern_error *err)
{
    const postern_survey_target target = {
        .issuer = postern_section_text(issuer, "issuer"),
        .jwks_uri = postern_section_text(issuer, "jwks_uri"),
        .jwks_file = postern_section_text(issuer, "jwks_file"),
        .tls_ca_file = postern_section_text(issuer, "tls_ca_file"),
        .allow_loopback_http = postern_section_flag(issuer, "allow_loopback_http"),
        .listener_uid = geteuid(),
    };

    POSTERN_TRY(postern_survey_start(&target, NULL, ret, err));
    return postern_op_run(*ret, err);
}

static void check_issuer(struct doctor *d, const postern_section *issuer)
{
    POSTERN_AUTO(op) op = NULL;
    postern_error err = { 0 };
    postern_err e = look(issuer, &op, &err);
    const postern_survey *s = postern_survey_result(op);
    const char *advice = why_advice(e);

    if (e != POSTERN_OK)
        doctor_add(&d->report, "keys", DOCTOR_PROBLEM, advice == NULL ? "" : advice,
                   "issuer %s: %s: %s", get_name(issuer), postern_err_text(e), err.detail);
    else if (s != NULL)
        tell_keys(d, issuer, s);
    if (s != NULL)
        tell_clock(d, issuer, s);
}

void doctor_check_issuers(struct doctor *d)
{
    const postern_section *issuer;

    for (size_t i = 0; (issuer = postern_config_trusted_by(d->config, d->section, i)) != NULL; i++)
        check_issuer(d, issuer);
}
