/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the default model against an independent f32 implementation: token ids, encoder
 * output, logits step by step (fed with that implementation's tokens), attention over the source.
 */
#include "golden.h"

#include <math.h>

#include "models/decode/decode.h"
#include "models/marian/graphs.h"
#include "runtime/base/weight.h"

/* Both sides compute in f32 with different orders of summation. A value of the encoder's output is
 * of order 1 after a norm, logits of order 10; a wrong weight, mask or position moves them by whole
 * units. */
#define ENCODER_LIMIT 1e-4
#define LOGITS_LIMIT 1e-3
#define ATTENTION_LIMIT 1e-4

struct inside {
    struct golden golden;
    struct heedi_weights *fixtures;
    struct heed_executor *executor;
    struct heedi_session *session;
    const struct heedi_marian_config *config;
};

static int set_up(void **state) {
    static struct inside inside;
    const struct heed_executor_options options = {.struct_size = sizeof options,
                                                  .backends = "scalar"};
    char path[1024];
    inside.golden = open_golden("scalar", 0);
    struct heed_context *context = inside.golden.context;
    (void)snprintf(path, sizeof path, "%s/golden/fixtures.safetensors", HEED_TEST_DATA);
    assert_int_equal(heedi_safetensors_open(context, path, &inside.fixtures), HEED_OK);
    assert_int_equal(heed_executor_create(context, &options, &inside.executor), HEED_OK);
    const struct heedi_session_options how = {.executor = inside.executor, .inspect = true};
    struct heed_model *model = inside.golden.model;
    assert_int_equal(model->network->session_create(context, model, &how, &inside.session),
                     HEED_OK);
    inside.config = &heedi_marian_of(model)->config;
    *state = &inside;
    return 0;
}

static int tear_down(void **state) {
    struct inside *inside = *state;
    inside->session->table->destroy(inside->session);
    heed_executor_release(inside->executor);
    heedi_weights_close(inside->fixtures);
    close_golden(&inside->golden);
    return 0;
}

/* The array `what` of sentence s; its first dimension. */
static const void *fixture(const struct inside *inside, int s, const char *what, size_t *count) {
    char name[64];
    (void)snprintf(name, sizeof name, "s%d.%s", s, what);
    const struct heed_weight *weight = heedi_weights_find(inside->fixtures, name);
    assert_non_null(weight);
    *count = (size_t)weight->desc.dims[0];
    return weight->data;
}

static void expect_near(const char *what, int s, const float *found, const float *expected,
                        size_t count, double limit) {
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)found[i] - (double)expected[i]) <= limit))
            fail_msg("sentence %d, %s, element %zu: found %.9g, expected %.9g", s, what, i,
                     (double)found[i], (double)expected[i]);
}

static void tokens_are_equal(void **state) {
    const struct inside *inside = *state;
    struct lines source = read_lines("long/test_2016_flickr.en");
    struct heedi_tokens tokens;
    heedi_tokens_init(&tokens, &inside->golden.context->env);
    for (int s = 0; s < 4; s++) {
        size_t expected = 0, found = 0;
        const int32_t *ids = fixture(inside, s, "source_ids", &expected);
        tokens.count = 0;
        assert_int_equal(heedi_tokenizer_encode(inside->golden.context,
                                                &inside->golden.model->tokenizer, source.texts[s],
                                                strlen(source.texts[s]), &tokens, &found),
                         HEED_OK);
        assert_int_equal(found, expected);
        assert_memory_equal(tokens.ids, ids, found * sizeof *ids);
    }
    heedi_tokens_clear(&tokens);
    free(source.block);
}

static void begin(const struct inside *inside, int s, size_t *tokens) {
    const int32_t *ids = fixture(inside, s, "source_ids", tokens);
    const int32_t offsets[] = {0, (int32_t)*tokens};
    const struct heedi_sources sources = {ids, offsets, 1};
    if (inside->session->table->begin(inside->session, inside->golden.context, &sources) != HEED_OK)
        fail_msg("%s", heed_last_error(inside->golden.context));
}

static void encoder_output_is_near(void **state) {
    const struct inside *inside = *state;
    for (int s = 0; s < 4; s++) {
        size_t tokens = 0, rows = 0;
        const float *expected = fixture(inside, s, "encoder_output", &rows);
        begin(inside, s, &tokens);
        assert_int_equal(rows, tokens);
        const float *found =
            inside->session->table->output(inside->session, false, "encoder_output", NULL);
        assert_non_null(found);
        expect_near("encoder output", s, found, expected, tokens * (size_t)inside->config->d_model,
                    ENCODER_LIMIT);
    }
}

/* logits [rows, V] but for the tokens that Heed never generates; attention [layer][head][token]. */
static void check_step(const struct inside *inside, int s, size_t tokens, const float *logits,
                       const float *attention) {
    const struct heedi_marian_config *config = inside->config;
    const size_t vocabulary = (size_t)config->decoder_vocab_size;
    size_t bytes = 0;
    const float *found = inside->session->table->output(inside->session, true, "logits", &bytes);
    assert_non_null(found);
    assert_int_equal(bytes, vocabulary * sizeof(float));
    const size_t pad = (size_t)config->pad_token_id;
    expect_near("logits", s, found, logits, pad, LOGITS_LIMIT);
    expect_near("logits", s, found + pad + 1, logits + pad + 1, vocabulary - pad - 1, LOGITS_LIMIT);
    assert_true(isinf(found[pad]) && found[pad] < 0);
    for (int32_t layer = 0; layer < config->decoder_layers; layer++) {
        const size_t heads = (size_t)config->decoder_attention_heads;
        struct heedi_marian_name name;
        const float *weights = inside->session->table->output(
            inside->session, true, heedi_marian_name(&name, "cross_attention", layer), &bytes);
        assert_non_null(weights);
        const size_t capacity = bytes / sizeof(float) / heads;
        assert_true(capacity >= tokens);
        for (size_t head = 0; head < heads; head++, attention += tokens)
            expect_near(name.text, s, weights + head * capacity, attention, tokens,
                        ATTENTION_LIMIT);
    }
}

static void every_step_is_near(void **state) {
    const struct inside *inside = *state;
    const struct heedi_marian_config *config = inside->config;
    for (int s = 0; s < 4; s++) {
        size_t tokens = 0, steps = 0, rows = 0;
        const int32_t *output = fixture(inside, s, "output_ids", &steps);
        const float *logits = fixture(inside, s, "logits", &rows);
        const float *attention = fixture(inside, s, "cross_attention", &rows);
        begin(inside, s, &tokens);
        int32_t last = config->decoder_start_token_id;
        for (size_t t = 0; t < steps; t++) {
            struct heedi_series series;
            assert_int_equal(inside->session->table->step(inside->session, inside->golden.context,
                                                          &last, 1, &series),
                             HEED_OK);
            assert_int_equal(series.tokens[0], output[t]);
            check_step(inside, s, tokens, logits, attention);
            last = output[t];
            logits += config->decoder_vocab_size;
            attention +=
                (size_t)(config->decoder_layers * config->decoder_attention_heads) * tokens;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tokens_are_equal),
                                       cmocka_unit_test(encoder_output_is_near),
                                       cmocka_unit_test(every_step_is_near)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
