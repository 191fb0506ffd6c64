/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices written as i8 and q8_0: read back, with values worked out by hand. */
#include <math.h>
#include <unistd.h>

#include "gguf_write_test.h"
#include "heed/ops.h"

static void give(struct fixture *fixture, const char *name, enum heed_dtype from, int64_t rows,
                 int64_t columns, const void *data, enum heed_dtype type) {
    const struct heed_tensor_desc desc = heed_desc(from, 2, (const int64_t[]){rows, columns});
    heedi_gguf_put_quantized(fixture->writer, name, &desc, data, type);
}

static const struct heed_weight *read_back(struct fixture *fixture, const char *name,
                                           enum heed_dtype dtype, uint32_t rank,
                                           const int64_t *dims) {
    if (fixture->weights == NULL &&
        (heedi_gguf_write(fixture->writer, fixture->path.text) != HEED_OK ||
         heedi_gguf_open(fixture->context, fixture->path.text, &fixture->weights) != HEED_OK))
        fail_msg("%s", heed_last_error(fixture->context));
    const struct heed_weight *weight = heedi_weights_find(fixture->weights, name);
    const struct heed_tensor_desc expected = heed_desc(dtype, rank, dims);
    assert_non_null(weight);
    assert_memory_equal(&weight->desc, &expected, sizeof expected);
    return weight;
}

static void refuses(struct fixture *fixture, enum heed_status status, const char *words) {
    assert_int_equal(heedi_gguf_write(fixture->writer, fixture->path.text), status);
    if (strstr(heed_last_error(fixture->context), words) == NULL)
        fail_msg("got: %s\nexpected: %s", heed_last_error(fixture->context), words);
    assert_int_not_equal(access(fixture->path.text, F_OK), 0);
}

static void i8_has_a_scale_per_row(void **state) {
    struct fixture *fixture = *state;
    static const float matrix[3][4] = {
        {127.0f, -63.5f, 0.4f, 0.5f}, {0.0f, 0.0f, -0.0f, 0.0f}, {-0.5f, 0.25f, 0.125f, -0.001f}};
    static const int8_t expected[3][4] = {{127, -64, 0, 0}, {0}, {-127, 64, 32, 0}};
    const uint16_t halves[] = {heed_f32_to_f16(2.0f), heed_f32_to_f16(-1.0f)};
    give(fixture, "w", HEED_F32, 3, 4, matrix, HEED_I8);
    give(fixture, "h", HEED_F16, 1, 2, halves, HEED_I8);
    const struct heed_weight *values = read_back(fixture, "w", HEED_I8, 2, (const int64_t[]){3, 4});
    assert_memory_equal(values->data, expected, sizeof expected);
    const float *scales = read_back(fixture, "w.scale", HEED_F32, 1, (const int64_t[]){3})->data;
    assert_true(scales[0] == 1.0f && scales[1] == 0.0f && scales[2] == 0.5f / 127.0f);
    values = read_back(fixture, "h", HEED_I8, 2, (const int64_t[]){1, 2});
    assert_memory_equal(values->data, ((const int8_t[]){127, -64}), 2);
}

/* Rows longer than what is converted at a time. Rounding errs by half a step at most. */
static void long_rows(void **state) {
    enum { COLUMNS = 2500 };
    struct fixture *fixture = *state;
    static float matrix[2][COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        matrix[0][i] = sinf((float)i);
        matrix[1][i] = -3.0f * cosf((float)i);
    }
    give(fixture, "w", HEED_F32, 2, COLUMNS, matrix, HEED_I8);
    const int8_t *values = read_back(fixture, "w", HEED_I8, 2, (const int64_t[]){2, COLUMNS})->data;
    const float *scales = read_back(fixture, "w.scale", HEED_F32, 1, (const int64_t[]){2})->data;
    for (int row = 0; row < 2; row++)
        for (int i = 0; i < COLUMNS; i++)
            assert_true(fabsf((float)values[row * COLUMNS + i] * scales[row] - matrix[row][i]) <=
                        0.50001f * scales[row]);
}

