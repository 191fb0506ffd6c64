/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: y = act(a b + bias).
 *
 * Cut as in BLIS (Van Zee and van de Geijn 2015): pieces of rows and panels that threads share, k
 * in blocks whose part of a panel stays in the first cache, register tiles of 6 x 16 inside:
 *
 *     for each piece (rows x panels)                      shared out by parallel_for
 *       for each block of k                               at most 384 long
 *         for each panel of the piece                     16 columns, 16 to 24 KB of b
 *           for each 6 rows of the piece                  a from the second cache
 *             tile += a b                                 and, after the last block, bias and act
 *
 * A constant b is packed into panels once; any other b on the way. a is read where it lies if it is
 * f32 with neighbours along k, else packed into strips. With up to three rows, a tile takes several
 * panels, and the product runs at the speed of memory.
 *
 * Every element is one chain of fused multiply-adds over ascending k whatever the shape (tile.h):
 * between blocks of k the sums wait in f32, in y or, if y is narrower, in the scratch. */
#include <string.h>

#include "functions.h"
#include "matmul_i8.h"
#include "matmul_tiles.h"
#include "top_k.h"
#include "vector.h"

enum {
    BLOCK_K = 384,     /* longest block of k */
    BLOCK_ROWS = 144,  /* rows of a piece, a multiple of 6 */
    BLOCK_PANELS = 16, /* panels of a piece */
    SKINNY_ROWS = 16,
    LEAST_PIECES = 16 /* pieces of a large product, so that threads can share it */
};

/* What a node's shapes and types lead to; made when it is compiled. */
struct plan {
    struct cpu_matmul_shape shape;
    int64_t panels, strips;
    int64_t tile_panels; /* of a register tile */
    int64_t piece_rows, piece_panels, row_pieces, panel_pieces;
    int64_t block_k;
    bool a_direct, b_shared;
    /* Parts of the scratch, in bytes from its start; a and b packed, sums, bias in f32. */
    size_t a_start, b_start, sums_start, bias_start;
};

struct matmul {
    const struct cpu_call *call;
    const struct plan *plan;
    const struct matmul_tiles *tiles;
    enum heed_activation activation;
    float *a_strips;     /* [batches][strips][k][6] */
    float *b_panels;     /* [batches or 1][panels][k][16] */
    const void *panels;  /* those, or a packed weight's */
    int64_t panel_elems; /* of panels, per batch; 0 if shared */
    size_t panel_bytes;  /* of one element */
    float *sums;         /* [batches][m][n]: y or the scratch */
    const float *bias;   /* [n] or NULL */
    bool finishes;       /* something is left to do with finished sums */
    float *greatest;     /* of blocks of y, see top_k.h; NULL: not wanted */
};

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- one tile ---- */

void heedi_avx2_finish_row(const struct cpu_operand *y, int64_t offset, int64_t columns,
                           const float *sums, const float *bias, enum heed_activation activation) {
    float rounded[TILE_PANELS * TILE_COLUMNS];
    float *target = y->desc->dtype == HEED_F32 ? (float *)y->data + offset : rounded;
    for (int64_t j = 0; j < columns; j += 8) {
        __m256 value = vector_load(sums + j, columns - j);
        if (bias != NULL)
            value = _mm256_add_ps(value, vector_load(bias + j, columns - j));
        vector_store(target + j, columns - j, avx2_activate(activation, value));
    }
    if (target == rounded)
        heedi_avx2_store(y, offset, columns, rounded);
}

/* A piece of work, within one batch. */
struct piece {
    const float *a;              /* of the batch, where it lies or in strips */
    const char *b;               /* its panels */
    int64_t y_row;               /* row of y at which the batch begins */
    int64_t first_row, last_row; /* of the batch */
    int64_t first_panel, last_panel;
};

/* A register tile: rows [row, row + rows), `panels` panels from `panel` on, k from p on. */
struct tile {
    int64_t row, rows, panel, panels, p;
};

/* The first rows of a piece bring its panels, one after another, and ask for what comes next in
 * them; the second rows find the panel in a cache and ask for the same lines of the next. */
static int64_t ahead_of(const struct matmul *work, const struct piece *piece,
                        const struct tile *tile) {
    enum { LINES = 4096 };
    const int64_t rows = tile->row - piece->first_row;
    if (rows == 0)
        return LINES;
    return rows <= TILE_ROWS ? work->plan->shape.k * TILE_COLUMNS * (int64_t)work->panel_bytes : 0;
}

