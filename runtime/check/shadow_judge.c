/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two computations of a part agree: heed/shadow.h states the tolerance. */
#include <math.h>
#include <string.h>

#include "runtime/check/check.h"
#include "runtime/check/shadow.h"
#include "runtime/ops/op.h"

/* ---- the tolerance ---- */

/* Half a step of rows quantised to 127 steps, relative to their largest magnitude. */
static const double quantum = 0x1p-8;

static double unit_of_type(enum heed_dtype dtype) {
    return dtype == HEED_F16 ? 0x1p-11 : dtype == HEED_BF16 ? 0x1p-8 : 0;
}

/* What one node adds to the variance `sum` of the difference of two computations. */
static double added(const struct heed_program *program, const struct heedi_node *node,
                    const struct heed_numeric_profile *const sides[2], double sum) {
    const struct heed_graph *graph = program->partition.graph;
    struct heedi_call call = {.op = node->op,
                              .name = node->name,
                              .attrs = node->attrs,
                              .input_count = node->input_count,
                              .output_count = node->output_count};
    double result = 0;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HEED_NO_TENSOR)
            call.inputs[i] = &graph->tensors[node->inputs[i]].desc;
    for (uint32_t i = 0; i < node->output_count; i++)
        call.outputs[i] = graph->tensors[node->outputs[i]].desc;
    const double stored = unit_of_type(call.outputs[0].dtype);
    for (int side = 0; side < 2; side++) {
        const double u = heedi_check_roundoff(sides[side]);
        result += heedi_check_depth(&call, sides[side]) * u * u + stored * stored;
    }
    if (node->op == HEED_OP_MATMUL &&
        ((const struct heed_matmul_attrs *)node->attrs)->a_quantization == HEED_QUANTIZE_ROWS)
        result += 4 * quantum * sqrt(sum + result);
    return result;
}

/* Marks the storages of what comes of a log_softmax. */
static void find_logarithms(const struct heed_graph *graph, bool *logarithm) {
    for (int32_t n = 0; n < graph->node_count; n++) {
        const struct heedi_node *node = &graph->nodes[n];
        bool found = node->op == HEED_OP_LOG_SOFTMAX;
        for (uint32_t i = 0; i < node->input_count; i++)
            found = found || (node->inputs[i] != HEED_NO_TENSOR &&
                              logarithm[graph->tensors[node->inputs[i]].storage]);
        for (uint32_t i = 0; found && i < node->output_count; i++)
            logarithm[graph->tensors[node->outputs[i]].storage] = true;
    }
}

enum heed_status heedi_shadow_tolerance(struct heed_context *context,
                                        const struct heed_program *program, uint32_t part,
                                        const struct heed_numeric_profile *a,
                                        const struct heed_numeric_profile *b,
                                        struct heedi_shadow_tolerance *tolerance) {
    const struct heed_graph *graph = program->partition.graph;
    const struct heedi_compiled *compiled = &program->parts[part];
    const struct heed_numeric_profile *const sides[] = {a, b};
    double sum = 0;
    for (uint32_t i = 0; i < compiled->node_count; i++)
        sum += added(program, &graph->nodes[compiled->nodes[i]], sides, sum);
    tolerance->relative = 6 * sqrt(sum);
    tolerance->least =
        heedi_calloc(&context->env, compiled->binding_count, sizeof *tolerance->least);
    bool *logarithm = heedi_calloc(&context->env, (size_t)graph->tensor_count, sizeof *logarithm);
    if (tolerance->least != NULL && logarithm != NULL) {
        find_logarithms(graph, logarithm);
        for (uint32_t i = 0; i < compiled->binding_count; i++)
            tolerance->least[i] = logarithm[compiled->bindings[i].tensor] ? 1 : 0;
    }
    heedi_free(&context->env, logarithm);
    return tolerance->least != NULL && logarithm != NULL
               ? HEED_OK
               : heedi_fail_memory(context, "a tolerance", (size_t)graph->tensor_count);
}

/* ---- real numbers ---- */

