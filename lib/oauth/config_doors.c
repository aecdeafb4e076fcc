/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is asked of doors/NAME.conf beside what config_check.c asks of every section: where a door
 * may stand, and that what is written about TLS is what happens.  Pure; called by config_check.c.
 */
#include "settings.h"

#include <postern-private/exec_words.h>

#include "url.h"

static bool is_unix(const char *address)
{
    return strncmp(address, "unix:", 5) == 0;
}

static bool is_exec(const char *address)
{
    return strncmp(address, POSTERN_EXEC_PREFIX, sizeof POSTERN_EXEC_PREFIX - 1) == 0;
}

/* A literal address with a port, or a socket: doors wait for no resolver. */
const char *postern_door_listen_fault(const char *word)
{
    if (is_unix(word))
        return postern_socket_fault(word + 5);
    return postern_address_fault(word);
}

const char *postern_door_backend_fault(const char *word)
{
    if (is_unix(word))
        return postern_socket_fault(word + 5);
    if (is_exec(word))
        return postern_exec_fault(word + sizeof POSTERN_EXEC_PREFIX - 1);
    return postern_target_fault(word);
}

/* Both or none: "tls_cert_file" and "tls_key_file". */
static postern_err check_pair(const postern_section *s, const char *cert, const char *key,
                              postern_error *err)
{
    const struct config_value *c = postern_section_value(s, cert);
    const struct config_value *k = postern_section_value(s, key);

    if ((c->text == NULL) == (k->text == NULL))
        return POSTERN_OK;
    return postern_config_value_fail(s, c->text != NULL ? cert : key, err, "%s is missing",
                                     c->text != NULL ? key : cert);
}

static bool is_local(const char *address)
{
    return is_unix(address) || postern_listen_fault(address) == NULL;
}

/* A door that strangers can reach over a network shows a certificate that somebody vouches for. */
static postern_err check_certificate(const postern_section *s, postern_error *err)
{
    const struct config_value *listen = postern_section_value(s, "listen");

    for (size_t i = 0; i < listen->count; i++)
        if (!is_local(listen->items[i]) && postern_section_text(s, "tls_cert_file") == NULL)
            return postern_config_value_fail(s, "listen", err,
                                             "%s is not loopback, so tls_cert_file and "
                                             "tls_key_file are required",
                                             listen->items[i]);
    return POSTERN_OK;
}

/* "certificate" without one, or one that would never be shown. */
static postern_err check_backend_cert(const postern_section *s, bool has_tls, postern_error *err)
{
    bool wants_cert = strcmp(postern_section_text(s, "backend_auth"), "certificate") == 0;
    bool has_cert = postern_section_text(s, "backend_cert_file") != NULL;

    if (wants_cert && !has_cert)
        return postern_config_value_fail(
            s, "backend_auth", err, "certificate needs backend_cert_file and backend_key_file");
    if (wants_cert && !has_tls)
        return postern_config_value_fail(s, "backend_auth", err,
                                         "certificate needs backend_tls: verify-full or verify-ca");
    if (!wants_cert && has_cert)
        return postern_config_value_fail(s, "backend_cert_file", err,
                                         "means nothing without backend_auth: certificate");
    return POSTERN_OK;
}

/* A token of the door's own goes out: to a resource, as a client, and over no network in clear. */
static postern_err check_backend_exchange(const postern_section *s, bool has_tls,
                                          postern_error *err)
{
    static const char *const keys[] = { "backend_resource", "client" };
    bool wants = strcmp(postern_section_text(s, "backend_auth"), "exchange") == 0;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        bool has = postern_section_text(s, keys[i]) != NULL;

        if (wants && !has)
            return postern_config_value_fail(s, "backend_auth", err,
                                             "exchange needs backend_resource and client");
        if (!wants && has)
            return postern_config_value_fail(s, keys[i], err,
                                             "means nothing without backend_auth: exchange");
    }
    if (wants && !has_tls && !is_local(postern_section_text(s, "backend")))
        return postern_config_value_fail(s, "backend_tls", err,
                                         "exchange sends a token: it needs TLS to the backend");
    return POSTERN_OK;
}

