/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a host loads: our SASL plugin by libsasl, pam_postern.so by PAM, the validator by
 * PostgreSQL.  Each is really loaded, in a child that is the host's user: it may lack a library,
 * belong to another architecture, or not be his to read.
 */
#include "config.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"

/* A host's libsasl asks posternd, which has 5 s; and time to load. */
#define LOAD_DEADLINE_MS 15000
#define PAM_FILE_MAX     65536

/* False, and told: the child said nothing that can be used. */
static bool run_child(struct doctor *d, const char *check, const struct child_job *job,
                      postern_buf *said)
{
    postern_error err = { 0 };
    int status = 0;

    if (child_run(job, said, &status, &err) != POSTERN_OK) {
        doctor_add(&d->report, check, DOCTOR_PROBLEM, "", "loading it: %s", err.detail);
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    doctor_add(&d->report, check, DOCTOR_PROBLEM,
               "A process that loads it ends that way too: reinstall Postern.",
               "a process that loaded it ended by %s %d", WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return false;
}

/* ---- SASL ---- */

static void tell_loaded(struct doctor *d, postern_bytes said)
{
    char path[CHILD_VALUE_MAX] = "", why[CHILD_VALUE_MAX] = "";
    bool is_found = child_said(said, "plugin", 0, path);

    if (child_said(said, "no-library", 0, why))
        doctor_add(&d->report, "plugin", DOCTOR_PROBLEM, "Install libsasl2 (Debian: libsasl2-2).",
                   "libsasl cannot be loaded: %s", why);
    else if (!is_found && child_said(said, "folders", 0, why))
        doctor_add(&d->report, "plugin", DOCTOR_PROBLEM,
                   "Install it there, or say where the host looks: --module-dir DIR.",
                   "liboauthbearer.so is not in %s", why);
    else if (child_said(said, "loaded", 0, why))
        doctor_add(&d->report, "plugin", DOCTOR_OK, "", "%s, and it loads", path);
    else if (child_said(said, "links", 0, why))
        doctor_add(&d->report, "plugin", DOCTOR_PROBLEM,
                   "It was built for another machine, or a library that it needs is missing.", "%s",
                   why);
    else
        doctor_add(&d->report, "plugin", DOCTOR_PROBLEM,
                   "Let everybody read it: chmod 644, and 755 for the folders above it.",
                   "%s is there, but the host's user may not read it", path);
}

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static struct doctor_sasl get_sasl(const struct doctor *d)
{
    const char *conf = d->conf_dir != NULL ? d->conf_dir : d->row->conf;
    const bool is_of_host = is_file(conf);

    return (struct doctor_sasl){
        .module_dir = d->module_dir,
        .app = d->row->app[0] != '\0' ? d->row->app : d->host_service,
        .service = d->host_service,
        .conf_dir = is_of_host ? NULL : conf,
        .conf_file = is_of_host ? conf : NULL,
    };
}

void doctor_check_plugin(struct doctor *d, const struct child_user *as)
{
    POSTERN_AUTO_BUF said = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    struct doctor_sasl s = get_sasl(d);
    const struct child_job job = { doctor_sasl_load, &s, as, LOAD_DEADLINE_MS };

    if (run_child(d, "plugin", &job, &said))
        tell_loaded(d, postern_buf_bytes(&said));
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word))
        if ((at == list || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
            return true;
    return false;
}

static void tell_offered(struct doctor *d, const struct doctor_sasl *s, postern_bytes said)
{
    const char *conf = s->conf_file != NULL ? s->conf_file : s->conf_dir;
    char mechs[CHILD_VALUE_MAX] = "", why[CHILD_VALUE_MAX] = "";
    const char *wanted;

    if (child_said(said, "no-conf", 0, why)) { /* what libsasl offers without it says nothing */
        doctor_add(&d->report, "mechanism", DOCTOR_PROBLEM, "Let the host's user read it.",
                   "%s, with the host's SASL settings, cannot be read by the host's user", why);
        return;
    }
    (void)child_said(said, "mechs", 0, mechs); /* stays "": nothing is offered */
    for (size_t i = 0; (wanted = postern_section_item(d->section, "mech_list", i)) != NULL; i++) {
        if (has_word(mechs, wanted)) {
            doctor_add(&d->report, "mechanism", DOCTOR_OK, "", "libsasl offers %s to %s", wanted,
                       d->row->title);
            continue;
        }
        for (size_t n = 0; child_said(said, "log", n, why); n++)
            doctor_add(&d->report, "libsasl", DOCTOR_NOTE, "", "%s", why);
        doctor_add(
            &d->report, "mechanism", DOCTOR_PROBLEM,
            "Mend what stands above first; then look at mech_list and postern_* in the host's "
            "SASL settings (oauthbearer(7)).",
            "libsasl does not offer %s with the settings of %s (%s.conf); it offers: %s", wanted,
            conf, s->app, mechs[0] == '\0' ? "nothing" : mechs);
    }
}

void doctor_check_mechanism(struct doctor *d, const struct child_user *as)
{
    POSTERN_AUTO_BUF said = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    struct doctor_sasl s = get_sasl(d);
    const struct child_job job = { doctor_sasl_offer, &s, as, LOAD_DEADLINE_MS };

    if (run_child(d, "mechanism", &job, &said))
        tell_offered(d, &s, postern_buf_bytes(&said));
}

/* ---- modules ---- */

struct module {
    const char *name, *library, *symbol; /* the library beside whose folder it lies; NULL: `path` */
    char path[PATH_MAX];
};

static bool find_beside(struct module *m)
{
    void *library = dlopen(m->library, RTLD_NOW | RTLD_GLOBAL);
    void *symbol = library == NULL ? NULL : dlsym(library, m->symbol);
    char folder[CHILD_PATH_MAX];
    int len;

    if (!child_find_folder(symbol, folder))
        return false;
    len = snprintf(m->path, sizeof m->path, "%s/security/%s", folder, m->name);
    return len > 0 && (size_t)len < sizeof m->path;
}

static void load_module(void *arg, FILE *out)
{
    struct module *m = arg;

    if (m->path[0] == '\0' && !find_beside(m))
        child_say(out, "no-library", m->library);
    else if (access(m->path, F_OK) != 0)
        child_say(out, "missing", m->path);
    else if (access(m->path, R_OK) != 0)
        child_say(out, "unreadable", m->path);
    else if (dlopen(m->path, RTLD_LAZY | RTLD_LOCAL) == NULL)
        child_say(out, "links", dlerror());
    else
        child_say(out, "loaded", m->path);
}

static void tell_module(struct doctor *d, const struct module *m, postern_bytes said)
{
    char value[CHILD_VALUE_MAX] = "";

    if (child_said(said, "loaded", 0, value))
        doctor_add(&d->report, "module", DOCTOR_OK, "", "%s, and it loads", value);
    else if (child_said(said, "links", 0, value))
        doctor_add(&d->report, "module", DOCTOR_PROBLEM,
                   "It was built for another machine, or a library that it needs is missing.", "%s",
                   value);
    else if (child_said(said, "unreadable", 0, value))
        doctor_add(&d->report, "module", DOCTOR_PROBLEM, "Let everybody read it: chmod 644.",
                   "%s is there, but the host's user may not read it", value);
    else if (child_said(said, "missing", 0, value))
        doctor_add(&d->report, "module", DOCTOR_PROBLEM,
                   "Install it there, or say where it is: --module-dir DIR.", "%s is not there",
                   value);
    else
        doctor_add(&d->report, "module", DOCTOR_PROBLEM, "Install PAM (Debian: libpam0g).",
                   "%s: where it belongs is not known, for %s cannot be loaded", m->name,
                   m->library);
}

static void check_module(struct doctor *d, struct module *m, const struct child_user *as)
{
    POSTERN_AUTO_BUF said = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    const struct child_job job = { load_module, m, as, LOAD_DEADLINE_MS };

    if (run_child(d, "module", &job, &said))
        tell_module(d, m, postern_buf_bytes(&said));
}

/* A FIFO, which whoever may write to the folder can put there, is not waited for. */
static FILE *open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (f == NULL && fd >= 0)
        (void)close(fd); /* only opened */
    return f;
}

/* Where libpam looks for a service (pam.d(5)), or the folder that is said. */
static bool read_pam_file(const struct doctor *d, char path[PATH_MAX], char text[PAM_FILE_MAX])
{
    static const char *const folders[] = { "/etc/pam.d", "/usr/lib/pam.d" };
    size_t n = 0;

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *folder = d->conf_dir != NULL ? d->conf_dir : folders[i];
        int len = snprintf(path, PATH_MAX, "%s/%s", folder, d->host_service);
        FILE *f = len < 0 || len >= PATH_MAX ? NULL : open_file(path);

        if (f == NULL)
            continue;
        n = fread(text, 1, PAM_FILE_MAX - 1, f);
        text[n] = '\0';
        return fclose(f) == 0;
    }
    return false;
}

