/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of tokens in one dispatch: a product with the vocabulary, and
 *   - argmax of it (or the indices of top_k) and the values of top_k of its log_softmax, as greedy
 *     search asks: neither reads the other's, and as logarithms ascend with what they are of, value
 *     i is that of index i;
 *   - top_k of its log_softmax, values and indices;
 *   - top_k of the product itself, values and indices.
 * The product is cut as it is alone and has its bits, so the same tokens are chosen, but in the
 * second chain where, at the end of what is chosen, logarithms of different elements are equal: the
 * greater element comes first there.
 *
 * The results, counters of the workgroups that have finished, and what these leave for the last one
 * share a room. */
#include "fuse.h"
#include "tune.h"

struct choice_params {
    struct heed_matmul_params product;
    struct heed_choice_params choice;
};
_Static_assert(sizeof(struct choice_params) == 112, "as GLSL lays it out");

/* A chain of nodes that is known here. */
struct chain {
    uint32_t nodes;
    uint32_t results; /* HEED_CHOICE_... */
    uint32_t k;
    const struct vk_tensor *indices, *values;
};

/* Mesa's device in software ends loops after 65,535 turns in all; those over the inner dimension,
 * over blocks of columns, and over what is chosen of them stay below together. */
enum { SOFTWARE_MAX_K = 2048, SOFTWARE_MAX_N = 1 << 18 };

void heedi_vk_choice_shape(uint32_t *constants) {
    constants[HEED_MATMUL_LANES] = 16;
    constants[HEED_MATMUL_COLUMNS] = 8; /* as many as lanes of a block in common/choice.glsl */
    constants[HEED_CONSTANT_WIDTH] = 16 * 8;
}

/* The form of a product's shader that goes on with the choice; false: it has none. */
static bool choosing(enum vk_shader *shader, bool *skinny) {
    *skinny = false;
    switch (*shader) {
    case VK_SHADER_MATMUL:
        *shader = VK_SHADER_MATMUL_CHOICE;
        return true;
    case VK_SHADER_MATMUL_QUANTIZED:
        *shader = VK_SHADER_MATMUL_QUANTIZED_CHOICE;
        return true;
    case VK_SHADER_MATMUL_SKINNY:
        *shader = VK_SHADER_MATMUL_SKINNY_CHOICE;
        break;
    case VK_SHADER_MATMUL_QUANTIZED_SKINNY:
        *shader = VK_SHADER_MATMUL_QUANTIZED_SKINNY_CHOICE;
        break;
    default:
        return false;
    }
    return *skinny = true;
}

