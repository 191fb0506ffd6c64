/* SPDX-License-Identifier: Apache-2.0 */
/* The list of backends: names, devices, "auto", "only", the environment, registration. */
#include "exec_test.h"

#include <stdlib.h>

/* "fake_a fake_b": what is open. */
static const char *names(const struct heed_executor *executor) {
    static char text[256];
    text[0] = '\0';
    for (uint32_t i = 0; i < executor->engine->device_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
                 executor->engine->devices[i]->backend.name);
    return text;
}

/* What an executor has opened before it has anything to do. */
static const char *opened(const char *backends) {
    struct heed_executor *executor = open_executor(backends);
    const char *text = names(executor);
    heed_executor_release(executor);
    return text;
}

/* What it has opened after compiling a small graph. */
static const char *needed(const char *backends) {
    struct heed_executor *executor = open_executor(backends);
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    check_small(program);
    const char *text = names(executor);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
    return text;
}

static void order_is_kept(void **state) {
    (void)state;
    assert_string_equal(opened("fake_b,fake_a,only"), "fake_b fake_a");
    assert_string_equal(opened(" fake_a:0 ,, fake_b , only "), "fake_a fake_b");
    assert_string_equal(logged.text, "");
}

static void options_reach_the_plugin(void **state) {
    (void)state;
    assert_string_equal(opened("fake_a(x=1,y=2):0,fake_b,only"), "fake_b");
    assert_logged("'fake_a(x=1,y=2)' is not the name of a backend");
    test_log_clear(&logged);
    assert_string_equal(opened(" fake_a:0(x=1,y=2) , fake_b ,only"), "fake_a fake_b");
    assert_string_equal(fake_a.options, "x=1,y=2");
    assert_string_equal(fake_b.options, "");
    assert_string_equal(opened("fake_b(),fake_a(z)?,only"), "fake_b");
    assert_string_equal(opened("fake_a(z)?,fake_b(a(b),only"), "fake_a fake_b");
    assert_string_equal(fake_a.options, "z");
    assert_string_equal(fake_b.options, "a(b");
    assert_string_equal(logged.text, "");
    assert_string_equal(opened("fake_a,fake_b(x,only"), "fake_a");
    assert_logged("'fake_b(x' is not the name of a backend");
}

static void missing_ones_are_left_out(void **state) {
    (void)state;
    assert_string_equal(opened("absent,fake_a,only"), "fake_a");
    assert_int_equal(logged.lines, 1);
    assert_logged("backend 'absent' cannot be used: there is no heed-backend-absent");
    test_log_clear(&logged);
    assert_string_equal(opened("fake_b:3,fake_a,only"), "fake_a");
    assert_int_equal(logged.lines, 1);
    assert_logged("there is no device 3, only 1 of them");
    test_log_clear(&logged);
    fake_b.no_device = true;
    assert_string_equal(opened("fake_b,fake_a,only"), "fake_a");
    assert_logged("unplugged");
}

