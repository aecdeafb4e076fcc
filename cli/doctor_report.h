/* SPDX-License-Identifier: BSD-2-Clause */
/* What `postern doctor` found, check by check, and how it is told: for people, or as JSON. */
#ifndef POSTERN_CLI_DOCTOR_REPORT_H
#define POSTERN_CLI_DOCTOR_REPORT_H

#include <postern/bytes.h>

enum doctor_level { DOCTOR_PROBLEM = 0, DOCTOR_WARNING, DOCTOR_OK, DOCTOR_NOTE };

#define DOCTOR_WHAT_MAX   1024 /* a detail of an error, and a sentence around it */
#define DOCTOR_ADVICE_MAX 512
/* All services of a host with 50 of them; a hundred kilobytes or two. */
#define DOCTOR_FINDINGS_MAX 1000

struct doctor_finding {
    char service[65]; /* "": of the whole configuration */
    char check[16];
    enum doctor_level level;
    char what[DOCTOR_WHAT_MAX], advice[DOCTOR_ADVICE_MAX];
};

struct doctor_report {
    struct doctor_finding *list;
    size_t count;
    bool is_incomplete;  /* no memory, or too many: never "all well" */
    const char *service; /* whom the next findings are about; "" at first */
};

/* what and advice are cut to their room; advice "": nothing to do. */
void doctor_add(struct doctor_report *r, const char *check, enum doctor_level level,
                const char *advice, const char *what_format, ...)
    __attribute__((format(printf, 5, 6)));
bool doctor_is_well(const struct doctor_report *r); /* no problem, and complete */
void doctor_put_text(const struct doctor_report *r, postern_buf *out);
void doctor_put_json(const struct doctor_report *r, postern_buf *out);
void doctor_report_free(struct doctor_report *r);

#endif
