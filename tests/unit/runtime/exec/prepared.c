/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared weights: made once, shared by programs and threads, counted, given back. */
#include "exec_test.h"

#include "runtime/base/weight.h"

static uint64_t prepared_bytes(const struct heed_program *program) {
    struct heed_memory report = {.struct_size = (uint32_t)sizeof report};
    assert_int_equal(heed_program_memory(program, &report), HEED_OK);
    return report.prepared_bytes;
}

static int releases;
static void count_release(void *user) {
    (void)user;
    releases++;
}

/* y = x w with the given weight. */
static struct heed_graph *product_graph(struct heed_context *own, struct heed_weight *weight,
                                        int64_t rows) {
    const int64_t dims[2] = {rows, 3};
    struct heed_graph *graph = NULL;
    heed_tensor x, w, y;
    const struct heed_matmul_attrs attrs = {.struct_size = (uint32_t)sizeof attrs};
    if (heed_graph_create(own, "product", &graph) != HEED_OK)
        return NULL;
    heed_graph_input(graph, "x", HEED_F32, 2, dims, 0, &x);
    heed_graph_constant(graph, weight, &w);
    heed_graph_matmul(graph, NULL, x, w, &attrs, &y);
    heed_graph_output(graph, "y", y);
    if (heed_graph_freeze(graph) != HEED_OK) {
        heed_graph_release(graph);
        return NULL;
    }
    return graph;
}

static struct heed_weight *make_weight(const float *data) {
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, (const int64_t[]){3, 3});
    struct heed_weight *weight = NULL;
    assert_ok(heed_weight_create(context, "w", &desc, data, count_release, NULL, &weight));
    return weight;
}

static void programs_share(void **state) {
    (void)state;
    fake_a.packs = fake_b.packs = true;
    releases = 0;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_weight *weight = make_weight(small_weight), *other = make_weight(small_weight);
    struct heed_graph *graphs[3] = {product_graph(context, weight, 1),
                                    product_graph(context, weight, 7),
                                    product_graph(context, other, 1)};
    struct heed_program *first = compile(executor, graphs[0]);
    struct heed_program *second = compile(executor, graphs[1]);
    assert_int_equal(atomic_load(&fake_a.prepares), 1);
    assert_int_equal(prepared_bytes(first), sizeof small_weight);
    struct heed_program *third = compile(executor, graphs[2]); /* equal bytes, another identity */
    assert_int_equal(atomic_load(&fake_a.prepares), 2);
    assert_int_equal(prepared_bytes(first), 2 * sizeof small_weight);
    heed_program_release(third);
    assert_int_equal(prepared_bytes(first), sizeof small_weight);
    heed_program_release(first);
    assert_int_equal(prepared_bytes(second), sizeof small_weight);

    /* another device packs for itself */
    fake_a.runs[HEED_OP_MATMUL] = false;
    struct heed_program *elsewhere = compile(executor, graphs[0]);
    assert_int_equal(atomic_load(&fake_b.prepares), 1);
    assert_int_equal(prepared_bytes(second), 2 * sizeof small_weight);
    heed_program_release(elsewhere);
    fake_a.runs[HEED_OP_MATMUL] = true;

    /* when the last user goes, so does the packed form; a later one makes it again */
    heed_program_release(second);
    second = compile(executor, graphs[1]);
    assert_int_equal(atomic_load(&fake_a.prepares), 3);
    for (int i = 0; i < 3; i++)
        heed_graph_release(graphs[i]);
    heed_weight_release(weight);
    heed_weight_release(other);
    assert_int_equal(releases, 1); /* the program keeps the other */
    heed_program_release(second);
    assert_int_equal(releases, 2);
    heed_executor_release(executor);
}

struct worker {
    struct heed_executor *executor;
    struct heed_weight *weight;
    int64_t rows;
    bool failed;
};

