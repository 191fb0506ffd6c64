/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows, HEED_QUANTIZE_ROWS: a dispatch that packs the rows of a into words,
 * and one that multiplies by an i8 or q8_0 b, four bytes at a time where the device has an
 * instruction for it. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_quantize_rows_params) == 52, "as in the shader");

enum { A = 0, B = 1, BIAS = 2, B_SCALE = 3 };

/* Up to so many rows, b is read once for all of them. */
enum { SKINNY_ROWS = 16 };

/* As in matmul.c; here a tile takes about 50 turns for 32 of k, and columns take few. */
enum { SOFTWARE_MAX_K = 32768 };

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

static enum heed_status quantize(struct heed_plugin_program *program, uint32_t index,
                                 const struct heed_matmul_params *matmul, uint32_t pitch,
                                 int32_t scratch, struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
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
    return heedi_vk_dispatch(program, index, &request, error);
}

/* HEED_MATMUL_ALONG: of q8_0, which has one layout, 0. */
static uint32_t along(const struct vk_node *node, const struct heed_matmul_params *params) {
    const uint32_t all = params->b_offset | params->b_n | params->b_batch[0] | params->b_batch[1];
    if (node->in[B].desc.dtype != HEED_I8 || params->b_k != 1 || all % 4 != 0)
        return 0;
    return all % 16 == 0 && params->k % HEED_MATMUL_SEGMENT == 0 ? 2 : 1;
}

/* Adds the dispatch for some columns. */
static enum heed_status multiply(struct heed_plugin_program *program, uint32_t index,
                                 const struct heed_matmul_params *params, int32_t scratch,
                                 const struct vk_binding *b, struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *bias = &node->in[BIAS];
    const bool dot = heedi_vk_proven(program, VK_FORM_DOT);
    struct vk_request request = {
        .bindings = {{.storage = scratch},
                     *b,
                     heedi_vk_reads(bias),
                     heedi_vk_writes(&node->out[0])},
        .push = params,
        .push_bytes = sizeof *params,
    };
    if (params->m <= SKINNY_ROWS) {
        request.shader =
            dot ? VK_SHADER_MATMUL_QUANTIZED_SKINNY_DOT : VK_SHADER_MATMUL_QUANTIZED_SKINNY;
        heedi_vk_matmul_columns(node, params, &request);
    } else {
        request.shader = dot ? VK_SHADER_MATMUL_QUANTIZED_DOT : VK_SHADER_MATMUL_QUANTIZED;
        heedi_vk_matmul_tiles(node, params, &request);
    }
    request.constants[HEED_MATMUL_TYPES] =
        16 * (uint32_t)node->in[B].desc.dtype +
        256 * (heedi_vk_present(bias) ? (uint32_t)bias->desc.dtype : 0);
    request.constants[HEED_MATMUL_ACTIVATION] = node->attrs.matmul.activation;
    request.constants[HEED_MATMUL_ALONG] = along(node, params);
    return heedi_vk_dispatch(program, index, &request, error);
}

enum heed_status heedi_vk_matmul_quantized(struct heed_plugin_program *program, uint32_t index,
                                           const struct heed_matmul_params *params,
                                           struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const uint32_t pitch = pitch_of(params->k);
    struct heed_matmul_params push = *params;
    int32_t scratch;
    enum heed_status status =
        heedi_vk_scratch(program, scratch_bytes(node, pitch), &scratch, error);
    if (status == HEED_OK)
        status = quantize(program, index, params, pitch, scratch, error);
    /* (as in program.c: all pipelines are wanted, also without memory for what they bind) */
    const bool whole = status == HEED_ERROR_DEVICE_MEMORY && program->plugin->stats;
    struct vk_binding b;
    push.a_row = pitch;
    while ((status == HEED_OK || whole) && heedi_vk_matmul_next(node, &push, &b)) {
        const enum heed_status multiplied = multiply(program, index, &push, scratch, &b, error);
        status = status == HEED_OK ? multiplied : status;
    }
    return status;
}
