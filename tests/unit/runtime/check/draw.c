/* SPDX-License-Identifier: Apache-2.0 */
/* What is drawn: the same for the same seed, and without a hole that chance left. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/check/case.h"
#include "runtime/ops/op.h"
#include "tests/support/memory.h"

static const uint64_t seed = 20240229;

static int setup(void **state) {
    *state = test_context(NULL, NULL, HEED_LOG_ERROR);
    return *state == NULL;
}

static int teardown(void **state) {
    heed_context_destroy(*state);
    return 0;
}

static void must_draw(struct heed_context *context, enum heed_op op, int64_t number,
                      struct heedi_case *it) {
    if (heedi_case_draw(context, op, seed, number, it) != HEED_OK)
        fail_msg("%s", heed_last_error(context));
}

static bool same(const struct heedi_case *a, const struct heedi_case *b) {
    if (a->op != b->op || a->operand_count != b->operand_count || a->attrs_size != b->attrs_size ||
        memcmp(&a->attrs, &b->attrs, sizeof a->attrs) != 0 || a->random_data != b->random_data)
        return false;
    for (uint32_t i = 0; i < a->operand_count; i++) {
        const struct heedi_case_operand *x = &a->operands[i], *y = &b->operands[i];
        if (x->source != y->source || x->form != y->form ||
            memcmp(&x->desc, &y->desc, sizeof x->desc) != 0)
            return false;
        if (x->source != HEEDI_SOURCE_ABSENT &&
            memcmp(x->data, y->data, heedi_operand_bytes(x)) != 0)
            return false;
    }
    return true;
}

static void test_seed_decides(void **state) {
    struct heed_context *context = *state;
    int64_t others = 0;
    for (int64_t number = 0; number < 20; number++) {
        struct heedi_case a, b, c;
        must_draw(context, HEED_OP_MATMUL, number, &a);
        must_draw(context, HEED_OP_MATMUL, number + 1, &c);
        must_draw(context, HEED_OP_MATMUL, number, &b);
        assert_true(same(&a, &b));
        others += !same(&a, &c);
        heedi_case_clear(&context->env, &a);
        heedi_case_clear(&context->env, &b);
        heedi_case_clear(&context->env, &c);
    }
    assert_int_equal(others, 20);
}

struct coverage {
    int64_t forms[HEED_MAX_INPUTS][HEED_Q8_0 + 1][HEEDI_FORMS];
    int64_t empty, ones, odd;
};

static void add(struct coverage *coverage, const struct heedi_case *it) {
    for (uint32_t i = 0; i < it->operand_count; i++) {
        const struct heedi_case_operand *operand = &it->operands[i];
        if (operand->source == HEEDI_SOURCE_ABSENT)
            continue;
        coverage->forms[i][operand->desc.dtype][operand->form]++;
        for (uint32_t d = 0; d < operand->desc.rank; d++) {
            coverage->empty += operand->desc.dims[d] == 0;
            coverage->ones += operand->desc.dims[d] == 1;
            coverage->odd += operand->desc.dims[d] > 2 && operand->desc.dims[d] % 2 == 1;
        }
    }
}

/* States and blocks are plain, and so are vectors of given values but for every other element. */
static bool restricted(enum heed_op op, uint32_t operand, uint32_t dtype) {
    return dtype == HEED_Q8_0 || (op == HEED_OP_CACHE_APPEND && (operand == 0 || operand == 3)) ||
           (op == HEED_OP_ATTENTION && operand >= HEED_ATTENTION_Q_OFFSETS);
}

static void check_coverage(struct heed_context *context, enum heed_op op) {
    struct coverage coverage = {.empty = 0};
    for (int64_t number = 0; number < heedi_case_count(op); number++) {
        struct heedi_case it;
        must_draw(context, op, number, &it);
        add(&coverage, &it);
        heedi_case_clear(&context->env, &it);
    }
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        for (uint32_t dtype = 0; dtype <= HEED_Q8_0; dtype++) {
            int drawn = 0;
            for (int form = 0; form < HEEDI_FORMS; form++)
                drawn += coverage.forms[i][dtype][form] > 0;
            if (drawn != 0 && drawn != (restricted(op, i, dtype) ? drawn : HEEDI_FORMS))
                fail_msg("%s: operand %u of type %s was not drawn in every form", heed_op_name(op),
                         (unsigned)i, heed_dtype_name((enum heed_dtype)dtype));
        }
    if (coverage.empty == 0 || coverage.ones == 0 || coverage.odd == 0)
        fail_msg("%s: %d empty, %d single, %d odd dimensions", heed_op_name(op),
                 (int)coverage.empty, (int)coverage.ones, (int)coverage.odd);
}

