/* SPDX-License-Identifier: Apache-2.0 */
/* Thread pool. A loop is cut into chunks by its shape alone (count and grain), so that results
 * cannot depend on the number of threads; threads claim chunks from one atomic counter. Workers
 * spin shortly after a loop, since the next node of a graph follows at once, and then sleep. */
#include <stdatomic.h>

#include "heed/executor.h"
#include "runtime/base/context.h"
#include "runtime/base/os.h"
#include "runtime/base/refcount.h"

#define SPINS 2000
#define MAX_THREADS 1024u

struct loop {
    heed_range_fn fn;
    void *arg;
    int64_t count, grain, chunks;
    atomic_int_fast64_t next; /* chunk to be claimed */
    atomic_int_fast64_t left; /* chunks not finished */
};

struct heed_pool {
    struct heedi_env env;
    struct heedi_refcount references;
    uint32_t threads;
    heed_parallel_for_fn parallel_for;
    void *user;

    struct heedi_mutex *busy;  /* held by the thread whose loop runs */
    struct heedi_mutex *mutex; /* guards started, stop, and sleeping on `work` */
    struct heedi_condition *work;
    struct heedi_thread **workers;
    uint32_t started;
    bool start_failed; /* the system has no more threads; guarded by busy, as is started */
    bool stop;
    atomic_uint_fast64_t generation; /* odd: a loop may be entered */
    atomic_uint inside;              /* workers looking at `loop` */
    struct loop loop;
};

static void run_chunks(struct loop *loop) {
    for (;;) {
        const int64_t chunk = atomic_fetch_add_explicit(&loop->next, 1, memory_order_relaxed);
        if (chunk >= loop->chunks)
            return;
        const int64_t begin = chunk * loop->grain;
        const int64_t rest = loop->count - begin;
        loop->fn(loop->arg, begin, begin + (rest < loop->grain ? rest : loop->grain));
        atomic_fetch_sub_explicit(&loop->left, 1, memory_order_release);
    }
}

/* Waits for a generation newer than `seen`; false when the pool stops. */
static bool await_work(struct heed_pool *pool, uint64_t seen) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen)
            break;
        heedi_os_pause();
    }
    heedi_os_lock(pool->mutex);
    while (!pool->stop && atomic_load(&pool->generation) == seen)
        heedi_os_wait(pool->work, pool->mutex);
    const bool go_on = !pool->stop;
    heedi_os_unlock(pool->mutex);
    return go_on;
}

static void worker_main(void *arg) {
    struct heed_pool *pool = arg;
    uint64_t seen = 0;
    while (await_work(pool, seen)) {
        /* The owner closes the loop (makes the generation even) and then waits until nobody is
         * inside; whoever enters after the closing sees an even generation and leaves. */
        atomic_fetch_add(&pool->inside, 1u);
        const uint64_t generation = atomic_load(&pool->generation);
        if (generation & 1u)
            run_chunks(&pool->loop);
        atomic_fetch_sub(&pool->inside, 1u);
        seen = generation;
    }
}

static void start_workers(struct heed_pool *pool) {
    while (pool->started + 1 < pool->threads && !pool->start_failed) {
        struct heedi_thread *thread =
            heedi_os_thread_start(&pool->env, worker_main, pool, "heed-worker");
        if (thread == NULL) { /* go on with the threads that there are */
            pool->start_failed = true;
            break;
        }
        pool->workers[pool->started++] = thread;
    }
}

void heed_pool_parallel_for(struct heed_pool *pool, int64_t count, int64_t grain, heed_range_fn fn,
                            void *arg) {
    if (count <= 0)
        return;
    if (grain < 1)
        grain = 1;
    if (pool->parallel_for != NULL) {
        pool->parallel_for(pool->user, count, grain, fn, arg);
        return;
    }
    if (pool->threads < 2 || count <= grain || !heedi_os_try_lock(pool->busy)) {
        fn(arg, 0, count);
        return;
    }
    start_workers(pool);
    struct loop *loop = &pool->loop;
    loop->fn = fn;
    loop->arg = arg;
    loop->count = count;
    loop->grain = grain;
    loop->chunks = count / grain + (count % grain != 0);
    atomic_store_explicit(&loop->next, 0, memory_order_relaxed);
    atomic_store_explicit(&loop->left, loop->chunks, memory_order_relaxed);
    heedi_os_lock(pool->mutex);
    atomic_fetch_add(&pool->generation, 1u);
    heedi_os_wake_all(pool->work);
    heedi_os_unlock(pool->mutex);
    run_chunks(loop);
    for (int i = 0; atomic_load_explicit(&loop->left, memory_order_acquire) > 0; i++) {
        if (i < SPINS)
            heedi_os_pause();
        else
            heedi_os_yield();
    }
    atomic_fetch_add(&pool->generation, 1u);
    while (atomic_load(&pool->inside) > 0)
        heedi_os_yield();
    heedi_os_unlock(pool->busy);
}

enum heed_status heed_pool_create(struct heed_context *context,
                                  const struct heed_pool_options *options,
                                  struct heed_pool **pool) {
    if (pool != NULL)
        *pool = NULL;
    if (context == NULL || pool == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_pool_create: context and pool must not be NULL");
    struct heed_pool_options known = {.struct_size = sizeof known};
    if (options != NULL) {
        const enum heed_status status =
            heedi_read_struct(&known, sizeof known, options, "heed_pool_options", &context->error);
        if (status != HEED_OK)
            return status;
    }
    if (known.threads > MAX_THREADS)
        return heedi_fail(context, HEED_ERROR_LIMIT, "pool: %u threads asked for, at most %u",
                          known.threads, MAX_THREADS);
    struct heed_pool *made = heedi_calloc(&context->env, 1, sizeof *made);
    if (made == NULL)
        return heedi_fail_memory(context, "a thread pool", sizeof *made);
    heedi_ref_init(&made->references);
    made->env = context->env;
    made->threads = known.threads == 0 ? heedi_os_processor_count() : known.threads;
    made->parallel_for = known.parallel_for;
    made->user = known.user;
    made->busy = heedi_os_mutex_create(&made->env);
    made->mutex = heedi_os_mutex_create(&made->env);
    made->work = heedi_os_condition_create(&made->env);
    made->workers = heedi_calloc(&made->env, made->threads, sizeof *made->workers);
    if (made->busy == NULL || made->mutex == NULL || made->work == NULL || made->workers == NULL) {
        heed_pool_release(made);
        return heedi_fail_memory(context, "a thread pool", sizeof *made);
    }
    *pool = made;
    return HEED_OK;
}

struct heed_pool *heed_pool_retain(struct heed_pool *pool) {
    heedi_ref_retain(&pool->references);
    return pool;
}

void heed_pool_release(struct heed_pool *pool) {
    if (pool == NULL || !heedi_ref_release(&pool->references))
        return;
    if (pool->started > 0) {
        heedi_os_lock(pool->mutex);
        pool->stop = true;
        heedi_os_wake_all(pool->work);
        heedi_os_unlock(pool->mutex);
        for (uint32_t i = 0; i < pool->started; i++)
            heedi_os_thread_join(&pool->env, pool->workers[i]);
    }
    const struct heedi_env env = pool->env;
    heedi_free(&env, pool->workers);
    heedi_os_condition_destroy(&env, pool->work);
    heedi_os_mutex_destroy(&env, pool->mutex);
    heedi_os_mutex_destroy(&env, pool->busy);
    heedi_free(&env, pool);
}

uint32_t heed_pool_threads(const struct heed_pool *pool) {
    return pool->threads;
}
