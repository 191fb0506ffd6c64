/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: the trace is JSON that says what ran where; the summary adds it up. */
#include "exec_test.h"

#include <stdlib.h>
#include <unistd.h>

#include <cJSON.h>

static char path[256];

static void make_path(void) {
    const char *base = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/heed-profile-%ld.json", base != NULL ? base : "/tmp",
             (long)getpid());
}

static cJSON *read_json(void) {
    static char text[1 << 16];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[bytes] = '\0';
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithOpts(text, &end, 1);
    if (json == NULL)
        fail_msg("no valid JSON: %s", text);
    return json;
}

static const char *string_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

/* The event of that name, `nth` from 0; NULL if there is none. */
static const cJSON *find_event(const cJSON *json, const char *name, int nth) {
    const cJSON *event;
    cJSON_ArrayForEach(event, cJSON_GetObjectItemCaseSensitive(json, "traceEvents")) {
        if (strcmp(string_of(event, "ph"), "X") == 0 &&
            strcmp(string_of(event, "name"), name) == 0 && nth-- == 0)
            return event;
    }
    return NULL;
}

static int row_of(const cJSON *json, const char *backend) {
    const cJSON *event;
    cJSON_ArrayForEach(event, cJSON_GetObjectItemCaseSensitive(json, "traceEvents")) {
        const cJSON *args = cJSON_GetObjectItemCaseSensitive(event, "args");
        if (strcmp(string_of(event, "name"), "thread_name") == 0 &&
            strcmp(string_of(args, "name"), backend) == 0)
            return cJSON_GetObjectItemCaseSensitive(event, "tid")->valueint;
    }
    return -1;
}

static double number_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void take_program(void *user, const struct heed_program *program, uint64_t runs) {
    uint64_t *sum = user;
    struct heed_memory size = {.struct_size = sizeof size};
    assert_ok(heed_program_memory(program, &size));
    assert_int_equal(size.parts, 3);
    *sum += runs;
}

struct totals {
    uint64_t adds, parts, others;
};

static void take_total(void *user, const char *backend, const char *op, uint64_t runs,
                       uint64_t ns) {
    struct totals *totals = user;
    (void)ns;
    if (strcmp(op, "add") == 0 && strcmp(backend, "fake_a") == 0)
        totals->adds += runs;
    else if (op[0] == '\0' && strcmp(backend, "fake_b") == 0)
        totals->parts += runs;
    else
        totals->others += runs;
}

/* fake_a tells the time of each node, fake_b only what the whole part took. */
static void trace_says_what_ran_where(void **state) {
    (void)state;
    fake_a.profiled = true;
    fake_a.runs[HEED_OP_RELU] = false;
    struct heed_executor *executor = open_executor("fake_a,fake_b,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    assert_ok(heed_profile_create(context, &profile));
    assert_ok(heed_instance_create(context, program, &instance));
    check_small_run(instance); /* before: not recorded */
    heed_instance_set_profile(instance, profile);
    check_small_run(instance);
    check_small_run(instance);
    heed_instance_set_profile(instance, NULL);
    check_small_run(instance); /* after: not recorded */
    heed_instance_destroy(instance);
    heed_program_release(program); /* the profile keeps the names */
    heed_graph_release(graph);
    heed_executor_release(executor);

    make_path();
    assert_ok(heed_profile_write(context, profile, path));
    cJSON *json = read_json();
    const int row_a = row_of(json, "fake_a"), row_b = row_of(json, "fake_b");
    assert_true(row_a > 0 && row_b > 0 && row_a != row_b);
    static const char *const names[] = {"product", "sum", "small", "lift"};
    static const char *const kinds[] = {"matmul", "add", "part", "add"};
    for (int i = 0; i < 4; i++) {
        const cJSON *event = find_event(json, names[i], 1);
        assert_non_null(event);
        assert_null(find_event(json, names[i], 2));
        assert_string_equal(string_of(event, "cat"), kinds[i]);
        assert_true((int)number_of(event, "tid") == (i == 2 ? row_b : row_a));
        assert_true(number_of(event, "ts") >= 0 && number_of(event, "dur") >= 0);
        const cJSON *args = cJSON_GetObjectItemCaseSensitive(event, "args");
        assert_string_equal(string_of(args, "graph"), "small");
        assert_string_equal(string_of(args, "kernel"), i == 2 ? "" : "reference");
    }
    assert_null(find_event(json, "bend", 0));
    /* in order: product before sum, sum before the part of the other backend */
    const cJSON *product = find_event(json, "product", 0), *sum = find_event(json, "sum", 0);
    assert_true(number_of(product, "ts") + number_of(product, "dur") <=
                number_of(sum, "ts") + 0.001);
    cJSON_Delete(json);

    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    assert_non_null(stream);
    heed_profile_summary(profile, stream);
    fclose(stream);
    int lines = 0;
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 4); /* a heading, matmul, add, the whole part */
    char backend[16], op[16];
    int runs = 0;
    const char *add = strstr(text, " add ");
    assert_non_null(add);
    while (add > text && add[-1] != '\n')
        add--;
    assert_int_equal(sscanf(add, "%15s %15s %d", backend, op, &runs), 3);
    assert_string_equal(backend, "fake_a");
    assert_int_equal(runs, 4); /* two nodes, two runs */
    assert_non_null(strstr(text, "(whole part)"));
    free(text);

    uint64_t program_runs = 0;
    struct totals totals = {0};
    heed_profile_programs(profile, take_program, &program_runs);
    heed_profile_totals(profile, take_total, &totals);
    assert_int_equal(program_runs, 2);
    assert_int_equal(totals.adds, 4);
    assert_int_equal(totals.parts, 2);
    assert_int_equal(totals.others, 2); /* the product, twice */
    heed_profile_destroy(profile);
    heed_profile_destroy(NULL);
    assert_int_equal(unlink(path), 0);
}

