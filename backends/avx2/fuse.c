/* SPDX-License-Identifier: Apache-2.0 */
/* Which neighbouring nodes are done together, by one kernel.
 *
 * - matmul, matmul, ... of one a by constant weights, such as the projections to queries, keys and
 *   values: one parallel loop over all their pieces, and rows are quantised once.
 * - add, layer_norm: the sum of a residual connection, which nobody else reads, is normalised row
 * by row while it is in the first cache.
 * - argmax, log_softmax, top_k of the same logits: log-probabilities are not written. A product
 * that makes the logits finds the greatest of each 32, and most of them need not be looked at
 * again.
 *
 * The memory plan knows nothing of steps: it lets a result take the place of what an earlier node
 * of the same step read last. Where that would harm, nodes stay apart. */
#include "matmul_i8.h"

/* Whether the two may share memory. */
static bool overlap(const struct heed_plugin_program *program, const struct cpu_tensor *x,
                    const struct cpu_tensor *y) {
    if (!heedi_cpu_present(x) || !heedi_cpu_present(y))
        return false;
    if (x->storage == y->storage)
        return true;
    const struct cpu_storage *a = &program->storages[x->storage];
    const struct cpu_storage *b = &program->storages[y->storage];
    return a->arena_offset_bytes >= 0 && b->arena_offset_bytes >= 0 &&
           a->arena_offset_bytes < b->arena_offset_bytes + b->bytes &&
           b->arena_offset_bytes < a->arena_offset_bytes + a->bytes;
}

/* Whether both begin at the same place of the arena. */
static bool coincide(const struct heed_plugin_program *program, const struct cpu_tensor *x,
                     const struct cpu_tensor *y) {
    const int64_t a = program->storages[x->storage].arena_offset_bytes;
    const int64_t b = program->storages[y->storage].arena_offset_bytes;
    return a >= 0 && b >= 0 && a + x->offset_bytes == b + y->offset_bytes;
}

/* Whether an output of a later node of the step may lie in what an earlier one reads. */
static bool harms(const struct heed_plugin_program *program, uint32_t first, uint32_t count) {
    for (uint32_t later = first + 1; later < first + count; later++)
        for (uint32_t i = 0; i < program->nodes[later].output_count; i++)
            for (uint32_t earlier = first; earlier < later; earlier++)
                for (uint32_t j = 0; j < program->nodes[earlier].input_count; j++)
                    if (overlap(program, &program->nodes[later].out[i],
                                &program->nodes[earlier].in[j]))
                        return true;
    return false;
}

/* Whether node `later` reads what an earlier one of the step writes. */
static bool depends(const struct heed_plugin_program *program, uint32_t first, uint32_t later) {
    for (uint32_t earlier = first; earlier < later; earlier++)
        for (uint32_t i = 0; i < program->nodes[later].input_count; i++)
            if (overlap(program, &program->nodes[earlier].out[0], &program->nodes[later].in[i]))
                return true;
    return false;
}

static bool same(const struct cpu_tensor *x, const struct cpu_tensor *y) {
    bool equal = x->storage == y->storage && x->offset_bytes == y->offset_bytes &&
                 x->desc.dtype == y->desc.dtype && x->desc.rank == y->desc.rank;
    for (uint32_t i = 0; equal && i < x->desc.rank; i++)
        equal = x->desc.dims[i] == y->desc.dims[i] &&
                (x->desc.dims[i] == 1 || x->desc.strides[i] == y->desc.strides[i]);
    return equal;
}

static bool same_dims(const struct heed_tensor_desc *x, const struct heed_tensor_desc *y) {
    bool equal = x->rank == y->rank;
    for (uint32_t i = 0; equal && i < x->rank; i++)
        equal = x->dims[i] == y->dims[i];
    return equal;
}

/* Whether `reader` is the only one to read `x`, which its input 0 is. */
static bool passed_on(const struct heed_plugin_program *program, const struct cpu_tensor *x,
                      const struct cpu_node *reader) {
    const struct cpu_storage *storage = &program->storages[x->storage];
    return same(x, &reader->in[0]) && storage->readers == 1 && storage->arena_offset_bytes >= 0;
}

static bool is_f32(const struct cpu_tensor *x) {
    return x->desc.dtype == HEED_F32;
}

