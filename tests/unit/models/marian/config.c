/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: what is read, and every way in which it can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/marian/marian.h"

/* A good configuration, one field per line, for edit() to change. */
static const char *const good[][2] = {
    {"model_type", "\"marian\""},
    {"architectures", "[\"MarianMTModel\"]"},
    {"d_model", "8"},
    {"encoder_layers", "2"},
    {"decoder_layers", "3"},
    {"encoder_attention_heads", "2"},
    {"decoder_attention_heads", "4"},
    {"encoder_ffn_dim", "12"},
    {"decoder_ffn_dim", "16"},
    {"vocab_size", "40"},
    {"max_position_embeddings", "64"},
    {"activation_function", "\"swish\""},
    {"scale_embedding", "true"},
    {"pad_token_id", "39"},
    {"eos_token_id", "0"},
    {"decoder_start_token_id", "38"},
    {"bad_words_ids", "[[39], [7]]"},
    {"max_length", "50"},
    {"num_beams", "6"},
};

/* The configuration with one field changed (value NULL: left out; a new field: added). */
static const char *edit(const char *field, const char *value) {
    static char json[4096];
    bool found = false;
    size_t at = (size_t)snprintf(json, sizeof json, "{");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const bool same = field && strcmp(good[i][0], field) == 0;
        found = found || same;
        if (same && !value)
            continue;
        at += (size_t)snprintf(json + at, sizeof json - at, "%s\"%s\": %s", at > 1 ? ", " : "",
                               good[i][0], same ? value : good[i][1]);
    }
    if (field && !found)
        at += (size_t)snprintf(json + at, sizeof json - at, ", \"%s\": %s", field, value);
    (void)snprintf(json + at, sizeof json - at, "}");
    return json;
}

static enum heed_status parse(struct heed_context *context, const char *json,
                              const char *generation, struct heedi_marian_config *config) {
    const struct heedi_slice text = {json, strlen(json)};
    const struct heedi_slice extra = {generation, generation ? strlen(generation) : 0};
    return heedi_marian_config_parse(context, "x/config.json", text, "x/generation_config.json",
                                     generation ? &extra : NULL, config);
}

static int set_up(void **state) {
    return heed_context_create(NULL, (struct heed_context **)(void *)state) == HEED_OK ? 0 : -1;
}

static int tear_down(void **state) {
    heed_context_destroy(*state);
    return 0;
}

static void reads_all_fields(void **state) {
    struct heedi_marian_config config;
    assert_int_equal(parse(*state, edit(NULL, NULL), NULL, &config), HEED_OK);
    assert_int_equal(config.d_model, 8);
    assert_int_equal(config.encoder_layers, 2);
    assert_int_equal(config.decoder_layers, 3);
    assert_int_equal(config.encoder_attention_heads, 2);
    assert_int_equal(config.decoder_attention_heads, 4);
    assert_int_equal(config.encoder_ffn_dim, 12);
    assert_int_equal(config.decoder_ffn_dim, 16);
    assert_int_equal(config.vocab_size, 40);
    assert_int_equal(config.decoder_vocab_size, 40);
    assert_int_equal(config.max_position_embeddings, 64);
    assert_int_equal(config.activation, HEED_ACTIVATION_SILU);
    assert_int_equal(config.scale_embedding, 1);
    assert_int_equal(config.share_encoder_decoder_embeddings, 1);
    assert_int_equal(config.tie_word_embeddings, 1);
    assert_int_equal(config.pad_token_id, 39);
    assert_int_equal(config.eos_token_id, 0);
    assert_int_equal(config.decoder_start_token_id, 38);
    assert_int_equal(config.forced_eos_token_id, 0);
    assert_int_equal(config.max_length, 50);
    assert_int_equal(config.num_beams, 6);
    assert_float_equal(config.length_penalty, 1.0f, 0);
    assert_int_equal(config.suppressed_count, 2);
    assert_int_equal(config.suppressed[0], 39);
    assert_int_equal(config.suppressed[1], 7);
}

