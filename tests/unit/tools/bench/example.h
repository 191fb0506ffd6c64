/* SPDX-License-Identifier: Apache-2.0 */
/* A finished comparison with known numbers: two backends, one with a name that formats must escape;
 * two cases, one of which the second backend did not run; a translation. */
#ifndef HEED_TESTS_UNIT_TOOLS_BENCH_EXAMPLE_H
#define HEED_TESTS_UNIT_TOOLS_BENCH_EXAMPLE_H

#include <stdio.h>
#include <string.h>

#include "tools/bench/bench.h"

#define EXAMPLE_LABEL "b<\"x\",&y>"

struct example {
    struct heedi_bench bench;
    struct heedi_tool_options options;
    struct heedi_bench_case cases[2];
};

static inline struct heedi_bench_stats example_stats(double median) {
    const struct heedi_bench_stats stats = {.count = 25,
                                            .median = median,
                                            .p10 = 0.9 * median,
                                            .p90 = 1.5 * median,
                                            .p99 = 2 * median,
                                            .least = 0.8 * median,
                                            .most = 3 * median,
                                            .low = 0.995 * median,
                                            .high = 1.005 * median,
                                            .stable = true};
    return stats;
}

static inline void example_case(struct example *example, size_t index, const char *op,
                                const char *shape) {
    struct heedi_bench_case *it = &example->cases[index];
    char error[200] = "";
    heedi_bench_shape_parse(heedi_bench_op_find(op, strlen(op)), shape, &it->shape, error,
                            sizeof error);
    snprintf(it->text, sizeof it->text, "%s", shape);
    it->dtype = HEED_F32;
    it->sets = 4;
    it->working_set = 4e6;
    it->level = &example->bench.roofline.levels[1];
}

/* matmul: 1e9 flops in 0.1 s and 0.2 s; softmax: 1e6 bytes in 1 ms on the first alone. */
static inline void example_fill(struct example *example) {
    memset(example, 0, sizeof *example);
    struct heedi_bench *bench = &example->bench;
    bench->options = &example->options;
    bench->seed = 7;
    bench->seconds = 2;
    bench->elapsed_s = 12;
    snprintf(bench->machine.processor, sizeof bench->machine.processor, "%s", "A & B <fast>");
    bench->roofline = (struct heedi_bench_roofline){
        .threads = 2,
        .flops_per_s = 20e9,
        .one_thread_flops_per_s = 10e9,
        .kernel = "a loop",
        .level_count = 2,
        .levels = {{"L2", 1e6, 5e5, 50e9}, {"memory", 0, 64e6, 10e9}},
    };
    bench->backend_count = 2;
    snprintf(bench->backends[0].label, sizeof bench->backends[0].label, "%s", "first");
    snprintf(bench->backends[1].label, sizeof bench->backends[1].label, "%s", EXAMPLE_LABEL);
    snprintf(bench->backends[0].description, sizeof bench->backends[0].description, "%s",
             "first 1: CPU");
    bench->backends[0].host = true;
    bench->cases = example->cases;
    bench->case_count = 2;
    example_case(example, 0, "matmul", "10x20x30:relu");
    example_case(example, 1, "softmax", "5x50");
    example->cases[0].flops = 1e9;
    example->cases[0].bytes = 1e7;
    example->cases[0].ideal_s = 0.05;
    example->cases[1].bytes = 1e6;
    example->cases[1].ideal_s = 1e-4;
    example->cases[0].results[0] = (struct heedi_bench_result){
        .measured = true, .ran_on = "first", .run = example_stats(0.1), .prepare_s = 0.25};
    example->cases[0].results[1] = (struct heedi_bench_result){
        .measured = true, .ran_on = "second", .run = example_stats(0.2), .prepare_s = 0.5};
    example->cases[1].results[0] = (struct heedi_bench_result){
        .measured = true, .ran_on = "first", .run = example_stats(1e-3), .prepare_s = 1e-5};
    snprintf(example->cases[1].results[1].reason, HEEDI_BENCH_REASON, "%s",
             "it <cannot>, \"really\" & truly");
}

/* 10 tokens in 2 s, of which the machine needs 1; all at once 0.5 s. */
static inline void example_translate(struct example *example) {
    struct heedi_bench *bench = &example->bench;
    struct heedi_bench_translation *it = &bench->translations[0];
    bench->text = (struct heedi_bench_text){.source = "a,b.txt",
                                            .count = 3,
                                            .words = 8,
                                            .weight_bytes = 1e6,
                                            .level = &bench->roofline.levels[0]};
    *it = (struct heedi_bench_translation){.measured = true,
                                           .ran_on = "first",
                                           .open_s = 0.01,
                                           .first_s = 0.02,
                                           .cold_s = -1,
                                           .peak_bytes = 3 << 20,
                                           .latency = example_stats(0.6),
                                           .total_s = 2,
                                           .ideal_s = 1,
                                           .passes = 3,
                                           .tokens = 10,
                                           .batch = example_stats(0.5),
                                           .part_count = 1};
    snprintf(it->parts[0].op, sizeof it->parts[0].op, "%s", "matmul");
    it->parts[0].runs = 40;
    it->parts[0].measured_s = 1.5;
    it->parts[0].ideal_s = 0.75;
    snprintf(bench->translations[1].reason, HEEDI_BENCH_REASON, "%s", "it, too, cannot");
}

#endif
