/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: y = act((a b) * b_scale + bias), in tiles, or in columns where there are few rows. With
 * quantised rows of a: matmul_quantized.c.
 *
 * With an i8 b there are five operands and four bindings: a and y, which an instance owns, share
 * one. */
#include "ranges.h"

_Static_assert(sizeof(struct heed_matmul_params) == 92, "as GLSL lays it out");

enum { A = VK_MATMUL_A, B = VK_MATMUL_B, BIAS = VK_MATMUL_BIAS, B_SCALE = VK_MATMUL_SCALE };

/* Mesa's device in software ends an invocation's loops, silently, after 65,535 turns in all; a tile
 * takes about four for each of k. */
enum { SOFTWARE_MAX_K = 8192 };

/* Multiplications from which the longer time to compile a large tile in software pays. */
enum { SOFTWARE_LARGE = 1 << 21 };

static bool is_i8(const struct vk_node *node) {
    return node->in[B].desc.dtype == HEED_I8 && heedi_vk_present(&node->in[B_SCALE]);
}

static bool is_quantized(const struct vk_node *node) {
    return node->attrs.matmul.a_quantization == HEED_QUANTIZE_ROWS;
}

/* ---- shapes ---- */

/* The product as shaders see it. Batches that share b, and go on where the one before ended in a,
 * become more rows of it. */
static struct heed_matmul_params shape_of(const struct vk_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const struct vk_tensor *a = &node->in[A], *b = &node->in[B], *bias = &node->in[BIAS];
    const struct heed_tensor_desc *y = &node->out[0].desc;
    uint32_t dims[4], a_strides[4], b_strides[4];
    heedi_vk_dims4(y, dims);
    heedi_vk_strides4(&a->desc, a_strides);
    heedi_vk_strides4(&b->desc, b_strides);
    struct heed_matmul_params it = {
        .m = dims[2],
        .n = dims[3],
        .k = (uint32_t)a->desc.dims[a->desc.rank - (attrs->transpose_a != 0 ? 2 : 1)],
        .a_row = a_strides[attrs->transpose_a != 0 ? 3 : 2],
        .a_k = a_strides[attrs->transpose_a != 0 ? 2 : 3],
        .b_k = b_strides[attrs->transpose_b != 0 ? 3 : 2],
        .b_n = b_strides[attrs->transpose_b != 0 ? 2 : 3],
        .bias_stride = heedi_vk_present(bias) && dims[3] > 1 ? (uint32_t)bias->desc.strides[0] : 0,
        .a_batch = {a_strides[0], a_strides[1]},
        .b_batch = {b_strides[0], b_strides[1]},
        .a_offset = (uint32_t)a->offset_elems,
        .b_offset = (uint32_t)b->offset_elems,
        .bias_offset = (uint32_t)bias->offset_elems,
        .y_offset = (uint32_t)node->out[0].offset_elems,
    };
    if (is_i8(node)) {
        it.scale_offset = (uint32_t)node->in[B_SCALE].offset_elems;
        it.scale_stride = it.n > 1 ? (uint32_t)node->in[B_SCALE].desc.strides[0] : 0;
    }
    for (int i = 1; i >= 0; i--) {
        if (it.b_batch[i] != 0 || (dims[i] != 1 && it.a_batch[i] != it.m * it.a_row))
            break;
        it.m *= dims[i];
        dims[i] = 1;
    }
    it.inner = dims[1];
    it.batches = dims[0] * dims[1];
    return it;
}

/* The columns of b, for where it is larger than a storage buffer shows. */
static struct vk_lines columns_of(const struct vk_node *node, const struct heed_matmul_params *it) {
    const struct vk_tensor *b = &node->in[B];
    const uint32_t k = it->k / (uint32_t)heed_dtype_values(b->desc.dtype);
    return (struct vk_lines){
        .total_bytes = b->owner_bytes,
        .elem_bytes = heed_dtype_bytes(b->desc.dtype),
        .offset = (uint64_t)b->offset_elems,
        .stride = it->b_n,
        .elems = k > 0 ? (uint64_t)(k - 1) * it->b_k + 1 : 0,
        .count = it->n,
    };
}

/* Whether b is larger than a storage buffer shows. */
static bool is_cut(const struct vk_node *node) {
    return node->in[B].owner_bytes > node->plugin->device.limits.range_bytes;
}

