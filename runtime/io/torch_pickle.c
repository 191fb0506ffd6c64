/* SPDX-License-Identifier: Apache-2.0 */
/* A pickle machine that can only describe tensors.
 *
 * A pickle is a program for a stack machine (Python's Lib/pickletools.py documents it), and in
 * general may call any function of any module. This one knows just what torch.save() writes for a
 * state dictionary: containers, text, whole numbers, and the few globals listed in torch_machine.h
 * (functions) and torch.h (storage classes), which it interprets itself. Whatever else comes is
 * refused by its name.
 *
 * Memory is bounded by about 100 times the size of the pickle, which is limited itself: no opcode
 * copies more than it takes from the stack, except a shape of few dimensions, and the memo cannot
 * have more entries than opcodes ran.
 * Values may form cycles through the memo: nothing here follows them, checks look one level deep.
 */
#include <string.h>

#include "runtime/io/bytes.h"
#include "runtime/io/torch_machine.h"
#include "runtime/io/torch_opcodes.h"

enum {
    MAX_PICKLE_BYTES = 16 * 1024 * 1024, /* a tensor takes about 200 */
    MAX_RANK = 16 /* one call can name a remembered shape again, but may not copy much of it */
};

static const struct {
    const char *module, *name;
} functions[HEEDI_FUNCTION_COUNT] = {
#define FUNCTION_NAME(constant, module, name) {module, name},
    HEEDI_PICKLE_FUNCTIONS(FUNCTION_NAME)
#undef FUNCTION_NAME
};

static const struct heedi_torch_element elements[] = {
#define ELEMENT(class, type, bytes, dtype) {#class, type, bytes, dtype},
    HEEDI_TORCH_STORAGE_LIST(ELEMENT)
#undef ELEMENT
};

/* ---- opcodes: frame, numbers, text ---- */

/* An unsigned little-endian number of `width` <= 4 bytes. */
static enum heed_status take_number(struct heedi_machine *machine, int64_t width,
                                    uint32_t *number) {
    const unsigned char *data = NULL;
    const enum heed_status status = heedi_machine_take(machine, (size_t)width, &data);
    *number = 0;
    for (int64_t i = status == HEED_OK ? width : 0; i-- > 0;)
        *number = *number << 8 | data[i];
    return status;
}

static enum heed_status op_proto(struct heedi_machine *machine, int64_t unused) {
    (void)unused;
    uint32_t version;
    const enum heed_status status = take_number(machine, 1, &version);
    if (status == HEED_OK && (version < 2 || version > 5))
        return heedi_fail(machine->context, HEED_ERROR_UNSUPPORTED,
                          "%s: data.pkl: pickle protocol %u; 2 to 5 are supported", machine->path,
                          version);
    return status;
}

/* Skips a number that is not needed: the length of a frame, which only helps buffering. */
static enum heed_status op_skip(struct heedi_machine *machine, int64_t bytes) {
    const unsigned char *data;
    return heedi_machine_take(machine, (size_t)bytes, &data);
}

static enum heed_status op_mark(struct heedi_machine *machine, int64_t unused) {
    return heedi_machine_push_int(machine, HEEDI_KIND_MARK, unused);
}

static enum heed_status op_none(struct heedi_machine *machine, int64_t unused) {
    return heedi_machine_push_int(machine, HEEDI_KIND_NONE, unused);
}

static enum heed_status op_bool(struct heedi_machine *machine, int64_t value) {
    return heedi_machine_push_int(machine, HEEDI_KIND_BOOL, value);
}

static enum heed_status op_unsigned(struct heedi_machine *machine, int64_t width) {
    uint32_t number;
    const enum heed_status status = take_number(machine, width, &number);
    return status != HEED_OK ? status : heedi_machine_push_int(machine, HEEDI_KIND_INT, number);
}

