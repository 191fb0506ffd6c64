/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes the plugin runs. Query and compile look at a node through the same function, so what
 * was claimed can be compiled. */
#include <string.h>

#include "avx512.h"

enum { A = 0, B = 1, BIAS = 2, B_SCALE = 3, INPUTS = 4 };

const char *heedi_avx512_tensor(const struct heed_subgraph *subgraph, int32_t index,
                                struct heed_subgraph_tensor *tensor) {
    if (index < 0 || (uint32_t)index >= subgraph->tensor_count)
        return "a tensor index is out of range";
    const struct heed_subgraph_tensor *given = heed_subgraph_tensor_at(subgraph, index);
    if (!heedi_avx512_read(tensor, sizeof *tensor, given, given->struct_size))
        return "a tensor holds a field that this version does not know";
    if (heed_dtype_bytes(tensor->desc.dtype) == 0)
        return "a tensor has an element type that this version does not know";
    if (tensor->desc.rank > HEED_MAX_RANK)
        return "a tensor has more dimensions than this version knows";
    if (tensor->storage < 0 || (uint32_t)tensor->storage >= subgraph->tensor_count)
        return "the storage of a tensor is out of range";
    return NULL;
}

struct reading {
    struct heed_matmul_attrs attrs;
    const char *name;
    struct heed_subgraph_tensor in[INPUTS], y;
    bool present[INPUTS];
};

static const char *read_node(const struct heed_subgraph *subgraph, uint32_t index,
                             struct reading *reading) {
    const struct heed_subgraph_node *entry = heed_subgraph_node_at(subgraph, index);
    struct heed_subgraph_node node;
    memset(reading, 0, sizeof *reading);
    if (!heedi_avx512_read(&node, sizeof node, entry, entry->struct_size))
        return "the node holds a field that this version does not know";
    if (node.op != HEED_OP_MATMUL)
        return "only products with quantised rows are run here";
    if (node.op_version != 1)
        return "unknown version of the operator";
    if (node.input_count > INPUTS || node.output_count != 1)
        return "more inputs or outputs than this version knows";
    if (node.attrs == NULL || node.attrs_size < sizeof(uint32_t))
        return "the attributes are missing";
    if (!heedi_avx512_read(&reading->attrs, sizeof reading->attrs, node.attrs, node.attrs_size))
        return "the attributes hold a field that this version does not know";
    reading->name = node.name != NULL ? node.name : "";
    for (uint32_t i = 0; i < node.input_count; i++) {
        reading->present[i] = node.inputs[i] >= 0;
        const char *reason = reading->present[i]
                                 ? heedi_avx512_tensor(subgraph, node.inputs[i], &reading->in[i])
                                 : NULL;
        if (reason != NULL)
            return reason;
        if (reading->present[i] && reading->in[i].role == HEED_ROLE_STATE)
            return "an operand is a state, which is not kept here";
    }
    if (!reading->present[A] || !reading->present[B])
        return "the first or second input is missing";
    return heedi_avx512_tensor(subgraph, node.outputs[0], &reading->y);
}

/* Whether a vector of f32 lies in one stretch. */
static bool is_line(const struct heed_subgraph_tensor *tensor) {
    return tensor->desc.dtype == HEED_F32 && tensor->desc.rank == 1 &&
           heed_desc_contiguous(&tensor->desc);
}

static const char *check(const struct reading *reading) {
    const struct heed_matmul_attrs *attrs = &reading->attrs;
    const struct heed_tensor_desc *a = &reading->in[A].desc, *b = &reading->in[B].desc;
    const bool blocks = b->dtype == HEED_Q8_0;
    if (attrs->a_quantization != HEED_QUANTIZE_ROWS || (!blocks && b->dtype != HEED_I8))
        return "only products with quantised rows by i8 and q8_0 are run here";
    if (attrs->activation != HEED_ACTIVATION_NONE && attrs->activation != HEED_ACTIVATION_RELU &&
        attrs->activation != HEED_ACTIVATION_SILU)
        return "of the activations, only relu and silu are known here";
    if (attrs->transpose_a != 0 || attrs->transpose_b > 1 || (blocks && attrs->transpose_b != 1))
        return "unknown way to transpose";
    if (a->dtype != HEED_F32 || reading->y.desc.dtype != HEED_F32)
        return "a and the result must be f32";
    if (a->rank < 2 || b->rank != 2 || reading->y.desc.rank != a->rank)
        return "a must have at least two dimensions, and b two";
    if (a->dims[a->rank - 1] > HEED_QUANTIZE_MAX_K)
        return "the inner dimension is too long";
    if (!heed_desc_contiguous(&reading->y.desc) ||
        (a->dims[a->rank - 1] > 1 && a->strides[a->rank - 1] != 1))
        return "the result, or a row of a, is not contiguous";
    if (blocks == reading->present[B_SCALE] ||
        (reading->present[B_SCALE] && !is_line(&reading->in[B_SCALE])) ||
        (reading->present[BIAS] && !is_line(&reading->in[BIAS])))
        return "scales and bias must be f32 in one stretch, with scales for an i8 b alone";
    return NULL;
}

