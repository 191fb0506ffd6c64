/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows, HEED_QUANTIZE_ROWS, by an i8 or q8_0 b, four bytes at a time where
 * the device has an instruction for it. Rows of a are packed into words by a dispatch before it;
 * or, where there are not many, by each workgroup that multiplies them, which costs it less time
 * than the device would take to come from one dispatch to the next. The bits are the same. */
#include "fuse.h"

_Static_assert(sizeof(struct heed_quantize_rows_params) == 52, "as in the shader");

enum { A = 0, B = 1, BIAS = 2, B_SCALE = 3 };

/* Up to so many rows, b is read once for all of them. */
enum { SKINNY_ROWS = 16 };

/* Up to so many rows are packed by the workgroups that multiply them, and up to so many elements in
 * all of these, which have about so many columns each: then it takes some microseconds, as long as
 * another dispatch would. A layer of a large Transformer (k 1024, n 4096) is within these bounds,
 * a product of many rows with a vocabulary is not. */
enum { MOST_ROWS = 128, MOST_PACKED = 1 << 23, SKINNY_COLUMNS = 8, TILE_COLUMNS = 64 };

/* As in matmul.c; here a tile takes about 50 turns for 32 of k, and columns take few. More where
 * rows are packed in between. */
enum { SOFTWARE_MAX_K = 32768, SOFTWARE_MAX_PACKED_K = 8192 };

/* Words of a packed row: whole segments. */
static uint32_t pitch_of(int64_t k) {
    return (uint32_t)((k + HEED_MATMUL_SEGMENT - 1) / HEED_MATMUL_SEGMENT) *
           (HEED_MATMUL_SEGMENT / 4);
}

/* Of packed rows, their scales, and those of columns. */
static uint64_t scratch_bytes(const struct vk_node *node, uint32_t pitch) {
    const struct heed_tensor_desc *y = &node->out[0].desc;
    const uint64_t rows = (uint64_t)heedi_vk_rows(y), columns = (uint64_t)y->dims[y->rank - 1];
    const uint64_t scales = node->in[B].desc.dtype == HEED_I8 ? columns : 0;
    return 4 * (rows * ((uint64_t)pitch + 1) + scales);
}

const char *heedi_vk_matmul_quantized_accept(const struct vk_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const struct heed_tensor_desc *a = &node->in[A].desc, *b = &node->in[B].desc;
    const int64_t k = a->dims[a->rank - (attrs->transpose_a != 0 ? 2 : 1)];
    if (b->dtype != HEED_I8 && b->dtype != HEED_Q8_0)
        return "quantised rows of a need an i8 or q8_0 b";
    if (b->dtype == HEED_I8 && !heedi_vk_present(&node->in[B_SCALE]))
        return "an i8 b needs scales";
    if (b->dtype == HEED_Q8_0 && (attrs->transpose_b == 0 || !heed_desc_contiguous(b)))
        return "a q8_0 b must be contiguous and transposed";
    if (k > HEED_QUANTIZE_MAX_K)
        return "the inner dimension is too large for quantised rows";
    if (node->plugin->device.software && k > SOFTWARE_MAX_K &&
        heedi_vk_rows(&node->out[0].desc) > SKINNY_ROWS)
        return "the inner dimension is too large for a device in software";
    if (scratch_bytes(node, pitch_of(k)) > node->plugin->device.limits.range_bytes)
        return "quantised rows of a would be larger than a storage buffer of this device";
    return NULL;
}

/* ---- rows of a ---- */

/* Whether workgroups pack rows themselves: of floats that come in quads, and with scales of columns
 * that can be laid beside the bias. */
static bool packs_rows(const struct vk_node *node, const struct heed_matmul_params *params) {
    const struct vk_tensor *bias = &node->in[BIAS], *scale = &node->in[B_SCALE];
    const uint32_t all =
        params->a_offset | params->a_row | params->a_batch[0] | params->a_batch[1] | params->k;
    const uint64_t beside = bias->owner_bytes + scale->owner_bytes;
    const uint64_t rows = (uint64_t)params->m * params->batches;
    const uint32_t columns = params->m <= SKINNY_ROWS ? SKINNY_COLUMNS : TILE_COLUMNS;
    return rows <= MOST_ROWS && rows * params->k * (params->n / columns) <= MOST_PACKED &&
           node->in[A].desc.dtype == HEED_F32 && params->a_k == 1 && all % 4 == 0 &&
           (!heedi_vk_present(scale) || (heedi_vk_is_constant(scale) &&
                                         (!heedi_vk_present(bias) || heedi_vk_is_constant(bias)) &&
                                         beside + 32 <= node->plugin->device.limits.range_bytes)) &&
           (!node->plugin->device.software || params->k <= SOFTWARE_MAX_PACKED_K);
}

