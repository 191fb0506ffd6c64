/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine could do at best with the work that a profile has seen: the sum over all nodes
 * that ran of max(flops / peak, bytes / bandwidth), by operator.
 *
 * The work is what the programs contain: a bucket's padding and a cache's spare positions count. */
#include <string.h>

#include "tools/bench/translate.h"

struct ideal {
    const struct heedi_bench *bench;
    size_t backend;
    struct heedi_bench_translation *result;
    uint64_t runs; /* of the program being looked at */
    struct {
        char name[32];
        double flops;
    } shares[HEEDI_BENCH_BACKENDS];
    size_t share_count;
    double flops;
};

static struct heedi_bench_part *part_of(struct heedi_bench_translation *result, const char *op) {
    for (size_t i = 0; i < result->part_count; i++)
        if (strcmp(result->parts[i].op, op) == 0)
            return &result->parts[i];
    struct heedi_bench_part *part = &result->parts[result->part_count];
    if (result->part_count == HEEDI_BENCH_PARTS)
        return part - 1;
    result->part_count++;
    snprintf(part->op, sizeof part->op, "%s", op);
    return part;
}

static void add_share(struct ideal *ideal, const char *backend, double flops) {
    size_t i = 0;
    while (i < ideal->share_count && strcmp(ideal->shares[i].name, backend) != 0)
        i++;
    if (i == HEEDI_BENCH_BACKENDS)
        return;
    if (i == ideal->share_count)
        snprintf(ideal->shares[ideal->share_count++].name, sizeof ideal->shares[0].name, "%s",
                 backend);
    ideal->shares[i].flops += flops;
    ideal->flops += flops;
}

static void add_node(void *user, const struct heed_placement *placement) {
    struct ideal *ideal = user;
    const struct heedi_bench *bench = ideal->bench;
    if (strcmp(placement->backend, "view") == 0)
        return;
    struct heedi_bench_part *part = part_of(ideal->result, placement->op);
    const double seconds =
        (double)ideal->runs *
        heedi_bench_ideal_s(heedi_bench_roof(bench, ideal->backend),
                            heedi_bench_roof_level(bench, ideal->backend, bench->text.level),
                            placement->flops, placement->bytes);
    part->ideal_s += seconds;
    part->runs += ideal->runs;
    ideal->result->ideal_s += seconds;
    add_share(ideal, placement->backend, (double)ideal->runs * placement->flops);
}

static void add_program(void *user, const struct heed_program *program, uint64_t runs) {
    struct ideal *ideal = user;
    ideal->runs = runs;
    heed_program_placements(program, add_node, ideal);
}

static void add_total(void *user, const char *backend, const char *op, uint64_t runs, uint64_t ns) {
    struct ideal *ideal = user;
    (void)backend;
    struct heedi_bench_part *part = part_of(ideal->result, op);
    part->measured_s += (double)ns * 1e-9;
    if (op[0] == '\0')
        part->runs += runs;
    else if (ideal->bench->backends[ideal->backend].device)
        ideal->result->device_s += (double)ns * 1e-9;
}

void heedi_bench_ideal(const struct heedi_bench *bench, size_t backend,
                       const struct heed_profile *profile, struct heedi_bench_translation *result) {
    struct ideal ideal = {.bench = bench, .backend = backend, .result = result};
    heed_profile_programs(profile, add_program, &ideal);
    heed_profile_totals(profile, add_total, &ideal);
    for (size_t i = 0; i < ideal.share_count && ideal.flops > 0; i++) {
        const size_t used = strlen(result->ran_on);
        const double share = 100 * ideal.shares[i].flops / ideal.flops;
        snprintf(result->ran_on + used, sizeof result->ran_on - used,
                 share >= 99.95 ? "%s%s" : "%s%s %.1f %%", used > 0 ? ", " : "",
                 ideal.shares[i].name, share);
    }
    /* the greatest first */
    for (size_t i = 1; i < result->part_count; i++)
        for (size_t j = i; j > 0; j--) {
            struct heedi_bench_part *a = &result->parts[j - 1], *b = &result->parts[j];
            const double a_s = a->measured_s > 0 ? a->measured_s : a->ideal_s;
            const double b_s = b->measured_s > 0 ? b->measured_s : b->ideal_s;
            if (a_s >= b_s)
                break;
            const struct heedi_bench_part kept = *a;
            *a = *b;
            *b = kept;
        }
}