/* Exchanges rows and columns of b, so that those columns that a storage buffer shows follow one
 * another: to be laid out so, where they lie side by side. */
static void turn(struct vk_node *node) {
    struct heed_tensor_desc *desc = &node->in[B].desc;
    const uint32_t k = desc->rank - 2, n = desc->rank - 1;
    const int64_t dim = desc->dims[k], stride = desc->strides[k];
    desc->dims[k] = desc->dims[n];
    desc->strides[k] = desc->strides[n];
    desc->dims[n] = dim;
    desc->strides[n] = stride;
    node->attrs.matmul.transpose_b = !node->attrs.matmul.transpose_b;
}

static bool fits(const struct vk_node *node) {
    const struct heed_matmul_params it = shape_of(node);
    const struct vk_lines columns = columns_of(node, &it);
    return it.n == 0 || heedi_vk_lines_shown(node->plugin, &columns) > 0;
}

/* Whether columns of b can be shown once it has been laid out anew. */
static bool fits_turned(const struct vk_node *node) {
    struct vk_node turned = *node;
    if (node->attrs.matmul.transpose_b == 0)
        turn(&turned);
    const struct vk_tensor b = turned.in[B];
    return heedi_vk_may_lay_out(&b, &turned.in[B]) && fits(&turned);
}

bool heedi_vk_matmul_next(const struct vk_node *node, struct heed_matmul_params *params,
                          struct vk_binding *b) {
    const struct vk_lines columns = columns_of(node, params);
    const uint64_t shown = heedi_vk_lines_shown(node->plugin, &columns);
    params->column += params->columns;
    if (params->column >= params->n)
        return false;
    const uint32_t left = params->n - params->column;
    params->columns = left < shown ? left : (uint32_t)shown;
    *b = heedi_vk_reads(&node->in[B]);
    params->b_offset =
        heedi_vk_show_lines(node->plugin, &columns, params->column, params->columns, b);
    return true;
}

static const char *accept(struct vk_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const struct vk_tensor *a = &node->in[A], *b = &node->in[B], *y = &node->out[0];
    const struct vk_tensor *scale = &node->in[B_SCALE];
    if (attrs->activation > HEED_ACTIVATION_SIGMOID)
        return "unknown activation";
    if (attrs->transpose_a > 1 || attrs->transpose_b > 1)
        return "unknown way to transpose";
    if (attrs->a_quantization > HEED_QUANTIZE_ROWS)
        return "unknown way to quantise a";
    const bool quantized = is_quantized(node);
    if (!heedi_vk_is_float(a) || (!heedi_vk_is_float(b) && b->desc.dtype != HEED_I8 &&
                                  (b->desc.dtype != HEED_Q8_0 || !quantized)))
        return "a must be f32, f16 or bf16, b one of these or i8, or q8_0 with quantised rows of a";
    if (is_i8(node) ? scale->desc.dtype != HEED_F32 : heedi_vk_present(scale))
        return "b_scale must be f32 for an i8 b, and absent for any other";
    if (!quantized && is_i8(node) && (!heedi_vk_is_owned(a) || !heedi_vk_is_owned(y)))
        return "with an i8 b, a and the result must be neither constants nor states";
    if (heedi_vk_present(&node->in[BIAS]) && !heedi_vk_is_float(&node->in[BIAS]))
        return "the bias must be f32, f16 or bf16";
    if (y->desc.dtype != HEED_F32)
        return "the result must be f32";
    if (a->desc.rank < 2 || b->desc.rank < 2 || y->desc.rank < 2)
        return "a, b and the result must have at least two dimensions";
    const struct heed_matmul_params it = shape_of(node);
    if (is_cut(node) && !fits(node) && !fits_turned(node))
        return "no column of b fits in a storage buffer of this device";
    if (quantized && is_cut(node) && it.b_batch[0] + it.b_batch[1] != 0)
        return "with quantised rows of a, a storage buffer must show all of a batch of weights";
    if (quantized)
        return heedi_vk_matmul_quantized_accept(node);
    if (node->plugin->device.software &&
        a->desc.dims[a->desc.rank - (attrs->transpose_a != 0 ? 2 : 1)] > SOFTWARE_MAX_K)
        return "the inner dimension is too large for a device in software";
    return NULL;
}

/* ---- tiles ---- */