/* A password of the door's own goes out: in words of the protocol, and over no network in clear. */
static postern_err check_backend_password(const postern_section *s, bool has_tls,
                                          postern_error *err)
{
    static const char *const keys[] = { "backend_user", "backend_password_file" };
    bool wants = strcmp(postern_section_text(s, "backend_auth"), "password") == 0;

    for (size_t i = 0; !wants && i < sizeof keys / sizeof keys[0]; i++)
        if (postern_section_text(s, keys[i]) != NULL)
            return postern_config_value_fail(s, keys[i], err,
                                             "means nothing without backend_auth: password");
    if (!wants)
        return POSTERN_OK;
    if (strcmp(postern_section_text(s, "protocol"), "redis") != 0)
        return postern_config_value_fail(s, "backend_auth", err,
                                         "password is for protocol: redis; elsewhere the door does "
                                         "not know how to log in");
    if (postern_section_text(s, "backend_password_file") == NULL)
        return postern_config_value_fail(s, "backend_auth", err,
                                         "password needs backend_password_file");
    if (!has_tls && !is_local(postern_section_text(s, "backend")))
        return postern_config_value_fail(s, "backend_tls", err,
                                         "password sends a password: it needs TLS to the backend");
    return POSTERN_OK;
}

/* Nobody but the child of this door is at the other end of a program's standard input. */
static postern_err check_exec_way(const postern_section *s, postern_error *err)
{
    static const char *const keys[] = { "backend_tls", "backend_tls_ca_file", "backend_cert_file",
                                        "backend_key_file" };

    if (strcmp(postern_section_text(s, "protocol"), "mcp") != 0)
        return postern_config_value_fail(s, "backend", err, "exec: is for protocol: mcp");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (postern_section_text(s, keys[i]) != NULL)
            return postern_config_value_fail(s, keys[i], err, "means nothing with backend: exec:");
    if (strcmp(postern_section_text(s, "backend_auth"), "none") != 0)
        return postern_config_value_fail(s, "backend_auth", err, "means nothing with backend: exec:");
    return POSTERN_OK;
}

/* A default that is written out asks for nothing: the values of a dump may stand in a file. */
static bool is_asked_for(const postern_section *s, const char *key)
{
    const char *text = postern_section_text(s, key);
    const char *unasked =
        postern_config_key_default(postern_config_key_index(key, POSTERN_SECTION_NONE));

    return text != NULL && (unasked == NULL || strcmp(text, unasked) != 0);
}

