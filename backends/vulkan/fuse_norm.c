/* SPDX-License-Identifier: Apache-2.0 */
/* matmul, add and layer_norm in one dispatch: y = layer_norm(a b + bias + residual), as the
 * sublayers of a Transformer end (Vaswani et al. 2017, sec. 3.1).
 *
 * The product is cut as it is alone, and keeps its bits. Its weights, bias, gamma and beta are
 * packed, so that four bindings do; y has a room of its own with a counter for each row of tiles
 * behind it, by which the last workgroup of the row knows that it is the last (shaders/common). */
#include "fuse.h"

struct norm_params {
    struct heed_matmul_params product;
    struct heed_norm_params norm;
};
_Static_assert(sizeof(struct norm_params) == 112, "as GLSL lays it out");

enum { PRODUCT = 0, SUM = 1, NORM = 2, NODES = 3 };

/* Mesa's device in software ends loops after 65,535 turns in all; those over k and those over a
 * tile's rows, with a sixteenth of n for each, stay below together. */
enum { SOFTWARE_MAX_K = 8192, SOFTWARE_MAX_N = 4096 };

/* The form of a product's shader that goes on with residual and norm; false: it has none. */
static bool with_norm(enum vk_shader *shader) {
    switch (*shader) {
    case VK_SHADER_MATMUL:
        *shader = VK_SHADER_MATMUL_NORM;
        return true;
    case VK_SHADER_MATMUL_SKINNY:
        *shader = VK_SHADER_MATMUL_SKINNY_NORM;
        return true;
    case VK_SHADER_MATMUL_QUANTIZED:
        *shader = VK_SHADER_MATMUL_QUANTIZED_NORM;
        return true;
    case VK_SHADER_MATMUL_QUANTIZED_SKINNY:
        *shader = VK_SHADER_MATMUL_QUANTIZED_SKINNY_NORM;
        return true;
    default:
        return false;
    }
}

/* The operand of the sum that is not the product, NULL: the sum is another. */
static const struct vk_tensor *residual_of(const struct vk_node *product,
                                           const struct vk_node *sum) {
    for (uint32_t i = 0; i < 2; i++)
        if (sum->in[i].storage == product->out[0].storage &&
            sum->in[1 - i].storage != product->out[0].storage)
            return &sum->in[1 - i];
    return NULL;
}

/* Whether x has the elements of y in the same order, whatever its dimensions are. */
static bool is_like(const struct vk_tensor *x, const struct vk_tensor *y) {
    return heedi_vk_present(x) && x->desc.dtype == y->desc.dtype &&
           heed_desc_contiguous(&x->desc) && heed_desc_elems(&x->desc) == heed_desc_elems(&y->desc);
}

static bool is_vector(const struct vk_tensor *tensor) {
    return heedi_vk_is_constant(tensor) && heed_desc_contiguous(&tensor->desc);
}

static uint64_t counters(const struct vk_product *product) {
    return (product->params.m + product->rows - 1) / product->rows;
}

/* Operands and sizes, once the nodes are known to be the right ones. */
static bool fits(const struct heed_plugin_program *program, const struct vk_node *nodes) {
    const struct vk_node *product = &nodes[PRODUCT], *norm = &nodes[NORM];
    const struct vk_tensor *residual = residual_of(product, &nodes[SUM]), *y = &norm->out[0];
    const struct vk_tensor *bias = &product->in[VK_MATMUL_BIAS];
    const struct vk_tensor *scale = &product->in[VK_MATMUL_SCALE];
    struct vk_product plan;
    if (residual == NULL || !is_like(residual, y) || !is_like(&product->out[0], y) ||
        !is_like(&nodes[SUM].out[0], y) || y->desc.dtype != HEED_F32 ||
        norm->in[0].storage != nodes[SUM].out[0].storage ||
        !heed_desc_contiguous(&norm->in[0].desc) || !is_vector(&norm->in[1]) ||
        !is_vector(&norm->in[2]) || !heedi_vk_is_constant(&product->in[VK_MATMUL_B]) ||
        (heedi_vk_present(bias) && !heedi_vk_is_constant(bias)) ||
        (heedi_vk_present(scale) && !heedi_vk_is_constant(scale)) ||
        product->attrs.matmul.activation != HEED_ACTIVATION_NONE ||
        !heedi_vk_plan_products(product, 1, &plan) ||
        heedi_vk_coop_takes(program, product, &plan.params))
        return false;
    return with_norm(&plan.request.shader) && plan.params.batches == 1 &&
           plan.params.n == (uint32_t)y->desc.dims[y->desc.rank - 1] &&
           (!program->plugin->device.software ||
            (plan.params.k <= SOFTWARE_MAX_K && plan.params.n <= SOFTWARE_MAX_N)) &&
           program->storages[y->storage].bytes + 4 * counters(&plan) <=
               program->plugin->device.limits.range_bytes;
}

