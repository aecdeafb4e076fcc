/* SPDX-License-Identifier: BSD-2-Clause */
/* What hosts.def knows of a host: for `postern init` and `postern doctor`.  Pure. */
#ifndef POSTERN_CLI_HOSTS_H
#define POSTERN_CLI_HOSTS_H

#include <postern/bytes.h>

enum host_kind { HOST_SASL = 0, HOST_PAM, HOST_POSTGRESQL, HOST_SASLAUTHD };

struct host {
    const char *name;   /* "": any that has no row */
    const char *folder; /* of examples/hosts/ */
    const char *title;
    enum host_kind kind;
    const char *users;       /* with blanks between */
    const char *require_tls; /* "yes" or "host" */
    const char *mech_list;   /* "": the default */
    const char *username_chars; /* of one case, where the host folds names; "": the default */
    const char *app, *conf;  /* of SASL hosts */
};

struct host_lines {
    const char *host, *file, *text;
};

/* What stands for @NAME@. */
struct host_words {
    const char *host, *service, *issuer, *scope;
};

/* Bytes of one file's lines, words put in: a URL and a list of scopes among them. */
#define HOST_TEXT_MAX 16384
#define HOST_USER_MAX 64 /* with NUL; useradd(8) allows 32 */

/* Never NULL: a name that nobody knows has the row of "". */
const struct host *host_find(const char *service);
/* The host that people mean by a word that is no name of a row: a folder of examples/hosts/, a piece
 * of a title, a name with more around it; NULL when nobody knows. */
const struct host *host_guess(const char *word);
/* The manual page of the door that such a server gets, because it asks nobody about tokens; NULL:
 * it is none of these. */
const char *host_door_page(const char *word);
const struct host *host_at(size_t i);                                   /* NULL past the last */
const struct host_lines *host_lines_at(const struct host *h, size_t i); /* NULL past the last */
void host_render(const char *text, const struct host_words *words, postern_buf *out);
/* The ith of h->users; false past the last one. */
bool host_user_at(const struct host *h, size_t i, char room[HOST_USER_MAX]);
/* 1 to 64 letters, digits, "-", "_", ".", of which the first is none of the three: a file's name.
 */
bool host_is_service_name(const char *text);

#endif
