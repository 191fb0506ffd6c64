/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder's attention, step after step, on Vulkan: products, caches and attention in one dispatch
 * give what a model in double precision gives, and the same bits in the caches as in parts. */
#include <math.h>
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
#include "tests/support/step.h"

/* Sums of up to some hundred products of numbers of about 1, and of their exponentials: a hundred
 * roundings of 2^-24, and not the thousandth part of what a wrong key would change. */
static const double tolerance = 6e-6;

enum { STEPS = 4 };

static const struct support_device *device;

/* ---- the graph ---- */

static const char *const names[] = {"q", "k", "v"};

static heed_tensor constant(struct heed_graph *graph, const char *name, uint32_t rank,
                            const int64_t *dims, enum heed_dtype type, const void *data) {
    const struct heed_tensor_desc desc = heed_desc(type, rank, dims);
    struct heed_weight *weight = NULL;
    heed_tensor tensor = HEED_NO_TENSOR;
    support_ok(device->context,
               heed_weight_create(device->context, name, &desc, data, NULL, NULL, &weight));
    heed_graph_constant(graph, weight, &tensor);
    heed_weight_release(weight);
    return tensor;
}

/* q, k or v of x. */
static heed_tensor product(struct heed_graph *graph, const struct support_step *model, int part,
                           heed_tensor x) {
    const struct support_shape *shape = &model->shape;
    const int64_t dims[] = {model->n, shape->k / heed_dtype_values(shape->type)};
    heed_tensor y = HEED_NO_TENSOR, b = HEED_NO_TENSOR, scale = HEED_NO_TENSOR;
    const heed_tensor w = constant(graph, "w", 2, dims, shape->type, model->stored[part]);
    if (shape->bias)
        b = constant(graph, "b", 1, dims, HEED_F32, model->biases[part]);
    if (shape->type == HEED_I8)
        scale = constant(graph, "scale", 1, dims, HEED_F32, model->scales[part]);
    if (shape->type == HEED_I8 || shape->type == HEED_Q8_0)
        heed_graph_quantized_linear(graph, names[part], x, w, scale, b, HEED_ACTIVATION_NONE, &y);
    else
        heed_graph_linear(graph, names[part], x, w, b, HEED_ACTIVATION_NONE, &y);
    return y;
}

static heed_tensor table(struct heed_graph *graph, const char *name, int count, int bound) {
    const int64_t dims[] = {count};
    heed_tensor tensor = HEED_NO_TENSOR;
    heed_graph_input(graph, name, HEED_I32, 1, dims, bound, &tensor);
    return tensor;
}

/* The keys or values that attention sees, after what is given has been stored. */
static heed_tensor keys(struct heed_graph *graph, const struct support_step *model, int part,
                        heed_tensor x, heed_tensor position, heed_tensor row) {
    const struct support_shape *shape = &model->shape;
    const int64_t slots = shape->cross ? 1 : shape->slots;
    const int64_t dims[] = {slots, shape->keys, model->n}, x_dims[] = {shape->rows, 1, model->n};
    const int64_t split[] = {slots, shape->keys, shape->heads, shape->d};
    const uint32_t order[] = {0, 2, 1, 3};
    heed_tensor state = HEED_NO_TENSOR;
    heed_graph_state(graph, names[part], HEED_F32, 3, dims, &state);
    if (!shape->cross) {
        heed_graph_reshape(graph, NULL, x, 3, x_dims, &x);
        heed_graph_cache_append(graph, names[part], state, x, position, row, &state);
    }
    heed_graph_reshape(graph, NULL, state, 4, split, &state);
    heed_graph_transpose(graph, NULL, state, order, &state);
    return state;
}

