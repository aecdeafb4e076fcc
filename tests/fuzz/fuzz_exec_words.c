/* SPDX-License-Identifier: BSD-2-Clause */
/* `backend: exec:` and `exec_env:`: words that are taken can be written again, each in quotation marks, and
 * are the same words then; what is judged to be good splits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern-private/exec_words.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quote(const postern_buf *words, postern_buf *out)
{
    for (size_t at = 0; at < words->len; at++) {
        bool is_first = at == 0 || words->ptr[at - 1] == '\0';

        if (is_first)
            postern_buf_add_str(out, " \"");
        if (words->ptr[at] == '"' || words->ptr[at] == '\\')
            postern_buf_add_byte(out, '\\');
        if (words->ptr[at] == '\0')
            postern_buf_add_str(out, "\"");
        else
            postern_buf_add_byte(out, words->ptr[at]);
    }
}

static void check(const char *text)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 2);
    POSTERN_AUTO_BUF again = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 8);
    POSTERN_AUTO_BUF words_again = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 2);
    size_t count = 0, count_again = 0;
    const char *fault = postern_exec_words_split(text, &words, &count);

    if (fault != NULL) {
        if (postern_exec_fault(text) == NULL || postern_exec_env_fault(text) == NULL)
            abort();
        return;
    }
    if (words.failed || count > POSTERN_EXEC_WORDS_MAX || words.len > strlen(text) + count)
        abort();
    if (postern_exec_fault(text) == NULL && (count == 0 || words.ptr[0] != '/'))
        abort();
    if (postern_exec_env_fault(text) == NULL && count != 0 && strchr((char *)words.ptr, '=') == NULL)
        abort();
    quote(&words, &again);
    if (count == 0 || again.len > POSTERN_EXEC_TEXT_MAX)
        return;
    if (postern_exec_words_split(postern_buf_cstr(&again), &words_again, &count_again) != NULL ||
        count_again != count || words_again.len != words.len ||
        memcmp(words_again.ptr, words.ptr, words.len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check(text);
    free(text);
    return 0;
}
