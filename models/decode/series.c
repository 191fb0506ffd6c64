/* SPDX-License-Identifier: Apache-2.0 */
/* How many decoding steps to take at once. */
#include "models/decode/decode.h"

/* A device that says a second or more is not believed, and products of these stay small. */
static uint64_t cost_of(uint64_t submission_ns) {
    return submission_ns > 0 && submission_ns < 1000000000 ? submission_ns : HEEDI_SUBMISSION_NS;
}

/* n steps at a time cost a sentence of L tokens s L / n for submissions of s each, and
 * t (n - 1) / 2 for steps of t each after its end: least at n = sqrt(2 s L / t). The largest n that
 * is not beyond is found by trying. */
uint32_t heedi_series_length(uint64_t submission_ns, uint64_t step_ns, uint32_t tokens) {
    const uint64_t gain = 2u * cost_of(submission_ns) * (uint64_t)(tokens > 0 ? tokens : 1);
    uint32_t steps = 1;
    if (step_ns == 0)
        return HEEDI_SERIES_UNMEASURED;
    while (steps < HEEDI_SERIES_MOST && step_ns <= gain / ((uint64_t)(steps + 1) * (steps + 1)))
        steps++;
    return steps;
}

uint64_t heedi_series_step_ns(uint64_t submission_ns, uint64_t series_ns, uint32_t steps) {
    const uint64_t cost = cost_of(submission_ns);
    const uint64_t submission = series_ns / 2 < cost ? series_ns / 2 : cost;
    const uint64_t step_ns = (series_ns - submission) / (steps > 0 ? steps : 1);
    return step_ns > 0 ? step_ns : 1;
}
