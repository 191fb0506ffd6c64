/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Building graphs: tensors and operators, validated as they are added, then frozen.
 *
 * A graph is functional: every operator makes new tensors, and nothing is overwritten except state,
 * which goes from version to version (heed_graph_state, cache_append).
 *
 * Errors stick: after the first failure every further call on the graph returns the same status
 * without doing anything, and heed_graph_freeze() returns it too. So a builder may ignore the
 * results of single calls and look once at the end. The message names operator, node, tensor, and
 * expected and actual shapes.
 *
 * Thread rule: a graph being built belongs to the thread of its context. A frozen graph is
 * immutable and may be compiled from any thread. */
#ifndef HEED_GRAPH_H
#define HEED_GRAPH_H

#include "heed/ops.h"
#include "heed/status.h"
#include "heed/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct heed_graph;

/** Index of a tensor in its graph. */
typedef int32_t heed_tensor;
#define HEED_NO_TENSOR ((heed_tensor)-1)

/** Creates an empty graph. `name` is copied and used in messages and profiles. The context must
 * outlive the building (until freeze). The caller owns one reference. */
HEED_API enum heed_status heed_graph_create(struct heed_context *context, const char *name,
                                            struct heed_graph **graph);
/** Adds a reference to a frozen graph. Any thread. */
HEED_API struct heed_graph *heed_graph_retain(struct heed_graph *graph);
/** Drops a reference; NULL is allowed. */
HEED_API void heed_graph_release(struct heed_graph *graph);

/** A tensor that the caller fills before each run; contiguous, dims fixed. `name` is unique among
 * inputs. `bound`: for i32 tensors whose values are lengths, positions or ids, a declared exclusive
 * upper bound of the values (a hint for planning, not checked); 0: none. */
HEED_API enum heed_status heed_graph_input(struct heed_graph *graph, const char *name,
                                           enum heed_dtype dtype, uint32_t rank,
                                           const int64_t *dims, int64_t bound, heed_tensor *tensor);

/** A constant. The graph holds a reference to the weight. */
HEED_API enum heed_status heed_graph_constant(struct heed_graph *graph, struct heed_weight *weight,
                                              heed_tensor *tensor);

/** Memory that survives runs and may be shared by several graphs (a key/value cache): the first
 * version token. Bound to a heed_state object by name before running (heed/executor.h). Contiguous,
 * `name` unique among states. */
HEED_API enum heed_status heed_graph_state(struct heed_graph *graph, const char *name,
                                           enum heed_dtype dtype, uint32_t rank,
                                           const int64_t *dims, heed_tensor *tensor);

/** Adds any operator. `inputs` has `input_count` entries, HEED_NO_TENSOR for an absent optional
 * one. `attrs` points to the operator's attribute block (NULL where it has none); it is copied.
 * `name` may be NULL ("matmul.7" is made up). `outputs` has room for all outputs of the operator.
 */
HEED_API enum heed_status heed_graph_add(struct heed_graph *graph, enum heed_op op,
                                         const char *name, const heed_tensor *inputs,
                                         uint32_t input_count, const void *attrs,
                                         heed_tensor *outputs);

/** Marks a tensor as a result that the caller reads after a run, under `name` (unique among
 * outputs). A view is made contiguous by a copy. */
HEED_API enum heed_status heed_graph_output(struct heed_graph *graph, const char *name,
                                            heed_tensor tensor);

/** Ends the building: what reaches no output and no state is dropped; the graph becomes immutable.
 */
HEED_API enum heed_status heed_graph_freeze(struct heed_graph *graph);

/** Description of a tensor; fails with HEED_ERROR_INVALID_ARGUMENT for an unknown index. */
HEED_API enum heed_status heed_graph_tensor_desc(const struct heed_graph *graph, heed_tensor tensor,
                                                 struct heed_tensor_desc *desc);

/** Prefixes the names of nodes added from now on ("encoder.0."); copied; NULL or "" for none. */
HEED_API void heed_graph_scope(struct heed_graph *graph, const char *prefix);

/* Convenience: one function per operator, in terms of heed_graph_add(). An optional tensor may be
 * HEED_NO_TENSOR, `name` may be NULL. */

/** y = act(x w^T + bias): x [..., m, k], weight [n, k], bias [n] or none. */
HEED_API enum heed_status heed_graph_linear(struct heed_graph *graph, const char *name,
                                            heed_tensor x, heed_tensor weight, heed_tensor bias,
                                            enum heed_activation activation, heed_tensor *y);
/** The same with the rows of x quantised on the fly (HEED_QUANTIZE_ROWS): weight i8 [n, k] with
 * weight_scale f32 [n], or q8_0 [n, k / 32] without. */
