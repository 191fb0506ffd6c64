/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of a token in one dispatch: a product with the vocabulary, argmax of it, and the
 * greatest of its log_softmax (top_k with k = 1, whose index nobody reads). The product, a row of
 * the vocabulary's size for each row, is not written; it is cut as it is alone and has its bits, so
 * the same token is chosen.
 *
 * The results, counters of the workgroups that have finished, and what these leave for the last one
 * share a room. */
#include "fuse.h"
#include "tune.h"

struct choice_params {
    struct heed_matmul_params product;
    struct heed_choice_params choice;
};
_Static_assert(sizeof(struct choice_params) == 108, "as GLSL lays it out");

enum { PRODUCT = 0, ARGMAX = 1, LOGARITHM = 2, BEST = 3, NODES = 4 };

/* Mesa's device in software ends loops after 65,535 turns in all; those over k and those over
 * blocks of columns stay below together. */
enum { SOFTWARE_MAX_K = 2048, SOFTWARE_MAX_N = 1 << 18 };

void heedi_vk_choice_shape(uint32_t *constants) {
    constants[HEED_MATMUL_LANES] = 16;
    constants[HEED_MATMUL_COLUMNS] = 8; /* as many as lanes of a block in common/choice.glsl */
    constants[HEED_CONSTANT_WIDTH] = 16 * 8;
}

static bool with_choice(struct vk_product *plan) {
    if (plan->request.shader == VK_SHADER_MATMUL && plan->columns % HEED_MATMUL_CHOICE_BLOCK == 0) {
        plan->request.shader = VK_SHADER_MATMUL_CHOICE;
        return true;
    }
    if (plan->request.shader != VK_SHADER_MATMUL_SKINNY)
        return false;
    plan->request.shader = VK_SHADER_MATMUL_SKINNY_CHOICE;
    heedi_vk_choice_shape(plan->request.constants); /* whatever the device was tuned to */
    plan->columns = HEED_MATMUL_CHOICE_BLOCK;
    plan->request.groups = (plan->params.n + plan->columns - 1) / plan->columns;
    return true;
}

static uint32_t blocks(const struct vk_product *plan) {
    return (plan->params.n + HEED_MATMUL_CHOICE_BLOCK - 1) / HEED_MATMUL_CHOICE_BLOCK;
}

static uint64_t counters(const struct vk_product *plan) {
    return (plan->params.m + plan->rows - 1) / plan->rows;
}

/* Where the logarithms begin behind the indices. */
static uint64_t logarithms_at(const struct heed_plugin_program *program,
                              const struct vk_product *plan) {
    const uint64_t align = heedi_vk_alignment(program->plugin);
    return (4 * (uint64_t)plan->params.m + align - 1) / align * align;
}

/* Where counters and then blocks' choices begin behind these. */
static uint64_t counters_at(const struct heed_plugin_program *program,
                            const struct vk_product *plan) {
    return logarithms_at(program, plan) + 4 * (uint64_t)plan->params.m;
}

/* Of all that lies in the room. */
static uint64_t room_bytes(const struct heed_plugin_program *program,
                           const struct vk_product *plan) {
    return counters_at(program, plan) +
           4 * (counters(plan) + 3 * (uint64_t)plan->params.m * blocks(plan));
}

/* Whether x is all of what y holds. */
static bool reads(const struct vk_tensor *x, const struct vk_tensor *y) {
    return x->storage == y->storage && heed_desc_contiguous(&x->desc) &&
           heed_desc_elems(&x->desc) == heed_desc_elems(&y->desc) &&
           x->desc.dims[x->desc.rank - 1] == y->desc.dims[y->desc.rank - 1];
}

/* Whether it is a storage of the sub-graph's results, whose room is given to no other. */
static bool is_result(const struct heed_plugin_program *program, const struct vk_tensor *tensor) {
    return program->storages[tensor->storage].role == HEED_ROLE_OUTPUT &&
           tensor->offset_elems == 0 &&
           program->storages[tensor->storage].bytes == 4 * (uint64_t)heed_desc_elems(&tensor->desc);
}

