/* SPDX-License-Identifier: BSD-2-Clause */
/* What a Redis request is called.  See redis_keys.h. */
#include "redis_keys.h"

#define REDIS_COMMAND(name, classes, keys) { name, classes, keys },
static const struct redis_command commands[] = {
#include <postern-private/redis_commands.def>
};
#undef REDIS_COMMAND
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

const struct redis_command *redis_command_at(size_t i)
{
    return i < COMMAND_COUNT ? &commands[i] : NULL;
}

/* The first row that does not come before `text`. */
static const struct redis_command *first_from(const char *text)
{
    size_t low = 0, high = COMMAND_COUNT;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(commands[middle].name, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return redis_command_at(low);
}

static const struct redis_command *find(const char *text)
{
    const struct redis_command *c = first_from(text);

    return c != NULL && strcmp(c->name, text) == 0 ? c : NULL;
}

/* Does some row begin with `text`, which ends with a bar? */
static bool has_subcommands(const char *text)
{
    const struct redis_command *c = first_from(text);

    return c != NULL && strncmp(c->name, text, strlen(text)) == 0;
}

static uint8_t to_upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
}

bool redis_word_is(postern_bytes word, const char *upper)
{
    if (word.len != strlen(upper))
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (to_upper(word.ptr[i]) != (uint8_t)upper[i])
            return false;
    return true;
}

static bool has_word(struct redis_words request, const char *upper)
{
    for (size_t i = 0; i < request.count; i++)
        if (redis_word_is(request.at[i], upper))
            return true;
    return false;
}

bool redis_may_block(const struct redis_name *name, struct redis_words request)
{
    const struct redis_command *c = name->command;

    if (c == NULL)
        return false;
    if (c->keys.form == REDIS_KEYS_STREAMS)
        return has_word(request, "BLOCK");
    return strstr(c->classes, "blocking") != NULL || strcmp(c->name, "WAIT") == 0;
}

/* No bar: CONFIG|GET as one word is no command of Redis's. */
static bool may_be_in_a_name(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/* Append a word in upper case; false when it is none that a command could be called. */
static bool put_word(struct redis_name *name, size_t *len, postern_bytes word)
{
    if (word.len == 0 || word.len >= sizeof name->text - *len)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = to_upper(word.ptr[i]);

        if (!may_be_in_a_name(c))
            return false;
        name->text[(*len)++] = (char)c;
    }
    name->text[*len] = '\0';
    return true;
}

static bool put_name(struct redis_words request, struct redis_name *name)
{
    size_t len = 0, before;

    name->words = 1;
    if (request.count == 0 || !put_word(name, &len, request.at[0]) ||
        len + 1 >= sizeof name->text)
        return false;
    before = len;
    name->text[len++] = '|';
    name->text[len] = '\0';
    if (!has_subcommands(name->text) || request.count == 1) {
        name->text[before] = '\0';
        return true;
    }
    name->words = 2;
    return put_word(name, &len, request.at[1]);
}

void redis_name_of(struct redis_words request, struct redis_name *ret)
{
    memset(ret, 0, sizeof *ret);
    if (put_name(request, ret))
        ret->command = find(ret->text);
    else
        ret->text[0] = '\0';
}
