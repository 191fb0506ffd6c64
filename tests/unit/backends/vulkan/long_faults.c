/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of a device at every call in turn: a lost device, exhausted memory, a timeout. Each ends
 * in the translation that the next backend of the list gives alone, in the middle of several steps
 * too. */
#include "tests/support/memory.h"
#include "tests/unit/models/tiny_marian.h"

#include <stdlib.h>

enum { TEXT_BYTES = 512, MOST_CALLS = 5000 };

static struct tiny_model weights;
static struct folder folder;
static const char text[] = "b a d e c";

static int set_up(void **state) {
    (void)state;
    folder = tiny_folder(&weights);
    return setenv("HEED_VULKAN_CACHE", "off", 1);
}

static int tear_down(void **state) {
    (void)state;
    (void)unsetenv("HEED_VULKAN_FAULT");
    tiny_remove(&folder);
    return 0;
}

/* Translates; false where the backends cannot be opened. *failed: the log tells of a device that
 * did. */
static bool translate(const char *backends, char *result, bool *failed) {
    static struct test_log log;
    test_log_clear(&log);
    struct heed_context *context = test_context(NULL, &log, HEED_LOG_WARNING);
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = backends, .plugin_path = HEED_TEST_PLUGINS};
    struct heed_translator_options work = {
        .struct_size = sizeof work, .threads = 1, .max_length = 8, .steps_per_submit = 3};
    const bool opened = heed_executor_create(context, &options, &work.executor) == HEED_OK;
    char *translation = NULL;
    if (opened) {
        struct heed_translator *translator = NULL;
        struct heed_model *model = tiny_open(context, folder.path);
        if (heed_translator_create(context, model, &work, &translator) != HEED_OK ||
            heed_translate(translator, text, &translation) != HEED_OK)
            fail_msg("not translated: %s", heed_last_error(context));
        (void)snprintf(result, TEXT_BYTES, "%s", translation);
        heed_string_free(translator, translation);
        heed_translator_destroy(translator);
        heed_model_close(model);
    }
    heed_executor_release(work.executor);
    heed_context_destroy(context);
    *failed = strstr(log.text, "used no more") != NULL || strstr(log.text, "without it") != NULL;
    return opened;
}

static bool has_device(void) {
    struct heed_context *context = new_context();
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_executor *executor = NULL;
    const bool found = heed_executor_create(context, &options, &executor) == HEED_OK;
    heed_executor_release(executor);
    heed_context_destroy(context);
    return found;
}

/* Has every `step`th call fail in each way, until the first way fails at none. Returns how many
 * calls there are. */
static int try_faults(const char *const *kinds, size_t kind_count, int step) {
    char wanted[TEXT_BYTES], found[TEXT_BYTES], fault[64];
    bool failed = false;
    assert_int_equal(unsetenv("HEED_VULKAN_FAULT"), 0);
    assert_true(translate("scalar,only", wanted, &failed));
    assert_true(translate("vulkan,scalar,only", found, &failed));
    assert_string_equal(found, wanted);
    assert_false(failed);
    int calls = MOST_CALLS;
    for (size_t k = 0; k < kind_count; k++)
        for (int call = 1; call < calls; call += step) {
            (void)snprintf(fault, sizeof fault, "%s@%d", kinds[k], call);
            assert_int_equal(setenv("HEED_VULKAN_FAULT", fault, 1), 0);
            assert_true(translate("vulkan,scalar,only", found, &failed));
            if (strcmp(found, wanted) != 0)
                fail_msg("%s: '%s' where '%s' was expected", fault, found, wanted);
            if (k == 0 && !failed)
                calls = call;
        }
    return calls;
}

static void every_call_may_fail(void **state) {
    static const char *const kinds[] = {"lost", "memory", "host", "timeout"};
    (void)state;
    if (!has_device()) {
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
        skip();
    }
    assert_in_range(try_faults(kinds, sizeof kinds / sizeof kinds[0], 1), 30, MOST_CALLS - 1);
}

/* The same where memory is not the host's to write, and transfers go through a ring: some calls. */
static void transfers_may_fail(void **state) {
    static const char *const kinds[] = {"lost", "memory", "timeout"};
    (void)state;
    if (!has_device())
        skip();
    assert_int_equal(setenv("HEED_VULKAN_LIMITS", "unified=0", 1), 0);
    const int calls = try_faults(kinds, sizeof kinds / sizeof kinds[0], 31);
    assert_int_equal(unsetenv("HEED_VULKAN_LIMITS"), 0);
    assert_in_range(calls, 100, MOST_CALLS - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_call_may_fail),
                                       cmocka_unit_test(transfers_may_fail)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
