/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator on every backend against results that were worked out elsewhere: all backends and
 * the references could share one misreading of a formula. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/check/trial.h"
#include "runtime/ops/op.h"
#include "tests/check/fixtures_data.h"
#include "tests/support/backends.h"
#include "tests/support/memory.h"

enum { FIXTURES = sizeof fixtures / sizeof *fixtures, MOST = 24 };
static const double TOLERANCE = 2e-6; /* of values near 1; results in f32 */

static struct support_backend backends[SUPPORT_BACKENDS];
static size_t backend_count;
static bool ran[HEED_OP_COUNT_PLUS_ONE]; /* on some backend */

static bool close_to(double expected, double actual) {
    if (isnan(expected) || isinf(expected))
        return isnan(expected) ? isnan(actual) : actual == expected;
    return fabs(actual - expected) <= TOLERANCE * fmax(1, fabs(expected));
}

static void compare(const struct fixture *fixture, const char *backend, enum heed_dtype dtype,
                    const void *actual, const double *expected, int64_t elems) {
    assert_true(elems <= MOST);
    for (int64_t i = 0; i < elems; i++)
        if (!close_to(expected[i], heedi_load(actual, dtype, i)))
            fail_msg("%s on %s, element %d: expected %.9g, found %.9g", fixture->name, backend,
                     (int)i, expected[i], heedi_load(actual, dtype, i));
}

/* The results' types and shapes. */
static struct heedi_call infer(const struct heedi_case *it, struct heed_error *error) {
    struct heedi_call call = {.op = it->op,
                              .name = "node",
                              .attrs = it->attrs_size > 0 ? &it->attrs : NULL,
                              .input_count = it->operand_count,
                              .error = error};
    for (uint32_t i = 0; i < it->operand_count; i++)
        if (it->operands[i].source != HEEDI_SOURCE_ABSENT) {
            call.inputs[i] = &it->operands[i].desc;
            call.input_names[i] = "operand";
        }
    if (heedi_op_infer(&call) != HEED_OK)
        fail_msg("%s", error->message);
    return call;
}

static void check_one(struct heed_context *context, struct heedi_target *target,
                      const char *backend, const struct fixture *fixture) {
    double results[HEED_MAX_OUTPUTS][MOST]; /* aligned for every type */
    void *const outputs[] = {results[0], results[1]};
    struct heed_error error = {.struct_size = sizeof error};
    struct heed_check_finding finding;
    struct heedi_case it;
    if (heedi_case_parse(context, fixture->text, strlen(fixture->text), &it) != HEED_OK)
        fail_msg("%s: %s", fixture->name, heed_last_error(context));
    const struct heedi_call call = infer(&it, &error);
    if (heedi_trial(target, &it, 0, outputs, &finding) != HEED_OK)
        fail_msg("%s: %s", fixture->name, heed_last_error(target->context));
    if (finding.fault != HEED_CHECK_NONE)
        fail_msg("%s on %s: %s %s", fixture->name, backend,
                 heed_check_fault_name((enum heed_check_fault)finding.fault), finding.message);
    if (!finding.declined) {
        ran[it.op] = true;
        compare(fixture, backend, call.outputs[0].dtype, outputs[0], fixture->y0,
                heed_desc_elems(&call.outputs[0]));
        if (call.output_count > 1)
            compare(fixture, backend, call.outputs[1].dtype, outputs[1], fixture->y1,
                    heed_desc_elems(&call.outputs[1]));
    }
    heedi_case_clear(&context->env, &it);
}

static void test_fixtures(void **state) {
    struct heed_context *context = *state;
    for (size_t b = 0; b < backend_count; b++) {
        const struct heed_check_options options = {.struct_size = sizeof options,
                                                   .backend = backends[b].name,
                                                   .plugin_path = HEED_TEST_PLUGINS};
        struct heedi_target target;
        if (heedi_target_open(context, &options, &target) != HEED_OK)
            fail_msg("%s", heed_last_error(context));
        for (size_t i = 0; i < FIXTURES; i++)
            check_one(context, &target, backends[b].name, &fixtures[i]);
        heedi_target_close(&target);
    }
}

/* Every operator that is drawn for checks has a fixture, and some backend has run it. */
static void test_every_operator(void **state) {
    struct heed_context *context = *state;
    bool there[HEED_OP_COUNT_PLUS_ONE] = {false};
    for (size_t i = 0; i < FIXTURES; i++) {
        struct heedi_case it;
        assert_int_equal(heedi_case_parse(context, fixtures[i].text, strlen(fixtures[i].text), &it),
                         HEED_OK);
        there[it.op] = true;
        heedi_case_clear(&context->env, &it);
    }
    for (int op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++)
        if (heedi_case_count((enum heed_op)op) > 0 &&
            (!there[op] || (backend_count > 1 && !ran[op])))
            fail_msg("%s: %s", heed_op_name((enum heed_op)op),
                     there[op] ? "not run" : "no fixture");
}

static int setup(void **state) {
    *state = test_context(NULL, NULL, HEED_LOG_ERROR);
    backend_count = support_backends(backends);
    return *state == NULL || backend_count == 0;
}

static int teardown(void **state) {
    heed_context_destroy(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixtures),
        cmocka_unit_test(test_every_operator),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
