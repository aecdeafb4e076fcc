/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a proved name to a local user; see the header.  Called by validate.c after the signature and
 * every claim were judged.
 */
#include "identity.h"

#include "accounts.h"
#include "base/ascii.h"
#include "grant/grant.h"
#include "username_map.h"

static bool is_name_byte(uint8_t c)
{
    return c > ' ' && c < 0x7F;
}

/* A range "a-z", or one character; a hyphen at either end stands for itself. */
const char *postern_username_chars_parse(const char *text, struct username_chars *ret)
{
    *ret = (struct username_chars){ { false } };
    for (const uint8_t *p = (const uint8_t *)text; *p != '\0'; p++) {
        bool is_range = p[1] == '-' && p[2] != '\0';
        uint8_t last = is_range ? p[2] : p[0];

        if (!is_name_byte(p[0]) || !is_name_byte(last))
            return "holds a blank or a character that is not ASCII";
        if (last < p[0])
            return "holds a range that runs backwards";
        for (unsigned c = p[0]; c <= last; c++)
            ret->allowed[c] = true;
        p += is_range ? 2 : 0;
    }
    return NULL;
}

void postern_username_chars_limit(struct username_chars *chars, const struct username_chars *by)
{
    for (size_t c = 0; c < sizeof chars->allowed / sizeof chars->allowed[0]; c++)
        chars->allowed[c] = chars->allowed[c] && by->allowed[c];
}

/* ASCII case ignored: domains are (RFC 4343), and hosts fold user names (Cyrus imapd does by
 * default). */
static bool is_equal_nocase(postern_bytes a, const char *b)
{
    return a.len == strlen(b) && postern_ascii_equal_nocase(a.ptr, (const uint8_t *)b, a.len);
}

/* The last '@' separates: a quoted local part may hold one, a domain never does. */
static postern_bytes strip_domain(const struct identity_rules *rules, postern_bytes name)
{
    size_t at = name.len;

    while (at != 0 && name.ptr[at - 1] != '@')
        at--;
    if (at == 0)
        return name;
    for (size_t i = 0; i < rules->strip_count; i++)
        if (is_equal_nocase((postern_bytes){ name.ptr + at, name.len - at },
                            rules->strip_domains[i]))
            return (postern_bytes){ name.ptr, at - 1 };
    return name;
}

/* A leading hyphen reads as an option, a leading dot as a folder, in the programs behind the host;
 * "alice@" as alice. */
static postern_err check_chars(const struct identity_rules *rules, postern_bytes user,
                               postern_error *err)
{
    if (user.len == 0)
        return POSTERN_FAIL(err, NO_MAPPING, "nothing is left of the user name");
    if (user.ptr[0] == '-' || user.ptr[0] == '.')
        return POSTERN_FAIL(err, NO_MAPPING, "user name begins with '%c'", user.ptr[0]);
    if (user.ptr[0] == '@' || user.ptr[user.len - 1] == '@')
        return POSTERN_FAIL(err, NO_MAPPING, "'@' of the user name has nothing on one side");
    for (size_t i = 0; i < user.len; i++)
        if (user.ptr[i] >= sizeof rules->chars.allowed || !rules->chars.allowed[user.ptr[i]])
            return POSTERN_FAIL(err, NO_MAPPING,
                                "user name holds a character that username_chars lacks");
    return POSTERN_OK;
}

/* '*' stands for any bytes, '?' for one, everything else for itself, case and all.  Linear steps back:
 * only the last '*' is ever taken up again. */
static bool fits(postern_bytes name, const char *pattern)
{
    const char *star = NULL;
    size_t at = 0, mark = 0;

    while (at < name.len) {
        if (*pattern == '*') {
            star = pattern++;
            mark = at;
        } else if (*pattern != '\0' && (*pattern == '?' || (uint8_t)*pattern == name.ptr[at])) {
            pattern++;
            at++;
        } else if (star != NULL) {
            pattern = star + 1;
            at = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static postern_err check_allowed(const struct identity_rules *rules, postern_bytes user,
                                 postern_error *err)
{
    for (size_t i = 0; i < rules->allow_count; i++)
        if (fits(user, rules->allow_users[i]))
            return POSTERN_OK;
    return rules->allow_count == 0
               ? POSTERN_OK
               : POSTERN_FAIL(err, USER_DENIED, "no pattern of allow_users fits the user");
}

static bool is_denied(const struct identity_rules *rules, postern_bytes user)
{
    for (size_t i = 0; i < rules->deny_count; i++)
        if (is_equal_nocase(user, rules->deny_users[i]))
            return true;
    return false;
}

static postern_err check_account(const struct identity_rules *rules, struct accounts *accounts,
                                 int64_t mono_ms, postern_bytes user, postern_error *err)
{
    bool is_system = true;

    if (is_denied(rules, user))
        return POSTERN_FAIL(err, USER_DENIED, "user is listed in deny_users");
    if (rules->allow_system_users)
        return POSTERN_OK;
    POSTERN_TRY(postern_accounts_is_system(accounts, mono_ms, user, &is_system, err));
    if (is_system)
        return POSTERN_FAIL(err, USER_DENIED, "user is a system account (uid below %d)",
                            POSTERN_SYSTEM_UID_END);
    return POSTERN_OK;
}

/* The name, and what is left of it before each '@': hosts cut their own realm off, some at the
 * first, some at the last. */
static postern_err check_accounts(const struct identity_rules *rules, struct accounts *accounts,
                                  int64_t mono_ms, postern_bytes user, postern_error *err)
{
    POSTERN_TRY(check_account(rules, accounts, mono_ms, user, err));
    for (size_t i = 0; i < user.len; i++)
        if (user.ptr[i] == '@')
            POSTERN_TRY(
                check_account(rules, accounts, mono_ms, (postern_bytes){ user.ptr, i }, err));
    return POSTERN_OK;
}

static postern_err look_up(const struct identity_rules *rules, const struct identity_means *by,
                           postern_bytes name, postern_bytes *ret, postern_error *err)
{
    size_t begin = by->scratch->len;
    int line = 0;

    *ret = name;
    if (rules->map == NULL)
        return POSTERN_OK;
    if (by->scratch->cap - begin < POSTERN_IDENTITY_MAX)
        return POSTERN_FAIL(err, INTERNAL, "no room was made for a name");
    POSTERN_TRY(postern_username_map_find(rules->map, name, by->scratch, &line, err));
    *ret = (postern_bytes){ by->scratch->ptr + begin, by->scratch->len - begin };
    postern_trail_note(by->trail, "%s:%d", postern_username_map_shown(rules->map), line);
    postern_trail_note_value(by->trail, "mapped", *ret);
    return POSTERN_OK;
}

postern_err postern_identity_map(const struct identity_rules *rules,
                                 const struct identity_means *by, postern_bytes name,
                                 postern_bytes *ret_user, postern_error *err)
{
    postern_bytes mapped, user;

    postern_trail_note_value(by->trail, "name", name);
    POSTERN_TRY(look_up(rules, by, name, &mapped, err));
    user = strip_domain(rules, mapped);
    if (user.len != mapped.len)
        postern_trail_note_value(by->trail, "stripped", user);
    POSTERN_TRY(check_chars(rules, user, err));
    POSTERN_TRY(check_allowed(rules, user, err));
    POSTERN_TRY(check_accounts(rules, by->accounts, by->mono_ms, user, err));
    postern_trail_note_value(by->trail, "user", user);
    *ret_user = user;
    return POSTERN_OK;
}
