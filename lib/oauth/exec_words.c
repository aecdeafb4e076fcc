/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of a program to be started (exec_words.h).  Pure. */
#include <postern-private/exec_words.h>

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* From behind the opening mark; NULL: fine, and *at is behind the closing one. */
static const char *take_quoted(const char **at, postern_buf *out)
{
    const char *p = *at;

    for (; *p != '"'; p++) {
        if (*p == '\0')
            return "has a quotation mark that is not closed";
        if (*p == '\\' && p[1] != '"' && p[1] != '\\')
            return "has a backslash in quotation marks that stands before neither \" nor \\";
        p += *p == '\\';
        postern_buf_add(out, (postern_bytes){ (const uint8_t *)p, 1 });
    }
    *at = p + 1;
    return **at == '\0' || is_blank(**at) ? NULL : "has no blank behind a quoted word";
}

static const char *take_plain(const char **at, postern_buf *out)
{
    size_t len = strcspn(*at, " \t\"");

    if ((*at)[len] == '"')
        return "has a quotation mark inside of a word: quote the whole word";
    postern_buf_add(out, (postern_bytes){ (const uint8_t *)*at, len });
    *at += len;
    return NULL;
}

const char *postern_exec_words_split(const char *text, postern_buf *out, size_t *ret_count)
{
    const char *at = text;
    size_t count = 0;

    if (strnlen(text, POSTERN_EXEC_TEXT_MAX + 1) > POSTERN_EXEC_TEXT_MAX)
        return "is longer than 4096 bytes";
    for (;;) {
        const char *fault;

        at += strspn(at, " \t");
        if (*at == '\0')
            break;
        if (count++ == POSTERN_EXEC_WORDS_MAX)
            return "has more than 128 words";
        if (*at == '"') {
            at++;
            fault = take_quoted(&at, out);
        } else {
            fault = take_plain(&at, out);
        }
        if (fault != NULL)
            return fault;
        postern_buf_add(out, (postern_bytes){ (const uint8_t *)"", 1 });
    }
    *ret_count = count;
    return NULL;
}

const char *postern_exec_fault(const char *text)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 2);
    const char *fault;
    size_t count = 0, len;

    fault = postern_exec_words_split(text, &words, &count);
    if (fault != NULL)
        return fault;
    if (words.failed)
        return "is more than there is memory for";
    if (count == 0)
        return "names no program";
    len = strlen((const char *)words.ptr);
    if (words.ptr[0] != '/')
        return "does not begin with the program's absolute path";
    return words.ptr[len - 1] == '/' ? "names a folder" : NULL;
}

/* [A-Za-z_][A-Za-z0-9_]*, as POSIX has it. */
static size_t measure_name(const char *word)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char later[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    return *word == '\0' || strchr(first, *word) == NULL ? 0 : strspn(word, later);
}

static bool is_named_before(const char *words, const char *word, size_t name_len)
{
    for (const char *w = words; w != word; w += strlen(w) + 1)
        if (strncmp(w, word, name_len + 1) == 0) /* with the equals sign */
            return true;
    return false;
}

const char *postern_exec_env_fault(const char *text)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 2);
    const char *fault, *word;
    size_t count = 0;

    fault = postern_exec_words_split(text, &words, &count);
    if (fault != NULL)
        return fault;
    if (words.failed)
        return "is more than there is memory for";
    word = (const char *)words.ptr;
    for (size_t i = 0; i < count; i++, word += strlen(word) + 1) {
        size_t len = measure_name(word);

        if (len == 0 || word[len] != '=')
            return "holds a word that is not NAME=VALUE";
        if (is_named_before((const char *)words.ptr, word, len))
            return "names one twice";
    }
    return NULL;
}
