/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows (HEED_QUANTIZE_ROWS of ops.h), by i8 and q8_0 weights: see
 * matmul_i8.h.
 *
 *     b in panels of 16 columns        [k / unit][16][unit] i8, zeros beyond n and k
 *     +---- 16 ----+
 *     | k 0, 1, .. |                   q8_0: the same, and per column and 32 of k an f32 scale,
 *     | ...        |                   [k / 32][16]
 *
 * The rows of a are quantised once, also for several products of one a, and serve all panels. A
 * constant b is packed once, any other on the way. */
#include <string.h>

#include "functions.h"
#include "matmul.h"
#include "matmul_i8.h"
#include "top_k.h"
#include "vector.h"

enum {
    BLOCK_ROWS = 96, /* rows of a piece */
    SKINNY_ROWS =
        16,          /* up to so many, a panel stays in the first cache for all rows, not several */
    BLOCK_PANELS = 4 /* panels of a piece */
};

struct product {
    const struct cpu_call *call;
    const struct i8_tiles *tiles;
    int64_t m, n, k, units, unit, blocks;
    int64_t panels, row_pieces, panel_pieces;
    const struct avx2_i8_panels *b;
    char *rows;           /* [m][units] of 4 bytes */
    float *scales;        /* [m] */
    const float *b_scale; /* [n]; i8 */
    const float *bias;    /* [n] or NULL */
    enum heed_activation activation;
    bool finishes;   /* something is left to do with scaled sums */
    float *greatest; /* of blocks of y, see top_k.h; NULL: not wanted */
};

/* ---- quantising the rows of a ---- */

/* The greatest magnitude, an infinity, or a NaN if there is one: as integers, the magnitudes of
 * floats are in this order. */
static float greatest(const struct product *work, int64_t offset, int64_t stride) {
    float buffer[CPU_BLOCK];
    __m256i most = _mm256_setzero_si256();
    for (int64_t p = 0; p < work->k; p += CPU_BLOCK) {
        const int64_t count = work->k - p < CPU_BLOCK ? work->k - p : CPU_BLOCK;
        const float *x = heedi_avx2_load_strided(&work->call->in[MATMUL_A], offset + p * stride,
                                                 stride, count, buffer);
        for (int64_t i = 0; i < count; i += 8)
            most = _mm256_max_epi32(most,
                                    _mm256_castps_si256(avx2_abs(vector_load(x + i, count - i))));
    }
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(half));
}

static void quantize_pairs(const float *x, int64_t count, float factor, int16_t *target) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256i q =
            _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), avx2_splat(factor)));
        _mm_storeu_si128(
            (__m128i *)(void *)(target + i),
            _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1)));
    }
    for (; i < count; i++)
        target[i] = (int16_t)heed_quantize(x[i], factor);
}

/* q + 128. */
static void quantize_quads(const float *x, int64_t count, float factor, uint8_t *target) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256i q =
            _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), avx2_splat(factor)));
        const __m128i words =
            _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
        const __m128i bytes = _mm_add_epi8(_mm_packs_epi16(words, words), _mm_set1_epi8(-128));
        _mm_storel_epi64((__m128i *)(void *)(target + i), bytes);
    }
    for (; i < count; i++)
        target[i] = (uint8_t)(heed_quantize(x[i], factor) + 128);
}

