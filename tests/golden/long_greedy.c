/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand captions against an independent f32 implementation: at least 998 must be equal, and a
 * line may differ only where two tokens were as good as equal on the way, their logits less than
 * 1e-3 apart. */
#include "golden.h"

struct tally {
    const struct lines *expected, *margins;
    size_t agreed;
    int bad;
};

static int compare(void *user, size_t index, const struct heed_translation *translation) {
    struct tally *tally = user;
    const double margin = strtod(tally->margins->texts[index], NULL);
    if (strcmp(translation->text, tally->expected->texts[index]) == 0) {
        tally->agreed++;
        return 0;
    }
    print_message("line %zu differs, margin %g\n   found: %s\nexpected: %s\n", index + 1, margin,
                  translation->text, tally->expected->texts[index]);
    if (!(margin < 1e-3))
        tally->bad++;
    return 0;
}

static void a_thousand_captions(const char *backend) {
    struct lines source = read_lines("long/test_2016_flickr.en");
    struct lines target = read_lines("long/test_2016_flickr.greedy.de");
    struct lines margins = read_lines("long/test_2016_flickr.greedy.margin");
    struct golden golden = open_golden(backend, 0);
    struct tally tally = {.expected = &target, .margins = &margins};
    assert_int_equal(source.count, 1000);
    assert_int_equal(target.count, 1000);
    assert_int_equal(margins.count, 1000);
    if (heed_translate_many(golden.translator, source.texts, NULL, source.count, compare, &tally) !=
        HEED_OK)
        fail_msg("%s", heed_last_error(golden.context));
    print_message("%s: %zu of %zu lines agree\n", backend, tally.agreed, source.count);
    assert_int_equal(tally.bad, 0);
    assert_true(tally.agreed >= 998);
    close_golden(&golden);
    free(source.block);
    free(target.block);
    free(margins.block);
}

static void test_every_backend(void **state) {
    struct support_backend backends[SUPPORT_BACKENDS];
    const size_t count = support_backends(backends);
    (void)state;
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++)
        a_thousand_captions(backends[i].name);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_backend)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
