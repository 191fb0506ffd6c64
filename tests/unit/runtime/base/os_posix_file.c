/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings, files that appear whole, folders: what works, and the words for what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/context.h"
#include "runtime/base/os.h"
#include "tests/support/temporary.h"
#include "tests/unit/failing_allocator.h"

static char folder[256];
static struct failing_allocator failing;
static struct heed_context *context;
static struct heed_error error;

static int set_up(void **state) {
    (void)state;
    memset(&error, 0, sizeof error);
    error.struct_size = sizeof error;
    support_temporary(folder, sizeof folder);
    context = failing_context(&failing);
    return mkdtemp(folder) == NULL || context == NULL;
}

static int tear_down(void **state) {
    (void)state;
    heed_context_destroy(context);
    if (atomic_load(&failing.live) != 0)
        return 1;
    return rmdir(folder); /* fails where a test left something behind */
}

static const char *in_folder(const char *name) {
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static void expect_file(const char *path, const char *text) {
    char read[64] = "";
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    read[fread(read, 1, sizeof read - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(read, text);
}

/* The message names the path and says each of the words. */
static void expect_error(enum heed_status status, const char *path, const char *words) {
    assert_int_equal(error.status, status);
    if (strstr(error.message, path) == NULL || strstr(error.message, words) == NULL)
        fail_msg("'%s' does not name '%s' and '%s'", error.message, path, words);
    memset(error.message, 0, sizeof error.message);
}

static void test_kinds(void **state) {
    (void)state;
    write_file(in_folder("file"), "x");
    assert_int_equal(symlink("file", in_folder("link")), 0);
    assert_int_equal(symlink("nothing", in_folder("dangling")), 0);
    assert_int_equal(heedi_os_file_kind(in_folder("file")), HEEDI_FILE_REGULAR);
    assert_int_equal(heedi_os_file_kind(in_folder("link")), HEEDI_FILE_REGULAR);
    assert_int_equal(heedi_os_file_kind(in_folder("dangling")), HEEDI_FILE_NONE);
    assert_int_equal(heedi_os_file_kind(folder), HEEDI_FILE_DIRECTORY);
    assert_int_equal(heedi_os_file_kind("/dev/null"), HEEDI_FILE_OTHER);
    assert_int_equal(heedi_os_file_kind(""), HEEDI_FILE_NONE);
    unlink(in_folder("file"));
    unlink(in_folder("link"));
    unlink(in_folder("dangling"));
}

static void test_map(void **state) {
    (void)state;
    const char *path = in_folder("with space \xc3\xa9");
    write_file(path, "twelve bytes");
    struct heedi_mapping mapping;
    assert_true(heedi_os_map(path, &mapping, &error));
    assert_int_equal(mapping.bytes, 12);
    assert_memory_equal(mapping.data, "twelve bytes", 12);
    assert_int_equal((uintptr_t)mapping.data % 4096, 0);
    unlink(path); /* the mapping stays */
    assert_memory_equal(mapping.data, "twelve bytes", 12);
    heedi_os_unmap(&mapping);
    assert_null(mapping.data);
    assert_int_equal(mapping.bytes, 0);
    heedi_os_unmap(&mapping);

    path = in_folder("empty");
    write_file(path, "");
    assert_true(heedi_os_map(path, &mapping, &error));
    assert_null(mapping.data);
    assert_int_equal(mapping.bytes, 0);
    heedi_os_unmap(&mapping);
    unlink(path);
}

static void test_map_refusals(void **state) {
    (void)state;
    struct heedi_mapping mapping = {folder, 1};
    const char *path = in_folder("missing");
    assert_false(heedi_os_map(path, &mapping, &error));
    expect_error(HEED_ERROR_NOT_FOUND, path, "No such file");
    assert_null(mapping.data);
    assert_int_equal(mapping.bytes, 0);
    assert_false(heedi_os_map(folder, &mapping, &error));
    expect_error(HEED_ERROR_IO, folder, "is a directory");
    assert_false(heedi_os_map("/dev/null", &mapping, &error));
    expect_error(HEED_ERROR_IO, "/dev/null", "not a regular file");
    assert_false(heedi_os_map("", &mapping, &error));
    assert_false(heedi_os_map(path, &mapping, NULL));

    path = in_folder("pipe"); /* without a writer: must not wait for one */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(heedi_os_map(path, &mapping, &error));
    expect_error(HEED_ERROR_IO, path, "not a regular file");
    unlink(path);

    path = in_folder("file");
    write_file(path, "x");
    assert_int_equal(symlink("file", in_folder("file-link")), 0);
    const char *below = in_folder("file/below");
    assert_false(heedi_os_map(below, &mapping, &error));
    expect_error(HEED_ERROR_IO, below, "Not a directory");
    unlink(in_folder("file-link"));
    unlink(path);
}

/* Rights do not bind the superuser, so a child that gives them up does the looking. */
static void test_unreadable(void **state) {
    (void)state;
    const char *path = in_folder("secret");
    write_file(path, "x");
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct heedi_mapping mapping;
        struct heedi_new_file *file;
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        if (heedi_os_map(path, &mapping, &error))
            _exit(3);
        if (error.status != HEED_ERROR_IO || strstr(error.message, path) == NULL ||
            strstr(error.message, "Permission denied") == NULL)
            _exit(4);
        /* The folder belongs to the parent's user: the superuser's cannot be written any more. */
        if (getuid() == 65534 && (heedi_os_new_file(context, in_folder("new"), &file, &error) ||
                                  strstr(error.message, "Permission denied") == NULL))
            _exit(5);
        _exit(0);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    unlink(path);
}

static void test_discard(void **state) {
    (void)state;
    const char *path = in_folder("pages");
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    for (int i = 0; i < 5 * 4096; i++)
        assert_int_equal(fputc(i % 253, stream), i % 253);
    assert_int_equal(fclose(stream), 0);
    struct heedi_mapping mapping;
    assert_true(heedi_os_map(path, &mapping, &error));
    const unsigned char *data = mapping.data;
    heedi_os_discard(data, mapping.bytes);
    heedi_os_discard(data + 100, 5000);
    heedi_os_discard(data + 100, 50); /* no whole page */
    heedi_os_discard(data, 0);
    for (int i = 0; i < 5 * 4096; i++)
        assert_int_equal(data[i], i % 253);
    heedi_os_unmap(&mapping);
    unlink(path);
}

static int entries;

static void count_entry(void *user, const char *name) {
    (void)user;
    (void)name;
    entries++;
}

/* How many files the folder has: temporary ones would show. */
static int count_entries(void) {
    entries = 0;
    assert_true(heedi_os_list(context, folder, count_entry, NULL, &error));
    return entries;
}

static void test_new_file(void **state) {
    (void)state;
    const char *path = in_folder("model");
    write_file(path, "old");
    struct heedi_new_file *first = NULL, *second = NULL;
    assert_true(heedi_os_new_file(context, path, &first, &error));
    assert_true(heedi_os_new_file(context, path, &second, &error)); /* two at once do not meet */
    fputs("first", heedi_os_new_file_stream(first));
    fputs("second", heedi_os_new_file_stream(second));
    expect_file(path, "old");
    assert_int_equal(count_entries(), 3);
    assert_true(heedi_os_new_file_commit(second, &error));
    expect_file(path, "second");
    heedi_os_new_file_abort(first);
    expect_file(path, "second");
    heedi_os_new_file_abort(NULL);
    assert_int_equal(count_entries(), 1);
    unlink(path);
}

static void test_new_file_refusals(void **state) {
    (void)state;
    struct heedi_new_file *file = (void *)folder;
    assert_false(heedi_os_new_file(context, folder, &file, &error));
    expect_error(HEED_ERROR_IO, folder, "is a directory");
    assert_null(file);
    const char *path = in_folder("no/such/folder");
    assert_false(heedi_os_new_file(context, path, &file, &error));
    expect_error(HEED_ERROR_NOT_FOUND, path, "No such file");
    assert_false(heedi_os_new_file(context, path, &file, NULL));
    path = in_folder("model");
    size_t n = 1;
    for (failing_arm(&failing, n); !heedi_os_new_file(context, path, &file, &error);
         failing_arm(&failing, ++n)) {
        expect_error(HEED_ERROR_OUT_OF_MEMORY, path, "out of memory");
        assert_int_equal(atomic_load(&failing.live), 1);
    }
    failing_arm(&failing, 0);
    assert_int_equal(n, 4);
    heedi_os_new_file_abort(file);
    assert_int_equal(count_entries(), 0);
}

/* The stream writes to a device without space: noticed by the last flush, or already before. */
static void test_full_disk(void **state) {
    (void)state;
    const char *path = in_folder("model");
    for (int early = 0; early < 2; early++) {
        struct heedi_new_file *file = NULL;
        assert_true(heedi_os_new_file(context, path, &file, &error));
        FILE *stream = heedi_os_new_file_stream(file);
        const int full = open("/dev/full", O_WRONLY);
        if (full < 0) {
            heedi_os_new_file_abort(file);
            skip();
        }
        assert_true(dup2(full, fileno(stream)) >= 0);
        close(full);
        fputs("some words", stream);
        if (early)
            assert_int_not_equal(fflush(stream), 0);
        assert_false(heedi_os_new_file_commit(file, &error));
        expect_error(HEED_ERROR_IO, path, early ? "cannot write" : "No space left");
        assert_int_equal(count_entries(), 0);
    }
}

static void test_failed_rename(void **state) {
    (void)state;
    const char *path = in_folder("model");
    struct heedi_new_file *file = NULL;
    assert_true(heedi_os_new_file(context, path, &file, &error));
    assert_int_equal(mkdir(path, 0755), 0);
    assert_false(heedi_os_new_file_commit(file, &error));
    expect_error(HEED_ERROR_IO, path, "cannot write");
    assert_int_equal(count_entries(), 1);
    rmdir(path);
}

struct names {
    int count;
    char text[512];
};

static void join_names(void *user, const char *name) {
    struct names *names = user;
    names->count++;
    strcat(strcat(names->text, name), " ");
}

static void test_list(void **state) {
    (void)state;
    struct names names = {0};
    assert_true(heedi_os_list(context, folder, join_names, &names, &error));
    assert_int_equal(names.count, 0);
    const char *unsorted[] = {"b", "\xc3\xa9", "a10", "B", "a2", ".hidden"};
    for (size_t i = 0; i < 6; i++)
        write_file(in_folder(unsorted[i]), "");
    assert_true(heedi_os_list(context, folder, join_names, &names, &error));
    assert_string_equal(names.text, ".hidden B a10 a2 b \xc3\xa9 ");
    const char *path = in_folder("b");
    assert_false(heedi_os_list(context, path, join_names, &names, &error));
    expect_error(HEED_ERROR_IO, path, "Not a directory");
    path = in_folder("missing");
    assert_false(heedi_os_list(context, path, join_names, &names, &error));
    expect_error(HEED_ERROR_NOT_FOUND, path, "No such file");
    for (size_t i = 0; i < 6; i++)
        unlink(in_folder(unsorted[i]));
}

static void test_list_many(void **state) {
    (void)state;
    char name[16];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "f%02d", i);
        write_file(in_folder(name), "");
    }
    struct names names = {0};
    size_t n = 1;
    for (failing_arm(&failing, n); !heedi_os_list(context, folder, join_names, &names, &error);
         failing_arm(&failing, ++n)) {
        expect_error(HEED_ERROR_OUT_OF_MEMORY, folder, "out of memory");
        assert_int_equal(names.count, 0); /* all or nothing */
        assert_int_equal(atomic_load(&failing.live), 1);
    }
    failing_arm(&failing, 0);
    assert_true(n > 40);
    assert_int_equal(names.count, 40);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "f%02d", i);
        assert_memory_equal(names.text + 4 * i, name, 3);
        unlink(in_folder(name));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unreadable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_discard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_new_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_new_file_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_rename, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list_many, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