static struct heed_graph *make_graph(const struct support_step *model) {
    const struct support_shape *shape = &model->shape;
    const int64_t x_dims[] = {shape->rows, shape->k};
    const int64_t split[] = {shape->rows, shape->heads, 1, shape->d};
    const struct heed_attention_attrs attrs = {
        .struct_size = sizeof attrs, .score = HEED_SCORE_SCALED, .max_len = (uint32_t)shape->keys};
    heed_tensor products[SUPPORT_PARTS] = {HEED_NO_TENSOR, HEED_NO_TENSOR, HEED_NO_TENSOR};
    heed_tensor inputs[HEED_ATTENTION_INPUTS], x, y, row = HEED_NO_TENSOR, position;
    struct heed_graph *graph = NULL;
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    support_ok(device->context, heed_graph_create(device->context, "step", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &x);
    position = shape->cross ? HEED_NO_TENSOR : table(graph, "position", shape->rows, shape->keys);
    if (shape->tables)
        row = table(graph, "row", shape->rows, shape->slots);
    for (int i = 0; i < model->parts; i++)
        products[i] = product(graph, model, i, x);
    inputs[HEED_ATTENTION_K] = keys(graph, model, 1, products[1], position, row);
    inputs[HEED_ATTENTION_V] = keys(graph, model, 2, products[2], position, row);
    inputs[HEED_ATTENTION_KV_ROW] =
        shape->elsewhere ? table(graph, "seen", shape->rows, shape->slots) : row;
    if (shape->cross)
        inputs[HEED_ATTENTION_KV_OFFSETS] = table(graph, "offsets", shape->slots + 1, shape->keys);
    else
        inputs[HEED_ATTENTION_KEY_LEN] = table(graph, "key_len", shape->rows, shape->keys + 1);
    heed_graph_reshape(graph, NULL, products[0], 4, split, &inputs[HEED_ATTENTION_Q]);
    heed_graph_attention(graph, "attention", inputs, &attrs, &y, NULL);
    heed_graph_output(graph, "y", y);
    if (shape->apart)
        heed_graph_output(graph, "q", products[0]);
    support_ok(device->context, heed_graph_freeze(graph));
    return graph;
}

/* ---- a case ---- */

struct run {
    struct heed_program *program;
    struct heed_instance *instance;
    struct heed_state *states[2];
    struct heed_profile *profile;
};

/* Caches begin with numbers that no row has stored. */
static void begin(struct run *run, struct support_step *model) {
    struct heed_graph *graph = make_graph(model);
    support_ok(device->context,
               heed_program_compile(device->context, device->executor, graph, &run->program));
    heed_graph_release(graph);
    support_ok(device->context,
               heed_instance_create(device->context, run->program, &run->instance));
    support_ok(device->context, heed_profile_create(device->context, &run->profile));
    heed_instance_set_profile(run->instance, run->profile);
    for (int i = 0; i < 2; i++) {
        const size_t count = support_step_cache_elems(model);
        float *values = support_draw_floats(count, 1);
        for (size_t j = 0; j < count; j++)
            model->caches[i][j] = (double)values[j];
        support_ok(device->context,
                   heed_state_create(device->context, run->program, names[1 + i], &run->states[i]));
        support_ok(device->context, heed_instance_bind_state(device->context, run->instance,
                                                             names[1 + i], run->states[i]));
        support_ok(device->context, heed_state_write(device->context, run->states[i], 0, values,
                                                     count * sizeof *values));
        free(values);
    }
}

static void end(struct run *run) {
    heed_instance_destroy(run->instance);
    heed_program_release(run->program);
    for (int i = 0; i < 2; i++)
        heed_state_destroy(run->states[i]);
    heed_profile_destroy(run->profile);
}

static void set(struct heed_instance *instance, const char *name, const void *values) {
    size_t bytes = 0;
    void *input = heed_instance_input(instance, name, &bytes);
    if (input != NULL)
        memcpy(input, values, bytes);
}

static void step(struct run *run, struct support_step *model) {
    set(run->instance, "x", model->x);
    set(run->instance, "position", model->position);
    set(run->instance, "row", model->row);
    set(run->instance, "seen", model->seen);
    set(run->instance, "key_len", model->key_len);
    set(run->instance, "offsets", model->offsets);
    support_ok(device->context, heed_instance_run(device->context, run->instance));
    support_step_multiply(model);
    if (!model->shape.cross)
        support_step_append(model);
}

static void compare_y(const struct run *run, const struct support_step *model) {
    const struct support_shape *shape = &model->shape;
    const float *found = heed_instance_output(run->instance, "y", NULL);
    double *wanted = support_room((size_t)shape->d, sizeof *wanted);
    for (int i = 0; i < shape->rows; i++)
        for (int head = 0; head < shape->heads; head++) {
            support_step_attend(model, i, head, wanted);
            for (int c = 0; c < shape->d; c++) {
                const double y = (double)found[i * model->n + head * shape->d + c];
                if (!(fabs(y - wanted[c]) <= tolerance))
                    fail_msg("row %d of %d, head %d, column %d of %d: %.9g, expected %.9g", i,
                             shape->rows, head, c, shape->d, y, wanted[c]);
            }
        }
    free(wanted);
}

/* What was stored is near the model's, all else as it was. */
static void compare_caches(const struct run *run, const struct support_step *model) {
    const size_t count = support_step_cache_elems(model);
    float *found = support_room(count, sizeof *found);
    for (int i = 0; i < 2; i++) {
        support_ok(device->context, heed_state_read(device->context, run->states[i], 0, found,
                                                    count * sizeof *found));
        for (size_t j = 0; j < count; j++)
            if (!(fabs((double)found[j] - model->caches[i][j]) <= tolerance))
                fail_msg("element %d of the cache of %s: %.9g, expected %.9g", (int)j, names[1 + i],
                         (double)found[j], model->caches[i][j]);
    }
    free(found);
}

static void check(const struct support_shape *shape) {
    struct support_step model;
    struct run run;
    support_step_create(&model, shape);
    begin(&run, &model);
    for (int i = 0; i < STEPS; i++) {
        support_step_draw(&model, i);
        step(&run, &model);
        compare_y(&run, &model);
    }
    compare_caches(&run, &model);
    const uint64_t runs = support_profile_runs(run.profile);
    const bool packed = shape->type == HEED_I8 || shape->type == HEED_Q8_0;
    const bool wide = shape->k % (packed ? 32 : 8) == 0 && shape->d % 4 == 0;
    /* 4: the products are one */
    const int apart = shape->cross ? 2 : shape->elsewhere && !packed ? 4 : 6;
    assert_int_equal(runs, STEPS * (wide && !shape->elsewhere && !shape->apart ? 1 : apart));
    end(&run);
    support_step_destroy(&model);
}

/* ---- tests ---- */

static void over_what_was_generated(void **state) {
    static const struct support_shape shapes[] = {
        {1, 2, 8, 16, 1, 12, HEED_F32, true, true, false, false, false},
        {1, 8, 64, 512, 3, 40, HEED_F32, true, true, false, false, false},
        {2, 3, 32, 72, 2, 9, HEED_F32, false, false, false, false, false},
        {3, 1, 80, 40, 7, 300, HEED_F32, true, true, false, false, false},
        {4, 2, 64, 128, 4, 100, HEED_F32, true, false, false, false, false},
        {7, 2, 32, 96, 9, 11, HEED_F16, true, true, false, false, false},
        {8, 2, 8, 24, 8, 90, HEED_BF16, true, true, false, false, false},
        {17, 1, 128, 48, 19, 30, HEED_F32, true, true, false, false, false},
        {70, 2, 64, 64, 71, 24, HEED_F32, true, true, false, false, false},
        {5, 2, 12, 36, 5, 10, HEED_F32, true, true, false, false,
         false}, /* k is no multiple of 8 */
        {16, 2, 8, 16, 17, 12, HEED_F32, true, true, false, false, true},
        {1, 8, 64, 512, 3, 40, HEED_I8, true, true, false, false, false},
        {17, 1, 128, 96, 19, 30, HEED_I8, true, true, false, false, false},
        {5, 2, 8, 48, 5, 10, HEED_I8, true, true, false, false, false}, /* of 32 */
        {7, 2, 64, 608, 9, 40, HEED_Q8_0, true, true, false, false, false},
        {8, 2, 32, 64, 8, 30, HEED_Q8_0, true, true, false, false, true},
    };
    (void)state;
    support_need_device(device);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(&shapes[i]);
}

static void over_a_source(void **state) {
    static const struct support_shape shapes[] = {
        {1, 8, 64, 512, 1, 30, HEED_F32, true, true, true, false, false},
        {1, 1, 8, 8, 1, 700, HEED_F32, true, true, true, false, false},
        {2, 2, 80, 88, 3, 50, HEED_F32, false, true, true, false, false},
        {4, 4, 32, 64, 4, 60, HEED_F16, true, true, true, false, false},
        {6, 1, 128, 32, 5, 500, HEED_F32, true, true, true, false, false},
        {33, 2, 32, 64, 9, 200, HEED_BF16, true, true, true, false, false},
        {70, 2, 64, 64, 13, 90, HEED_F32, true, true, true, false, false},
        {70, 2, 32, 96, 13, 90, HEED_I8, true, true, true, false, false},
        {33, 1, 128, 32, 9, 100, HEED_Q8_0, false, true, true, false, false},
        {3, 4, 6, 24, 3, 20, HEED_F32, true, true, true, false, false}, /* d is no multiple of 4 */
    };
    (void)state;
    support_need_device(device);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(&shapes[i]);
}

/* The caches and y after a step, bit by bit; to be freed. */
static float *bits_of(const struct support_shape *shape, size_t *count) {
    struct support_step model;
    struct run run;
    support_draw_from(4321);
    support_step_create(&model, shape);
    begin(&run, &model);
    support_step_draw(&model, 1);
    if (shape->rows > 1) /* a row without a magnitude to be quantised by */
        memset(model.x, 0, (size_t)shape->k * sizeof *model.x);
    step(&run, &model);
    const size_t cache = support_step_cache_elems(&model), y = (size_t)(shape->rows * model.n);
    float *found = support_room(2 * cache + y, sizeof *found);
    for (size_t i = 0; i < 2; i++)
        support_ok(device->context, heed_state_read(device->context, run.states[i], 0,
                                                    found + i * cache, cache * sizeof *found));
    memcpy(found + 2 * cache, heed_instance_output(run.instance, "y", NULL), y * sizeof *found);
    end(&run);
    support_step_destroy(&model);
    *count = 2 * cache + y;
    return found;
}

/* Keys, values and y have the bits that products, cache_append and attention give one by one. As
 * these do not depend on how many rows there are, neither do those. */
static void same_bits_apart(void **state) {
    static const struct support_shape shapes[] = {
        {1, 2, 64, 160, 3, 300, HEED_F32, true, true, false, false, false},
        {6, 2, 64, 160, 6, 48, HEED_F32, true, true, false, false, false},
        {9, 1, 80, 64, 9, 60, HEED_F32, true, true, false, false, false},
        {4, 2, 8, 16, 3, 200, HEED_F32, true, true, true, false, false},
        {17, 1, 128, 64, 5, 100, HEED_F16, true, true, true, false, false},
        {6, 1, 64, 1056, 6, 48, HEED_I8, true, true, false, false, false},
        {20, 2, 8, 96, 21, 60, HEED_I8, true, true, true, false, false},
        {1, 2, 64, 1056, 3, 40, HEED_Q8_0, true, true, false, false, false},
        {9, 1, 80, 96, 9, 60, HEED_Q8_0, true, true, false, false, false},
        {17, 2, 32, 512, 5, 50, HEED_Q8_0, true, true, true, false, false},
        {2, 1, 8, 4096, 2, 9, HEED_I8, true, true, false, false, false},
        {5, 1, 8, 4096, 5, 9, HEED_Q8_0, true, true, false, false, false},
    };
    (void)state;
    support_need_device(device);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct support_shape apart = shapes[i];
        size_t count = 0;
        apart.apart = true;
        float *fused = bits_of(&shapes[i], &count), *single = bits_of(&apart, &count);
        assert_memory_equal(fused, single, count * sizeof *fused);
        free(fused);
        free(single);
    }
}

