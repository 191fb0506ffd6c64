/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of the other operators, and the list of all. */
#include "runtime/check/draw.h"

/* Draws `least` to `most` dimensions of a moderate number of elements, sometimes of none. */
static uint32_t draw_shape(struct heedi_random *random, uint32_t least, uint32_t most,
                           int64_t *dims) {
    const uint32_t rank = (uint32_t)heedi_random_range(random, least, most);
    for (uint32_t i = 0; i < rank; i++)
        dims[i] = heedi_random_dim(random, i + 1 == rank ? 300 : rank < 3 ? 33 : 7);
    if (rank > 0 && heedi_random_chance(random, 4))
        dims[heedi_random_range(random, 0, rank - 1)] = 0;
    return rank;
}

/* Letters of the last `rank` of four dimensions, so that shapes that broadcast share them. */
static const char *right_axes(uint32_t rank) {
    return &"abcd"[HEED_MAX_RANK - rank];
}

static void draw_operand(struct heedi_drawing *drawing, uint32_t rank, const int64_t *dims,
                         enum heedi_values values) {
    heedi_draw_float(drawing, heedi_random_float_type(&drawing->random), rank, dims,
                     right_axes(rank), values);
}

/* ---- along rows ---- */

/* Rows have one element at least. Now and then the width of a model, or of a vocabulary. */
static uint32_t draw_rows_shape(struct heedi_random *random, int64_t *dims) {
    static const int64_t wide[] = {512, 1000, 1024, 2048, 4097};
    const uint32_t rank = draw_shape(random, 1, 4, dims);
    if (dims[rank - 1] == 0)
        dims[rank - 1] = 1;
    if (heedi_random_chance(random, 5))
        dims[rank - 1] = wide[heedi_random_range(random, 0, 4)];
    return rank;
}

/* Rows of which some or all may be hidden. */
static enum heedi_values draw_row_values(struct heedi_random *random) {
    const int64_t kind = heedi_random_range(random, 0, 19);
    return kind == 0   ? HEEDI_VALUES_FINITE_MASK
           : kind <= 2 ? HEEDI_VALUES_MASK
                       : heedi_random_values(random);
}

static void draw_rows(struct heedi_drawing *drawing) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_rows_shape(&drawing->random, dims);
    draw_operand(drawing, rank, dims, draw_row_values(&drawing->random));
}

static void draw_top_k(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_rows_shape(random, dims);
    const int64_t n = dims[rank - 1];
    const bool all = heedi_random_chance(random, 15) && n <= 512;
    drawing->it->attrs.top_k = (struct heed_top_k_attrs){
        .struct_size = sizeof(struct heed_top_k_attrs),
        .k = (uint32_t)(all ? n : heedi_random_range(random, 1, n < 512 ? n : 512))};
    draw_operand(drawing, rank, dims, draw_row_values(random));
}

static void draw_layer_norm(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_rows_shape(random, dims);
    drawing->it->attrs.layer_norm =
        (struct heed_layer_norm_attrs){.struct_size = sizeof(struct heed_layer_norm_attrs),
                                       .eps = heedi_random_chance(random, 50) ? 1e-5f : 1e-6f};
    draw_operand(drawing, rank, dims, heedi_random_values(random));
    draw_operand(drawing, 1, &dims[rank - 1], HEEDI_VALUES_NORMAL);
    draw_operand(drawing, 1, &dims[rank - 1], HEEDI_VALUES_NORMAL);
}

/* ---- element by element ---- */

static void draw_binary(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    int64_t a[HEED_MAX_RANK] = {0}, b[HEED_MAX_RANK] = {0};
    const uint32_t a_rank = draw_shape(random, 0, 4, a);
    const uint32_t b_rank = (uint32_t)heedi_random_range(random, 0, a_rank);
    for (uint32_t i = 0; i < b_rank; i++) {
        b[b_rank - 1 - i] = heedi_random_chance(random, 25) ? 1 : a[a_rank - 1 - i];
        if (heedi_random_chance(random, 10))
            a[a_rank - 1 - i] = 1;
    }
    const bool swapped = heedi_random_chance(random, 50);
    const bool integers = heedi_random_chance(random, 25);
    for (int side = 0; side < 2; side++) {
        const bool first = (side == 0) != swapped;
        const int64_t *dims = first ? a : b;
        const uint32_t rank = first ? a_rank : b_rank;
        if (integers)
            heedi_draw_integer(drawing, HEED_I32, rank, dims, right_axes(rank), INT32_MIN,
                               INT32_MAX);
        else
            draw_operand(drawing, rank, dims, heedi_random_values(random));
    }
}

static void draw_unary(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(random, 0, 4, dims);
    enum heedi_values values = heedi_random_values(random);
    if (values == HEEDI_VALUES_NORMAL && heedi_random_chance(random, 50))
        values = HEEDI_VALUES_LARGE;
    draw_operand(drawing, rank, dims, values);
}

