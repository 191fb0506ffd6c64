/* SPDX-License-Identifier: Apache-2.0 */
/* Models on several devices: one that fails in the middle of a translation, and keys and values
 * that one writes and another reads. The text is always what one device gives alone. */
#include "tests/support/fake_backend.h"
#include "tests/support/memory.h"
#include "tests/unit/models/tiny_marian.h"

enum { TEXTS = 5, TEXT_BYTES = 256 };

static struct tiny_model weights;
static struct folder folder;
static const char *const texts[TEXTS] = {"a b c d", "c", "b b a d e", "e a", "d c b a"};

static int set_up(void **state) {
    (void)state;
    folder = tiny_folder(&weights);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tiny_remove(&folder);
    return 0;
}

struct results {
    size_t count;
    char text[TEXTS][TEXT_BYTES];
};

static int collect(void *user, size_t index, const struct heed_translation *translation) {
    struct results *results = user;
    assert_int_equal(translation->status, HEED_OK);
    (void)snprintf(results->text[index], TEXT_BYTES, "%s", translation->text);
    results->count++;
    return 0;
}

struct suite {
    struct heed_context *context;
    struct heed_model *model;
    struct heed_translator *translator;
};

static bool gpu; /* fake_a is one, which can take several steps */

static struct suite open_suite(const char *backends) {
    struct suite suite = {.context = test_context(NULL, NULL, HEED_LOG_ERROR)};
    fake_reset(suite.context);
    fake_a.steps = gpu;
    fake_a.device_type = gpu ? HEED_DEVICE_GPU_DISCRETE : HEED_DEVICE_CPU;
    const struct heed_translator_options options = {.struct_size = sizeof options,
                                                    .backends = backends,
                                                    .threads = 1,
                                                    .max_length = 12,
                                                    .max_batch_tokens = 4};
    suite.model = tiny_open(suite.context, folder.path);
    if (heed_translator_create(suite.context, suite.model, &options, &suite.translator) != HEED_OK)
        fail_msg("no translator: %s", heed_last_error(suite.context));
    return suite;
}

static void close_suite(struct suite *suite) {
    heed_translator_destroy(suite->translator);
    heed_model_close(suite->model);
    heed_context_destroy(suite->context);
    assert_int_equal(atomic_load(&fake_a.live), 0);
    assert_int_equal(atomic_load(&fake_b.live), 0);
}

static void run(struct suite *suite, struct results *results) {
    memset(results, 0, sizeof *results);
    if (heed_translate_many(suite->translator, texts, NULL, TEXTS, collect, results) != HEED_OK)
        fail_msg("not translated: %s", heed_last_error(suite->context));
    assert_int_equal(results->count, TEXTS);
}

static struct results expected, found;

/* How many runs the texts take. */
static int run_alone(void) {
    struct suite suite = open_suite("fake_b,only");
    run(&suite, &expected);
    const int runs = atomic_load(&fake_b.runs_done);
    close_suite(&suite);
    return runs;
}

static void check_failures(void) {
    static const enum heed_status failures[] = {HEED_ERROR_DEVICE_LOST, HEED_ERROR_DEVICE_MEMORY};
    const int runs = run_alone();
    assert_true(runs > 5); /* encoders and steps of several batches */
    for (size_t f = 0; f < sizeof failures / sizeof failures[0]; f++)
        for (int at = 0; at < runs; at++) {
            struct suite suite = open_suite("fake_a,fake_b,only");
            fake_a.run_status = failures[f];
            fake_a.runs_until_then = at;
            run(&suite, &found);
            assert_memory_equal(&found, &expected, sizeof found);
            assert_int_equal(atomic_load(&fake_a.runs_done), at);
            run(&suite, &found); /* it is not asked again */
            assert_memory_equal(&found, &expected, sizeof found);
            assert_int_equal(atomic_load(&fake_a.runs_done), at);
            close_suite(&suite);
        }
}

static void another_goes_on_wherever_one_fails(void **state) {
    (void)state;
    check_failures();
}

static void another_goes_on_in_the_middle_of_a_series(void **state) {
    (void)state;
    gpu = true;
    check_failures();
    gpu = false;
}

static void a_gpu_takes_several_steps(void **state) {
    (void)state;
    (void)run_alone();
    gpu = true;
    struct suite suite = open_suite("fake_a,only");
    run(&suite, &found);
    assert_memory_equal(&found, &expected, sizeof found);
    assert_true(atomic_load(&fake_a.series_done) > 0);
    assert_true(atomic_load(&fake_a.runs_done) > 2 * atomic_load(&fake_a.series_done));
    close_suite(&suite);
    gpu = false;
}

static void memory_that_an_instance_lacks_is_no_end(void **state) {
    (void)state;
    (void)run_alone();
    struct suite suite = open_suite("fake_a,fake_b,only");
    fake_a.instance_status = HEED_ERROR_DEVICE_MEMORY;
    run(&suite, &found);
    assert_memory_equal(&found, &expected, sizeof found);
    close_suite(&suite);
}

static void without_another_the_reason_is_told(void **state) {
    (void)state;
    struct suite suite = open_suite("fake_a,only");
    fake_a.run_status = HEED_ERROR_DEVICE_LOST;
    fake_a.runs_until_then = 2;
    assert_int_not_equal(heed_translate_many(suite.translator, texts, NULL, TEXTS, collect, &found),
                         HEED_OK);
    assert_non_null(strstr(heed_last_error(suite.context), "set aside: run told to fail"));
    close_suite(&suite);
}

/* What is no failure of a device ends the call, and the device stays. */
static void other_failures_set_nothing_aside(void **state) {
    (void)state;
    struct suite suite = open_suite("fake_a,fake_b,only");
    fake_a.run_status = HEED_ERROR_INTERNAL;
    assert_int_equal(heed_translate_many(suite.translator, texts, NULL, TEXTS, collect, &found),
                     HEED_ERROR_INTERNAL);
    fake_a.run_status = HEED_OK;
    run(&suite, &found);
    assert_int_equal(atomic_load(&fake_b.runs_done), 0);
    close_suite(&suite);
}

/* The encoder's part of the cache is written on one device and read on another. */
static void keys_go_where_they_are_read(void **state) {
    (void)state;
    (void)run_alone();
    struct suite suite = open_suite("fake_a,fake_b,only");
    fake_a.runs[HEED_OP_ATTENTION] = false;
    run(&suite, &found);
    assert_memory_equal(&found, &expected, sizeof found);
    assert_true(atomic_load(&fake_a.runs_done) > 0 && atomic_load(&fake_b.runs_done) > 0);
    close_suite(&suite);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_goes_on_wherever_one_fails),
        cmocka_unit_test(another_goes_on_in_the_middle_of_a_series),
        cmocka_unit_test(a_gpu_takes_several_steps),
        cmocka_unit_test(memory_that_an_instance_lacks_is_no_end),
        cmocka_unit_test(without_another_the_reason_is_told),
        cmocka_unit_test(other_failures_set_nothing_aside),
        cmocka_unit_test(keys_go_where_they_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
