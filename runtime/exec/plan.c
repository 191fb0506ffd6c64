/* SPDX-License-Identifier: Apache-2.0 */
/* Liveness-based memory plan: greedy by size, best fit. */
#include "runtime/exec/plan.h"

#include <stdlib.h>

/* An item in the order of placing, and the placed ones again in the order of offsets. */
struct order {
    const struct heedi_plan_item *item;
    uint32_t index;
};

static int larger_first(const void *left, const void *right) {
    const struct order *a = left, *b = right;
    if (a->item->bytes != b->item->bytes)
        return a->item->bytes > b->item->bytes ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index; /* qsort is not stable */
}

static bool alive_together(const struct heedi_plan_item *a, const struct heedi_plan_item *b) {
    return a->first <= b->last && b->first <= a->last;
}

static bool round_up(uint64_t value, uint32_t alignment, uint64_t *result) {
    const uint64_t mask = (uint64_t)alignment - 1;
    if (value > INT64_MAX - mask)
        return false;
    *result = (value + mask) & ~mask;
    return true;
}

/* Finds the smallest gap for `item` among the items placed so far, which are sorted by offset. The
 * sizes of all items were summed without overflow, so no end of a storage can overflow. */
static uint64_t best_fit(const struct heedi_plan_item *item, const struct order *placed,
                         uint32_t placed_count, uint32_t alignment) {
    uint64_t end = 0; /* of the contemporaries looked at so far, rounded up */
    uint64_t best = UINT64_MAX, best_gap = UINT64_MAX;
    for (uint32_t i = 0; i < placed_count; i++) {
        const struct heedi_plan_item *other = placed[i].item;
        if (!alive_together(item, other))
            continue;
        if (other->offset > end) {
            const uint64_t gap = other->offset - end;
            if (gap >= item->bytes && gap < best_gap) {
                best = end;
                best_gap = gap;
            }
        }
        uint64_t other_end = 0;
        round_up(other->offset + other->bytes, alignment, &other_end);
        if (other_end > end)
            end = other_end;
    }
    return best != UINT64_MAX ? best : end;
}

static void insert_by_offset(struct order *placed, uint32_t count, struct order added) {
    uint32_t at = count;
    for (; at > 0 && placed[at - 1].item->offset > added.item->offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = added;
}

enum heed_status heedi_plan_memory(struct heed_context *context, struct heedi_plan_item *items,
                                   uint32_t count, uint32_t alignment, struct heedi_plan *plan) {
    plan->arena_bytes = plan->unshared_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t rounded;
        items[i].offset = 0;
        if (!round_up(items[i].bytes, alignment, &rounded) ||
            rounded > INT64_MAX - plan->unshared_bytes)
            return heedi_fail(context, HEED_ERROR_LIMIT,
                              "memory plan: the tensors of one part exceed 2^63 bytes");
        plan->unshared_bytes += rounded;
    }
    struct order *queue = heedi_calloc(&context->env, count, 2 * sizeof *queue);
    if (queue == NULL)
        return heedi_fail_memory(context, "a memory plan", (size_t)count * 2 * sizeof *queue);
    struct order *placed = queue + count;
    for (uint32_t i = 0; i < count; i++)
        queue[i] = (struct order){&items[i], i};
    qsort(queue, count, sizeof *queue, larger_first);

    uint32_t placed_count = 0;
    for (uint32_t i = 0; i < count && queue[i].item->bytes > 0; i++) {
        struct heedi_plan_item *item = &items[queue[i].index];
        item->offset = best_fit(item, placed, placed_count, alignment);
        if (item->offset + item->bytes > plan->arena_bytes)
            plan->arena_bytes = item->offset + item->bytes;
        insert_by_offset(placed, placed_count++, queue[i]);
    }
    heedi_free(&context->env, queue);
    return HEED_OK;
}
