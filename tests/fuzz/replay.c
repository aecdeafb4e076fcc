/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target without libFuzzer: every corpus file, then a fixed number of deterministic
 * mutations of them, then one line of summary.  The same inputs on every machine and every day; no
 * clock, no random source.  Linked into each tests/fuzz/fuzz_NAME in an ordinary build (see
 * tests/fuzz/local.mk); with file names as arguments it runs those alone.
 *
 * Environment: top_srcdir (where tests/fuzz is), POSTERN_FUZZ_RUNS (mutations; RUNS_DEFAULT, or what
 * the target says), POSTERN_THOROUGH (all of them: tests/support/effort.h).
 * An input that kills the target is left in ./crash-NAME.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/effort.h"

#define RUNS_DEFAULT 50000 /* half a second for most targets */
/* So many times fewer where somebody waits for it, and with a sanitizer: there libFuzzer runs the
 * same targets, twice as often. */
#define QUICK_SHARE  5
#define INPUT_MAX    65536 /* bytes; longer corpus files are run as they are, but not mutated */
#define INPUTS_MAX   4096  /* corpus files; dictionary words */
#define STACKED_MAX  4     /* mutations on top of each other */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
/* A target whose inputs cost more than most says how many are enough. */
extern const unsigned long fuzz_replay_runs __attribute__((weak));
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct input {
    uint8_t *data;
    size_t len;
};

struct input_list {
    struct input at[INPUTS_MAX];
    size_t count;
};

static struct input_list corpus, words;
static struct input current; /* what the target is looking at, for the crash file */
static char crash_name[300];

static void die(const char *what, const char *which)
{
    fprintf(stderr, "replay: %s: %s\n", which, what);
    exit(1);
}

static void *must_alloc(size_t len)
{
    void *p = malloc(len == 0 ? 1 : len);

    if (p == NULL)
        die("out of memory", "malloc");
    return p;
}

/* ---- when the target dies ---- */

static void leave_crash_file(void)
{
    int fd = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    (void)!write(fd, current.data, current.len);
    (void)close(fd);
}

static void on_signal(int number)
{
    leave_crash_file();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void watch_for_crashes(const char *name)
{
    static const int fatal[] = { SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE };

    (void)snprintf(crash_name, sizeof crash_name, "crash-%s", name);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(leave_crash_file);
        return;
    }
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        (void)signal(fatal[i], on_signal);
}

/* A fresh block of exactly `len` bytes each time: an overread by one is seen by ASan and by
 * valgrind. */
static void run_target(const uint8_t *data, size_t len)
{
    uint8_t *copy = must_alloc(len);

    memcpy(copy, data, len);
    current = (struct input){ copy, len };
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

/* ---- corpus and dictionary ---- */

static void keep(struct input_list *list, uint8_t *take_data, size_t len, const char *from)
{
    if (list->count == INPUTS_MAX)
        die("too many inputs", from);
    list->at[list->count++] = (struct input){ take_data, len };
}

static void read_input(const char *path, struct input_list *list)
{
    FILE *f = fopen(path, "rbe");
    uint8_t *data = must_alloc(INPUT_MAX * 8);
    size_t len;

    if (f == NULL)
        die("cannot open", path);
    len = fread(data, 1, INPUT_MAX * 8, f);
    if (ferror(f))
        die("cannot read", path);
    (void)fclose(f);
    keep(list, data, len, path);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void read_corpus(const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, is_visible, alphasort);

    for (int i = 0; i < count; i++) {
        char path[4096];

        if (snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name) >= (int)sizeof path)
            die("path too long", dir);
        read_input(path, &corpus);
        free(entries[i]);
    }
    if (count <= 0)
        die("no corpus file", dir);
    free(entries);
}

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF",
               *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)((at - digits) % 16);
}

/* One line of a libFuzzer dictionary: [name=]"bytes", with \\, \" and \xNN.  Others are comments.
 */
static void read_word(const char *line, const char *path)
{
    const char *p = strchr(line, '"');
    uint8_t *word = must_alloc(strlen(line));
    size_t len = 0;

    if (line[0] == '#' || p == NULL) {
        free(word);
        return;
    }
    for (p++; *p != '"'; p++) {
        if (*p == '\0')
            die("a word does not end", path);
        if (*p != '\\') {
            word[len++] = (uint8_t)*p;
        } else if (p[1] == 'x' && hex_value(p[2]) >= 0 && hex_value(p[3]) >= 0) {
            word[len++] = (uint8_t)(hex_value(p[2]) * 16 + hex_value(p[3]));
            p += 3;
        } else if (p[1] == '\\' || p[1] == '"') {
            word[len++] = (uint8_t) * ++p;
        } else {
            die("a word has an unknown escape", path);
        }
    }
    keep(&words, word, len, path);
}

static void read_dictionary(const char *path)
{
    FILE *f = fopen(path, "re");
    char line[1000];

    if (f == NULL)
        return; /* a target need not have one */
    while (fgets(line, sizeof line, f) != NULL)
        read_word(line, path);
    (void)fclose(f);
}

