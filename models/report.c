/* SPDX-License-Identifier: Apache-2.0 */
/* What a translator did: what ran where, memory, time. */
#include <string.h>

#include "models/translator.h"
#include "runtime/base/os.h"

#define MAX_LINES 64

/* Nodes of one part, operator and backend. */
struct line {
    char part[16], op[24], backend[32];
    char reason[112];
    uint32_t nodes;
    double flops;
};

struct summary {
    struct line lines[MAX_LINES];
    uint32_t count;
    const char *part; /* of the program being listed */
    uint32_t programs;
    uint64_t arena_bytes, boundary_bytes, prepared_bytes;
};

static void add_placement(void *user, const struct heed_placement *placement) {
    struct summary *summary = user;
    struct line *line = NULL;
    if (strcmp(placement->backend, "view") == 0)
        return;
    for (uint32_t i = 0; i < summary->count && !line; i++)
        if (strcmp(summary->lines[i].part, summary->part) == 0 &&
            strcmp(summary->lines[i].op, placement->op) == 0 &&
            strcmp(summary->lines[i].backend, placement->backend) == 0)
            line = &summary->lines[i];
    if (!line) {
        if (summary->count == MAX_LINES)
            return;
        line = &summary->lines[summary->count++];
        snprintf(line->part, sizeof line->part, "%s", summary->part);
        snprintf(line->op, sizeof line->op, "%s", placement->op);
        snprintf(line->backend, sizeof line->backend, "%s", placement->backend);
        snprintf(line->reason, sizeof line->reason, "%s", placement->reason);
    }
    line->nodes++;
    line->flops += placement->flops;
}

/* All buckets of a part have the same nodes: the first program of each part is listed. */
static void add_program(void *user, const char *part, const struct heed_program *program) {
    struct summary *summary = user;
    struct heed_memory memory = {.struct_size = sizeof memory};
    bool listed = false;
    for (uint32_t i = 0; i < summary->count; i++)
        listed = listed || strcmp(summary->lines[i].part, part) == 0;
    summary->part = part;
    if (!listed)
        heed_program_placements(program, add_placement, summary);
    summary->programs++;
    if (heed_program_memory(program, &memory) != HEED_OK)
        return;
    summary->arena_bytes += memory.arena_bytes;
    summary->boundary_bytes += memory.boundary_bytes;
    summary->prepared_bytes = memory.prepared_bytes; /* of the whole executor */
}

static double mib(uint64_t bytes) {
    return (double)bytes / (1024.0 * 1024.0);
}

static double ms(uint64_t ns) {
    return (double)ns / 1e6;
}

void heed_translator_report(const struct heed_translator *translator, FILE *stream) {
    struct summary summary;
    memset(&summary, 0, sizeof summary);
    const struct heedi_session *session = translator->session;
    const uint64_t states = session->table->programs(session, add_program, &summary);
    fprintf(stream, "model: %s (%s)\n", translator->model->path, translator->model->network->name);
    for (uint32_t i = 0; i < summary.count; i++) {
        const struct line *line = &summary.lines[i];
        fprintf(stream, "ran: %s: %-12s on %s: %u nodes, %.3g Mflop a run%s%s\n", line->part,
                line->op, line->backend, line->nodes, line->flops / 1e6,
                line->reason[0] ? "; declined before: " : "", line->reason);
    }
    fprintf(stream,
            "memory: %u programs, activations %.1f MiB, boundaries %.1f MiB, key/value states %.1f "
            "MiB, packed weights %.1f MiB; peak of the process %.1f MiB\n",
            summary.programs, mib(summary.arena_bytes), mib(summary.boundary_bytes), mib(states),
            mib(summary.prepared_bytes), mib(heedi_os_peak_memory_bytes()));
    fprintf(
        stream,
        "work: %llu texts in %llu batches, %llu source tokens, %llu target tokens, %llu encoder "
        "runs, %llu decoder steps\n",
        (unsigned long long)translator->texts, (unsigned long long)translator->batches,
        (unsigned long long)translator->source_tokens,
        (unsigned long long)translator->target_tokens, (unsigned long long)session->encode_runs,
        (unsigned long long)session->step_runs);
    fprintf(stream, "time: text %.2f ms, encoder %.2f ms, decoder %.2f ms, search in all %.2f ms\n",
            ms(translator->text_ns), ms(session->encode_ns), ms(session->step_ns),
            ms(translator->search_ns));
}
