/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The error table, expanded once, and the record of one failure.  Nothing here prints or logs;
 * details are made harmless for a terminal and a log line at the moment they are written.  Called
 * by every room.
 */
#include <postern/error.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct err_row {
    const char *reason, *text, *source, *oauth;
    postern_class class;
} rows[POSTERN_ERR_COUNT] = {
    [POSTERN_ERR_UNSET] = { "unset", "no result was recorded", "bug", NULL,
                            POSTERN_CLASS_INTERNAL },
    [POSTERN_OK] = { "ok", "proved", "API", NULL, POSTERN_CLASS_PROVED },
    [POSTERN_AGAIN] = { "again", "not finished yet", "API", NULL, POSTERN_CLASS_AGAIN },
#define ROW(code, reason_, class_, oauth_, source_, text_)                                         \
    [POSTERN_ERR_##code] = { reason_, text_, source_, oauth_, POSTERN_CLASS_##class_ },
    POSTERN_ERR_LIST(ROW)
#undef ROW
};

/* The row of `e`; a number that is no code reads as UNSET, which no host takes for a yes. */
static const struct err_row *row_of(postern_err e)
{
    return &rows[(unsigned)e < POSTERN_ERR_COUNT ? e : POSTERN_ERR_UNSET];
}

const char *postern_err_reason(postern_err e)
{
    return row_of(e)->reason;
}

const char *postern_err_text(postern_err e)
{
    return row_of(e)->text;
}

const char *postern_err_source(postern_err e)
{
    return row_of(e)->source;
}

const char *postern_err_oauth(postern_err e)
{
    return row_of(e)->oauth;
}

postern_class postern_err_class(postern_err e)
{
    return row_of(e)->class;
}

postern_err postern_err_from_reason(const char *reason)
{
    if (reason == NULL)
        return POSTERN_ERR_UNSET;
    for (unsigned e = POSTERN_AGAIN + 1; e < POSTERN_ERR_COUNT; e++)
        if (strcmp(rows[e].reason, reason) == 0)
            return (postern_err)e;
    return POSTERN_ERR_UNSET;
}

postern_outcome postern_err_outcome(postern_err e)
{
    switch (postern_err_class(e)) {
    case POSTERN_CLASS_PROVED:
        return POSTERN_PROVED;
    case POSTERN_CLASS_TOKEN:
    case POSTERN_CLASS_SCOPE:
    case POSTERN_CLASS_IDENTITY:
    case POSTERN_CLASS_POLICY:
    case POSTERN_CLASS_TRANSPORT:
        return POSTERN_REJECTED;
    case POSTERN_CLASS_INTERNAL:
    case POSTERN_CLASS_AGAIN:
    case POSTERN_CLASS_REMOTE:
    case POSTERN_CLASS_RESOURCE:
    case POSTERN_CLASS_CONFIG:
    case POSTERN_CLASS_USAGE:
        break;
    }
    return POSTERN_UNDECIDED;
}

const char *postern_outcome_name(postern_outcome o)
{
    switch (o) {
    case POSTERN_PROVED:
        return "proved";
    case POSTERN_REJECTED:
        return "rejected";
    case POSTERN_UNDECIDED:
        break;
    }
    return "undecided";
}

static bool is_printable(unsigned char c)
{
    return c >= 0x20 && c <= 0x7E;
}

postern_err postern_error_set(postern_error *err, postern_err code, const char *file, int line,
                              const char *fmt, ...)
{
    char detail[sizeof err->detail]; /* err->detail itself may be among the arguments */
    va_list args;
    int len;

    if (err == NULL)
        return code;
    va_start(args, fmt);
    len = vsnprintf(detail, sizeof detail, fmt, args); /* cut off when too long: not data */
    va_end(args);
    if (len < 0)
        detail[0] = '\0';
    for (char *p = detail; *p != '\0'; p++)
        if (!is_printable((unsigned char)*p))
            *p = '?';
    memcpy(err->detail, detail, sizeof detail);
    err->code = code;
    err->file = file;
    err->line = line;
    return code;
}

#define QUOTE_MAX 64 /* bytes shown: enough to recognise an issuer, too few to flood a log line */

const char *postern_error_quote(const void *from, size_t len, char *room, size_t room_size)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *in = from;
    size_t shown = len < QUOTE_MAX ? len : QUOTE_MAX;
    size_t used = 0, i;

    if (room_size == 0)
        return "";
    for (i = 0; i < shown; i++) {
        bool plain = is_printable(in[i]) && in[i] != '\\';

        if (room_size - used < (plain ? 2u : 5u))
            break;
        if (plain) {
            room[used++] = (char)in[i];
            continue;
        }
        room[used++] = '\\';
        room[used++] = 'x';
        room[used++] = hex[in[i] >> 4];
        room[used++] = hex[in[i] & 15];
    }
    if (i < len && room_size - used >= sizeof "...")
        used = (size_t)(stpcpy(room + used, "...") - room);
    room[used] = '\0';
    return room;
}
