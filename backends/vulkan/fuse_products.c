/* SPDX-License-Identifier: Apache-2.0 */
/* Products of one x with several weights, such as those that give q, k and v: their weights lie
 * side by side, and one dispatch has them as batches, with the bits that each has by itself. The
 * results lie side by side, too, in a room of their own. */
#include "fuse.h"

enum { A = VK_MATMUL_A, B = VK_MATMUL_B, BIAS = VK_MATMUL_BIAS, B_SCALE = VK_MATMUL_SCALE };
enum { MOST = 4, KINDS = 3 }; /* products; weights, biases, scales */
_Static_assert(KINDS *MOST <= VK_MAX_PARTS, "a group's constants are packed");

/* ---- for matching ---- */

/* All of a constant. */
static bool is_whole(const struct vk_tensor *tensor) {
    return heedi_vk_is_constant(tensor) && tensor->offset_elems == 0 &&
           heed_desc_contiguous(&tensor->desc) &&
           (uint64_t)heed_desc_elems(&tensor->desc) * heed_dtype_bytes(tensor->desc.dtype) ==
               tensor->owner_bytes;
}

static bool is_quantized(const struct vk_node *node) {
    return node->attrs.matmul.a_quantization != HEED_QUANTIZE_NONE;
}

/* Weights of the type that the product asks for, in whole segments of k if that is of 8 bits. */
static bool has_weights(const struct vk_node *node) {
    const struct vk_tensor *b = &node->in[B], *scale = &node->in[B_SCALE];
    if (b->desc.rank != 2 || b->desc.dims[0] % 8 != 0 || !is_whole(b))
        return false;
    if (!is_quantized(node))
        return heedi_vk_is_float(b) && !heedi_vk_present(scale);
    if (b->desc.dtype == HEED_Q8_0)
        return !heedi_vk_present(scale);
    return b->desc.dtype == HEED_I8 && b->desc.dims[1] % HEED_MATMUL_SEGMENT == 0 &&
           heedi_vk_has_dims(scale, 1, b->desc.dims) && scale->desc.dtype == HEED_F32 &&
           is_whole(scale);
}

/* y = x W^T + b, of an f32 x, all rows beginning on boundaries of 16 bytes. */
static bool is_product(const struct vk_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const struct vk_tensor *a = &node->in[A], *bias = &node->in[BIAS];
    if (node->op != HEED_OP_MATMUL || attrs->activation != HEED_ACTIVATION_NONE ||
        attrs->transpose_a != 0 || attrs->transpose_b == 0)
        return false;
    return a->role != HEED_ROLE_CONSTANT && a->role != HEED_ROLE_STATE &&
           a->desc.dtype == HEED_F32 && a->desc.rank == 2 && a->desc.dims[0] > 0 &&
           a->desc.dims[1] > 0 && a->desc.dims[1] % 8 == 0 && a->offset_elems % 4 == 0 &&
           heed_desc_contiguous(&a->desc) && has_weights(node) &&
           (!heedi_vk_present(bias) || (heedi_vk_is_float(bias) && is_whole(bias)));
}

static bool is_alike(const struct vk_node *first, const struct vk_node *node) {
    return is_product(node) && heedi_vk_is_same(&node->in[A], &first->in[A]) &&
           heedi_vk_has_dims(&node->in[A], 2, first->in[A].desc.dims) &&
           heedi_vk_has_dims(&node->in[B], 2, first->in[B].desc.dims) &&
           node->in[B].desc.dtype == first->in[B].desc.dtype &&
           heedi_vk_present(&node->in[BIAS]) == heedi_vk_present(&first->in[BIAS]) &&
           node->in[BIAS].desc.dtype == first->in[BIAS].desc.dtype;
}

uint32_t heedi_vk_products(const struct heed_plugin_program *program, uint32_t first,
                           uint32_t most) {
    const struct vk_node *nodes = &program->nodes[first];
    uint32_t count = 0;
    while (count < most && first + count < program->node_count &&
           (count == 0 ? is_product(nodes) : is_alike(nodes, &nodes[count])))
        count++;
    return count > 0 && heedi_vk_constants_fit(program, first, count) ? count : 0;
}

