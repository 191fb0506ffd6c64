/* SPDX-License-Identifier: Apache-2.0 */
/* Making failing cases small: delta debugging (Zeller and Hildebrandt 2002) along the axes that
 * operands share, over their values, and over the attributes. */
#include "runtime/check/shrink.h"

#include <math.h>
#include <string.h>

#include "runtime/base/os.h"
#include "runtime/ops/op.h"

static const uint64_t MOST_NS = 60000000000u;
enum { MOST_TRIES = 5000, HALVES = 2, PIECES = 64, FEW_RUNS = 10 };

struct shrinking {
    struct heedi_target *target;
    int32_t repeat;
    struct heedi_case *best;
    struct heed_check_finding *finding; /* of the best */
    enum heed_status status;            /* sticky: memory is out */
    uint64_t deadline_ns;
    int tries;
    bool progress;
};

static bool numeric(uint32_t fault) {
    return fault == HEED_CHECK_VALUE || fault == HEED_CHECK_STATISTICAL ||
           fault == HEED_CHECK_SPECIAL;
}

static bool exhausted(const struct shrinking *it) {
    return it->status != HEED_OK || it->tries >= MOST_TRIES || heedi_os_now_ns() > it->deadline_ns;
}

/* Takes over `candidate`: it becomes the best if it fails in the same way. One without meaning is
 * passed over. */
static bool attempt(struct shrinking *it, struct heedi_case *candidate) {
    struct heed_check_finding finding;
    it->tries++;
    const enum heed_status status = heedi_trial(it->target, candidate, it->repeat, NULL, &finding);
    if (status == HEED_ERROR_OUT_OF_MEMORY)
        it->status = status;
    const bool same = finding.fault == it->finding->fault ||
                      (numeric(finding.fault) && numeric(it->finding->fault));
    if (status != HEED_OK || finding.declined || !same) {
        heedi_case_clear(&it->target->context->env, candidate);
        return false;
    }
    finding.number = it->finding->number;
    heedi_case_clear(&it->target->context->env, it->best);
    *it->best = *candidate;
    *it->finding = finding;
    it->progress = true;
    return true;
}

static bool copy_best(struct shrinking *it, struct heedi_case *candidate) {
    const enum heed_status status = heedi_case_copy(it->target->context, it->best, candidate);
    if (status != HEED_OK)
        it->status = status;
    return status == HEED_OK;
}

/* ---- shape ---- */

static bool is_capital(char letter) {
    return letter >= 'A' && letter <= 'Z';
}

static char small(char letter) {
    return is_capital(letter) ? (char)(letter - 'A' + 'a') : letter;
}

/* Values in one step of a dimension: a block's along the last one of q8_0. */
static int64_t values_in_step(const struct heedi_case_operand *operand, uint32_t dim) {
    return dim + 1 == operand->desc.rank ? heed_dtype_values(operand->desc.dtype) : 1;
}

/* What an axis can be cut into: whole blocks where an operand has blocks along it. */
static int64_t axis_step(const struct heedi_case *it, char axis) {
    int64_t step = 1;
    for (uint32_t o = 0; o < it->operand_count; o++)
        for (uint32_t i = 0; i < it->operands[o].desc.rank; i++)
            if (small(it->operands[o].axes[i]) == axis &&
                values_in_step(&it->operands[o], i) > step)
                step = values_in_step(&it->operands[o], i);
    return step;
}

/* Dimensions that are broadcast along an axis have size 1; the others have its size. */
static int64_t axis_size(const struct heedi_case *it, char axis) {
    int64_t size = -1;
    for (uint32_t o = 0; o < it->operand_count; o++)
        for (uint32_t i = 0; i < it->operands[o].desc.rank; i++) {
            const char letter = it->operands[o].axes[i];
            const int64_t dim = it->operands[o].desc.dims[i] * values_in_step(&it->operands[o], i) -
                                is_capital(letter);
            if (it->operands[o].source != HEEDI_SOURCE_ABSENT && small(letter) == axis &&
                dim > size)
                size = dim;
        }
    return size;
}

