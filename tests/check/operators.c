/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator but attention on every backend against its reference: odd shapes, strided
 * views, all types, all attributes, several kinds of values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/agree.h"

/* Draws `least` to `most` dimensions of a moderate number of elements, sometimes of none. */
static uint32_t draw_shape(struct agree_case *it, uint32_t least, uint32_t most, int64_t *dims) {
    const uint32_t rank = (uint32_t)agree_range(&it->random, least, most);
    for (uint32_t i = 0; i < rank; i++)
        dims[i] = agree_dim(&it->random, i + 1 == rank ? 300 : rank < 3 ? 33 : 7);
    if (rank > 0 && agree_chance(&it->random, 4))
        dims[agree_range(&it->random, 0, rank - 1)] = 0;
    return rank;
}

/* Of an operator along rows, which have one element at least. */
static uint32_t draw_rows_shape(struct agree_case *it, int64_t *dims) {
    const uint32_t rank = draw_shape(it, 1, 4, dims);
    if (dims[rank - 1] == 0)
        dims[rank - 1] = 1;
    return rank;
}

static void draw_matmul(struct agree_case *it) {
    struct agree_random *random = &it->random;
    struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs,
                                      .transpose_a = agree_chance(random, 20),
                                      .transpose_b = agree_chance(random, 60)};
    const bool wide = agree_chance(random, 5); /* more than one piece of work */
    const int64_t m = wide ? 130 : agree_dim_or_0(random, 17);
    const int64_t n = agree_dim_or_0(random, wide ? 129 : 65);
    int64_t k = agree_dim(random, agree_chance(random, 10) ? 600 : 129);
    if (agree_chance(random, 2))
        k = 0;
    if (agree_chance(random, 50))
        attrs.activation = (uint32_t)agree_range(random, 0, HEED_ACTIVATION_SIGMOID);
    if (agree_chance(random, 30))
        attrs.out_dtype = (uint32_t)agree_float_type(random);
    int64_t a[HEED_MAX_RANK], b[HEED_MAX_RANK];
    const uint32_t a_lead = (uint32_t)agree_range(random, 0, 2);
    const uint32_t b_lead = agree_chance(random, 70) ? 0 : (uint32_t)agree_range(random, 0, 2);
    for (uint32_t i = 0; i < 2; i++) { /* counted from the innermost leading dimension */
        const int64_t dim = agree_dim_or_0(random, 4);
        if (i < a_lead)
            a[a_lead - 1 - i] = i < b_lead && agree_chance(random, 25) ? 1 : dim;
        if (i < b_lead)
            b[b_lead - 1 - i] = i < a_lead && agree_chance(random, 25) ? 1 : dim;
    }
    a[a_lead] = attrs.transpose_a ? k : m;
    a[a_lead + 1] = attrs.transpose_a ? m : k;
    b[b_lead] = attrs.transpose_b ? n : k;
    b[b_lead + 1] = attrs.transpose_b ? k : n;
    const enum agree_values values = agree_any_values(random);
    const bool quantised = agree_chance(random, 25);
    if (quantised && agree_chance(random, 60))
        attrs.a_quantization = HEED_QUANTIZE_ROWS;
    agree_float(it, agree_float_type(random), a_lead + 2, a, values);
    if (quantised)
        agree_integer(it, HEED_I8, b_lead + 2, b, -127, 127);
    else
        agree_float(it, agree_float_type(random), b_lead + 2, b, agree_any_values(random));
    if (agree_chance(random, 50))
        agree_float(it, agree_float_type(random), 1, &n, values);
    else
        agree_absent(it);
    if (quantised)
        agree_float(it, HEED_F32, 1, &n, AGREE_NORMAL);
    agree_check(it, HEED_OP_MATMUL, &attrs);
}

static void draw_rows(struct agree_case *it, enum heed_op op, enum agree_values values) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_rows_shape(it, dims);
    if (agree_chance(&it->random, 5))
        dims[rank - 1] = 1000;
    agree_float(it, agree_float_type(&it->random), rank, dims, values);
    agree_check(it, op, NULL);
}

static void draw_softmax(struct agree_case *it) {
    draw_rows(it, HEED_OP_SOFTMAX, agree_any_values(&it->random));
}

