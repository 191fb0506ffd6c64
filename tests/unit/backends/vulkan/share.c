/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors that share a binding, but lie further apart in the memory of an instance than a storage
 * buffer of the device shows: results have the bits that they have where it shows everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "tests/support/device.h"

/* Inputs and results of a graph lie in the order of their first use, those of FILL numbers before
 * all others here, and what is neither, before them. */
enum { FILL = 1024, B = 2, H = 2, T = 3, KEYS = 5, D = 8, N = 12 };

static struct heed_context *context;

static void ok(enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

static heed_tensor input(struct heed_graph *graph, const char *name, enum heed_dtype type,
                         uint32_t rank, const int64_t *dims) {
    heed_tensor x;
    heed_graph_input(graph, name, type, rank, dims, 0, &x);
    return x;
}

static heed_tensor relu(struct heed_graph *graph, heed_tensor x) {
    heed_tensor y;
    heed_graph_add(graph, HEED_OP_RELU, NULL, &x, 1, NULL, &y);
    return y;
}

/* An input and a result that keep others apart. */
static heed_tensor fill(struct heed_graph *graph, const char *name) {
    const int64_t dims[] = {FILL};
    return relu(graph, input(graph, name, HEED_F32, 1, dims));
}

static heed_tensor i8_constant(struct heed_graph *graph) {
    static int8_t bytes[N * D];
    const int64_t dims[] = {N, D};
    const struct heed_tensor_desc desc = heed_desc(HEED_I8, 2, dims);
    struct heed_weight *constant = NULL;
    heed_tensor b;
    for (int i = 0; i < N * D; i++)
        bytes[i] = (int8_t)(i * 37 % 255 - 127);
    ok(heed_weight_create(context, "b", &desc, bytes, NULL, NULL, &constant));
    heed_graph_constant(graph, constant, &b);
    heed_weight_release(constant);
    return b;
}

static const struct {
    const char *name;
    size_t bytes;
} outputs[] = {
    {"y", sizeof(float) * B *H *T *D},          {"fill 4", sizeof(float) * FILL},
    {"weights", sizeof(float) * B *H *T *KEYS}, {"fill 5", sizeof(float) * FILL},
    {"plain", sizeof(float) * B *H *T *D},      {"fill 6", sizeof(float) * FILL},
    {"product", sizeof(float) * T *N},
};
enum { OUTPUTS = sizeof outputs / sizeof outputs[0] };

/* Attention with and without weights among its results, and a product with a weight of i8. */
static struct heed_graph *make_graph(enum heed_dtype bias_type) {
    const int64_t q_dims[] = {B, H, T, D}, k_dims[] = {B, H, KEYS, D}, bias_dims[] = {H, T, KEYS};
    const int64_t len_dims[] = {B}, a_dims[] = {T, D}, scale_dims[] = {N};
    const struct heed_attention_attrs weighted = {.struct_size = sizeof weighted,
                                                  .return_weights = 1};
    const struct heed_attention_attrs plain = {.struct_size = sizeof plain};
    const struct heed_matmul_attrs product = {.struct_size = sizeof product, .transpose_b = 1};
    struct heed_graph *graph = NULL;
    heed_tensor made[OUTPUTS], both[2];
    ok(heed_graph_create(context, "share", &graph));
    made[1] = fill(graph, "fill 1");
    made[3] = fill(graph, "fill 2");
    made[5] = fill(graph, "fill 3");
    const heed_tensor a = input(graph, "a", HEED_F32, 2, a_dims);
    const heed_tensor q = input(graph, "q", HEED_F32, 4, q_dims);
    const heed_tensor k = input(graph, "k", HEED_F32, 4, k_dims);
    const heed_tensor v = input(graph, "v", HEED_F32, 4, k_dims);
    const heed_tensor bias = input(graph, "bias", bias_type, 3, bias_dims);
    const heed_tensor key_len = input(graph, "key_len", HEED_I32, 1, len_dims);
    const heed_tensor scale = input(graph, "scale", HEED_F32, 1, scale_dims);
    const heed_tensor operands[] = {relu(graph, q), k, v, bias, key_len};
    heed_graph_add(graph, HEED_OP_ATTENTION, "attention", operands, 5, &weighted, both);
    heed_graph_add(graph, HEED_OP_ATTENTION, "plain", operands, 5, &plain, &made[4]);
    heed_graph_add(graph, HEED_OP_MATMUL, "product",
                   (const heed_tensor[]){relu(graph, a), i8_constant(graph), HEED_NO_TENSOR, scale},
                   4, &product, &made[6]);
    made[0] = relu(graph, both[0]);
    made[2] = both[1];
    for (int i = 0; i < OUTPUTS; i++)
        heed_graph_output(graph, outputs[i].name, made[i]);
    ok(heed_graph_freeze(graph));
    return graph;
}

static void fill_inputs(struct heed_instance *instance) {
    static const char *const names[] = {"a", "q", "k", "v", "fill 1", "fill 2", "fill 3", "scale"};
    static const int32_t lengths[B] = {4, KEYS};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        float *x = heed_instance_input(instance, names[i], &bytes);
        for (size_t j = 0; j < bytes / sizeof *x; j++)
            x[j] = (float)((j + 3 * i) % 11) / 4 - 1.0f;
    }
    memcpy(heed_instance_input(instance, "key_len", NULL), lengths, sizeof lengths);
    /* in either type every number is between 0.0078 and 2 */
    memset(heed_instance_input(instance, "bias", &bytes), 0x3c, bytes);
    ((unsigned char *)heed_instance_input(instance, "bias", NULL))[1] = 0x3d;
}