static void nothing_left_is_an_error(void **state) {
    (void)state;
    static const char *const lists[][2] = {
        {"absent,only", "backend 'absent' cannot be used"},
        {"only", "no backend was found"},
        {"../odd name/x,only", "a plugin file must be called heed-backend-<name>.so"},
        {"UPPER,only", "'UPPER' is not the name of a backend"},
        {"/nowhere/heed-backend-absent.so,only", "no such file"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct heed_executor *executor = NULL;
        const struct heed_executor_options options = {.struct_size = (uint32_t)sizeof options,
                                                      .backends = lists[i][0]};
        assert_fails(heed_executor_create(context, &options, &executor), HEED_ERROR_NOT_FOUND,
                     lists[i][1]);
        assert_null(executor);
    }
    struct heed_executor *executor = NULL;
    const struct heed_executor_options options = {.struct_size = (uint32_t)sizeof options,
                                                  .backends = "only,fake_a"};
    assert_fails(heed_executor_create(context, &options, &executor), HEED_ERROR_INVALID_ARGUMENT,
                 "\"only\" must come last");
}

/* The real devices first, then by preference, then by name; software devices never. */
static void auto_orders_by_device(void **state) {
    (void)state;
    setenv("HEED_PLUGIN_PATH", "/nowhere", 1);
    const char *order = opened("auto,only");
    assert_non_null(strstr(order, "fake_a"));
    assert_true(strstr(order, "fake_a") < strstr(order, "fake_b"));
    fake_b.preference = 7;
    order = opened("auto,only");
    assert_true(strstr(order, "fake_b") < strstr(order, "fake_a"));
    fake_a.device_type = HEED_DEVICE_GPU_INTEGRATED;
    order = opened("auto,only");
    assert_true(strstr(order, "fake_a") < strstr(order, "fake_b"));
    fake_b.device_type = HEED_DEVICE_GPU_DISCRETE;
    order = opened("auto,only");
    assert_true(strstr(order, "fake_b") < strstr(order, "fake_a"));
    fake_b.device_type = HEED_DEVICE_SOFTWARE;
    assert_null(strstr(opened("auto,only"), "fake_b"));
    assert_string_equal(opened("fake_b,only"), "fake_b"); /* but by name */
    unsetenv("HEED_PLUGIN_PATH");
}

static void environment_is_the_default(void **state) {
    (void)state;
    setenv("HEED_BACKEND", "fake_b,only", 1);
    assert_string_equal(opened(NULL), "fake_b");
    assert_string_equal(opened("fake_a,only"), "fake_a");
    unsetenv("HEED_BACKEND");
}

/* The plain backend that runs everything closes every list that is left open. */
static void fallback_is_appended(void **state) {
    (void)state;
    assert_string_equal(opened("absent"), "scalar");
    assert_string_equal(needed("fake_a"), "fake_a");
    assert_string_equal(needed("scalar,fake_a"), "scalar fake_a");
    fake_a.runs[HEED_OP_MATMUL] = false;
    assert_string_equal(opened("fake_a"), "fake_a");
    assert_string_equal(needed("fake_a"), "fake_a scalar");
    assert_string_equal(needed("fake_a,scalar:0"), "fake_a scalar");
}

/* What is optional is opened when a node is left to nobody, in order, and no sooner. */
static void optional_ones_wait(void **state) {
    (void)state;
    assert_string_equal(opened("fake_a?,fake_b,only"), "fake_a fake_b");
    assert_string_equal(opened("fake_a,fake_b?,scalar,only"), "fake_a");
    assert_string_equal(needed("fake_a, fake_b? ,scalar,only"), "fake_a");
    fake_a.runs[HEED_OP_MATMUL] = false;
    assert_string_equal(opened("fake_a,fake_b?,scalar,only"), "fake_a");
    assert_string_equal(needed("fake_a,absent?,fake_b?,scalar,only"), "fake_a fake_b");
    fake_b.runs[HEED_OP_MATMUL] = false;
    assert_string_equal(needed("fake_a,fake_b?,scalar?,only"), "fake_a fake_b scalar");
    fake_b.no_device = true;
    assert_string_equal(needed("absent?,fake_b?,fake_a?"), "fake_a scalar");
    assert_string_equal(logged.text, "");
    assert_string_equal(needed("fake_a,fake_b?,absent"), "fake_a scalar");
    assert_logged("backend 'absent' cannot be used");
}

struct compiler {
    struct heed_executor *executor;
    struct heed_graph *graph;
    bool failed;
};

static void compile_one(void *arg) {
    struct compiler *compiler = arg;
    struct heed_program *program = NULL;
    struct heed_context *own = test_context(&memory, &logged, HEED_LOG_ERROR);
    compiler->failed =
        heed_program_compile(own, compiler->executor, compiler->graph, &program) != HEED_OK;
    heed_program_release(program);
    heed_context_destroy(own);
}

/* Four threads need the backend that waits: one of them opens it. */
static void threads_open_once(void **state) {
    (void)state;
    struct heed_graph *graph = small_graph();
    fake_a.runs[HEED_OP_MATMUL] = false;
    for (int round = 0; round < 20; round++) {
        struct heed_executor *executor = open_executor("fake_a,fake_b?,scalar,only");
        struct compiler compilers[4];
        struct heedi_thread *threads[4];
        for (int i = 0; i < 4; i++) {
            compilers[i] = (struct compiler){executor, graph, false};
            threads[i] =
                heedi_os_thread_start(&context->env, compile_one, &compilers[i], "compiler");
            assert_non_null(threads[i]);
        }
        for (int i = 0; i < 4; i++) {
            heedi_os_thread_join(&context->env, threads[i]);
            assert_false(compilers[i].failed);
        }
        assert_string_equal(names(executor), "fake_a fake_b");
        assert_int_equal(atomic_load(&fake_b.creates), round + 1);
        heed_executor_release(executor);
    }
    heed_graph_release(graph);
}

/* Without a list no plugin is looked at that is merely installed. */
static void default_opens_what_it_needs(void **state) {
    (void)state;
    setenv("HEED_PLUGIN_PATH", HEED_TEST_ABUSE_PLUGINS, 1);
    const char *open = needed(NULL);
    assert_string_not_equal(open, "");
    if (strcmp(open, "openblas scalar") != 0) /* where nothing faster is, products alone */
        assert_null(strchr(open, ' '));
    assert_null(strstr(open, "fake"));
    unsetenv("HEED_PLUGIN_PATH");
    assert_string_equal(logged.text, "");
}

static const struct heed_backend *serves_nothing(uint32_t abi_version) {
    (void)abi_version;
    return NULL;
}

static void registration_is_checked(void **state) {
    (void)state;
    assert_fails(heed_backend_register(context, "x", serves_nothing), HEED_ERROR_VERSION,
                 "backend 'x': it does not serve plugin interface 1.0");
    assert_fails(heed_backend_register(context, NULL, serves_nothing), HEED_ERROR_INVALID_ARGUMENT,
                 "must not be NULL");
    assert_fails(heed_backend_register(context, "x", NULL), HEED_ERROR_INVALID_ARGUMENT,
                 "must not be NULL");
}

static void options_are_checked(void **state) {
    (void)state;
    struct {
        struct heed_executor_options known;
        uint64_t demand;
    } longer;
    struct heed_executor *executor = NULL;
    memset(&longer, 0, sizeof longer);
    longer.known.struct_size = (uint32_t)sizeof longer;
    longer.known.backends = "fake_a,only";
    assert_ok(heed_executor_create(context, &longer.known, &executor));
    heed_executor_release(executor);
    longer.demand = 1;
    assert_int_equal(heed_executor_create(context, &longer.known, &executor),
                     HEED_ERROR_UNSUPPORTED);
    assert_int_equal(heed_executor_create(context, NULL, NULL), HEED_ERROR_INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(order_is_kept),
        exec_test(options_reach_the_plugin),
        exec_test(missing_ones_are_left_out),
        exec_test(nothing_left_is_an_error),
        exec_test(auto_orders_by_device),
        exec_test(environment_is_the_default),
        exec_test(fallback_is_appended),
        exec_test(optional_ones_wait),
        exec_test(threads_open_once),
        exec_test(default_opens_what_it_needs),
        exec_test(registration_is_checked),
        exec_test(options_are_checked),
    };
    return cmocka_run_group_tests_name("backends", tests, NULL, NULL);
}