static void draw_log_softmax(struct agree_case *it) {
    draw_rows(it, HEED_OP_LOG_SOFTMAX, agree_any_values(&it->random));
}

static void draw_argmax(struct agree_case *it) {
    draw_rows(it, HEED_OP_ARGMAX, agree_any_values(&it->random));
}

static void draw_top_k(struct agree_case *it) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_rows_shape(it, dims);
    const int64_t n = dims[rank - 1];
    const struct heed_top_k_attrs attrs = {
        .struct_size = sizeof attrs,
        .k = (uint32_t)(agree_chance(&it->random, 15) ? n : agree_range(&it->random, 1, n))};
    agree_float(it, agree_float_type(&it->random), rank, dims, agree_any_values(&it->random));
    agree_check(it, HEED_OP_TOP_K, &attrs);
}

static void draw_layer_norm(struct agree_case *it) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_rows_shape(it, dims);
    const struct heed_layer_norm_attrs attrs = {
        .struct_size = sizeof attrs, .eps = agree_chance(&it->random, 50) ? 1e-5f : 1e-6f};
    agree_float(it, agree_float_type(&it->random), rank, dims, agree_any_values(&it->random));
    agree_float(it, agree_float_type(&it->random), 1, &dims[rank - 1], AGREE_NORMAL);
    agree_float(it, agree_float_type(&it->random), 1, &dims[rank - 1], AGREE_NORMAL);
    agree_check(it, HEED_OP_LAYER_NORM, &attrs);
}

static void draw_binary(struct agree_case *it, enum heed_op op) {
    int64_t a[HEED_MAX_RANK] = {0}, b[HEED_MAX_RANK] = {0};
    const uint32_t a_rank = draw_shape(it, 0, 4, a);
    const uint32_t b_rank = (uint32_t)agree_range(&it->random, 0, a_rank);
    for (uint32_t i = 0; i < b_rank; i++) {
        b[b_rank - 1 - i] = agree_chance(&it->random, 25) ? 1 : a[a_rank - 1 - i];
        if (agree_chance(&it->random, 10))
            a[a_rank - 1 - i] = 1;
    }
    const bool swapped = agree_chance(&it->random, 50);
    const bool integers = agree_chance(&it->random, 25);
    for (int side = 0; side < 2; side++) {
        const bool first = (side == 0) != swapped;
        const int64_t *dims = first ? a : b;
        const uint32_t rank = first ? a_rank : b_rank;
        if (integers)
            agree_integer(it, HEED_I32, rank, dims, INT32_MIN, INT32_MAX);
        else
            agree_float(it, agree_float_type(&it->random), rank, dims,
                        agree_any_values(&it->random));
    }
    agree_check(it, op, NULL);
}

static void draw_add(struct agree_case *it) {
    draw_binary(it, HEED_OP_ADD);
}

static void draw_mul(struct agree_case *it) {
    draw_binary(it, HEED_OP_MUL);
}

static void draw_unary(struct agree_case *it, enum heed_op op, const void *attrs) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(it, 0, 4, dims);
    enum agree_values values = agree_any_values(&it->random);
    if (values == AGREE_NORMAL && agree_chance(&it->random, 50))
        values = AGREE_LARGE;
    agree_float(it, agree_float_type(&it->random), rank, dims, values);
    agree_check(it, op, attrs);
}

static void draw_scale(struct agree_case *it) {
    const struct heed_scale_attrs attrs = {.struct_size = sizeof attrs,
                                           .factor = agree_value(&it->random, AGREE_HEAVY)};
    draw_unary(it, HEED_OP_SCALE, &attrs);
}

static void draw_gelu(struct agree_case *it) {
    const struct heed_gelu_attrs attrs = {.struct_size = sizeof attrs,
                                          .tanh_form = agree_chance(&it->random, 50)};
    draw_unary(it, HEED_OP_GELU, &attrs);
}

static void draw_relu(struct agree_case *it) {
    draw_unary(it, HEED_OP_RELU, NULL);
}

static void draw_silu(struct agree_case *it) {
    draw_unary(it, HEED_OP_SILU, NULL);
}

static void draw_tanh(struct agree_case *it) {
    draw_unary(it, HEED_OP_TANH, NULL);
}