static void test_coverage(void **state) {
    int operators = 0;
    for (int op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++)
        if (heedi_case_count((enum heed_op)op) > 0) {
            check_coverage(*state, (enum heed_op)op);
            operators++;
        }
    assert_int_equal(operators, 23);
}

/* Every case that is drawn is a graph that the builder accepts. */
static void test_all_build(void **state) {
    struct heed_context *context = *state;
    for (int op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++)
        for (int64_t number = 0; number < heedi_case_count((enum heed_op)op); number += 3) {
            struct heedi_case it;
            struct heedi_case_graph built;
            must_draw(context, (enum heed_op)op, number, &it);
            if (heedi_case_build(context, &it, &built) != HEED_OK)
                fail_msg("case %d of %s: %s", (int)number, heed_op_name((enum heed_op)op),
                         heed_last_error(context));
            heedi_case_graph_clear(&context->env, &built);
            heedi_case_clear(&context->env, &it);
        }
}

/* ---- what 1,000 cases of an operator hold ---- */

enum { KIND_CASES = 1000 };

/* X(NAME, text): of shapes, of how operands lie, of values. */
#define KINDS(X)                                                                                   \
    X(EMPTY, "no elements along an axis")                                                          \
    X(ONE, "1")                                                                                    \
    X(PRIME, "primes from 5 on")                                                                   \
    X(POWER, "powers of two from 8 on")                                                            \
    X(ABOVE_POWER, "powers of two and 1 from 9 on")                                                \
    X(BELOW_POWER, "powers of two less 1 from 7 on")                                               \
    X(WIDE, "dimensions of models, from 256 on")                                                   \
    X(CONSTANT, "constants")                                                                       \
    X(TRANSPOSED, "transposed views")                                                              \
    X(SLICED, "slices")                                                                            \
    X(STEPPED, "steps of 2 and more")                                                              \
    X(BROADCAST, "strides of 0")                                                                   \
    X(NAN_VALUE, "NaN")                                                                            \
    X(INFINITE, "infinities")                                                                      \
    X(DENORMAL, "denormals of f32")                                                                \
    X(LARGE, "values beyond 40")                                                                   \
    X(OUTLIER, "an element 30 times as large as the mean of 64 and more")                          \
    X(TIE, "equal neighbours that are not 0")

enum kind {
#define KIND_ENUM(NAME, text) KIND_##NAME,
    KINDS(KIND_ENUM)
#undef KIND_ENUM
        KIND_COUNT
};

static bool is_prime(int64_t value) {
    for (int64_t i = 2; i * i <= value; i++)
        if (value % i == 0)
            return false;
    return value > 1;
}

static bool is_power(int64_t value) {
    return value > 0 && (value & (value - 1)) == 0;
}

static void look_at_shape(const struct heedi_case_operand *operand, bool *seen) {
    for (uint32_t i = 0; i < operand->desc.rank; i++) {
        const int64_t dim = operand->desc.dims[i];
        seen[KIND_EMPTY] |= dim == 0;
        seen[KIND_ONE] |= dim == 1;
        seen[KIND_PRIME] |= dim >= 5 && is_prime(dim);
        seen[KIND_POWER] |= dim >= 8 && is_power(dim);
        seen[KIND_ABOVE_POWER] |= dim >= 9 && is_power(dim - 1);
        seen[KIND_BELOW_POWER] |= dim >= 7 && is_power(dim + 1);
        seen[KIND_WIDE] |= dim >= 256;
        seen[KIND_BROADCAST] |= operand->form == HEEDI_FORM_BROADCAST && operand->repeated[i];
        seen[KIND_STEPPED] |= operand->form == HEEDI_FORM_STEPPED && operand->step[i] > 1;
    }
    seen[KIND_CONSTANT] |= operand->source == HEEDI_SOURCE_CONSTANT;
    seen[KIND_TRANSPOSED] |= operand->form == HEEDI_FORM_TRANSPOSED;
    seen[KIND_SLICED] |= operand->form == HEEDI_FORM_SLICED;
}

