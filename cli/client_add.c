/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern client add` and `rotate-secret`: a new secret goes into a file of mode 0600 and nowhere
 * else; the file is made before the issuer is asked, so that no secret is made which nobody keeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "admin_call.h"
#include "cli.h"
#include "client.h"

#define JWKS_FILE_MAX                                                                              \
    16384 /* bytes: twice what the issuer takes, for blanks and comments in names */

/* -1, and said why, when the file cannot be made anew. */
static int make_secret_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        fprintf(stderr,
                "postern client: %s exists: name another file, or remove this one if nobody uses "
                "its secret any more\n",
                path);
    else if (fd < 0)
        fprintf(stderr, "postern client: making %s: %m\n", path);
    return fd;
}

static postern_err write_secret(int fd, postern_bytes secret, postern_error *err)
{
    while (secret.len != 0) {
        ssize_t n = write(fd, secret.ptr, secret.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return POSTERN_FAIL(err, SYSTEM, "writing the secret: %m");
        secret = (postern_bytes){ secret.ptr + n, secret.len - (size_t)n };
    }
    return fsync(fd) == 0 ? POSTERN_OK : POSTERN_FAIL(err, SYSTEM, "writing the secret: %m");
}

static void put_list(postern_json_writer *w, const char *name, const char *const *words,
                     size_t count)
{
    postern_json_open_array(w, name);
    for (size_t i = 0; i < count; i++) {
        const char *p = words[i] + strspn(words[i], " ");

        for (size_t len; (len = strcspn(p, " ")) != 0; p += strspn(p, " ")) {
            postern_json_put_string(w, NULL, (postern_bytes){ (const uint8_t *)p, len });
            p += len;
        }
    }
    postern_json_close_array(w);
}

/* The key set's file, into the request as it is: the issuer judges it. */
static postern_err put_keys(postern_json_writer *w, const char *path, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(JWKS_FILE_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    uint8_t chunk[4096];
    FILE *f = fopen(path, "re");
    size_t n;

    if (f == NULL)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
    while ((n = fread(chunk, 1, sizeof chunk, f)) != 0)
        postern_buf_add(&text, (postern_bytes){ chunk, n });
    if (ferror(f) != 0 || text.failed) {
        (void)fclose(f); /* nothing was written */
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: cannot be read, or is larger than %d bytes",
                            path, JWKS_FILE_MAX);
    }
    (void)fclose(f); /* nothing was written */
    if (postern_json_scan(&j, postern_buf_bytes(&text), err) != POSTERN_OK)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s is no JSON: a key set {\"keys\":[...]} is wanted",
                            path);
    postern_json_put_raw(w, "jwks", postern_json_raw(&j, 0));
    return POSTERN_OK;
}

static void put_flag(postern_json_writer *w, const char *name, bool value)
{
    if (value)
        postern_json_put_flag(w, name, true);
}

static postern_err write_add(const struct client_request *rq, postern_buf *request,
                             postern_error *err)
{
    postern_json_writer w = { request, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "client_add");
    postern_json_put_string(&w, "name", postern_bytes_str(rq->name));
    put_list(&w, "scopes", rq->scopes, rq->scope_count);
    put_list(&w, "resources", rq->resources, rq->resource_count);
    if (rq->redirect_count != 0)
        put_list(&w, "redirect_uris", rq->redirects, rq->redirect_count);
    postern_json_put_str(&w, "title", rq->title);
    put_flag(&w, "public", rq->is_public);
    put_flag(&w, "may_impersonate", rq->may_impersonate);
    put_flag(&w, "may_introspect", rq->may_introspect);
    if (rq->jwks_file != NULL)
        POSTERN_TRY(put_keys(&w, rq->jwks_file, err));
    postern_json_close_object(&w);
    return POSTERN_OK;
}

/* Ask, and put the secret, if the client has one, into fd.  *ret_status: exit status when the
 * issuer answered. */
static postern_err ask_into(const struct client_request *rq, const postern_buf *request, int fd,
                            int *ret_status, postern_error *err)
{
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes secret;

    POSTERN_TRY(client_ask(rq, request, &reply, &j, err));
    if (!admin_call_is_ok(&j)) {
        *ret_status = client_print_refusal("client", &j);
        return POSTERN_OK;
    }
    *ret_status = CLI_PROVED;
    if (fd < 0)
        return POSTERN_OK;
    *ret_status = CLI_UNDECIDED;
    /* base64url: never escaped, so it stays in `reply`, which is wiped */
    if (!postern_json_string(&j, postern_json_member(&j, 0, "client_secret"), NULL, &secret) ||
        secret.len == 0)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "the issuer's answer holds no secret");
    POSTERN_TRY(write_secret(fd, secret, err));
    *ret_status = CLI_PROVED;
    return POSTERN_OK;
}

static int add_without_secret(const struct client_request *rq)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    postern_error err = { 0 };
    int status = CLI_UNDECIDED;

    if (write_add(rq, &request, &err) != POSTERN_OK ||
        ask_into(rq, &request, -1, &status, &err) != POSTERN_OK)
        return cli_fail("client", &err);
    if (status == CLI_PROVED)
        printf("client %s is registered; it authenticates %s\n", rq->name,
               rq->is_public ? "by nothing: tokens of people only" : "by its key");
    return status;
}

static void remove_file(const char *path)
{
    if (unlink(path) != 0)
        fprintf(stderr, "postern client: %s stays behind, empty: %m\n", path);
}

static bool is_in_doubt(const postern_error *err)
{
    return err->code == POSTERN_ERR_SYSTEM || err->code == POSTERN_ERR_ISSUER_ANSWER;
}

int client_add(const struct client_request *rq)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    postern_error err = { 0 };
    int fd, status = CLI_UNDECIDED;

    if (rq->secret_file == NULL)
        return add_without_secret(rq);
    fd = make_secret_file(rq->secret_file);
    if (fd < 0)
        return CLI_USAGE;
    if (write_add(rq, &request, &err) != POSTERN_OK ||
        ask_into(rq, &request, fd, &status, &err) != POSTERN_OK)
        status = cli_fail("client", &err);
    (void)close(fd); /* fsync() said whether the secret is there */
    if (status == CLI_PROVED)
        printf("client %s is registered; its secret is in %s\n", rq->name, rq->secret_file);
    else
        remove_file(rq->secret_file);
    if (is_in_doubt(&err))
        fprintf(stderr,
                "postern client: the client may be registered all the same: `postern client remove "
                "%s`, then add it again\n",
                rq->name);
    return status;
}