/* What a program is started with. */
static postern_err check_exec(const postern_section *s, postern_error *err)
{
    static const char *const keys[] = { "exec_user",       "exec_env",           "exec_dir",
                                        "exec_memory_max", "exec_processes_max", "exec_cpu_max" };
    const char *env = postern_section_text(s, "exec_env"), *fault;

    if (is_exec(postern_section_text(s, "backend"))) {
        POSTERN_TRY(check_exec_way(s, err));
        if (postern_section_text(s, "exec_dir")[0] != '/')
            return postern_config_value_fail(s, "exec_dir", err, "is no folder's path");
        fault = env == NULL ? NULL : postern_exec_env_fault(env);
        return fault == NULL ? POSTERN_OK : postern_config_value_fail(s, "exec_env", err, "%s", fault);
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (is_asked_for(s, keys[i]))
            return postern_config_value_fail(s, keys[i], err, "means nothing without backend: exec:");
    return POSTERN_OK;
}

/* What looks like TLS to the backend is TLS to the backend. */
static postern_err check_backend(const postern_section *s, postern_error *err)
{
    const char *tls = postern_section_text(s, "backend_tls");
    const char *backend = postern_section_text(s, "backend");
    bool has_tls = tls == NULL ? !is_local(backend) && !is_exec(backend) : strcmp(tls, "disable") != 0;

    if (tls != NULL && strcmp(tls, "verify-full") == 0 && is_unix(backend))
        return postern_config_value_fail(s, "backend_tls", err,
                                         "a unix socket has no name to compare: verify-ca");
    if (!has_tls && postern_section_text(s, "backend_tls_ca_file") != NULL)
        return postern_config_value_fail(
            s, "backend_tls_ca_file", err,
            "means nothing without TLS: write backend_tls: verify-full or verify-ca");
    POSTERN_TRY(check_backend_exchange(s, has_tls, err));
    POSTERN_TRY(check_backend_password(s, has_tls, err));
    return check_backend_cert(s, has_tls, err);
}

/* Who must show a certificate must be able to know which; nobody vouches for one that is only asked
 * for, as holding its key is all that is wanted then (RFC 8705 §3, §7.3).  A unix socket has no
 * TLS. */
static postern_err check_client_certificate(const postern_section *s, postern_error *err)
{
    bool is_required = strcmp(postern_section_text(s, "tls_client_certificate"), "require") == 0;
    bool has_ca = postern_section_text(s, "tls_client_ca_file") != NULL;

    if (is_required && !has_ca)
        return postern_config_value_fail(s, "tls_client_certificate", err,
                                         "require needs tls_client_ca_file");
    if (!is_required && has_ca)
        return postern_config_value_fail(s, "tls_client_ca_file", err,
                                         "means nothing without tls_client_certificate: require");
    return POSTERN_OK;
}

postern_err postern_config_check_door_agent(const postern_section *s, postern_error *err)
{
    return check_pair(s, "tls_cert_file", "tls_key_file", err);
}

postern_err postern_config_check_door(const postern_section *s, postern_error *err)
{
    POSTERN_TRY(check_pair(s, "tls_cert_file", "tls_key_file", err));
    POSTERN_TRY(check_pair(s, "backend_cert_file", "backend_key_file", err));
    POSTERN_TRY(check_certificate(s, err));
    POSTERN_TRY(check_client_certificate(s, err));
    POSTERN_TRY(check_exec(s, err));
    return check_backend(s, err);
}

/* Nobody could answer. */
postern_err postern_config_check_door_issuers(const postern_config *c, const postern_section *s,
                                              postern_error *err)
{
    const postern_section *issuer;

    if (postern_section_number(s, "revocation_check") == 0)
        return POSTERN_OK;
    for (size_t i = 0; (issuer = postern_config_trusted_by(c, s, i)) != NULL; i++)
        if (strcmp(postern_section_text(issuer, "introspection"), "no") != 0)
            return POSTERN_OK;
    return postern_config_value_fail(
        s, "revocation_check", err,
        "none of the issuers that this door trusts has introspection: opaque or always");
}

/* ---- all doors ---- */

/* Two listeners of one address would share its connections by chance (SO_REUSEPORT). */
static postern_err check_listen(const postern_section *s, const char *address,
                                const postern_section *other, size_t other_count,
                                postern_error *err)
{
    const struct config_value *theirs = postern_section_value(other, "listen");

    for (size_t i = 0; i < other_count; i++)
        if (postern_address_is_same(address, theirs->items[i]))
            return postern_config_value_fail(s, "listen", err, "%s stands in %s as well", address,
                                             theirs->origin);
    return POSTERN_OK;
}

static postern_err check_listens(const postern_config *c, const postern_section *s,
                                 postern_error *err)
{
    const struct config_value *mine = postern_section_value(s, "listen");

    for (size_t i = 0; i < mine->count; i++) {
        const postern_section *other = c->first[POSTERN_SECTION_DOOR];

        for (; other != s; other = other->next)
            POSTERN_TRY(check_listen(s, mine->items[i], other,
                                     postern_section_value(other, "listen")->count, err));
        POSTERN_TRY(check_listen(s, mine->items[i], s, i, err));
    }
    return POSTERN_OK;
}

postern_err postern_config_check_listens(const postern_config *c, postern_error *err)
{
    for (const postern_section *s = c->first[POSTERN_SECTION_DOOR]; s != NULL; s = s->next)
        POSTERN_TRY(check_listens(c, s, err));
    return POSTERN_OK;
}