static void look_at_values(const struct heedi_case_operand *operand, bool *seen) {
    const int64_t count = heedi_operand_numbers(operand);
    double sum = 0, greatest = 0, before = 0;
    if (!heedi_is_float(operand->desc.dtype))
        return;
    for (int64_t i = 0; i < count; i++) {
        const double value = heedi_load_number(operand, i), magnitude = fabs(value);
        seen[KIND_NAN_VALUE] |= isnan(value);
        seen[KIND_INFINITE] |= isinf(value);
        seen[KIND_DENORMAL] |= magnitude > 0 && magnitude < 0x1p-126;
        seen[KIND_LARGE] |= magnitude > 40;
        seen[KIND_TIE] |= value != 0 && value == before;
        sum += magnitude;
        greatest = fmax(greatest, magnitude);
        before = value;
    }
    seen[KIND_OUTLIER] |= count >= 64 && greatest * (double)count > 30 * sum;
}

/* `least`: how many cases of each kind there are. */
static void check_kinds(struct heed_context *context, enum heed_op op, int least) {
    static const char *const texts[] = {
#define KIND_TEXT(NAME, text) text,
        KINDS(KIND_TEXT)
#undef KIND_TEXT
    };
    int counts[KIND_COUNT] = {0};
    for (int64_t number = 0; number < KIND_CASES; number++) {
        bool seen[KIND_COUNT] = {false};
        struct heedi_case it;
        must_draw(context, op, number, &it);
        for (uint32_t i = 0; i < it.operand_count; i++)
            if (it.operands[i].source != HEEDI_SOURCE_ABSENT) {
                look_at_shape(&it.operands[i], seen);
                look_at_values(&it.operands[i], seen);
            }
        for (int kind = 0; kind < KIND_COUNT; kind++)
            counts[kind] += seen[kind];
        heedi_case_clear(&context->env, &it);
    }
    for (int kind = 0; kind < KIND_COUNT; kind++)
        if (counts[kind] < least)
            fail_msg("%s: %s: in %d cases of %d", heed_op_name(op), texts[kind], counts[kind],
                     KIND_CASES);
}

/* One of the operators that are drawn alike. */
static void test_kinds(void **state) {
    static const enum heed_op ops[] = {HEED_OP_MATMUL,     HEED_OP_ATTENTION, HEED_OP_SOFTMAX,
                                       HEED_OP_LAYER_NORM, HEED_OP_ADD,       HEED_OP_RELU,
                                       HEED_OP_TOP_K,      HEED_OP_CONCAT,    HEED_OP_COPY};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        check_kinds(*state, ops[i], 10);
}

/* Rows along the last dimension that are -inf throughout. */
static int64_t hidden_rows(const struct heedi_case_operand *operand) {
    const int64_t width = operand->desc.dims[operand->desc.rank - 1];
    const int64_t count = heedi_operand_numbers(operand);
    int64_t hidden = 0;
    for (int64_t row = 0; width > 1 && row < count / width; row++) {
        int64_t i = 0;
        while (i < width && heedi_load_number(operand, row * width + i) == -INFINITY)
            i++;
        hidden += i == width;
    }
    return hidden;
}

static void test_hidden_rows(void **state) {
    static const struct {
        enum heed_op op;
        uint32_t operand;
    } masked[] = {
        {HEED_OP_SOFTMAX, 0}, {HEED_OP_TOP_K, 0}, {HEED_OP_ATTENTION, HEED_ATTENTION_BIAS}};
    struct heed_context *context = *state;
    for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
        int found = 0;
        for (int64_t number = 0; number < KIND_CASES; number++) {
            struct heedi_case it;
            must_draw(context, masked[i].op, number, &it);
            const struct heedi_case_operand *operand = &it.operands[masked[i].operand];
            found += operand->source != HEEDI_SOURCE_ABSENT && hidden_rows(operand) > 0;
            heedi_case_clear(&context->env, &it);
        }
        if (found < 10)
            fail_msg("%s: hidden rows in %d cases", heed_op_name(masked[i].op), found);
    }
}

