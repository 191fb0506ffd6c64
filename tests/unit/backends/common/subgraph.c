/* SPDX-License-Identifier: Apache-2.0 */
/* Sub-graphs as plugins read them: a host that says what cannot be is refused, not believed. */
#include "backends/common/common.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* relu of x, which lies in the arena, to y, which is bound; a view of x; a weight. */
enum { X, Y, VIEW, WEIGHT, TENSORS };
enum { ARENA_BYTES = 64, ELEMS = 16 };
static const float weight[ELEMS];

struct heed_plugin {
    const char *reason; /* what accept says */
    uint32_t contiguous;
};
struct heed_plugin_program {
    uint32_t accepted; /* nodes filled in */
};
struct setting {
    struct heed_subgraph_tensor tensors[TENSORS];
    struct heed_subgraph_node node;
    struct heed_subgraph subgraph;
    struct heed_plugin plugin;
    struct heed_plugin_program program;
    struct heed_error error;
};

static struct setting new_setting(void) {
    const int64_t dims[] = {ELEMS};
    struct setting it = {.error.struct_size = sizeof it.error};
    for (int32_t i = 0; i < TENSORS; i++)
        it.tensors[i] = (struct heed_subgraph_tensor){.struct_size = sizeof *it.tensors,
                                                      .desc = heed_desc(HEED_F32, 1, dims),
                                                      .storage = i == VIEW ? X : i,
                                                      .binding = -1,
                                                      .arena_offset_bytes = -1};
    it.tensors[X].arena_offset_bytes = it.tensors[VIEW].arena_offset_bytes = 0;
    it.tensors[Y].role = HEED_ROLE_OUTPUT;
    it.tensors[Y].binding = 0;
    it.tensors[WEIGHT].role = HEED_ROLE_CONSTANT;
    it.tensors[WEIGHT].data = weight;
    it.node = (struct heed_subgraph_node){.struct_size = sizeof it.node,
                                          .op = HEED_OP_RELU,
                                          .op_version = 1,
                                          .name = "n",
                                          .input_count = 1,
                                          .output_count = 1,
                                          .inputs = {X},
                                          .outputs = {Y}};
    return it;
}

/* The pointers, now that it lies where it stays. */
static const struct heed_subgraph *subgraph_of(struct setting *it) {
    it->subgraph = (struct heed_subgraph){.struct_size = sizeof it->subgraph,
                                          .tensor_count = TENSORS,
                                          .tensors = it->tensors,
                                          .tensor_stride = sizeof *it->tensors,
                                          .nodes = &it->node,
                                          .node_stride = sizeof it->node,
                                          .node_count = 1,
                                          .binding_count = 1,
                                          .arena_bytes = ARENA_BYTES};
    return &it->subgraph;
}

static struct heed_subgraph_tensor storage_of(struct setting *it, uint32_t index) {
    struct heed_subgraph_tensor tensor;
    assert_int_equal(heedi_common_storage(subgraph_of(it), index, &tensor, &it->error), HEED_OK);
    return tensor;
}

static void memory_comes_from_one_place(void **state) {
    struct setting it = new_setting();
    (void)state;
    for (uint32_t i = 0; i < TENSORS; i++) {
        const struct heed_subgraph_tensor tensor = storage_of(&it, i);
        assert_int_equal(tensor.arena_offset_bytes, i == X ? 0 : -1);
        assert_int_equal(tensor.binding, i == Y ? 0 : -1);
        assert_ptr_equal(tensor.data, i == WEIGHT ? weight : NULL);
    }
    it.tensors[X].arena_offset_bytes = 4; /* ends 4 bytes behind the arena */
    assert_int_equal(storage_of(&it, X).arena_offset_bytes, -1);
    it.tensors[X].arena_offset_bytes = INT64_MAX;
    assert_int_equal(storage_of(&it, X).arena_offset_bytes, -1);
}

static void unknown_bindings_and_roles_are_refused(void **state) {
    struct heed_subgraph_tensor tensor;
    struct setting it = new_setting();
    (void)state;
    it.tensors[Y].binding = 1;
    assert_int_equal(heedi_common_storage(subgraph_of(&it), Y, &tensor, &it.error),
                     HEED_ERROR_UNSUPPORTED);
    it.tensors[Y].binding = 0;
    it.tensors[Y].role = HEED_ROLE_STATE + 1;
    assert_int_equal(heedi_common_storage(subgraph_of(&it), Y, &tensor, &it.error),
                     HEED_ERROR_UNSUPPORTED);
    assert_string_equal(it.error.message,
                        "tensor 1 has role 5 and binding 0, which this version does not know");
}