static void compute_tile(const struct matmul *work, const struct piece *piece,
                         const struct tile *tile) {
    const struct plan *plan = work->plan;
    const int64_t column = tile->panel * TILE_COLUMNS, width = tile->panels * TILE_COLUMNS;
    const int64_t left = plan->shape.n - column, columns = left < width ? left : width;
    const int64_t row = piece->y_row + tile->row;
    const int64_t count =
        plan->shape.k - tile->p < plan->block_k ? plan->shape.k - tile->p : plan->block_k;
    const bool last = tile->p + count == plan->shape.k, first = tile->p == 0;
    const bool buffered = columns < width || work->sums == NULL;
    const float *bias = work->bias != NULL ? work->bias + column : NULL;
    float buffer[TILE_ROWS * TILE_COLUMNS * TILE_PANELS];

    struct tile_operands it = {.c = buffer, .c_row = width, .k = count, .first = first};
    it.b_panel = plan->shape.k * TILE_COLUMNS;
    it.ahead = ahead_of(work, piece, tile);
    it.b = piece->b +
           (size_t)((tile->panel * plan->shape.k + tile->p) * TILE_COLUMNS) * work->panel_bytes;
    if (!buffered) {
        it.c = work->sums + row * plan->shape.n + column;
        it.c_row = plan->shape.n;
    } else if (!first) { /* sums of a last, narrower panel wait without its zeros */
        for (int64_t r = 0; r < tile->rows; r++)
            memcpy(buffer + r * width, work->sums + (row + r) * plan->shape.n + column,
                   (size_t)columns * sizeof *buffer);
    }
    if (plan->a_direct) {
        it.a = piece->a + tile->row * plan->shape.a_row + tile->p;
        it.a_row = plan->shape.a_row;
        (tile->panels > 1 ? work->tiles->wide : work->tiles->direct)[tile->rows - 1](&it);
    } else {
        it.a =
            piece->a + tile->row * plan->shape.k + tile->p * TILE_ROWS; /* row: a multiple of 6 */
        work->tiles->strip[tile->rows - 1](&it);
    }
    if (last && (work->finishes || buffered))
        for (int64_t r = 0; r < tile->rows; r++)
            heedi_avx2_finish_row(&work->call->out[0], (row + r) * plan->shape.n + column, columns,
                                  it.c + r * it.c_row, bias, work->activation);
    else if (buffered && work->sums != NULL)
        for (int64_t r = 0; r < tile->rows; r++)
            memcpy(work->sums + (row + r) * plan->shape.n + column, buffer + r * width,
                   (size_t)columns * sizeof *buffer);
}

/* One block of k after another, so that a panel's part of it serves all rows from the first cache.
 */
static void compute_piece(const struct matmul *work, const struct piece *piece) {
    const struct plan *plan = work->plan;
    struct tile tile = {.p = 0};
    do {
        for (tile.panel = piece->first_panel; tile.panel < piece->last_panel;
             tile.panel += tile.panels) {
            tile.panels = plan->tile_panels;
            if (tile.panel + tile.panels > piece->last_panel)
                tile.panels = 1;
            for (tile.row = piece->first_row; tile.row < piece->last_row; tile.row += tile.rows) {
                const int64_t rest = piece->last_row - tile.row;
                tile.rows = plan->a_direct ? tile_height(rest) : least(rest, TILE_ROWS);
                compute_tile(work, piece, &tile);
            }
        }
        tile.p += plan->block_k;
    } while (tile.p < plan->shape.k);
    if (work->greatest != NULL)
        heedi_avx2_choice_piece(
            work->sums, plan->shape.n, piece->y_row + piece->first_row,
            piece->last_row - piece->first_row, piece->first_panel * TILE_COLUMNS,
            (piece->last_panel - piece->first_panel) * TILE_COLUMNS, work->greatest);
}

static void matmul_range(void *arg, int64_t begin, int64_t end) {
    const struct matmul *work = arg;
    const struct plan *plan = work->plan;
    for (int64_t item = begin; item < end; item++) {
        const int64_t batch = item / (plan->row_pieces * plan->panel_pieces);
        const int64_t first_row = item / plan->panel_pieces % plan->row_pieces * plan->piece_rows;
        const int64_t first_panel = item % plan->panel_pieces * plan->piece_panels;
        const struct piece piece = {
            .a = plan->a_direct ? (const float *)work->call->in[MATMUL_A].data +
                                      batch / plan->shape.batch_dims[1] * plan->shape.a_batch[0] +
                                      batch % plan->shape.batch_dims[1] * plan->shape.a_batch[1]
                                : work->a_strips + batch * plan->strips * plan->shape.k * TILE_ROWS,
            .b = (const char *)work->panels +
                 (size_t)(batch * work->panel_elems) * work->panel_bytes,
            .y_row = batch * plan->shape.m,
            .first_row = first_row,
            .last_row = least(first_row + plan->piece_rows, plan->shape.m),
            .first_panel = first_panel,
            .last_panel = least(first_panel + plan->piece_panels, plan->panels),
        };
        compute_piece(work, &piece);
    }
}