/* Whether results may lie side by side, each where a binding may begin. */
static bool can_move(const struct heed_plugin_program *program, const struct vk_tensor *y) {
    const uint64_t bytes = (uint64_t)heed_desc_elems(&y->desc) * heed_dtype_bytes(y->desc.dtype);
    const uint64_t align = program->plugin->device.limits.align_bytes;
    return y->role == HEED_ROLE_INTERNAL && y->offset_elems == 0 && bytes > 0 &&
           y->owner_bytes == bytes && bytes % 64 == 0 && bytes % align == 0 &&
           bytes * MOST <= program->plugin->device.limits.range_bytes;
}

static uint32_t match(const struct heed_plugin_program *program, uint32_t first) {
    const uint32_t count = heedi_vk_products(program, first, MOST);
    if (is_quantized(&program->nodes[first])) /* these are for attention's step alone */
        return 0;
    for (uint32_t i = 0; i < count; i++)
        if (!can_move(program, &program->nodes[first + i].out[0]))
            return 0;
    return count > 1 ? count : 0;
}

/* ---- building ---- */

enum heed_status heedi_vk_pack_products(struct heed_plugin_program *program, uint32_t first,
                                        uint32_t count, struct vk_packed *packed,
                                        struct heed_error *error) {
    static const uint32_t inputs[] = {B, BIAS, B_SCALE};
    const struct vk_node *nodes = &program->nodes[first];
    const struct vk_tensor *parts[KINDS * MOST];
    uint64_t offsets[KINDS * MOST];
    for (uint32_t kind = 0; kind < KINDS; kind++)
        for (uint32_t i = 0; i < count; i++)
            parts[kind * count + i] = &nodes[i].in[inputs[kind]];
    *packed = (struct vk_packed){0};
    const enum heed_status status =
        heedi_vk_pack(program, parts, KINDS * count, &packed->storage, offsets, error);
    if (status == HEED_OK && heedi_vk_present(&nodes->in[BIAS]))
        packed->bias_offset =
            (uint32_t)(offsets[count] / heed_dtype_bytes(nodes->in[BIAS].desc.dtype));
    if (status == HEED_OK && heedi_vk_present(&nodes->in[B_SCALE]))
        packed->scale_offset = (uint32_t)(offsets[2 * count] / sizeof(float));
    return status;
}

/* A storage for all results, which are moved into it. */
static enum heed_status place_results(struct heed_plugin_program *program, uint32_t first,
                                      uint32_t count, int32_t *storage, struct heed_error *error) {
    const struct vk_tensor *results[MOST];
    for (uint32_t i = 0; i < count; i++)
        results[i] = &program->nodes[first + i].out[0];
    const enum heed_status status = heedi_vk_make_room(program, results, count, first, 0, error);
    if (status != HEED_OK)
        return status;
    struct vk_storage all = program->storages[results[0]->storage];
    all.bytes *= count;
    return heedi_vk_add_storage(program, &all, storage, error);
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t first, uint32_t count,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[first];
    struct vk_product product;
    struct vk_packed packed;
    int32_t results = 0;
    (void)heedi_vk_plan_products(node, count, &product);
    enum heed_status status = place_results(program, first, count, &results, error);
    if (status == HEED_OK)
        status = heedi_vk_pack_products(program, first, count, &packed, error);
    if (status != HEED_OK)
        return status;
    product.params.bias_offset = packed.bias_offset;
    struct vk_request *request = &product.request;
    heedi_vk_matmul_coop(program, node, &product.params, request);
    request->bindings[0] = heedi_vk_reads(&node->in[A]);
    request->bindings[1] = (struct vk_binding){.storage = packed.storage};
    request->bindings[2] = (struct vk_binding){.storage = packed.storage};
    request->bindings[3] = (struct vk_binding){.storage = results, .writes = true};
    request->push = &product.params;
    request->push_bytes = sizeof product.params;
    return heedi_vk_dispatch(program, first + count - 1, request, error);
}

const struct vk_fusion heedi_vk_fuse_products = {
    .name = "products", .match = match, .makes_rooms = true, .build = build};
