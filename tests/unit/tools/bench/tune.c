/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning, with a backend whose speed depends on what is chosen: the scalar one under another name,
 * held up by as many milliseconds as its option says, and wrong where that is 0. */
#include "tools/bench/bench.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct heed_backend scalar, slow;
static int delay_ms; /* of the plugin opened last */
static char saved[100];

enum { MOST_OPEN = 16 };
static struct {
    struct heed_plugin_instance *instance;
    void *output;
    int delay_ms;
} opened[MOST_OPEN];

static enum heed_status enumerate(struct heed_device_info *devices, size_t stride,
                                  uint32_t capacity, uint32_t *count, struct heed_error *error) {
    const enum heed_status status = scalar.enumerate(devices, stride, capacity, count, error);
    if (capacity > 0)
        devices[0].type = HEED_DEVICE_GPU_INTEGRATED;
    return status;
}

static enum heed_status create(const struct heed_host *host,
                               const struct heed_plugin_options *options,
                               struct heed_plugin **plugin, struct heed_error *error) {
    struct heed_plugin_options none = *options;
    delay_ms = strncmp(options->options, "delay=", 6) == 0 ? atoi(options->options + 6) : 8;
    none.options = "";
    return scalar.create(host, &none, plugin, error);
}

static enum heed_status instance_create(struct heed_plugin_program *program,
                                        struct heed_plugin_instance **instance,
                                        struct heed_error *error) {
    const enum heed_status status = scalar.instance_create(program, instance, error);
    for (int i = 0; status == HEED_OK && i < MOST_OPEN; i++)
        if (opened[i].instance == NULL) {
            opened[i].instance = *instance;
            opened[i].delay_ms = delay_ms;
            return status;
        }
    return status;
}

static void instance_destroy(struct heed_plugin_instance *instance) {
    for (int i = 0; i < MOST_OPEN; i++)
        if (opened[i].instance == instance)
            opened[i].instance = NULL;
    scalar.instance_destroy(instance);
}

/* The last that is bound is the result. */
static enum heed_status bind(struct heed_plugin_instance *instance, uint32_t binding, void *memory,
                             struct heed_error *error) {
    for (int i = 0; i < MOST_OPEN; i++)
        if (opened[i].instance == instance)
            opened[i].output = memory;
    return scalar.bind(instance, binding, memory, error);
}

static enum heed_status wait_longer(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                                    struct heed_error *error) {
    const enum heed_status status = scalar.wait(instance, timeout_ns, error);
    for (int i = 0; i < MOST_OPEN; i++) {
        const struct timespec pause = {.tv_nsec = 1000000L * opened[i].delay_ms};
        if (opened[i].instance != instance)
            continue;
        nanosleep(&pause, NULL);
        if (opened[i].delay_ms == 0)
            *(float *)opened[i].output = 1e6f;
    }
    return status;
}

static uint32_t describe(const struct heed_plugin *plugin, uint32_t index,
                         struct heed_tune_kernel *kernel) {
    (void)plugin;
    if (index > 0)
        return 0;
    *kernel = (struct heed_tune_kernel){
        .struct_size = sizeof *kernel,
        .name = "delay",
        .choice_count = 4,
        .choices = {"12", "8", "0", "1"},
        .standard = 1,
        .case_count = 2,
        .cases = {{HEED_OP_MATMUL, HEED_F32, {2, 8, 4}}, {HEED_OP_MATMUL, HEED_F16, {1, 8, 4}}}};
    return 1;
}

static enum heed_status save(const struct heed_plugin *plugin, const char *choices,
                             struct heed_error *error) {
    (void)plugin;
    (void)error;
    snprintf(saved, sizeof saved, "%s", choices);
    return HEED_OK;
}

static const void *extension(const char *name) {
    static const struct heed_tune_extension table = {
        .struct_size = sizeof table, .kernel = describe, .save = save};
    return strcmp(name, HEED_EXTENSION_TUNE) == 0 ? &table : NULL;
}