/* Has the product end in a choice of k. */
static bool with_choice(struct vk_product *plan, uint32_t k) {
    bool skinny;
    plan->request.constants[HEED_MATMUL_CHOICE_K] = k;
    if (!choosing(&plan->request.shader, &skinny))
        return false;
    if (!skinny)
        return plan->columns % HEED_MATMUL_CHOICE_BLOCK == 0;
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

static uint64_t results_bytes(const struct vk_product *plan) {
    return 4 * (uint64_t)plan->params.m * plan->request.constants[HEED_MATMUL_CHOICE_K];
}

/* Where the values begin behind the indices. */
static uint64_t values_at(const struct heed_plugin_program *program,
                          const struct vk_product *plan) {
    const uint64_t align = heedi_vk_alignment(program->plugin);
    return (results_bytes(plan) + align - 1) / align * align;
}

/* Where counters and then what workgroups leave begin behind these. */
static uint64_t counters_at(const struct heed_plugin_program *program,
                            const struct vk_product *plan) {
    return values_at(program, plan) + results_bytes(plan);
}

/* Of all that lies in the room. */
static uint64_t room_bytes(const struct heed_plugin_program *program,
                           const struct vk_product *plan) {
    const bool many = plan->request.constants[HEED_MATMUL_CHOICE_K] > 1;
    const uint64_t row = 3 * (uint64_t)blocks(plan) + (many ? plan->params.n : 0);
    return counters_at(program, plan) + 4 * (counters(plan) + plan->params.m * row);
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

/* Finds log_softmax of `logits` and top_k of that. */
static const struct vk_node *best_of_logarithms(const struct heed_plugin_program *program,
                                                uint32_t first, const struct vk_tensor *logits) {
    const struct vk_node *nodes = &program->nodes[first];
    if (first + 2 > program->node_count || nodes[0].op != HEED_OP_LOG_SOFTMAX ||
        nodes[1].op != HEED_OP_TOP_K || !reads(&nodes[0].in[0], logits) ||
        !heedi_vk_is_inner(program, &nodes[0].out[0], first, first + 1) ||
        !reads(&nodes[1].in[0], &nodes[0].out[0]))
        return NULL;
    return &nodes[1];
}

/* Finds what follows the product at `first`. */
static bool find_chain(const struct heed_plugin_program *program, uint32_t first,
                       struct chain *chain) {
    const struct vk_node *nodes = &program->nodes[first], *best = NULL;
    const struct vk_tensor *logits = &nodes[0].out[0];
    if (first + 2 > program->node_count || nodes[0].op != HEED_OP_MATMUL)
        return false;
    const enum heed_op second = nodes[1].op;
    const bool chooses = second == HEED_OP_ARGMAX || second == HEED_OP_TOP_K;
    const uint32_t k = second == HEED_OP_TOP_K ? nodes[1].attrs.top_k.k : 1;
    if (chooses && reads(&nodes[1].in[0], logits))
        best = best_of_logarithms(program, first + 2, logits);
    if (best != NULL && best->attrs.top_k.k == k &&
        heedi_vk_is_inner(program, &best->out[1], first, first + 3) &&
        (second == HEED_OP_ARGMAX ||
         heedi_vk_is_inner(program, &nodes[1].out[0], first, first + 3)))
        *chain = (struct chain){.nodes = 4,
                                .results = HEED_CHOICE_WITH_LOGARITHMS,
                                .k = k,
                                .indices = &nodes[1].out[second == HEED_OP_TOP_K],
                                .values = &best->out[0]};
    else if ((best = best_of_logarithms(program, first + 1, logits)) != NULL)
        *chain = (struct chain){.nodes = 3,
                                .results = HEED_CHOICE_OF_LOGARITHMS,
                                .k = best->attrs.top_k.k,
                                .indices = &best->out[1],
                                .values = &best->out[0]};
    else if (second == HEED_OP_TOP_K && reads(&nodes[1].in[0], logits))
        *chain = (struct chain){.nodes = 2,
                                .results = HEED_CHOICE_ELEMENTS,
                                .k = k,
                                .indices = &nodes[1].out[1],
                                .values = &nodes[1].out[0]};
    else
        return false;
    return chain->k <= HEED_MATMUL_CHOICE_MOST &&
           heedi_vk_is_inner(program, logits, first, first + chain->nodes - 1) &&
           is_result(program, chain->indices) && is_result(program, chain->values);
}

static uint32_t match(const struct heed_plugin_program *program, uint32_t first) {
    const struct vk_node *product = &program->nodes[first];
    struct vk_product plan;
    struct chain chain;
    if (!find_chain(program, first, &chain) ||
        product->attrs.matmul.activation != HEED_ACTIVATION_NONE ||
        !heedi_vk_plan_products(product, 1, &plan) || !with_choice(&plan, chain.k) ||
        plan.params.batches != 1)
        return 0;
    if (program->plugin->device.software &&
        (plan.params.k > SOFTWARE_MAX_K || plan.params.n > SOFTWARE_MAX_N))
        return 0;
    return room_bytes(program, &plan) <= program->plugin->device.limits.range_bytes ? chain.nodes
                                                                                    : 0;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t first, uint32_t count,
                              struct heed_error *error) {
    const struct vk_node *product = &program->nodes[first];
    struct vk_product plan;
    struct vk_request *request = &plan.request;
    struct chain chain;
    if (!find_chain(program, first, &chain) || !heedi_vk_plan_products(product, 1, &plan) ||
        !with_choice(&plan, chain.k))
        return heedi_common_fail(error, HEED_ERROR_INTERNAL, "a choice is no longer one");
    const uint64_t at = values_at(program, &plan), counters_begin = counters_at(program, &plan);
    const uint32_t tail_bytes = (uint32_t)(room_bytes(program, &plan) - results_bytes(&plan));
    enum heed_status status =
        heedi_vk_make_room(program, &chain.indices, 1, first, tail_bytes, error);
    if (status == HEED_OK)
        status = heedi_vk_begin_product(program, first, first + count - 1, &plan, error);
    if (status == HEED_OK)
        status = heedi_vk_bind_bias(program, first, &plan, error);
    if (status != HEED_OK)
        return status;
    program->storages[chain.values->storage].offset_bytes =
        program->storages[chain.indices->storage].offset_bytes + (int64_t)at;
    const struct choice_params params = {
        .product = plan.params,
        .choice = {.index_offset = 0,
                   .value_offset = (uint32_t)(at / 4),
                   .counters_offset = (uint32_t)(counters_begin / 4),
                   .blocks_offset = (uint32_t)(counters_begin / 4 + counters(&plan)),
                   .results = chain.results},
    };
    request->bindings[1] = heedi_vk_reads(&product->in[VK_MATMUL_B]);
    request->bindings[3] = heedi_vk_writes(chain.indices);
    request->bindings[3].tail_bytes = tail_bytes;
    request->push = &params;
    request->push_bytes = sizeof params;
    return heedi_vk_dispatch(program, first + count - 1, request, error);
}

const struct vk_fusion heedi_vk_fuse_choice = {
    .name = "product and choice", .match = match, .makes_rooms = true, .build = build};
