/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: y = act(a b + bias), in tiles. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_matmul_params) == 72, "as GLSL lays it out");

enum { A = 0, B = 1, BIAS = 2, B_SCALE = 3 };

static bool is_float(const struct vk_tensor *tensor) {
    const enum heed_dtype type = tensor->desc.dtype;
    return heedi_vk_present(tensor) && (type == HEED_F32 || type == HEED_F16 || type == HEED_BF16);
}

static const char *accept(struct vk_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const struct vk_tensor *a = &node->in[A], *b = &node->in[B], *y = &node->out[0];
    if (attrs->activation > HEED_ACTIVATION_SIGMOID)
        return "unknown activation";
    if (attrs->transpose_a > 1 || attrs->transpose_b > 1)
        return "unknown way to transpose";
    if (attrs->a_quantization != HEED_QUANTIZE_NONE)
        return "quantised rows of a are not known here";
    if (!is_float(a) || !is_float(b) || heedi_vk_present(&node->in[B_SCALE]))
        return "a and b must be f32, f16 or bf16";
    if (heedi_vk_present(&node->in[BIAS]) && !is_float(&node->in[BIAS]))
        return "the bias must be f32, f16 or bf16";
    if (y->desc.dtype != HEED_F32)
        return "the result must be f32";
    if (a->desc.rank < 2 || b->desc.rank < 2 || y->desc.rank < 2)
        return "a, b and the result must have at least two dimensions";
    return NULL;
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
    heedi_vk_strides4(y, &a->desc, a_strides);
    heedi_vk_strides4(y, &b->desc, b_strides);
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

/* ---- tiles ---- */

/* A workgroup of tx by ty invocations, each with tm rows and tn columns. */
struct tile {
    uint32_t tx, ty, tm, tn;
};

static uint64_t tile_count(const struct heed_matmul_params *it, const struct tile *tile) {
    const uint64_t rows = tile->ty * tile->tm, columns = tile->tx * tile->tn;
    return it->batches * ((it->m + rows - 1) / rows) * ((it->n + columns - 1) / columns);
}

/* The largest tile of which there are enough to fill a device; none is larger than the least that
 * every device offers, 128 invocations and 16 KB. */
static const struct tile *choose_tile(const struct heed_matmul_params *it) {
    static const struct tile tiles[] = {
        {.tx = 16, .ty = 8, .tm = 8, .tn = 4}, /* 64 x 64 */
        {.tx = 8, .ty = 8, .tm = 4, .tn = 4},  /* 32 x 32 */
        {.tx = 16, .ty = 4, .tm = 4, .tn = 2}, /* 16 x 32 */
    };
    const uint32_t last = sizeof tiles / sizeof *tiles - 1;
    uint32_t chosen = 0;
    while (chosen < last && (tile_count(it, &tiles[chosen]) < 64 ||
                             it->m <= tiles[chosen].ty * tiles[chosen].tm / 2))
        chosen++;
    return &tiles[chosen];
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct heed_matmul_params params = shape_of(node);
    const struct vk_tensor *a = &node->in[A], *b = &node->in[B], *bias = &node->in[BIAS];
    const struct tile *tile = choose_tile(&params);
    const uint32_t bias_type = heedi_vk_present(bias) ? (uint32_t)bias->desc.dtype : 0;
    const struct vk_request request = {
        .shader = VK_SHADER_MATMUL,
        .constants = {[HEED_CONSTANT_WIDTH] = tile->tx * tile->ty,
                      [HEED_MATMUL_TYPES] =
                          (uint32_t)a->desc.dtype + 16 * (uint32_t)b->desc.dtype + 256 * bias_type,
                      [HEED_MATMUL_ACTIVATION] = node->attrs.matmul.activation,
                      [HEED_MATMUL_TX] = tile->tx,
                      [HEED_MATMUL_TY] = tile->ty,
                      [HEED_MATMUL_TM] = tile->tm,
                      [HEED_MATMUL_TN] = tile->tn,
                      [HEED_MATMUL_ALONG] = (params.a_k <= 1 ? HEED_MATMUL_A_ALONG : 0) |
                                            (params.b_k <= 1 ? HEED_MATMUL_B_ALONG : 0)},
        .bindings = {heedi_vk_reads(a), heedi_vk_reads(b), heedi_vk_reads(bias),
                     heedi_vk_writes(&node->out[0])},
        .groups = tile_count(&params, tile),
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_matmul = {
    .attrs_size = sizeof(struct heed_matmul_attrs), .accept = accept, .build = build};
