/* SPDX-License-Identifier: Apache-2.0 */
/* The program cache: bounded, least recently used goes first, one build per key. */
#include "exec_test.h"

static atomic_int builds;

static enum heed_status build_small(void *user, struct heed_context *of,
                                    struct heed_graph **graph) {
    (void)user;
    (void)of;
    atomic_fetch_add(&builds, 1);
    *graph = small_graph();
    return HEED_OK;
}

static enum heed_status build_nothing(void *user, struct heed_context *of,
                                      struct heed_graph **graph) {
    (void)user;
    (void)graph;
    atomic_fetch_add(&builds, 1);
    return heedi_fail(of, HEED_ERROR_LIMIT, "no such bucket");
}

static struct heed_program *get(struct heed_executor *executor, const char *key) {
    struct heed_program *program = NULL;
    assert_ok(heed_executor_cached_program(context, executor, key, build_small, NULL, &program));
    return program;
}

/* 1 where asking for the key had to build. */
static int misses(struct heed_executor *executor, const char *key) {
    const int before = atomic_load(&builds);
    heed_program_release(get(executor, key));
    return atomic_load(&builds) - before;
}

static void least_recently_used_goes_first(void **state) {
    (void)state;
    struct heed_executor *executor = open_executor("fake_a,only"); /* at most 2 programs */
    assert_int_equal(misses(executor, "one"), 1);
    assert_int_equal(misses(executor, "two"), 1);
    assert_int_equal(misses(executor, "one"), 0);
    assert_int_equal(misses(executor, "two"), 0);
    assert_int_equal(misses(executor, "one"), 0); /* "two" is the older one now */
    struct heed_program *two = get(executor, "two");
    assert_int_equal(misses(executor, "one"), 0);
    assert_int_equal(misses(executor, "three"), 1); /* "two" goes */
    assert_int_equal(misses(executor, "one"), 0);
    check_small(two); /* in use: stays alive */
    heed_program_release(two);
    assert_int_equal(misses(executor, "two"), 1); /* "three" goes */
    assert_int_equal(misses(executor, "one"), 0);
    assert_int_equal(misses(executor, "three"), 1);
    heed_executor_release(executor);
}

static void same_program_for_same_key(void **state) {
    (void)state;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_program *first = get(executor, "k"), *second = get(executor, "k");
    assert_ptr_equal(first, second);
    heed_program_release(first);
    heed_program_release(second);
    heed_executor_release(executor);
}

static void prefixes_are_forgotten(void **state) {
    (void)state;
    struct heed_executor *executor = open_executor("fake_a,only");
    misses(executor, "model1/a");
    misses(executor, "model2/a");
    heed_executor_forget(executor, "model1/");
    assert_int_equal(misses(executor, "model2/a"), 0);
    assert_int_equal(misses(executor, "model1/a"), 1);
    heed_executor_forget(executor, "");
    assert_int_equal(misses(executor, "model2/a"), 1);
    heed_executor_release(executor);
}

static void failures_are_not_kept(void **state) {
    (void)state;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_program *program = NULL;
    for (int i = 0; i < 2; i++) {
        const int before = atomic_load(&builds);
        assert_fails(
            heed_executor_cached_program(context, executor, "k", build_nothing, NULL, &program),
            HEED_ERROR_LIMIT, "no such bucket");
        assert_null(program);
        assert_int_equal(atomic_load(&builds), before + 1);
    }
    assert_int_equal(misses(executor, "k"), 1);
    heed_executor_release(executor);
}

/* ---- several threads ---- */

struct asker {
    struct heed_executor *executor;
    int failures;
};