HEED_API enum heed_status heed_graph_quantized_linear(struct heed_graph *graph, const char *name,
                                                      heed_tensor x, heed_tensor weight,
                                                      heed_tensor weight_scale, heed_tensor bias,
                                                      enum heed_activation activation,
                                                      heed_tensor *y);
HEED_API enum heed_status heed_graph_matmul(struct heed_graph *graph, const char *name,
                                            heed_tensor a, heed_tensor b,
                                            const struct heed_matmul_attrs *attrs, heed_tensor *y);
/** `inputs` in the order of HEED_ATTENTION_*; `weights` may be NULL unless attrs->return_weights.
 */
HEED_API enum heed_status heed_graph_attention(struct heed_graph *graph, const char *name,
                                               const heed_tensor inputs[HEED_ATTENTION_INPUTS],
                                               const struct heed_attention_attrs *attrs,
                                               heed_tensor *y, heed_tensor *weights);
HEED_API enum heed_status heed_graph_layer_norm(struct heed_graph *graph, const char *name,
                                                heed_tensor x, heed_tensor gamma, heed_tensor beta,
                                                float eps, heed_tensor *y);
/** Operators without attributes and with one input: softmax, log_softmax, relu, silu, tanh,
 * sigmoid, copy, argmax. */
HEED_API enum heed_status heed_graph_unary(struct heed_graph *graph, enum heed_op op,
                                           const char *name, heed_tensor x, heed_tensor *y);
/** Operators without attributes and with two inputs: add, mul, gather_rows. */
HEED_API enum heed_status heed_graph_binary(struct heed_graph *graph, enum heed_op op,
                                            const char *name, heed_tensor a, heed_tensor b,
                                            heed_tensor *y);
HEED_API enum heed_status heed_graph_gelu(struct heed_graph *graph, const char *name, heed_tensor x,
                                          int tanh_form, heed_tensor *y);
HEED_API enum heed_status heed_graph_scale(struct heed_graph *graph, const char *name,
                                           heed_tensor x, float factor, heed_tensor *y);
HEED_API enum heed_status heed_graph_embedding(struct heed_graph *graph, const char *name,
                                               heed_tensor table, heed_tensor ids, heed_tensor *y);
/** The same of an i8 table with its rows' scales. */
HEED_API enum heed_status heed_graph_scaled_embedding(struct heed_graph *graph, const char *name,
                                                      heed_tensor table, heed_tensor table_scale,
                                                      heed_tensor ids, heed_tensor *y);
HEED_API enum heed_status heed_graph_positions(struct heed_graph *graph, const char *name,
                                               heed_tensor positions,
                                               const struct heed_positions_attrs *attrs,
                                               heed_tensor *y);
HEED_API enum heed_status heed_graph_concat(struct heed_graph *graph, const char *name,
                                            const heed_tensor *inputs, uint32_t count,
                                            uint32_t axis, heed_tensor *y);
/** `start` and `size` have one entry per dimension of x; step 1. */
HEED_API enum heed_status heed_graph_slice(struct heed_graph *graph, const char *name,
                                           heed_tensor x, const int64_t *start, const int64_t *size,
                                           heed_tensor *y);
/** `perm` has one entry per dimension of x. */
HEED_API enum heed_status heed_graph_transpose(struct heed_graph *graph, const char *name,
                                               heed_tensor x, const uint32_t *perm, heed_tensor *y);
HEED_API enum heed_status heed_graph_reshape(struct heed_graph *graph, const char *name,
                                             heed_tensor x, uint32_t rank, const int64_t *dims,
                                             heed_tensor *y);
HEED_API enum heed_status heed_graph_broadcast(struct heed_graph *graph, const char *name,
                                               heed_tensor x, uint32_t rank, const int64_t *dims,
                                               heed_tensor *y);
HEED_API enum heed_status heed_graph_cast(struct heed_graph *graph, const char *name, heed_tensor x,
                                          enum heed_dtype dtype, heed_tensor *y);
HEED_API enum heed_status heed_graph_top_k(struct heed_graph *graph, const char *name,
                                           heed_tensor x, uint32_t k, heed_tensor *values,
                                           heed_tensor *indices);
/** `row` may be HEED_NO_TENSOR. `next` is the state's new version token. */
HEED_API enum heed_status heed_graph_cache_append(struct heed_graph *graph, const char *name,
                                                  heed_tensor state, heed_tensor x,
                                                  heed_tensor position, heed_tensor row,
                                                  heed_tensor *next);
/** `rows` is i32 [HEED_ROWS_COUNT, b], `chosen` i32 [b]. */
HEED_API enum heed_status heed_graph_advance(struct heed_graph *graph, const char *name,
                                             heed_tensor rows, heed_tensor chosen, int32_t eos,
                                             uint32_t capacity, heed_tensor *next);

#ifdef __cplusplus
}
#endif
#endif
