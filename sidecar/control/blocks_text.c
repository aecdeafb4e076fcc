/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the file of blocks; see blocks_text.h.  Called by blocks_file.c and its fuzzer. */
#include "blocks_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char heading[] =
    "# Blocked agents, one a line: AGENT UNTIL REASON; postern-control(7)\n";

bool block_agent_is_fine(postern_bytes agent)
{
    return agent.len != 0 && agent.len < BLOCK_AGENT_MAX && postern_bytes_is_utf8(agent) &&
           !postern_bytes_has_control(agent);
}

bool block_reason_is_fine(postern_bytes reason)
{
    return reason.len < POSTERN_BECAUSE_MAX && postern_bytes_is_utf8(reason) &&
           !postern_bytes_has_control(reason);
}

/* ---- times ---- */

/* Two decimal digits at `at`; -1 when there is something else. */
static int read_two(postern_bytes text, size_t at)
{
    int tens = text.ptr[at] - '0', ones = text.ptr[at + 1] - '0';

    return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1 : tens * 10 + ones;
}

/* "2026-12-01T00:00:00Z" and nothing else of RFC 3339: one spelling is enough for a file. */
static bool parse_time(postern_bytes text, int64_t *ret)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    struct tm parts = { 0 }, again;
    time_t t;

    if (text.len != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (shape[i] == 'd' ? text.ptr[i] < '0' || text.ptr[i] > '9' : text.ptr[i] != shape[i])
            return false;
    parts.tm_year = read_two(text, 0) * 100 + read_two(text, 2) - 1900;
    parts.tm_mon = read_two(text, 5) - 1;
    parts.tm_mday = read_two(text, 8);
    parts.tm_hour = read_two(text, 11);
    parts.tm_min = read_two(text, 14);
    parts.tm_sec = read_two(text, 17);
    again = parts;
    t = timegm(&again); /* February 30 becomes March 2: then it is no date */
    if (t <= 0 || again.tm_mon != parts.tm_mon || again.tm_mday != parts.tm_mday ||
        again.tm_hour != parts.tm_hour || again.tm_min != parts.tm_min ||
        again.tm_sec != parts.tm_sec)
        return false;
    *ret = (int64_t)t;
    return true;
}

