/* SPDX-License-Identifier: Apache-2.0 */
/* Fixtures and operands of the agreement checks. */
#include "tests/support/agree.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/backends.h"
#include "tests/support/compare.h"

/* ---- suites ---- */

/* The smallest pieces that the contract allows, last one first. */
static void backwards(void *user, int64_t count, int64_t grain, heed_range_fn fn, void *arg) {
    (void)user;
    for (int64_t begin = (count - 1) / grain * grain; begin >= 0; begin -= grain)
        fn(arg, begin, begin + grain < count ? begin + grain : count);
}

static const struct support_backend *backend; /* of the suites */

static int setup(void **state) {
    static struct agree_suite suite;
    static const uint32_t threads[AGREE_EXECUTORS] = {1, 2, 4, 4};
    memset(&suite, 0, sizeof suite);
    const char *seed = getenv("HEED_SEED"), *only = getenv("HEED_CASE"),
               *every = getenv("HEED_TEST_EVERY");
    suite.seed = seed != NULL ? strtoull(seed, NULL, 0) : 20240229;
    suite.drawn_seed = seed != NULL;
    suite.only_case = only != NULL ? strtoll(only, NULL, 0) : -1;
    suite.every = HEED_TEST_SANITIZED && backend->software ? 10 : 1;
    if (every != NULL && strtoll(every, NULL, 0) > 0)
        suite.every = strtoll(every, NULL, 0);
    *state = &suite;
    suite.numeric = backend->numeric;
    suite.rows_vary = backend->rows_vary;
    if (heed_context_create(NULL, &suite.context) != HEED_OK)
        return -1;
    for (int i = 0; i < AGREE_EXECUTORS; i++) {
        struct heed_pool_options pool = {.struct_size = sizeof pool, .threads = threads[i]};
        if (i == AGREE_EXECUTORS - 1)
            pool.parallel_for = backwards;
        struct heed_executor_options options = {.struct_size = sizeof options,
                                                .backends = backend->name,
                                                .plugin_path = HEED_TEST_PLUGINS};
        if (heed_pool_create(suite.context, &pool, &suite.pools[i]) == HEED_OK) {
            options.pool = suite.pools[i];
            if (heed_executor_create(suite.context, &options, &suite.executors[i]) == HEED_OK)
                continue;
        }
        print_error("%s\n", heed_last_error(suite.context));
        return -1;
    }
    return 0;
}

static int teardown(void **state) {
    struct agree_suite *suite = *state;
    for (int i = 0; i < AGREE_EXECUTORS; i++) {
        heed_executor_release(suite->executors[i]);
        heed_pool_release(suite->pools[i]);
    }
    heed_context_destroy(suite->context);
    return 0;
}

int agree_main(const struct CMUnitTest *tests, size_t count) {
    struct support_backend backends[SUPPORT_BACKENDS];
    const size_t backend_count = support_backends(backends);
    int failed = backend_count == 0;
    for (size_t i = 0; i < backend_count; i++) {
        backend = &backends[i];
        failed += _cmocka_run_group_tests(backend->name, tests, count, setup, teardown);
    }
    return failed;
}

static void check_coverage(const struct agree_suite *suite, enum heed_op op,
                           const struct agree_coverage *coverage) {
    if (suite->drawn_seed || suite->only_case >= 0 || suite->every > 1)
        return;
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++) {
        for (uint32_t dtype = 0; dtype <= HEED_I8; dtype++) {
            bool any = false, all = true;
            for (int form = 0; form < AGREE_FORMS; form++) {
                any = any || coverage->forms[i][dtype][form] > 0;
                all = all && coverage->forms[i][dtype][form] > 0;
            }
            if (any && !all)
                fail_msg("%s: operand %u of type %s was not drawn in every form", heed_op_name(op),
                         (unsigned)i, heed_dtype_name((enum heed_dtype)dtype));
        }
    }
    if (coverage->empty == 0 || coverage->ones == 0)
        fail_msg("%s: %lld empty operands, %lld with a dimension of 1", heed_op_name(op),
                 (long long)coverage->empty, (long long)coverage->ones);
}

