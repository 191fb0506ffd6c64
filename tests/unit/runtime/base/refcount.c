/* SPDX-License-Identifier: Apache-2.0 */
/* Reference counts and unique numbers, shared by threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/context.h"
#include "runtime/base/os.h"
#include "runtime/base/refcount.h"

#define THREADS 4
#define ROUNDS 2000

struct shared {
    struct heedi_refcount count;
    atomic_int last;      /* how many times a release was the last one */
    int written[THREADS]; /* plain: read by whoever releases last */
    uint64_t ids[THREADS][ROUNDS];
};

struct job {
    struct shared *shared;
    int index;
};

static void work(void *arg) {
    struct job *job = arg;
    struct shared *shared = job->shared;
    for (int i = 0; i < ROUNDS; i++) {
        heedi_ref_retain(&shared->count);
        shared->ids[job->index][i] = heedi_unique_id();
        if (heedi_ref_release(&shared->count))
            atomic_fetch_add(&shared->last, 1);
    }
    shared->written[job->index] = 1;
    if (heedi_ref_release(&shared->count)) {
        atomic_fetch_add(&shared->last, 1);
        for (int i = 0; i < THREADS; i++) /* a release makes what was written before it visible */
            shared->written[i]++;
    }
}

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void test_threads(void **state) {
    (void)state;
    struct heed_context *context = NULL;
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    static struct shared shared;
    heedi_ref_init(&shared.count);
    struct job jobs[THREADS];
    struct heedi_thread *threads[THREADS];
    for (int i = 1; i < THREADS; i++)
        heedi_ref_retain(&shared.count); /* one reference for each thread */
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){&shared, i};
        threads[i] = heedi_os_thread_start(&context->env, work, &jobs[i], "test");
        assert_non_null(threads[i]);
    }
    for (int i = 0; i < THREADS; i++)
        heedi_os_thread_join(&context->env, threads[i]);
    assert_int_equal(atomic_load(&shared.last), 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(shared.written[i], 2);
    uint64_t *ids = &shared.ids[0][0];
    qsort(ids, (size_t)THREADS * ROUNDS, sizeof *ids, compare);
    assert_true(ids[0] != 0);
    for (int i = 1; i < THREADS * ROUNDS; i++)
        assert_true(ids[i] != ids[i - 1]);
    heed_context_destroy(context);
}

static void test_alone(void **state) {
    (void)state;
    struct heedi_refcount count;
    heedi_ref_init(&count);
    heedi_ref_retain(&count);
    assert_false(heedi_ref_release(&count));
    assert_true(heedi_ref_release(&count));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
