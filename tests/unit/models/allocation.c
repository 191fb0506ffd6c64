/* SPDX-License-Identifier: Apache-2.0 */
/* Running out of memory, at any allocation: a status, no crash, no leak, and a later call works. */
#include "tests/unit/models/tiny_marian.h"

/* Lets `left` allocations succeed, then none, until it is set again; counts what is held. */
struct scarce {
    long left, made, held;
};

static void *allocate(void *user, size_t bytes, size_t alignment) {
    struct scarce *scarce = user;
    void *memory = NULL;
    if (scarce->left == 0)
        return NULL;
    scarce->left--;
    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes) !=
        0)
        return NULL;
    scarce->made++;
    scarce->held++;
    return memory;
}

static void release(void *user, void *memory) {
    struct scarce *scarce = user;
    if (memory)
        scarce->held--;
    free(memory);
}

static struct tiny_model weights;

/* One whole life: open, translate, package, close. */
static enum heed_status live(const char *path, const char *package, struct scarce *scarce) {
    const struct heed_allocator allocator = {
        .struct_size = sizeof allocator, .user = scarce, .allocate = allocate, .release = release};
    const struct heed_context_options options = {
        .struct_size = sizeof options, .allocator = &allocator, .log_level = HEED_LOG_ERROR};
    const struct heed_translator_options how = {
        .struct_size = sizeof how, .backends = "scalar", .threads = 1, .max_length = 6};
    struct heed_context *context = NULL;
    struct heed_model *model = NULL;
    struct heed_translator *translator = NULL;
    char *text = NULL;
    enum heed_status status = heed_context_create(&options, &context);
    if (status == HEED_OK)
        status = heed_model_open(context, path, &model);
    if (status == HEED_OK)
        status = heed_translator_create(context, model, &how, &translator);
    if (status == HEED_OK)
        status = heed_translate(translator, "a b c", &text);
    if (status == HEED_OK)
        status = heed_model_convert(context, model, package, NULL);
    if (status != HEED_OK && context)
        assert_true(strlen(heed_last_error(context)) > 0);
    heed_string_free(translator, text);
    heed_translator_destroy(translator);
    heed_model_close(model);
    heed_context_destroy(context);
    return status;
}

static void every_failure_is_clean(void **state) {
    struct folder folder = tiny_folder(&weights);
    const struct path package = path_in(&folder, "model.gguf");
    struct scarce scarce = {.left = 1000000};
    (void)state;
    assert_int_equal(live(folder.path, package.text, &scarce), HEED_OK);
    assert_int_equal(scarce.held, 0);
    const long needed = scarce.made;
    /* Every single one at first, then coarser: later ones repeat the same few places. */
    for (long left = 0; left < needed; left += left < 400 ? 1 : 7) {
        scarce = (struct scarce){.left = left};
        const enum heed_status status = live(folder.path, package.text, &scarce);
        if (status == HEED_OK)
            fail_msg("succeeded with %ld of %ld allocations", left, needed);
        if (scarce.held != 0)
            fail_msg("%ld blocks leaked after %ld allocations", scarce.held, left);
    }
    tiny_remove(&folder);
}

/* A translator that failed for want of memory works once there is some. */
static void a_translator_recovers(void **state) {
    struct folder folder = tiny_folder(&weights);
    struct scarce scarce = {.left = 1000000};
    const struct heed_allocator allocator = {
        .struct_size = sizeof allocator, .user = &scarce, .allocate = allocate, .release = release};
    const struct heed_context_options options = {.struct_size = sizeof options,
                                                 .allocator = &allocator};
    struct heed_context *context = NULL;
    char *text = NULL;
    (void)state;
    assert_int_equal(heed_context_create(&options, &context), HEED_OK);
    struct heed_model *model = tiny_open(context, folder.path);
    struct heed_translator *translator = tiny_translator(context, model, 6);
    int failures = 0;
    for (long left = 0;; left += 5) {
        scarce.left = left;
        if (heed_translate(translator, "a b c", &text) == HEED_OK)
            break;
        failures++;
        assert_null(text);
    }
    assert_true(failures > 2);
    scarce.left = 1000000;
    heed_string_free(translator, text);
    heed_translator_destroy(translator);
    heed_model_close(model);
    heed_context_destroy(context);
    assert_int_equal(scarce.held, 0);
    tiny_remove(&folder);
}

/* What a second sentence of the same size allocates does not grow with the number of steps. */
static void steps_allocate_nothing(void **state) {
    struct folder folder = tiny_folder(&weights);
    struct scarce scarce = {.left = 1000000};
    const struct heed_allocator allocator = {
        .struct_size = sizeof allocator, .user = &scarce, .allocate = allocate, .release = release};
    const struct heed_context_options options = {.struct_size = sizeof options,
                                                 .allocator = &allocator};
    long made[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct heed_context *context = NULL;
        assert_int_equal(heed_context_create(&options, &context), HEED_OK);
        struct heed_model *model = tiny_open(context, folder.path);
        struct heed_translator *translator = tiny_translator(context, model, i ? 30 : 3);
        char *text = NULL;
        for (int again = 0; again < 2; again++) {
            const long before = scarce.made;
            assert_int_equal(heed_translate(translator, "a b c", &text), HEED_OK);
            heed_string_free(translator, text);
            made[i] = scarce.made - before;
        }
        heed_translator_destroy(translator);
        heed_model_close(model);
        heed_context_destroy(context);
    }
    assert_int_equal(made[0], made[1]);
    tiny_remove(&folder);
}

/* What a model left in the cache of a caller's executor goes when the model is closed. */
static void a_closed_model_leaves_nothing_behind(void **state) {
    struct folder folder = tiny_folder(&weights);
    struct scarce scarce = {.left = 1000000};
    const struct heed_allocator allocator = {
        .struct_size = sizeof allocator, .user = &scarce, .allocate = allocate, .release = release};
    const struct heed_context_options options = {.struct_size = sizeof options,
                                                 .allocator = &allocator};
    const struct heed_executor_options how = {.struct_size = sizeof how, .backends = "scalar"};
    struct heed_context *context = NULL;
    struct heed_executor *executor = NULL;
    long held = 0;
    (void)state;
    assert_int_equal(heed_context_create(&options, &context), HEED_OK);
    assert_int_equal(heed_executor_create(context, &how, &executor), HEED_OK);
    for (int i = 0; i < 4; i++) {
        const struct heed_translator_options with = {.struct_size = sizeof with,
                                                     .executor = executor};
        struct heed_model *model = tiny_open(context, folder.path);
        for (int again = 0; again < 2; again++) {
            struct heed_translator *translator = NULL;
            char *text = NULL;
            assert_int_equal(heed_translator_create(context, model, &with, &translator), HEED_OK);
            assert_int_equal(heed_translate(translator, "a b c", &text), HEED_OK);
            heed_string_free(translator, text);
            heed_translator_destroy(translator);
        }
        heed_model_close(model);
        if (i == 0)
            held = scarce.held;
    }
    assert_int_equal(scarce.held, held);
    heed_executor_release(executor);
    heed_context_destroy(context);
    assert_int_equal(scarce.held, 0);
    tiny_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_failure_is_clean),
                                       cmocka_unit_test(a_closed_model_leaves_nothing_behind),
                                       cmocka_unit_test(a_translator_recovers),
                                       cmocka_unit_test(steps_allocate_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