static uint32_t match(const struct heed_plugin_program *program, uint32_t first) {
    const struct vk_node *nodes = &program->nodes[first];
    const struct vk_tensor *logits = &nodes[PRODUCT].out[0];
    const struct vk_limits *limits = &program->plugin->device.limits;
    const uint32_t last = first + BEST;
    struct vk_product plan;
    if (last >= program->node_count || nodes[PRODUCT].op != HEED_OP_MATMUL ||
        nodes[ARGMAX].op != HEED_OP_ARGMAX || nodes[LOGARITHM].op != HEED_OP_LOG_SOFTMAX ||
        nodes[BEST].op != HEED_OP_TOP_K || nodes[BEST].attrs.top_k.k != 1 ||
        nodes[PRODUCT].attrs.matmul.activation != HEED_ACTIVATION_NONE ||
        !heedi_vk_is_inner(program, logits, first, last) ||
        !heedi_vk_is_inner(program, &nodes[LOGARITHM].out[0], first, last) ||
        !heedi_vk_is_inner(program, &nodes[BEST].out[1], first, last) ||
        !reads(&nodes[ARGMAX].in[0], logits) || !reads(&nodes[LOGARITHM].in[0], logits) ||
        !reads(&nodes[BEST].in[0], &nodes[LOGARITHM].out[0]) ||
        !is_result(program, &nodes[ARGMAX].out[0]) || !is_result(program, &nodes[BEST].out[0]) ||
        !heedi_vk_plan_products(&nodes[PRODUCT], 1, &plan) || !with_choice(&plan) ||
        plan.params.batches != 1)
        return 0;
    if (program->plugin->device.software &&
        (plan.params.k > SOFTWARE_MAX_K || plan.params.n > SOFTWARE_MAX_N))
        return 0;
    return room_bytes(program, &plan) <= limits->range_bytes ? NODES : 0;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t first, uint32_t count,
                              struct heed_error *error) {
    const struct vk_node *nodes = &program->nodes[first];
    const struct vk_tensor *indices = &nodes[ARGMAX].out[0], *logarithms = &nodes[BEST].out[0];
    struct vk_product plan;
    struct vk_request *request = &plan.request;
    (void)heedi_vk_plan_products(&nodes[PRODUCT], 1, &plan);
    (void)with_choice(&plan);
    const uint64_t at = logarithms_at(program, &plan), counters_begin = counters_at(program, &plan);
    const uint32_t tail_bytes =
        (uint32_t)(room_bytes(program, &plan) - 4 * (uint64_t)plan.params.m);
    const enum heed_status status =
        heedi_vk_make_room(program, &indices, 1, first, tail_bytes, error);
    if (status != HEED_OK)
        return status;
    program->storages[logarithms->storage].offset_bytes =
        program->storages[indices->storage].offset_bytes + (int64_t)at;
    const struct choice_params params = {
        .product = plan.params,
        .choice = {.index_offset = 0,
                   .log_offset = (uint32_t)(at / 4),
                   .counters_offset = (uint32_t)(counters_begin / 4),
                   .blocks_offset = (uint32_t)(counters_begin / 4 + counters(&plan))},
    };
    request->bindings[0] = heedi_vk_reads(&nodes[PRODUCT].in[VK_MATMUL_A]);
    request->bindings[1] = heedi_vk_reads(&nodes[PRODUCT].in[VK_MATMUL_B]);
    request->bindings[2] = heedi_vk_reads(&nodes[PRODUCT].in[VK_MATMUL_BIAS]);
    request->bindings[3] = heedi_vk_writes(indices);
    request->bindings[3].tail_bytes = tail_bytes;
    request->push = &params;
    request->push_bytes = sizeof params;
    return heedi_vk_dispatch(program, first + count - 1, request, error);
}

const struct vk_fusion heedi_vk_fuse_choice = {
    .name = "product and choice", .match = match, .makes_rooms = true, .build = build};
