/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: what ran where and when; Chrome trace events and a summary. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/exec/executor.h"

/* Single events are kept up to this many; sums go on beyond. 56 bytes each. */
enum { MAX_EVENTS = 1 << 20 };

/* One node, a fused group, or, where a backend does not tell, a whole part. */
struct event {
    const struct heed_program *program; /* kept alive by the profile */
    uint32_t node;                      /* of its graph; WHOLE_PART */
    uint32_t part;
    uint32_t fused, dispatches;
    uint32_t row;
    const char *kernel; /* static in the plugin, or NULL */
    uint64_t begin_ns, end_ns;
};
#define WHOLE_PART UINT32_MAX

struct total {
    uint64_t runs, ns;
};

/* What one backend did; index 0 of `totals` is for whole parts, others for operators. */
struct row {
    const struct heedi_device *device;
    struct total totals[HEED_OP_COUNT_PLUS_ONE];
};

struct used_program {
    struct heed_program *program; /* a reference: names of nodes live there */
    uint64_t runs;
};

struct heed_profile {
    struct heedi_env env;
    uint64_t origin_ns;
    struct event *events;
    size_t event_count, event_capacity;
    uint64_t dropped; /* events beyond the limit or without memory */
    struct row *rows;
    size_t row_count, row_capacity;
    struct used_program *programs;
    size_t program_count, program_capacity;
    struct heedi_count_table counts;
};

enum heed_status heed_profile_create(struct heed_context *context, struct heed_profile **profile) {
    *profile = heedi_calloc(&context->env, 1, sizeof **profile);
    if (*profile == NULL)
        return heedi_fail_memory(context, "a profile", sizeof **profile);
    (*profile)->env = context->env;
    (*profile)->origin_ns = heedi_os_now_ns();
    return HEED_OK;
}

void heed_profile_destroy(struct heed_profile *profile) {
    if (profile == NULL)
        return;
    const struct heedi_env env = profile->env;
    for (size_t i = 0; i < profile->program_count; i++)
        heed_program_release(profile->programs[i].program);
    heedi_free(&env, profile->programs);
    heedi_free(&env, profile->counts.rows);
    heedi_free(&env, profile->rows);
    heedi_free(&env, profile->events);
    heedi_free(&env, profile);
}

/* ---- recording ---- */

