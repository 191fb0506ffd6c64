/* SPDX-License-Identifier: Apache-2.0 */
/* Holding the sides of a walk against each other. */
#include <math.h>

#include "runtime/check/check.h"
#include "runtime/check/walk.h"

enum { BEST = 5 };

static double largest(const void *data, const struct heed_tensor_desc *desc) {
    double greatest = 0;
    const int64_t elems = heed_desc_elems(desc);
    for (int64_t i = 0; i < elems; i++) {
        const double value = heedi_load(data, desc->dtype, i);
        if (isfinite(value))
            greatest = fmax(greatest, fabs(value));
    }
    return greatest;
}

/* A chosen log-probability may be next to 0, but is as far off as what it was computed from. */
static double scale_of(const struct heedi_walk_memory *memory, const struct heedi_node *node,
                       heed_tensor tensor) {
    const enum heedi_walk_side side = HEEDI_WALK_REFERENCE;
    const struct heed_tensor_desc *desc = &memory->graph->tensors[tensor].desc;
    double scale = largest(heedi_walk_first(memory, side, tensor), desc);
    if (node->op == HEED_OP_TOP_K) {
        const struct heedi_tensor *from = &memory->graph->tensors[node->inputs[0]];
        if (heed_desc_contiguous(&from->desc))
            scale =
                fmax(scale, largest(heedi_walk_first(memory, side, node->inputs[0]), &from->desc));
    }
    return scale;
}

void heedi_walk_compare(const struct heedi_walk_memory *memory, const struct heedi_node *node,
                        heed_tensor tensor, const void *actual, struct heedi_walk_node *result) {
    const struct heed_tensor_desc *desc = &memory->graph->tensors[tensor].desc;
    const void *reference = heedi_walk_first(memory, HEEDI_WALK_REFERENCE, tensor);
    const int64_t elems = heed_desc_elems(desc);
    double difference = 0;
    for (int64_t i = 0; i < elems; i++) {
        const double a = heedi_load(reference, desc->dtype, i);
        const double b = heedi_load(actual, desc->dtype, i);
        if (!heedi_is_float(desc->dtype)) {
            result->mismatches += a != b;
        } else if (a != b && !(isnan(a) && isnan(b))) {
            const double error = fabs(b - a);
            difference = isnan(error) ? INFINITY : fmax(difference, error);
        }
    }
    result->difference = fmax(result->difference, difference);
    if (difference > 0) {
        const double scale = scale_of(memory, node, tensor);
        result->relative = fmax(result->relative, scale > 0 ? difference / scale : INFINITY);
    }
}

/* The best indices of a row, descending. */
static void best_of(const void *data, const struct heed_tensor_desc *desc, int64_t row,
                    int64_t best[BEST], double *margin) {
    const int64_t n = desc->dims[desc->rank - 1];
    double values[BEST];
    int count = 0;
    for (int64_t i = 0; i < n; i++) {
        const double value = heedi_load(data, desc->dtype, row * n + i);
        int at = count;
        while (at > 0 && value > values[at - 1])
            at--;
        if (at == BEST)
            continue;
        count += count < BEST;
        for (int j = count - 1; j > at; j--) {
            values[j] = values[j - 1];
            best[j] = best[j - 1];
        }
        values[at] = value;
        best[at] = i;
    }
    for (int j = count; j < BEST; j++)
        best[j] = -1 - j;
    *margin = count > 1 ? values[0] - values[1] : INFINITY;
}

void heedi_walk_compare_choices(const struct heedi_walk_memory *memory,
                                const struct heedi_node *node, struct heedi_walk_node *result) {
    const heed_tensor tensor = node->inputs[0];
    const struct heed_tensor_desc *desc = &memory->graph->tensors[tensor].desc;
    int64_t a[BEST], b[BEST];
    double margin, other, shared = 0;
    struct heedi_walk_node values = {.difference = 0};
    const void *reference = heedi_walk_first(memory, HEEDI_WALK_REFERENCE, tensor);
    const void *actual = heedi_walk_first(memory, HEEDI_WALK_BACKEND, tensor);
    if (desc->rank == 0 || !heed_desc_contiguous(desc))
        return; /* a view: its elements are looked at where they are made */
    result->rows = heed_desc_elems(desc) / desc->dims[desc->rank - 1];
    result->margin = INFINITY;
    heedi_walk_compare(memory, node, tensor, actual, &values);
    result->logits = values.difference;
    for (int64_t row = 0; row < result->rows; row++) {
        best_of(reference, desc, row, a, &margin);
        best_of(actual, desc, row, b, &other);
        result->same_choice += a[0] == b[0];
        result->margin = fmin(result->margin, margin);
        for (int i = 0; i < BEST; i++)
            for (int j = 0; j < BEST; j++)
                shared += a[i] == b[j];
    }
    result->shared_best = result->rows > 0 ? shared / (double)result->rows : 0;
}