/* A little-endian two's complement integer of 0 to 8 bytes. */
static enum heed_status op_signed(struct heedi_machine *machine, int64_t width) {
    const unsigned char *data = NULL;
    const enum heed_status status = heedi_machine_take(machine, (size_t)width, &data);
    if (status != HEED_OK)
        return status;
    uint64_t bits = width > 0 && (data[width - 1] & 0x80) != 0 ? UINT64_MAX : 0;
    for (int64_t i = width; i-- > 0;)
        bits = bits << 8 | data[i];
    return heedi_machine_push_int(machine, HEEDI_KIND_INT, (int64_t)bits);
}

static enum heed_status op_long(struct heedi_machine *machine, int64_t width) {
    uint32_t bytes;
    const enum heed_status status = take_number(machine, width, &bytes);
    if (status != HEED_OK)
        return status;
    if (bytes > 8)
        return heedi_machine_refuse(machine, HEED_ERROR_UNSUPPORTED,
                                    "an integer of more than 64 bits");
    return op_signed(machine, bytes);
}

static enum heed_status op_string(struct heedi_machine *machine, int64_t width) {
    uint32_t bytes;
    const unsigned char *data = NULL;
    enum heed_status status = take_number(machine, width, &bytes);
    if (status == HEED_OK)
        status = heedi_machine_take(machine, bytes, &data);
    if (status != HEED_OK)
        return status;
    return heedi_machine_push(
        machine, (struct heedi_pickle_value){.kind = HEEDI_KIND_STRING,
                                             .as.string = {(const char *)data, bytes}});
}

/* ---- opcodes: containers ---- */

static enum heed_status op_empty(struct heedi_machine *machine, int64_t kind) {
    return heedi_machine_push_sequence(machine, (enum heedi_pickle_kind)kind, NULL, 0);
}

static enum heed_status op_tuple(struct heedi_machine *machine, int64_t unused) {
    (void)unused;
    struct heedi_pickle_value *items = NULL;
    size_t count = 0;
    const enum heed_status status = heedi_machine_pop_to_mark(machine, &items, &count);
    return status != HEED_OK ? status
                             : heedi_machine_push_sequence(machine, HEEDI_KIND_TUPLE, items, count);
}

static enum heed_status op_tuple_of(struct heedi_machine *machine, int64_t count) {
    struct heedi_pickle_value items[3];
    for (int64_t i = count; i-- > 0;) {
        const enum heed_status status = heedi_machine_pop(machine, &items[i]);
        if (status != HEED_OK)
            return status;
    }
    return heedi_machine_push_sequence(machine, HEEDI_KIND_TUPLE, items, (size_t)count);
}

/* Adds one item (for a dict a key and its value) to the list or dict below. */
static enum heed_status op_add_one(struct heedi_machine *machine, int64_t kind) {
    struct heedi_pickle_value items[2];
    struct heedi_pickle_sequence *container = NULL;
    const size_t count = kind == HEEDI_KIND_DICT ? 2 : 1;
    enum heed_status status = HEED_OK;
    for (size_t i = count; i-- > 0 && status == HEED_OK;)
        status = heedi_machine_pop(machine, &items[i]);
    if (status == HEED_OK)
        status = heedi_machine_top_container(machine, (enum heedi_pickle_kind)kind, &container);
    return status != HEED_OK ? status : heedi_machine_add(machine, container, items, count);
}

/* Adds all above the mark to the list or dict below it. */
static enum heed_status op_add_marked(struct heedi_machine *machine, int64_t kind) {
    struct heedi_pickle_value *items = NULL;
    size_t count = 0;
    struct heedi_pickle_sequence *container = NULL;
    enum heed_status status = heedi_machine_pop_to_mark(machine, &items, &count);
    if (status == HEED_OK)
        status = heedi_machine_top_container(machine, (enum heedi_pickle_kind)kind, &container);
    if (status == HEED_OK && kind == HEEDI_KIND_DICT && count % 2 != 0)
        return heedi_machine_malformed(machine, "a dict gets a key without a value");
    return status != HEED_OK ? status : heedi_machine_add(machine, container, items, count);
}