static void check_pam_file(struct doctor *d)
{
    char path[PATH_MAX], *text = malloc(PAM_FILE_MAX);

    if (text == NULL)
        d->report.is_incomplete = true;
    else if (!read_pam_file(d, path, text))
        doctor_add(&d->report, "pam", DOCTOR_PROBLEM,
                   "`postern init` prints its lines; its folder, when another: --conf-dir DIR.",
                   "there is no PAM service %s", d->host_service);
    else if (strstr(text, "pam_postern") == NULL)
        doctor_add(&d->report, "pam", DOCTOR_PROBLEM, "`postern init` prints the lines it needs.",
                   "%s does not name pam_postern.so", path);
    else
        doctor_add(&d->report, "pam", DOCTOR_OK, "", "%s names pam_postern.so", path);
    free(text);
}

void doctor_check_pam(struct doctor *d, const struct child_user *as)
{
    struct module m = { .name = "pam_postern.so", .library = "libpam.so.0", .symbol = "pam_start" };
    int len =
        d->module_dir == NULL ? 0 : snprintf(m.path, sizeof m.path, "%s/%s", d->module_dir, m.name);

    if (len < 0 || (size_t)len >= sizeof m.path)
        m.path[0] = '\0';
    check_module(d, &m, as);
    check_pam_file(d);
}

/* ---- PostgreSQL: by its validator where that is installed, else by PAM ---- */

static bool find_validator(const struct doctor *d, char path[PATH_MAX])
{
    glob_t found = { 0 };
    char pattern[PATH_MAX];
    int len = snprintf(pattern, sizeof pattern, "%s/postern_validator.so",
                       d->module_dir != NULL ? d->module_dir : "/usr/lib/postgresql/*/lib");
    bool is_found = len > 0 && (size_t)len < sizeof pattern &&
                    glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc != 0 &&
                    strlen(found.gl_pathv[0]) < PATH_MAX;

    if (is_found)
        memcpy(path, found.gl_pathv[0], strlen(found.gl_pathv[0]) + 1);
    globfree(&found);
    return is_found;
}

/* It needs symbols of the server: whether it loads, only the server can tell. */
void doctor_check_postgresql(struct doctor *d, const struct child_user *as)
{
    char path[PATH_MAX];

    if (find_validator(d, path))
        doctor_add(&d->report, "validator", DOCTOR_OK, "", "%s is there (version 18 and later)",
                   path);
    else
        doctor_check_pam(d, as);
}
