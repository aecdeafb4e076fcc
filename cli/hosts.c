/* SPDX-License-Identifier: BSD-2-Clause */
/* See hosts.h; what it knows is in hosts.def. */
#include "config.h"

#include <string.h>

#include "hosts.h"

#define SERVICE_NAME_MAX 64 /* a file's name, with room for what is put behind it */

static const struct host hosts[] = {
#define POSTERN_HOST(name_, folder_, title_, kind_, users_, tls_, mechs_, chars_, app_, conf_)     \
    { name_, folder_, title_, HOST_##kind_, users_, tls_, mechs_, chars_, app_, conf_ },
#define POSTERN_HOST_LINES(name_, file_, text_)
#include "hosts.def"
#undef POSTERN_HOST
#undef POSTERN_HOST_LINES
};

static const struct host_lines lines[] = {
#define POSTERN_HOST(name_, folder_, title_, kind_, users_, tls_, mechs_, chars_, app_, conf_)
#define POSTERN_HOST_LINES(name_, file_, text_) { name_, file_, text_ },
#include "hosts.def"
#undef POSTERN_HOST
#undef POSTERN_HOST_LINES
};

#define HOST_COUNT (sizeof hosts / sizeof *hosts)

const struct host *host_at(size_t i)
{
    return i < HOST_COUNT ? &hosts[i] : NULL;
}

const struct host *host_find(const char *service)
{
    size_t i = 0;

    while (i < HOST_COUNT - 1 && strcmp(hosts[i].name, service) != 0)
        i++;
    return &hosts[i]; /* the last one is anybody's */
}

/* "slapd", "postgresql18", "openssh" */
static bool is_meant(const struct host *h, const char *word)
{
    return strcmp(h->folder, word) == 0 || strcasestr(h->title, word) != NULL ||
           strcasestr(word, h->name) != NULL;
}

const struct host *host_guess(const char *word)
{
    if (strlen(word) < 3)
        return NULL;
    for (size_t i = HOST_COUNT - 1; i-- > 0;) /* not the row of "", and saslauthd's first */
        if (is_meant(&hosts[i], word))
            return &hosts[i];
    return NULL;
}

const char *host_door_page(const char *word)
{
    static const struct {
        const char *begin, *page; /* the first that fits counts */
    } doors[] = { { "redis-door", "postern-raw(7)" },
                  { "redis", "postern-redis(7)" },
                  { "valkey", "postern-redis(7)" },
                  { "mcp", "postern-mcp(7)" },
                  { "raw", "postern-raw(7)" } };

    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++)
        if (strncmp(word, doors[i].begin, strlen(doors[i].begin)) == 0)
            return doors[i].page;
    return NULL;
}

const struct host_lines *host_lines_at(const struct host *h, size_t i)
{
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
        if (strcmp(lines[k].host, h->name) == 0 && i-- == 0)
            return &lines[k];
    return NULL;
}

static const char *find_word(postern_bytes name, const struct host_words *w)
{
    const struct {
        const char *name, *value;
    } words[] = {
        { "HOST", w->host },   { "SERVICE", w->service },         { "ISSUER", w->issuer },
        { "SCOPE", w->scope }, { "SUFFIX", "dc=example,dc=org" },
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (postern_bytes_equal_str(name, words[i].name))
            return words[i].value;
    return NULL;
}

/* An @ that begins no word stands for itself. */
void host_render(const char *text, const struct host_words *words, postern_buf *out)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "@"), name_len;
        const char *value;

        postern_buf_add(out, (postern_bytes){ (const uint8_t *)text, len });
        text += len;
        if (*text == '\0')
            return;
        name_len = strspn(text + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        value = text[1 + name_len] != '@'
                    ? NULL
                    : find_word((postern_bytes){ (const uint8_t *)text + 1, name_len }, words);
        postern_buf_add_str(out, value == NULL ? "@" : value);
        text += value == NULL ? 1 : name_len + 2;
    }
}

bool host_user_at(const struct host *h, size_t i, char room[HOST_USER_MAX])
{
    const char *at = h->users;
    size_t len = strcspn(at, " ");

    for (; i > 0 && at[len] != '\0'; i--) {
        at += len + 1;
        len = strcspn(at, " ");
    }
    if (i > 0 || len == 0 || len >= HOST_USER_MAX)
        return false;
    memcpy(room, at, len);
    room[len] = '\0';
    return true;
}

bool host_is_service_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = strlen(text);

    return len != 0 && len <= SERVICE_NAME_MAX && strspn(text, letters) != 0 &&
           strspn(text, all) == len;
}