/* ---- rotate-secret ---- */

/* The old secret stays in its file until the new one is on disk beside it. */
static int rotate_by(const struct client_request *rq, const char *new_file)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CLIENT_REQUEST_MAX);
    postern_error err = { 0 };
    int fd = make_secret_file(new_file), status = CLI_UNDECIDED;

    if (fd < 0)
        return CLI_USAGE;
    client_write_verb(rq, "client_rotate_secret", &request);
    if (ask_into(rq, &request, fd, &status, &err) != POSTERN_OK)
        status = cli_fail("client", &err);
    (void)close(fd); /* fsync() said whether the secret is there */
    if (status != CLI_PROVED) {
        remove_file(new_file);
        if (is_in_doubt(&err))
            fprintf(stderr,
                    "postern client: the old secret may be void all the same: `postern client "
                    "rotate-secret %s` once more\n",
                    rq->name);
        return status;
    }
    if (rename(new_file, rq->secret_file) == 0) {
        printf("client %s has a new secret, in %s; the old one is void\n", rq->name,
               rq->secret_file);
        return CLI_PROVED;
    }
    fprintf(stderr, "postern client: the new secret is in %s: it could not become %s: %m\n",
            new_file, rq->secret_file);
    return CLI_UNDECIDED;
}

int client_rotate_secret(const struct client_request *rq)
{
    POSTERN_AUTO_BUF new_file = POSTERN_BUF_INIT(4096);
    const char *path;

    postern_buf_add_str(&new_file, rq->secret_file);
    postern_buf_add_str(&new_file, ".new");
    path = postern_buf_cstr(&new_file);
    if (path == NULL) {
        fputs("postern client: the name of the secret's file is too long\n", stderr);
        return CLI_USAGE;
    }
    return rotate_by(rq, path);
}