static uint64_t tile_count(const struct heed_matmul_params *it, const struct vk_tile *tile) {
    const uint64_t rows = tile->ty * tile->tm, columns = tile->tx * tile->tn;
    return it->batches * ((it->m + rows - 1) / rows) * ((it->columns + columns - 1) / columns);
}

/* Whether to choose as suits a device in software. One that is forced to content itself with the
 * least of workgroups chooses as a phone does, so that tests see what a GPU runs. */
static bool in_software(const struct vk_node *node, const struct heed_matmul_params *it) {
    const double work = (double)it->batches * it->m * it->n * it->k;
    return heedi_vk_suits_software(node->plugin) && work >= (double)SOFTWARE_LARGE;
}

/* Every tile is within the least that all devices offer, 128 invocations and 16 KB. Of a GPU's, the
 * largest of which there are enough to fill it; a device in software has no lack of registers, and
 * is the quicker the more each invocation computes from what it loads. */
static const struct vk_tile *choose_tile(const struct vk_node *node,
                                         const struct heed_matmul_params *it) {
    const bool slow_loads = in_software(node, it);
    static const struct vk_tile gpu[VK_TILE_SIZES] = {
        {.tx = 16, .ty = 8, .tm = 8, .tn = 4}, /* 64 x 64 */
        {.tx = 8, .ty = 8, .tm = 4, .tn = 4},  /* 32 x 32 */
        {.tx = 16, .ty = 4, .tm = 4, .tn = 2}, /* 16 x 32 */
    };
    static const struct vk_tile software[VK_TILE_SIZES] = {
        {.tx = 8, .ty = 8, .tm = 8, .tn = 8}, /* 64 x 64 */
        {.tx = 8, .ty = 4, .tm = 8, .tn = 8}, /* 32 x 64 */
        {.tx = 8, .ty = 2, .tm = 8, .tn = 8}, /* 16 x 64 */
    };
    const struct vk_tile *tiles = slow_loads ? software : gpu;
    const uint32_t last = VK_TILE_SIZES - 1, enough = slow_loads ? 4 : 128;
    uint32_t chosen = 0;
    while (chosen < last && (tile_count(it, &tiles[chosen]) < enough ||
                             it->m <= tiles[chosen].ty * tiles[chosen].tm / 2))
        chosen++;
    const struct vk_tile *tuned = &node->plugin->tuning.tiles[chosen];
    return tuned->tx != 0 ? tuned : &tiles[chosen];
}

void heedi_vk_matmul_tiles(const struct vk_node *node, const struct heed_matmul_params *params,
                           struct vk_request *request) {
    const struct vk_tile *tile = choose_tile(node, params);
    uint32_t *constants = request->constants;
    request->groups = tile_count(params, tile);
    constants[HEED_CONSTANT_WIDTH] = tile->tx * tile->ty;
    constants[HEED_MATMUL_TX] = tile->tx;
    constants[HEED_MATMUL_TY] = tile->ty;
    constants[HEED_MATMUL_TM] = tile->tm;
    constants[HEED_MATMUL_TN] = tile->tn;
}

/* ---- few rows ---- */

/* In software, loads cost more than what is done with them, and tiles load less. */
static bool is_skinny(const struct vk_node *node, const struct heed_matmul_params *params) {
    return !is_i8(node) && params->m <= (in_software(node, params) ? 4 : 16) && params->b_k <= 1;
}

/* Whether lines along k begin on boundaries of 16 bytes: where those of an operand begin are sums
 * of multiples of `strides`. */
static bool aligned(enum heed_dtype type, const uint32_t strides[4]) {
    const uint32_t elems = 16 / (uint32_t)heed_dtype_bytes(type);
    for (int i = 0; i < 4; i++)
        if (strides[i] % elems != 0)
            return false;
    return true;
}

void heedi_vk_matmul_columns(const struct vk_node *node, const struct heed_matmul_params *params,
                             struct vk_request *request) {
    const uint32_t lanes = node->plugin->tuning.lanes, columns = node->plugin->tuning.columns;
    uint32_t rows = 1;
    while (rows < params->m)
        rows *= 2;
    request->groups = (uint64_t)params->batches * ((params->columns + columns - 1) / columns);
    request->constants[HEED_CONSTANT_WIDTH] = lanes * columns;
    request->constants[HEED_MATMUL_LANES] = lanes;
    request->constants[HEED_MATMUL_COLUMNS] = columns;
    request->constants[HEED_MATMUL_ROWS] = rows;
}