/* Whether no element of a row of f32 can be worse than `fraction` of its bound, at a glance. */
static bool harmless(const float *a, const float *b, int64_t count, double relative, double least,
                     double fraction) {
    float scale = 0, difference = 0;
    bool finite = true;
    for (int64_t i = 0; i < count; i++) {
        const float x = fabsf(a[i]), y = fabsf(b[i]), d = fabsf(a[i] - b[i]);
        scale = x > scale ? x : scale;
        scale = y > scale ? y : scale;
        difference = d > difference ? d : difference;
        finite &= d < INFINITY; /* false for a NaN */
    }
    return finite && (double)difference <= fraction * relative * fmax((double)scale, least);
}

static void judge_row(enum heed_dtype dtype, const void *a, const void *b, int64_t first,
                      int64_t count, double relative, double least, int64_t base,
                      struct heedi_shadow_verdict *worst) {
    double scale = least;
    if (dtype == HEED_F32 && harmless((const float *)a + first, (const float *)b + first, count,
                                      relative, least, worst->fraction))
        return;
    for (int64_t i = first; i < first + count; i++) {
        const double x = fabs(heedi_load(a, dtype, i)), y = fabs(heedi_load(b, dtype, i));
        scale = isfinite(x) ? fmax(scale, x) : scale;
        scale = isfinite(y) ? fmax(scale, y) : scale;
    }
    for (int64_t i = first; i < first + count; i++) {
        const double x = heedi_load(a, dtype, i), y = heedi_load(b, dtype, i);
        /* the smallest normal number stands for what flushed denormals may cost */
        const double bound = relative * scale + 2 * heedi_storage_error(dtype, scale) + 0x1p-126;
        if (x == y || (isnan(x) && isnan(y)))
            continue;
        const double error = fabs(x - y);
        const double fraction = isfinite(error) ? error / bound : INFINITY;
        if (fraction <= worst->fraction)
            continue;
        worst->fraction = fraction;
        worst->elem = base + i;
        worst->primary = x;
        worst->shadow = y;
        worst->bound = bound;
    }
}

/* ---- choices ---- */

/* Rows of argmax or top_k in which the sides differ, and either's choice is as good. */
struct choice {
    const struct heedi_node *node;
    int64_t rows, chosen; /* chosen: of each row */
    bool *open;           /* [rows] */
};

static const struct heedi_shadow_piece *result_of(const struct heedi_snapshot *snapshot,
                                                  heed_tensor tensor) {
    const struct heedi_compiled *part = &snapshot->program->parts[snapshot->part];
    for (size_t i = 0; i < snapshot->piece_count; i++)
        if (snapshot->pieces[i].after && snapshot->pieces[i].bytes > 0 &&
            part->bindings[snapshot->pieces[i].binding].tensor == tensor)
            return &snapshot->pieces[i];
    return NULL;
}

/* The place of `value` in descending order of the row is at least `rank` but for `slack`: at most
 * `rank` values are greater by more, and at least rank + 1 are not smaller by more. */
static bool may_have_rank(const float *row, int64_t n, double value, int64_t rank, double slack) {
    int64_t above = 0, reaching = 0;
    for (int64_t i = 0; i < n; i++) {
        above += (double)row[i] > value + slack;
        reaching += (double)row[i] >= value - slack;
    }
    return above <= rank && reaching > rank;
}

/* Where it is not known what the first side has chosen, a row is open if its choice is a close one.
 */
static bool close_call(const float *row, int64_t n, double slack) {
    double best = -INFINITY, next = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        const double value = (double)row[i];
        next = value > best ? best : fmax(next, value);
        best = fmax(best, value);
    }
    return best - next <= slack;
}

/* The rows in which the sides have chosen otherwise, and as well. `other` is what the shadow's side
 * has chosen; the first side's choice is in `chosen`, NULL where it is not known. */
static void find_open(const struct heedi_shadow_judging *judging, const float *values,
                      int64_t width, const struct heedi_shadow_piece *chosen, const int32_t *other,
                      struct choice *choice) {
    for (int64_t r = 0; r < choice->rows; r++) {
        const float *row = values + r * width;
        double scale = 0;
        for (int64_t i = 0; i < width; i++)
            scale = isfinite(row[i]) ? fmax(scale, fabs((double)row[i])) : scale;
        const double slack = 2 * judging->tolerance->relative * scale;
        bool differs = false, as_well = true;
        for (int64_t k = 0; chosen != NULL && k < choice->chosen; k++) {
            const int64_t at = (int64_t)heedi_load(chosen->data, HEED_I32, r * choice->chosen + k);
            differs = differs || at != other[r * choice->chosen + k];
            as_well = as_well && at >= 0 && at < width &&
                      may_have_rank(row, width, (double)row[at], k, slack);
        }
        choice->open[r] = chosen != NULL ? differs && as_well : close_call(row, width, slack);
    }
}