static void compile_and_run(void *arg) {
    struct worker *worker = arg;
    struct heed_context *own = test_context(&memory, &logged, HEED_LOG_ERROR);
    struct heed_graph *graph = product_graph(own, worker->weight, worker->rows);
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    worker->failed = graph == NULL ||
                     heed_program_compile(own, worker->executor, graph, &program) != HEED_OK ||
                     heed_instance_create(own, program, &instance) != HEED_OK;
    if (!worker->failed) {
        float *x = heed_instance_input(instance, "x", NULL);
        for (int64_t i = 0; i < 3 * worker->rows; i++)
            x[i] = (float)i;
        worker->failed = heed_instance_run(own, instance) != HEED_OK;
        const float *y = heed_instance_output(instance, "y", NULL);
        for (int64_t i = 0; i < 3 * worker->rows; i++)
            worker->failed = worker->failed || y[i] != 2.0f * (float)i;
    }
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_context_destroy(own);
}

static void threads_share(void **state) {
    (void)state;
    fake_a.packs = true;
    const struct heedi_env env = context->env;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_weight *weight = make_weight(small_weight);
    struct heed_graph *graph = product_graph(context, weight, 1);
    for (int round = 0; round < 20; round++) {
        const int before = atomic_load(&fake_a.prepares);
        struct worker workers[4];
        struct heedi_thread *threads[4];
        for (int i = 0; i < 4; i++) {
            workers[i] = (struct worker){executor, weight, i + 1, false};
            threads[i] = heedi_os_thread_start(&env, compile_and_run, &workers[i], "worker");
            assert_non_null(threads[i]);
        }
        struct heed_program *kept = compile(executor, graph);
        for (int i = 0; i < 4; i++) {
            heedi_os_thread_join(&env, threads[i]);
            assert_false(workers[i].failed);
        }
        assert_true(atomic_load(&fake_a.prepares) > before);
        heed_program_release(kept);
    }
    /* with one program alive no thread packs again */
    struct heed_program *kept = compile(executor, graph);
    const int before = atomic_load(&fake_a.prepares);
    struct worker worker = {executor, weight, 5, false};
    struct heedi_thread *thread = heedi_os_thread_start(&env, compile_and_run, &worker, "worker");
    heedi_os_thread_join(&env, thread);
    assert_int_equal(atomic_load(&fake_a.prepares), before);
    heed_program_release(kept);
    heed_graph_release(graph);
    heed_weight_release(weight);
    heed_executor_release(executor);
}

static enum heed_status refuse_to_pack(void *arg, const struct heed_tensor_desc *desc,
                                       const void *data, void **object, size_t *bytes,
                                       struct heed_error *error) {
    (void)arg;
    (void)desc;
    (void)data;
    (void)object;
    (void)bytes;
    snprintf(error->message, sizeof error->message, "cannot pack");
    return HEED_ERROR_DEVICE_MEMORY;
}

static enum heed_status pack_nothing(void *arg, const struct heed_tensor_desc *desc,
                                     const void *data, void **object, size_t *bytes,
                                     struct heed_error *error) {
    (void)desc;
    (void)data;
    (void)error;
    *object = arg;
    *bytes = 100;
    return HEED_OK;
}

