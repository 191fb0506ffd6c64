/* SPDX-License-Identifier: Apache-2.0 */
/* Several steps in one submission give what single steps give: what is carried, what is kept, and
 * what a state holds in the end. A run that replays encodes nothing and allocates nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "tests/support/memory.h"

enum { WIDTH = 5, CAPACITY = 9, MOST = 7 };

static struct test_memory memory;
static struct heed_context *context;

static void ok(enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

/* Step t stores x at position t of the state, and passes on y = x + x and the position after t. */
static struct heed_graph *make_graph(void) {
    const int64_t one[] = {1}, dims[] = {1, 1, WIDTH}, state_dims[] = {1, CAPACITY, WIDTH};
    struct heed_graph *graph = NULL;
    heed_tensor x, y, at, by, next, state;
    ok(heed_graph_create(context, "steps", &graph));
    heed_graph_input(graph, "x", HEED_F32, 3, dims, 0, &x);
    heed_graph_input(graph, "at", HEED_I32, 1, one, 0, &at);
    heed_graph_input(graph, "by", HEED_I32, 1, one, 0, &by);
    heed_graph_state(graph, "kept", HEED_F32, 3, state_dims, &state);
    heed_graph_cache_append(graph, "append", state, x, at, HEED_NO_TENSOR, &state);
    heed_graph_binary(graph, HEED_OP_ADD, "double", x, x, &y);
    heed_graph_binary(graph, HEED_OP_ADD, "move", at, by, &next);
    heed_graph_output(graph, "y", y);
    heed_graph_output(graph, "next", next);
    ok(heed_graph_freeze(graph));
    return graph;
}

/* Runs `count` steps from position `from` on, one by one where they are not `together`. */
static void run(struct heed_instance *instance, uint32_t from, uint32_t count, bool together) {
    float *x = heed_instance_input(instance, "x", NULL);
    int32_t *at = heed_instance_input(instance, "at", NULL);
    *(int32_t *)heed_instance_input(instance, "by", NULL) = 1;
    *at = (int32_t)from;
    for (int i = 0; i < WIDTH; i++)
        x[i] = (float)(i + 1);
    if (together)
        ok(heed_instance_run_steps(context, instance, count));
    float factor = 2;
    for (uint32_t step = 0; step < count; step++, factor *= 2) {
        if (!together)
            ok(heed_instance_run(context, instance));
        const float *y = together ? heed_instance_output_at(instance, "y", step, NULL)
                                  : heed_instance_output(instance, "y", NULL);
        const int32_t *next = together ? heed_instance_output_at(instance, "next", step, NULL)
                                       : heed_instance_output(instance, "next", NULL);
        assert_int_equal(*next, from + step + 1);
        for (int i = 0; i < WIDTH; i++)
            assert_true(y[i] == factor * (float)(i + 1));
        if (!together) {
            memcpy(x, y, WIDTH * sizeof *x);
            *at = *next;
        }
    }
}

static void check_state(struct heed_state *state, uint32_t from, uint32_t count) {
    float found[CAPACITY][WIDTH], factor = 1;
    ok(heed_state_read(context, state, 0, found, sizeof found));
    for (uint32_t step = 0; step < count; step++, factor *= 2)
        for (int i = 0; i < WIDTH; i++)
            if (found[from + step][i] != factor * (float)(i + 1))
                fail_msg("position %u, element %d: %g", from + step, i,
                         (double)found[from + step][i]);
}

/* What the profile has counted in replayed steps, or in others. */
struct counted {
    uint32_t replayed;
    uint64_t steps, submissions, dispatches, encoded, allocated;
};

static void note(void *user, const struct heed_profile_counter *counter) {
    struct counted *counted = user;
    if (counter->replayed != counted->replayed)
        return;
    assert_string_equal(counter->backend, "vulkan");
    assert_string_equal(counter->graph, "steps");
    counted->steps = counter->steps;
    if (strcmp(counter->name, "submissions") == 0)
        counted->submissions = counter->value;
    else if (strcmp(counter->name, "dispatches") == 0)
        counted->dispatches = counter->value;
    else if (strstr(counter->name, "allocations") != NULL)
        counted->allocated += counter->value;
    else if (strcmp(counter->name, "host_ns") != 0) /* recorded commands, written descriptors */
        counted->encoded += counter->value;
}

static struct counted count(const struct heed_profile *profile, uint32_t replayed) {
    struct counted counted = {.replayed = replayed};
    heed_profile_counters(profile, note, &counted);
    return counted;
}