static enum heed_status judge_choice(const struct heedi_shadow_judging *judging, uint32_t n,
                                     struct choice *choice) {
    const struct heedi_env *env = &judging->context->env;
    const struct heed_graph *graph = judging->snapshot->program->partition.graph;
    const struct heedi_node *node = &graph->nodes[n];
    const heed_tensor index = node->outputs[node->op == HEED_OP_TOP_K ? 1 : 0];
    const struct heed_tensor_desc *from = &graph->tensors[node->inputs[0]].desc;
    const struct heedi_shadow_piece *chosen = result_of(judging->snapshot, index);
    const int64_t width = from->rank > 0 ? from->dims[from->rank - 1] : 1;
    const int64_t choices = heed_desc_elems(&graph->tensors[index].desc);
    struct heedi_shadow_name name;
    const float *values =
        heed_instance_output(judging->choosing->instance, heedi_shadow_name(&name, 'c', n), NULL);
    *choice = (struct choice){.node = node};
    if (values == NULL || from->dtype != HEED_F32 || heed_desc_elems(from) == 0)
        return HEED_OK;
    choice->rows = heed_desc_elems(from) / width;
    choice->chosen = choices / choice->rows;
    choice->open = heedi_calloc(env, (size_t)choice->rows, sizeof *choice->open);
    int32_t *other = heedi_calloc(env, (size_t)choices, sizeof *other);
    enum heed_status status = HEED_OK;
    if (choice->open == NULL || other == NULL)
        status = heedi_fail_memory(judging->context, "choices", (size_t)choices);
    if (status == HEED_OK && chosen != NULL)
        status = heedi_shadow_run_read(judging->context, judging->choosing, chosen, other);
    if (status == HEED_OK)
        find_open(judging, values, width, chosen, other, choice);
    heedi_free(env, other);
    return status;
}

/* Whether an element of an integer result may differ: it is a choice of an open row, or in the
 * column of one in a table with a column for each row (what `advance` makes). */
static bool forgiven(const struct choice *choices, uint32_t count, heed_tensor tensor,
                     const struct heed_tensor_desc *desc, int64_t elem) {
    const int64_t columns = desc->rank > 0 ? desc->dims[desc->rank - 1] : 1;
    for (uint32_t i = 0; i < count; i++) {
        const struct choice *choice = &choices[i];
        if (tensor == choice->node->outputs[choice->node->op == HEED_OP_TOP_K ? 1 : 0])
            return choice->open != NULL && choice->open[elem / choice->chosen];
    }
    for (uint32_t i = 0; i < count; i++)
        if (choices[i].open != NULL && columns == choices[i].rows &&
            choices[i].open[elem % columns])
            return true;
    return false;
}

static enum heed_status find_choices(const struct heedi_shadow_judging *judging,
                                     struct choice *choices, uint32_t *count) {
    const struct heedi_snapshot *snapshot = judging->snapshot;
    const struct heedi_compiled *part = &snapshot->program->parts[snapshot->part];
    const struct heed_graph *graph = snapshot->program->partition.graph;
    enum heed_status status = HEED_OK;
    if (judging->choosing->program == NULL)
        status = heedi_shadow_run_open(judging->context, judging->executor, judging->shared,
                                       snapshot->program, snapshot->part, true, judging->choosing);
    if (status == HEED_OK)
        status = heedi_shadow_run_again(judging->context, judging->choosing, snapshot);
    for (uint32_t i = 0; status == HEED_OK && i < part->node_count; i++) {
        const enum heed_op op = graph->nodes[part->nodes[i]].op;
        if (op == HEED_OP_ARGMAX || op == HEED_OP_TOP_K)
            status = judge_choice(judging, part->nodes[i], &choices[(*count)++]);
    }
    return status;
}

/* ---- whole parts ---- */