void agree_cases(struct agree_suite *suite, enum heed_op op, int64_t count,
                 void (*draw)(struct agree_case *it)) {
    struct agree_coverage coverage = {.empty = 0};
    for (int64_t i = 0; i < count; i++) {
        if ((suite->only_case >= 0 && suite->only_case != i) || i % suite->every != 0)
            continue;
        struct agree_case it = {.suite = suite, .coverage = &coverage};
        it.random.state = suite->seed;
        it.random.state = agree_bits(&it.random) + (uint64_t)op;
        it.random.state = agree_bits(&it.random) + (uint64_t)i;
        it.random.state = agree_bits(&it.random);
        it.plain = agree_chance(&it.random, 25);
        if (heed_graph_create(suite->context, "check", &it.graph) != HEED_OK)
            fail_msg("%s", heed_last_error(suite->context));
        char replay[80];
        snprintf(replay, sizeof replay, "HEED_SEED=%" PRIu64 " HEED_CASE=%" PRId64, suite->seed, i);
        compare_where(replay);
        draw(&it);
        suite->cases++;
        heed_graph_release(it.graph);
        for (uint32_t j = 0; j < it.operand_count; j++)
            if (it.operands[j].tensor != HEED_NO_TENSOR)
                free(it.operands[j].data);
    }
    check_coverage(suite, op, &coverage);
}

/* ---- operands ---- */

/* How the storage of an operand of `dims` lies for a form; `perm` for AGREE_TRANSPOSED. */
static void storage_dims(struct agree_case *it, enum agree_form form, uint32_t rank,
                         const int64_t *dims, const uint32_t *perm, struct heed_slice_attrs *slice,
                         int64_t *storage) {
    for (uint32_t i = 0; i < rank; i++) {
        storage[i] = dims[i];
        if (form == AGREE_TRANSPOSED)
            storage[perm[i]] = dims[i];
        if (form == AGREE_BROADCAST && dims[i] > 1 && agree_chance(&it->random, 50))
            storage[i] = 1;
        slice->size[i] = dims[i];
        if (form == AGREE_SLICED || form == AGREE_STEPPED) {
            slice->start[i] = agree_range(&it->random, 0, 2);
            slice->step[i] = form == AGREE_STEPPED ? agree_range(&it->random, 1, 3) : 1;
            const int64_t reach = dims[i] > 0 ? (dims[i] - 1) * slice->step[i] + 1 : 0;
            storage[i] = slice->start[i] + reach + agree_range(&it->random, 0, 1);
        }
    }
    if (form == AGREE_TRANSPOSED)
        for (uint32_t i = 0; i < rank; i++)
            storage[perm[i]] = dims[i];
}

static void draw_permutation(struct agree_case *it, uint32_t rank, uint32_t *perm) {
    for (uint32_t i = 0; i < rank; i++)
        perm[i] = i;
    for (uint32_t i = rank; i-- > 1;) {
        const uint32_t j = (uint32_t)agree_range(&it->random, 0, i);
        const uint32_t kept = perm[i];
        perm[i] = perm[j];
        perm[j] = kept;
    }
}

static struct agree_operand *next_operand(struct agree_case *it) {
    assert_true(it->operand_count < HEED_MAX_INPUTS);
    struct agree_operand *operand = &it->operands[it->operand_count];
    snprintf(operand->name, sizeof operand->name, "x%u", (unsigned)it->operand_count++);
    return operand;
}

/* Zero-filled memory for the storage. */
static void add_storage(struct agree_operand *operand) {
    const size_t bytes =
        (size_t)heed_desc_elems(&operand->storage) * heed_dtype_bytes(operand->storage.dtype);
    operand->data = calloc(bytes + 1, 1);
    assert_non_null(operand->data);
}

static void attach_storage(struct agree_case *it, struct agree_operand *operand, bool constant) {
    const struct heed_tensor_desc *desc = &operand->storage;
    operand->input = !constant;
    if (!constant) {
        heed_graph_input(it->graph, operand->name, desc->dtype, desc->rank, desc->dims, 0,
                         &operand->tensor);
        return;
    }
    struct heed_weight *weight = NULL;
    if (heed_weight_create(it->suite->context, operand->name, desc, operand->data, NULL, NULL,
                           &weight) != HEED_OK)
        fail_msg("%s", heed_last_error(it->suite->context));
    heed_graph_constant(it->graph, weight, &operand->tensor);
    heed_weight_release(weight);
}