static void nodes_touch_only_memory_that_exists(void **state) {
    struct setting it = new_setting();
    (void)state;
    assert_int_equal(heedi_common_check_storages(subgraph_of(&it), &it.error), HEED_OK);
    it.node.inputs[0] = VIEW; /* whose owner has no room */
    it.tensors[X].arena_offset_bytes = -1;
    assert_int_equal(heedi_common_check_storages(subgraph_of(&it), &it.error),
                     HEED_ERROR_INVALID_ARGUMENT);
    assert_string_equal(it.error.message, "node 0 (n) uses tensor 0, which has no memory");
    it.tensors[VIEW].desc.dims[0] = 0; /* no elements need none */
    assert_int_equal(heedi_common_check_storages(subgraph_of(&it), &it.error), HEED_OK);
}

static const char *accept(const struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                          uint32_t index, const struct heed_subgraph_node *given,
                          struct heed_plugin_program *program, uint32_t *contiguous) {
    assert_int_equal(index, 0);
    assert_int_equal(given->op, HEED_OP_RELU);
    assert_int_equal(subgraph->node_count, 1);
    if (program != NULL)
        program->accepted++;
    *contiguous = plugin->contiguous;
    return plugin->reason;
}

static void expect_claim(struct setting *it, enum heed_verdict verdict, const char *reason) {
    struct heed_claim claim = {.struct_size = sizeof claim};
    assert_int_equal(
        heedi_common_query(&it->plugin, subgraph_of(it), &claim, sizeof claim, accept, &it->error),
        HEED_OK);
    assert_int_equal(claim.verdict, verdict);
    assert_string_equal(claim.reason, reason);
    assert_int_equal(claim.contiguous_inputs,
                     verdict == HEED_VERDICT_CONTIGUOUS ? it->plugin.contiguous : 0);
}

static void claims_say_what_the_plugin_says(void **state) {
    struct setting it = new_setting();
    (void)state;
    expect_claim(&it, HEED_VERDICT_YES, "");
    it.plugin.contiguous = 1;
    expect_claim(&it, HEED_VERDICT_CONTIGUOUS, "");
    it.plugin.reason = "no such kernel";
    expect_claim(&it, HEED_VERDICT_NO, "no such kernel");
}

static void malformed_nodes_are_declined(void **state) {
    struct setting it = new_setting();
    (void)state;
    it.node.inputs[0] = -1;
    expect_claim(&it, HEED_VERDICT_NO, "the first input or output is missing");
    it = new_setting();
    it.node.output_count = 0;
    expect_claim(&it, HEED_VERDICT_NO, "the first input or output is missing");
    it = new_setting();
    it.node.outputs[0] = TENSORS;
    expect_claim(&it, HEED_VERDICT_NO, "a tensor index is out of range");
    it = new_setting();
    it.tensors[Y].desc.strides[0] = 2;
    expect_claim(&it, HEED_VERDICT_NO, "an output is not contiguous");
    it = new_setting();
    it.node.op_version = 2;
    expect_claim(&it, HEED_VERDICT_NO, "unknown version of the operator");
}

static void programs_take_only_what_can_be_run(void **state) {
    struct setting it = new_setting();
    (void)state;
    assert_int_equal(
        heedi_common_accept(&it.plugin, subgraph_of(&it), accept, &it.program, &it.error), HEED_OK);
    assert_int_equal(it.program.accepted, 1);
    it.plugin.contiguous = 1;
    assert_int_equal(
        heedi_common_accept(&it.plugin, subgraph_of(&it), accept, &it.program, &it.error),
        HEED_ERROR_UNSUPPORTED);
    assert_string_equal(it.error.message, "node 0 (n): an input is not contiguous");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_comes_from_one_place),
        cmocka_unit_test(unknown_bindings_and_roles_are_refused),
        cmocka_unit_test(nodes_touch_only_memory_that_exists),
        cmocka_unit_test(claims_say_what_the_plugin_says),
        cmocka_unit_test(malformed_nodes_are_declined),
        cmocka_unit_test(programs_take_only_what_can_be_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
