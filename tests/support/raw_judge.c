/* SPDX-License-Identifier: BSD-2-Clause */
/* See raw_judge.h.  Slow and simple on purpose: text functions on a copy with a NUL behind it. */
#include "config.h"

#include "raw_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <postern-private/json.h>

#define JSON_MAX 1500
#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim))                                                                              \
            return "not true: " #claim;                                                            \
    } while (0)

static char copy[ADAPTER_LOGIN_MAX + 1];  /* the login as text */
static char plain[ADAPTER_LOGIN_MAX + 1]; /* its base64, decoded */

/* ---- pieces ---- */

static int value_of(char c)
{
    const char *set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(set, c);

    return at == NULL ? -1 : (int)(at - set);
}

/* Bit by bit, up to the first foreign character.  Length, or -1 when NUL bytes or a strange end
 * came of it. */
static long decode(const char *text, char *out)
{
    unsigned bits = 0, held = 0;
    long len = 0;

    for (; value_of(*text) >= 0; text++) {
        bits = bits << 6 | (unsigned)value_of(*text);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[len++] = (char)(bits >> held & 0xFF);
        }
        bits &= (1u << held) - 1;
    }
    out[len] = '\0';
    return bits == 0 ? len : -1;
}

static bool is_token_text(postern_bytes t)
{
    char text[POSTERN_TOKEN_MAX + 1];

    if (t.len == 0 || t.len > POSTERN_TOKEN_MAX)
        return false;
    memcpy(text, t.ptr, t.len);
    text[t.len] = '\0';
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") ==
           t.len;
}

/* Behind `at` stands the token, and behind it one of `ends`. */
static bool is_here(const char *at, postern_bytes token, const char *ends)
{
    return strlen(at) >= token.len && memcmp(at, token.ptr, token.len) == 0 &&
           strchr(ends, at[token.len]) != NULL && at[token.len] != '\0';
}

/* The value of the only header of that name; NULL when there is none or more than one. */
static const char *only_header(const char *name)
{
    const char *found = NULL;

    for (const char *line = copy; (line = strchr(line, '\n')) != NULL;) {
        line++;
        if (strncasecmp(line, name, strlen(name)) != 0 || line[strlen(name)] != ':')
            continue;
        if (found != NULL)
            return NULL;
        found = line + strlen(name) + 1;
        found += strspn(found, " \t");
    }
    return found;
}

static bool has_header(const char *name)
{
    char line[64];

    (void)snprintf(line, sizeof line, "\n%s:", name); /* names of ours */
    return strcasestr(copy, line) != NULL;
}

/* ---- the three forms ---- */

static const char *judge_renew(postern_bytes in, const struct adapter_login *l)
{
    const char *secret = copy + strlen("RENEW ");

    CHECK(strncmp(copy, "RENEW ", 6) == 0);
    CHECK(l->session.len >= 1 && l->session.len <= 64);
    CHECK(l->session.ptr == in.ptr + 6);
    CHECK(strcspn(secret, " ") == l->session.len);
    CHECK(l->token.ptr == l->session.ptr + l->session.len + 1);
    CHECK(is_here(secret + l->session.len + 1, l->token, "\r\n"));
    CHECK(l->carrier == POSTERN_CARRIER_RAW && l->authzid[0] == '\0' && l->host[0] == '\0');
    return NULL;
}

static const char *judge_auth(const struct adapter_login *l)
{
    const char *at;

    CHECK(strncmp(copy, "AUTH OAUTHBEARER ", 17) == 0);
    CHECK(decode(copy + 17, plain) > 0);
    CHECK(plain[0] == 'n' || plain[0] == 'y');
    CHECK((strncmp(plain + 1, ",,\x01", 3) == 0) == (l->authzid[0] == '\0'));
    at = strstr(plain, "\x01"
                       "auth=");
    CHECK(at != NULL && strstr(at + 1, "\x01"
                                       "auth=") == NULL);
    CHECK(strncasecmp(at + 6, "Bearer ", 7) == 0);
    at += 6 + 7;
    CHECK(is_here(at + strspn(at, " "), l->token, "\x01"));
    at = strstr(plain, "\x01host=");
    CHECK(at == NULL ? l->host[0] == '\0' : strcspn(at + 6, "\x01") == strlen(l->host));
    CHECK(at == NULL || strncmp(at + 6, l->host, strlen(l->host)) == 0);
    CHECK(l->carrier == POSTERN_CARRIER_RAW);
    return NULL;
}

static const char *judge_bearer(postern_bytes in, const struct adapter_login *l)
{
    const char *origin = only_header("Authorization"), *proxy = only_header("Proxy-Authorization");
    const char *at = origin != NULL ? origin : proxy;

    CHECK((origin == NULL) != (proxy == NULL));
    CHECK(strncasecmp(at, "Bearer ", 7) == 0);
    at += 7;
    at += strspn(at, " ");
    CHECK(is_here(at, l->token, " \t\r\n"));
    CHECK(l->token.ptr == in.ptr + (at - copy));
    at += l->token.len;
    at += strspn(at, " \t");
    CHECK(*at == '\r' || *at == '\n');
    CHECK(l->authzid[0] == '\0');
    return NULL;
}

