/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern why REF`: the audit record of a reference in plain words: when, who asked, which check
 * decided, which line of which file, what to change.  Reads the audit file, asks no daemon.  See
 * postern(1).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include <postern/config.h>

#include "audit_find.h"
#include "audit.h"
#include "cli.h"
#include "safe_text.h"
#include "why_advice.h"

#define PRINTED_MAX (6u << 18) /* bytes of one text: a line that audit_find() takes, each byte as \\u0000 */

#define REASON_MAX 64 /* bytes with NUL: twice the longest */

enum { WHY_FOUND = 0, WHY_NOT_FOUND = 1, WHY_USAGE = 2, WHY_UNREADABLE = 3 };

struct why_options {
    const char *ref;
    const char *audit_file; /* NULL: as the configuration says */
    const char *config_dir;
    bool        as_json;
    bool        wants_help;
};

static const struct option long_options[] = {
    { "audit-file", required_argument, NULL, 'a' }, { "config", required_argument, NULL, 'c' },
    { "json", no_argument, NULL, 'j' },             { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_why_usage(FILE *out)
{
    fputs("usage: postern why [--audit-file FILE | --config DIR] [--json] REF\n\n"
          "Says why the login or action with that reference was accepted, refused or held, and what to\n"
          "change.\n"
          "REF stands in the host's log and in what the client was told.\n\n"
          "Exit status: 0 found, 1 not found, 2 usage, 3 the audit file cannot be read.\n", out);
}

static bool parse_why_options(int argc, char **argv, struct why_options *o)
{
    int letter;

    *o = (struct why_options){ .config_dir = POSTERN_SYSCONFDIR };
    optind = 0;
    while ((letter = getopt_long(argc, argv, "a:c:jh", long_options, NULL)) != -1) {
        switch (letter) {
        case 'a': o->audit_file = optarg; break;
        case 'c': o->config_dir = optarg; break;
        case 'j': o->as_json = true; break;
        case 'h': o->wants_help = true; return true;
        default: return false;
        }
    }
    if (optind != argc - 1)
        return false;
    o->ref = argv[optind];
    return true;
}

/* ---- printing ---- */

static void print_buf(postern_buf *text)
{
    const char *printable = postern_buf_cstr(text);

    fputs(printable != NULL ? printable : "(out of memory)", stdout);
}

/* A member as text; nothing when it is not there. */
static void print_member(const postern_json *j, const char *name)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(PRINTED_MAX);

    if (safe_member_add(j, name, &text))
        print_buf(&text);
}

static bool has_member(const postern_json *j, const char *name)
{
    return postern_json_member(j, 0, name) != POSTERN_JSON_ABSENT;
}

struct part { const char *name; const char *before; };

/* "  LABEL  before1 value1 before2 value2": the parts that are there; nothing when none is. */
static void print_parts(const postern_json *j, const char *label, const struct part *parts, size_t count)
{
    bool is_first = true;

    for (size_t i = 0; i < count; i++) {
        if (!has_member(j, parts[i].name))
            continue;
        if (is_first)
            printf("  %-9s", label);
        else
            fputs(", ", stdout);
        fputs(parts[i].before, stdout);
        print_member(j, parts[i].name);
        is_first = false;
    }
    if (!is_first)
        putchar('\n');
}

static const struct part asked_parts[] = {
    { "service", "service " }, { "peer", "client at " },      { "pid", "by process " },
    { "uid", "of uid " },      { "carrier", "carried by " }, { "tls", "TLS " },
    { "authzid", "wants to be " },
};
static const struct part token_parts[] = {
    { "iss", "issuer " }, { "client_id", "client " }, { "sub", "subject " },     { "user", "local user " },
    { "jti", "id " },     { "scope", "scope " },      { "fingerprint", "fingerprint " },
};
static const struct part detail_parts[] = { { "detail", "" } };
static const struct part policy_parts[] = {
    { "action", "" },
    { "resource", "on " },
    { "more_resources", "more resources " },
    { "database", "in database " },
    { "args_digest", "arguments " },
    { "rule", "rule " },
    { "user_rule", "and " },
    { "would", "would " },
    { "because", "because " },
    { "approver", "judged by " },
};
static const struct part purpose_parts[] = {
    { "purpose", "" },
    { "claimed_purpose", "as the call said (nobody judged it) " },
};
static const struct part decided_parts[] = { { "setting", "" }, { "origin", "from " } };

#define PRINT_PARTS(j, label, parts) print_parts((j), (label), (parts), sizeof(parts) / sizeof((parts)[0]))

/* The record's reason as text; false: there is none, or a longer one than any. */
static bool read_reason(const postern_json *j, char reason[REASON_MAX])
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(4096);
    postern_bytes text;

    if (!postern_json_string(j, postern_json_member(j, 0, "reason"), &scratch, &text) ||
        text.len >= REASON_MAX || postern_bytes_find(text, 0) != text.len)
        return false;
    memcpy(reason, text.ptr, text.len);
    reason[text.len] = '\0';
    return true;
}

/* The code of the record's reason; POSTERN_ERR_UNSET for one that this version does not know. */
static postern_err reason_of(const postern_json *j)
{
    char reason[REASON_MAX];

    if (postern_json_string_is(j, postern_json_member(j, 0, "outcome"), postern_outcome_name(POSTERN_PROVED)))
        return POSTERN_OK;
    return read_reason(j, reason) ? postern_err_from_reason(reason) : POSTERN_ERR_UNSET;
}

/* Of what is judged while a session lives, not of its beginning. */
static bool is_about_action(const postern_json *j)
{
    static const char *const events[] = { "action", "actions", "held", "approve" };
    uint32_t event = postern_json_member(j, 0, "event");

    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (postern_json_string_is(j, event, events[i]))
            return true;
    return false;
}

static const char *advice_for(const postern_json *j, postern_err code)
{
    char reason[REASON_MAX];
    const char *advice = NULL;

    if (code == POSTERN_OK && postern_json_string_is(j, postern_json_member(j, 0, "would"), "deny"))
        return WHY_ADVICE_SHADOW;
    if (code != POSTERN_OK && is_about_action(j) && read_reason(j, reason))
        advice = why_advice_action(reason);
    return advice != NULL ? advice : why_advice(code);
}

static const char *outcome_words(const postern_json *j, postern_err code)
{
    uint32_t outcome = postern_json_member(j, 0, "outcome");

    if (code == POSTERN_ERR_HELD)
        return "held";

    if (postern_json_string_is(j, outcome, postern_outcome_name(POSTERN_PROVED)))
        return "accepted";
    return postern_json_string_is(j, outcome, postern_outcome_name(POSTERN_REJECTED)) ?
               "refused" :
               "undecided (and so the door stayed closed)";
}

static void print_check(const postern_json *j, postern_err code)
{
    if (code == POSTERN_OK)
        return;
    fputs("  check    ", stdout);
    if (code != POSTERN_ERR_UNSET)
        printf("%s: ", postern_err_text(code));
    print_member(j, "reason");
    if (code != POSTERN_ERR_UNSET)
        printf(" (%s)", postern_err_source(code));
    putchar('\n');
}

static void print_record(const postern_json *j)
{
    postern_err code = reason_of(j);
    const char *advice = advice_for(j, code);

    print_member(j, "ref");
    printf(": %s at ", outcome_words(j, code));
    print_member(j, "time");
    putchar('\n');
    PRINT_PARTS(j, "asked", asked_parts);
    PRINT_PARTS(j, "token", token_parts);
    print_check(j, code);
    PRINT_PARTS(j, "detail", detail_parts);
    PRINT_PARTS(j, "policy", policy_parts);
    PRINT_PARTS(j, "purpose", purpose_parts);
    PRINT_PARTS(j, "decided", decided_parts);
    printf("  advice   %s\n",
           advice != NULL ? advice : "This reason is of another version of Postern; see its postern(1).");
}

/* ---- the command ---- */

static void print_json(const postern_json *j)
{
    safe_json_print(stdout, postern_json_raw(j, 0));
    putchar('\n');
}

static int report(const struct why_options *o, const struct audit_found *found, const char *path)
{
    if (found->damaged_lines != 0)
        fprintf(stderr, "postern why: %s holds %llu damaged lines that name %s\n", path,
                (unsigned long long)found->damaged_lines, o->ref);
    if (!found->is_found) {
        fprintf(stderr,
                "postern why: no record of %s in %s; for an older one name the rotated file with "
                "--audit-file\n",
                o->ref, path);
        return WHY_NOT_FOUND;
    }
    if (o->as_json) {
        print_json(&found->json);
    } else {
        print_record(&found->json);
    }
    return fflush(stdout) == 0 ? WHY_FOUND : WHY_UNREADABLE;
}

static int fail_why(const postern_error *err)
{
    (void)cli_fail("why", err);
    return err->code == POSTERN_ERR_USAGE ? WHY_USAGE : WHY_UNREADABLE;
}

int command_why(int argc, char **argv)
{
    POSTERN_AUTO(config) config = NULL;
    struct why_options o;
    struct audit_found found;
    const char *path = "";
    postern_error err;
    int fd = -1, status;

    if (!parse_why_options(argc, argv, &o)) {
        print_why_usage(stderr);
        return WHY_USAGE;
    }
    if (o.wants_help) {
        print_why_usage(stdout);
        return WHY_FOUND;
    }
    if (audit_file_path(o.audit_file, o.config_dir, "--audit-file", &config, &path, &err) != POSTERN_OK ||
        audit_file_open(path, &fd, &err) != POSTERN_OK)
        return fail_why(&err);
    status = audit_find(fd, o.ref, &found, &err) == POSTERN_OK ? report(&o, &found, path) : fail_why(&err);
    audit_found_free(&found);
    (void)close(fd);
    return status;
}
