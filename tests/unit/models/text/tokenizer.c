/* SPDX-License-Identifier: Apache-2.0 */
/* Text to ids and back, with a SentencePiece model made by hand. */
#include "tests/unit/models/tiny_marian.h"

struct fixture {
    struct folder folder;
    struct heed_context *context;
    struct heed_model *model;
    struct heedi_tokens tokens;
};

static int set_up(void **state) {
    static struct fixture fixture;
    static struct tiny_model weights;
    fixture.folder = tiny_folder(&weights);
    fixture.context = new_context();
    fixture.model = tiny_open(fixture.context, fixture.folder.path);
    heedi_tokens_init(&fixture.tokens, &fixture.context->env);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    heedi_tokens_clear(&fixture->tokens);
    heed_model_close(fixture->model);
    heed_context_destroy(fixture->context);
    tiny_remove(&fixture->folder);
    return 0;
}

static void expect_ids(struct fixture *fixture, const char *text, size_t bytes,
                       const int32_t *expected, size_t count) {
    size_t found = 0;
    fixture->tokens.count = 0;
    assert_int_equal(heedi_tokenizer_encode(fixture->context, &fixture->model->tokenizer, text,
                                            bytes, &fixture->tokens, &found),
                     HEED_OK);
    assert_int_equal(found, count);
    assert_memory_equal(fixture->tokens.ids, expected, count * sizeof *expected);
}

#define EXPECT_IDS(text, ...)                                                                      \
    do {                                                                                           \
        const int32_t expected[] = {__VA_ARGS__};                                                  \
        expect_ids(*state, text, sizeof text - 1, expected, sizeof expected / sizeof expected[0]); \
    } while (0)

enum { SPACE_A = TINY_FIRST, A, SPACE_B, B, SPACE_C, C };

static void cuts_into_pieces(void **state) {
    EXPECT_IDS("a b c", SPACE_A, SPACE_B, SPACE_C, TINY_EOS);
    EXPECT_IDS("abc", SPACE_A, B, C, TINY_EOS);
    EXPECT_IDS("  a   b ", SPACE_A, SPACE_B, TINY_EOS);
}

static void maps_unknown_pieces(void **state) {
    EXPECT_IDS("aZ", SPACE_A, TINY_UNK, TINY_EOS);
}

static void white_space_is_nothing(void **state) {
    EXPECT_IDS("", TINY_EOS);
    EXPECT_IDS("   ", TINY_EOS);
    EXPECT_IDS(" \t\r\n\v\f ", TINY_EOS);
}

static void takes_a_leading_language(void **state) {
    EXPECT_IDS(">>xx<< a", TINY_LANGUAGE, SPACE_A, TINY_EOS);
    EXPECT_IDS(">>xx<<a", TINY_LANGUAGE, SPACE_A, TINY_EOS);
    EXPECT_IDS(">>yy<< a", TINY_UNK, SPACE_A, TINY_EOS);
    EXPECT_IDS(">>xx<<", TINY_EOS);
    EXPECT_IDS(">>xx<<  ", TINY_EOS);
}

static void refuses_bad_bytes_by_place(void **state) {
    struct fixture *fixture = *state;
    size_t count = 0;
    fixture->tokens.count = 0;
    assert_int_equal(heedi_tokenizer_encode(fixture->context, &fixture->model->tokenizer,
                                            "ab\xff"
                                            "c",
                                            4, &fixture->tokens, &count),
                     HEED_ERROR_FORMAT);
    assert_int_equal(fixture->tokens.count, 0);
    assert_non_null(strstr(heed_last_error(fixture->context), "byte 2 of 4"));
}

static void joins_without_special_tokens(void **state) {
    struct fixture *fixture = *state;
    const int32_t ids[] = {TINY_PAD, SPACE_B, A, TINY_UNK, SPACE_C, -1, 9999, TINY_EOS};
    char *text = NULL;
    assert_int_equal(heedi_tokenizer_decode(fixture->context, &fixture->model->tokenizer, ids,
                                            sizeof ids / sizeof ids[0], &text),
                     HEED_OK);
    assert_string_equal(text, "ba c");
    heedi_free(&fixture->context->env, text);
    assert_int_equal(
        heedi_tokenizer_decode(fixture->context, &fixture->model->tokenizer, ids, 0, &text),
        HEED_OK);
    assert_string_equal(text, "");
    heedi_free(&fixture->context->env, text);
}

static void refuses_what_is_no_model(void **state) {
    struct fixture *fixture = *state;
    struct heedi_pieces *pieces = NULL;
    static const char junk[] = "this is no SentencePiece model";
    assert_int_equal(
        heedi_sentencepiece_create(fixture->context, "some.spm", junk, sizeof junk, &pieces),
        HEED_ERROR_FORMAT);
    assert_null(pieces);
    assert_non_null(strstr(heed_last_error(fixture->context), "some.spm"));
    assert_int_equal(heedi_sentencepiece_create(fixture->context, "some.spm", junk, 0, &pieces),
                     HEED_ERROR_FORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cuts_into_pieces),
                                       cmocka_unit_test(maps_unknown_pieces),
                                       cmocka_unit_test(white_space_is_nothing),
                                       cmocka_unit_test(takes_a_leading_language),
                                       cmocka_unit_test(refuses_bad_bytes_by_place),
                                       cmocka_unit_test(joins_without_special_tokens),
                                       cmocka_unit_test(refuses_what_is_no_model)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
