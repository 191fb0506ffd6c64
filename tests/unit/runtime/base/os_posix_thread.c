/* SPDX-License-Identifier: Apache-2.0 */
/* Mutexes, conditions, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>

#include <cmocka.h>

#include "runtime/base/context.h"
#include "runtime/base/os.h"
#include "tests/unit/failing_allocator.h"

#define THREADS 4
#define ROUNDS 5000

struct shared {
    struct heedi_mutex *mutex;
    struct heedi_condition *changed;
    int turn;
    long sum;           /* plain: the mutex guards it */
    atomic_int blocked; /* threads that block signals */
};

struct job {
    struct shared *shared;
    int index;
};

static void add(void *arg) {
    struct job *job = arg;
    for (int i = 0; i < ROUNDS; i++) {
        heedi_os_lock(job->shared->mutex);
        job->shared->sum++;
        heedi_os_unlock(job->shared->mutex);
    }
}

static void add_globally(void *arg) {
    struct job *job = arg;
    for (int i = 0; i < ROUNDS; i++) {
        heedi_os_global_lock();
        job->shared->sum++;
        heedi_os_global_unlock();
    }
}

/* Thread k waits for turn k, then passes it on. */
static void take_turn(void *arg) {
    struct job *job = arg;
    struct shared *shared = job->shared;
    heedi_os_lock(shared->mutex);
    while (shared->turn != job->index)
        heedi_os_wait(shared->changed, shared->mutex);
    shared->sum = 10 * shared->sum + job->index;
    shared->turn--;
    heedi_os_wake_all(shared->changed);
    heedi_os_unlock(shared->mutex);
}

static void look_at_signals(void *arg) {
    struct job *job = arg;
    sigset_t blocked;
    if (pthread_sigmask(SIG_SETMASK, NULL, &blocked) == 0 && sigismember(&blocked, SIGINT) == 1 &&
        sigismember(&blocked, SIGALRM) == 1)
        atomic_fetch_add(&job->shared->blocked, 1);
}

static void run(struct heed_context *context, struct shared *shared, void (*fn)(void *)) {
    struct job jobs[THREADS];
    struct heedi_thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){shared, i};
        threads[i] =
            heedi_os_thread_start(&context->env, fn, &jobs[i], "a name longer than systems keep");
        assert_non_null(threads[i]);
    }
    for (int i = 0; i < THREADS; i++)
        heedi_os_thread_join(&context->env, threads[i]);
}

static void test_threads(void **state) {
    (void)state;
    struct failing_allocator failing = {0};
    struct heed_context *context = failing_context(&failing);
    const struct heedi_env *env = &context->env;
    struct shared shared = {.mutex = heedi_os_mutex_create(env),
                            .changed = heedi_os_condition_create(env)};
    assert_non_null(shared.mutex);
    assert_non_null(shared.changed);
    run(context, &shared, add);
    assert_int_equal(shared.sum, THREADS * ROUNDS);
    run(context, &shared, add_globally);
    assert_int_equal(shared.sum, 2 * THREADS * ROUNDS);
    shared.sum = 0;
    shared.turn = THREADS - 1;
    run(context, &shared, take_turn);
    assert_int_equal(shared.sum, 3210);
    run(context, &shared, look_at_signals);
    assert_int_equal(atomic_load(&shared.blocked), THREADS);
    sigset_t blocked; /* ... and the thread that starts others keeps its own */
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    assert_int_equal(sigismember(&blocked, SIGALRM), 0);
    heedi_os_pause();
    heedi_os_yield();
    heedi_os_condition_destroy(env, shared.changed);
    heedi_os_mutex_destroy(env, shared.mutex);
    heed_context_destroy(context);
    assert_int_equal(atomic_load(&failing.live), 0);
}

static void test_try_lock(void **state) {
    (void)state;
    struct failing_allocator failing = {0};
    struct heed_context *context = failing_context(&failing);
    struct heedi_mutex *mutex = heedi_os_mutex_create(&context->env);
    assert_true(heedi_os_try_lock(mutex));
    assert_false(heedi_os_try_lock(mutex)); /* not even by the thread that holds it */
    heedi_os_unlock(mutex);
    assert_true(heedi_os_try_lock(mutex));
    heedi_os_unlock(mutex);
    heedi_os_mutex_destroy(&context->env, mutex);
    heedi_os_mutex_destroy(&context->env, NULL);
    heedi_os_condition_destroy(&context->env, NULL);
    heedi_os_thread_join(&context->env, NULL);
    heed_context_destroy(context);
}

static void test_no_memory(void **state) {
    (void)state;
    struct failing_allocator failing = {0};
    struct heed_context *context = failing_context(&failing);
    failing_arm(&failing, 1);
    assert_null(heedi_os_mutex_create(&context->env));
    failing_arm(&failing, 1);
    assert_null(heedi_os_condition_create(&context->env));
    failing_arm(&failing, 1);
    assert_null(heedi_os_thread_start(&context->env, add, NULL, "test"));
    heed_context_destroy(context);
    assert_int_equal(atomic_load(&failing.live), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_try_lock),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
