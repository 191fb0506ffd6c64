/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of matmul. */
#include "runtime/check/draw.h"

struct shape {
    int64_t m, n, k;
};

/* Of translation models: projections, both halves of the feed-forward network, a piece of the
 * vocabulary; one row (a decoding step) or a few. */
static struct shape draw_model_shape(struct heedi_random *random) {
    static const struct shape shapes[] = {{1, 512, 512},  {4, 512, 512},  {1, 2048, 512},
                                          {2, 512, 2048}, {1, 512, 2048}, {7, 96, 2048},
                                          {1, 1024, 256}, {3, 256, 1536}, {17, 64, 512}};
    return shapes[heedi_random_range(random, 0, sizeof shapes / sizeof *shapes - 1)];
}

static struct shape draw_shape(struct heedi_random *random) {
    const bool wide = heedi_random_chance(random, 5); /* more than one piece of work */
    struct shape it = {.m = wide ? 130 : heedi_random_dim_or_0(random, 17)};
    it.n = heedi_random_dim_or_0(random, wide ? 129 : 65);
    it.k = heedi_random_dim(random, heedi_random_chance(random, 10) ? 600 : 129);
    if (heedi_random_chance(random, 2))
        it.k = 0;
    return it;
}

/* Leading dimensions, counted from the innermost; some of one operand are broadcast. */
static void draw_leading(struct heedi_random *random, uint32_t a_lead, uint32_t b_lead, int64_t *a,
                         int64_t *b) {
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t dim = heedi_random_dim_or_0(random, 4);
        if (i < a_lead)
            a[a_lead - 1 - i] = i < b_lead && heedi_random_chance(random, 25) ? 1 : dim;
        if (i < b_lead)
            b[b_lead - 1 - i] = i < a_lead && heedi_random_chance(random, 25) ? 1 : dim;
    }
}

enum weights { REAL, ROWS_OF_I8, BLOCKS };

static enum weights draw_weights(struct heedi_random *random) {
    const int64_t kind = heedi_random_range(random, 0, 99);
    return kind < 67 ? REAL : kind < 88 ? ROWS_OF_I8 : BLOCKS;
}

static void draw_attrs(struct heedi_drawing *drawing, enum weights weights) {
    struct heedi_random *random = &drawing->random;
    struct heed_matmul_attrs *attrs = &drawing->it->attrs.matmul;
    attrs->struct_size = sizeof *attrs;
    attrs->transpose_a = heedi_random_chance(random, 20);
    attrs->transpose_b = heedi_random_chance(random, 60) || weights == BLOCKS;
    if (heedi_random_chance(random, 50))
        attrs->activation = (uint32_t)heedi_random_range(random, 0, HEED_ACTIVATION_SIGMOID);
    if (heedi_random_chance(random, 30))
        attrs->out_dtype = (uint32_t)heedi_random_float_type(random);
    if (weights == BLOCKS || (weights == ROWS_OF_I8 && heedi_random_chance(random, 60)))
        attrs->a_quantization = HEED_QUANTIZE_ROWS;
}

/* The last two of an operand's dimensions, and their letters. */
static void set_matrix(int64_t *dims, char *axes, bool transposed, int64_t rows, char row,
                       int64_t columns, char column) {
    dims[0] = transposed ? columns : rows;
    dims[1] = transposed ? rows : columns;
    axes[0] = transposed ? column : row;
    axes[1] = transposed ? row : column;
}

static void draw_b(struct heedi_drawing *drawing, enum weights weights, uint32_t rank,
                   const int64_t *dims, const char *axes, enum heedi_values values) {
    const int64_t blocks[] = {dims[0], dims[1] / HEED_Q8_0_VALUES};
    if (weights == BLOCKS)
        heedi_draw_blocks(drawing, blocks, axes);
    else if (weights == ROWS_OF_I8)
        heedi_draw_integer(drawing, HEED_I8, rank, dims, axes, INT8_MIN, INT8_MAX);
    else
        heedi_draw_float(drawing, heedi_random_float_type(&drawing->random), rank, dims, axes,
                         values);
}

void heedi_draw_matmul(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    const struct heed_matmul_attrs *attrs = &drawing->it->attrs.matmul;
    const enum weights weights = draw_weights(random);
    draw_attrs(drawing, weights);
    const bool model = heedi_random_chance(random, 3);
    struct shape shape = model ? draw_model_shape(random) : draw_shape(random);
    if (weights == BLOCKS)
        shape.k = (shape.k + HEED_Q8_0_VALUES - 1) / HEED_Q8_0_VALUES * HEED_Q8_0_VALUES;
    const uint32_t a_lead = model ? 0 : (uint32_t)heedi_random_range(random, 0, 2);
    const bool one_b = model || weights == BLOCKS || heedi_random_chance(random, 70);
    const uint32_t b_lead = one_b ? 0 : (uint32_t)heedi_random_range(random, 0, 2);
    int64_t a[HEED_MAX_RANK], b[HEED_MAX_RANK];
    char a_axes[HEED_MAX_RANK + 1] = "", b_axes[HEED_MAX_RANK + 1] = "";
    draw_leading(random, a_lead, b_lead, a, b);
    for (uint32_t i = 0; i < a_lead; i++)
        a_axes[i] = (char)('a' + a_lead - 1 - i);
    for (uint32_t i = 0; i < b_lead; i++)
        b_axes[i] = (char)('a' + b_lead - 1 - i);
    set_matrix(a + a_lead, a_axes + a_lead, attrs->transpose_a != 0, shape.m, 'm', shape.k, 'k');
    set_matrix(b + b_lead, b_axes + b_lead, attrs->transpose_b != 0, shape.k, 'k', shape.n, 'n');
    /* Sums of random terms throughout are what the statistical limit is for. */
    const bool normal = model || heedi_random_chance(random, 20);
    const enum heedi_values values = normal ? HEEDI_VALUES_NORMAL : heedi_random_values(random);
    const enum heedi_values b_values = normal ? values : heedi_random_values(random);
    heedi_draw_float(drawing, heedi_random_float_type(random), a_lead + 2, a, a_axes, values);
    draw_b(drawing, weights, b_lead + 2, b, b_axes, b_values);
    if (heedi_random_chance(random, 50))
        heedi_draw_float(drawing, heedi_random_float_type(random), 1, &shape.n, "n", values);
    else
        heedi_draw_absent(drawing);
    if (weights == ROWS_OF_I8)
        heedi_draw_float(drawing, HEED_F32, 1, &shape.n, "n", HEEDI_VALUES_NORMAL);
}
