/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of several steps: what is carried, what is kept, and what is refused, whether the host
 * passes on or the device; what the profile counts of them. */
#include "exec_test.h"

#include "runtime/exec/executor.h"

static const int64_t two[] = {2};

/* y = x + step, z = y y; x carries y. */
static struct heed_program *scan(struct heed_executor *executor) {
    struct heed_graph *graph = NULL;
    heed_tensor x, step, y, z;
    assert_ok(heed_graph_create(context, "scan", &graph));
    assert_ok(heed_graph_input(graph, "x", HEED_I32, 1, two, 0, &x));
    assert_ok(heed_graph_input(graph, "step", HEED_I32, 1, two, 0, &step));
    assert_ok(heed_graph_binary(graph, HEED_OP_ADD, "y", x, step, &y));
    assert_ok(heed_graph_binary(graph, HEED_OP_MUL, "z", y, y, &z));
    assert_ok(heed_graph_output(graph, "y", y));
    assert_ok(heed_graph_output(graph, "z", z));
    assert_ok(heed_graph_output(graph, "same", step));
    assert_ok(heed_graph_freeze(graph));
    struct heed_program *program = compile(executor, graph);
    heed_graph_release(graph);
    return program;
}

static const struct heed_carry carry = {.output = "y", .input = "x"};
static const char *const kept[] = {"z", "y"};
static const struct heed_steps_options four = {.struct_size = sizeof four,
                                               .most = 4,
                                               .carries = &carry,
                                               .carry_count = 1,
                                               .stacked = kept,
                                               .stacked_count = 2};

static void fill(struct heed_instance *instance, int32_t first, int32_t second) {
    int32_t *x = heed_instance_input(instance, "x", NULL);
    int32_t *step = heed_instance_input(instance, "step", NULL);
    x[0] = first;
    x[1] = second;
    step[0] = 1;
    step[1] = -2;
}

static void check(struct heed_instance *instance, const char *name, uint32_t step, int32_t first,
                  int32_t second) {
    size_t bytes = 0;
    const int32_t *found = heed_instance_output_at(instance, name, step, &bytes);
    assert_non_null(found);
    assert_int_equal(bytes, 2 * sizeof *found);
    assert_int_equal(found[0], first);
    assert_int_equal(found[1], second);
}

static void run_scan(const char *backends, uint32_t parts) {
    struct heed_executor *executor = open_executor(backends);
    struct heed_program *program = scan(executor);
    struct heed_instance *instance = NULL;
    assert_int_equal(program->part_count, parts);
    assert_ok(heed_instance_create(context, program, &instance));
    assert_null(heed_instance_output_at(instance, "y", 0, NULL));
    assert_ok(heed_instance_set_steps(context, instance, &four));
    fill(instance, 10, 0);
    const long allocations = atomic_load(&memory.calls);
    assert_ok(heed_instance_run_steps(context, instance, 4));
    for (int32_t i = 0; i < 4; i++) {
        check(instance, "y", (uint32_t)i, 11 + i, -2 - 2 * i);
        check(instance, "z", (uint32_t)i, (11 + i) * (11 + i), 4 * (i + 1) * (i + 1));
    }
    fill(instance, 1, 0); /* fewer; what was carried before is gone */
    assert_ok(heed_instance_run_steps(context, instance, 2));
    check(instance, "y", 0, 2, -2);
    check(instance, "y", 1, 3, -4);
    assert_int_equal(atomic_load(&memory.calls), allocations);
    assert_null(heed_instance_output_at(instance, "y", 4, NULL));
    assert_null(heed_instance_output_at(instance, "same", 0, NULL));
    assert_null(heed_instance_output_at(instance, NULL, 0, NULL));
    fill(instance, 5, 5); /* a single run is one as ever */
    assert_ok(heed_instance_run(context, instance));
    assert_int_equal(((const int32_t *)heed_instance_output(instance, "y", NULL))[1], 3);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_executor_release(executor);
}

static void test_one_part(void **state) {
    (void)state;
    run_scan("fake_a,only", 1);
}

static void test_device(void **state) {
    (void)state;
    fake_a.steps = true;
    run_scan("fake_a,only", 1);
    assert_int_equal(atomic_load(&fake_a.series_done), 2);
    assert_int_equal(atomic_load(&fake_a.runs_done), 7);
    fake_a.steps_status = HEED_ERROR_UNSUPPORTED; /* then the host does it */
    run_scan("fake_a,only", 1);
    assert_int_equal(atomic_load(&fake_a.series_done), 2);
    assert_int_equal(atomic_load(&fake_a.runs_done), 14);
}

static void test_two_parts(void **state) {
    (void)state;
    const enum heed_op add[] = {HEED_OP_ADD, HEED_OP_NONE};
    fake_runs_only(&fake_a, add);
    fake_a.steps = fake_b.steps = true; /* neither has the whole program */
    run_scan("fake_a,fake_b,only", 2);
}

static void check_cost(const char *backends, uint64_t expected) {
    struct heed_executor *executor = open_executor(backends);
    struct heed_program *program = scan(executor);
    assert_int_equal(heedi_program_submission_ns(program), expected);
    heed_program_release(program);
    heed_executor_release(executor);
}

/* What a submission costs is known of one device that runs everything and offers steps. */
static void test_cost(void **state) {
    (void)state;
    const enum heed_op add[] = {HEED_OP_ADD, HEED_OP_NONE};
    fake_a.submission_ns = fake_b.submission_ns = 12345;
    check_cost("fake_a,only", 0);
    fake_a.steps = fake_b.steps = true;
    check_cost("fake_a,only", 12345);
    fake_a.submission_ns = 0;
    check_cost("fake_a,only", 0);
    fake_a.submission_ns = 12345;
    fake_runs_only(&fake_a, add);
    check_cost("fake_a,fake_b,only", 0);
}

