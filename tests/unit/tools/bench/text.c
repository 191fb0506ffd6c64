/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences from files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/temporary.h"
#include "tools/bench/bench.h"

static char path[4096];

static void write_file(const char *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static int make_path(void **state) {
    (void)state;
    support_temporary(path, sizeof path);
    const int descriptor = mkstemp(path);
    if (descriptor < 0)
        return -1;
    close(descriptor);
    return 0;
}

static int remove_path(void **state) {
    (void)state;
    return unlink(path);
}

static int open_text(struct heedi_bench *bench, struct heedi_tool_options *options,
                     const char *bytes, size_t count) {
    memset(bench, 0, sizeof *bench);
    memset(options, 0, sizeof *options);
    write_file(bytes, count);
    options->bench.translate = path;
    bench->options = options;
    return heedi_bench_text_open(bench);
}

static void lines_end_in_any_way(void **state) {
    (void)state;
    static const char bytes[] = "One  two\r\n\n three\tfour five \nlast";
    static struct heedi_bench bench;
    struct heedi_tool_options options;
    assert_int_equal(open_text(&bench, &options, bytes, sizeof bytes - 1), TOOL_OK);
    assert_int_equal(bench.text.count, 4);
    assert_string_equal(bench.text.lines[0], "One  two");
    assert_string_equal(bench.text.lines[1], "");
    assert_string_equal(bench.text.lines[2], " three\tfour five ");
    assert_string_equal(bench.text.lines[3], "last");
    assert_int_equal(bench.text.words, 6);
    heedi_bench_text_free(&bench.text);
}

/* Larger than the buffer grows at once. */
static void long_files_are_read_whole(void **state) {
    (void)state;
    enum { LINES = 20000, LENGTH = 16 };
    static char bytes[LINES * LENGTH];
    static struct heedi_bench bench;
    struct heedi_tool_options options;
    for (int i = 0; i < LINES; i++) {
        char line[LENGTH + 1];
        snprintf(line, sizeof line, "word %010d\n", i);
        memcpy(bytes + (size_t)i * LENGTH, line, LENGTH);
    }
    assert_int_equal(open_text(&bench, &options, bytes, sizeof bytes), TOOL_OK);
    assert_int_equal(bench.text.count, LINES);
    assert_int_equal(bench.text.words, 2 * LINES);
    assert_string_equal(bench.text.lines[0], "word 0000000000");
    assert_string_equal(bench.text.lines[LINES - 1], "word 0000019999");
    heedi_bench_text_free(&bench.text);
}

static void without_a_file_there_are_sentences(void **state) {
    (void)state;
    static struct heedi_bench bench;
    static const struct heedi_tool_options options;
    memset(&bench, 0, sizeof bench);
    bench.options = &options;
    assert_int_equal(heedi_bench_text_open(&bench), TOOL_OK);
    assert_true(bench.text.count >= 10);
    for (size_t i = 0; i < bench.text.count; i++)
        assert_true(bench.text.lines[i][0] >= 'A' && bench.text.lines[i][0] <= 'Z');
    heedi_bench_text_free(&bench.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_in_any_way),
        cmocka_unit_test(long_files_are_read_whole),
        cmocka_unit_test(without_a_file_there_are_sentences),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