/* The kernel for a group of products of which one is done by `kernel`; NULL: it is none such. */
static const struct cpu_kernel *group_kernel(const struct cpu_node *node) {
    const struct avx2_i8 *form = node->plugin->own;
    if (node->packed == NULL)
        return NULL;
    if (node->kernel == &heedi_avx2_kernels[AVX2_MATMUL])
        return &heedi_avx2_kernels[AVX2_MATMUL_GROUP];
    return node->kernel == form->i8 || node->kernel == form->q8_0 ? node->kernel : NULL;
}

/* Products of one a. */
static uint32_t count_products(const struct heed_plugin_program *program, uint32_t first) {
    const struct cpu_node *nodes = &program->nodes[first];
    uint32_t count = 1;
    while (count < CPU_MOST_FUSED && first + count < program->node_count &&
           nodes[count].kernel == nodes[0].kernel && nodes[count].packed != NULL &&
           same(&nodes[0].in[0], &nodes[count].in[0]) &&
           nodes[count].attrs.matmul.transpose_a == nodes[0].attrs.matmul.transpose_a &&
           !depends(program, first, first + count) && !harms(program, first, count + 1))
        count++;
    return count;
}

/* a + b and its normalisation: in rows that one loop can walk. */
static bool is_add_norm(const struct heed_plugin_program *program, uint32_t first) {
    const struct cpu_node *add = &program->nodes[first], *norm = add + 1;
    if (first + 1 >= program->node_count || add->kernel != &heedi_avx2_kernels[AVX2_ADD_F32] ||
        norm->kernel != &heedi_avx2_kernels[AVX2_LAYER_NORM] ||
        !passed_on(program, &add->out[0], norm) || !is_f32(&add->out[0]) || !is_f32(&norm->out[0]))
        return false;
    for (int i = 0; i < 2; i++)
        if (!is_f32(&add->in[i]) || !same_dims(&add->in[i].desc, &add->out[0].desc) ||
            !heed_desc_contiguous(&add->in[i].desc))
            return false;
    /* A row is read before it is written: y may lie on a or b, but not across them. */
    for (int i = 0; i < 2; i++)
        if (overlap(program, &add->in[i], &norm->out[0]) &&
            !coincide(program, &add->in[i], &norm->out[0]))
            return false;
    return true;
}

/* Whether argmax, log_softmax and top_k follow of the same logits. Results are written when all
 * logits have been read. */
static bool is_choice(const struct heed_plugin_program *program, uint32_t first) {
    const struct cpu_node *argmax = &program->nodes[first], *logs = argmax + 1, *best = argmax + 2;
    return first + 2 < program->node_count && argmax->kernel == &heedi_avx2_kernels[AVX2_ARGMAX] &&
           logs->kernel == &heedi_avx2_kernels[AVX2_LOG_SOFTMAX] &&
           best->kernel == &heedi_avx2_kernels[AVX2_TOP_K] && same(&argmax->in[0], &logs->in[0]) &&
           passed_on(program, &logs->out[0], best) && is_f32(&logs->in[0]) && is_f32(&logs->out[0]);
}

/* A product and the choice from it. The logits are written, so that others may read them too. */
static bool is_product_choice(const struct heed_plugin_program *program, uint32_t first) {
    const struct cpu_node *product = &program->nodes[first];
    return group_kernel(product) != NULL && is_choice(program, first + 1) &&
           same(&product->out[0], &product[1].in[0]);
}

struct cpu_step heedi_avx2_fuse(const struct heed_plugin_program *program, uint32_t first) {
    struct cpu_step step = {.first = first, .count = 1, .kernel = program->nodes[first].kernel};
    const struct cpu_kernel *group = group_kernel(&program->nodes[first]);
    if (group != NULL)
        step.count = count_products(program, first);
    if (step.count > 1) {
        step.kernel = group;
    } else if (is_product_choice(program, first)) {
        step.count = 4;
        step.kernel = group == &heedi_avx2_kernels[AVX2_MATMUL_GROUP]
                          ? &heedi_avx2_kernels[AVX2_MATMUL_CHOICE]
                          : group;
    } else if (is_add_norm(program, first)) {
        step.count = 2;
        step.kernel = &heedi_avx2_kernels[AVX2_ADD_NORM];
    } else if (is_choice(program, first)) {
        step.count = 3;
        step.kernel = &heedi_avx2_kernels[AVX2_CHOICE];
    }
    return step;
}