/* ---- packing on the way ---- */

static void pack_a_range(void *arg, int64_t begin, int64_t end) {
    const struct matmul *work = arg;
    const struct plan *plan = work->plan;
    for (int64_t item = begin; item < end; item++) {
        const int64_t batch = item / plan->strips, strip = item % plan->strips;
        const int64_t offset = batch / plan->shape.batch_dims[1] * plan->shape.a_batch[0] +
                               batch % plan->shape.batch_dims[1] * plan->shape.a_batch[1];
        heedi_avx2_pack_strip(&work->call->in[MATMUL_A], offset, plan->shape.a_row, plan->shape.a_k,
                              plan->shape.m, plan->shape.k, strip * TILE_ROWS,
                              work->a_strips + item * plan->shape.k * TILE_ROWS);
    }
}

static void pack_b_range(void *arg, int64_t begin, int64_t end) {
    const struct matmul *work = arg;
    const struct plan *plan = work->plan;
    for (int64_t item = begin; item < end; item++) {
        const int64_t batch = item / plan->panels, panel = item % plan->panels;
        const int64_t offset = batch / plan->shape.batch_dims[1] * plan->shape.b_batch[0] +
                               batch % plan->shape.batch_dims[1] * plan->shape.b_batch[1];
        heedi_avx2_pack_panel(&work->call->in[MATMUL_B], offset, plan->shape.b_k, plan->shape.b_n,
                              plan->shape.k, plan->shape.n, panel,
                              work->b_panels + item * plan->shape.k * TILE_COLUMNS);
    }
}

/* Packs what must be packed, so that pieces can be computed. False if there are none. */
static bool start(const struct cpu_call *call, struct matmul *work) {
    const struct plan *plan = call->node->table;
    const struct avx2_panels *packed = call->node->packed;
    const struct cpu_operand *bias = &call->in[MATMUL_BIAS], *y = &call->out[0];
    char *scratch = call->scratch;
    if (plan->shape.m == 0 || plan->shape.n == 0 || plan->shape.batches == 0)
        return false;
    *work = (struct matmul){
        .call = call,
        .plan = plan,
        .tiles = heedi_avx2_matmul_tiles(packed != NULL ? packed->dtype : HEED_F32),
        .activation = (enum heed_activation)call->node->attrs.matmul.activation,
        .a_strips = (float *)(void *)(scratch + plan->a_start),
        .b_panels = (float *)(void *)(scratch + plan->b_start),
        .finishes = bias->desc != NULL || y->desc->dtype != HEED_F32,
    };
    work->finishes = work->finishes || work->activation != HEED_ACTIVATION_NONE;
    if (y->desc->dtype == HEED_F32)
        work->sums = y->data;
    else if (plan->block_k < plan->shape.k)
        work->sums = (float *)(void *)(scratch + plan->sums_start);
    if (bias->desc != NULL && bias->desc->dtype == HEED_F32) {
        work->bias = bias->data;
    } else if (bias->desc != NULL) {
        float *widened = (float *)(void *)(scratch + plan->bias_start);
        for (int64_t i = 0; i < plan->shape.n; i += CPU_BLOCK)
            heedi_avx2_load(bias, i, least(plan->shape.n - i, CPU_BLOCK), widened + i);
        work->bias = widened;
    }
    if (!plan->a_direct)
        heedi_cpu_parallel(call, plan->shape.batches * plan->strips, 6 * plan->shape.k,
                           pack_a_range, work);
    if (packed != NULL) {
        work->panels = packed->data;
        work->panel_bytes = heed_dtype_bytes(packed->dtype);
        return true;
    }
    const int64_t panels = plan->b_shared ? plan->panels : plan->panels * plan->shape.batches;
    heedi_cpu_parallel(call, panels, 16 * plan->shape.k, pack_b_range, work);
    work->panels = work->b_panels;
    work->panel_bytes = sizeof(float);
    work->panel_elems = plan->b_shared ? 0 : plan->panels * plan->shape.k * TILE_COLUMNS;
    return true;
}

static int64_t count_pieces(const struct plan *plan) {
    return plan->shape.batches * plan->row_pieces * plan->panel_pieces;
}