/* ---- opcodes: memo ---- */

static enum heed_status memo_put(struct heedi_machine *machine, size_t index) {
    const struct heedi_pickle_sequence *stack = &machine->stack;
    if (stack->count == 0 || stack->items[stack->count - 1].kind == HEEDI_KIND_MARK)
        return heedi_machine_malformed(machine, "nothing on the stack to remember");
    if (index >= machine->opcode_count)
        return heedi_machine_malformed(machine, "a memo index beyond the number of opcodes");
    const struct heedi_pickle_value hole = {.kind = HEEDI_KIND_MARK};
    enum heed_status status = HEED_OK;
    while (machine->memo.count <= index && status == HEED_OK)
        status = heedi_machine_add(machine, &machine->memo, &hole, 1);
    if (status == HEED_OK)
        machine->memo.items[index] = stack->items[stack->count - 1];
    return status;
}

static enum heed_status op_put(struct heedi_machine *machine, int64_t width) {
    uint32_t index;
    const enum heed_status status = take_number(machine, width, &index);
    return status != HEED_OK ? status : memo_put(machine, index);
}

static enum heed_status op_memoize(struct heedi_machine *machine, int64_t unused) {
    (void)unused;
    return memo_put(machine, machine->memo.count);
}

static enum heed_status op_get(struct heedi_machine *machine, int64_t width) {
    uint32_t index;
    const enum heed_status status = take_number(machine, width, &index);
    if (status != HEED_OK)
        return status;
    if (index >= machine->memo.count || machine->memo.items[index].kind == HEEDI_KIND_MARK)
        return heedi_machine_malformed(machine, "a memo entry is fetched that was never stored");
    return heedi_machine_push(machine, machine->memo.items[index]);
}

/* ---- opcodes: globals and what is called ---- */

static bool slice_is(struct heedi_slice slice, const char *text) {
    return slice.bytes == strlen(text) && memcmp(slice.data, text, slice.bytes) == 0;
}

static enum heed_status push_global(struct heedi_machine *machine, struct heedi_slice module,
                                    struct heedi_slice name) {
    for (size_t i = 0; i < HEEDI_FUNCTION_COUNT; i++)
        if (slice_is(module, functions[i].module) && slice_is(name, functions[i].name))
            return heedi_machine_push(
                machine, (struct heedi_pickle_value){.kind = HEEDI_KIND_FUNCTION,
                                                     .as.function = (enum heedi_pickle_function)i});
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (slice_is(module, "torch") && slice_is(name, elements[i].class_name))
            return heedi_machine_push(machine,
                                      (struct heedi_pickle_value){.kind = HEEDI_KIND_STORAGE_CLASS,
                                                                  .as.element = &elements[i]});
    return heedi_fail(machine->context, HEED_ERROR_UNSUPPORTED,
                      "%s: data.pkl, byte %zu: it asks for '%.*s.%.*s', which is refused: only the "
                      "tensors of a state dictionary are read",
                      machine->path, machine->opcode_at, HEEDI_PRINT_SLICE(module),
                      HEEDI_PRINT_SLICE(name));
}

/* The rest of a line; its newline is skipped. */
static enum heed_status take_line(struct heedi_machine *machine, struct heedi_slice *line) {
    const unsigned char *start = machine->data + machine->position;
    const size_t left = machine->bytes - machine->position;
    const unsigned char *end = left == 0 ? NULL : memchr(start, '\n', left);
    if (end == NULL)
        return heedi_machine_malformed(machine, "truncated");
    *line = (struct heedi_slice){(const char *)start, (size_t)(end - start)};
    machine->position += line->bytes + 1;
    return HEED_OK;
}

static enum heed_status op_global(struct heedi_machine *machine, int64_t unused) {
    (void)unused;
    struct heedi_slice module, name;
    enum heed_status status = take_line(machine, &module);
    if (status == HEED_OK)
        status = take_line(machine, &name);
    return status != HEED_OK ? status : push_global(machine, module, name);
}

