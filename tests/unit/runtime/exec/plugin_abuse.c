/* SPDX-License-Identifier: Apache-2.0 */
/* Plugin files with every fault: each gets one clear line that names it, and the run goes on. */
#include "exec_test.h"
#include "tests/support/temporary.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* A folder for files that are no plugins, removed at the end. */
static char folder[256];

static int make_folder(void **state) {
    (void)state;
    support_temporary(folder, sizeof folder);
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

static const char *path_of(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/heed-backend-%s.so", folder, name);
    return path;
}

static void write_file(const char *name, const char *text) {
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct heed_executor *open_with(const char *backends, const char *plugin_path) {
    struct heed_executor *executor = NULL;
    const struct heed_executor_options options = {
        .struct_size = (uint32_t)sizeof options, .backends = backends, .plugin_path = plugin_path};
    test_log_clear(&logged);
    assert_ok(heed_executor_create(context, &options, &executor));
    return executor;
}

/* The run goes on: a graph is compiled and computed. */
static struct placements run_and_close(struct heed_executor *executor) {
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    const struct placements placements = placements_of(program);
    check_small(program);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
    return placements;
}

/* Names `name` first in a list: one line says what is wrong with it; the next backend runs. */
static void refuse(const char *name, const char *plugin_path, const char *words) {
    char list[128], file[512];
    snprintf(list, sizeof list, "%s,fake_a,only", name);
    struct heed_executor *executor = open_with(list, plugin_path);
    snprintf(file, sizeof file, "%s/heed-backend-%s.so", plugin_path, name);
    if (logged.lines != 1)
        fail_msg("%s: expected one line in the log:\n%s", name, logged.text);
    assert_logged(name);
    assert_logged(words);
    run_and_close(executor);
    assert_int_equal(logged.lines, 1);

    /* By its path the same is said, and the path named. */
    snprintf(list, sizeof list, "%.100s,fake_a,only", file);
    if (strlen(file) > 100)
        return;
    executor = open_with(list, plugin_path);
    assert_int_equal(logged.lines, 1);
    assert_logged(file);
    assert_logged(words);
    run_and_close(executor);
}

static void broken_tables(void **state) {
    (void)state;
    static const char *const faults[][2] = {
        {"newer_major", "built for plugin interface 2.0, this library has 1.0"},
        {"null_entry", "does not serve plugin interface 1.0"},
        {"missing_symbol", "does not export the function heed_backend_entry"},
        {"missing_function", "lacks the required function submit"},
        {"truncated", "its table is truncated"},
        {"tiny", "its table is truncated: 4 bytes"},
        {"endless", "its table is too long: 1073741824 bytes"},
        {"unknown_tail", "is set, but only"},
        {"nameless", "its name must be 1 to 31 lower-case letters"},
        {"wrong_name", "calls itself 'another' where 'wrong_name' is expected"},
        {"no_device", "the card was taken out"},
        {"odd_device", "an alignment of 48 bytes, expected a power of two"},
        {"wild_status", "unknown status 4711"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        refuse(faults[i][0], HEED_TEST_ABUSE_PLUGINS, faults[i][1]);
}

static void sound_plugins_are_accepted(void **state) {
    (void)state;
    static const char *const names[] = {"good", "older_minor", "newer_minor"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char list[64], reason[64];
        snprintf(list, sizeof list, "%s,fake_a,only", names[i]);
        const struct placements placements =
            run_and_close(open_with(list, HEED_TEST_ABUSE_PLUGINS));
        assert_string_equal(logged.text, "");
        snprintf(reason, sizeof reason, "[%s: declined]", names[i]);
        assert_non_null(strstr(placements.reasons, reason));
    }
}

static void files_that_are_no_plugins(void **state) {
    (void)state;
    write_file("text", "This is not a shared object.\n");
    refuse("text", folder, "text.so");
    assert_int_equal(unlink(path_of("text")), 0);

    write_file("empty", "");
    refuse("empty", folder, "empty.so");
    assert_int_equal(unlink(path_of("empty")), 0);

    assert_int_equal(mkdir(path_of("directory"), 0700), 0);
    refuse("directory", folder, "it is a folder, not a file");
    assert_int_equal(rmdir(path_of("directory")), 0);

    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    refuse("pipe", folder, "it is a device or pipe, not a file");
    assert_int_equal(unlink(path_of("pipe")), 0);
}

/* The first quarter of a sound plugin. */
static void cut_file(void **state) {
    (void)state;
    char source[512];
    static char bytes[1 << 16];
    snprintf(source, sizeof source, "%s/heed-backend-good.so", HEED_TEST_ABUSE_PLUGINS);
    FILE *from = fopen(source, "rb");
    assert_non_null(from);
    const size_t count = fread(bytes, 1, sizeof bytes, from);
    fclose(from);
    FILE *to = fopen(path_of("cut"), "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, count / 4, to), count / 4);
    assert_int_equal(fclose(to), 0);
    refuse("cut", folder, "the file is cut off");
    assert_int_equal(unlink(path_of("cut")), 0);
}

/* Root reads everything, so a child gives its rights up. */
static void unreadable_file(void **state) {
    (void)state;
    write_file("secret", "whatever");
    assert_int_equal(chmod(path_of("secret"), 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && setuid(NOBODY) != 0)
            _exit(2);
        struct heed_executor *executor = open_with("secret,fake_a,only", folder);
        const int good = logged.lines == 1 && strstr(logged.text, "secret.so") != NULL &&
                         strstr(logged.text, "ermission denied") != NULL;
        heed_executor_release(executor);
        _exit(good ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(unlink(path_of("secret")), 0);
}

/* "auto" over the whole folder: every broken file once, and the sound ones are used. */
static void auto_goes_over_all(void **state) {
    (void)state;
    fake_a.preference = 1;
    struct heed_executor *executor = open_with("auto,only", HEED_TEST_ABUSE_PLUGINS);
    static const char *const broken[] = {
        "-newer_major.so",  "-null_entry.so",       "-missing_symbol.so", "-truncated.so",
        "-unknown_tail.so", "-missing_function.so", "-tiny.so",           "-endless.so",
        "-nameless.so",     "-wrong_name.so",       "'wild_status'",      "'odd_device'"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        const char *first = strstr(logged.text, broken[i]);
        if (first == NULL || strstr(first + 1, broken[i]) != NULL)
            fail_msg("expected %s once in the log:\n%s", broken[i], logged.text);
    }
    assert_int_equal(logged.lines, sizeof broken / sizeof *broken);
    run_and_close(executor);
}

struct seen {
    uint32_t devices;
    bool good, no_device, newer_major, endless_report;
};

static void note_device(void *user, const struct heed_device *device, const char *reason) {
    struct seen *seen = user;
    seen->devices += reason == NULL;
    if (strcmp(device->backend, "good") == 0)
        seen->good = reason == NULL && strcmp(device->version, "1.2.3") == 0 &&
                     strstr(device->path, "/heed-backend-good.so") != NULL &&
                     device->info.type == HEED_DEVICE_CPU && strcmp(device->report, "") == 0;
    if (strcmp(device->backend, "endless_report") == 0)
        seen->endless_report = reason == NULL && strlen(device->report) > 1000 &&
                               strspn(device->report, "x") == strlen(device->report);
    if (strcmp(device->backend, "no_device") == 0)
        seen->no_device = reason != NULL && strcmp(reason, "the card was taken out") == 0;
    if (strcmp(device->backend, "newer_major") == 0)
        seen->newer_major = reason != NULL && strstr(reason, "2.0") != NULL;
}

static void devices_tells_reasons(void **state) {
    (void)state;
    struct seen seen = {0};
    test_log_clear(&logged);
    assert_ok(heed_devices(context, HEED_TEST_ABUSE_PLUGINS, note_device, &seen));
    assert_true(seen.good && seen.no_device && seen.newer_major && seen.endless_report);
    assert_true(seen.devices >= 5); /* both fakes, good, older_minor, newer_minor */
    assert_string_equal(logged.text, "");
    assert_int_equal(heed_devices(context, NULL, NULL, NULL), HEED_ERROR_INVALID_ARGUMENT);
}

/* A broken file in one folder does not hide a sound one in the next. */
static void next_folder_is_searched(void **state) {
    (void)state;
    char both[1024];
    write_file("good", "broken");
    snprintf(both, sizeof both, "%s::%s", folder, HEED_TEST_ABUSE_PLUGINS);
    struct heed_executor *executor = open_with("good,fake_a,only", both);
    assert_int_equal(logged.lines, 1);
    assert_logged(folder);
    const struct placements placements = run_and_close(executor);
    assert_non_null(strstr(placements.reasons, "[good: declined]"));
    assert_int_equal(unlink(path_of("good")), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(broken_tables),
        exec_test(sound_plugins_are_accepted),
        exec_test(files_that_are_no_plugins),
        exec_test(cut_file),
        exec_test(unreadable_file),
        exec_test(auto_goes_over_all),
        exec_test(devices_tells_reasons),
        exec_test(next_folder_is_searched),
    };
    return cmocka_run_group_tests_name("plugin_abuse", tests, make_folder, remove_folder);
}