static void generation_config_wins(void **state) {
    struct heedi_marian_config config;
    assert_int_equal(parse(*state, edit(NULL, NULL),
                           "{\"max_length\": 20, \"forced_eos_token_id\": [3], \"num_beams\": null,"
                           " \"length_penalty\": 0.5, \"bad_words_ids\": [[39]]}",
                           &config),
                     HEED_OK);
    assert_int_equal(config.max_length, 20);
    assert_int_equal(config.forced_eos_token_id, 3);
    assert_int_equal(config.num_beams, 6);
    assert_float_equal(config.length_penalty, 0.5f, 0);
    assert_int_equal(config.suppressed_count, 1);
}

static void pad_is_always_suppressed(void **state) {
    struct heedi_marian_config config;
    assert_int_equal(parse(*state, edit("bad_words_ids", NULL), NULL, &config), HEED_OK);
    assert_int_equal(config.suppressed_count, 1);
    assert_int_equal(config.suppressed[0], 39);
}

static void max_length_stays_within_the_positions(void **state) {
    struct heedi_marian_config config;
    assert_int_equal(parse(*state, edit("max_length", "500"), NULL, &config), HEED_OK);
    assert_int_equal(config.max_length, 64);
    assert_int_equal(parse(*state, edit("max_length", NULL), NULL, &config), HEED_OK);
    assert_int_equal(config.max_length, 64);
}

static void knows_the_activations(void **state) {
    static const struct {
        const char *name;
        enum heed_activation activation;
    } known[] = {
        {"\"silu\"", HEED_ACTIVATION_SILU},     {"\"relu\"", HEED_ACTIVATION_RELU},
        {"\"gelu\"", HEED_ACTIVATION_GELU_ERF}, {"\"gelu_new\"", HEED_ACTIVATION_GELU_TANH},
        {"\"tanh\"", HEED_ACTIVATION_TANH},     {"\"sigmoid\"", HEED_ACTIVATION_SIGMOID}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct heedi_marian_config config;
        assert_int_equal(parse(*state, edit("activation_function", known[i].name), NULL, &config),
                         HEED_OK);
        assert_int_equal(config.activation, known[i].activation);
    }
}