/* Drops [low, high) of dimension `axis` of an operand, in place: elements move to lower places. */
static void drop(struct heedi_case_operand *operand, uint32_t axis, int64_t low, int64_t high) {
    const struct heed_tensor_desc from = operand->desc;
    const size_t size = heed_dtype_bytes(from.dtype);
    int64_t dims[HEED_MAX_RANK], index[HEED_MAX_RANK] = {0};
    size_t to = 0, at = 0;
    memcpy(dims, from.dims, sizeof dims);
    dims[axis] -= high - low;
    operand->desc = heed_desc(from.dtype, from.rank, dims);
    if (heed_desc_elems(&from) == 0)
        return;
    do {
        if (index[axis] < low || index[axis] >= high) {
            memmove((char *)operand->data + to, (const char *)operand->data + at, size);
            to += size;
        }
        at += size;
    } while (heedi_next_index(&from, index));
}

static bool drop_stretch(struct shrinking *it, char axis, int64_t size, int64_t low, int64_t high) {
    struct heedi_case candidate;
    if (!copy_best(it, &candidate))
        return false;
    for (uint32_t o = 0; o < candidate.operand_count; o++) {
        struct heedi_case_operand *operand = &candidate.operands[o];
        for (uint32_t i = 0; i < operand->desc.rank; i++) {
            const bool longer = is_capital(operand->axes[i]);
            const int64_t step = values_in_step(operand, i);
            if (operand->source != HEEDI_SOURCE_ABSENT && small(operand->axes[i]) == axis &&
                operand->desc.dims[i] * step == size + longer)
                drop(operand, i, low / step + longer, high / step + longer);
        }
    }
    return attempt(it, &candidate);
}

/* Pieces of half the axis, then of a quarter, ... are left out where the case still fails. */
static void shrink_axis(struct shrinking *it, char axis, int64_t most_pieces) {
    const int64_t step = axis_step(it->best, axis);
    int64_t size = axis_size(it->best, axis) / step;
    for (int64_t piece = (size + 1) / 2; piece > 0 && !exhausted(it); piece /= 2) {
        if (size / piece > most_pieces)
            break;
        for (int64_t low = 0; low < size && size > 1 && !exhausted(it);) {
            const int64_t high = low + piece < size ? low + piece : size;
            if (high - low < size && drop_stretch(it, axis, size * step, low * step, high * step))
                size -= high - low;
            else
                low = high;
        }
    }
}

static void shrink_axes(struct shrinking *it, int64_t most_pieces) {
    for (int axis = 'a'; axis <= 'z'; axis++)
        if (axis_size(it->best, (char)axis) > 1)
            shrink_axis(it, (char)axis, most_pieces);
}

/* First halves of all axes, as small cases take less time, then what else each can do without. */
static void shrink_shape(struct shrinking *it) {
    shrink_axes(it, HALVES);
    shrink_axes(it, PIECES);
}

/* ---- how operands lie, of which type, and whether they are there ---- */

static void widen(struct shrinking *it, uint32_t o) {
    struct heedi_case candidate;
    if (!copy_best(it, &candidate))
        return;
    struct heedi_case_operand *operand = &candidate.operands[o];
    const struct heed_tensor_desc from = operand->desc;
    const int64_t elems = heed_desc_elems(&from);
    operand->desc = heed_desc(HEED_F32, from.rank, from.dims);
    float *wide = heedi_calloc(&it->target->context->env, (size_t)elems, sizeof *wide);
    for (int64_t i = 0; wide != NULL && i < elems; i++)
        wide[i] = (float)heedi_load(operand->data, from.dtype, i);
    heedi_free(&it->target->context->env, operand->data);
    operand->data = wide;
    if (wide != NULL) {
        attempt(it, &candidate);
        return;
    }
    it->status = heedi_fail_memory(it->target->context, "an operand", (size_t)elems);
    heedi_case_clear(&it->target->context->env, &candidate);
}