static void quantize_range(void *arg, int64_t begin, int64_t end) {
    const struct product *work = arg;
    const struct heed_tensor_desc *a = work->call->in[MATMUL_A].desc;
    const int64_t stride = a->strides[a->rank - 1], row_bytes = work->units * I8_UNIT_BYTES;
    const bool pairs = work->unit == 2;
    float buffer[CPU_BLOCK], factor;
    for (int64_t row = begin; row < end; row++) {
        const int64_t offset = heedi_cpu_offset(a, a->rank - 1, row);
        char *target = work->rows + row * row_bytes;
        work->scales[row] = heed_quantize_scale(greatest(work, offset, stride), &factor);
        /* zeros, whatever the values are, or beyond k */
        if (factor == 0.0f)
            memset(target, pairs ? 0 : 128, (size_t)row_bytes);
        else if (work->k < work->units * work->unit)
            memset(target + row_bytes - I8_UNIT_BYTES, pairs ? 0 : 128, I8_UNIT_BYTES);
        for (int64_t p = 0; factor != 0.0f && p < work->k; p += CPU_BLOCK) {
            const int64_t count = work->k - p < CPU_BLOCK ? work->k - p : CPU_BLOCK;
            const float *x = heedi_avx2_load_strided(&work->call->in[MATMUL_A], offset + p * stride,
                                                     stride, count, buffer);
            if (pairs)
                quantize_pairs(x, count, factor, (int16_t *)(void *)target + p);
            else
                quantize_quads(x, count, factor, (uint8_t *)target + p);
        }
    }
}

/* ---- one tile ---- */

/* Rows [row, row + rows) by one panel or, if it is wide, as many as the tiles have. */
static void compute_tile(const struct product *work, int64_t row, int64_t rows, int64_t panel,
                         bool wide) {
    const int64_t width = (wide ? work->tiles->panels : 1) * TILE_COLUMNS;
    const int64_t column = panel * TILE_COLUMNS;
    const int64_t columns = work->n - column < width ? work->n - column : width;
    const struct cpu_operand *y = &work->call->out[0];
    const float *bias = work->bias != NULL ? work->bias + column : NULL;
    const bool buffered = columns < width || y->desc->dtype != HEED_F32;
    float buffer[I8_MOST_ROWS * I8_MOST_PANELS * TILE_COLUMNS], scales[TILE_COLUMNS];
    struct i8_tile tile = {
        .a = work->rows + row * work->units * I8_UNIT_BYTES,
        .a_row = work->units * I8_UNIT_BYTES,
        .a_scales = work->scales + row,
        .units = work->units,
        .b = work->b->values + column * work->units * work->unit,
        .b_panel = TILE_COLUMNS * work->units * work->unit,
        .starts = work->b->starts + column * work->blocks,
        .blocks = work->blocks,
        .b_scales = scales,
        .y = buffered ? buffer : (float *)y->data + row * work->n + column,
        .y_row = buffered ? width : work->n,
    };
    if (work->b->scales != NULL) {
        tile.b_scales = work->b->scales + column * work->blocks;
    } else if (columns == width) {
        tile.b_scales = work->b_scale + column;
    } else {
        memset(scales, 0, sizeof scales);
        memcpy(scales, work->b_scale + column, (size_t)columns * sizeof *scales);
    }
    (wide ? work->tiles->wide : work->tiles->narrow)[rows - 1](&tile);
    for (int64_t r = 0; (buffered || work->finishes) && r < rows; r++)
        heedi_avx2_finish_row(y, (row + r) * work->n + column, columns, tile.y + r * tile.y_row,
                              bias, work->activation);
}

/* ---- pieces ---- */

static void product_range(const struct product *work, int64_t begin, int64_t end) {
    const struct i8_tiles *tiles = work->tiles;
    for (int64_t item = begin; item < end; item++) {
        const int64_t first_row = item / work->panel_pieces * BLOCK_ROWS;
        const int64_t first_panel = item % work->panel_pieces * BLOCK_PANELS;
        const int64_t rows = work->m - first_row < BLOCK_ROWS ? work->m - first_row : BLOCK_ROWS;
        const int64_t left = work->panels - first_panel;
        const int64_t panels = left < BLOCK_PANELS ? left : BLOCK_PANELS;
        for (int64_t i = 0; i < panels;) {
            const int64_t whole = work->n / TILE_COLUMNS - first_panel - i;
            const bool wide = work->m > SKINNY_ROWS && tiles->panels > 1 && whole >= tiles->panels;
            for (int64_t r = 0; r < rows; r += tiles->rows)
                compute_tile(work, first_row + r, rows - r < tiles->rows ? rows - r : tiles->rows,
                             first_panel + i, wide);
            i += wide ? tiles->panels : 1;
        }
        if (work->greatest != NULL)
            heedi_avx2_choice_piece(work->call->out[0].data, work->n, first_row, rows,
                                    first_panel * TILE_COLUMNS, panels * TILE_COLUMNS,
                                    work->greatest);
    }
}