static enum heed_status op_stack_global(struct heedi_machine *machine, int64_t unused) {
    (void)unused;
    struct heedi_pickle_value module, name;
    enum heed_status status = heedi_machine_pop_kind(machine, HEEDI_KIND_STRING, &name);
    if (status == HEED_OK)
        status = heedi_machine_pop_kind(machine, HEEDI_KIND_STRING, &module);
    return status != HEED_OK ? status : push_global(machine, module.as.string, name.as.string);
}

/* ("storage", class, key, location, number of elements) names a storage of the archive. */
static enum heed_status op_persistent(struct heedi_machine *machine, int64_t unused) {
    (void)unused;
    struct heedi_pickle_value id;
    const enum heed_status status = heedi_machine_pop_kind(machine, HEEDI_KIND_TUPLE, &id);
    if (status != HEED_OK)
        return status;
    const struct heedi_pickle_value *items = id.as.sequence->items;
    if (id.as.sequence->count != 5 || items[0].kind != HEEDI_KIND_STRING ||
        !slice_is(items[0].as.string, "storage") || items[1].kind != HEEDI_KIND_STORAGE_CLASS ||
        items[2].kind != HEEDI_KIND_STRING || items[3].kind != HEEDI_KIND_STRING ||
        items[4].kind != HEEDI_KIND_INT || items[4].as.integer < 0)
        return heedi_machine_malformed(
            machine, "a persistent id is not ('storage', class, key, location, size)");
    struct heedi_pickle_storage *storage = heedi_arena_alloc(machine->arena, 1, sizeof *storage);
    if (storage == NULL)
        return heedi_machine_no_memory(machine, sizeof *storage);
    *storage =
        (struct heedi_pickle_storage){items[1].as.element, items[2].as.string, items[4].as.integer};
    return heedi_machine_push(
        machine, (struct heedi_pickle_value){.kind = HEEDI_KIND_STORAGE, .as.storage = storage});
}

/* A tuple of whole numbers that are not negative, as a plain array. */
static enum heed_status read_sizes(struct heedi_machine *machine,
                                   const struct heedi_pickle_value *tuple, int64_t **sizes) {
    const struct heedi_pickle_sequence *items = tuple->as.sequence;
    if (items->count > MAX_RANK)
        return heedi_machine_refuse(machine, HEED_ERROR_LIMIT,
                                    "a tensor of more than 16 dimensions");
    *sizes = heedi_arena_alloc(machine->arena, items->count + 1, sizeof **sizes);
    if (*sizes == NULL)
        return heedi_machine_no_memory(machine, items->count * sizeof **sizes);
    for (size_t i = 0; i < items->count; i++) {
        if (items->items[i].kind != HEEDI_KIND_INT || items->items[i].as.integer < 0)
            return heedi_machine_malformed(machine,
                                           "a tensor's shape or stride is not made of sizes");
        (*sizes)[i] = items->items[i].as.integer;
    }
    return HEED_OK;
}

