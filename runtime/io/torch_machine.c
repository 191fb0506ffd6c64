/* SPDX-License-Identifier: Apache-2.0 */
/* Stack and containers of the pickle machine. */
#include "runtime/io/torch_machine.h"

#include <string.h>

enum { MAX_STACK = 65536 }; /* torch.save() adds at most 1000 items at once */

const char *heedi_pickle_kind_name(enum heedi_pickle_kind kind) {
    static const char *const names[] = {
        "None",   "a mark", "a bool",     "an int",          "a string",  "a tuple",
        "a list", "a dict", "a function", "a storage class", "a storage", "a tensor",
    };
    return names[kind];
}

/* ---- failing ---- */

enum heed_status heedi_machine_refuse(const struct heedi_machine *machine, enum heed_status status,
                                      const char *complaint) {
    return heedi_fail(machine->context, status, "%s: data.pkl, byte %zu: %s", machine->path,
                      machine->opcode_at, complaint);
}

enum heed_status heedi_machine_malformed(const struct heedi_machine *machine,
                                         const char *complaint) {
    return heedi_machine_refuse(machine, HEED_ERROR_FORMAT, complaint);
}

enum heed_status heedi_machine_no_memory(const struct heedi_machine *machine, size_t bytes) {
    return heedi_fail_memory(machine->context, machine->path, bytes);
}

/* ---- reading, pushing, popping ---- */

enum heed_status heedi_machine_take(struct heedi_machine *machine, size_t bytes,
                                    const unsigned char **data) {
    if (bytes > machine->bytes - machine->position)
        return heedi_machine_malformed(machine, "truncated");
    *data = machine->data + machine->position;
    machine->position += bytes;
    return HEED_OK;
}

enum heed_status heedi_machine_add(struct heedi_machine *machine,
                                   struct heedi_pickle_sequence *sequence,
                                   const struct heedi_pickle_value *items, size_t count) {
    if (count > sequence->capacity - sequence->count) {
        const size_t capacity = (sequence->count + count) * 2;
        struct heedi_pickle_value *grown =
            heedi_arena_alloc(machine->arena, capacity, sizeof *grown);
        if (grown == NULL)
            return heedi_machine_no_memory(machine, capacity * sizeof *grown);
        if (sequence->count > 0)
            memcpy(grown, sequence->items, sequence->count * sizeof *grown);
        sequence->items = grown;
        sequence->capacity = capacity;
    }
    if (count > 0)
        memcpy(sequence->items + sequence->count, items, count * sizeof *items);
    sequence->count += count;
    return HEED_OK;
}

enum heed_status heedi_machine_push(struct heedi_machine *machine,
                                    struct heedi_pickle_value value) {
    if (machine->stack.count >= MAX_STACK)
        return heedi_machine_refuse(machine, HEED_ERROR_LIMIT,
                                    "the stack grows beyond 65536 values");
    return heedi_machine_add(machine, &machine->stack, &value, 1);
}

enum heed_status heedi_machine_push_int(struct heedi_machine *machine, enum heedi_pickle_kind kind,
                                        int64_t integer) {
    return heedi_machine_push(machine,
                              (struct heedi_pickle_value){.kind = kind, .as.integer = integer});
}

enum heed_status heedi_machine_pop(struct heedi_machine *machine,
                                   struct heedi_pickle_value *value) {
    struct heedi_pickle_sequence *stack = &machine->stack;
    if (stack->count == 0 || stack->items[stack->count - 1].kind == HEEDI_KIND_MARK)
        return heedi_machine_malformed(machine, "an opcode finds too little on the stack");
    *value = stack->items[--stack->count];
    return HEED_OK;
}

enum heed_status heedi_machine_pop_kind(struct heedi_machine *machine, enum heedi_pickle_kind kind,
                                        struct heedi_pickle_value *value) {
    const enum heed_status status = heedi_machine_pop(machine, value);
    if (status != HEED_OK || value->kind == kind)
        return status;
    return heedi_fail(machine->context, HEED_ERROR_FORMAT,
                      "%s: data.pkl, byte %zu: expected %s, got %s", machine->path,
                      machine->opcode_at, heedi_pickle_kind_name(kind),
                      heedi_pickle_kind_name(value->kind));
}

enum heed_status heedi_machine_pop_to_mark(struct heedi_machine *machine,
                                           struct heedi_pickle_value **items, size_t *count) {
    struct heedi_pickle_sequence *stack = &machine->stack;
    size_t mark = stack->count;
    while (mark > 0 && stack->items[mark - 1].kind != HEEDI_KIND_MARK)
        mark--;
    if (mark == 0)
        return heedi_machine_malformed(machine, "an opcode finds no mark on the stack");
    *items = stack->items + mark;
    *count = stack->count - mark;
    stack->count = mark - 1;
    return HEED_OK;
}

enum heed_status heedi_machine_top_container(struct heedi_machine *machine,
                                             enum heedi_pickle_kind kind,
                                             struct heedi_pickle_sequence **container) {
    const struct heedi_pickle_sequence *stack = &machine->stack;
    if (stack->count == 0 || stack->items[stack->count - 1].kind != kind)
        return heedi_machine_malformed(machine, kind == HEEDI_KIND_DICT
                                                    ? "expected a dict on the stack"
                                                    : "expected a list on the stack");
    *container = stack->items[stack->count - 1].as.sequence;
    return HEED_OK;
}

enum heed_status heedi_machine_push_sequence(struct heedi_machine *machine,
                                             enum heedi_pickle_kind kind,
                                             const struct heedi_pickle_value *items, size_t count) {
    struct heedi_pickle_sequence *sequence = heedi_arena_alloc(machine->arena, 1, sizeof *sequence);
    if (sequence == NULL)
        return heedi_machine_no_memory(machine, sizeof *sequence);
    if (count > 0) {
        sequence->items = heedi_arena_copy(machine->arena, items, count * sizeof *items);
        if (sequence->items == NULL)
            return heedi_machine_no_memory(machine, count * sizeof *items);
        sequence->count = sequence->capacity = count;
    }
    return heedi_machine_push(machine,
                              (struct heedi_pickle_value){.kind = kind, .as.sequence = sequence});
}
