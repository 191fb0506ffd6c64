/* SPDX-License-Identifier: Apache-2.0 */
/* The reports of a comparison with known numbers: JSON and CSV are read back, the page is looked at
 * for what would break it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "tests/unit/tools/bench/example.h"

/* ---- a stream in memory ---- */

static char *text;
static size_t size;

static FILE *open_text(void) {
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    return stream;
}

static size_t occurrences(const char *what) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static double number(const cJSON *object, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(item))
        fail_msg("'%s' is no number", name);
    return item->valuedouble;
}

static void near(double actual, double expected) {
    assert_true(actual > expected * (1 - 1e-6) && actual < expected * (1 + 1e-6));
}

/* ---- numbers ---- */

static void times_have_three_digits(void **state) {
    (void)state;
    static const struct {
        double seconds;
        const char *expected;
    } table[] = {{1.234, "1.23 s"},    {0.9996, "1.00 s"},    {0.9994, "999 ms"},
                 {0.01234, "12.3 ms"}, {9.996e-3, "10.0 ms"}, {99.96e-6, "100 us"},
                 {1e-6, "1.00 us"},    {12e-9, "12.0 ns"},    {123, "123 s"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct heedi_bench_number buffer;
        assert_string_equal(heedi_bench_print_time(&buffer, table[i].seconds), table[i].expected);
    }
}

static void rates_have_prefixes(void **state) {
    (void)state;
    struct heedi_bench_number buffer;
    assert_string_equal(heedi_bench_print_rate(&buffer, 1.234e9, "FLOP/s"), "1.23 GFLOP/s");
    assert_string_equal(heedi_bench_print_rate(&buffer, 999.6, "B/s"), "1.00 kB/s");
    assert_string_equal(heedi_bench_print_rate(&buffer, 999.4, "B/s"), "999 B/s");
    assert_string_equal(heedi_bench_print_rate(&buffer, 2.5e12, "B/s"), "2.50 TB/s");
}

static void comparisons_take_what_both_ran(void **state) {
    (void)state;
    struct example example;
    struct heedi_bench_comparison it;
    example_fill(&example);
    assert_true(heedi_bench_compare(&example.bench, 0, 1, &it));
    assert_int_equal(it.count, 1);
    near(it.mean, 2);
    near(it.least, 2);
    near(it.most, 2);
    /* 2 and 1/8: sqrt(1/4) */
    example.cases[1].results[1].measured = true;
    example.cases[1].results[1].run = example_stats(1e-3 / 8);
    assert_true(heedi_bench_compare(&example.bench, 0, 1, &it));
    near(it.mean, 0.5);
    near(it.least, 0.125);
    near(it.most, 2);
    example.bench.case_count = 0;
    assert_false(heedi_bench_compare(&example.bench, 0, 1, &it));
}

/* ---- JSON ---- */

static void json_can_be_read_back(void **state) {
    (void)state;
    struct example example;
    example_fill(&example);
    example_translate(&example);
    FILE *stream = open_text();
    assert_true(heedi_bench_json(&example.bench, stream));
    fclose(stream);
    cJSON *root = cJSON_Parse(text);
    assert_non_null(root);
    const cJSON *environment = cJSON_GetObjectItemCaseSensitive(root, "environment");
    near(number(environment, "seed"), 7);
    near(number(environment, "threads"), 2);
    const cJSON *cases = cJSON_GetObjectItemCaseSensitive(root, "cases");
    assert_int_equal(cJSON_GetArraySize(cases), 2);
    const cJSON *matmul = cJSON_GetArrayItem(cases, 0);
    const cJSON *results = cJSON_GetObjectItemCaseSensitive(matmul, "results");
    const cJSON *first = cJSON_GetArrayItem(results, 0), *second = cJSON_GetArrayItem(results, 1);
    near(number(first, "flops_per_s"), 1e10);
    near(number(first, "bytes_per_s"), 1e8);
    near(number(first, "share_of_ideal"), 0.5);
    near(number(first, "prepare"), 0.25);
    near(number(cJSON_GetObjectItemCaseSensitive(first, "seconds"), "median"), 0.1);
    near(number(cJSON_GetObjectItemCaseSensitive(first, "seconds"), "samples"), 25);
    /* the second does not compute on the processor: no share of its roofline */
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(second, "share_of_ideal")));
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(second, "backend")->valuestring,
                        EXAMPLE_LABEL);
    const cJSON *softmax = cJSON_GetArrayItem(cases, 1);
    second = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(softmax, "results"), 1);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(second, "measured")));
    const cJSON *translation = cJSON_GetObjectItemCaseSensitive(root, "translation");
    first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(translation, "results"), 0);
    near(number(first, "tokens_per_s"), 5);
    near(number(first, "words_per_s"), 4);
    near(number(first, "batch_tokens_per_s"), 20);
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(first, "cold_start")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(first, "bleu")));
    near(number(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(first, "operators"), 0),
                "ideal"),
         0.75);
    const cJSON *comparisons = cJSON_GetObjectItemCaseSensitive(root, "comparisons");
    assert_int_equal(cJSON_GetArraySize(comparisons), 2);
    near(number(cJSON_GetArrayItem(comparisons, 1), "times_as_fast"), 0.5);
    cJSON_Delete(root);
    free(text);
}

