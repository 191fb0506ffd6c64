/* SPDX-License-Identifier: Apache-2.0 */
/* Which products the plugin runs. */
#include "avx512.h"

/* Whether a vector of f32 is absent or lies in one stretch. */
static bool is_line(const struct cpu_tensor *tensor) {
    return !heedi_cpu_present(tensor) ||
           (tensor->desc.dtype == HEED_F32 && tensor->desc.rank == 1 &&
            heed_desc_contiguous(&tensor->desc));
}

static const char *accept(struct cpu_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const struct cpu_tensor *scale = &node->in[MATMUL_B_SCALE], *bias = &node->in[MATMUL_BIAS];
    const struct heed_tensor_desc *a = &node->in[MATMUL_A].desc, *b = &node->in[MATMUL_B].desc;
    const bool blocks = b->dtype == HEED_Q8_0;
    bool turned = false;
    if (attrs->a_quantization != HEED_QUANTIZE_ROWS || (!blocks && b->dtype != HEED_I8))
        return "only products with quantised rows by i8 and q8_0 are run here";
    if (attrs->activation != HEED_ACTIVATION_NONE && attrs->activation != HEED_ACTIVATION_RELU &&
        attrs->activation != HEED_ACTIVATION_SILU)
        return "of the activations, only relu and silu are known here";
    if (attrs->transpose_a != 0 || attrs->transpose_b > 1 || (blocks && attrs->transpose_b != 1))
        return "unknown way to transpose";
    if (a->dtype != HEED_F32 || node->out[0].desc.dtype != HEED_F32)
        return "a and the result must be f32";
    if (a->rank < 2 || b->rank != 2 || node->out[0].desc.rank != a->rank)
        return "a must have at least two dimensions, and b two";
    if (a->dims[a->rank - 1] > HEED_QUANTIZE_MAX_K)
        return "the inner dimension is too long";
    if (a->dims[a->rank - 1] > 1 && a->strides[a->rank - 1] != 1)
        return "a row of a is not contiguous";
    if (blocks == heedi_cpu_present(scale) || !is_line(scale) || !is_line(bias))
        return "scales and bias must be f32 in one stretch, with scales for an i8 b alone";
    if (!heedi_cpu_whole_weight(&node->in[MATMUL_B], &turned))
        return "b is no whole weight, which could be packed once";
    node->kernel = &heedi_avx512_kernels[blocks ? AVX512_MATMUL_Q8_0 : AVX512_MATMUL_I8];
    return NULL;
}

static enum heed_status prepare(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct cpu_node *node, struct heed_error *error) {
    const struct heed_tensor_desc *a = &node->in[MATMUL_A].desc;
    const struct heed_host *host = plugin->host;
    const int64_t m = heedi_cpu_rows(&node->out[0].desc), k = a->dims[a->rank - 1];
    const int64_t rows = m < AVX512_ROWS ? m : AVX512_ROWS;
    const size_t row_bytes = (size_t)(k + AVX512_QUAD - 1) / AVX512_QUAD * AVX512_QUAD;
    bool turned = false;
    void *object = NULL;
    (void)subgraph;
    (void)heedi_cpu_whole_weight(&node->in[MATMUL_B], &turned); /* as when it was accepted */
    struct avx512_packing packing = {host, (node->attrs.matmul.transpose_b != 0) != turned};
    node->scratch_bytes = AVX512_ROWS * sizeof(float) + (size_t)rows * row_bytes; /* scales, rows */
    const enum heed_status status = host->prepared_acquire(
        host->handle, node->in[MATMUL_B].weight_id,
        packing.transposed ? "i8_quad16_nk" : "i8_quad16_kn", heedi_avx512_pack,
        heedi_avx512_panels_destroy, &packing, 0, &node->prepared, &object, error);
    if (status == HEED_OK)
        node->packed = object;
    return status;
}

const struct cpu_operator heedi_avx512_matmul = {
    .attrs_size = sizeof(struct heed_matmul_attrs), .accept = accept, .prepare = prepare};