/* Adds the dispatch that packs rows, for node `dispatched`, and has params and the binding of a say
 * where they are. */
static enum heed_status pack_rows(struct heed_plugin_program *program, uint32_t index,
                                  uint32_t dispatched, struct heed_matmul_params *matmul,
                                  struct vk_binding *a, struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const uint32_t pitch = pitch_of(matmul->k);
    int32_t scratch = VK_STORAGE_NONE;
    const enum heed_status status =
        heedi_vk_scratch(program, scratch_bytes(node, pitch), &scratch, error);
    const bool scaled = node->in[B].desc.dtype == HEED_I8;
    const uint32_t width = heedi_vk_row_width(program->plugin, pitch);
    const struct heed_quantize_rows_params params = {
        .rows = matmul->batches * matmul->m,
        .m = matmul->m,
        .inner = matmul->inner,
        .k = matmul->k,
        .pitch = pitch,
        .a_offset = matmul->a_offset,
        .a_row = matmul->a_row,
        .a_k = matmul->a_k,
        .a_batch = {matmul->a_batch[0], matmul->a_batch[1]},
        .n = scaled ? matmul->n : 0,
        .scale_offset = matmul->scale_offset,
        .scale_stride = matmul->scale_stride,
    };
    matmul->a_row = pitch;
    *a = (struct vk_binding){.storage = scratch};
    if (status != HEED_OK)
        return status;
    const struct vk_request request = {
        .shader = VK_SHADER_QUANTIZE_ROWS,
        .constants = {[HEED_CONSTANT_WIDTH] = width, [1] = (uint32_t)node->in[A].desc.dtype},
        .bindings = {heedi_vk_reads(&node->in[A]),
                     scaled ? heedi_vk_reads(&node->in[B_SCALE])
                            : (struct vk_binding){.storage = VK_STORAGE_NONE},
                     {.storage = scratch, .writes = true}},
        .groups = (uint64_t)params.rows + params.n / width + (params.n % width != 0),
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, dispatched, &request, error);
}

/* ---- the product ---- */

/* HEED_MATMUL_ALONG: of q8_0, which has one layout, 0. */
static uint32_t along(const struct vk_node *node, const struct heed_matmul_params *params) {
    const uint32_t all = params->b_offset | params->b_n | params->b_batch[0] | params->b_batch[1];
    if (node->in[B].desc.dtype != HEED_I8 || params->b_k != 1 || all % 4 != 0)
        return 0;
    return all % 16 == 0 && params->k % HEED_MATMUL_SEGMENT == 0 ? 2 : 1;
}

/* Shader, groups and constants; `a` is what HEED_MATMUL_TYPES say of it. */
static void plan(const struct vk_node *node, const struct heed_matmul_params *params, uint32_t a,
                 struct vk_request *request) {
    const struct vk_tensor *bias = &node->in[BIAS];
    if (params->m <= SKINNY_ROWS) {
        request->shader = VK_SHADER_MATMUL_QUANTIZED_SKINNY;
        heedi_vk_matmul_columns(node, params, request);
    } else {
        request->shader = VK_SHADER_MATMUL_QUANTIZED;
        heedi_vk_matmul_tiles(node, params, request);
    }
    request->constants[HEED_MATMUL_TYPES] =
        a + 16 * (uint32_t)node->in[B].desc.dtype +
        256 * (heedi_vk_present(bias) ? (uint32_t)bias->desc.dtype : 0);
    request->constants[HEED_MATMUL_ACTIVATION] = node->attrs.matmul.activation;
    request->constants[HEED_MATMUL_ALONG] = along(node, params);
}

void heedi_vk_plan_quantized(const struct vk_node *node, const struct heed_matmul_params *params,
                             struct vk_request *request) {
    plan(node, params, packs_rows(node, params) ? HEED_F32 : 0, request);
}