/* Two runs of 3 steps in series and 2 single ones, with the counters before and after. */
static void check_replay(struct heed_instance *instance, uint64_t submissions, bool anew) {
    struct heed_profile *profile = NULL;
    const long calls = atomic_load(&memory.calls);
    run(instance, 0, 3, true);
    run(instance, 0, 2, false);
    assert_int_equal(atomic_load(&memory.calls), calls); /* nothing of the runtime's either */
    ok(heed_profile_create(context, &profile));
    heed_instance_set_profile(instance, profile);
    run(instance, 0, 1, true); /* records anew, with timestamps */
    const struct counted first = count(profile, 0);
    assert_int_equal(first.steps, 1);
    assert_true(first.encoded > 0);
    run(instance, 0, 3, true);
    run(instance, 0, 3, true);
    run(instance, 0, 2, false);
    const struct counted replayed = count(profile, 1);
    assert_int_equal(replayed.steps, 8);
    assert_int_equal(replayed.submissions, 2 * submissions + 2);
    assert_int_equal(replayed.dispatches, 8 * 3);
    assert_int_equal(replayed.encoded > 0, anew);
    assert_int_equal(replayed.allocated, 0);
    heed_instance_set_profile(instance, NULL);
    heed_profile_destroy(profile);
}

/* `submissions` of a run of three steps; anew: no run replays. */
static void run_all(struct heed_executor *executor, uint64_t submissions, bool anew) {
    static const struct heed_carry carries[] = {{.output = "y", .input = "x"},
                                                {.output = "next", .input = "at"}};
    static const char *const stacked[] = {"next", "y"};
    const struct heed_steps_options options = {.struct_size = sizeof options,
                                               .most = MOST,
                                               .carries = carries,
                                               .carry_count = 2,
                                               .stacked = stacked,
                                               .stacked_count = 2};
    struct heed_graph *graph = make_graph();
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_state *states[2] = {NULL, NULL};
    ok(heed_program_compile(context, executor, graph, &program));
    ok(heed_instance_create(context, program, &instance));
    for (int i = 0; i < 2; i++)
        ok(heed_state_create(context, program, "kept", &states[i]));
    ok(heed_instance_bind_state(context, instance, "kept", states[0]));
    run(instance, 0, 3, false);
    ok(heed_instance_set_steps(context, instance, &options));
    for (uint32_t count = 1; count <= MOST; count += 2) {
        run(instance, 1, count, true);
        check_state(states[0], 1, count);
    }
    run(instance, 4, 2, false); /* the same instance one by one */
    check_state(states[0], 4, 2);
    ok(heed_instance_bind_state(context, instance, "kept", states[1]));
    run(instance, 2, MOST, true);
    check_state(states[1], 2, MOST);
    if (submissions > 0)
        check_replay(instance, submissions, anew);
    heed_instance_destroy(instance);
    for (int i = 0; i < 2; i++)
        heed_state_destroy(states[i]);
    heed_program_release(program);
    heed_graph_release(graph);
}

/* With a variable of the environment set, if there is such a device. */
static void steps_with(const char *variable, const char *value, uint64_t submissions, bool anew) {
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_executor *executor = NULL;
    assert_int_equal(setenv(variable, value, 1), 0);
    test_memory_init(&memory);
    context = test_context(&memory, NULL, HEED_LOG_WARNING);
    assert_non_null(context);
    const bool opened = heed_executor_create(context, &options, &executor) == HEED_OK;
    if (opened)
        run_all(executor, submissions, anew);
    heed_executor_release(executor);
    heed_context_destroy(context);
    (void)unsetenv(variable);
    assert_int_equal(atomic_load(&memory.live), 0);
    if (!opened) {
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
        skip();
    }
}

static void steps_in_one_submission(void **state) {
    (void)state;
    steps_with("HEED_VULKAN_RECORD", "once", 1, false);
}

static void steps_recorded_anew(void **state) {
    (void)state;
    steps_with("HEED_VULKAN_RECORD", "always", 1, true);
}

static void steps_on_a_card(void **state) { /* whose memory the host does not see */
    (void)state;
    steps_with("HEED_VULKAN_LIMITS", "unified=0", 1, false);
}

/* Two steps are as much work as a driver bears. */
static void steps_in_several(void **state) {
    (void)state;
    steps_with("HEED_VULKAN_LIMITS", "work=1100", 2, false);
}

static void a_dispatch_at_a_time(void **state) {
    (void)state;
    steps_with("HEED_VULKAN_LIMITS", "work=1", 0, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_in_one_submission), cmocka_unit_test(steps_recorded_anew),
        cmocka_unit_test(steps_on_a_card), cmocka_unit_test(steps_in_several),
        cmocka_unit_test(a_dispatch_at_a_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