static bool is_empty(const struct heedi_pickle_value *value) {
    return value->kind == HEEDI_KIND_NONE ||
           (value->kind == HEEDI_KIND_DICT && value->as.sequence->count == 0);
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static enum heed_status rebuild_tensor(struct heedi_machine *machine,
                                       const struct heedi_pickle_sequence *arguments) {
    const struct heedi_pickle_value *items = arguments->items;
    if (arguments->count < 6 || arguments->count > 7 || items[0].kind != HEEDI_KIND_STORAGE ||
        items[1].kind != HEEDI_KIND_INT || items[1].as.integer < 0 ||
        items[2].kind != HEEDI_KIND_TUPLE || items[3].kind != HEEDI_KIND_TUPLE ||
        items[4].kind != HEEDI_KIND_BOOL ||
        items[2].as.sequence->count != items[3].as.sequence->count)
        return heedi_machine_malformed(
            machine, "_rebuild_tensor_v2 is called with other than (storage, offset, "
                     "shape, stride, requires_grad, hooks)");
    if (!is_empty(&items[5]) || (arguments->count == 7 && !is_empty(&items[6])))
        return heedi_machine_refuse(machine, HEED_ERROR_UNSUPPORTED,
                                    "a tensor has hooks or extra state");
    struct heedi_torch_tensor *tensor = heedi_arena_alloc(machine->arena, 1, sizeof *tensor);
    if (tensor == NULL)
        return heedi_machine_no_memory(machine, sizeof *tensor);
    int64_t *sizes, *strides;
    enum heed_status status = read_sizes(machine, &items[2], &sizes);
    if (status == HEED_OK)
        status = read_sizes(machine, &items[3], &strides);
    if (status != HEED_OK)
        return status;
    const struct heedi_pickle_storage *storage = items[0].as.storage;
    *tensor = (struct heedi_torch_tensor){.element = storage->element,
                                          .storage_key = storage->key,
                                          .storage_elems = storage->elems,
                                          .offset = items[1].as.integer,
                                          .rank = items[2].as.sequence->count,
                                          .sizes = sizes,
                                          .strides = strides};
    return heedi_machine_push(
        machine, (struct heedi_pickle_value){.kind = HEEDI_KIND_TENSOR, .as.tensor = tensor});
}

static enum heed_status op_reduce(struct heedi_machine *machine, int64_t unused) {
    (void)unused;
    struct heedi_pickle_value arguments, callee;
    enum heed_status status = heedi_machine_pop_kind(machine, HEEDI_KIND_TUPLE, &arguments);
    if (status == HEED_OK)
        status = heedi_machine_pop_kind(machine, HEEDI_KIND_FUNCTION, &callee);
    if (status != HEED_OK)
        return status;
    const struct heedi_pickle_sequence *sequence = arguments.as.sequence;
    switch (callee.as.function) {
    case HEEDI_FUNCTION_ORDERED_DICT:
        if (sequence->count != 0)
            return heedi_machine_malformed(machine, "OrderedDict is called with arguments");
        return heedi_machine_push_sequence(machine, HEEDI_KIND_DICT, NULL, 0);
    case HEEDI_FUNCTION_REBUILD_TENSOR:
        return rebuild_tensor(machine, sequence);
    case HEEDI_FUNCTION_REBUILD_PARAMETER:
        /* (data, requires_grad, hooks): for our purposes a parameter is its data */
        if (sequence->count != 3 || sequence->items[0].kind != HEEDI_KIND_TENSOR)
            return heedi_machine_malformed(machine,
                                           "_rebuild_parameter is called without a tensor");
        return heedi_machine_push(machine, sequence->items[0]);
    case HEEDI_FUNCTION_COUNT:
        break;
    }
    return heedi_machine_malformed(machine, "an unknown function is called");
}

/* Attributes of a state dictionary (its _metadata) say nothing about tensors. */
static enum heed_status op_build(struct heedi_machine *machine, int64_t unused) {
    (void)unused;
    struct heedi_pickle_value state;
    struct heedi_pickle_sequence *dict;
    const enum heed_status status = heedi_machine_pop_kind(machine, HEEDI_KIND_DICT, &state);
    return status != HEED_OK ? status
                             : heedi_machine_top_container(machine, HEEDI_KIND_DICT, &dict);
}

/* ---- running ---- */

/* Indexed by the opcode's byte. */
static const struct opcode {
    const char *name; /* NULL: no such opcode */
    enum heed_status (*run)(struct heedi_machine *machine, int64_t argument);
    int64_t argument;
} opcodes[256] = {
#define OPCODE(byte, name, handler, argument) [byte] = {#name, handler, argument},
#define REFUSED(byte, name) [byte] = {#name, NULL, 0},
    HEEDI_PICKLE_OPCODES(OPCODE) HEEDI_PICKLE_REFUSED_OPCODES(REFUSED)
#undef OPCODE
#undef REFUSED
};

static enum heed_status run(struct heedi_machine *machine) {
    for (;;) {
        const unsigned char *byte = NULL;
        machine->opcode_at = machine->position;
        enum heed_status status = heedi_machine_take(machine, 1, &byte);
        if (status != HEED_OK)
            return status;
        if (*byte == HEEDI_PICKLE_STOP)
            break;
        const struct opcode *opcode = &opcodes[*byte];
        if (opcode->name == NULL)
            return heedi_fail(machine->context, HEED_ERROR_FORMAT,
                              "%s: data.pkl, byte %zu: 0x%02x is not a pickle opcode",
                              machine->path, machine->opcode_at, *byte);
        if (opcode->run == NULL)
            return heedi_fail(machine->context, HEED_ERROR_UNSUPPORTED,
                              "%s: data.pkl, byte %zu: pickle opcode %s is refused: only the "
                              "tensors of a state dictionary are read",
                              machine->path, machine->opcode_at, opcode->name);
        machine->opcode_count++;
        status = opcode->run(machine, opcode->argument);
        if (status != HEED_OK)
            return status;
    }
    if (machine->position != machine->bytes)
        return heedi_machine_malformed(machine, "the pickle goes on after its end");
    return HEED_OK;
}

/* The result must be a dict from names to tensors. */
static enum heed_status collect(struct heedi_machine *machine, struct heedi_torch_record **records,
                                size_t *count) {
    struct heedi_pickle_value result;
    const enum heed_status status = heedi_machine_pop(machine, &result);
    if (status != HEED_OK)
        return status;
    if (result.kind != HEEDI_KIND_DICT || machine->stack.count != 0)
        return heedi_fail(machine->context, HEED_ERROR_UNSUPPORTED,
                          "%s: data.pkl holds %s, expected the dict of tensors that "
                          "torch.save(model.state_dict(), ...) writes",
                          machine->path, heedi_pickle_kind_name(result.kind));
    const struct heedi_pickle_sequence *dict = result.as.sequence;
    *count = dict->count / 2;
    *records = heedi_arena_alloc(machine->arena, *count, sizeof **records);
    if (*records == NULL)
        return heedi_machine_no_memory(machine, *count * sizeof **records);
    for (size_t i = 0; i < *count; i++) {
        const struct heedi_pickle_value *key = &dict->items[2 * i], *value = key + 1;
        if (key->kind != HEEDI_KIND_STRING)
            return heedi_fail(machine->context, HEED_ERROR_UNSUPPORTED,
                              "%s: data.pkl: key %zu of the dict is %s, expected a string",
                              machine->path, i, heedi_pickle_kind_name(key->kind));
        if (value->kind != HEEDI_KIND_TENSOR)
            return heedi_fail(machine->context, HEED_ERROR_UNSUPPORTED,
                              "%s: data.pkl: '%.*s' is %s, expected a tensor: only plain state "
                              "dictionaries are read",
                              machine->path, HEEDI_PRINT_SLICE(key->as.string),
                              heedi_pickle_kind_name(value->kind));
        (*records)[i] = (struct heedi_torch_record){key->as.string, value->as.tensor};
    }
    return HEED_OK;
}

enum heed_status heedi_pickle_read(struct heed_context *context, const char *path,
                                   struct heedi_arena *arena, const unsigned char *data,
                                   size_t bytes, struct heedi_torch_record **records,
                                   size_t *count) {
    struct heedi_machine machine = {
        .context = context, .path = path, .arena = arena, .data = data, .bytes = bytes};
    if (bytes > MAX_PICKLE_BYTES)
        return heedi_fail(context, HEED_ERROR_LIMIT,
                          "%s: data.pkl has %zu bytes, at most %d are read", path, bytes,
                          MAX_PICKLE_BYTES);
    const enum heed_status status = run(&machine);
    return status != HEED_OK ? status : collect(&machine, records, count);
}
