/* SPDX-License-Identifier: BSD-2-Clause */
/* A temporary folder of files for tests that load configuration.  Any failure ends the program: a
 * test without its fixture is no test. */
#ifndef POSTERN_TESTS_TEST_FOLDER_H
#define POSTERN_TESTS_TEST_FOLDER_H

typedef struct test_folder {
    char path[64];
} test_folder;

void test_folder_make(test_folder *f);
/* Where a test puts a store that is to last as long as the test: in memory, where fsync(2) waits for no disk; else /tmp.  That
 * what was synced outlives a power cut is not what is tried here. */
const char *test_folder_fast(void);
/* Write `text` to `name` ("services/imap.conf"), mode 0644, replacing it atomically; folders are
 * made. */
void test_folder_put(const test_folder *f, const char *name, const char *text);
void test_folder_mode(const test_folder *f, const char *name, unsigned mode);
/* Absolute name in one of four static buffers. */
const char *test_folder_at(const test_folder *f, const char *name);
void test_folder_drop(const test_folder *f, const char *name);
/* With everything in it. */
void test_folder_remove(test_folder *f);

#endif