static void q8_0_has_a_scale_per_block(void **state) {
    struct fixture *fixture = *state;
    static float matrix[2][64];
    for (int i = 0; i < 32; i++) {
        matrix[0][i] = (float)i - 16.0f; /* scale 16/127 */
        matrix[0][32 + i] = 0.0f;
        matrix[1][i] = i == 5 ? 254.0f : 1.0f; /* scale 2: 0.5 rounds away from zero */
        matrix[1][32 + i] = -1e-10f;           /* the scale is below f16 */
    }
    give(fixture, "w", HEED_F32, 2, 64, matrix, HEED_Q8_0);
    const struct heed_q8_0 *blocks =
        read_back(fixture, "w", HEED_Q8_0, 2, (const int64_t[]){2, 2})->data;
    assert_int_equal(blocks[0].scale, heed_f32_to_f16(16.0f / 127.0f));
    assert_int_equal(blocks[1].scale, 0);
    assert_int_equal(blocks[2].scale, heed_f32_to_f16(2.0f));
    assert_int_equal(blocks[3].scale, 0);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(blocks[0].values[i], (int)lround((i - 16) * 127.0 / 16.0));
        assert_int_equal(blocks[1].values[i], 0);
        assert_int_equal(blocks[2].values[i], i == 5 ? 127 : 1);
        assert_int_equal(blocks[3].values[i], -127);
    }
}

/* What is quantised already is copied. */
static void keeps_what_is_quantised(void **state) {
    struct fixture *fixture = *state;
    const struct heed_tensor_desc blocks = heed_desc(HEED_Q8_0, 2, (const int64_t[]){1, 2});
    const struct heed_tensor_desc bytes = heed_desc(HEED_I8, 2, (const int64_t[]){2, 1});
    const struct heed_tensor_desc scales = heed_desc(HEED_F32, 1, (const int64_t[]){2});
    const struct heed_q8_0 data[2] = {{.scale = 1, .values = {1, 2, 3}},
                                      {.scale = 2, .values = {4, 5, 6}}};
    const float factors[] = {0.5f, 0.25f};
    heedi_gguf_put_tensor(fixture->writer, "q", &blocks, data, HEED_Q8_0);
    heedi_gguf_put_tensor(fixture->writer, "i", &bytes, "\1\377", HEED_I8);
    heedi_gguf_put_scales(fixture->writer, "i", &scales, factors);
    assert_memory_equal(read_back(fixture, "q", HEED_Q8_0, 2, blocks.dims)->data, data,
                        sizeof data);
    assert_memory_equal(read_back(fixture, "i", HEED_I8, 2, bytes.dims)->data, "\1\377", 2);
    assert_memory_equal(read_back(fixture, "i.scale", HEED_F32, 1, scales.dims)->data, factors,
                        sizeof factors);
}

static void refuses_values_that_are_not_finite(void **state) {
    const float bad[2][32] = {{1.0f}, {[7] = NAN}};
    give(*state, "w", HEED_F32, 2, 32, bad, HEED_I8);
    refuses(*state, HEED_ERROR_UNSUPPORTED,
            "tensor 'w' cannot be quantised: a value is not finite");
}

static void refuses_scales_that_are_not_finite(void **state) {
    const float bad[32] = {[31] = 65520.0f * 127.0f};
    give(*state, "w", HEED_F32, 1, 32, bad, HEED_Q8_0);
    refuses(*state, HEED_ERROR_UNSUPPORTED, "too large for the type's f16 scales");
}

static void refuses_rows_of_no_whole_blocks(void **state) {
    const float data[48] = {0};
    give(*state, "w", HEED_F32, 1, 48, data, HEED_Q8_0);
    refuses(*state, HEED_ERROR_UNSUPPORTED, "its rows are not whole blocks of 32");
}

static void refuses_other_types(void **state) {
    const int32_t data[32] = {0};
    give(*state, "w", HEED_I32, 1, 32, data, HEED_I8);
    refuses(*state, HEED_ERROR_INVALID_ARGUMENT, "only float matrices are, to i8 or q8_0");
}

static void refuses_long_names(void **state) {
    char name[64];
    const float data[1] = {0};
    memset(name, 'n', 60); /* fits, but not with the suffix */
    name[60] = 0;
    give(*state, name, HEED_F32, 1, 1, data, HEED_I8);
    refuses(*state, HEED_ERROR_INVALID_ARGUMENT, "must have a name of 1 to 63 bytes");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(i8_has_a_scale_per_row),
        TEST(long_rows),
        TEST(q8_0_has_a_scale_per_block),
        TEST(keeps_what_is_quantised),
        TEST(refuses_values_that_are_not_finite),
        TEST(refuses_scales_that_are_not_finite),
        TEST(refuses_rows_of_no_whole_blocks),
        TEST(refuses_other_types),
        TEST(refuses_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