/* cmocka's checks belong to the main thread, so here failures are counted. */
static enum heed_status build_quietly(void *user, struct heed_context *own,
                                      struct heed_graph **graph) {
    static const int64_t dims[1] = {4};
    heed_tensor x, y;
    (void)user;
    atomic_fetch_add(&builds, 1);
    enum heed_status status = heed_graph_create(own, "quiet", graph);
    if (status != HEED_OK)
        return status;
    heed_graph_input(*graph, "x", HEED_F32, 1, dims, 0, &x);
    heed_graph_unary(*graph, HEED_OP_RELU, NULL, x, &y);
    heed_graph_output(*graph, "y", y);
    status = heed_graph_freeze(*graph);
    if (status != HEED_OK) {
        heed_graph_release(*graph);
        *graph = NULL;
    }
    return status;
}

static void ask(void *arg) {
    struct asker *asker = arg;
    struct heed_context *own = test_context(&memory, &logged, HEED_LOG_ERROR);
    for (int i = 0; i < 40; i++) {
        char key[16];
        struct heed_program *program = NULL;
        struct heed_instance *instance = NULL;
        snprintf(key, sizeof key, "bucket%d", i / 10);
        if (heed_executor_cached_program(own, asker->executor, key, build_quietly, NULL,
                                         &program) != HEED_OK ||
            heed_instance_create(own, program, &instance) != HEED_OK) {
            asker->failures++;
        } else {
            float *x = heed_instance_input(instance, "x", NULL);
            x[0] = -1;
            x[1] = 2;
            const bool ran = heed_instance_run(own, instance) == HEED_OK;
            const float *y = heed_instance_output(instance, "y", NULL);
            asker->failures += !ran || y[0] != 0 || y[1] != 2;
        }
        heed_instance_destroy(instance);
        heed_program_release(program);
        if (i == 25)
            heed_executor_forget(asker->executor, "bucket2");
    }
    heed_context_destroy(own);
}

static void threads_share_a_cache(void **state) {
    (void)state;
    struct heed_executor *executor = open_executor("fake_a,only");
    const struct heedi_env env = context->env;
    struct asker askers[4];
    struct heedi_thread *threads[4];
    atomic_store(&builds, 0);
    for (int i = 0; i < 4; i++) {
        askers[i] = (struct asker){.executor = executor};
        threads[i] = heedi_os_thread_start(&env, ask, &askers[i], "asker");
        assert_non_null(threads[i]);
    }
    for (int i = 0; i < 4; i++)
        heedi_os_thread_join(&env, threads[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(askers[i].failures, 0);
    assert_true(atomic_load(&builds) >= 4);
    heed_executor_release(executor);
}

/* Four threads ask for one new key at once: it is built once. */
static void ask_once(void *arg) {
    struct asker *asker = arg;
    struct heed_context *own = test_context(&memory, &logged, HEED_LOG_ERROR);
    struct heed_program *program = NULL;
    asker->failures = heed_executor_cached_program(own, asker->executor, "one", build_quietly, NULL,
                                                   &program) != HEED_OK;
    heed_program_release(program);
    heed_context_destroy(own);
}

static void one_build_for_one_key(void **state) {
    (void)state;
    const struct heedi_env env = context->env;
    for (int round = 0; round < 20; round++) {
        struct heed_executor *executor = open_executor("fake_a,only");
        struct asker askers[4];
        struct heedi_thread *threads[4];
        atomic_store(&builds, 0);
        for (int i = 0; i < 4; i++) {
            askers[i] = (struct asker){.executor = executor};
            threads[i] = heedi_os_thread_start(&env, ask_once, &askers[i], "asker");
            assert_non_null(threads[i]);
        }
        for (int i = 0; i < 4; i++) {
            heedi_os_thread_join(&env, threads[i]);
            assert_int_equal(askers[i].failures, 0);
        }
        assert_int_equal(atomic_load(&builds), 1);
        heed_executor_release(executor);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(least_recently_used_goes_first), exec_test(same_program_for_same_key),
        exec_test(prefixes_are_forgotten),         exec_test(failures_are_not_kept),
        exec_test(threads_share_a_cache),          exec_test(one_build_for_one_key),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
