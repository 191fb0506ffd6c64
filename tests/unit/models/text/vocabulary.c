/* SPDX-License-Identifier: Apache-2.0 */
/* Vocabularies: both directions, and every way in which a vocab.json can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "models/text/vocabulary.h"

static int set_up(void **state) {
    return heed_context_create(NULL, (struct heed_context **)(void *)state) == HEED_OK ? 0 : -1;
}

static int tear_down(void **state) {
    heed_context_destroy(*state);
    return 0;
}

static void maps_both_ways(void **state) {
    struct heed_context *context = *state;
    static const char json[] = "{\"</s>\": 0, \"b\": 3, \"\\u2581a\": 2, \"<unk>\": 1, \"\": 4}";
    struct heedi_vocabulary *vocabulary = NULL;
    assert_int_equal(
        heedi_vocabulary_parse(context, "vocab.json", json, sizeof json - 1, &vocabulary), HEED_OK);
    assert_int_equal(heedi_vocabulary_size(vocabulary), 5);
    assert_int_equal(heedi_vocabulary_find(vocabulary,
                                           "\xe2\x96\x81"
                                           "a",
                                           4),
                     2);
    assert_int_equal(heedi_vocabulary_find(vocabulary, "b", 1), 3);
    assert_int_equal(heedi_vocabulary_find(vocabulary, "", 0), 4);
    assert_int_equal(heedi_vocabulary_find(vocabulary, "bb", 2), -1);
    assert_int_equal(heedi_vocabulary_find(vocabulary, "b\0", 2), -1);
    assert_string_equal(heedi_vocabulary_piece(vocabulary, 0).data, "</s>");
    assert_int_equal(heedi_vocabulary_piece(vocabulary, 2).bytes, 4);
    heedi_vocabulary_destroy(vocabulary);
}

static void finds_each_of_many(void **state) {
    enum { COUNT = 5000 };
    static char names[COUNT][8];
    static struct heedi_slice pieces[COUNT];
    struct heedi_vocabulary *vocabulary = NULL;
    for (int i = 0; i < COUNT; i++) {
        pieces[i].bytes = (size_t)snprintf(names[i], sizeof names[i], "p%d", i);
        pieces[i].data = names[i];
    }
    assert_int_equal(heedi_vocabulary_create(*state, "memory", pieces, COUNT, &vocabulary),
                     HEED_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(heedi_vocabulary_find(vocabulary, names[i], pieces[i].bytes), i);
    assert_int_equal(heedi_vocabulary_find(vocabulary, "p5000", 5), -1);
    heedi_vocabulary_destroy(vocabulary);
}

static void refuses_and_says_why(void **state) {
    struct heed_context *context = *state;
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"", "expected a JSON object"},
        {"{\"a\": 0", "expected a JSON object"},
        {"[0, 1]", "expected a JSON object"},
        {"{}", "found 0"},
        {"{\"a\": 0, \"a\": 1}", "\"a\" stands there twice, as ids 0 and 1"},
        {"{\"a\": 0, \"b\": 0}", "id 0 belongs to two entries, \"a\" and \"b\""},
        {"{\"a\": 0, \"b\": 2}", "\"b\": expected an id from 0 to 1 (2 entries), found 2"},
        {"{\"a\": -1}", "\"a\": expected an id from 0 to 0"},
        {"{\"a\": 0.5}", "found 0.5"},
        {"{\"a\": 1e300}", "found 1"},
        {"{\"a\": \"0\"}", "\"a\": expected a number"},
        {"{\"a\": null}", "\"a\": expected a number"},
        {"{\"a\": {\"b\": 0}}", "\"a\": expected a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct heedi_vocabulary *vocabulary = NULL;
        assert_int_equal(heedi_vocabulary_parse(context, "some/vocab.json", cases[i].json,
                                                strlen(cases[i].json), &vocabulary),
                         HEED_ERROR_FORMAT);
        assert_null(vocabulary);
        assert_non_null(strstr(heed_last_error(context), "some/vocab.json"));
        if (!strstr(heed_last_error(context), cases[i].words))
            fail_msg("got: %s\nexpected: %s", heed_last_error(context), cases[i].words);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(maps_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_each_of_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_and_says_why, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
