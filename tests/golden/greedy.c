/* SPDX-License-Identifier: Apache-2.0 */
/* A hundred captions must be translated as an independent implementation does (README.md here),
 * however many decoding steps are taken at once. */
#include "golden.h"

static int compare(void *user, size_t index, const struct heed_translation *translation) {
    const struct lines *expected = user;
    assert_int_equal(translation->status, HEED_OK);
    if (strcmp(translation->text, expected->texts[index]) != 0)
        fail_msg("line %zu\n   found: %s\nexpected: %s", index + 1, translation->text,
                 expected->texts[index]);
    return 0;
}

static void captions(const char *backend, size_t count, uint32_t steps) {
    struct lines source = read_lines("multi30k_100.en"), target = read_lines("multi30k_100.de");
    struct golden golden = open_golden(backend, steps);
    assert_int_equal(source.count, 100);
    assert_int_equal(target.count, 100);
    assert_int_equal(
        heed_translate_many(golden.translator, source.texts, NULL, count, compare, &target),
        HEED_OK);
    close_golden(&golden);
    free(source.block);
    free(target.block);
}

static void one_at_a_time(const char *backend) {
    struct lines source = read_lines("multi30k_100.en"), target = read_lines("multi30k_100.de");
    struct golden golden = open_golden(backend, 0);
    for (size_t i = 0; i < 5; i++) {
        char *text = NULL;
        assert_int_equal(heed_translate(golden.translator, source.texts[i], &text), HEED_OK);
        assert_string_equal(text, target.texts[i]);
        heed_string_free(golden.translator, text);
    }
    close_golden(&golden);
    free(source.block);
    free(target.block);
}

static void test_every_backend(void **state) {
    struct support_backend backends[SUPPORT_BACKENDS];
    const size_t count = support_backends(backends);
    (void)state;
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        print_message("on %s\n", backends[i].name);
        const size_t some = backends[i].software ? 20 : 100;
        captions(backends[i].name, 100, 0);
        captions(backends[i].name, some, 3);
        captions(backends[i].name, some, 8);
        one_at_a_time(backends[i].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_backend)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