const char *block_time_text(int64_t until_s, char room[BLOCK_TIME_MAX])
{
    time_t t = (time_t)until_s;
    struct tm parts;

    if (until_s == 0 || gmtime_r(&t, &parts) == NULL ||
        strftime(room, BLOCK_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        memcpy(room, "-", 2);
    return room;
}

/* ---- one line ---- */

struct line {
    bool is_block; /* else blank, or a comment */
    char agent[BLOCK_AGENT_MAX];
    postern_bytes reason; /* of the text */
    int64_t until_s;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(postern_bytes *text)
{
    while (text->len != 0 && is_blank(text->ptr[0]))
        *text = (postern_bytes){ text->ptr + 1, text->len - 1 };
}

static postern_bytes take_word(postern_bytes *text)
{
    size_t len = 0;
    postern_bytes word;

    while (len < text->len && !is_blank(text->ptr[len]))
        len++;
    word = (postern_bytes){ text->ptr, len };
    *text = (postern_bytes){ text->ptr + len, text->len - len };
    return word;
}

static bool keep_agent(postern_bytes name, char room[BLOCK_AGENT_MAX])
{
    if (!block_agent_is_fine(name))
        return false;
    memcpy(room, name.ptr, name.len);
    room[name.len] = '\0';
    return true;
}

/* "…" with \" and \\ for those two: how an agent with a blank in its name is written. */
static bool take_quoted(postern_bytes *text, char room[BLOCK_AGENT_MAX])
{
    uint8_t name[BLOCK_AGENT_MAX];
    size_t len = 0, i = 1;

    for (; i < text->len && text->ptr[i] != '"'; i++) {
        if (text->ptr[i] == '\\' &&
            (++i == text->len || (text->ptr[i] != '"' && text->ptr[i] != '\\')))
            return false;
        if (len == sizeof name)
            return false;
        name[len++] = text->ptr[i];
    }
    if (i == text->len)
        return false;
    *text = (postern_bytes){ text->ptr + i + 1, text->len - i - 1 };
    return (text->len == 0 || is_blank(text->ptr[0])) &&
           keep_agent((postern_bytes){ name, len }, room);
}

static bool take_agent(postern_bytes *text, char room[BLOCK_AGENT_MAX])
{
    return text->ptr[0] == '"' ? take_quoted(text, room) : keep_agent(take_word(text), room);
}

/* NULL, or what is wrong with it. */
static const char *parse_line(postern_bytes text, struct line *ret)
{
    postern_bytes until;

    ret->is_block = false;
    if (text.len > BLOCKS_LINE_MAX)
        return "it is too long";
    while (text.len != 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    skip_blanks(&text);
    if (text.len == 0)
        return NULL;
    if (text.ptr[0] == '#')
        return postern_bytes_is_utf8(text) ? NULL : "it is not UTF-8";
    if (!take_agent(&text, ret->agent))
        return "the agent's name is too long, not UTF-8, or not quoted as it should";
    skip_blanks(&text);
    until = take_word(&text);
    ret->until_s = 0;
    if (!postern_bytes_equal_str(until, "-") && !parse_time(until, &ret->until_s))
        return "behind the agent there is neither a time such as 2026-12-01T00:00:00Z nor -";
    skip_blanks(&text);
    if (!block_reason_is_fine(text))
        return "the reason is too long, not UTF-8, or holds a control character";
    ret->reason = text;
    ret->is_block = true;
    return NULL;
}

struct lines {
    postern_bytes rest;
    size_t number; /* of the line taken last */
};

/* Next line without its newline; false at the end.  The last one may lack its newline. */
static bool take_line(struct lines *l, postern_bytes *ret)
{
    size_t len = postern_bytes_find(l->rest, '\n'), taken = len < l->rest.len ? len + 1 : len;

    if (l->rest.len == 0)
        return false;
    *ret = (postern_bytes){ l->rest.ptr, len };
    l->rest = (postern_bytes){ l->rest.ptr + taken, l->rest.len - taken };
    l->number++;
    return true;
}

/* ---- the list ---- */

static struct block_list *make_list(size_t entries, size_t room)
{
    struct block_list *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->refs = 1;
    l->entries = calloc(entries + 1, sizeof *l->entries);
    l->room = malloc(room);
    if (l->entries != NULL && l->room != NULL)
        return l;
    block_list_release(l);
    return NULL;
}

static char *put_text(char **at, postern_bytes text)
{
    char *start = *at;

    if (text.len != 0)
        memcpy(start, text.ptr, text.len);
    start[text.len] = '\0';
    *at += text.len + 1;
    return start;
}

static postern_err count_blocks(postern_bytes text, size_t *ret, postern_error *err)
{
    struct lines lines = { text, 0 };
    struct line line;
    postern_bytes one;

    *ret = 0;
    while (take_line(&lines, &one)) {
        const char *wrong = parse_line(one, &line);

        if (wrong != NULL)
            return POSTERN_FAIL(err, CONFIG_FILE, "line %zu: %s", lines.number, wrong);
        *ret += line.is_block;
        if (*ret > POSTERN_BLOCKS_MAX)
            return POSTERN_FAIL(err, CONFIG_FILE, "line %zu: more than %d blocks", lines.number,
                                POSTERN_BLOCKS_MAX);
    }
    return POSTERN_OK;
}

/* FNV-1a, 64 bits: nobody makes up two files of blocks that look the same in between. */
static uint64_t digest_of(postern_bytes text)
{
    uint64_t ret = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < text.len; i++)
        ret = (ret ^ text.ptr[i]) * UINT64_C(1099511628211);
    return ret;
}

postern_err block_list_parse(postern_bytes text, struct block_list **ret, postern_error *err)
{
    struct lines lines = { text, 0 };
    struct block_list *l;
    struct line line;
    postern_bytes one;
    size_t count = 0;
    char *at;

    POSTERN_TRY(count_blocks(text, &count, err));
    /* Agent and reason of one line, with a NUL each, are no longer than the line with its newline:
     * at least a blank, a time or "-", and a blank or the end are between and behind. */
    l = make_list(count, text.len + 2);
    if (l == NULL)
        return POSTERN_FAIL(err, NOMEM, "%zu blocks", count);
    l->digest = digest_of(text);
    at = l->room;
    while (take_line(&lines, &one)) {
        if (parse_line(one, &line) != NULL || !line.is_block) /* count_blocks() has seen them all */
            continue;
        l->entries[l->count].agent = put_text(&at, postern_bytes_str(line.agent));
        l->entries[l->count].reason = put_text(&at, line.reason);
        l->entries[l->count++].until_s = line.until_s;
    }
    *ret = l;
    return POSTERN_OK;
}

struct block_list *block_list_keep(struct block_list *l)
{
    l->refs++;
    return l;
}

void block_list_release(struct block_list *l)
{
    if (l == NULL || --l->refs != 0)
        return;
    free(l->entries);
    free(l->room);
    free(l);
}

bool block_list_has(const struct block_list *l, const char *agent, int64_t now_s)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->entries[i].agent, agent) == 0 &&
            (l->entries[i].until_s == 0 || now_s < l->entries[i].until_s))
            return true;
    return false;
}