static void draw_sigmoid(struct agree_case *it) {
    draw_unary(it, HEED_OP_SIGMOID, NULL);
}

static void draw_embedding(struct agree_case *it) {
    struct heed_embedding_attrs attrs = {.struct_size = sizeof attrs};
    const int64_t table[] = {agree_dim_or_0(&it->random, 65), agree_dim_or_0(&it->random, 300)};
    int64_t ids[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(it, 0, 3, ids);
    if (rank > 0 && ids[rank - 1] > 9)
        ids[rank - 1] = agree_dim(&it->random, 9);
    if (agree_chance(&it->random, 40))
        attrs.out_dtype = (uint32_t)agree_float_type(&it->random);
    const bool quantised = agree_chance(&it->random, 30);
    if (quantised)
        agree_integer(it, HEED_I8, 2, table, -127, 127);
    else
        agree_float(it, agree_float_type(&it->random), 2, table, agree_any_values(&it->random));
    agree_integer(it, HEED_I32, rank, ids, agree_chance(&it->random, 20) ? INT32_MIN : -1,
                  agree_chance(&it->random, 20) ? INT32_MAX : table[0]);
    if (quantised)
        agree_float(it, HEED_F32, 1, table, AGREE_HEAVY);
    agree_check(it, HEED_OP_EMBEDDING, &attrs);
}

static void draw_positions(struct agree_case *it) {
    const struct heed_positions_attrs attrs = {
        .struct_size = sizeof attrs,
        .form = (uint32_t)agree_range(&it->random, 0, HEED_POSITIONS_INTERLEAVED),
        .width = 2 * (uint32_t)agree_range(&it->random, 2, 70),
        .max_len = agree_chance(&it->random, 50) ? 512 : 1u << 20};
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(it, 0, 3, dims);
    agree_integer(it, HEED_I32, rank, dims, agree_chance(&it->random, 20) ? INT32_MIN : -2, 600);
    agree_check(it, HEED_OP_POSITIONS, &attrs);
}

/* Any type: floats with special values, or integers. */
static void draw_any(struct agree_case *it, uint32_t rank, const int64_t *dims,
                     enum heed_dtype dtype) {
    if (dtype == HEED_I8)
        agree_integer(it, dtype, rank, dims, -128, 127);
    else if (dtype == HEED_I32)
        agree_integer(it, dtype, rank, dims, INT32_MIN, INT32_MAX);
    else
        agree_float(it, dtype, rank, dims, agree_any_values(&it->random));
}

static enum heed_dtype any_type(struct agree_case *it) {
    return (enum heed_dtype)agree_range(&it->random, HEED_F32, HEED_I8);
}

static void draw_concat(struct agree_case *it) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(it, 1, 4, dims);
    const struct heed_concat_attrs attrs = {
        .struct_size = sizeof attrs, .axis = (uint32_t)agree_range(&it->random, 0, rank - 1)};
    const enum heed_dtype dtype = any_type(it);
    const int64_t count = agree_chance(&it->random, 40) ? 8 : agree_range(&it->random, 1, 7);
    for (int64_t i = 0; i < count; i++) {
        dims[attrs.axis] = agree_dim_or_0(&it->random, 17);
        draw_any(it, rank, dims, dtype);
    }
    agree_check(it, HEED_OP_CONCAT, &attrs);
}

static void draw_copy(struct agree_case *it) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(it, 0, 4, dims);
    draw_any(it, rank, dims, any_type(it));
    agree_check(it, HEED_OP_COPY, NULL);
}

static void draw_cast(struct agree_case *it) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(it, 0, 4, dims);
    const struct heed_cast_attrs attrs = {.struct_size = sizeof attrs,
                                          .dtype = (uint32_t)any_type(it)};
    draw_any(it, rank, dims, any_type(it));
    agree_check(it, HEED_OP_CAST, &attrs);
}