/* `choices` NULL: integers that differ are counted in *mismatches and not judged. */
static enum heed_status judge_piece(const struct heedi_shadow_judging *judging, size_t index,
                                    const struct choice *choices, uint32_t choice_count,
                                    uint64_t *mismatches, struct heedi_shadow_verdict *verdict) {
    const struct heedi_shadow_piece *piece = &judging->snapshot->pieces[index];
    const struct heed_program *program = judging->snapshot->program;
    const heed_tensor tensor =
        program->parts[judging->snapshot->part].bindings[piece->binding].tensor;
    const struct heed_tensor_desc *desc = &program->partition.graph->tensors[tensor].desc;
    const size_t size = heed_dtype_bytes(desc->dtype);
    const int64_t count = (int64_t)(piece->bytes / size), base = (int64_t)(piece->offset / size);
    const int64_t columns = desc->rank > 0 ? desc->dims[desc->rank - 1] : 1;
    void *other = heedi_calloc(&judging->context->env, piece->bytes, 1);
    if (other == NULL)
        return heedi_fail_memory(judging->context, "results", piece->bytes);
    const enum heed_status status =
        heedi_shadow_run_read(judging->context, judging->run, piece, other);
    struct heedi_shadow_verdict worst = {.binding = piece->binding};
    if (status == HEED_OK && heedi_is_float(desc->dtype))
        for (int64_t i = 0; i + columns <= count && columns > 0; i += columns)
            judge_row(desc->dtype, piece->data, other, i, columns, judging->tolerance->relative,
                      judging->tolerance->least[piece->binding], base, &worst);
    for (int64_t i = 0; status == HEED_OK && !heedi_is_float(desc->dtype) && i < count; i++) {
        const double a = heedi_load(piece->data, desc->dtype, i);
        const double b = heedi_load(other, desc->dtype, i);
        if (a == b)
            continue;
        *mismatches += 1;
        if (choices == NULL || isinf(worst.fraction) ||
            forgiven(choices, choice_count, tensor, desc, base + i))
            continue;
        worst = (struct heedi_shadow_verdict){.binding = piece->binding,
                                              .fraction = INFINITY,
                                              .elem = base + i,
                                              .primary = a,
                                              .shadow = b};
    }
    heedi_free(&judging->context->env, other);
    if (status == HEED_OK && (!verdict->compared || worst.fraction > verdict->fraction)) {
        *verdict = worst;
        verdict->compared = true;
    }
    return status;
}

static enum heed_status judge_pieces(const struct heedi_shadow_judging *judging,
                                     const struct choice *choices, uint32_t choice_count,
                                     uint64_t *mismatches, struct heedi_shadow_verdict *verdict) {
    enum heed_status status = HEED_OK;
    *mismatches = 0;
    for (size_t i = 0; status == HEED_OK && i < judging->snapshot->piece_count; i++)
        if (judging->snapshot->pieces[i].after && judging->snapshot->pieces[i].bytes > 0)
            status = judge_piece(judging, i, choices, choice_count, mismatches, verdict);
    return status;
}

enum heed_status heedi_shadow_judge(struct heedi_shadow_judging *judging,
                                    struct heedi_shadow_verdict *verdict) {
    const struct heedi_snapshot *snapshot = judging->snapshot;
    const struct heedi_env *env = &judging->context->env;
    uint64_t mismatches;
    *verdict = (struct heedi_shadow_verdict){.agrees = true};
    enum heed_status status = judge_pieces(judging, NULL, 0, &mismatches, verdict);
    if (status == HEED_OK && mismatches > 0) {
        const uint32_t nodes = snapshot->program->parts[snapshot->part].node_count;
        struct choice *choices = heedi_calloc(env, nodes, sizeof *choices);
        uint32_t count = 0;
        status = choices != NULL ? find_choices(judging, choices, &count)
                                 : heedi_fail_memory(judging->context, "choices", nodes);
        if (status == HEED_OK)
            status = judge_pieces(judging, choices, count, &mismatches, verdict);
        for (uint32_t i = 0; i < count; i++)
            heedi_free(env, choices[i].open);
        heedi_free(env, choices);
    }
    verdict->agrees = verdict->fraction <= 1;
    verdict->tie = verdict->agrees && mismatches > 0;
    return status;
}