static void refuse(struct heed_instance *instance, struct heed_steps_options options,
                   enum heed_status status, const char *words) {
    options.struct_size = sizeof options;
    assert_fails(heed_instance_set_steps(context, instance, &options), status, words);
}

static void test_refusals(void **state) {
    (void)state;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_program *program = scan(executor);
    struct heed_instance *instance = NULL;
    const struct heed_carry unknown = {.output = "y", .input = "w"};
    const char *const nothing[] = {"x"};
    assert_ok(heed_instance_create(context, program, &instance));
    refuse(instance, (struct heed_steps_options){.most = 0}, HEED_ERROR_INVALID_ARGUMENT,
           "expected at least 1 step");
    refuse(instance, (struct heed_steps_options){.most = 2, .carry_count = 1},
           HEED_ERROR_INVALID_ARGUMENT, "an array is missing");
    refuse(instance, (struct heed_steps_options){.most = 2, .carries = &unknown, .carry_count = 1},
           HEED_ERROR_NOT_FOUND, "output 'y' or input 'w' does not exist");
    refuse(instance, (struct heed_steps_options){.most = 2, .stacked = nothing, .stacked_count = 1},
           HEED_ERROR_NOT_FOUND, "has no output 'x'");
    assert_fails(heed_instance_run_steps(context, instance, 1), HEED_ERROR_INVALID_ARGUMENT,
                 "expected 1 to 0 steps, found 1");
    assert_ok(heed_instance_set_steps(context, instance, &four));
    assert_fails(heed_instance_set_steps(context, instance, &four), HEED_ERROR_INVALID_ARGUMENT,
                 "steps were set before");
    for (uint32_t wrong = 0; wrong <= 5; wrong += 5)
        assert_fails(heed_instance_run_steps(context, instance, wrong), HEED_ERROR_INVALID_ARGUMENT,
                     "expected 1 to 4 steps");
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_executor_release(executor);
}

static void test_failures(void **state) {
    (void)state;
    fake_a.steps = true;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_program *program = scan(executor);
    struct heed_instance *instance = NULL;
    fake_a.run_status = HEED_ERROR_DEVICE_LOST;
    fake_a.runs_until_then = 2; /* in the middle */
    assert_ok(heed_instance_create(context, program, &instance));
    assert_ok(heed_instance_set_steps(context, instance, &four));
    fill(instance, 0, 0);
    assert_int_equal(heed_instance_run_steps(context, instance, 4), HEED_ERROR_DEVICE_LOST);
    heed_instance_destroy(instance);
    fake_a.steps_status = HEED_ERROR_DEVICE_MEMORY;
    assert_ok(heed_instance_create(context, program, &instance));
    assert_fails(heed_instance_set_steps(context, instance, &four), HEED_ERROR_DEVICE_MEMORY,
                 "preparing several steps of part 0 on backend 'fake_a': no steps");
    heed_instance_destroy(instance);
    fake_a.steps_status = HEED_OK;
    for (int fails = 0;; fails++) { /* every allocation in turn */
        enum heed_status status;
        assert_ok(heed_instance_create(context, program, &instance));
        atomic_store(&memory.fail_at, atomic_load(&memory.calls) + 1 + fails);
        status = heed_instance_set_steps(context, instance, &four);
        atomic_store(&memory.fail_at, 0);
        heed_instance_destroy(instance);
        if (status == HEED_OK)
            break;
        assert_int_equal(status, HEED_ERROR_OUT_OF_MEMORY);
    }
    heed_program_release(program);
    heed_executor_release(executor);
}

struct sums {
    uint64_t steps[2], submissions[2], allocations[2];
};

static void sum(void *user, const struct heed_profile_counter *counter) {
    struct sums *sums = user;
    assert_string_equal(counter->backend, "fake_a");
    assert_string_equal(counter->graph, "scan");
    assert_in_range(counter->replayed, 0, 1);
    sums->steps[counter->replayed] = counter->steps;
    if (strcmp(counter->name, "submissions") == 0)
        sums->submissions[counter->replayed] = counter->value;
    else if (strcmp(counter->name, "host_allocations") == 0)
        sums->allocations[counter->replayed] = counter->value;
    else
        fail_msg("unknown counter %s", counter->name);
}

static void test_counters(void **state) {
    (void)state;
    fake_a.steps = fake_a.counts = true;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_program *program = scan(executor);
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    struct sums sums = {{0}, {0}, {0}};
    assert_ok(heed_profile_create(context, &profile));
    assert_ok(heed_instance_create(context, program, &instance));
    assert_ok(heed_instance_set_steps(context, instance, &four));
    assert_ok(heed_instance_run_steps(context, instance, 4)); /* not seen */
    heed_instance_set_profile(instance, profile);
    assert_ok(heed_instance_run_steps(context, instance, 2));
    assert_ok(heed_instance_run_steps(context, instance, 3));
    assert_ok(heed_instance_run(context, instance));
    heed_profile_counters(profile, sum, &sums);
    assert_int_equal(sums.steps[0], 2);
    assert_int_equal(sums.submissions[0], 2);
    assert_int_equal(sums.steps[1], 4);
    assert_int_equal(sums.submissions[1], 4);
    assert_int_equal(sums.allocations[0] + sums.allocations[1], 0);
    heed_instance_destroy(instance);
    heed_profile_destroy(profile);
    heed_program_release(program);
    heed_executor_release(executor);
}

int main(void) {
    const struct CMUnitTest tests[] = {exec_test(test_one_part),  exec_test(test_device),
                                       exec_test(test_two_parts), exec_test(test_refusals),
                                       exec_test(test_cost),      exec_test(test_failures),
                                       exec_test(test_counters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
