/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm over the last dimension: y = (x - mean) / sqrt(var + eps) * gamma + beta (Ba, Kiros,
 * Hinton 2016). The variance is taken in a second pass over x - mean, which does not cancel. */
#include <math.h>

#include "avx2.h"
#include "vector.h"

struct layer_norm {
    const struct cpu_call *call;
    const struct cpu_operand *x;
    const struct cpu_call *add; /* where x is a sum, to be computed in place of y; else NULL */
    int64_t n;
    float eps;
};

/* sum of x[i] - shift, or of its square, over a row. */
static float row_sum(const struct layer_norm *work, int64_t from, float shift, bool squared) {
    float buffer[CPU_BLOCK];
    struct vector_pair sums = vector_pair(0.0f);
    for (int64_t i = 0; i < work->n; i += CPU_BLOCK) {
        const int64_t count = work->n - i < CPU_BLOCK ? work->n - i : CPU_BLOCK;
        const float *x = heedi_avx2_load(work->x, from + i, count, buffer);
        for (int64_t j = 0; j < count; j += 8) {
            const __m256 shifted =
                _mm256_sub_ps(vector_load(x + j, count - j), _mm256_set1_ps(shift));
            const __m256 value = vector_select(count - j, shifted, 0.0f);
            __m256 *at = &sums.at[j / 8 % 2];
            *at = squared ? _mm256_fmadd_ps(value, value, *at) : _mm256_add_ps(*at, value);
        }
    }
    return vector_sum(_mm256_add_ps(sums.at[0], sums.at[1]));
}

static void layer_norm_row(const struct layer_norm *work, int64_t row) {
    const struct cpu_operand *x = work->x, *y = &work->call->out[0];
    const struct cpu_operand *gamma = &work->call->in[1], *beta = &work->call->in[2];
    const int64_t from = heedi_cpu_offset(x->desc, x->desc->rank - 1, row);
    const int64_t to = row * work->n, n = work->n;
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    float gamma_buffer[CPU_BLOCK], beta_buffer[CPU_BLOCK];

    const float mean = row_sum(work, from, 0.0f, false) / (float)n;
    const float factor = 1.0f / sqrtf(row_sum(work, from, mean, true) / (float)n + work->eps);
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        const float *values = heedi_avx2_load(x, from + i, count, x_buffer);
        const float *g = heedi_avx2_load(gamma, i, count, gamma_buffer);
        const float *b = heedi_avx2_load(beta, i, count, beta_buffer);
        float *target = heedi_cpu_target(y, to + i, y_buffer);
        for (int64_t j = 0; j < count; j += 8) {
            const int64_t left = count - j;
            const __m256 shifted =
                _mm256_sub_ps(vector_load(values + j, left), _mm256_set1_ps(mean));
            const __m256 scaled = _mm256_mul_ps(shifted, _mm256_set1_ps(factor));
            vector_store(
                target + j, left,
                _mm256_fmadd_ps(scaled, vector_load(g + j, left), vector_load(b + j, left)));
        }
        heedi_avx2_store(y, to + i, count, target);
    }
}

/* A row of y becomes the sum of two others. */
static void add_row(const struct layer_norm *work, int64_t row) {
    const float *a = (const float *)work->add->in[0].data + row * work->n;
    const float *b = (const float *)work->add->in[1].data + row * work->n;
    float *y = (float *)work->call->out[0].data + row * work->n;
    for (int64_t i = 0; i < work->n; i += 8) {
        const int64_t left = work->n - i;
        vector_store(y + i, left,
                     _mm256_add_ps(vector_load(a + i, left), vector_load(b + i, left)));
    }
}

static void layer_norm_range(void *arg, int64_t begin, int64_t end) {
    const struct layer_norm *work = arg;
    for (int64_t row = begin; row < end; row++) {
        if (work->add != NULL)
            add_row(work, row);
        layer_norm_row(work, row);
    }
}

static void run(const struct cpu_call *call, const struct cpu_call *add) {
    const struct heed_tensor_desc *x = call->in[0].desc;
    struct layer_norm work = {.call = call,
                              .x = add != NULL ? &call->out[0] : &call->in[0],
                              .add = add,
                              .n = x->dims[x->rank - 1],
                              .eps = call->node->attrs.layer_norm.eps};
    heedi_cpu_parallel(call, heedi_cpu_rows(x), work.n, layer_norm_range, &work);
}

void heed_f32_layer_norm__avx2(const struct cpu_call *call) {
    run(call, NULL);
}

void heed_f32_add_layer_norm__avx2(const struct cpu_call *call) {
    run(&call[1], call);
}

static const char *accept(struct cpu_node *node) {
    const char *reason = heedi_cpu_accept_layer_norm(node);
    if (reason != NULL)
        return reason;
    for (uint32_t i = 0; i < 3; i++)
        heedi_cpu_want_lines(node, i);
    node->kernel = &heedi_avx2_kernels[AVX2_LAYER_NORM];
    return NULL;
}

const struct cpu_operator heedi_avx2_layer_norm = {
    .attrs_size = sizeof(struct heed_layer_norm_attrs), .accept = accept};