/* Every type that ops.h allows, and matmul of 0, 1 and many along each of m, n and k. */
static void test_matmul(void **state) {
    struct heed_context *context = *state;
    int types[HEED_Q8_0 + 1] = {0}, empty[3] = {0}, single[3] = {0}, model = 0, blocks = 0;
    for (int64_t number = 0; number < KIND_CASES; number++) {
        struct heedi_case it;
        must_draw(context, HEED_OP_MATMUL, number, &it);
        const struct heedi_case_operand *a = &it.operands[0], *b = &it.operands[1];
        const struct heed_matmul_attrs *attrs = &it.attrs.matmul;
        const uint32_t m_dim = a->desc.rank - 2 + (attrs->transpose_a != 0);
        const uint32_t k_dim = a->desc.rank - 1 - (attrs->transpose_a != 0);
        const uint32_t n_dim = b->desc.rank - 1 - (attrs->transpose_b != 0);
        const int64_t dims[] = {a->desc.dims[m_dim], b->desc.dims[n_dim], a->desc.dims[k_dim]};
        for (int i = 0; i < 3; i++) {
            empty[i] += dims[i] == 0;
            single[i] += dims[i] == 1;
        }
        types[b->desc.dtype]++;
        model += dims[1] >= 512 && dims[2] >= 512;
        blocks += b->desc.dtype == HEED_Q8_0 && attrs->a_quantization == HEED_QUANTIZE_ROWS;
        heedi_case_clear(&context->env, &it);
    }
    for (int i = 0; i < 3; i++)
        assert_true(empty[i] >= 5 && single[i] >= 10);
    assert_true(types[HEED_F32] >= 100 && types[HEED_F16] >= 50 && types[HEED_BF16] >= 50);
    assert_true(types[HEED_I8] >= 100 && types[HEED_Q8_0] >= 50);
    assert_int_equal(blocks, types[HEED_Q8_0]);
    assert_true(model >= 5);
}

static void test_views_have_no_cases(void **state) {
    struct heedi_case it;
    assert_int_equal(heedi_case_count(HEED_OP_TRANSPOSE), 0);
    assert_int_equal(heedi_case_draw(*state, HEED_OP_TRANSPOSE, seed, 0, &it),
                     HEED_ERROR_UNSUPPORTED);
}

/* A 2 x 3 operand, row-major 1 ... 6, in each form. */
static void check_storage(struct heedi_case_operand *operand, int64_t rows, int64_t columns,
                          const float *expected) {
    float storage[40];
    const struct heed_tensor_desc desc = heedi_operand_storage(operand);
    assert_int_equal(desc.dims[0], rows);
    assert_int_equal(desc.dims[1], columns);
    heedi_operand_store(operand, storage);
    for (int64_t i = 0; i < rows * columns; i++) /* -1: lies between and is NaN */
        assert_true(expected[i] < 0 ? storage[i] != storage[i] : storage[i] == expected[i]);
}

static void test_storage_of_forms(void **state) {
    (void)state;
    float values[] = {1, 2, 3, 4, 5, 6};
    const int64_t dims[] = {2, 3};
    struct heedi_case_operand operand = {.desc = heed_desc(HEED_F32, 2, dims), .data = values};
    check_storage(&operand, 2, 3, values);
    operand.form = HEEDI_FORM_TRANSPOSED;
    operand.perm[0] = 1;
    check_storage(&operand, 3, 2, (const float[]){1, 4, 2, 5, 3, 6});
    operand.form = HEEDI_FORM_STEPPED;
    operand.start[0] = 1;
    operand.step[0] = 1;
    operand.step[1] = 2;
    operand.rest[1] = 1;
    check_storage(
        &operand, 3, 6,
        (const float[]){-1, -1, -1, -1, -1, -1, 1, -1, 2, -1, 3, -1, 4, -1, 5, -1, 6, -1});
    operand.form = HEEDI_FORM_BROADCAST;
    operand.repeated[0] = true;
    values[3] = 1, values[4] = 2, values[5] = 3;
    check_storage(&operand, 1, 3, values);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_decides),     cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_all_build),        cmocka_unit_test(test_views_have_no_cases),
        cmocka_unit_test(test_storage_of_forms), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_hidden_rows),      cmocka_unit_test(test_matmul),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