/* ---- CSV ---- */

/* Fields of the line at `at`, quoted ones counted whole; `at` moves behind it. */
static size_t count_fields(const char **at) {
    size_t fields = 1;
    bool quoted = false;
    for (; **at != '\0' && (quoted || **at != '\n'); (*at)++) {
        if (**at == '"')
            quoted = !quoted;
        fields += **at == ',' && !quoted;
    }
    *at += **at == '\n';
    return fields;
}

static void csv_has_equal_lines(void **state) {
    (void)state;
    struct example example;
    example_fill(&example);
    example_translate(&example);
    FILE *stream = open_text();
    heedi_bench_csv(&example.bench, stream);
    fclose(stream);
    const char *at = text;
    const size_t fields = count_fields(&at);
    assert_int_equal(fields, 24);
    for (int line = 0; line < 4; line++)
        assert_int_equal(count_fields(&at), fields);
    assert_int_equal(*at, '\n'); /* an empty line between the tables */
    at++;
    assert_int_equal(count_fields(&at), 25);
    for (int line = 0; line < 2; line++)
        assert_int_equal(count_fields(&at), 25);
    assert_int_equal(*at, '\0');
    assert_int_equal(occurrences("\"b<\"\"x\"\",&y>\""), 3);
    assert_int_equal(occurrences("\"it <cannot>, \"\"really\"\" & truly\""), 1);
    assert_int_equal(occurrences("\nmatmul,10x20x30:relu,f32,first,2,4,4000000,memory,"), 1);
    free(text);
}

/* ---- the page ---- */

static void page_is_whole(void **state) {
    (void)state;
    struct example example;
    example_fill(&example);
    example_translate(&example);
    FILE *stream = open_text();
    heedi_bench_html(&example.bench, stream);
    fclose(stream);
    static const char *const pairs[][2] = {
        {"<svg", "</svg>"},        {"<section", "</section>"}, {"<div", "</div>"},
        {"<table", "</table>"},    {"<text", "</text>"},       {"<title", "</title>"},
        {"<figure>", "</figure>"}, {"<span", "</span>"},       {"<p", "</p>"},
        {"<small", "</small>"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t opened = occurrences(pairs[i][0]);
        if (strcmp(pairs[i][0], "<p") == 0)
            opened -= occurrences("<path");
        if (opened == 0 || opened != occurrences(pairs[i][1]))
            fail_msg("%zu %s, %zu %s", opened, pairs[i][0], occurrences(pairs[i][1]), pairs[i][1]);
    }
    /* names are text, not markup */
    assert_int_equal(occurrences("b<\""), 0);
    assert_int_equal(occurrences("<fast>"), 0);
    assert_int_equal(occurrences("<cannot>"), 0);
    assert_true(occurrences("b&lt;&quot;x&quot;,&amp;y&gt;") > 5);
    /* numbers that could not be */
    assert_int_equal(occurrences("nan"), 0);
    assert_int_equal(occurrences("inf"), 0);
    /* nothing from elsewhere */
    assert_int_equal(occurrences("http"), 0);
    assert_int_equal(occurrences("<script"), 0);
    free(text);
}

static void table_names_what_was_not_run(void **state) {
    (void)state;
    struct example example;
    example_fill(&example);
    FILE *stream = open_text();
    heedi_bench_table(&example.bench, stream);
    fclose(stream);
    assert_int_equal(occurrences("it <cannot>, \"really\" & truly"), 1);
    assert_int_equal(occurrences("10.0 GFLOP/s"), 1);
    assert_int_equal(occurrences("100 MB/s"), 1);
    assert_int_equal(occurrences(" 50 %"), 1);
    assert_int_equal(occurrences("first is 2.00 times as fast as " EXAMPLE_LABEL), 1);
    assert_int_equal(occurrences("note:"), 0);
    free(text);
    example.bench.roofline.one_thread_flops_per_s = 19e9;
    stream = open_text();
    heedi_bench_table(&example.bench, stream);
    fclose(stream);
    assert_int_equal(occurrences("only 1.05 times"), 1);
    free(text);
}

/* ---- devices ---- */

/* The second backend on a device that does 10 GFLOP/s, of which the product takes 0.125 s. */
static void make_device(struct example *example) {
    struct heedi_bench_backend *backend = &example->bench.backends[1];
    example_fill(example);
    backend->device = true;
    backend->roof = (struct heedi_bench_roofline){.flops_per_s = 10e9,
                                                  .kernel = backend->product,
                                                  .level_count = 1,
                                                  .levels = {{"device memory", 0, 0, 1e9}}};
    snprintf(backend->product, sizeof backend->product, "8x8x8");
    example->cases[0].results[1].device_s = 0.125;
}

static void devices_have_roofs_and_clocks(void **state) {
    (void)state;
    struct example example;
    make_device(&example);
    near(heedi_bench_case_ideal_s(&example.bench, &example.cases[0], 1), 0.1);
    FILE *stream = open_text();
    assert_true(heedi_bench_json(&example.bench, stream));
    fclose(stream);
    cJSON *root = cJSON_Parse(text);
    const cJSON *it = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(root, "cases"), 0);
    it = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(it, "results"), 1);
    near(number(it, "device_seconds"), 0.125);
    near(number(it, "flops_per_s"), 8e9);
    near(number(it, "share_of_ideal"), 0.8);
    near(number(cJSON_GetObjectItemCaseSensitive(it, "seconds"), "median"), 0.2);
    it = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(root, "backends"), 1);
    near(number(cJSON_GetObjectItemCaseSensitive(it, "roofline"), "flops_per_s"), 10e9);
    cJSON_Delete(root);
    free(text);
    stream = open_text();
    heedi_bench_table(&example.bench, stream);
    fclose(stream);
    assert_int_equal(occurrences("10.0 GFLOP/s (its best product, 8x8x8)"), 1);
    assert_int_equal(occurrences(" 80 %"), 1);
    free(text);
}