static void draw_cache_append(struct agree_case *it) {
    const int64_t state[] = {agree_dim(&it->random, 9), agree_dim(&it->random, 33),
                             agree_dim(&it->random, 130)};
    const int64_t x[] = {agree_range(&it->random, 0, state[0]), agree_dim_or_0(&it->random, 4),
                         state[2]};
    int32_t rows[9];
    agree_state(it, agree_float_type(&it->random), state);
    agree_float(it, agree_float_type(&it->random), 3, x, agree_any_values(&it->random));
    agree_integer(it, HEED_I32, 1, x, agree_chance(&it->random, 20) ? INT32_MIN : -2,
                  agree_chance(&it->random, 20) ? INT32_MAX : state[1]);
    if (agree_chance(&it->random, 50)) { /* rows that do not collide, some outside */
        const int64_t shift = agree_range(&it->random, -1, state[0]);
        for (int64_t i = 0; i < x[0]; i++)
            rows[i] = (int32_t)(state[0] - 1 - i + shift);
        agree_given(it, x[0], rows);
    }
    agree_check(it, HEED_OP_CACHE_APPEND, NULL);
}

static void draw_gather_rows(struct agree_case *it) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(it, 1, 4, dims);
    const int64_t count = agree_dim_or_0(&it->random, 33);
    draw_any(it, rank, dims, any_type(it));
    agree_integer(it, HEED_I32, 1, &count, agree_chance(&it->random, 20) ? INT32_MIN : -1, dims[0]);
    agree_check(it, HEED_OP_GATHER_ROWS, NULL);
}

static void draw_advance(struct agree_case *it) {
    const int64_t dims[] = {HEED_ROWS_COUNT, agree_dim_or_0(&it->random, 300)};
    const bool any = agree_chance(&it->random, 20);
    const struct heed_advance_attrs attrs = {
        .struct_size = sizeof attrs,
        .eos = (int32_t)agree_range(&it->random, -1, 3),
        .capacity = (uint32_t)agree_range(&it->random, 1, any ? INT32_MAX : 9)};
    agree_integer(it, HEED_I32, 2, dims, any ? INT32_MIN : -2, any ? INT32_MAX : 10);
    agree_integer(it, HEED_I32, 1, dims + 1, any ? INT32_MIN : -1, any ? INT32_MAX : 5);
    agree_check(it, HEED_OP_ADVANCE, &attrs);
}

#define CHECK(OP, name, count)                                                                     \
    static void test_##name(void **state) {                                                        \
        agree_cases(*state, HEED_OP_##OP, count, draw_##name);                                     \
    }
CHECK(MATMUL, matmul, 900)
CHECK(SOFTMAX, softmax, 400)
CHECK(LOG_SOFTMAX, log_softmax, 400)
CHECK(LAYER_NORM, layer_norm, 400)
CHECK(ADD, add, 500)
CHECK(MUL, mul, 500)
CHECK(SCALE, scale, 400)
CHECK(RELU, relu, 400)
CHECK(GELU, gelu, 400)
CHECK(SILU, silu, 400)
CHECK(TANH, tanh, 400)
CHECK(SIGMOID, sigmoid, 400)
CHECK(EMBEDDING, embedding, 400)
CHECK(POSITIONS, positions, 200)
CHECK(CONCAT, concat, 600)
CHECK(COPY, copy, 400)
CHECK(CAST, cast, 500)
CHECK(ARGMAX, argmax, 400)
CHECK(TOP_K, top_k, 300)
CHECK(CACHE_APPEND, cache_append, 300)
CHECK(GATHER_ROWS, gather_rows, 400)
CHECK(ADVANCE, advance, 300)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul),      cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_log_softmax), cmocka_unit_test(test_layer_norm),
        cmocka_unit_test(test_add),         cmocka_unit_test(test_mul),
        cmocka_unit_test(test_scale),       cmocka_unit_test(test_relu),
        cmocka_unit_test(test_gelu),        cmocka_unit_test(test_silu),
        cmocka_unit_test(test_tanh),        cmocka_unit_test(test_sigmoid),
        cmocka_unit_test(test_embedding),   cmocka_unit_test(test_positions),
        cmocka_unit_test(test_concat),      cmocka_unit_test(test_copy),
        cmocka_unit_test(test_cast),        cmocka_unit_test(test_argmax),
        cmocka_unit_test(test_top_k),       cmocka_unit_test(test_cache_append),
        cmocka_unit_test(test_gather_rows), cmocka_unit_test(test_advance),
    };
    return agree_main(tests, sizeof tests / sizeof *tests);
}