/* ---- pieces ---- */

double heedi_walk_ties(const struct heedi_node *node) {
    const struct heed_matmul_attrs *attrs = node->attrs;
    return node->op == HEED_OP_MATMUL && attrs->a_quantization != HEED_QUANTIZE_NONE ? 2.0 / 127
                                                                                     : 0;
}

/* sqrt(256) roundings: what a sum of so many amounts to where they behave as independent. */
#define LEAST_ROUNDINGS 16
/* Maxima over hundreds of elements of errors of the same law seldom differ by more than half. */
#define MARGIN 4

/* What several nodes together may differ by. A fused kernel rounds no more often than its nodes
 * one by one, in another order: errors of the same law, so that what these differ by tells what to
 * expect, with a margin, and with a floor where they happen to be exact. It is no bound that holds
 * in any case as those of single nodes are; it is measured, and far below what an accumulator of 16
 * bits, operands of 11 bits or a forgotten element amount to. */
static double tolerance_of(double one_by_one, const struct heed_numeric_profile *numeric) {
    return MARGIN * fmax(one_by_one, LEAST_ROUNDINGS * heedi_check_roundoff(numeric));
}

/* Counts choices that differ and are as good as the reference's, as far as `tolerance` goes. */
static int64_t count_ties(const struct heedi_walk_memory *memory, const struct heedi_node *node,
                          heed_tensor tensor, const void *actual, double tolerance) {
    const struct heed_tensor_desc *from = &memory->graph->tensors[node->inputs[0]].desc;
    const struct heed_tensor_desc *desc = &memory->graph->tensors[tensor].desc;
    const void *values = heedi_walk_first(memory, HEEDI_WALK_REFERENCE, node->inputs[0]);
    const int32_t *chosen = heedi_walk_first(memory, HEEDI_WALK_REFERENCE, tensor);
    const int32_t *other = actual;
    if ((node->op != HEED_OP_ARGMAX && node->op != HEED_OP_TOP_K) || desc->dtype != HEED_I32 ||
        from->rank == 0 || !heed_desc_contiguous(from))
        return 0;
    const int64_t n = from->dims[from->rank - 1], count = heed_desc_elems(desc);
    const int64_t per_row = n > 0 && count > 0 ? count / (heed_desc_elems(from) / n) : 1;
    const double near = 2 * tolerance * largest(values, from);
    int64_t ties = 0;
    for (int64_t i = 0; i < count; i++)
        if (other[i] != chosen[i] && other[i] >= 0 && other[i] < n)
            ties += fabs(heedi_load(values, from->dtype, i / per_row * n + chosen[i]) -
                         heedi_load(values, from->dtype, i / per_row * n + other[i])) <= near;
    return ties;
}

void heedi_walk_compare_piece(const struct heedi_walk_memory *memory, heed_tensor tensor,
                              const void *actual, struct heedi_walk_piece *piece) {
    const struct heedi_tensor *it = &memory->graph->tensors[tensor];
    const struct heedi_node *node = &memory->graph->nodes[it->producer];
    struct heedi_walk_node compared = {.node = node};
    heedi_walk_compare(memory, node, tensor, actual, &compared);
    piece->tensor = it->name;
    piece->relative = compared.relative;
    piece->tolerance = tolerance_of(piece->one_by_one, &memory->walk->target->numeric);
    piece->ties =
        compared.mismatches > 0 ? count_ties(memory, node, tensor, actual, piece->tolerance) : 0;
    piece->mismatches = compared.mismatches - piece->ties;
}
