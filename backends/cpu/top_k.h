/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of top_k: the k best elements of a row so far, with the worst of them on top. It lives
 * in the row of indices that is the result; sorting it in place gives the order. Inlined, so that
 * each plugin's way to read an element becomes part of it. */
#ifndef HEEDI_CPU_TOP_K_H
#define HEEDI_CPU_TOP_K_H

#include "cpu.h"

/* A row, and what its element `index` is compared by. */
struct cpu_ranking {
    float (*value)(const void *row, int32_t index);
    const void *row;
};

/* Whether element i comes before element j in the result: the greater, equals by ascending index;
 * NaN is less than everything. */
static inline bool cpu_ranking_before(struct cpu_ranking ranking, int32_t i, int32_t j) {
    const float a = ranking.value(ranking.row, i), b = ranking.value(ranking.row, j);
    if (a != a || b != b)
        return (a != a) == (b != b) ? i < j : b != b;
    return a != b ? a > b : i < j;
}

/* Lets heap[parent] sink to its place among `count`: no parent comes before its children. */
static inline void cpu_heap_sink(struct cpu_ranking ranking, int32_t *heap, int64_t parent,
                                 int64_t count) {
    const int32_t moving = heap[parent];
    for (;;) {
        int64_t child = 2 * parent + 1;
        if (child >= count)
            break;
        if (child + 1 < count && cpu_ranking_before(ranking, heap[child], heap[child + 1]))
            child++;
        if (!cpu_ranking_before(ranking, moving, heap[child]))
            break;
        heap[parent] = heap[child];
        parent = child;
    }
    heap[parent] = moving;
}

/* The heap of the first k elements. */
static inline void cpu_heap_begin(struct cpu_ranking ranking, int32_t *heap, int64_t k) {
    for (int64_t i = 0; i < k; i++)
        heap[i] = (int32_t)i;
    for (int64_t i = k / 2; i-- > 0;)
        cpu_heap_sink(ranking, heap, i, k);
}

/* Element `index` takes the place of the worst, if it comes before that. */
static inline bool cpu_heap_offer(struct cpu_ranking ranking, int32_t *heap, int64_t k,
                                  int32_t index) {
    if (!cpu_ranking_before(ranking, index, heap[0]))
        return false;
    heap[0] = index;
    cpu_heap_sink(ranking, heap, 0, k);
    return true;
}

/* Best first. */
static inline void cpu_heap_sort(struct cpu_ranking ranking, int32_t *heap, int64_t k) {
    for (int64_t count = k; count > 1; count--) { /* the worst goes to the end */
        const int32_t worst = heap[0];
        heap[0] = heap[count - 1];
        heap[count - 1] = worst;
        cpu_heap_sink(ranking, heap, 0, count - 1);
    }
}

#endif
