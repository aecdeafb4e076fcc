/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern init`: from a service's name and an issuer's URL to the two files that posternd needs,
 * and to the lines that host and issuer need.  Asks the issuer first, writes then, checks what it
 * wrote as posternd does, and takes it back when that is not good.  See postern(1).
 */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "init.h"
#include "options.h"
#include "posternd_check.h"
#include "token.h"

static const struct option long_options[] = {
    { "issuer", required_argument, NULL, 'i' },
    { "host", required_argument, NULL, 'H' },
    { "provider", required_argument, NULL, 'p' },
    { "name", required_argument, NULL, 'n' },
    { "audience", required_argument, NULL, 'a' },
    { "peer", required_argument, NULL, 'P' },
    { "scope", required_argument, NULL, 's' },
    { "ca-file", required_argument, NULL, 'C' },
    { "allow-loopback-http", no_argument, NULL, 'l' },
    { "loopback-user", required_argument, NULL, 'u' },
    { "config", required_argument, NULL, 'c' },
    { "dry-run", no_argument, NULL, 'd' },
    { "force", no_argument, NULL, 'f' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_help(void)
{
    fputs("usage: postern init SERVICE --issuer URL [OPTION ...]\n"
          "\n"
          "Looks at the issuer, writes issuers/NAME.conf and services/SERVICE.conf, checks them, "
          "and\n"
          "prints what goes into the host's files and what the issuer needs.\n"
          "\n"
          "  --issuer URL           the authorization server, exactly as it calls itself\n"
          "  --host HOST            this server's name in audiences [the machine's]\n"
          "  --audience AUD         what tokens must be meant for [https://HOST/SERVICE]\n"
          "  --scope S              a scope that tokens must hold; may be repeated\n"
          "  --peer USER            as whom the host runs, or group:NAME; may be repeated\n"
          "  --provider NAME        rfc9068, keycloak, entra or okta, where the guess is wrong\n"
          "  --name NAME            of the issuer's file [from its URL]\n"
          "  --ca-file FILE         authorities for the issuer's HTTPS [the system's]\n"
          "  --allow-loopback-http  the issuer may be http:// on loopback\n"
          "  --loopback-user USER   whose listener is believed there, besides root's\n"
          "  --config DIR           folder of the configuration [" POSTERN_SYSCONFDIR "]\n"
          "  --dry-run              print the files instead of writing them\n"
          "  --force                replace files that are there\n"
          "\nServices with lines of their own:",
          stdout);
    for (size_t i = 0; host_at(i)->name[0] != '\0'; i++)
        printf(" %s", host_at(i)->name);
    puts(".\nAny other name is taken for a SASL host, and wants --peer.  Doors are files in "
         "doors/.\n"
         "Exit status: 0 done, 1 a file is in the way or posternd would not start, 2 usage, 3 "
         "undecided.");
}

/* ---- what is asked for ---- */

/* A word that a file's list can hold. */
static bool add_word(char list[INIT_LIST_MAX], const char *word)
{
    size_t used = strlen(list), len = strlen(word);

    if (len == 0 || used + len + 2 > INIT_LIST_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (word[i] <= ' ' || word[i] >= 0x7f)
            return false;
    if (used != 0)
        list[used++] = ' ';
    memcpy(list + used, word, len + 1);
    return true;
}

static bool is_one_word(const char *text)
{
    char room[INIT_LIST_MAX] = "";

    return add_word(room, text);
}

static bool is_host_name(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

    return text[0] != '\0' && strlen(text) < 256 && text[strspn(text, allowed)] == '\0';
}

static bool is_provider(const char *text)
{
    static const char *const words[] = { "rfc9068", "keycloak", "entra", "okta" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], text) == 0)
            return true;
    return false;
}

static bool set_text(const char **field, const char *value, bool is_good)
{
    bool is_first = *field == NULL;

    *field = value;
    return is_first && is_good;
}

static bool take_flag(struct init *in, int option)
{
    in->allow_loopback_http |= option == 'l';
    in->is_dry |= option == 'd';
    in->is_forced |= option == 'f';
    in->is_help |= option == 'h';
    return true;
}

static bool take_option(void *arg, int option, const char *value)
{
    struct init *in = arg;

    switch (option) {
    case 0:
        return set_text(&in->service, value, host_is_service_name(value));
    case 'i':
        return set_text(&in->issuer, value, is_one_word(value));
    case 'H':
        return set_text(&in->host, value, is_host_name(value));
    case 'p':
        return set_text(&in->provider, value, is_provider(value));
    case 'n':
        return set_text(&in->name, value, host_is_service_name(value));
    case 'a':
        return set_text(&in->audience, value, is_one_word(value));
    case 'P':
        return add_word(in->peers, value);
    case 's':
        return add_word(in->scopes, value);
    case 'C':
        return set_text(&in->tls_ca_file, value, true);
    case 'u':
        return token_loopback_user(value, &in->loopback_uid, NULL) == POSTERN_OK;
    case 'c':
        return set_text(&in->config_dir, value, true);
    default:
        return take_flag(in, option);
    }
}

/* ---- this machine ---- */

static postern_err find_host_name(struct init *in, postern_error *err)
{
    if (in->host != NULL) {
        memcpy(in->host_name, in->host, strlen(in->host) + 1); /* is_host_name() bounded it */
        return POSTERN_OK;
    }
    if (gethostname(in->host_name, sizeof in->host_name - 1) != 0 || !is_host_name(in->host_name))
        return POSTERN_FAIL(err, USAGE, "this machine has no name of its own; --host names it");
    return POSTERN_OK;
}

static bool is_here(const char *user)
{
    if (strncmp(user, "group:", 6) == 0)
        return getgrnam(user + 6) != NULL;
    return user[strspn(user, "0123456789")] == '\0' || getpwnam(user) != NULL;
}

/* Who comes with the name of a program or of a row in README.md is told what to type. */
static postern_err fail_unknown(const char *service, postern_error *err)
{
    const char *page = host_door_page(service);
    const struct host *meant = host_guess(service);

    if (page != NULL)
        return POSTERN_FAIL(err, USAGE,
                            "%s does not ask about tokens; put a door before it: "
                            "doors/NAME.conf, see %s",
                            service, page);
    if (meant != NULL)
        return POSTERN_FAIL(err, USAGE,
                            "nothing is known of a host named %s: did you mean %s (%s)?  For "
                            "another one --peer USER says as whom it runs",
                            service, meant->name, meant->title);
    return POSTERN_FAIL(err, USAGE,
                        "nothing is known of a host named %s: --peer USER says as whom it runs",
                        service);
}

/* The first of the host's usual users that is on this machine; the likeliest when none is. */
static postern_err find_peers(struct init *in, postern_error *err)
{
    char user[HOST_USER_MAX], first[HOST_USER_MAX] = "";

    if (in->peers[0] != '\0') {
        in->has_user = true; /* who says it knows */
        return POSTERN_OK;
    }
    for (size_t i = 0; !in->has_user && host_user_at(in->row, i, user); i++) {
        if (i == 0)
            memcpy(first, user, sizeof first);
        in->has_user = is_here(user);
    }
    if (first[0] == '\0')
        return fail_unknown(in->service, err);
    return add_word(in->peers, in->has_user ? user : first)
               ? POSTERN_OK
               : POSTERN_FAIL(err, INTERNAL, "a user of hosts.def");
}

static postern_err find_audience(struct init *in, postern_error *err)
{
    int len;

    if (in->audience != NULL)
        return POSTERN_OK;
    len = snprintf(in->own_audience, sizeof in->own_audience, "https://%s/%s", in->host_name,
                   in->service);
    if (len < 0 || (size_t)len >= sizeof in->own_audience)
        return POSTERN_FAIL(err, USAGE, "the audience would be too long; --audience names another");
    in->audience = in->own_audience;
    return POSTERN_OK;
}

/* ---- what is there already ---- */

static void note_known_issuer(struct init *in, const postern_section *s)
{
    const char *name = postern_section_name(s);

    if (in->name != NULL || strlen(name) >= sizeof in->issuer_name)
        return; /* another name is wanted: then its file is written */
    in->is_known_issuer = true;
    in->provider = in->provider != NULL ? in->provider : postern_section_text(s, "provider");
    memcpy(in->issuer_name, name, strlen(name) + 1);
}

static bool is_issuer(const postern_section *s, const char *issuer)
{
    return s != NULL && strcmp(postern_section_text(s, "issuer"), issuer) == 0;
}

static postern_err look_at_config(struct init *in, postern_config *c, postern_error *err)
{
    const postern_section *server = postern_config_section(c, POSTERN_SECTION_SERVER, NULL), *s;

    for (size_t i = 0; (s = postern_config_section_at(c, POSTERN_SECTION_ISSUER, i)) != NULL; i++)
        if (is_issuer(s, in->issuer))
            note_known_issuer(in, s);
    if (!is_issuer(server, in->issuer))
        return POSTERN_OK;
    in->is_embedded = true;
    in->allow_loopback_http = strncmp(in->issuer, "http:", 5) == 0;
    if (strlen(postern_section_text(server, "jwks_file")) >= sizeof in->jwks_file)
        return POSTERN_FAIL(err, CONFIG_VALUE, "jwks_file of issuer.conf is too long");
    memcpy(in->jwks_file, postern_section_text(server, "jwks_file"),
           strlen(postern_section_text(server, "jwks_file")) + 1);
    return POSTERN_OK;
}

/* No folder yet is no fault. */
static postern_err look_at_folder(struct init *in, postern_config **ret, postern_error *err)
{
    struct stat st;

    if (stat(in->config_dir, &st) != 0 && errno == ENOENT)
        return POSTERN_OK;
    POSTERN_TRY(postern_config_load(in->config_dir, ret, err));
    return look_at_config(in, *ret, err);
}

/* ---- the issuer ---- */

/* It becomes a line of a file: a name with a line break in it would be two. */
static postern_err find_ca_file(struct init *in, postern_error *err)
{
    char path[PATH_MAX];

    if (in->tls_ca_file == NULL)
        return POSTERN_OK;
    if (realpath(in->tls_ca_file, path) == NULL)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", in->tls_ca_file);
    if (strlen(path) >= sizeof in->ca_path || postern_bytes_has_control(postern_bytes_str(path)))
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: no configuration can hold that path", path);
    memcpy(in->ca_path, path, strlen(path) + 1);
    in->tls_ca_file = in->ca_path;
    return POSTERN_OK;
}

static postern_err survey(struct init *in, postern_error *err)
{
    const postern_survey_target target = {
        .issuer = in->issuer,
        .tls_ca_file = in->tls_ca_file,
        .allow_loopback_http = in->allow_loopback_http,
        .listener_uid = in->loopback_uid,
    };
    POSTERN_AUTO(op) op = NULL;

    POSTERN_TRY(postern_survey_start(&target, NULL, &op, err));
    POSTERN_TRY(postern_op_run(op, err));
    in->survey = *postern_survey_result(op);
    if (in->survey.key_count == 0)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s holds no key that can be used, of %zu",
                            in->survey.jwks_uri, in->survey.skipped_count);
    return POSTERN_OK;
}

static postern_err find_issuer(struct init *in, postern_error *err)
{
    if (init_guess_is_entra_v1(in->issuer))
        return POSTERN_FAIL(
            err, USAGE,
            "that is Entra's issuer of tokens of version 1; the one of version 2 ends "
            "with /v2.0, and \"requestedAccessTokenVersion\": 2 asks for it");
    POSTERN_TRY(find_ca_file(in, err));
    if (in->is_known_issuer)
        return POSTERN_OK;
    if (!in->is_embedded)
        POSTERN_TRY(survey(in, err));
    if (in->provider == NULL)
        in->provider = in->is_embedded ? "rfc9068" : init_guess_provider(in->issuer, &in->survey);
    if (in->name != NULL)
        memcpy(in->issuer_name, in->name, strlen(in->name) + 1); /* host_is_service_name() */
    else if (in->is_embedded)
        memcpy(in->issuer_name, "local", sizeof "local");
    else
        init_guess_name(in->issuer, in->provider, in->issuer_name);
    return POSTERN_OK;
}

/* ---- the files ---- */

static postern_err name_file(struct init_file *f, const struct init *in, const char *folder,
                             const char *name, postern_error *err)
{
    int len = snprintf(f->path, sizeof f->path, "%s/%s/%s.conf", in->config_dir, folder, name);

    if (len < 0 || (size_t)len >= sizeof f->path)
        return POSTERN_FAIL(err, USAGE, "the configuration's folder has too long a name");
    return POSTERN_OK;
}

static postern_err make_texts(struct init *in, postern_error *err)
{
    const struct init_issuer_text issuer = {
        .issuer = in->issuer,
        .provider = in->provider,
        .tls_ca_file = in->tls_ca_file,
        .jwks_file = in->is_embedded ? in->jwks_file : NULL,
        .allow_loopback_http = in->allow_loopback_http && strncmp(in->issuer, "http:", 5) == 0,
    };
    const struct init_service_text service = {
        .audience = in->audience,
        .issuer_name = in->issuer_name,
        .peers = in->peers,
        .scopes = in->scopes,
        .require_tls = in->row->require_tls,
        .mech_list = in->row->mech_list,
        .username_chars = in->row->username_chars,
    };

    POSTERN_TRY(name_file(&in->issuer_file, in, "issuers", in->issuer_name, err));
    POSTERN_TRY(name_file(&in->service_file, in, "services", in->service, err));
    in->issuer_file.text = POSTERN_BUF_INIT(INIT_TEXT_MAX);
    in->service_file.text = POSTERN_BUF_INIT(INIT_TEXT_MAX);
    init_write_issuer(&issuer, &in->issuer_file.text);
    init_write_service(&service, &in->service_file.text);
    if (in->issuer_file.text.failed || in->service_file.text.failed)
        return POSTERN_FAIL(err, NOMEM, "the two files");
    return POSTERN_OK;
}

static postern_err put_files(struct init *in, postern_error *err)
{
    if (!in->is_known_issuer)
        POSTERN_TRY(init_file_put(&in->issuer_file, in->is_forced, err));
    return init_file_put(&in->service_file, in->is_forced, err);
}

/* By the code that posternd reads it with. */
static postern_err check_folder(const struct init *in, postern_error *err)
{
    POSTERN_AUTO(config) c = NULL;

    return postern_config_load(in->config_dir, &c, err);
}

/* A folder that was good and is not any more is put back as it was. */
static postern_err write_and_check(struct init *in, postern_error *err)
{
    postern_err e = put_files(in, err), back;
    postern_error why = { 0 };

    if (e == POSTERN_OK)
        e = check_folder(in, err);
    if (e == POSTERN_OK)
        return e;
    back = init_file_take_back(&in->service_file, &why);
    if (back == POSTERN_OK)
        back = init_file_take_back(&in->issuer_file, &why);
    if (back != POSTERN_OK)
        fprintf(stderr, "postern init: could not be undone: %s\n", why.detail);
    return e;
}

static bool print_text(const struct init_file *f)
{
    return printf("\n# == %s ==\n", f->path) > 0 &&
           fwrite(f->text.ptr, 1, f->text.len, stdout) == f->text.len;
}

static postern_err print_files(const struct init *in, postern_error *err)
{
    if ((!in->is_known_issuer && !print_text(&in->issuer_file)) || !print_text(&in->service_file))
        return POSTERN_FAIL(err, SYSTEM, "standard output: %m");
    return POSTERN_OK;
}

/* What the files alone cannot show (accounts, sockets, doors): false when posternd would not start.
 */
static bool check_by_posternd(const struct init *in)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    enum posternd_check_outcome outcome = posternd_check(in->config_dir, &out);
    const char *text = postern_buf_cstr(&out);

    if (outcome == POSTERND_CHECK_GOOD)
        puts("posternd --check: good");
    if (outcome == POSTERND_CHECK_FAULTY)
        printf("\nThe two files are good, but posternd would not start yet:\n%s",
               text == NULL ? "" : text);
    return outcome != POSTERND_CHECK_FAULTY;
}

static void tell_written(const struct init *in)
{
    puts("");
    if (!in->is_known_issuer)
        printf("Written: %s\n", in->issuer_file.path);
    printf("Written: %s\n", in->service_file.path);
}

/* ---- all of it ---- */

static postern_err prepare(struct init *in, postern_config **ret, postern_error *err)
{
    in->row = host_find(in->service);
    POSTERN_TRY(find_host_name(in, err));
    POSTERN_TRY(find_peers(in, err));
    POSTERN_TRY(find_audience(in, err));
    POSTERN_TRY(look_at_folder(in, ret, err));
    POSTERN_TRY(find_issuer(in, err));
    return make_texts(in, err);
}

static postern_err run(struct init *in, bool *ret_is_good, postern_error *err)
{
    POSTERN_AUTO(config) config = NULL; /* texts of `in` are its own until the end */

    POSTERN_TRY(prepare(in, &config, err));
    init_print_found(in);
    *ret_is_good = true;
    if (in->is_dry) {
        POSTERN_TRY(print_files(in, err));
    } else {
        POSTERN_TRY(write_and_check(in, err));
        tell_written(in);
        *ret_is_good = check_by_posternd(in);
    }
    init_print_steps(in);
    return fflush(stdout) == 0 ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "standard output: %m");
}

/* Of an issuer that was asked: before anything is written. */
static const char *issuer_advice(postern_err code)
{
    switch (code) {
    case POSTERN_ERR_ISSUER_UNREACHABLE:
        return "Nothing was written.  Does the authorization server run, and is --issuer right?";
    case POSTERN_ERR_ISSUER_UNTRUSTED:
    case POSTERN_ERR_ISSUER_ANSWER:
        return "Nothing was written.  --issuer is exactly what the server calls itself; --ca-file "
               "names its authorities, --allow-loopback-http lets it be http:// on loopback.";
    default:
        return NULL;
    }
}

static int fail(const postern_error *err)
{
    const char *advice = issuer_advice(err->code);
    int status;

    (void)fflush(stdout); /* what was found comes before what failed */
    if (err->code == POSTERN_ERR_USAGE) {
        fprintf(stderr, "postern init: %s; see --help\n", err->detail);
        return CLI_USAGE;
    }
    if (err->code == POSTERN_ERR_CONFIG_CONFLICT) { /* a file that is there */
        fprintf(stderr, "postern init: %s\n", err->detail);
        return CLI_REJECTED;
    }
    status = cli_fail("init", err);
    if (advice != NULL)
        fprintf(stderr, "  to do:  %s\n", advice);
    return status;
}

int command_init(int argc, char **argv)
{
    struct init in = { 0 };
    postern_error err = { 0 };
    bool is_good = false;
    postern_err e;

    if (cli_options_read(&(struct cli_options){ "init", long_options, take_option, &in }, argc,
                         argv, &err) != POSTERN_OK)
        return cli_fail("init", &err);
    if (in.is_help) {
        print_help();
        return 0;
    }
    if (in.service == NULL || in.issuer == NULL) {
        fputs("postern init: SERVICE and --issuer are needed; see --help\n", stderr);
        return CLI_USAGE;
    }
    if (in.config_dir == NULL)
        in.config_dir = POSTERN_SYSCONFDIR;
    e = run(&in, &is_good, &err);
    init_file_free(&in.issuer_file);
    init_file_free(&in.service_file);
    if (e != POSTERN_OK)
        return fail(&err);
    return is_good ? CLI_PROVED : CLI_REJECTED;
}