/* Whether matmul_skinny.comp may load 16 bytes at a time. */
static bool is_wide(const struct vk_node *node, const struct heed_matmul_params *params) {
    const uint32_t a[4] = {params->a_offset, params->a_row, params->a_batch[0], params->a_batch[1]};
    const uint32_t b[4] = {params->b_offset, params->b_n, params->b_batch[0], params->b_batch[1]};
    return params->a_k == 1 && params->b_k == 1 && params->k % HEED_MATMUL_STEP == 0 &&
           aligned(node->in[A].desc.dtype, a) && aligned(node->in[B].desc.dtype, b);
}

static void bind(const struct vk_node *node, const struct heed_matmul_params *params,
                 struct vk_request *request) {
    request->bindings[0] = heedi_vk_reads(&node->in[A]);
    request->bindings[1] = heedi_vk_reads(&node->in[B]);
    request->bindings[2] = heedi_vk_reads(&node->in[BIAS]);
    request->bindings[3] = heedi_vk_writes(&node->out[0]);
    request->push = params;
    request->push_bytes = sizeof *params;
}

/* With an i8 b, one binding shows a and y. */
static void bind_beside(const struct heed_plugin_program *program, const struct vk_node *node,
                        const struct vk_binding *beside, struct heed_matmul_params *params,
                        struct vk_request *request) {
    request->bindings[0] = *beside;
    request->bindings[3] = heedi_vk_reads(&node->in[B_SCALE]);
    params->a_offset = heedi_vk_place(program, beside, &node->in[A]);
    params->y_offset = heedi_vk_place(program, beside, &node->out[0]);
}

/* Shader, groups and constants for some columns. */
static void plan(const struct vk_node *node, const struct heed_matmul_params *params,
                 struct vk_request *request) {
    const struct vk_tensor *bias = &node->in[BIAS];
    const uint32_t bias_type = heedi_vk_present(bias) ? (uint32_t)bias->desc.dtype : 0;
    if (is_skinny(node, params)) {
        request->shader = VK_SHADER_MATMUL_SKINNY;
        heedi_vk_matmul_columns(node, params, request);
        request->constants[HEED_MATMUL_WIDE] = is_wide(node, params);
    } else {
        request->shader = is_i8(node) ? VK_SHADER_MATMUL_I8 : VK_SHADER_MATMUL;
        heedi_vk_matmul_tiles(node, params, request);
    }
    request->constants[HEED_MATMUL_TYPES] =
        (uint32_t)node->in[A].desc.dtype + 16 * (uint32_t)node->in[B].desc.dtype + 256 * bias_type;
    request->constants[HEED_MATMUL_ACTIVATION] = node->attrs.matmul.activation;
}

/* Of one product several, with weights and biases that follow those of the first. */
static void make_batches(struct heed_matmul_params *params, uint32_t count) {
    params->batches = params->inner = count;
    params->a_batch[1] = 0;
    params->b_batch[1] = params->n * params->k;
    params->bias_batch = params->n;
}

bool heedi_vk_plan_products(const struct vk_node *node, uint32_t count,
                            struct vk_product *product) {
    const uint32_t *constants = product->request.constants;
    const bool quantized = is_quantized(node);
    if ((quantized ? count > 1 : is_i8(node)) || heed_desc_elems(&node->out[0].desc) == 0)
        return false;
    *product = (struct vk_product){.params = shape_of(node)};
    if (count > 1)
        make_batches(&product->params, count);
    product->params.columns = product->params.n;
    if (quantized)
        heedi_vk_plan_quantized(node, &product->params, &product->request);
    else
        plan(node, &product->params, &product->request);
    const bool skinny = product->request.shader == VK_SHADER_MATMUL_SKINNY ||
                        product->request.shader == VK_SHADER_MATMUL_QUANTIZED_SKINNY;
    product->rows = skinny ? constants[HEED_MATMUL_ROWS]
                           : constants[HEED_MATMUL_TY] * constants[HEED_MATMUL_TM];
    product->columns = skinny ? constants[HEED_MATMUL_COLUMNS]
                              : constants[HEED_MATMUL_TX] * constants[HEED_MATMUL_TN];
    return true;
}