/* The form of a shader that has an instruction for it. */
static enum vk_shader with_dot(enum vk_shader shader) {
    switch (shader) {
    case VK_SHADER_MATMUL_QUANTIZED:
        return VK_SHADER_MATMUL_QUANTIZED_DOT;
    case VK_SHADER_MATMUL_QUANTIZED_SKINNY:
        return VK_SHADER_MATMUL_QUANTIZED_SKINNY_DOT;
    case VK_SHADER_MATMUL_QUANTIZED_NORM:
        return VK_SHADER_MATMUL_QUANTIZED_NORM_DOT;
    case VK_SHADER_MATMUL_QUANTIZED_SKINNY_NORM:
        return VK_SHADER_MATMUL_QUANTIZED_SKINNY_NORM_DOT;
    case VK_SHADER_MATMUL_QUANTIZED_CHOICE:
        return VK_SHADER_MATMUL_QUANTIZED_CHOICE_DOT;
    case VK_SHADER_MATMUL_QUANTIZED_SKINNY_CHOICE:
        return VK_SHADER_MATMUL_QUANTIZED_SKINNY_CHOICE_DOT;
    default:
        return shader;
    }
}

enum heed_status heedi_vk_begin_quantized(struct heed_plugin_program *program, uint32_t index,
                                          uint32_t dispatched, struct heed_matmul_params *params,
                                          struct vk_request *request, struct heed_error *error) {
    if (heedi_vk_proven(program, VK_FORM_DOT))
        request->shader = with_dot(request->shader);
    request->bindings[0] = heedi_vk_reads(&program->nodes[index].in[A]);
    if (request->constants[HEED_MATMUL_TYPES] % 16 != 0)
        return HEED_OK;
    return pack_rows(program, index, dispatched, params, &request->bindings[0], error);
}

enum heed_status heedi_vk_bind_quantized_bias(struct heed_plugin_program *program, uint32_t index,
                                              struct heed_matmul_params *params,
                                              struct vk_request *request,
                                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *const parts[] = {&node->in[BIAS], &node->in[B_SCALE]};
    uint64_t at[2];
    request->bindings[2] = heedi_vk_reads(&node->in[BIAS]);
    if (request->constants[HEED_MATMUL_TYPES] % 16 == 0 || !heedi_vk_present(&node->in[B_SCALE]))
        return HEED_OK;
    request->bindings[2] = (struct vk_binding){.storage = VK_STORAGE_NONE};
    const enum heed_status status =
        heedi_vk_pack(program, parts, 2, &request->bindings[2].storage, at, error);
    if (status == HEED_OK) {
        params->bias_offset = heedi_vk_offset_in_pack(parts[0], at[0]);
        params->scale_offset = heedi_vk_offset_in_pack(parts[1], at[1]);
    }
    return status;
}

enum heed_status heedi_vk_matmul_quantized(struct heed_plugin_program *program, uint32_t index,
                                           const struct heed_matmul_params *params,
                                           struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const uint32_t a = packs_rows(node, params) ? HEED_F32 : 0;
    struct heed_matmul_params push = *params;
    struct vk_request request = {.bindings = {[3] = heedi_vk_writes(&node->out[0])},
                                 .push = &push,
                                 .push_bytes = sizeof push};
    request.constants[HEED_MATMUL_TYPES] = a;
    enum heed_status status = heedi_vk_bind_quantized_bias(program, index, &push, &request, error);
    if (status == HEED_OK)
        status = heedi_vk_begin_quantized(program, index, index, &push, &request, error);
    /* (as in program.c: all pipelines are wanted, also without memory for what they bind) */
    const bool whole = status == HEED_ERROR_DEVICE_MEMORY && program->plugin->stats;
    const bool dot = heedi_vk_proven(program, VK_FORM_DOT);
    while ((status == HEED_OK || whole) &&
           heedi_vk_matmul_next(node, &push, &request.bindings[1])) {
        plan(node, &push, a, &request);
        request.shader = dot ? with_dot(request.shader) : request.shader;
        const enum heed_status multiplied = heedi_vk_dispatch(program, index, &request, error);
        status = status == HEED_OK ? multiplied : status;
    }
    return status;
}