static void draw_scale(struct heedi_drawing *drawing) {
    drawing->it->attrs.scale = (struct heed_scale_attrs){
        .struct_size = sizeof(struct heed_scale_attrs),
        .factor = heedi_random_value(&drawing->random, HEEDI_VALUES_HEAVY)};
    draw_unary(drawing);
}

static void draw_gelu(struct heedi_drawing *drawing) {
    drawing->it->attrs.gelu =
        (struct heed_gelu_attrs){.struct_size = sizeof(struct heed_gelu_attrs),
                                 .tanh_form = heedi_random_chance(&drawing->random, 50)};
    draw_unary(drawing);
}

/* ---- tables ---- */

static void draw_embedding(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    struct heed_embedding_attrs *attrs = &drawing->it->attrs.embedding;
    attrs->struct_size = sizeof *attrs;
    int64_t table[2], ids[HEED_MAX_RANK];
    table[0] = heedi_random_dim_or_0(random, 65);
    table[1] = heedi_random_dim_or_0(random, 300);
    const uint32_t rank = draw_shape(random, 0, 3, ids);
    if (rank > 0 && ids[rank - 1] > 9)
        ids[rank - 1] = heedi_random_dim(random, 9);
    if (heedi_random_chance(random, 40))
        attrs->out_dtype = (uint32_t)heedi_random_float_type(random);
    const bool quantized = heedi_random_chance(random, 25);
    if (quantized)
        heedi_draw_integer(drawing, HEED_I8, 2, table, "vn", INT8_MIN, INT8_MAX);
    else if (heedi_random_chance(random, 20)) {
        table[1] = (table[1] + HEED_Q8_0_VALUES - 1) / HEED_Q8_0_VALUES;
        heedi_draw_blocks(drawing, table, "vn");
    } else {
        const enum heed_dtype dtype = heedi_random_float_type(random);
        heedi_draw_float(drawing, dtype, 2, table, "vn", heedi_random_values(random));
    }
    const int64_t low = heedi_random_chance(random, 20) ? INT32_MIN : -1;
    const int64_t high = heedi_random_chance(random, 20) ? INT32_MAX : table[0];
    heedi_draw_integer(drawing, HEED_I32, rank, ids, right_axes(rank), low, high);
    if (quantized)
        heedi_draw_float(drawing, HEED_F32, 1, table, "v", HEEDI_VALUES_HEAVY);
}

static void draw_positions(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    struct heed_positions_attrs *attrs = &drawing->it->attrs.positions;
    attrs->struct_size = sizeof *attrs;
    attrs->form = (uint32_t)heedi_random_range(random, 0, HEED_POSITIONS_INTERLEAVED);
    attrs->width = 2 * (uint32_t)heedi_random_range(random, 2, 70);
    attrs->max_len = heedi_random_chance(random, 50) ? 512 : 1u << 20;
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(random, 0, 3, dims);
    heedi_draw_integer(drawing, HEED_I32, rank, dims, right_axes(rank),
                       heedi_random_chance(random, 20) ? INT32_MIN : -2, 600);
}

/* ---- moving data, of any type ---- */

static void draw_any(struct heedi_drawing *drawing, uint32_t rank, const int64_t *dims,
                     const char *axes, enum heed_dtype dtype) {
    if (dtype == HEED_I8)
        heedi_draw_integer(drawing, dtype, rank, dims, axes, INT8_MIN, INT8_MAX);
    else if (dtype == HEED_I32)
        heedi_draw_integer(drawing, dtype, rank, dims, axes, INT32_MIN, INT32_MAX);
    else
        heedi_draw_float(drawing, dtype, rank, dims, axes, heedi_random_values(&drawing->random));
}

static enum heed_dtype any_type(struct heedi_random *random) {
    return (enum heed_dtype)heedi_random_range(random, HEED_F32, HEED_I8);
}

static void draw_concat(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    int64_t dims[HEED_MAX_RANK];
    char axes[] = "abcd";
    const uint32_t rank = draw_shape(random, 1, 4, dims);
    const uint32_t axis = (uint32_t)heedi_random_range(random, 0, rank - 1);
    drawing->it->attrs.concat =
        (struct heed_concat_attrs){.struct_size = sizeof(struct heed_concat_attrs), .axis = axis};
    const enum heed_dtype dtype = any_type(random);
    const int64_t count = heedi_random_chance(random, 40) ? 8 : heedi_random_range(random, 1, 7);
    for (int64_t i = 0; i < count; i++) {
        dims[axis] = heedi_random_dim_or_0(random, 17);
        axes[axis] = (char)('p' + i);
        draw_any(drawing, rank, dims, axes, dtype);
    }
}

