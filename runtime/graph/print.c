/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs as text. */
#include "runtime/base/shape.h"
#include "runtime/graph/graph.h"

static void print_tensor(const struct heed_graph *graph, heed_tensor index, FILE *stream) {
    struct heedi_shape_text text;
    if (index == HEED_NO_TENSOR) {
        fputs(" -", stream);
        return;
    }
    const struct heedi_tensor *tensor = &graph->tensors[index];
    fprintf(stream, " %%%d %s", (int)index, heedi_shape_print(&text, &tensor->desc));
    if (tensor->output_name != NULL)
        fprintf(stream, " => %s", tensor->output_name);
}

void heedi_graph_print(const struct heed_graph *graph, FILE *stream) {
    static const char *const kinds[] = {"node", "input", "constant", "state"};
    fprintf(stream, "graph %s\n", graph->name);
    for (int32_t i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i].kind != HEEDI_TENSOR_NODE) {
            fprintf(stream, "  %s %s:", kinds[graph->tensors[i].kind], graph->tensors[i].name);
            print_tensor(graph, i, stream);
            fputc('\n', stream);
        }
    for (int32_t n = 0; n < graph->node_count; n++) {
        const struct heedi_node *node = &graph->nodes[n];
        if (node->dead)
            continue;
        fprintf(stream, "  %s %s:", heed_op_name(node->op), node->name);
        for (uint32_t i = 0; i < node->input_count; i++)
            print_tensor(graph, node->inputs[i], stream);
        fputs(node->view ? " ~>" : " ->", stream);
        for (uint32_t i = 0; i < node->output_count; i++)
            print_tensor(graph, node->outputs[i], stream);
        fputc('\n', stream);
    }
}