/* The host functions as a plugin calls them. */
static void host_interface(void **state) {
    (void)state;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_weight *weight = make_weight(small_weight);
    struct heed_graph *graph = product_graph(context, weight, 1);
    struct heed_program *program = compile(executor, graph);
    const struct heed_host *host = &executor->engine->devices[0]->host;
    struct heed_error error = {.struct_size = (uint32_t)sizeof error};
    struct heed_prepared *prepared = NULL, *again = NULL, *other = NULL;
    void *object = NULL;
    int mark = 0;
    assert_int_equal(host->prepared_acquire(host->handle, 0, "l", pack_nothing, NULL, &mark, 0,
                                            &prepared, &object, &error),
                     HEED_ERROR_NOT_FOUND);
    assert_int_equal(host->prepared_acquire(host->handle, weight->id, "l", refuse_to_pack, NULL,
                                            &mark, 0, &prepared, &object, &error),
                     HEED_ERROR_DEVICE_MEMORY);
    assert_string_equal(error.message, "cannot pack");
    assert_int_equal(prepared_bytes(program), 0);
    assert_int_equal(host->prepared_acquire(host->handle, weight->id, "l", pack_nothing, NULL,
                                            &mark, 0, &prepared, &object, &error),
                     HEED_OK);
    assert_ptr_equal(object, &mark);
    assert_int_equal(host->prepared_acquire(host->handle, weight->id, "l", refuse_to_pack, NULL,
                                            NULL, 0, &again, &object, &error),
                     HEED_OK);
    assert_ptr_equal(again, prepared);
    assert_int_equal(host->prepared_acquire(host->handle, weight->id, "m", pack_nothing, NULL, NULL,
                                            0, &other, &object, &error),
                     HEED_OK);
    assert_ptr_not_equal(other, prepared);
    assert_int_equal(prepared_bytes(program), 200);
    host->prepared_release(host->handle, prepared);
    assert_int_equal(prepared_bytes(program), 200);
    host->prepared_release(host->handle, again);
    host->prepared_release(host->handle, other);
    host->prepared_release(host->handle, NULL);
    assert_int_equal(prepared_bytes(program), 0);

    assert_true(host->thread_count(host->handle) >= 1);
    host->log(host->handle, 99, "of no importance"); /* levels are clamped to debug */
    assert_string_equal(logged.text, "");
    host->log(host->handle, -5, "of importance");
    assert_string_equal(logged.text, "fake_a: of importance\n");
    heed_program_release(program);
    heed_graph_release(graph);
    heed_weight_release(weight);
    heed_executor_release(executor);
}

/* The pages of a mapped weight are given back after packing, unless someone still reads them; its
 * values stay what they are either way. */
static void mapped_source_stays_readable(void **state) {
    (void)state;
    static const char path[] = HEED_TEST_ABUSE_PLUGINS "/heed-backend-good.so";
    struct heedi_mapping mapping, witness;
    assert_true(heedi_os_map(path, &mapping, NULL));
    assert_true(heedi_os_map(path, &witness, NULL));
    const int64_t elems = (int64_t)(mapping.bytes / 4);
    const struct heed_tensor_desc desc = heed_desc(HEED_I32, 1, &elems);
    struct heed_weight *weight = NULL;
    assert_ok(heed_weight_create(context, "file", &desc, mapping.data, NULL, NULL, &weight));
    weight->mapped = true;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_graph *graph = NULL;
    heed_tensor tensor;
    assert_ok(heed_graph_create(context, "mapped", &graph));
    heed_graph_constant(graph, weight, &tensor);
    heed_graph_unary(graph, HEED_OP_COPY, NULL, tensor, &tensor);
    heed_graph_output(graph, "y", tensor);
    assert_ok(heed_graph_freeze(graph));
    struct heed_program *program = compile(executor, graph);
    const struct heed_host *host = &executor->engine->devices[0]->host;
    for (uint32_t keep = 0; keep < 2; keep++) {
        struct heed_error error = {.struct_size = (uint32_t)sizeof error};
        struct heed_prepared *prepared = NULL;
        void *object = NULL;
        assert_int_equal(host->prepared_acquire(host->handle, weight->id, "l", pack_nothing, NULL,
                                                NULL, keep, &prepared, &object, &error),
                         HEED_OK);
        assert_memory_equal(weight->data, witness.data, (size_t)elems * 4);
        host->prepared_release(host->handle, prepared);
    }
    heed_program_release(program);
    heed_graph_release(graph);
    heed_weight_release(weight);
    heed_executor_release(executor);
    heedi_os_unmap(&mapping);
    heedi_os_unmap(&witness);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(programs_share),
        exec_test(threads_share),
        exec_test(host_interface),
        exec_test(mapped_source_stays_readable),
    };
    return cmocka_run_group_tests_name("prepared", tests, NULL, NULL);
}