enum heed_status heedi_vk_begin_product(struct heed_plugin_program *program, uint32_t index,
                                        uint32_t dispatched, struct vk_product *product,
                                        struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    product->request.bindings[0] = heedi_vk_reads(&node->in[A]);
    if (!is_quantized(node))
        return HEED_OK;
    return heedi_vk_begin_quantized(program, index, dispatched, &product->params, &product->request,
                                    error);
}

enum heed_status heedi_vk_bind_bias(struct heed_plugin_program *program, uint32_t index,
                                    struct vk_product *product, struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    product->request.bindings[2] = heedi_vk_reads(&node->in[BIAS]);
    if (!is_quantized(node))
        return HEED_OK;
    return heedi_vk_bind_quantized_bias(program, index, &product->params, &product->request, error);
}

/* Adds the dispatch for some columns. `beside` shows a and y, or is NULL. */
static enum heed_status add(struct heed_plugin_program *program, uint32_t index,
                            const struct vk_node *node, struct heed_matmul_params params,
                            const struct vk_binding *b, const struct vk_binding *beside,
                            struct heed_error *error) {
    struct vk_request request = {.shader = VK_SHADER_MATMUL};
    plan(node, &params, &request);
    heedi_vk_matmul_coop(program, node, &params, &request);
    bind(node, &params, &request);
    if (beside != NULL)
        bind_beside(program, node, beside, &params, &request);
    request.bindings[1] = *b;
    return heedi_vk_dispatch(program, index, &request, error);
}

/* One of the products in a batch, as a node of its own. */
static struct vk_node batch_of(const struct vk_node *node, uint32_t batch,
                               struct heed_matmul_params *params) {
    struct vk_node one = *node;
    const uint32_t i = batch / params->inner, j = batch % params->inner;
    one.in[A].offset_elems += (int64_t)i * params->a_batch[0] + (int64_t)j * params->a_batch[1];
    one.in[B].offset_elems += (int64_t)i * params->b_batch[0] + (int64_t)j * params->b_batch[1];
    one.out[0].offset_elems += (int64_t)batch * params->m * params->n;
    params->a_offset = (uint32_t)one.in[A].offset_elems;
    params->y_offset = (uint32_t)one.out[0].offset_elems;
    params->batches = params->inner = 1;
    return one;
}

/* Dispatches for all columns that b shows at a time; of a batch of weights larger than that, for
 * one weight after another. */
static enum heed_status build_pieces(struct heed_plugin_program *program, uint32_t index,
                                     struct heed_error *error) {
    struct vk_node node = program->nodes[index];
    const bool beside = is_i8(&node);
    struct vk_shared shared = {.tensors = {&node.in[A], &node.out[0]}, .count = 2, .read_count = 1};
    enum heed_status status = beside ? heedi_vk_share(program, index, &shared, error) : HEED_OK;
    const struct heed_matmul_params all = shape_of(&node);
    const bool apart = is_cut(&node) && all.b_batch[0] + all.b_batch[1] != 0;
    for (uint32_t i = 0; status == HEED_OK && i < (apart ? all.batches : 1); i++) {
        struct heed_matmul_params params = all;
        const struct vk_node one = apart ? batch_of(&node, i, &params) : node;
        struct vk_binding b;
        while (status == HEED_OK && heedi_vk_matmul_next(&one, &params, &b))
            status = add(program, index, &one, params, &b, beside ? &shared.binding : NULL, error);
    }
    return status == HEED_OK && beside ? heedi_vk_part(program, index, &shared, error) : status;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    struct vk_node *node = &program->nodes[index];
    enum heed_status status = HEED_OK;
    if (heed_desc_elems(&node->out[0].desc) == 0)
        return HEED_OK;
    if (is_cut(node) && !fits(node)) {
        if (node->attrs.matmul.transpose_b == 0)
            turn(node);
        status = heedi_vk_lay_out(program, &node->in[B], error);
    }
    const struct heed_matmul_params params = shape_of(node);
    if (status != HEED_OK)
        return status;
    return is_quantized(node) ? heedi_vk_matmul_quantized(program, index, &params, error)
                              : build_pieces(program, index, error);
}

const struct vk_operator heedi_vk_matmul = {.attrs_size = sizeof(struct heed_matmul_attrs),
                                            .cuts = 1u << B,
                                            .accept = accept,
                                            .build = build};