/* Keys and values that are no numbers, or infinite, do what they do in attention by itself. */
static void special_numbers(void **state) {
    static const float special[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0};
    struct support_shape shape = {8, 2, 8, 16, 8, 40, HEED_F32, true, true, false, false, false};
    float found[2][8 * 16];
    int odd = 0;
    (void)state;
    support_need_device(device);
    for (int i = 0; i < 2; i++) {
        struct support_step model;
        struct run run;
        support_draw_from(777);
        shape.apart = i == 1;
        support_step_create(&model, &shape);
        begin(&run, &model);
        support_step_draw(&model, 2);
        for (int j = 0; j < 60; j++) {
            const size_t at =
                (size_t)support_draw((int)support_step_cache_elems(&model)) * sizeof(float);
            support_ok(device->context, heed_state_write(device->context, run.states[j % 2], at,
                                                         &special[support_draw(6)], sizeof(float)));
        }
        for (int j = 0; j < shape.rows; j++)
            model.key_len[j] = shape.keys;
        step(&run, &model);
        memcpy(found[i], heed_instance_output(run.instance, "y", NULL), sizeof found[i]);
        end(&run);
        support_step_destroy(&model);
    }
    for (int i = 0; i < 8 * 16; i++) {
        const float a = found[0][i], b = found[1][i];
        odd += !isfinite(b);
        if (isnan(b) ? !isnan(a) : !(a == b || fabsf(a - b) <= 1e-5f * fabsf(b) + 1e-5f))
            fail_msg("element %d: %g, in parts %g", i, (double)a, (double)b);
    }
    assert_true(odd > 8 && odd < 8 * 16);
}

/* The same step, again and again, in programs compiled anew. */
static void same_bits_every_time(void **state) {
    const struct support_shape shape = {9,        2,    32,   64,    9,     70,
                                        HEED_F32, true, true, false, false, false};
    float first[9 * 64];
    (void)state;
    support_need_device(device);
    for (int program = 0; program < 2; program++) {
        struct support_step model;
        struct run run;
        support_draw_from(99);
        support_step_create(&model, &shape);
        begin(&run, &model);
        support_step_draw(&model, 3);
        for (int i = 0; i < 50; i++) {
            step(&run, &model);
            const float *y = heed_instance_output(run.instance, "y", NULL);
            if (program == 0 && i == 0)
                memcpy(first, y, sizeof first);
            assert_memory_equal(first, y, sizeof first);
        }
        end(&run);
        support_step_destroy(&model);
    }
}

static int setup(void **state) {
    support_draw_from(2024);
    const int failed = support_device_setup(state);
    device = *state;
    return failed;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_what_was_generated), cmocka_unit_test(over_a_source),
        cmocka_unit_test(same_bits_apart),         cmocka_unit_test(special_numbers),
        cmocka_unit_test(same_bits_every_time),
    };
    return cmocka_run_group_tests(tests, setup, support_device_teardown);
}