static void simplify_operands(struct shrinking *it) {
    for (uint32_t o = 0; o < it->best->operand_count && !exhausted(it); o++) {
        const struct heedi_case_operand *operand = &it->best->operands[o];
        struct heedi_case candidate;
        if (operand->source == HEEDI_SOURCE_ABSENT || operand->source == HEEDI_SOURCE_STATE)
            continue;
        if (copy_best(it, &candidate)) {
            heedi_free(&it->target->context->env, candidate.operands[o].data);
            candidate.operands[o] = (struct heedi_case_operand){.source = HEEDI_SOURCE_ABSENT};
            if (attempt(it, &candidate))
                continue;
        }
        if (operand->form != HEEDI_FORM_PLAIN && copy_best(it, &candidate)) {
            candidate.operands[o].form = HEEDI_FORM_PLAIN;
            attempt(it, &candidate);
        }
        if (operand->source == HEEDI_SOURCE_CONSTANT && operand->desc.dtype != HEED_Q8_0 &&
            copy_best(it, &candidate)) {
            candidate.operands[o].source = HEEDI_SOURCE_INPUT;
            attempt(it, &candidate);
        }
        if (operand->desc.dtype == HEED_F16 || operand->desc.dtype == HEED_BF16)
            widen(it, o);
    }
}

/* ---- values ---- */

/* Numbers [low, high) become 0, 1, or whole numbers; false where they are that already. */
enum simple { SIMPLE_ZERO, SIMPLE_ONE, SIMPLE_WHOLE, SIMPLES };

static bool simplify(struct heedi_case_operand *operand, enum simple how, int64_t low,
                     int64_t high) {
    bool changed = false;
    for (int64_t i = low; i < high; i++) {
        const double old = heedi_load_number(operand, i);
        const double simpler = how == SIMPLE_ZERO ? 0 : how == SIMPLE_ONE ? 1 : rint(old);
        if (how == SIMPLE_ONE && old == 0)
            continue;
        changed = changed || !(old == simpler);
        heedi_store_number(operand, i, simpler);
    }
    return changed;
}

static void simplify_stretch(struct shrinking *it, uint32_t o, enum simple how, int64_t low,
                             int64_t high) {
    struct heedi_case candidate;
    if (!copy_best(it, &candidate))
        return;
    candidate.random_data = false;
    if (simplify(&candidate.operands[o], how, low, high))
        attempt(it, &candidate);
    else
        heedi_case_clear(&it->target->context->env, &candidate);
}

static void shrink_values(struct shrinking *it) {
    for (uint32_t o = 0; o < it->best->operand_count; o++) {
        const struct heedi_case_operand *operand = &it->best->operands[o];
        const int64_t count =
            operand->source != HEEDI_SOURCE_ABSENT ? heedi_operand_numbers(operand) : 0;
        for (int how = 0; how < SIMPLES && !exhausted(it); how++)
            for (int64_t piece = count; piece > 0 && count / piece <= PIECES; piece /= 2)
                for (int64_t low = 0; low < count && !exhausted(it); low += piece)
                    simplify_stretch(it, o, (enum simple)how, low,
                                     low + piece < count ? low + piece : count);
    }
}

/* ---- attributes ---- */

/* Each 32-bit word (all fields of all operators that run are such) becomes 0, 1, 2 or 1.0f. */
static void shrink_attrs(struct shrinking *it) {
    static const uint32_t simpler[] = {0, 1, 2, 0x3f800000};
    for (uint32_t word = 1; word < it->best->attrs_size / 4; word++)
        for (size_t i = 0; i < sizeof simpler / sizeof *simpler && !exhausted(it); i++) {
            struct heedi_case candidate;
            if (it->best->attrs.words[word] == simpler[i])
                break;
            if (!copy_best(it, &candidate))
                return;
            candidate.attrs.words[word] = simpler[i];
            if (attempt(it, &candidate))
                break;
        }
}

enum heed_status heedi_shrink(struct heedi_target *target, int32_t repeat, struct heedi_case *it,
                              struct heed_check_finding *finding, bool *shrunk) {
    struct shrinking shrinking = {.target = target,
                                  .repeat = repeat,
                                  .best = it,
                                  .finding = finding,
                                  .deadline_ns = heedi_os_now_ns() + MOST_NS};
    const int32_t confirm_runs = target->confirm_runs;
    if (finding->fault == HEED_CHECK_UNINITIALISED) /* that it is not chance is known by now */
        target->confirm_runs = FEW_RUNS;
    *shrunk = false;
    do {
        shrinking.progress = false;
        simplify_operands(&shrinking);
        shrink_shape(&shrinking);
        shrink_values(&shrinking);
        shrink_attrs(&shrinking);
        *shrunk = *shrunk || shrinking.progress;
    } while (shrinking.progress && !exhausted(&shrinking));
    target->confirm_runs = confirm_runs;
    return shrinking.status;
}