/* ---- mutations ---- */

/* xorshift64* (Vigna 2016): the seed is fixed, so the series is. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static size_t pick(uint64_t *state, size_t below)
{
    return below == 0 ? 0 : (size_t)((next_random(state) >> 16) % below);
}

/* Replace `cut` bytes at `at` by `put`; too long a result leaves the input as it is. */
static void splice(struct input *in, size_t at, size_t cut, const uint8_t *put, size_t put_len)
{
    if (in->len - cut + put_len > INPUT_MAX)
        return;
    memmove(in->data + at + put_len, in->data + at + cut, in->len - at - cut);
    memcpy(in->data + at, put, put_len);
    in->len += put_len - cut;
}

static void mutate_once(struct input *in, uint64_t *state)
{
    static const uint8_t odd[] = { 0,   1,   9,   10,  13,   32,   '"',  '\\', '.', ',',
                                   '=', '-', '{', '[', 0x7F, 0x80, 0xC0, 0xED, 0xFF };
    static uint8_t piece[INPUT_MAX];
    size_t at = pick(state, in->len + 1), run = pick(state, in->len - at + 1);
    const struct input *other;

    if (run > 64 && pick(state, 4) != 0)
        run = 1 + run % 16; /* mostly small cuts: large ones leave little to parse */
    switch (pick(state, 8)) {
    case 0:
        if (at < in->len)
            in->data[at] ^= (uint8_t)(1u << pick(state, 8));
        break;
    case 1:
        if (at < in->len)
            in->data[at] = odd[pick(state, sizeof odd)];
        break;
    case 2:
        splice(in, at, 0, &odd[pick(state, sizeof odd)], 1);
        break;
    case 3:
        splice(in, at, run, odd, 0);
        break;
    case 4: /* say it twice */
        memcpy(piece, in->data + at, run);
        splice(in, at, 0, piece, run);
        break;
    case 5: /* a piece of another input */
        other = &corpus.at[pick(state, corpus.count)];
        if (other->len != 0 && other->len <= INPUT_MAX) {
            size_t from = pick(state, other->len);

            splice(in, at, run, other->data + from, 1 + pick(state, other->len - from));
        }
        break;
    case 6:
        if (words.count != 0) {
            other = &words.at[pick(state, words.count)];
            splice(in, at, pick(state, 2) == 0 ? 0 : run, other->data, other->len);
        }
        break;
    default:
        in->len = at;
        break;
    }
}

static void run_mutations(unsigned long runs)
{
    static uint8_t room[INPUT_MAX];
    uint64_t state = UINT64_C(0x9E3779B97F4A7C15);

    for (unsigned long i = 0; i < runs; i++) {
        const struct input *seed = &corpus.at[i % corpus.count];
        struct input in = { room, seed->len };

        if (seed->len > INPUT_MAX)
            continue;
        memcpy(room, seed->data, seed->len);
        for (size_t k = 1 + pick(&state, STACKED_MAX); k != 0; k--)
            mutate_once(&in, &state);
        run_target(in.data, in.len);
    }
}

static void free_list(struct input_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->at[i].data);
}

/* "json" of "…/lt-fuzz_json": where corpus and dictionary are. */
static const char *target_name(const char *program)
{
    const char *base = strrchr(program, '/'), *name;

    base = base == NULL ? program : base + 1;
    name = strstr(base, "fuzz_");
    return name == NULL ? base : name + strlen("fuzz_");
}

static unsigned long wanted_runs(void)
{
    const char *text = getenv("POSTERN_FUZZ_RUNS");
    unsigned long runs = &fuzz_replay_runs != NULL ? fuzz_replay_runs : RUNS_DEFAULT;

    if (text != NULL)
        return strtoul(text, NULL, 10);
    if (__sanitizer_set_death_callback != NULL)
        return runs / QUICK_SHARE;
    return test_effort(runs / QUICK_SHARE, runs);
}

int main(int argc, char **argv)
{
    const char *name = target_name(argv[0]), *top = getenv("top_srcdir");
    char path[4096];

    if (LLVMFuzzerInitialize != NULL)
        (void)LLVMFuzzerInitialize(&argc, &argv);
    watch_for_crashes(name);
    for (int i = 1; i < argc; i++)
        read_input(argv[i], &corpus);
    if (argc == 1) {
        (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top == NULL ? "." : top, name);
        read_corpus(path);
        (void)snprintf(path, sizeof path, "%s/tests/fuzz/dict/%s.dict", top == NULL ? "." : top,
                       name);
        read_dictionary(path);
    }
    for (size_t i = 0; i < corpus.count; i++)
        run_target(corpus.at[i].data, corpus.at[i].len);
    if (argc == 1)
        run_mutations(wanted_runs());
    printf("fuzz_%s: %zu files, %lu mutations\n", name, corpus.count,
           argc == 1 ? wanted_runs() : 0ul);
    free_list(&corpus);
    free_list(&words);
    return 0;
}