static uint32_t match(const struct heed_plugin_program *program, uint32_t first) {
    const struct vk_node *nodes = &program->nodes[first];
    const uint32_t last = first + NORM;
    if (last >= program->node_count || nodes[PRODUCT].op != HEED_OP_MATMUL ||
        nodes[SUM].op != HEED_OP_ADD || nodes[NORM].op != HEED_OP_LAYER_NORM ||
        !heedi_vk_is_inner(program, &nodes[PRODUCT].out[0], first, last) ||
        !heedi_vk_is_inner(program, &nodes[SUM].out[0], first, last))
        return 0;
    return fits(program, nodes) ? NODES : 0;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t first, uint32_t count,
                              struct heed_error *error) {
    const struct vk_node *nodes = &program->nodes[first];
    const struct vk_tensor *residual = residual_of(&nodes[PRODUCT], &nodes[SUM]);
    const struct vk_tensor *y = &nodes[NORM].out[0];
    const struct vk_tensor *const parts[] = {
        &nodes[PRODUCT].in[VK_MATMUL_B], &nodes[PRODUCT].in[VK_MATMUL_BIAS],
        &nodes[PRODUCT].in[VK_MATMUL_SCALE], &nodes[NORM].in[1], &nodes[NORM].in[2]};
    enum { PARTS = sizeof parts / sizeof *parts };
    uint64_t at[PARTS];
    int32_t packed = -1;
    struct vk_product plan;
    (void)heedi_vk_plan_products(&nodes[PRODUCT], 1, &plan);
    struct vk_request *request = &plan.request;
    const uint32_t last = first + count - 1, tail_bytes = (uint32_t)(4 * counters(&plan));
    with_norm(&request->shader);
    enum heed_status status = heedi_vk_make_room(program, &y, 1, first, tail_bytes, error);
    if (status == HEED_OK)
        status = heedi_vk_pack(program, parts, PARTS, &packed, at, error);
    if (status == HEED_OK)
        status = heedi_vk_begin_product(program, first, last, &plan, error);
    if (status != HEED_OK)
        return status;
    struct norm_params params = {.product = plan.params};
    params.product.b_offset = heedi_vk_offset_in_pack(parts[0], at[0]);
    params.product.bias_offset = heedi_vk_offset_in_pack(parts[1], at[1]);
    params.product.scale_offset = heedi_vk_offset_in_pack(parts[2], at[2]);
    params.product.y_offset = (uint32_t)y->offset_elems;
    params.norm.residual_offset = (uint32_t)residual->offset_elems;
    params.norm.gamma_offset = heedi_vk_offset_in_pack(parts[3], at[3]);
    params.norm.beta_offset = heedi_vk_offset_in_pack(parts[4], at[4]);
    params.norm.counters_offset = (uint32_t)(program->storages[y->storage].bytes / 4);
    params.norm.eps = nodes[NORM].attrs.layer_norm.eps;
    request->constants[HEED_MATMUL_NORM_TYPES] =
        (uint32_t)parts[3]->desc.dtype + 16 * (uint32_t)parts[4]->desc.dtype;
    request->bindings[1] = (struct vk_binding){.storage = packed};
    request->bindings[2] = heedi_vk_reads(residual);
    request->bindings[3] = heedi_vk_writes(y);
    request->bindings[3].tail_bytes = tail_bytes;
    request->push = &params;
    request->push_bytes = sizeof params;
    return heedi_vk_dispatch(program, last, request, error);
}

const struct vk_fusion heedi_vk_fuse_norm = {
    .name = "product, residual and norm", .match = match, .makes_rooms = true, .build = build};
