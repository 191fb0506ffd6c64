/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask of their operands, whatever kernels a plugin has: types, attributes, ranks. */
#include "cpu.h"

const char *heedi_cpu_accept_float(const struct cpu_node *node) {
    if (!heedi_cpu_is_float(&node->in[0]) || !heedi_cpu_is_float(&node->out[0]))
        return "the input and the result must be of a float type";
    if (node->op == HEED_OP_GELU && node->attrs.gelu.tanh_form > 1)
        return "unknown form of gelu";
    return NULL;
}

const char *heedi_cpu_accept_binary(const struct cpu_node *node) {
    const struct cpu_tensor *a = &node->in[0], *b = &node->in[1], *y = &node->out[0];
    if (!heedi_cpu_present(b))
        return "the second input is missing";
    if (!(heedi_cpu_is_float(a) && heedi_cpu_is_float(b) && heedi_cpu_is_float(y)) &&
        !(a->desc.dtype == HEED_I32 && b->desc.dtype == HEED_I32 && y->desc.dtype == HEED_I32))
        return "the inputs must both be of a float type, or both i32";
    return NULL;
}

const char *heedi_cpu_accept_rows(const struct cpu_node *node) {
    if (node->in[0].desc.rank < 1)
        return "the input must have a dimension";
    return heedi_cpu_accept_float(node);
}

const char *heedi_cpu_accept_layer_norm(const struct cpu_node *node) {
    if (!heedi_cpu_is_float(&node->in[0]) || !heedi_cpu_is_float(&node->in[1]) ||
        !heedi_cpu_is_float(&node->in[2]) || !heedi_cpu_is_float(&node->out[0]))
        return "the inputs and the result must be of a float type";
    if (node->in[0].desc.rank < 1 || node->in[1].desc.rank != 1 || node->in[2].desc.rank != 1)
        return "gamma and beta must have one dimension and the input at least one";
    return NULL;
}

const char *heedi_cpu_accept_top_k(const struct cpu_node *node) {
    const struct heed_tensor_desc *x = &node->in[0].desc;
    if (!heedi_cpu_is_float(&node->in[0]) || x->rank < 1)
        return "the input must be of a float type and have a dimension";
    if (node->out[0].desc.dtype != x->dtype || !heedi_cpu_present(&node->out[1]) ||
        node->out[1].desc.dtype != HEED_I32)
        return "the results must be values of the input's type and i32 indices";
    if (node->attrs.top_k.k < 1 || node->attrs.top_k.k > (uint64_t)x->dims[x->rank - 1] ||
        x->dims[x->rank - 1] > INT32_MAX)
        return "k must be at least 1 and at most the last dimension";
    return NULL;
}
