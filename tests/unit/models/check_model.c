/* SPDX-License-Identifier: Apache-2.0 */
/* A check inside a model that runs out of memory, wherever that may be: it says so, and gives all
 * back. Later failures lie further apart, as there are very many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/check_model.h"
#include "tests/support/memory.h"

static void test_out_of_memory(void **state) {
    struct test_memory memory;
    struct heed_model *model = NULL;
    struct heed_check_model_report report;
    const struct heed_check_model_options options = {.struct_size = sizeof options,
                                                     .backend = "scalar",
                                                     .against = "scalar",
                                                     .plugin_path = HEED_TEST_PLUGINS,
                                                     .text = "Hello.",
                                                     .steps = 1};
    (void)state;
    test_memory_init(&memory);
    struct heed_context *context = test_context(&memory, NULL, HEED_LOG_ERROR);
    assert_non_null(context);
    assert_int_equal(heed_model_open(context, NULL, &model), HEED_OK);
    assert_int_equal(heed_check_model(context, model, &options, &report), HEED_OK);
    int failures = 0;
    bool reached = true;
    for (long at = 1; reached; at += 1 + at / 4) {
        const long aim = atomic_load(&memory.calls) + at;
        atomic_store(&memory.fail_at, aim);
        const enum heed_status status = heed_check_model(context, model, &options, &report);
        atomic_store(&memory.fail_at, 0);
        reached = atomic_load(&memory.calls) >= aim;
        if (status == HEED_OK)
            assert_true(report.together_over == 0 && report.over == 0);
        else
            assert_int_equal(status, HEED_ERROR_OUT_OF_MEMORY);
        failures += status != HEED_OK;
    }
    assert_true(failures > 25);
    heed_model_close(model); /* which kept executors that have translated */
    heed_context_destroy(context);
    assert_int_equal(atomic_load(&memory.live), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
