/* SPDX-License-Identifier: Apache-2.0 */
/* Every backend that is there as the shadow of the default ones, and the other way round, while the
 * default model translates: they agree, and the translation is as it is without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heed/shadow.h"
#include "heed/translate.h"
#include "tests/support/backends.h"
#include "tests/support/model.h"

/* Translates on `backends` (NULL: the default) into `text`. */
static void translate(struct heed_context *context, const char *backends,
                      struct heed_shadow *shadow, char *text, size_t bytes) {
    const struct heed_executor_options wanted = {
        .struct_size = sizeof wanted, .backends = backends, .plugin_path = HEED_TEST_PLUGINS};
    struct heed_translator_options options = {.struct_size = sizeof options, .shadow = shadow};
    struct heed_translator *translator = NULL;
    char *translation = NULL;
    if (heed_executor_create(context, &wanted, &options.executor) != HEED_OK ||
        heed_translator_create(context, support_model, &options, &translator) != HEED_OK ||
        heed_translate(translator, "A man is riding a bike.", &translation) != HEED_OK)
        fail_msg("%s", heed_last_error(context));
    (void)snprintf(text, bytes, "%s", translation);
    heed_string_free(translator, translation);
    heed_translator_destroy(translator);
    heed_executor_release(options.executor);
}

static void check_pair(struct heed_context *context, const char *backends, const char *shadowing,
                       double rate) {
    const struct heed_shadow_options options = {.struct_size = sizeof options,
                                                .backend = shadowing,
                                                .plugin_path = HEED_TEST_PLUGINS,
                                                .rate = rate,
                                                .seed = 1};
    struct heed_shadow_statistics seen = {.struct_size = sizeof seen};
    struct heed_shadow *shadow = NULL;
    char alone[256], watched[256];
    translate(context, backends, NULL, alone, sizeof alone);
    if (heed_shadow_create(context, &options, &shadow) != HEED_OK)
        fail_msg("%s", heed_last_error(context));
    translate(context, backends, shadow, watched, sizeof watched);
    heed_shadow_drain(shadow);
    assert_int_equal(heed_shadow_statistics(shadow, &seen), HEED_OK);
    if (seen.disagreed > 0 || seen.failed > 0 || seen.checked == 0)
        fail_msg("%s on %s: %d compared, %d disagree, %d failed; %g of what is tolerated in %s; %s",
                 shadowing, backends != NULL ? backends : "the default", (int)seen.checked,
                 (int)seen.disagreed, (int)seen.failed, seen.worst, seen.worst_tensor, seen.reason);
    assert_true(seen.worst <= 1);
    assert_string_equal(alone, watched);
    heed_shadow_destroy(shadow);
}

static void test_backends(void **state) {
    struct support_backend backends[SUPPORT_BACKENDS];
    const size_t count = support_backends(backends);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        check_pair(*state, NULL, backends[i].name, backends[i].software ? 0.4 : 1);
        check_pair(*state, backends[i].name, "scalar", 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_backends)};
    return cmocka_run_group_tests(tests, support_model_setup, support_model_teardown);
}
