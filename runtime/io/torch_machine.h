/* SPDX-License-Identifier: Apache-2.0 */
/* The values of the pickle machine, its stack, and what its opcodes are made of. */
#ifndef HEEDI_IO_TORCH_MACHINE_H
#define HEEDI_IO_TORCH_MACHINE_H

#include "runtime/io/torch.h"

/* Functions that a file may name: X(constant, module, name). */
#define HEEDI_PICKLE_FUNCTIONS(X)                                                                  \
    X(ORDERED_DICT, "collections", "OrderedDict")                                                  \
    X(REBUILD_TENSOR, "torch._utils", "_rebuild_tensor_v2")                                        \
    X(REBUILD_PARAMETER, "torch._utils", "_rebuild_parameter")

enum heedi_pickle_function {
#define FUNCTION_ENUM(constant, module, name) HEEDI_FUNCTION_##constant,
    HEEDI_PICKLE_FUNCTIONS(FUNCTION_ENUM)
#undef FUNCTION_ENUM
        HEEDI_FUNCTION_COUNT
};

enum heedi_pickle_kind {
    HEEDI_KIND_NONE,
    HEEDI_KIND_MARK,
    HEEDI_KIND_BOOL,
    HEEDI_KIND_INT,
    HEEDI_KIND_STRING,
    HEEDI_KIND_TUPLE,
    HEEDI_KIND_LIST,
    HEEDI_KIND_DICT,
    HEEDI_KIND_FUNCTION,
    HEEDI_KIND_STORAGE_CLASS,
    HEEDI_KIND_STORAGE,
    HEEDI_KIND_TENSOR
};

struct heedi_pickle_value {
    enum heedi_pickle_kind kind;
    union {
        int64_t integer; /* and bool */
        struct heedi_slice string;
        struct heedi_pickle_sequence *sequence; /* tuple, list, dict (key, value, key, ...) */
        enum heedi_pickle_function function;
        const struct heedi_torch_element *element; /* storage class */
        struct heedi_pickle_storage *storage;
        struct heedi_torch_tensor *tensor;
    } as;
};

/* Lists and dicts grow; every reference to one sees that. */
struct heedi_pickle_sequence {
    struct heedi_pickle_value *items;
    size_t count, capacity;
};

struct heedi_pickle_storage {
    const struct heedi_torch_element *element;
    struct heedi_slice key;
    int64_t elems;
};

struct heedi_machine {
    struct heed_context *context;
    const char *path;
    struct heedi_arena *arena;
    const unsigned char *data;
    size_t bytes, position;
    size_t opcode_at;    /* position of the opcode being run, for messages */
    size_t opcode_count; /* run so far */
    struct heedi_pickle_sequence stack;
    struct heedi_pickle_sequence memo;
};

/* "a dict", for messages. */
const char *heedi_pickle_kind_name(enum heedi_pickle_kind kind);

enum heed_status heedi_machine_refuse(const struct heedi_machine *machine, enum heed_status status,
                                      const char *complaint);
enum heed_status heedi_machine_malformed(const struct heedi_machine *machine,
                                         const char *complaint);
enum heed_status heedi_machine_no_memory(const struct heedi_machine *machine, size_t bytes);
enum heed_status heedi_machine_take(struct heedi_machine *machine, size_t bytes,
                                    const unsigned char **data);
/* Appends to the stack, the memo, or a list or dict; the latter's memory is the arena's. */
enum heed_status heedi_machine_add(struct heedi_machine *machine,
                                   struct heedi_pickle_sequence *sequence,
                                   const struct heedi_pickle_value *items, size_t count);
enum heed_status heedi_machine_push(struct heedi_machine *machine, struct heedi_pickle_value value);
enum heed_status heedi_machine_push_int(struct heedi_machine *machine, enum heedi_pickle_kind kind,
                                        int64_t integer);
/* Takes the topmost value, which must not be a mark. */
enum heed_status heedi_machine_pop(struct heedi_machine *machine, struct heedi_pickle_value *value);
enum heed_status heedi_machine_pop_kind(struct heedi_machine *machine, enum heedi_pickle_kind kind,
                                        struct heedi_pickle_value *value);
/* Takes all above the topmost mark, and the mark. The items stay valid until the next push. */
enum heed_status heedi_machine_pop_to_mark(struct heedi_machine *machine,
                                           struct heedi_pickle_value **items, size_t *count);
/* The topmost value, which stays: a list or dict that items are added to. */
enum heed_status heedi_machine_top_container(struct heedi_machine *machine,
                                             enum heedi_pickle_kind kind,
                                             struct heedi_pickle_sequence **container);
enum heed_status heedi_machine_push_sequence(struct heedi_machine *machine,
                                             enum heedi_pickle_kind kind,
                                             const struct heedi_pickle_value *items, size_t count);

#endif