/* Cycles that a piece takes: a line of a panel is a multiply-add of two vectors per row, or what
 * reading it from memory takes. */
static int64_t piece_cost(const struct plan *plan) {
    return (plan->piece_rows < 8 ? 8 : plan->piece_rows) * plan->piece_panels * plan->shape.k;
}

void heed_f32_matmul_6x16__avx2(const struct cpu_call *call) {
    struct matmul work;
    if (start(call, &work))
        heedi_cpu_parallel(call, count_pieces(work.plan), piece_cost(work.plan), matmul_range,
                           &work);
}

/* The logits of a vocabulary, and the choice from them. */
void heed_f32_matmul_6x16_choice__avx2(const struct cpu_call *call) {
    struct matmul work;
    if (!start(call, &work))
        return;
    work.greatest = heedi_avx2_choice_greatest(&call[3]);
    heedi_cpu_parallel(call, count_pieces(work.plan), piece_cost(work.plan), matmul_range, &work);
    heedi_avx2_choose(call + 1);
}

/* Products whose pieces go through one loop. */
struct group {
    uint32_t count;
    int64_t first[CPU_MOST_FUSED + 1]; /* the loop's index of each product's first piece */
    struct matmul works[CPU_MOST_FUSED];
};

static void group_range(void *arg, int64_t begin, int64_t end) {
    struct group *group = arg;
    for (uint32_t i = 0; i < group->count; i++) {
        const int64_t from = begin > group->first[i] ? begin : group->first[i];
        const int64_t to = least(end, group->first[i + 1]);
        if (from < to)
            matmul_range(&group->works[i], from - group->first[i], to - group->first[i]);
    }
}

void heed_f32_matmul_6x16_group__avx2(const struct cpu_call *call) {
    struct group group = {.count = 0};
    int64_t cost = 0;
    for (uint32_t i = 0; i < call->count; i++) {
        struct matmul *work = &group.works[group.count];
        if (!start(&call[i], work))
            continue;
        group.first[group.count + 1] = group.first[group.count] + count_pieces(work->plan);
        group.count++;
        cost = piece_cost(work->plan) > cost ? piece_cost(work->plan) : cost;
    }
    heedi_cpu_parallel(call, group.first[group.count], cost, group_range, &group);
}

/* ---- shapes ---- */