/* Makes room for one more element; false when out of memory. */
static bool make_room(const struct heedi_env *env, void **array, size_t count, size_t *capacity,
                      size_t size) {
    if (count < *capacity)
        return true;
    const size_t wanted = *capacity == 0 ? 16 : 2 * *capacity;
    void *grown = heedi_grow(env, *array, count, wanted, size);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

static struct used_program *keep_program(struct heed_profile *profile,
                                         struct heed_program *program) {
    for (size_t i = profile->program_count; i-- > 0;)
        if (profile->programs[i].program == program)
            return &profile->programs[i];
    void *array = profile->programs;
    if (!make_room(&profile->env, &array, profile->program_count, &profile->program_capacity,
                   sizeof *profile->programs))
        return NULL;
    profile->programs = array;
    struct used_program *used = &profile->programs[profile->program_count++];
    used->program = heed_program_retain(program);
    used->runs = 0;
    return used;
}

/* Index of the row of a device, -1 when out of memory. */
static int64_t find_row(struct heed_profile *profile, const struct heedi_device *device) {
    for (size_t i = 0; i < profile->row_count; i++)
        if (profile->rows[i].device == device)
            return (int64_t)i;
    void *array = profile->rows;
    if (!make_room(&profile->env, &array, profile->row_count, &profile->row_capacity,
                   sizeof *profile->rows))
        return -1;
    profile->rows = array;
    struct row *row = &profile->rows[profile->row_count];
    memset(row, 0, sizeof *row);
    row->device = device;
    return (int64_t)profile->row_count++;
}

static void record(struct heed_profile *profile, const struct event *event) {
    struct total *total =
        &profile->rows[event->row]
             .totals[event->node == WHOLE_PART
                         ? HEED_OP_NONE
                         : event->program->partition.graph->nodes[event->node].op];
    total->runs++;
    total->ns += event->end_ns - event->begin_ns;
    void *array = profile->events;
    if (profile->event_count == MAX_EVENTS ||
        !make_room(&profile->env, &array, profile->event_count, &profile->event_capacity,
                   sizeof *profile->events)) {
        profile->dropped++;
        return;
    }
    profile->events = array;
    profile->events[profile->event_count++] = *event;
}

/* What a group is named after: the node with the most arithmetic. */
static uint32_t costliest(const struct heed_program *program, const struct heedi_compiled *compiled,
                          const struct heed_profile_entry *entry) {
    const uint32_t fused = entry->fused_count < entry->node ? entry->fused_count : entry->node;
    uint32_t found = compiled->nodes[entry->node];
    double most = 0.0;
    for (uint32_t i = entry->node - fused; fused > 0 && i <= entry->node; i++) {
        const double flops = heedi_program_cost(program, compiled->nodes[i]).flops;
        if (flops < most)
            continue;
        most = flops;
        found = compiled->nodes[i];
    }
    return found;
}

void heedi_profile_record(struct heed_profile *profile, struct heed_plugin_instance *instance,
                          const struct heedi_profiled_run *run) {
    struct heed_program *program = run->program;
    const struct heedi_compiled *compiled = &program->parts[run->part];
    const struct heed_profile_extension *extension = compiled->device->profile;
    struct used_program *used = keep_program(profile, program);
    const int64_t row = used != NULL ? find_row(profile, compiled->device) : -1;
    if (used != NULL && run->part == 0)
        used->runs += run->steps;
    if (row < 0) {
        profile->dropped++;
        return;
    }
    struct heedi_count_row counted = {.device = compiled->device,
                                      .program = program,
                                      .replayed = run->replayed,
                                      .steps = run->steps};
    heedi_counts_read(&counted.sums, compiled->device, instance);
    heedi_count_table_add(&profile->counts, &profile->env, &counted, &run->before);
    const uint64_t begin_ns = run->begin_ns;
    struct event event = {.program = program,
                          .node = WHOLE_PART,
                          .part = run->part,
                          .row = (uint32_t)row,
                          .begin_ns = begin_ns,
                          .end_ns = run->end_ns};
    const struct heed_profile_entry *entries = NULL;
    const uint32_t count = extension != NULL ? extension->entries(instance, &entries) : 0;
    if (count == 0 || entries == NULL)
        record(profile, &event);
    /* Entries are an array of the plugin's own struct: its first element tells the stride. */
    const size_t stride = count > 0 && entries != NULL ? entries->struct_size : 0;
    for (uint32_t i = 0; stride >= offsetof(struct heed_profile_entry, kernel) && i < count; i++) {
        const void *raw = (const char *)entries + i * stride;
        struct heed_profile_entry entry;
        if (heedi_read_struct(&entry, sizeof entry, raw, "heed_profile_entry", NULL) != HEED_OK ||
            entry.node >= compiled->node_count || entry.end_ns < entry.begin_ns)
            continue;
        /* Below the begin of the run it can only be an offset from it. */
        const uint64_t base = entry.begin_ns < begin_ns ? begin_ns : 0;
        event.node = costliest(program, compiled, &entry);
        event.fused = entry.fused_count;
        event.dispatches = entry.dispatches;
        event.kernel = entry.kernel;
        event.begin_ns = base + entry.begin_ns;
        event.end_ns = base + entry.end_ns;
        record(profile, &event);
    }
}

/* ---- writing ---- */

/* Length of the UTF-8 sequence at `text`; 0 if it is malformed (RFC 3629, section 4). */
static int utf8_length(const unsigned char *text) {
    const int length = text[0] < 0x80                       ? 1
                       : text[0] >= 0xc2 && text[0] <= 0xdf ? 2
                       : (text[0] & 0xf0) == 0xe0           ? 3
                       : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
                                                            : 0;
    for (int i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

/* A JSON string (RFC 8259, section 7); bytes that are not UTF-8 become U+FFFD. */
static void write_string(FILE *stream, const char *string) {
    const unsigned char *text = (const unsigned char *)string;
    fputc('"', stream);
    while (*text != '\0') {
        const int length = utf8_length(text);
        if (length == 0)
            fputs("\\ufffd", stream);
        else if (*text == '"' || *text == '\\')
            fprintf(stream, "\\%c", *text);
        else if (*text < 0x20)
            fprintf(stream, "\\u%04x", *text);
        else
            fwrite(text, 1, (size_t)length, stream);
        text += length > 0 ? length : 1;
    }
    fputc('"', stream);
}

/* The format counts in microseconds; three decimals keep the nanoseconds. */
static void write_microseconds(FILE *stream, uint64_t ns) {
    fprintf(stream, "%" PRIu64 ".%03" PRIu64, ns / 1000, ns % 1000);
}

static void write_event(FILE *stream, const struct heed_profile *profile,
                        const struct event *event) {
    const struct heed_graph *graph = event->program->partition.graph;
    const struct heedi_node *node = event->node != WHOLE_PART ? &graph->nodes[event->node] : NULL;
    fputs(",\n{\"ph\":\"X\",\"pid\":1,\"tid\":", stream);
    fprintf(stream, "%" PRIu32 ",\"name\":", event->row + 1);
    write_string(stream, node != NULL ? node->name : graph->name);
    fputs(",\"cat\":", stream);
    write_string(stream, node != NULL ? heed_op_name(node->op) : "part");
    fputs(",\"ts\":", stream);
    write_microseconds(
        stream, event->begin_ns > profile->origin_ns ? event->begin_ns - profile->origin_ns : 0);
    fputs(",\"dur\":", stream);
    write_microseconds(stream, event->end_ns - event->begin_ns);
    fputs(",\"args\":{\"graph\":", stream);
    write_string(stream, graph->name);
    fprintf(stream, ",\"part\":%" PRIu32, event->part);
    if (event->kernel != NULL) {
        fputs(",\"kernel\":", stream);
        write_string(stream, event->kernel);
    }
    if (event->fused > 0)
        fprintf(stream, ",\"fused\":%" PRIu32, event->fused);
    if (event->dispatches > 0)
        fprintf(stream, ",\"dispatches\":%" PRIu32, event->dispatches);
    fputs("}}", stream);
}

/* Counters as elements of a JSON array. */
struct counter_writer {
    FILE *stream;
    bool more;
};

static void write_counter(void *user, const struct heed_profile_counter *counter) {
    struct counter_writer *writer = user;
    fprintf(writer->stream, "%s\n{\"backend\":", writer->more ? "," : "");
    write_string(writer->stream, counter->backend);
    fputs(",\"graph\":", writer->stream);
    write_string(writer->stream, counter->graph);
    fprintf(writer->stream, ",\"runs\":\"%s\",\"steps\":%" PRIu64 ",\"name\":",
            counter->replayed != 0 ? "replayed" : "first", counter->steps);
    write_string(writer->stream, counter->name);
    fprintf(writer->stream, ",\"value\":%" PRIu64 "}", counter->value);
    writer->more = true;
}

enum heed_status heed_profile_write(struct heed_context *context,
                                    const struct heed_profile *profile, const char *path) {
    struct heedi_new_file *file = NULL;
    if (!heedi_os_new_file(context, path, &file, &context->error))
        return (enum heed_status)context->error.status;
    FILE *stream = heedi_os_new_file_stream(file);
    fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
          "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"heed\"}}",
          stream);
    for (size_t i = 0; i < profile->row_count; i++) {
        fprintf(stream,
                ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%zu,\"name\":\"thread_name\",\"args\":{"
                "\"name\":",
                i + 1);
        write_string(stream, profile->rows[i].device->backend.name);
        fputs("}}", stream);
    }
    for (size_t i = 0; i < profile->event_count; i++)
        write_event(stream, profile, &profile->events[i]);
    fprintf(stream, "\n],\"otherData\":{\"dropped_events\":%" PRIu64 ",\"counters\":[",
            profile->dropped);
    struct counter_writer writer = {stream, false};
    heedi_count_table_each(&profile->counts, write_counter, &writer);
    fputs("]}}\n", stream);
    if (!heedi_os_new_file_commit(file, &context->error))
        return (enum heed_status)context->error.status;
    return HEED_OK;
}

void heed_profile_summary(const struct heed_profile *profile, FILE *stream) {
    uint64_t all_ns = 0;
    for (size_t r = 0; r < profile->row_count; r++)
        for (size_t op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++)
            all_ns += profile->rows[r].totals[op].ns;
    fprintf(stream, "%-12s %-14s %10s %12s %7s\n", "backend", "operator", "runs", "time ms",
            "share");
    for (size_t r = 0; r < profile->row_count; r++)
        for (size_t op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++) {
            const struct total *total = &profile->rows[r].totals[op];
            if (total->runs == 0)
                continue;
            fprintf(stream, "%-12s %-14s %10" PRIu64 " %12.3f %6.1f%%\n",
                    profile->rows[r].device->backend.name,
                    op == HEED_OP_NONE ? "(whole part)" : heed_op_name((enum heed_op)op),
                    total->runs, (double)total->ns / 1e6,
                    all_ns > 0 ? 100.0 * (double)total->ns / (double)all_ns : 0.0);
        }
    if (profile->dropped > 0)
        fprintf(stream, "%" PRIu64 " events were not kept\n", profile->dropped);
    heedi_count_table_write(&profile->counts, stream);
}

void heed_profile_counters(const struct heed_profile *profile, heed_profile_counter_fn fn,
                           void *user) {
    heedi_count_table_each(&profile->counts, fn, user);
}

void heed_profile_programs(const struct heed_profile *profile, heed_profile_program_fn fn,
                           void *user) {
    for (size_t i = 0; i < profile->program_count; i++)
        fn(user, profile->programs[i].program, profile->programs[i].runs);
}

void heed_profile_totals(const struct heed_profile *profile, heed_profile_total_fn fn, void *user) {
    for (size_t r = 0; r < profile->row_count; r++)
        for (size_t op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++) {
            const struct total *total = &profile->rows[r].totals[op];
            if (total->runs > 0)
                fn(user, profile->rows[r].device->backend.name,
                   op == HEED_OP_NONE ? "" : heed_op_name((enum heed_op)op), total->runs,
                   total->ns);
        }
}
