/* SPDX-License-Identifier: Apache-2.0 */
/* Shared objects: whole ones, cut ones, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/os.h"
#include "tests/support/temporary.h"

static char folder[256], path[512];

static int set_up(void **state) {
    (void)state;
    support_temporary(folder, sizeof folder);
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/heed-backend-x.so", folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const void *data, size_t bytes) {
    unlink(path); /* not over what the loader may have mapped */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

/* Some shared object of this machine: the one that runs these tests. */
static bool find_library(char *found, size_t bytes) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    bool done = false;
    while (maps != NULL && !done && fgets(line, sizeof line, maps) != NULL) {
        const char *start = strchr(line, '/');
        if (start == NULL || strstr(start, "libcmocka") == NULL)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(found, bytes, "%s", start);
        done = true;
    }
    if (maps != NULL)
        fclose(maps);
    return done;
}

static void test_refusals(void **state) {
    (void)state;
    struct heed_error error = {.struct_size = sizeof error};
    assert_null(heedi_os_library_open(path, &error)); /* missing */
    assert_int_equal(error.status, HEED_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, path));
    const char *contents[] = {"", "not a library\n",
                              "\x7f"
                              "ELF",
                              "\x7f"
                              "ELF and then some text"};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        write_file(contents[i], strlen(contents[i]));
        memset(error.message, 0, sizeof error.message);
        assert_null(heedi_os_library_open(path, &error));
        assert_int_equal(error.status, HEED_ERROR_IO);
        assert_non_null(strstr(error.message, path));
        assert_null(heedi_os_library_open(path, NULL));
    }
    assert_null(heedi_os_library_open(folder, &error));
    assert_non_null(strstr(error.message, "is a directory"));
}

static void test_whole_and_cut(void **state) {
    (void)state;
    char found[512];
    struct heed_error error = {.struct_size = sizeof error};
    if (!find_library(found, sizeof found))
        skip();
    void *library = heedi_os_library_open(found, &error);
    assert_non_null(library);
    assert_non_null(heedi_os_library_symbol(library, "_cmocka_run_group_tests"));
    assert_null(heedi_os_library_symbol(library, "heed_backend_entry"));
    heedi_os_library_close(library);
    heedi_os_library_close(NULL);

    struct heedi_mapping mapping;
    assert_true(heedi_os_map(found, &mapping, &error));
    /* The section headers, which loading does not need, are all that may be missing. */
    for (size_t bytes = 1; bytes < mapping.bytes; bytes += mapping.bytes / 50) {
        write_file(mapping.data, bytes);
        library = heedi_os_library_open(path, &error);
        assert_true(library == NULL || bytes > mapping.bytes / 2);
        if (library == NULL && bytes > 4096)
            assert_non_null(strstr(error.message, "cut off"));
        heedi_os_library_close(library);
    }
    /* Headers that point out of the file. */
    unsigned char header[4096];
    assert_true(mapping.bytes > sizeof header);
    memcpy(header, mapping.data, sizeof header);
    memset(header + 32, 0xff, 8); /* e_phoff of a 64-bit file */
    write_file(header, sizeof header);
    assert_null(heedi_os_library_open(path, &error));
    heedi_os_unmap(&mapping);
    assert_string_equal(heedi_os_library_suffix(), ".so");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whole_and_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