static void take(struct heed_instance *instance, void *found) {
    for (size_t i = 0; i < OUTPUTS; i++)
        memcpy((float *)found + i * FILL, heed_instance_output(instance, outputs[i].name, NULL),
               outputs[i].bytes);
}

static bool run(const char *limits, enum heed_dtype bias_type, float found[OUTPUTS][FILL]) {
    return support_device_run(context, limits, make_graph(bias_type), fill_inputs, take, found);
}

static int set_up(void **state) {
    static float found[OUTPUTS][FILL];
    (void)state;
    ok(heed_context_create(NULL, &context));
    if (!run(NULL, HEED_F32, found)) {
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
        heed_context_destroy(context);
        context = NULL;
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unsetenv("HEED_VULKAN_LIMITS");
    heed_context_destroy(context);
    return 0;
}

/* Ranges that show one tensor of FILL numbers; two and what is between; everything. */
static void apart_gives_the_same_bits(void **state) {
    static const char *const limits[] = {"range=4096", "range=9000", "range=65536,align=256",
                                         "range=4096,fuse=0"};
    static const enum heed_dtype types[] = {HEED_F32, HEED_F16};
    static float whole[OUTPUTS][FILL], found[OUTPUTS][FILL];
    (void)state;
    if (context == NULL)
        skip();
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        assert_true(run(NULL, types[t], whole));
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            memset(found, 0xff, sizeof found);
            if (!run(limits[i], types[t], found))
                fail_msg("%s: %s", limits[i], heed_last_error(context));
            for (size_t j = 0; j < OUTPUTS; j++)
                if (memcmp(found[j], whole[j], outputs[j].bytes) != 0)
                    fail_msg("%s: %s has other bits", limits[i], outputs[j].name);
        }
    }
}

/* A single tensor that a storage buffer does not show is declined. */
static void one_too_large_is_declined(void **state) {
    static float found[OUTPUTS][FILL];
    (void)state;
    if (context == NULL)
        skip();
    assert_false(run("range=4092", HEED_F32, found));
    assert_non_null(strstr(heed_last_error(context), "larger than a storage buffer"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(apart_gives_the_same_bits),
                                       cmocka_unit_test(one_too_large_is_declined)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