static const struct heed_backend *entry(uint32_t abi_version) {
    (void)abi_version;
    return &slow;
}

static void the_quickest_that_is_right_wins(void **state) {
    (void)state;
    struct heedi_tool_options options = {.bench = {.backends = "slow", .tune = true}};
    struct heedi_bench *bench = calloc(1, sizeof *bench);
    void *plugin = dlopen(HEED_TEST_PLUGINS "/heed-backend-scalar.so", RTLD_NOW);
    assert_true(bench != NULL && plugin != NULL);
    heed_backend_entry_fn scalar_entry = NULL;
    void *symbol = dlsym(plugin, HEED_BACKEND_ENTRY_SYMBOL);
    memcpy(&scalar_entry, &symbol, sizeof symbol); /* C has no cast from objects to functions */
    scalar = slow = *scalar_entry(HEED_ABI_VERSION);
    slow.name = "slow";
    slow.enumerate = enumerate;
    slow.create = create;
    slow.instance_create = instance_create;
    slow.instance_destroy = instance_destroy;
    slow.bind = bind;
    slow.wait = wait_longer;
    slow.get_extension = extension;
    assert_int_equal(setenv("HEED_PLUGIN_PATH", HEED_TEST_PLUGINS, 1), 0);
    assert_int_equal(heed_context_create(NULL, &bench->context), HEED_OK);
    const struct heed_pool_options pool = {.struct_size = sizeof pool, .threads = 1};
    assert_int_equal(heed_pool_create(bench->context, &pool, &bench->pool), HEED_OK);
    assert_int_equal(heed_backend_register(bench->context, "slow", entry), HEED_OK);
    bench->options = &options;
    bench->seconds = 1;
    bench->seed = 1;
    assert_int_equal(heedi_bench_backends(bench), TOOL_OK);
    assert_true(bench->backends[0].device);
    assert_int_equal(heedi_bench_tune(bench), 1);
    const struct heedi_bench_tuning *tuning = &bench->tunings[0];
    assert_int_equal(tuning->kernel_count, 1);
    const struct heedi_bench_tuned *kernel = &tuning->kernels[0];
    assert_int_equal(kernel->choice_count, 4);
    assert_string_equal(kernel->cases[1], "matmul 1x8x4 f16");
    assert_int_equal(kernel->winner, 3);
    assert_true(kernel->choices[2].wrong && kernel->choices[2].seconds <= 0);
    assert_false(kernel->choices[0].wrong);
    assert_true(kernel->choices[0].ratio > 1.1 && kernel->choices[3].ratio < 0.7);
    assert_true(kernel->choices[0].seconds >= 24e-3);
    assert_string_equal(saved, "delay=1");
    assert_true(tuning->saved);
    heed_pool_release(bench->pool);
    heed_context_destroy(bench->context);
    free(bench);
}

static void what_cannot_be_tuned_is_said(void **state) {
    (void)state;
    struct heedi_tool_options options = {.bench = {.backends = "scalar", .tune = true}};
    struct heedi_bench *bench = calloc(1, sizeof *bench);
    struct heed_executor *executor = NULL;
    const struct heed_executor_options list = {.struct_size = sizeof list, .backends = "scalar"};
    assert_non_null(bench);
    assert_int_equal(heed_context_create(NULL, &bench->context), HEED_OK);
    bench->options = &options;
    assert_int_equal(heedi_bench_backends(bench), TOOL_OK);
    assert_int_equal(heedi_bench_tune(bench), 0);
    assert_int_equal(bench->tunings[0].kernel_count, 0);
    assert_int_equal(heed_executor_create(bench->context, &list, &executor), HEED_OK);
    assert_int_equal(heed_executor_tune_save(bench->context, executor, ""), HEED_ERROR_UNSUPPORTED);
    assert_non_null(strstr(heed_last_error(bench->context), "'scalar' cannot be tuned"));
    heed_executor_release(executor);
    heed_context_destroy(bench->context);
    free(bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_quickest_that_is_right_wins),
                                       cmocka_unit_test(what_cannot_be_tuned_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