static void quicker_cases_raise_the_roof(void **state) {
    (void)state;
    struct example example;
    make_device(&example);
    heedi_bench_device_refine(&example.bench);
    near(example.bench.backends[1].roof.flops_per_s, 10e9);
    example.cases[0].results[1].device_s = 0.05;
    heedi_bench_device_refine(&example.bench);
    near(example.bench.backends[1].roof.flops_per_s, 20e9);
    assert_string_equal(example.bench.backends[1].product, "10x20x30:relu");
    near(heedi_bench_case_ideal_s(&example.bench, &example.cases[0], 1), 0.05);
    /* the processor's limits are not looked at */
    assert_int_equal(example.bench.backends[0].roof.level_count, 0);
}

/* ---- bundles ---- */

static void bundles_tell_no_folders(void **state) {
    (void)state;
    struct example example;
    example_fill(&example);
    example_translate(&example);
    struct heedi_bench *bench = &example.bench;
    assert_int_equal(heed_context_create(NULL, &bench->context), HEED_OK);
    bench->text.source = "/home/somebody/texts/a.txt";
    bench->text.model = "somebody/model.gguf";
    snprintf(bench->translations[1].reason, HEEDI_BENCH_REASON, "%s",
             "cannot open '../somebody/x.gguf': no such file; 3 GFLOP/s, and/or; /home/somebody/y");
    bench->tunings[0].kernel_count = 1;
    bench->tunings[0].kernels[0] = (struct heedi_bench_tuned){
        .name = "tile", .choice_count = 2, .winner = 1, .choices = {{"8x8", 2, 1, false}}};
    FILE *stream = open_text();
    assert_true(heedi_bench_bundle(bench, stream));
    fclose(stream);
    cJSON *root = cJSON_Parse(text);
    near(number(root, "heed_bundle"), 1);
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(root, "devices")) > 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(root, "tuning")), 1);
    assert_int_equal(occurrences("somebody"), 0);
    assert_int_equal(occurrences("cannot open 'x.gguf': no such file; 3 GFLOP/s, and/or; y"), 1);
    assert_int_equal(occurrences("a.txt"), 1);
    assert_int_equal(occurrences("model.gguf"), 1);
    cJSON_Delete(root);
    free(text);
    heed_context_destroy(bench->context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_three_digits),
        cmocka_unit_test(rates_have_prefixes),
        cmocka_unit_test(comparisons_take_what_both_ran),
        cmocka_unit_test(json_can_be_read_back),
        cmocka_unit_test(csv_has_equal_lines),
        cmocka_unit_test(page_is_whole),
        cmocka_unit_test(table_names_what_was_not_run),
        cmocka_unit_test(devices_have_roofs_and_clocks),
        cmocka_unit_test(quicker_cases_raise_the_roof),
        cmocka_unit_test(bundles_tell_no_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
