/* SPDX-License-Identifier: Apache-2.0 */
/* The thread pool: every index once, whatever count, grain and threads; stretches by shape; nested
 * and concurrent loops; the embedder's own loop; failing allocations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heed/executor.h"
#include "runtime/base/context.h"
#include "runtime/base/os.h"
#include "tests/unit/failing_allocator.h"

#define MOST 5000

struct cover {
    int64_t count, grain;
    atomic_int wrong;          /* stretches that break the contract; no assert in a worker */
    unsigned char times[MOST]; /* plain: two threads on one index are a race */
};

static void cover_range(void *arg, int64_t begin, int64_t end) {
    struct cover *cover = arg;
    if (begin < 0 || begin >= end || end > cover->count || begin % cover->grain != 0 ||
        (end != cover->count && end - begin < cover->grain)) {
        atomic_fetch_add(&cover->wrong, 1);
        return;
    }
    for (int64_t i = begin; i < end; i++)
        cover->times[i]++;
}

static void check_cover(struct heed_pool *pool, struct cover *cover, int64_t count, int64_t grain) {
    cover->count = count;
    cover->grain = grain;
    atomic_store(&cover->wrong, 0);
    memset(cover->times, 0, sizeof cover->times);
    heed_pool_parallel_for(pool, count, grain, cover_range, cover);
    assert_int_equal(atomic_load(&cover->wrong), 0);
    for (int64_t i = 0; i < MOST; i++)
        if (cover->times[i] != (i < count))
            fail_msg("count %d, grain %d: index %d visited %d times", (int)count, (int)grain,
                     (int)i, cover->times[i]);
}

static struct heed_pool *make_pool(struct heed_context *context, uint32_t threads) {
    const struct heed_pool_options options = {.struct_size = sizeof options, .threads = threads};
    struct heed_pool *pool = NULL;
    assert_int_equal(heed_pool_create(context, &options, &pool), HEED_OK);
    assert_int_equal(heed_pool_threads(pool), threads);
    return pool;
}

static struct heed_context *make_context(void) {
    struct heed_context *context = NULL;
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    return context;
}

static void test_covers_once(void **state) {
    (void)state;
    const int64_t counts[] = {0, 1, 2, 3, 7, 64, 97, 1000, MOST};
    const int64_t grains[] = {1, 2, 3, 16, 63, 64, 65, 999, 10000};
    static struct cover cover;
    struct heed_context *context = make_context();
    for (uint32_t threads = 1; threads <= 5; threads++) {
        struct heed_pool *pool = make_pool(context, threads);
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
            for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++)
                check_cover(pool, &cover, counts[c], grains[g]);
        heed_pool_release(pool);
    }
    heed_context_destroy(context);
}