/* ---- writing ---- */

static void write_agent(const char *agent, postern_buf *out)
{
    if (agent[0] != '"' && agent[0] != '#' && strchr(agent, ' ') == NULL) {
        postern_buf_add_str(out, agent);
        return;
    }
    postern_buf_add_byte(out, '"');
    for (const char *p = agent; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            postern_buf_add_byte(out, '\\');
        postern_buf_add_byte(out, (uint8_t)*p);
    }
    postern_buf_add_byte(out, '"');
}

static void write_line(const char *agent, int64_t until_s, const char *reason, postern_buf *out)
{
    char until[BLOCK_TIME_MAX];

    write_agent(agent, out);
    postern_buf_add_byte(out, ' ');
    postern_buf_add_str(out, block_time_text(until_s, until));
    if (reason[0] != '\0')
        postern_buf_add_byte(out, ' ');
    postern_buf_add_str(out, reason);
    postern_buf_add_byte(out, '\n');
}

void block_list_write(const struct block_list *l, postern_buf *out)
{
    postern_buf_add_str(out, heading);
    for (size_t i = 0; i < l->count; i++)
        write_line(l->entries[i].agent, l->entries[i].until_s, l->entries[i].reason, out);
}

static bool is_dropped(const struct line *line, const struct block_change *c)
{
    return line->is_block && (strcmp(line->agent, c->agent) == 0 ||
                              (line->until_s != 0 && line->until_s <= c->now_s));
}

postern_err blocks_text_change(postern_bytes text, const struct block_change *c, postern_buf *out,
                               postern_error *err)
{
    struct lines lines = { text, 0 };
    struct line line;
    postern_bytes one;

    if (text.len == 0)
        postern_buf_add_str(out, heading);
    while (take_line(&lines, &one)) {
        const char *wrong = parse_line(one, &line);

        if (wrong != NULL)
            return POSTERN_FAIL(err, CONFIG_FILE, "line %zu: %s", lines.number, wrong);
        if (is_dropped(&line, c))
            continue;
        postern_buf_add(out, one);
        postern_buf_add_byte(out, '\n');
    }
    if (c->is_added)
        write_line(c->agent, c->until_s, c->reason, out);
    if (out->failed)
        return POSTERN_FAIL(err, NOMEM, "the file of blocks");
    return POSTERN_OK;
}
