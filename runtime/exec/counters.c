/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: what runs cost besides the work itself, summed for the profile. */
#include <inttypes.h>
#include <string.h>

#include "runtime/exec/executor.h"

static void add(struct heedi_counts *counts, const char *name, uint64_t value) {
    counts->names[counts->count] = name;
    counts->values[counts->count++] = value;
}

void heedi_counts_read(struct heedi_counts *counts, const struct heedi_device *device,
                       struct heed_plugin_instance *instance) {
    counts->count = 0;
    if (device->counters == NULL)
        return;
    add(counts, "host_allocations", heedi_counter_read(&device->allocations));
    const struct heed_counter *given = NULL;
    const uint32_t count = device->counters->counters(instance, &given);
    if (given == NULL)
        return;
    /* An array of the plugin's own struct: its first element tells the stride. */
    const size_t stride = count > 0 ? given->struct_size : 0;
    if (stride < sizeof(struct heed_counter))
        return;
    for (uint32_t i = 0; i < count && counts->count < HEEDI_MAX_COUNTERS; i++) {
        const void *raw = (const char *)given + i * stride;
        struct heed_counter counter;
        if (heedi_read_struct(&counter, sizeof counter, raw, "heed_counter", NULL) == HEED_OK &&
            counter.name != NULL)
            add(counts, counter.name, counter.value);
    }
}

static bool same_row(const struct heedi_count_row *a, const struct heedi_count_row *b) {
    return a->device == b->device && a->replayed == b->replayed && a->sums.count == b->sums.count &&
           strcmp(a->program->partition.graph->name, b->program->partition.graph->name) == 0;
}

void heedi_count_table_add(struct heedi_count_table *table, const struct heedi_env *env,
                           const struct heedi_count_row *run, const struct heedi_counts *before) {
    struct heedi_count_row *row = NULL;
    if (run->sums.count == 0 || run->sums.count != before->count)
        return;
    for (size_t i = 0; row == NULL && i < table->count; i++)
        if (same_row(&table->rows[i], run))
            row = &table->rows[i];
    if (row == NULL) {
        if (table->count == table->capacity) {
            const size_t wanted = 2 * table->capacity + 4;
            void *grown = heedi_grow(env, table->rows, table->count, wanted, sizeof *table->rows);
            if (grown == NULL)
                return;
            table->rows = grown;
            table->capacity = wanted;
        }
        row = &table->rows[table->count++];
        *row = *run;
        row->steps = 0;
        memset(row->sums.values, 0, sizeof row->sums.values);
    }
    row->steps += run->steps;
    for (uint32_t i = 0; i < run->sums.count; i++)
        row->sums.values[i] += run->sums.values[i] - before->values[i];
}

void heedi_count_table_each(const struct heedi_count_table *table, heed_profile_counter_fn fn,
                            void *user) {
    for (size_t r = 0; r < table->count; r++) {
        const struct heedi_count_row *row = &table->rows[r];
        struct heed_profile_counter counter = {.struct_size = (uint32_t)sizeof counter,
                                               .replayed = row->replayed,
                                               .backend = row->device->backend.name,
                                               .graph = row->program->partition.graph->name,
                                               .steps = row->steps};
        for (uint32_t i = 0; i < row->sums.count; i++) {
            counter.name = row->sums.names[i];
            counter.value = row->sums.values[i];
            fn(user, &counter);
        }
    }
}

static void write_counter(void *user, const struct heed_profile_counter *counter) {
    fprintf(user, "%-12s %-10s %-8s %8" PRIu64 "  %-20s %14.3f\n", counter->backend, counter->graph,
            counter->replayed != 0 ? "replayed" : "first", counter->steps, counter->name,
            (double)counter->value / (double)counter->steps);
}

void heedi_count_table_write(const struct heedi_count_table *table, FILE *stream) {
    if (table->count > 0)
        fprintf(stream, "%-12s %-10s %-8s %8s  %-20s %14s\n", "backend", "graph", "runs", "steps",
                "counter", "of each step");
    heedi_count_table_each(table, write_counter, stream);
}