static void count_call(void *arg, int64_t begin, int64_t end) {
    (void)begin;
    (void)end;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_odd_arguments(void **state) {
    (void)state;
    struct heed_context *context = make_context();
    struct heed_pool *pool = make_pool(context, 3);
    atomic_int calls = 0;
    heed_pool_parallel_for(pool, 0, 1, count_call, &calls);
    heed_pool_parallel_for(pool, -5, 1, count_call, &calls);
    assert_int_equal(atomic_load(&calls), 0);
    heed_pool_parallel_for(pool, 4, 0, count_call, &calls); /* grain 0 and below: 1 */
    assert_int_equal(atomic_load(&calls), 4);
    heed_pool_parallel_for(pool, 4, -7, count_call, &calls);
    assert_int_equal(atomic_load(&calls), 8);
    /* Sums of count and grain would overflow. */
    heed_pool_parallel_for(pool, INT64_MAX, INT64_MAX - 1, count_call, &calls);
    assert_int_equal(atomic_load(&calls), 10);
    heed_pool_parallel_for(pool, INT64_MAX, INT64_MAX, count_call, &calls);
    assert_int_equal(atomic_load(&calls), 11);
    heed_pool_release(pool);
    heed_pool_release(NULL);
    heed_context_destroy(context);
}

/* Two stretches that wait for each other: only two threads get through. */
struct meeting {
    atomic_int arrived;
    atomic_int missed;
};

static void meet(void *arg, int64_t begin, int64_t end) {
    (void)begin;
    (void)end;
    struct meeting *meeting = arg;
    atomic_fetch_add(&meeting->arrived, 1);
    const uint64_t until = heedi_os_now_ns() + UINT64_C(20000000000);
    while (atomic_load(&meeting->arrived) < 2) {
        if (heedi_os_now_ns() > until) {
            atomic_fetch_add(&meeting->missed, 1);
            return;
        }
        heedi_os_yield();
    }
}

static void test_runs_in_parallel(void **state) {
    (void)state;
    struct heed_context *context = make_context();
    struct heed_pool *pool = make_pool(context, 2);
    for (int i = 0; i < 20; i++) {
        struct meeting meeting = {0, 0};
        heed_pool_parallel_for(pool, 2, 1, meet, &meeting);
        assert_int_equal(atomic_load(&meeting.arrived), 2);
        assert_int_equal(atomic_load(&meeting.missed), 0);
    }
    heed_pool_release(pool);
    heed_context_destroy(context);
}

/* Workers are asleep some milliseconds after a loop and must wake for the next. */
static void test_wakes_from_sleep(void **state) {
    (void)state;
    struct heed_context *context = make_context();
    struct heed_pool *pool = make_pool(context, 2);
    for (int i = 0; i < 5; i++) {
        struct meeting meeting = {0, 0};
        heed_pool_parallel_for(pool, 2, 1, meet, &meeting);
        assert_int_equal(atomic_load(&meeting.missed), 0);
        const uint64_t until = heedi_os_now_ns() + 20000000u;
        while (heedi_os_now_ns() < until)
            heedi_os_yield();
    }
    heed_pool_release(pool);
    heed_context_destroy(context);
}

struct nest {
    struct heed_pool *pool;
    atomic_int inner;
};

static void nest_range(void *arg, int64_t begin, int64_t end) {
    struct nest *nest = arg;
    for (int64_t i = begin; i < end; i++) {
        atomic_int calls = 0;
        heed_pool_parallel_for(nest->pool, 10, 1, count_call, &calls);
        /* Inline: one stretch. */
        atomic_fetch_add(&nest->inner, atomic_load(&calls));
    }
}

static void test_nested_runs_inline(void **state) {
    (void)state;
    struct heed_context *context = make_context();
    struct nest nest = {make_pool(context, 4), 0};
    heed_pool_parallel_for(nest.pool, 50, 1, nest_range, &nest);
    assert_int_equal(atomic_load(&nest.inner), 50);
    heed_pool_release(nest.pool);
    heed_context_destroy(context);
}

struct user {
    struct heed_pool *pool;
    struct cover cover;
    atomic_int *wrong;
};

static void use_pool(void *arg) {
    struct user *user = arg;
    for (int64_t i = 0; i < 300; i++) {
        user->cover.count = 1 + i * 7;
        user->cover.grain = 1 + i % 13;
        memset(user->cover.times, 0, sizeof user->cover.times);
        heed_pool_parallel_for(user->pool, user->cover.count, user->cover.grain, cover_range,
                               &user->cover);
        for (int64_t k = 0; k < user->cover.count; k++)
            if (user->cover.times[k] != 1)
                atomic_fetch_add(user->wrong, 1);
    }
    heed_pool_release(user->pool); /* whoever is last joins the workers */
}

static void test_shared_by_threads(void **state) {
    (void)state;
    struct heed_context *context = make_context();
    struct heed_pool *pool = make_pool(context, 3);
    static struct user users[3];
    struct heedi_thread *threads[3];
    atomic_int wrong = 0;
    for (int i = 0; i < 3; i++) {
        users[i].pool = heed_pool_retain(pool);
        users[i].wrong = &wrong;
        threads[i] = heedi_os_thread_start(&context->env, use_pool, &users[i], "test");
        assert_non_null(threads[i]);
    }
    heed_pool_release(pool);
    for (int i = 0; i < 3; i++) {
        heedi_os_thread_join(&context->env, threads[i]);
        assert_int_equal(atomic_load(&users[i].cover.wrong), 0);
    }
    assert_int_equal(atomic_load(&wrong), 0);
    heed_context_destroy(context);
}

/* An embedder's loop: backwards, two indices at a time. */
static void backwards(void *user, int64_t count, int64_t grain, heed_range_fn fn, void *arg) {
    ++*(int *)user;
    for (int64_t i = (count - 1) / grain; i >= 0; i--)
        fn(arg, i * grain, (i + 1) * grain < count ? (i + 1) * grain : count);
}

static void test_embedders_loop(void **state) {
    (void)state;
    struct heed_context *context = make_context();
    int calls = 0;
    const struct heed_pool_options options = {
        .struct_size = sizeof options, .threads = 7, .parallel_for = backwards, .user = &calls};
    struct heed_pool *pool = NULL;
    assert_int_equal(heed_pool_create(context, &options, &pool), HEED_OK);
    assert_int_equal(heed_pool_threads(pool), 7);
    static struct cover cover;
    check_cover(pool, &cover, 1001, 10);
    check_cover(pool, &cover, 5, 10);
    assert_int_equal(calls, 2);
    check_cover(pool, &cover, 0, 10);
    assert_int_equal(calls, 2);
    heed_pool_release(pool);
    heed_context_destroy(context);
}

static void test_options(void **state) {
    (void)state;
    struct heed_context *context = make_context();
    struct heed_pool *pool = (void *)context;
    assert_int_equal(heed_pool_create(NULL, NULL, &pool), HEED_ERROR_INVALID_ARGUMENT);
    assert_null(pool);
    assert_int_equal(heed_pool_create(context, NULL, NULL), HEED_ERROR_INVALID_ARGUMENT);
    struct heed_pool_options options = {.struct_size = sizeof options, .threads = 1000000};
    assert_int_equal(heed_pool_create(context, &options, &pool), HEED_ERROR_LIMIT);
    assert_non_null(strstr(heed_last_error(context), "1000000"));
    options.struct_size = 2;
    assert_int_equal(heed_pool_create(context, &options, &pool), HEED_ERROR_INVALID_ARGUMENT);
    assert_int_equal(heed_pool_create(context, NULL, &pool), HEED_OK);
    assert_int_equal(heed_pool_threads(pool), heedi_os_processor_count());
    heed_pool_release(pool);
    heed_context_destroy(context);
}

static void test_no_memory(void **state) {
    (void)state;
    struct failing_allocator failing = {0};
    struct heed_context *context = failing_context(&failing);
    const struct heed_pool_options options = {.struct_size = sizeof options, .threads = 4};
    struct heed_pool *pool = NULL;
    size_t n = 1;
    for (;; n++) {
        failing_arm(&failing, n);
        const enum heed_status status = heed_pool_create(context, &options, &pool);
        if (status == HEED_OK)
            break;
        assert_int_equal(status, HEED_ERROR_OUT_OF_MEMORY);
        assert_null(pool);
        assert_int_equal(atomic_load(&failing.live), 1);
    }
    assert_true(n > 1);
    /* Threads that cannot be started are done without. */
    static struct cover cover;
    for (size_t at = 1; at <= 3; at++) {
        failing_arm(&failing, at);
        check_cover(pool, &cover, 1000, 3);
        heed_pool_release(pool);
        failing_arm(&failing, 0);
        assert_int_equal(heed_pool_create(context, &options, &pool), HEED_OK);
    }
    heed_pool_release(pool);
    heed_context_destroy(context);
    assert_int_equal(atomic_load(&failing.live), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covers_once),        cmocka_unit_test(test_odd_arguments),
        cmocka_unit_test(test_runs_in_parallel),   cmocka_unit_test(test_wakes_from_sleep),
        cmocka_unit_test(test_nested_runs_inline), cmocka_unit_test(test_shared_by_threads),
        cmocka_unit_test(test_embedders_loop),     cmocka_unit_test(test_options),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
