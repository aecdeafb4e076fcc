/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern doctor`: everything between a host and a proved token, check by check, each with what to
 * do. Reads the configuration that is there, loads what the host loads, asks posternd as the host's
 * user, and looks at the issuers; changes nothing.  See postern(1).
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "doctor.h"
#include "doctor_user.h"
#include "options.h"
#include "posternd_check.h"
#include "token.h"

/* Every finding at its longest, each byte escaped. */
#define OUTPUT_MAX (16 * 1024 * 1024)

static const struct option long_options[] = {
    { "peer", required_argument, NULL, 'P' },     { "module-dir", required_argument, NULL, 'm' },
    { "conf-dir", required_argument, NULL, 'C' }, { "helper-uid", required_argument, NULL, 'u' },
    { "config", required_argument, NULL, 'c' },   { "json", no_argument, NULL, 'j' },
    { "help", no_argument, NULL, 'h' },           { NULL, 0, NULL, 0 },
};

static void print_help(FILE *out)
{
    fputs(
        "usage: postern doctor [SERVICE|DOOR] [OPTION ...]\n"
        "       postern doctor SERVICE|DOOR [OPTION ...] < token\n"
        "\n"
        "Says of a service or door, or of all, what is well, what is not, and what to do.  With a\n"
        "token on standard input: which check stops it.  Changes nothing, and never prints the "
        "token.\n"
        "\n"
        "  --peer USER       as whom the host runs, where helper_peers: does not say\n"
        "  --module-dir DIR  where the plugin or module is [the distribution's place, SASL_PATH]\n"
        "  --conf-dir DIR    where the host's SASL file is, or that file; of PAM: its folder\n"
        "  --helper-uid UID  user of posternd, when that is not root\n"
        "  --config DIR      folder of the configuration [" POSTERN_SYSCONFDIR "]\n"
        "  --json            one JSON object\n"
        "\n"
        "Run it as root: only root sees with the host's eyes.\n"
        "Exit status: 0 all is well, 1 there is a problem, 2 usage.\n",
        out);
}

static bool set_text(const char **field, const char *value)
{
    bool is_first = *field == NULL;

    *field = value;
    return is_first && value[0] != '\0';
}

static bool take_option(void *arg, int option, const char *value)
{
    struct doctor *d = arg;

    switch (option) {
    case 0:
        return set_text(&d->service, value) && host_is_service_name(value);
    case 'P':
        return set_text(&d->peer, value);
    case 'm':
        return set_text(&d->module_dir, value);
    case 'C':
        return set_text(&d->conf_dir, value);
    case 'u':
        return token_loopback_user(value, &d->helper_uid, NULL) == POSTERN_OK;
    case 'c':
        return set_text(&d->config_dir, value);
    default:
        d->is_json |= option == 'j';
        d->is_help |= option == 'h';
        return true;
    }
}

/* ---- one service ---- */

/* As the host names itself: of several service_names the one that was asked for, else the first
 * that has a row. */
static const char *find_host_service(const struct doctor *d, const postern_section *s)
{
    const char *name, *first = NULL;

    for (size_t i = 0; (name = postern_section_item(s, "service_names", i)) != NULL; i++) {
        if (d->service != NULL && strcmp(d->service, name) == 0)
            return name;
        if (first == NULL ||
            (host_find(first)->name[0] == '\0' && host_find(name)->name[0] != '\0'))
            first = name;
    }
    return first != NULL ? first : postern_section_name(s);
}

static void check_saslauthd(struct doctor *d)
{
    const postern_section *daemon = postern_config_section(d->config, POSTERN_SECTION_DAEMON, NULL);
    const char *path = postern_section_text(daemon, "saslauthd_socket"), *name;

    for (size_t i = 0; (name = postern_section_item(daemon, "services", i)) != NULL; i++)
        if (strcmp(name, postern_section_name(d->section)) == 0) {
            bool is_there = access(path, F_OK) == 0;

            doctor_add(&d->report, "saslauthd", is_there ? DOCTOR_OK : DOCTOR_PROBLEM,
                       is_there ? "" : "Start posternd, or reload it.", "saslauthd_socket: %s%s",
                       path, is_there ? "" : ": is not there");
            return;
        }
    doctor_add(&d->report, "saslauthd", DOCTOR_PROBLEM,
               "Write saslauthd_socket: and services: into postern.conf.",
               "no saslauthd socket serves %s", postern_section_name(d->section));
}

static void check_host(struct doctor *d)
{
    struct child_user user;
    bool is_known = doctor_find_user(d, &user) && doctor_user_can_be(&user);
    const struct child_user *as = is_known && geteuid() == 0 ? &user : NULL;

    if (d->row->kind == HOST_SASL)
        doctor_check_plugin(d, as);
    else if (d->row->kind == HOST_PAM)
        doctor_check_pam(d, as);
    else if (d->row->kind == HOST_POSTGRESQL)
        doctor_check_postgresql(d, as);
    else
        check_saslauthd(d);
    if (d->row->kind != HOST_SASLAUTHD)
        doctor_check_sockets(d);
    if (d->row->kind == HOST_SASL)
        doctor_check_mechanism(d, as);
}

static void check_case(struct doctor *d)
{
    char advice[DOCTOR_ADVICE_MAX];

    if (d->row->username_chars[0] == '\0' ||
        postern_config_names_have_one_case(d->config, d->section))
        return;
    (void)snprintf(advice, sizeof advice,
                   "Write username_chars: %s; whose name has a capital comes in by a "
                   "username_map_file.",
                   d->row->username_chars);
    doctor_add(&d->report, "case", DOCTOR_WARNING, advice,
               "ALICE and alice are one user at %s, and username_chars: allows both cases",
               d->row->title);
}

static void check_service(struct doctor *d, const postern_section *s)
{
    d->section = s;
    d->host_service = find_host_service(d, s);
    d->row = host_find(d->host_service);
    d->report.service = postern_section_name(s);
    doctor_add(&d->report, "file", DOCTOR_OK, "", "services/%s.conf, for %s",
               postern_section_name(s), d->row->title);
    if (strcmp(d->row->require_tls, "host") == 0 &&
        strcmp(postern_section_text(s, "require_tls"), "yes") == 0)
        doctor_add(
            &d->report, "tls", DOCTOR_WARNING,
            "Write require_tls: host, and see to it that the host itself demands TLS.",
            "%s mostly does not tell of TLS, and require_tls: is yes: then logins are refused",
            d->row->title);
    check_case(d);
    check_host(d);
    doctor_check_issuers(d);
    if (d->service != NULL)
        doctor_check_token(d);
}

/* ---- one door: posternd --check looked at its files and policy ---- */

static void check_door(struct doctor *d, const postern_section *s)
{
    d->section = s;
    d->host_service = d->report.service = postern_section_name(s);
    doctor_add(&d->report, "file", DOCTOR_OK, "", "doors/%s.conf, %s at %s before %s",
               postern_section_name(s), postern_section_text(s, "protocol"),
               postern_section_item(s, "listen", 0), postern_section_text(s, "backend"));
    doctor_check_issuers(d);
    if (d->service != NULL)
        doctor_check_token(d);
}

/* ---- one of them, or all ---- */

static void check_named(struct doctor *d)
{
    const postern_section *s = postern_config_service_for(d->config, d->service);
    const postern_section *door =
        postern_config_section(d->config, POSTERN_SECTION_DOOR, d->service);

    if (s != NULL)
        check_service(d, s);
    else if (door != NULL)
        check_door(d, door);
    else
        doctor_add(&d->report, "file", DOCTOR_PROBLEM,
                   "Set it up: postern init SERVICE --issuer URL, or a file in doors/.",
                   "no file of services/ or doors/ answers to %s", d->service);
}

static void check_services(struct doctor *d)
{
    const postern_section *s;
    size_t services = 0, doors = 0;

    for (; (s = postern_config_section_at(d->config, POSTERN_SECTION_SERVICE, services)) != NULL;
         services++)
        check_service(d, s);
    for (; (s = postern_config_section_at(d->config, POSTERN_SECTION_DOOR, doors)) != NULL; doors++)
        check_door(d, s);
    if (services == 0 && doors == 0)
        doctor_add(&d->report, "file", DOCTOR_WARNING,
                   "Set one up: postern init SERVICE --issuer URL, or a file in doors/.",
                   "there is no service and no door");
}

/* ---- all of it ---- */

/* By the program that would start with it: accounts, sockets, doors. */
static void check_by_posternd(struct doctor *d)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    enum posternd_check_outcome outcome = posternd_check(d->config_dir, &out);
    const char *said;

    while (out.len != 0 && out.ptr[out.len - 1] == '\n')
        out.len--;
    said = postern_buf_cstr(&out);
    if (outcome == POSTERND_CHECK_GOOD)
        doctor_add(&d->report, "configuration", DOCTOR_OK, "", "%s is good: posternd --check",
                   d->config_dir);
    else if (outcome == POSTERND_CHECK_NONE)
        doctor_add(&d->report, "configuration", DOCTOR_OK, "", "%s is good", d->config_dir);
    else if (geteuid() != 0 && said != NULL && strstr(said, "Permission denied") != NULL)
        doctor_add(&d->report, "configuration", DOCTOR_NOTE, "Run it as root.",
                   "whether posternd would start only root can tell: %s", said);
    else
        doctor_add(&d->report, "configuration", DOCTOR_PROBLEM,
                   "Mend it; posternd --check tests it.", "posternd would not start: %s",
                   said == NULL ? "" : said);
}

static void check_all(struct doctor *d)
{
    POSTERN_AUTO(config) config = NULL;
    postern_error err = { 0 };

    if (access(d->config_dir, F_OK) != 0 && errno == ENOENT) {
        doctor_add(&d->report, "configuration", DOCTOR_PROBLEM,
                   "Make it: postern init SERVICE --issuer URL.", "there is no folder %s",
                   d->config_dir);
        return;
    }
    if (postern_config_load(d->config_dir, &config, &err) != POSTERN_OK) {
        doctor_add(&d->report, "configuration", DOCTOR_PROBLEM,
                   "Mend the line; posternd --check tests it.", "%s: %s",
                   postern_err_text(err.code), err.detail);
        return;
    }
    d->config = config;
    check_by_posternd(d);
    if (geteuid() != 0)
        doctor_add(&d->report, "user", DOCTOR_NOTE, "Run it as root.",
                   "some of it only root can see; this is what uid %ju sees", (uintmax_t)geteuid());
    if (d->service != NULL)
        check_named(d);
    else
        check_services(d);
}

static int print(const struct doctor *d)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(OUTPUT_MAX);

    if (d->is_json)
        doctor_put_json(&d->report, &out);
    else
        doctor_put_text(&d->report, &out);
    if (out.failed || fwrite(out.ptr, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
        fputs("postern doctor: the result could not be written\n", stderr);
        return CLI_REJECTED;
    }
    return doctor_is_well(&d->report) ? CLI_PROVED : CLI_REJECTED;
}

int command_doctor(int argc, char **argv)
{
    struct doctor d = { 0 };
    postern_error err = { 0 };
    int status;

    if (cli_options_read(&(struct cli_options){ "doctor", long_options, take_option, &d }, argc,
                         argv, &err) != POSTERN_OK)
        return cli_fail("doctor", &err);
    if (d.is_help) {
        print_help(stdout);
        return 0;
    }
    if (d.config_dir == NULL)
        d.config_dir = POSTERN_SYSCONFDIR;
    token_set_dumpable(false);
    check_all(&d);
    token_set_dumpable(true); /* all is wiped: leak checkers may look */
    status = print(&d);
    doctor_report_free(&d.report);
    return status;
}