static const char *judge_basic(const struct adapter_login *l)
{
    const char *at = only_header("Proxy-Authorization");
    size_t user = strlen(l->authzid);

    CHECK(at != NULL && !has_header("Authorization"));
    CHECK(strncasecmp(at, "Basic ", 6) == 0);
    at += 6;
    CHECK(decode(at + strspn(at, " "), plain) == (long)(user + 1 + l->token.len));
    CHECK(memcmp(plain, l->authzid, user) == 0 && plain[user] == ':');
    CHECK(memcmp(plain + user + 1, l->token.ptr, l->token.len) == 0);
    CHECK(memchr(l->token.ptr, '.', l->token.len) != NULL);
    return NULL;
}

static const char *judge_connect(postern_bytes in, const struct adapter_login *l, size_t used)
{
    char want[ADAPTER_HOST_MAX + 64];
    const char *empty = strstr(copy, "\n\r\n"), *bare = strstr(copy, "\n\n");

    (void)snprintf(want, sizeof want,
                   strchr(l->host, ':') ? "CONNECT [%s]:%s HTTP/1." : "CONNECT %s:%s HTTP/1.",
                   l->host, l->port); /* fits: both are bounded */
    CHECK(strncmp(copy, want, strlen(want)) == 0);
    CHECK(strspn(l->port, "0123456789") == strlen(l->port) && l->port[0] != '0');
    CHECK(atol(l->port) >= 1 && atol(l->port) <= 65535);
    CHECK((empty == NULL) != (bare == NULL)); /* lines end in one way */
    CHECK((size_t)((empty != NULL ? empty + 3 : bare + 2) - copy) == used);
    CHECK(!has_header("Content-Length") && !has_header("Transfer-Encoding"));
    CHECK(!has_header("Host") || only_header("Host") != NULL);
    CHECK(strstr(copy, "\n ") == NULL && strstr(copy, "\n\t") == NULL);
    return l->carrier == POSTERN_CARRIER_PASSWORD ? judge_basic(l) : judge_bearer(in, l);
}

const char *raw_judge_login(postern_bytes in, adapter_feed verdict, const struct adapter_login *l,
                            size_t used)
{
    CHECK(verdict == ADAPTER_LOGIN || verdict == ADAPTER_RENEW);
    CHECK(used >= 1 && used <= in.len && used <= ADAPTER_LOGIN_MAX);
    memcpy(copy, in.ptr, used);
    copy[used] = '\0';
    CHECK(strlen(copy) == used && copy[used - 1] == '\n');
    CHECK(is_token_text(l->token));
    CHECK(l->authzid != NULL && postern_bytes_is_utf8(postern_bytes_str(l->authzid)));
    CHECK(!postern_bytes_has_control(postern_bytes_str(l->authzid)));
    if (verdict == ADAPTER_RENEW || copy[0] == 'A')
        CHECK(strcspn(copy, "\n") == used - 1);
    if (verdict == ADAPTER_RENEW)
        return judge_renew(in, l);
    return copy[0] == 'A' ? judge_auth(l) : judge_connect(in, l, used);
}

/* ---- answers ---- */

static const char *judge_json(postern_bytes text)
{
    POSTERN_AUTO_JSON j = { 0 };

    CHECK(text.len <= JSON_MAX);
    CHECK(postern_json_scan(&j, text, NULL) == POSTERN_OK);
    CHECK(postern_json_type_of(&j, 0) == POSTERN_JSON_OBJECT);
    return NULL;
}

static const char *judge_line(postern_bytes answer, bool is_grant)
{
    postern_reader r = { answer };
    postern_bytes line;

    CHECK(postern_reader_take_lit(&r, is_grant ? "OK " : "ERR "));
    CHECK(postern_reader_take_until(&r, '\r', &line) && postern_reader_take_byte(&r, '\n'));
    CHECK(postern_reader_is_done(&r) && postern_bytes_find(line, '\n') == line.len);
    return judge_json(line);
}

static const char *judge_http(postern_bytes answer, bool is_grant)
{
    postern_reader r = { answer };
    postern_bytes line, number;
    long length = -1;

    CHECK(postern_reader_take_lit(&r, is_grant ? "HTTP/1.1 200 " : "HTTP/1.1 "));
    while (postern_reader_take_until(&r, '\r', &line) && line.len != 0) {
        postern_reader header = { line };

        CHECK(postern_reader_take_byte(&r, '\n') && postern_bytes_is_printable(line));
        if (postern_reader_take_lit(&header, "Content-Length: ")) {
            CHECK(length == -1);
            number = header.rest;
            length = atol((const char *)number.ptr); /* stops at the CR */
        }
    }
    CHECK(postern_reader_take_byte(&r, '\n'));
    if (is_grant) {
        CHECK(length == -1 && postern_reader_is_done(&r));
        return NULL;
    }
    CHECK(length == (long)r.rest.len);
    return judge_json(r.rest);
}

const char *raw_judge_answer(postern_bytes answer, bool is_http, bool is_grant)
{
    CHECK(answer.len <= ADAPTER_ANSWER_MAX);
    return is_http ? judge_http(answer, is_grant) : judge_line(answer, is_grant);
}