/* Products whose pieces go through one loop. */
struct products {
    uint32_t count;
    int64_t first[CPU_MOST_FUSED + 1]; /* the loop's index of each product's first piece */
    struct product of[CPU_MOST_FUSED];
};

static void products_range(void *arg, int64_t begin, int64_t end) {
    const struct products *products = arg;
    for (uint32_t i = 0; i < products->count; i++) {
        const int64_t *first = &products->first[i];
        const int64_t from = begin > first[0] ? begin : first[0];
        const int64_t to = end < first[1] ? end : first[1];
        if (from < to)
            product_range(&products->of[i], from - first[0], to - first[0]);
    }
}

/* ---- running ---- */

static void *take(char **scratch, size_t bytes) {
    void *taken = *scratch;
    *scratch += (bytes + 63) / 64 * 64;
    return taken;
}

/* The bias in f32. */
static const float *widen(const struct cpu_operand *bias, int64_t n, float *target) {
    if (bias->desc == NULL || bias->desc->dtype == HEED_F32)
        return bias->data;
    for (int64_t i = 0; i < n; i += CPU_BLOCK)
        heedi_avx2_load(bias, i, n - i < CPU_BLOCK ? n - i : CPU_BLOCK, target + i);
    return target;
}

/* Makes all but the rows. Scratch, in this order: scales of rows, the bias, a packed b, rows. */
static struct product start(const struct cpu_call *call, const struct avx2_i8 *form,
                            struct avx2_i8_panels *packed) {
    const struct heed_tensor_desc *a = call->in[MATMUL_A].desc, *y = call->out[0].desc;
    const struct heed_tensor_desc *b = call->in[MATMUL_B].desc;
    const int64_t k = a->dims[a->rank - 1];
    char *scratch = call->scratch;
    struct product work = {
        .call = call,
        .tiles = b->dtype == HEED_Q8_0 ? &form->q8_0_tiles : &form->i8_tiles,
        .m = heedi_cpu_rows(y),
        .n = y->dims[y->rank - 1],
        .k = k,
        .units = (k + form->unit - 1) / form->unit,
        .unit = form->unit,
        .blocks = b->dtype == HEED_Q8_0 ? k / HEED_Q8_0_VALUES : 1,
        .b = call->node->packed,
        .b_scale = call->in[MATMUL_B_SCALE].data,
        .activation = (enum heed_activation)call->node->attrs.matmul.activation,
    };
    work.panels = (work.n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    work.row_pieces = (work.m + BLOCK_ROWS - 1) / BLOCK_ROWS;
    work.panel_pieces = (work.panels + BLOCK_PANELS - 1) / BLOCK_PANELS;
    work.scales = take(&scratch, (size_t)work.m * sizeof(float));
    work.bias =
        widen(&call->in[MATMUL_BIAS], work.n, take(&scratch, (size_t)work.n * sizeof(float)));
    if (work.b == NULL) {
        heedi_avx2_pack_i8(call, form, k, work.n,
                           take(&scratch, heedi_avx2_i8_panels_bytes(b, k, work.n, form)), packed);
        work.b = packed;
    }
    work.rows = scratch;
    work.finishes = work.bias != NULL || work.activation != HEED_ACTIVATION_NONE;
    return work;
}

void heedi_avx2_run_i8(const struct cpu_call *call, const struct avx2_i8 *form) {
    /* Either all calls are products, or the first, and then the choice from it. */
    const bool chooses = call->count > 1 && call[1].node->op != HEED_OP_MATMUL;
    struct avx2_i8_panels packed;
    struct products products = {.count = 0};
    int64_t cost = 0;
    for (uint32_t i = 0; i < (chooses ? 1 : call->count); i++) {
        struct product *work = &products.of[products.count];
        if (heed_desc_elems(call[i].out[0].desc) == 0)
            continue;
        *work = start(&call[i], form, &packed);
        if (chooses)
            work->greatest = heedi_avx2_choice_greatest(&call[3]);
        if (products.count == 0) {
            heedi_cpu_parallel(call, work->m, work->k, quantize_range, work);
        } else {
            work->rows = products.of[0].rows;
            work->scales = products.of[0].scales;
        }
        const int64_t rows = work->m < BLOCK_ROWS ? work->m : BLOCK_ROWS;
        cost = (rows < 4 ? 4 : rows) * BLOCK_PANELS * work->units;
        products.first[products.count + 1] =
            products.first[products.count] + work->row_pieces * work->panel_pieces;
        products.count++;
    }
    heedi_cpu_parallel(call, products.first[products.count], cost, products_range, &products);
    if (chooses)
        heedi_avx2_choose(call + 1);
}

/* ---- shapes ---- */

static bool add_bytes(size_t *bytes, int64_t rows, int64_t columns, size_t size) {
    size_t more = 0;
    if (__builtin_mul_overflow((size_t)rows, (size_t)columns, &more) ||
        __builtin_mul_overflow(more, size, &more) || more > SIZE_MAX / 4 - *bytes)
        return false;
    *bytes += (more + 63) / 64 * 64;
    return true;
}

enum heed_status heedi_avx2_prepare_i8(struct heed_plugin *plugin, struct cpu_node *node,
                                       struct heed_error *error) {
    const struct avx2_i8 *form = plugin->own;
    const struct avx2_i8_panels *panels = NULL;
    const enum heed_status status =
        heedi_avx2_acquire_i8_panels(plugin, node, form, &panels, error);
    if (status != HEED_OK)
        return status;
    node->packed = panels;
    const struct heed_tensor_desc *y = &node->out[0].desc, *a = &node->in[MATMUL_A].desc;
    const int64_t m = heedi_cpu_rows(y), n = y->dims[y->rank - 1];
    const int64_t k = a->dims[a->rank - 1], units = (k + form->unit - 1) / form->unit;
    const size_t b_bytes =
        panels == NULL ? heedi_avx2_i8_panels_bytes(&node->in[MATMUL_B].desc, k, n, form) : 1;
    size_t *bytes = &node->scratch_bytes;
    if (b_bytes > 0 && add_bytes(bytes, m, 1, sizeof(float)) &&
        add_bytes(bytes, n, 1, sizeof(float)) && add_bytes(bytes, 1, 1, b_bytes) &&
        add_bytes(bytes, m, units, I8_UNIT_BYTES))
        return HEED_OK;
    return heedi_common_fail(error, HEED_ERROR_LIMIT, "%s: the quantised rows are too large",
                             node->name);
}

const char *heedi_avx2_accept_i8(struct cpu_node *node) {
    const struct cpu_tensor *b = &node->in[MATMUL_B], *scale = &node->in[MATMUL_B_SCALE];
    const struct avx2_i8 *form = node->plugin->own;
    const bool blocks = b->desc.dtype == HEED_Q8_0;
    if (!blocks && b->desc.dtype != HEED_I8)
        return "quantised rows of a need an i8 or q8_0 b";
    if (blocks ? heedi_cpu_present(scale)
               : !heedi_cpu_present(scale) || scale->desc.dtype != HEED_F32)
        return "f32 scales must be given for an i8 b, and for no other";
    if (b->desc.rank != 2 || node->attrs.matmul.transpose_a != 0)
        return "with quantised rows, b must have two dimensions and a not be transposed";
    if (blocks && (node->attrs.matmul.transpose_b != 1 || !heed_desc_contiguous(&b->desc)))
        return "a q8_0 b must be contiguous and transposed";
    heedi_cpu_want_lines(node, MATMUL_BIAS);
    heedi_cpu_want_lines(node, MATMUL_B_SCALE);
    node->kernel = blocks ? form->q8_0 : form->i8;
    return NULL;
}