/* An operand of `dims` as some view of a storage that fill() has filled. */
static void
add_operand(struct agree_case *it, enum heed_dtype dtype, uint32_t rank, const int64_t *dims,
            void (*fill)(struct agree_case *it, struct agree_operand *operand, const void *arg),
            const void *arg) {
    struct agree_operand *operand = next_operand(it);
    const bool constant = !it->plain && agree_chance(&it->random, 40);
    const enum agree_form form =
        it->plain || rank == 0 || agree_chance(&it->random, 30)
            ? AGREE_PLAIN
            : (enum agree_form)agree_range(&it->random, AGREE_PLAIN, AGREE_FORMS - 1);
    it->irregular = it->irregular || form == AGREE_BROADCAST;
    it->coverage->forms[it->operand_count - 1][dtype][form]++;
    for (uint32_t i = 0; i < rank; i++) {
        it->coverage->empty += dims[i] == 0;
        it->coverage->ones += dims[i] == 1;
    }
    uint32_t perm[HEED_MAX_RANK];
    int64_t storage[HEED_MAX_RANK];
    struct heed_slice_attrs slice = {.struct_size = sizeof slice};
    draw_permutation(it, rank, perm);
    storage_dims(it, form, rank, dims, perm, &slice, storage);
    operand->storage = heed_desc(dtype, rank, storage);
    add_storage(operand);
    fill(it, operand, arg);
    attach_storage(it, operand, constant);
    if (form == AGREE_TRANSPOSED)
        heed_graph_transpose(it->graph, NULL, operand->tensor, perm, &operand->tensor);
    else if (form == AGREE_BROADCAST)
        heed_graph_broadcast(it->graph, NULL, operand->tensor, rank, dims, &operand->tensor);
    else if (form == AGREE_SLICED || form == AGREE_STEPPED)
        heed_graph_add(it->graph, HEED_OP_SLICE, NULL, &operand->tensor, 1, &slice,
                       &operand->tensor);
}

static void fill_float(struct agree_case *it, struct agree_operand *operand, const void *arg) {
    const enum agree_values values = *(const enum agree_values *)arg;
    const int64_t elems = heed_desc_elems(&operand->storage);
    for (int64_t i = 0; i < elems; i++)
        compare_store(operand->data, operand->storage.dtype, i, agree_value(&it->random, values));
}

void agree_float(struct agree_case *it, enum heed_dtype dtype, uint32_t rank, const int64_t *dims,
                 enum agree_values values) {
    it->irregular = it->irregular || values != AGREE_NORMAL;
    add_operand(it, dtype, rank, dims, fill_float, &values);
}

static void fill_integer(struct agree_case *it, struct agree_operand *operand, const void *arg) {
    const int64_t *limits = arg;
    const int64_t elems = heed_desc_elems(&operand->storage);
    for (int64_t i = 0; i < elems; i++) {
        const int64_t value = agree_range(&it->random, limits[0], limits[1]);
        if (operand->storage.dtype == HEED_I8)
            ((int8_t *)operand->data)[i] = (int8_t)value;
        else
            ((int32_t *)operand->data)[i] = (int32_t)value;
    }
}

void agree_integer(struct agree_case *it, enum heed_dtype dtype, uint32_t rank, const int64_t *dims,
                   int64_t low, int64_t high) {
    const int64_t limits[] = {low, high};
    add_operand(it, dtype, rank, dims, fill_integer, limits);
}

void agree_given(struct agree_case *it, int64_t count, const int32_t *values) {
    struct agree_operand *operand = next_operand(it);
    const bool stepped = !it->plain && agree_chance(&it->random, 40);
    const struct heed_slice_attrs slice = {
        .struct_size = sizeof slice, .size = {count}, .step = {stepped ? 2 : 1}};
    const int64_t length = count * slice.step[0];
    operand->storage = heed_desc(HEED_I32, 1, &length);
    add_storage(operand);
    for (int64_t i = 0; i < length; i++) /* what lies between is out of every range */
        ((int32_t *)operand->data)[i] = i % slice.step[0] == 0 ? values[i / slice.step[0]] : -9;
    attach_storage(it, operand, !it->plain && agree_chance(&it->random, 40));
    if (stepped)
        heed_graph_add(it->graph, HEED_OP_SLICE, NULL, &operand->tensor, 1, &slice,
                       &operand->tensor);
}

void agree_state(struct agree_case *it, enum heed_dtype dtype, const int64_t dims[3]) {
    struct agree_operand *operand = next_operand(it);
    operand->state = true;
    operand->storage = heed_desc(dtype, 3, dims);
    add_storage(operand);
    fill_float(it, operand, &(const enum agree_values){AGREE_NORMAL});
    heed_graph_state(it->graph, operand->name, dtype, 3, dims, &operand->tensor);
}

void agree_absent(struct agree_case *it) {
    next_operand(it)->tensor = HEED_NO_TENSOR;
}