static void refuses_and_says_why(void **state) {
    static const struct {
        const char *field, *value;
        enum heed_status status;
        const char *words;
    } cases[] = {
        {"model_type", "\"t5\"", HEED_ERROR_UNSUPPORTED,
         "\"t5\" is not supported, only \"marian\""},
        {"model_type", NULL, HEED_ERROR_FORMAT, "model_type: expected a string"},
        {"architectures", "[\"MarianModel\"]", HEED_ERROR_UNSUPPORTED, "only MarianMTModel"},
        {"architectures", "[]", HEED_ERROR_UNSUPPORTED, "only MarianMTModel"},
        {"d_model", NULL, HEED_ERROR_FORMAT, "d_model: the field is missing"},
        {"d_model", "\"8\"", HEED_ERROR_FORMAT, "d_model: expected a whole number"},
        {"d_model", "8.5", HEED_ERROR_FORMAT, "found 8.5"},
        {"d_model", "-8", HEED_ERROR_FORMAT, "found -8"},
        {"d_model", "1e30", HEED_ERROR_FORMAT, "d_model: expected a whole number from 2 to 65536"},
        {"d_model", "9", HEED_ERROR_FORMAT, "d_model: expected an even number"},
        {"d_model", "null", HEED_ERROR_FORMAT, "d_model: the field is missing"},
        {"d_model", "[8, 8]", HEED_ERROR_FORMAT, "d_model: expected a whole number"},
        {"encoder_layers", "0", HEED_ERROR_FORMAT,
         "encoder_layers: expected a whole number from 1"},
        {"encoder_attention_heads", "3", HEED_ERROR_FORMAT,
         "expected a divisor of d_model 8, found 3"},
        {"decoder_attention_heads", "5", HEED_ERROR_FORMAT, "decoder_attention_heads"},
        {"vocab_size", "0", HEED_ERROR_FORMAT, "vocab_size"},
        {"decoder_vocab_size", "41", HEED_ERROR_FORMAT, "expected vocab_size 40"},
        {"activation_function", "\"mish\"", HEED_ERROR_UNSUPPORTED, "\"mish\" is not supported"},
        {"activation_function", "1", HEED_ERROR_FORMAT, "activation_function: expected a string"},
        {"activation_function", NULL, HEED_ERROR_FORMAT, "activation_function: expected a string"},
        {"scale_embedding", "1", HEED_ERROR_FORMAT, "scale_embedding: expected true or false"},
        {"static_position_embeddings", "false", HEED_ERROR_UNSUPPORTED, "only true"},
        {"normalize_before", "true", HEED_ERROR_UNSUPPORTED, "normalize_before: true"},
        {"normalize_embedding", "true", HEED_ERROR_UNSUPPORTED, "normalize_embedding: true"},
        {"add_final_layer_norm", "true", HEED_ERROR_UNSUPPORTED, "add_final_layer_norm: true"},
        {"pad_token_id", "40", HEED_ERROR_FORMAT, "an id below 40"},
        {"eos_token_id", "40", HEED_ERROR_FORMAT, "eos_token_id: expected an id below 40"},
        {"eos_token_id", "-1", HEED_ERROR_FORMAT, "eos_token_id"},
        {"decoder_start_token_id", "77", HEED_ERROR_FORMAT, "decoder_start_token_id"},
        {"forced_eos_token_id", "77", HEED_ERROR_FORMAT, "forced_eos_token_id"},
        {"bad_words_ids", "[[39, 7]]", HEED_ERROR_UNSUPPORTED, "lists of one token id"},
        {"bad_words_ids", "[39]", HEED_ERROR_UNSUPPORTED, "lists of one token id"},
        {"bad_words_ids", "39", HEED_ERROR_FORMAT, "expected a list of lists"},
        {"bad_words_ids", "[[40]]", HEED_ERROR_FORMAT, "bad_words_ids: expected an id below 40"},
        {"bad_words_ids", "[[1.5]]", HEED_ERROR_FORMAT, "found 1.5"},
        {"length_penalty", "\"1\"", HEED_ERROR_FORMAT, "length_penalty: expected a number"},
    };
    struct heed_context *context = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct heedi_marian_config config;
        const enum heed_status status =
            parse(context, edit(cases[i].field, cases[i].value), NULL, &config);
        if (status != cases[i].status || !strstr(heed_last_error(context), cases[i].words) ||
            !strstr(heed_last_error(context), "x/config.json"))
            fail_msg("%s = %s: status %d, got: %s\nexpected: %s", cases[i].field,
                     cases[i].value ? cases[i].value : "(absent)", status, heed_last_error(context),
                     cases[i].words);
    }
}

static void refuses_what_is_no_object(void **state) {
    static const char *const texts[] = {"", "{", "[]", "12", "null", "{\"d_model\": }"};
    struct heed_context *context = *state;
    struct heedi_marian_config config;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(parse(context, texts[i], NULL, &config), HEED_ERROR_FORMAT);
        assert_non_null(strstr(heed_last_error(context), "x/config.json: expected a JSON object"));
    }
    assert_int_equal(parse(context, edit(NULL, NULL), "[]", &config), HEED_ERROR_FORMAT);
    assert_non_null(strstr(heed_last_error(context), "x/generation_config.json: expected"));
}

static void refuses_too_many_suppressed_tokens(void **state) {
    char list[2048];
    size_t at = (size_t)snprintf(list, sizeof list, "[[0]");
    struct heedi_marian_config config;
    for (int i = 1; i < 70; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, ", [%d]", i);
    (void)snprintf(list + at, sizeof list - at, "]");
    assert_int_equal(parse(*state, edit("bad_words_ids", list), NULL, &config),
                     HEED_ERROR_UNSUPPORTED);
    assert_non_null(strstr(heed_last_error(*state), "more than 64"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_all_fields),
                                       cmocka_unit_test(generation_config_wins),
                                       cmocka_unit_test(pad_is_always_suppressed),
                                       cmocka_unit_test(max_length_stays_within_the_positions),
                                       cmocka_unit_test(knows_the_activations),
                                       cmocka_unit_test(refuses_and_says_why),
                                       cmocka_unit_test(refuses_what_is_no_object),
                                       cmocka_unit_test(refuses_too_many_suppressed_tokens)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