/* Sizes and strides. */
static void read_shapes(const struct cpu_node *node, struct plan *plan) {
    plan->shape = heedi_cpu_matmul_shape(node);
    plan->b_shared = (plan->shape.b_batch[0] == 0 || plan->shape.batch_dims[0] == 1) &&
                     (plan->shape.b_batch[1] == 0 || plan->shape.batch_dims[1] == 1);
    plan->a_direct =
        node->in[MATMUL_A].desc.dtype == HEED_F32 && (plan->shape.a_k == 1 || plan->shape.k <= 1);
    plan->panels = (plan->shape.n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    plan->strips = (plan->shape.m + TILE_ROWS - 1) / TILE_ROWS;
}

static int64_t pieces_of(int64_t count, int64_t piece) {
    return (count + piece - 1) / piece;
}

/* How a product of many rows is cut into pieces: as large as caches allow, but enough of them. */
static void cut_pieces(struct plan *plan) {
    plan->piece_rows = BLOCK_ROWS;
    plan->piece_panels = BLOCK_PANELS;
    while (plan->shape.batches * pieces_of(plan->shape.m, plan->piece_rows) *
               pieces_of(plan->panels, plan->piece_panels) <
           LEAST_PIECES) {
        if (plan->piece_panels > 4)
            plan->piece_panels /= 2;
        else if (plan->piece_rows > 4 * TILE_ROWS)
            plan->piece_rows /= 2;
        else
            break;
    }
    /* 145 rows as 78 and 67, not as 144 and 1; strips need multiples of 6. */
    const int64_t rows = pieces_of(plan->shape.m, pieces_of(plan->shape.m, plan->piece_rows));
    plan->piece_rows = pieces_of(rows, TILE_ROWS) * TILE_ROWS;
}

/* How the work is cut. */
static void cut(struct plan *plan) {
    plan->tile_panels = plan->a_direct ? matmul_wide_panels(plan->shape.m) : 1;
    if (plan->shape.m <=
        SKINNY_ROWS) { /* a weight is read once, the longer its stretches the better */
        plan->block_k = plan->shape.k > 0 ? plan->shape.k : 1;
        plan->piece_rows = plan->shape.m > 0 ? plan->shape.m : 1;
        plan->piece_panels = plan->tile_panels < 3 ? 4 : 2 * plan->tile_panels;
    } else {
        const int64_t blocks = pieces_of(plan->shape.k, BLOCK_K);
        plan->block_k = blocks > 1 ? pieces_of(plan->shape.k, blocks) : BLOCK_K;
        cut_pieces(plan);
    }
    plan->row_pieces = pieces_of(plan->shape.m, plan->piece_rows);
    plan->panel_pieces = pieces_of(plan->panels, plan->piece_panels);
}

/* Takes `elems` f32 elements of the scratch. False if there are too many. */
static bool reserve(size_t *bytes, size_t *start, int64_t rows, int64_t columns, int64_t depth) {
    *start = *bytes;
    int64_t elems = 0;
    if (__builtin_mul_overflow(rows, columns, &elems) ||
        __builtin_mul_overflow(elems, depth, &elems) || elems > INT64_MAX / 8 ||
        (size_t)elems > (SIZE_MAX / 2 - *bytes) / sizeof(float))
        return false;
    *bytes += ((size_t)elems * sizeof(float) + 63) / 64 * 64;
    return true;
}

static enum heed_status prepare(struct heed_plugin *plugin, struct cpu_node *node,
                                struct heed_error *error) {
    if (node->attrs.matmul.a_quantization == HEED_QUANTIZE_ROWS)
        return heedi_avx2_prepare_i8(plugin, node, error);
    const struct avx2_panels *panels = NULL;
    struct plan *plan = heedi_common_calloc(plugin->host, 1, sizeof *plan);
    if (plan == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                 "out of memory for the plan of %s", node->name);
    node->table = plan;
    read_shapes(node, plan);
    cut(plan);
    const enum heed_status status =
        heedi_avx2_acquire_panels(plugin, node, &node->prepared, &panels, error);
    if (status != HEED_OK)
        return status;
    node->packed = panels;
    bool fits = true;
    size_t *bytes = &node->scratch_bytes;
    if (!plan->a_direct)
        fits = fits && reserve(bytes, &plan->a_start, plan->shape.batches, plan->strips * TILE_ROWS,
                               plan->shape.k);
    if (panels == NULL)
        fits = fits && reserve(bytes, &plan->b_start, plan->b_shared ? 1 : plan->shape.batches,
                               plan->panels * TILE_COLUMNS, plan->shape.k);
    if (node->out[0].desc.dtype != HEED_F32 && plan->block_k < plan->shape.k)
        fits = fits &&
               reserve(bytes, &plan->sums_start, plan->shape.batches, plan->shape.m, plan->shape.n);
    if (heedi_cpu_present(&node->in[MATMUL_BIAS]))
        fits = fits && reserve(bytes, &plan->bias_start, 1, plan->shape.n, 1);
    if (!fits)
        return heedi_common_fail(error, HEED_ERROR_LIMIT, "%s: the packed operands are too large",
                                 node->name);
    return HEED_OK;
}

static const char *accept(struct cpu_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    if (attrs->activation > HEED_ACTIVATION_SIGMOID)
        return "unknown activation";
    if (attrs->transpose_a > 1 || attrs->transpose_b > 1)
        return "unknown way to transpose";
    if (!heedi_cpu_is_float(&node->in[MATMUL_A]) || !heedi_cpu_is_float(&node->out[0]))
        return "a and the result must be of a float type";
    if (heedi_cpu_present(&node->in[MATMUL_BIAS]) && !heedi_cpu_is_float(&node->in[MATMUL_BIAS]))
        return "the bias must be of a float type";
    if (node->in[MATMUL_A].desc.rank < 2 || node->in[MATMUL_B].desc.rank < 2 ||
        node->out[0].desc.rank < 2)
        return "a, b and the result must have at least two dimensions";
    if (attrs->a_quantization > HEED_QUANTIZE_ROWS)
        return "unknown way to quantise a";
    if (attrs->a_quantization == HEED_QUANTIZE_ROWS)
        return heedi_avx2_accept_i8(node);
    if (!heedi_cpu_is_float(&node->in[MATMUL_B]) || heedi_cpu_present(&node->in[MATMUL_B_SCALE]))
        return "b must be of a float type and have no scales";
    heedi_cpu_want_lines(node, MATMUL_BIAS);
    node->kernel = &heedi_avx2_kernels[AVX2_MATMUL];
    return NULL;
}

const struct cpu_operator heedi_avx2_matmul = {
    .attrs_size = sizeof(struct heed_matmul_attrs), .accept = accept, .prepare = prepare};
