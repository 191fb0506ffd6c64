/* SPDX-License-Identifier: Apache-2.0 */
/* What kernels of attention find out about their operands before they compute. */
#ifndef HEEDI_CPU_ATTENTION_H
#define HEEDI_CPU_ATTENTION_H

#include "cpu.h"

struct cpu_attention {
    const struct cpu_call *call;
    const struct cpu_operand *q, *k, *v, *bias, *key_len, *q_start, *kv_row;
    const struct cpu_operand *q_offsets, *kv_offsets;
    int64_t heads, queries, keys, d, dv; /* h, tq, tk, d, dv */
    int64_t visible;                     /* most keys that a query can see */
    int64_t group;                       /* query heads per key head */
    int64_t bias_strides[HEED_MAX_RANK]; /* along [b, h, tq, tk], 0 where it repeats */
    int64_t weights_len;                 /* last dimension of the returned weights */
    float scale;
};
struct cpu_attention heedi_cpu_attention(const struct cpu_call *call);

/* Stretch `row` of packed rows [0, total), at most max_len long. False if there is none. */
bool heedi_cpu_attention_stretch(const struct cpu_attention *work,
                                 const struct cpu_operand *offsets, int64_t row, int64_t total,
                                 int64_t *base, int64_t *length);

/* The keys of a sequence. */
struct cpu_attention_keys {
    int64_t row;          /* of k and v; -1: by key, from kv_row */
    int64_t base, length; /* where they begin in packed keys, else 0, and how many there are */
    int64_t start;        /* position of query 0 among them */
};
/* False if there are none. */
bool heedi_cpu_attention_keys(const struct cpu_attention *work, int64_t sequence,
                              struct cpu_attention_keys *keys);
/* The keys [*begin, *end) of these that the query at `position` of its sequence may see. */
void heedi_cpu_attention_range(const struct cpu_attention *work,
                               const struct cpu_attention_keys *keys, int64_t position,
                               int64_t *begin, int64_t *end);
/* Row of key j of a sequence that has a row by key; -1: it is not visible. */
int64_t heedi_cpu_attention_key_row(const struct cpu_attention *work, int64_t sequence, int64_t j);

const char *heedi_cpu_accept_attention(const struct cpu_node *node);

#endif
