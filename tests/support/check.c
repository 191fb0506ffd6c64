/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the node of a case on every executor and compares with the reference and among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/graph/graph.h"
#include "tests/support/agree.h"
#include "tests/support/compare.h"

static void must(const struct agree_case *it, enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", compare_replay(), heed_last_error(it->suite->context));
}

static void *allocate(size_t bytes) {
    void *memory = calloc(bytes + 1, 1);
    assert_non_null(memory);
    return memory;
}

/* What one run leaves behind: the outputs, or the state where the node updates one. */
struct results {
    uint32_t count;
    void *data[HEED_MAX_OUTPUTS];
    size_t bytes[HEED_MAX_OUTPUTS];
};

static const char *const output_names[HEED_MAX_OUTPUTS] = {"y0", "y1"};

static void run_on(const struct agree_case *it, struct heed_executor *executor,
                   struct results *results) {
    struct heed_context *context = it->suite->context;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_state *state = NULL;
    must(it, heed_program_compile(context, executor, it->graph, &program));
    must(it, heed_instance_create(context, program, &instance));
    for (uint32_t i = 0; i < it->operand_count; i++) {
        const struct agree_operand *operand = &it->operands[i];
        if (operand->tensor == HEED_NO_TENSOR)
            continue;
        size_t bytes =
            (size_t)heed_desc_elems(&operand->storage) * heed_dtype_bytes(operand->storage.dtype);
        if (operand->state) {
            must(it, heed_state_create(context, program, operand->name, &state));
            must(it, heed_state_write(context, state, 0, operand->data, bytes));
            must(it, heed_instance_bind_state(context, instance, operand->name, state));
        } else if (operand->input) {
            void *target = heed_instance_input(instance, operand->name, &bytes);
            assert_non_null(target);
            memcpy(target, operand->data, bytes);
        }
    }
    /* Twice: the second run finds what the first left in the arena. */
    must(it, heed_instance_run(context, instance));
    if (state == NULL)
        must(it, heed_instance_run(context, instance));
    for (uint32_t i = 0; i < results->count; i++) {
        results->data[i] = allocate(results->bytes[i]);
        if (state != NULL) {
            must(it, heed_state_read(context, state, 0, results->data[i], results->bytes[i]));
            continue;
        }
        size_t bytes = 0;
        const void *found = heed_instance_output(instance, output_names[i], &bytes);
        assert_non_null(found);
        assert_int_equal(bytes, results->bytes[i]);
        memcpy(results->data[i], found, bytes);
    }
    heed_instance_destroy(instance);
    heed_state_destroy(state);
    heed_program_release(program);
}

/* Where the elements of the operands begin, as the graph sees them. */
static void compare_with_reference(const struct agree_case *it, const struct heedi_call *call,
                                   const struct results *results) {
    const void *inputs[HEED_MAX_INPUTS] = {0}, *outputs[HEED_MAX_OUTPUTS] = {0};
    for (uint32_t i = 0; i < it->operand_count; i++) {
        if (call->inputs[i] == NULL)
            continue;
        const struct heedi_tensor *tensor = &it->graph->tensors[it->operands[i].tensor];
        inputs[i] = (const char *)it->operands[i].data +
                    (size_t)tensor->offset_elems * heed_dtype_bytes(tensor->desc.dtype);
    }
    for (uint32_t i = 0; i < call->output_count; i++)
        outputs[i] = results->data[i];
    compare_call(it->suite->context, call, inputs, outputs, &it->suite->numeric, !it->irregular);
}

void agree_check(struct agree_case *it, enum heed_op op, const void *attrs) {
    heed_tensor inputs[HEED_MAX_INPUTS], outputs[HEED_MAX_OUTPUTS] = {0};
    struct heed_error error = {.struct_size = sizeof error};
    struct heedi_call call = {.op = op,
                              .name = "node",
                              .attrs = attrs,
                              .input_count = it->operand_count,
                              .error = &error};
    for (uint32_t i = 0; i < it->operand_count; i++) {
        inputs[i] = it->operands[i].tensor;
        call.input_names[i] = it->operands[i].name;
        call.inputs[i] = inputs[i] != HEED_NO_TENSOR ? &it->graph->tensors[inputs[i]].desc : NULL;
    }
    must(it, heed_graph_add(it->graph, op, "node", inputs, it->operand_count, attrs, outputs));
    for (uint32_t i = 0; i < it->operand_count; i++) /* the array may have moved */
        if (inputs[i] != HEED_NO_TENSOR)
            call.inputs[i] = &it->graph->tensors[inputs[i]].desc;
    if (heedi_op_infer(&call) != HEED_OK)
        fail_msg("%s: %s", compare_replay(), error.message);

    struct results results[AGREE_EXECUTORS] = {{0}};
    const bool state = op == HEED_OP_CACHE_APPEND;
    for (uint32_t i = 0; i < call.output_count; i++) {
        if (!state)
            heed_graph_output(it->graph, output_names[i], outputs[i]);
        for (int e = 0; e < AGREE_EXECUTORS; e++) {
            results[e].count = call.output_count;
            results[e].bytes[i] =
                (size_t)heed_desc_elems(&call.outputs[i]) * heed_dtype_bytes(call.outputs[i].dtype);
        }
    }
    must(it, heed_graph_freeze(it->graph));
    for (uint32_t i = 0; i < it->operand_count; i++)
        if (inputs[i] != HEED_NO_TENSOR)
            call.inputs[i] = &it->graph->tensors[inputs[i]].desc;
    for (int e = 0; e < AGREE_EXECUTORS; e++)
        run_on(it, it->suite->executors[e], &results[e]);
    compare_with_reference(it, &call, &results[0]);
    for (int e = 0; e < AGREE_EXECUTORS; e++) {
        for (uint32_t i = 0; i < call.output_count; i++) {
            if (memcmp(results[0].data[i], results[e].data[i], results[0].bytes[i]) != 0)
                fail_msg("%s, %s: executor %d gives other bits than executor 0", heed_op_name(op),
                         compare_replay(), e);
            if (e > 0)
                free(results[e].data[i]);
        }
    }
    for (uint32_t i = 0; i < call.output_count; i++)
        free(results[0].data[i]);
}