/* What a backend counts, of first runs and of those that replay. */
static void counters_are_written(void **state) {
    (void)state;
    fake_a.counts = true;
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    assert_ok(heed_profile_create(context, &profile));
    assert_ok(heed_instance_create(context, program, &instance));
    heed_instance_set_profile(instance, profile);
    for (int i = 0; i < 4; i++)
        check_small_run(instance);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);

    make_path();
    assert_ok(heed_profile_write(context, profile, path));
    cJSON *json = read_json();
    const cJSON *other = cJSON_GetObjectItemCaseSensitive(json, "otherData");
    const cJSON *counters = cJSON_GetObjectItemCaseSensitive(other, "counters");
    assert_int_equal(cJSON_GetArraySize(counters), 4);
    for (int i = 0; i < 4; i++) {
        const cJSON *counter = cJSON_GetArrayItem(counters, i);
        const double steps = i < 2 ? 1 : 3;
        assert_string_equal(string_of(counter, "backend"), "fake_a");
        assert_string_equal(string_of(counter, "graph"), "small");
        assert_string_equal(string_of(counter, "runs"), i < 2 ? "first" : "replayed");
        assert_string_equal(string_of(counter, "name"),
                            i % 2 == 0 ? "host_allocations" : "submissions");
        assert_true(number_of(counter, "steps") == steps);
        assert_true(number_of(counter, "value") == (i % 2 == 0 ? 0 : steps));
    }
    cJSON_Delete(json);
    assert_int_equal(unlink(path), 0);

    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    assert_non_null(stream);
    heed_profile_summary(profile, stream);
    fclose(stream);
    const char *replayed = strstr(text, " replayed ");
    assert_non_null(replayed);
    int steps = 0;
    double each = 0;
    const char *submissions = strstr(replayed, "submissions");
    assert_non_null(submissions);
    assert_int_equal(sscanf(replayed, " replayed %d", &steps), 1);
    assert_int_equal(steps, 3);
    assert_int_equal(sscanf(submissions, "submissions %lf", &each), 1);
    assert_true(each == 1);
    free(text);
    heed_profile_destroy(profile);
}

/* Names with quotes, control characters and broken UTF-8 still give valid JSON. */
static void names_are_escaped(void **state) {
    (void)state;
    static const char *const names[] = {"quote\" back\\slash", "tab\tline\n",
                                        "\xc3\xa9t\xc3\xa9",   "broken \xff\xc3 end",
                                        "cut \xe2\x82",        "surrogate \xed\xa0\x80",
                                        "long \xc0\xaf",       "far \xf4\x90\x80\x80"};
    static const char *const read[] = {"quote\" back\\slash",
                                       "tab\tline\n",
                                       "\xc3\xa9t\xc3\xa9",
                                       "broken \xef\xbf\xbd\xef\xbf\xbd end",
                                       "cut \xef\xbf\xbd\xef\xbf\xbd",
                                       "surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
                                       "long \xef\xbf\xbd\xef\xbf\xbd",
                                       "far \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"};
    fake_a.profiled = true;
    static const int64_t dims[1] = {1};
    struct heed_graph *graph = NULL;
    heed_tensor x;
    assert_ok(heed_graph_create(context, "odd \x01 graph", &graph));
    heed_graph_input(graph, "x", HEED_F32, 1, dims, 0, &x);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        heed_graph_unary(graph, HEED_OP_RELU, names[i], x, &x);
    heed_graph_output(graph, "y", x);
    assert_ok(heed_graph_freeze(graph));
    struct heed_executor *executor = open_executor("fake_a,only");
    struct heed_program *program = compile(executor, graph);
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    assert_ok(heed_profile_create(context, &profile));
    assert_ok(heed_instance_create(context, program, &instance));
    heed_instance_set_profile(instance, profile);
    assert_ok(heed_instance_run(context, instance));
    make_path();
    assert_ok(heed_profile_write(context, profile, path));
    cJSON *json = read_json();
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        if (find_event(json, read[i], 0) == NULL)
            fail_msg("event %zu is missing", i);
    cJSON_Delete(json);
    heed_instance_destroy(instance);
    heed_profile_destroy(profile);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
    assert_int_equal(unlink(path), 0);
}

static void unwritable_path_is_named(void **state) {
    (void)state;
    struct heed_profile *profile = NULL;
    assert_ok(heed_profile_create(context, &profile));
    assert_fails(heed_profile_write(context, profile, "/nowhere/at/all.json"), HEED_ERROR_NOT_FOUND,
                 "/nowhere/at/all.json");
    make_path();
    assert_ok(heed_profile_write(context, profile, path)); /* nothing recorded */
    cJSON_Delete(read_json());
    assert_int_equal(unlink(path), 0);
    heed_profile_destroy(profile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(trace_says_what_ran_where),
        exec_test(counters_are_written),
        exec_test(names_are_escaped),
        exec_test(unwritable_path_is_named),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
