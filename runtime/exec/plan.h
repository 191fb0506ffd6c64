/* SPDX-License-Identifier: Apache-2.0 */
/* Memory plan: where in one arena each storage of a part lives. */
#ifndef HEEDI_EXEC_PLAN_H
#define HEEDI_EXEC_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/context.h"

/* A storage to be placed. Indices count the nodes of the part in execution order; the storage is
 * alive from the start of node `first` to the end of node `last`. */
struct heedi_plan_item {
    uint64_t bytes;
    int32_t first, last;
    uint64_t offset; /* result, a multiple of the alignment */
};

struct heedi_plan {
    uint64_t arena_bytes;    /* size of the arena: the highest end of a storage */
    uint64_t unshared_bytes; /* sum of the sizes, each rounded up to the alignment */
};

/* Places all items such that two that are alive at one node never overlap. An output is alive while
 * its node reads its inputs, so it never shares memory with one of them. Items without bytes get
 * offset 0. `alignment` is a power of two.
 *
 * Greedy by size (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net
 * Inference", section 5.2): largest first, each into the smallest gap between its already placed
 * contemporaries that holds it. O(items^2). HEED_ERROR_LIMIT when the sizes overflow. */
enum heed_status heedi_plan_memory(struct heed_context *context, struct heedi_plan_item *items,
                                   uint32_t count, uint32_t alignment, struct heedi_plan *plan);

#endif