static void draw_copy(struct heedi_drawing *drawing) {
    int64_t dims[HEED_MAX_RANK];
    const uint32_t rank = draw_shape(&drawing->random, 0, 4, dims);
    draw_any(drawing, rank, dims, right_axes(rank), any_type(&drawing->random));
}

static void draw_cast(struct heedi_drawing *drawing) {
    drawing->it->attrs.cast =
        (struct heed_cast_attrs){.struct_size = sizeof(struct heed_cast_attrs),
                                 .dtype = (uint32_t)any_type(&drawing->random)};
    draw_copy(drawing);
}

static void draw_cache_append(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    int64_t state[3], x[3];
    state[0] = heedi_random_dim(random, 9);
    state[1] = heedi_random_dim(random, 33);
    state[2] = heedi_random_dim(random, 130);
    x[0] = heedi_random_range(random, 0, state[0]);
    x[1] = heedi_random_dim_or_0(random, 4);
    x[2] = state[2];
    int32_t rows[9];
    heedi_draw_state(drawing, heedi_random_float_type(random), state, "rcn");
    const enum heed_dtype dtype = heedi_random_float_type(random);
    heedi_draw_float(drawing, dtype, 3, x, "btn", heedi_random_values(random));
    const int64_t low = heedi_random_chance(random, 20) ? INT32_MIN : -2;
    const int64_t high = heedi_random_chance(random, 20) ? INT32_MAX : state[1];
    heedi_draw_integer(drawing, HEED_I32, 1, x, "b", low, high);
    if (!heedi_random_chance(random, 50))
        return;
    const int64_t shift = heedi_random_range(random, -1, state[0]);
    for (int64_t i = 0; i < x[0]; i++) /* rows that do not collide, some outside */
        rows[i] = (int32_t)(state[0] - 1 - i + shift);
    heedi_draw_given(drawing, x[0], "b", rows);
}

static void draw_gather_rows(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    int64_t dims[HEED_MAX_RANK] = {0};
    const uint32_t rank = draw_shape(random, 1, 4, dims);
    const int64_t count = heedi_random_dim_or_0(random, 33);
    draw_any(drawing, rank, dims, right_axes(rank), any_type(random));
    heedi_draw_integer(drawing, HEED_I32, 1, &count, "i",
                       heedi_random_chance(random, 20) ? INT32_MIN : -1, dims[0]);
}

static void draw_advance(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    const int64_t dims[] = {HEED_ROWS_COUNT, heedi_random_dim_or_0(random, 300)};
    const bool any = heedi_random_chance(random, 20);
    struct heed_advance_attrs *attrs = &drawing->it->attrs.advance;
    attrs->struct_size = sizeof *attrs;
    attrs->eos = (int32_t)heedi_random_range(random, -1, 3);
    attrs->capacity = (uint32_t)heedi_random_range(random, 1, any ? INT32_MAX : 9);
    heedi_draw_integer(drawing, HEED_I32, 2, dims, ".r", any ? INT32_MIN : -2,
                       any ? INT32_MAX : 10);
    heedi_draw_integer(drawing, HEED_I32, 1, dims + 1, "r", any ? INT32_MIN : -1,
                       any ? INT32_MAX : 5);
}

const struct heedi_draw_operator heedi_draw_operators[] = {
    {HEED_OP_MATMUL, heedi_draw_matmul, 900},
    {HEED_OP_ATTENTION, heedi_draw_attention, 1200},
    {HEED_OP_SOFTMAX, draw_rows, 400},
    {HEED_OP_LOG_SOFTMAX, draw_rows, 400},
    {HEED_OP_LAYER_NORM, draw_layer_norm, 400},
    {HEED_OP_ADD, draw_binary, 500},
    {HEED_OP_MUL, draw_binary, 500},
    {HEED_OP_SCALE, draw_scale, 400},
    {HEED_OP_RELU, draw_unary, 400},
    {HEED_OP_GELU, draw_gelu, 400},
    {HEED_OP_SILU, draw_unary, 400},
    {HEED_OP_TANH, draw_unary, 400},
    {HEED_OP_SIGMOID, draw_unary, 400},
    {HEED_OP_EMBEDDING, draw_embedding, 400},
    {HEED_OP_POSITIONS, draw_positions, 200},
    {HEED_OP_CONCAT, draw_concat, 600},
    {HEED_OP_COPY, draw_copy, 400},
    {HEED_OP_CAST, draw_cast, 500},
    {HEED_OP_ARGMAX, draw_rows, 400},
    {HEED_OP_TOP_K, draw_top_k, 300},
    {HEED_OP_CACHE_APPEND, draw_cache_append, 300},
    {HEED_OP_GATHER_ROWS, draw_gather_rows, 400},
    {HEED_OP_ADVANCE, draw_advance, 300},
};
const size_t heedi_draw_operator_count =
    sizeof heedi_draw_operators / sizeof heedi_draw_operators[0];