/* b is packed once, so it has to be a constant; and whole, because the host keeps what is made of a
 * weight by the weight's name. As it is stored, or seen through a transpose. */
static const char *find_weight(const struct heed_subgraph *subgraph, const struct reading *reading,
                               struct avx512_product *product) {
    const struct heed_subgraph_tensor *b = &reading->in[B];
    struct heed_subgraph_tensor storage;
    const char *reason = heedi_avx512_tensor(subgraph, b->storage, &storage);
    if (reason != NULL)
        return reason;
    const struct heed_tensor_desc *whole = &storage.desc;
    if (storage.role != HEED_ROLE_CONSTANT || storage.weight_id == 0 || whole->rank != 2 ||
        b->offset_elems != 0 || !heed_desc_contiguous(whole) || heed_desc_elems(whole) == 0)
        return "b is no whole weight, which could be packed once";
    product->weight_id = storage.weight_id;
    for (int turned = 0; turned < 2; turned++) {
        const int row = turned, column = 1 - turned;
        if (b->desc.dims[row] == whole->dims[0] && b->desc.dims[column] == whole->dims[1] &&
            (b->desc.dims[row] == 1 || b->desc.strides[row] == whole->dims[1]) &&
            (b->desc.dims[column] == 1 || b->desc.strides[column] == 1)) {
            product->transposed = (reading->attrs.transpose_b != 0) != (turned != 0);
            return NULL;
        }
    }
    return "b is no whole weight, which could be packed once";
}

static struct avx512_operand operand_of(const struct reading *reading, int input) {
    const struct heed_subgraph_tensor *tensor = input < 0 ? &reading->y : &reading->in[input];
    if (input >= 0 && !reading->present[input])
        return (struct avx512_operand){.storage = -1};
    return (struct avx512_operand){.storage = tensor->storage,
                                   .offset_bytes = tensor->offset_elems *
                                                   (int64_t)heed_dtype_bytes(tensor->desc.dtype)};
}

size_t heedi_avx512_scratch_bytes(const struct avx512_product *product) {
    const int64_t rows = product->m < AVX512_ROWS ? product->m : AVX512_ROWS;
    const size_t row_bytes = (size_t)(product->k + AVX512_QUAD - 1) / AVX512_QUAD * AVX512_QUAD;
    return AVX512_ROWS * sizeof(float) + (size_t)rows * row_bytes; /* scales, rows */
}

const char *heedi_avx512_accept(const struct heed_subgraph *subgraph, uint32_t index,
                                struct avx512_product *product) {
    struct reading reading;
    memset(product, 0, sizeof *product);
    const char *reason = read_node(subgraph, index, &reading);
    if (reason == NULL)
        reason = check(&reading);
    if (reason == NULL)
        reason = find_weight(subgraph, &reading, product);
    if (reason != NULL)
        return reason;
    const struct heed_tensor_desc *y = &reading.y.desc;
    product->name = reading.name;
    product->activation = (enum heed_activation)reading.attrs.activation;
    product->blocks = reading.in[B].desc.dtype == HEED_Q8_0;
    product->a_desc = reading.in[A].desc;
    product->m = 1;
    for (uint32_t i = 0; i + 1 < y->rank; i++)
        product->m *= y->dims[i];
    product->n = y->dims[y->rank - 1];
    product->k = product->a_desc.dims[product->a_desc.rank - 1];
    product->a = operand_of(&reading, A);
    product->b_scale = operand_of(&reading, B_SCALE);
    product->bias = operand_of(&reading, BIAS);
    product->y = operand_of(&reading, -1);
    return NULL;
}
