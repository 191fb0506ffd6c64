/* SPDX-License-Identifier: Apache-2.0 */
/* What every plugin of this tree writes alike, each with a copy of its own: talking to the host,
 * and reading the structs of heed/backend.h as that header asks for. No plugin itself.
 *
 * Thread rule: nothing here keeps anything; any thread. */
#ifndef HEEDI_COMMON_COMMON_H
#define HEEDI_COMMON_COMMON_H

#include <stdbool.h>

#include "heed/backend.h"

/* ---- host.c ---- */

/* Fills *error and returns `status`. The host says which backend a message is of. */
enum heed_status heedi_common_fail(struct heed_error *error, enum heed_status status,
                                   const char *format, ...);
/* Copies a struct that its giver says is `source_bytes` long into `target`, zero-filled where the
 * giver's is shorter. False if it is longer with bytes that are not zero: an unknown demand. */
bool heedi_common_read(void *target, size_t target_bytes, const void *source, size_t source_bytes);
/* Zero-filled memory of the host, aligned to 64 bytes; NULL on failure or overflow. */
void *heedi_common_calloc(const struct heed_host *host, size_t count, size_t bytes);
/* NULL is allowed. */
void heedi_common_free(const struct heed_host *host, void *memory);

/* ---- subgraph.c ---- */

/* The fixed part of a sub-graph, refused where it holds what this version cannot know. */
enum heed_status heedi_common_subgraph(struct heed_subgraph *known,
                                       const struct heed_subgraph *subgraph,
                                       struct heed_error *error);
/* Entry `index` of a sub-graph's tensors. NULL, or what is wrong with it. */
const char *heedi_common_tensor(const struct heed_subgraph *subgraph, int32_t index,
                                struct heed_subgraph_tensor *tensor);
/* The same when compiling, with no more of binding, arena_offset_bytes and data than says where the
 * tensor's memory comes from: a binding or a stretch of the arena that exists, or a constant. A
 * view has none of them. */
enum heed_status heedi_common_storage(const struct heed_subgraph *subgraph, uint32_t index,
                                      struct heed_subgraph_tensor *tensor,
                                      struct heed_error *error);
/* Fails where a node reads or writes a tensor without memory. */
enum heed_status heedi_common_check_storages(const struct heed_subgraph *subgraph,
                                             struct heed_error *error);
/* The attributes of a node that was read, of an operator that has `bytes` of them (0: none), and
 * zeros behind them. NULL, or what is wrong with them. */
const char *heedi_common_attrs(union heed_op_attrs *attrs, uint32_t bytes,
                               const struct heed_subgraph_node *node);

/* NULL if the plugin runs entry `index` of a sub-graph's nodes, which `given` is, else why not;
 * *contiguous: bit i, input i must be made so. Fills in that node of `program`, which may be NULL.
 * The node has a first input and a first output, and outputs are contiguous (states excepted). */
typedef const char *(*heedi_common_accept_fn)(const struct heed_plugin *plugin,
                                              const struct heed_subgraph *subgraph, uint32_t index,
                                              const struct heed_subgraph_node *given,
                                              struct heed_plugin_program *program,
                                              uint32_t *contiguous);
/* The plugin's `query`. */
enum heed_status heedi_common_query(const struct heed_plugin *plugin,
                                    const struct heed_subgraph *subgraph, struct heed_claim *claims,
                                    size_t stride, heedi_common_accept_fn accept,
                                    struct heed_error *error);
/* The first part of its `compile`: all nodes of a sub-graph that was read. */
enum heed_status heedi_common_accept(const struct heed_plugin *plugin,
                                     const struct heed_subgraph *subgraph,
                                     heedi_common_accept_fn accept,
                                     struct heed_plugin_program *program, struct heed_error *error);

/* ---- accept.c: NULL, or what an operator's operands lack; an absent one is all zeros ---- */

const char *heedi_common_accept_positions(const struct heed_positions_attrs *attrs,
                                          const struct heed_tensor_desc *pos,
                                          const struct heed_tensor_desc *y);
/* What a position is divided by for the angle of pair `i` of sine and cosine. */
double heedi_common_wavelength(const struct heed_positions_attrs *attrs, uint32_t i);
const char *heedi_common_accept_advance(const struct heed_advance_attrs *attrs,
                                        const struct heed_tensor_desc *rows,
                                        const struct heed_tensor_desc *next);

#endif
