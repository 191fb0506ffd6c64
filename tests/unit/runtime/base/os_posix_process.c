/* SPDX-License-Identifier: Apache-2.0 */
/* Time, memory, environment, processors, own folder. */
#define _XOPEN_SOURCE 700 /* realpath */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/context.h"
#include "runtime/base/os.h"
#include "tests/support/temporary.h"

static void test_clock(void **state) {
    (void)state;
    const uint64_t start = heedi_os_now_ns();
    assert_true(start > 0);
    uint64_t now = start;
    const struct timespec nap = {0, 3000000};
    nanosleep(&nap, NULL);
    for (int i = 0; i < 1000; i++) {
        const uint64_t next = heedi_os_now_ns();
        assert_true(next >= now);
        now = next;
    }
    assert_true(now - start >= 3000000u);
    assert_true(now - start < UINT64_C(60000000000)); /* nanoseconds, not less */
}

static void test_peak_memory(void **state) {
    (void)state;
    const uint64_t before = heedi_os_peak_memory_bytes();
    assert_true(before > 100000u);
    const size_t bytes = (size_t)64 << 20;
    volatile char *memory = malloc(bytes);
    assert_non_null(memory);
    for (size_t i = 0; i < bytes; i += 1024)
        memory[i] = 1;
    const uint64_t after = heedi_os_peak_memory_bytes();
    free((void *)memory);
    assert_true(after >= (uint64_t)bytes);
    assert_true(heedi_os_peak_memory_bytes() >= after); /* a peak stays */
}

static void test_getenv(void **state) {
    (void)state;
    assert_int_equal(setenv("HEED_TEST_VARIABLE", "value", 1), 0);
    assert_string_equal(heedi_os_getenv("HEED_TEST_VARIABLE"), "value");
    assert_int_equal(setenv("HEED_TEST_VARIABLE", "", 1), 0);
    assert_null(heedi_os_getenv("HEED_TEST_VARIABLE"));
    assert_int_equal(unsetenv("HEED_TEST_VARIABLE"), 0);
    assert_null(heedi_os_getenv("HEED_TEST_VARIABLE"));
}

static char program[PATH_MAX]; /* this test, by its full name */

static void test_own_folder(void **state) {
    (void)state;
    char expected[PATH_MAX], folder[PATH_MAX];
    snprintf(expected, sizeof expected, "%s", program);
    *strrchr(expected, '/') = '\0';
    assert_true(heedi_os_own_folder(folder, sizeof folder));
    assert_string_equal(folder, expected);
    /* A buffer that is too short by one is not filled with half a path. */
    assert_true(heedi_os_own_folder(folder, strlen(expected) + 1));
    assert_false(heedi_os_own_folder(folder, strlen(expected)));
    assert_false(heedi_os_own_folder(folder, 0));
}

/* As a shell starts what it found through PATH: argv[0] is a bare word, and some folder is current.
 */
static void test_own_folder_by_path(void **state) {
    (void)state;
    char folder[PATH_MAX];
    assert_true(heedi_os_own_folder(folder, sizeof folder));
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (chdir("/") != 0)
            _exit(2);
        execl(program, "heed", "--own-folder", folder, (char *)NULL);
        _exit(3);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void test_processor_count(void **state) {
    (void)state;
    const uint32_t count = heedi_os_processor_count();
    assert_true(count >= 1);
    assert_true((long)count <= sysconf(_SC_NPROCESSORS_CONF));
}

/* ---- control groups, from files as the kernel shows them ---- */

static char root[256];

static void put_file(const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(full, 0755);
        *at = '/';
    }
    FILE *file = fopen(full, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static uint32_t processors(const char *groups) {
    char list[512], mount[512];
    snprintf(list, sizeof list, "%s/groups", root);
    snprintf(mount, sizeof mount, "%s/mount", root);
    put_file("groups", groups);
    return heedi_os_cgroup_processors(list, mount);
}

static int make_root(void **state) {
    (void)state;
    support_temporary(root, sizeof root);
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state) {
    (void)state;
    char command[512];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

static void test_cgroup_v2(void **state) {
    (void)state;
    assert_int_equal(processors("0::/\n"), 0); /* nothing there */
    put_file("mount/cpu.max", "max 100000\n");
    assert_int_equal(processors("0::/\n"), 0);
    put_file("mount/cpu.max", "250000 100000\n"); /* two and a half */
    assert_int_equal(processors("0::/\n"), 3);
    put_file("mount/cpu.max", "1000 100000\n");
    assert_int_equal(processors("0::/\n"), 1);
    /* The smallest of the groups around the process decides. */
    put_file("mount/cpu.max", "800000 100000\n");
    put_file("mount/user/cpu.max", "200000 100000\n");
    put_file("mount/user/job/cpu.max", "max 100000\n");
    assert_int_equal(processors("0::/user/job\n"), 2);
    put_file("mount/user/job/cpu.max", "100000 100000\n");
    assert_int_equal(processors("0::/user/job\n"), 1);
    /* A path that this mount does not show, and one outside of it: the root of the mount decides.
     */
    assert_int_equal(processors("0::/elsewhere/x\n"), 8);
    assert_int_equal(processors("0::/../user/job\n"), 8);
    assert_int_equal(processors("0::/user/job"), 1); /* no newline */
}

static void test_cgroup_v1(void **state) {
    (void)state;
    const char *groups = "12:memory:/job\n5:cpuset:/job\n4:cpuacct,cpu:/job\n1:name=systemd:/\n";
    put_file("mount/cpu/cpu.cfs_quota_us", "-1\n");
    put_file("mount/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(processors(groups), 0);
    put_file("mount/cpu/job/cpu.cfs_quota_us", "400000\n");
    assert_int_equal(processors(groups), 0); /* no period */
    put_file("mount/cpu/job/cpu.cfs_period_us", "100000\n");
    assert_int_equal(processors(groups), 4);
    assert_int_equal(processors("5:cpuset:/job\n4:cpuacct:/job\n"), 0);
    /* Both versions mounted: the smaller. */
    put_file("mount/job/cpu.max", "300000 100000\n");
    assert_int_equal(processors("4:cpu,cpuacct:/job\n0::/job\n"), 3);
}

static void test_cgroup_nonsense(void **state) {
    (void)state;
    assert_int_equal(heedi_os_cgroup_processors("/nonexistent", "/nonexistent"), 0);
    const char *texts[] = {"",           "\n",          "max",       "x y\n",  "100000\n",
                           "100000 0\n", "-5 100000\n", "nan nan\n", "inf 1\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put_file("mount/cpu.max", texts[i]);
        const uint32_t expected = strcmp(texts[i], "inf 1\n") == 0 ? 65536 : 0;
        assert_int_equal(processors("0::/\n"), expected);
    }
    put_file("mount/cpu.max", "100000 100000\n");
    assert_int_equal(processors(""), 0);
    assert_int_equal(processors("0\n:\n::\n0:\n0::\n"), 1); /* the last is the root */
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "--own-folder") == 0) {
        char folder[PATH_MAX];
        return !(heedi_os_own_folder(folder, sizeof folder) && strcmp(folder, arguments[2]) == 0);
    }
    if (realpath(arguments[0], program) == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_peak_memory),
        cmocka_unit_test(test_getenv),
        cmocka_unit_test(test_own_folder),
        cmocka_unit_test(test_own_folder_by_path),
        cmocka_unit_test(test_processor_count),
        cmocka_unit_test_setup_teardown(test_cgroup_v2, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_cgroup_v1, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_cgroup_nonsense, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
