/* SPDX-License-Identifier: Apache-2.0 */
/* The default model as int8 and as q8_0: fifty captions must be translated as an independent
 * implementation of the same formulas does (README.md here), on every backend that was built. */
#include "golden.h"

#include <stdbool.h>
#include <unistd.h>

#include "heed/convert.h"
#include "tests/support/backends.h"
#include "tests/support/temporary.h"

static int compare(void *user, size_t index, const struct heed_translation *translation) {
    const struct lines *expected = user;
    assert_int_equal(translation->status, HEED_OK);
    if (strcmp(translation->text, expected->texts[index]) != 0)
        fail_msg("line %zu\n   found: %s\nexpected: %s", index + 1, translation->text,
                 expected->texts[index]);
    return 0;
}

/* The default model in another type; the file is gone again when this returns. */
static struct heed_model *quantize(struct heed_context *context, enum heed_dtype type) {
    const struct heed_convert_options options = {.struct_size = sizeof options, .type = type};
    char path[4096];
    struct heed_model *model = NULL, *quantized = NULL;
    support_temporary(path, sizeof path);
    const int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    const bool made = heed_model_open(context, NULL, &model) == HEED_OK &&
                      heed_model_convert(context, model, path, &options) == HEED_OK &&
                      heed_model_open(context, path, &quantized) == HEED_OK;
    heed_model_close(model);
    (void)unlink(path);
    if (!made)
        fail_msg("%s", heed_last_error(context));
    return quantized;
}

static void translate(enum heed_dtype type, const char *target_name) {
    struct support_backend backends[SUPPORT_BACKENDS];
    const size_t count = support_backends(backends);
    struct lines source = read_lines("quantized_50.en"), target = read_lines(target_name);
    struct heed_context *context = NULL;
    assert_int_equal(source.count, 50);
    assert_int_equal(target.count, 50);
    assert_true(count > 0);
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    struct heed_model *model = quantize(context, type);
    for (size_t i = 0; i < count; i++) {
        const struct heed_translator_options options = {
            .struct_size = sizeof options, .backends = backends[i].name, .max_length = MAX_LENGTH};
        struct heed_translator *translator = NULL;
        if (heed_translator_create(context, model, &options, &translator) != HEED_OK ||
            heed_translate_many(translator, source.texts, NULL, source.count, compare, &target) !=
                HEED_OK)
            fail_msg("%s: %s", backends[i].name, heed_last_error(context));
        heed_translator_destroy(translator);
    }
    heed_model_close(model);
    heed_context_destroy(context);
    free(source.block);
    free(target.block);
}

static void int8(void **state) {
    (void)state;
    translate(HEED_I8, "quantized_50.int8.de");
}

static void q8_0(void **state) {
    (void)state;
    translate(HEED_Q8_0, "quantized_50.q8_0.de");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(int8), cmocka_unit_test(q8_0)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
