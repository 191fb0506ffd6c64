/* SPDX-License-Identifier: Apache-2.0 */
/* `heed translate --shadow`: opening the shadow, and saying what came of it. */
#include <math.h>

#include "tools/tool.h"

int heedi_tool_shadow_open(struct heed_context *context, const struct heedi_tool_options *options,
                           struct heed_shadow **shadow) {
    const struct heed_shadow_options wanted = {.struct_size = sizeof wanted,
                                               .backend = options->shadow.backend,
                                               .rate = options->shadow.rate,
                                               .seed = options->shadow.seed};
    *shadow = NULL;
    if (wanted.backend == NULL)
        return TOOL_OK;
    const enum heed_status status = heed_shadow_create(context, &wanted, shadow);
    if (status == HEED_OK)
        return TOOL_OK;
    heedi_tool_message("--shadow: %s", heed_last_error(context));
    return status == HEED_ERROR_OUT_OF_MEMORY      ? TOOL_INTERNAL
           : status == HEED_ERROR_INVALID_ARGUMENT ? TOOL_USAGE
                                                   : TOOL_NO_BACKEND;
}

static void print_finding(const struct heed_shadow_finding *finding) {
    fprintf(stderr, "  %s run %llu, sub-graph of %u nodes from '%s': %s '%s' [", finding->graph,
            (unsigned long long)finding->number, finding->nodes, finding->first,
            finding->state ? "state" : "output", finding->tensor);
    for (uint32_t d = 0; d < finding->rank; d++)
        fprintf(stderr, "%s%lld", d > 0 ? ", " : "", (long long)finding->index[d]);
    fprintf(stderr, "]: %s %.9g, %s %.9g", finding->primary, finding->primary_value,
            finding->shadow, finding->shadow_value);
    if (isfinite(finding->fraction))
        fprintf(stderr, ", %.3g of what is tolerated", finding->fraction);
    fprintf(stderr, "\n    to blame: %s\n",
            heed_shadow_blame_text((enum heed_shadow_blame)finding->blame));
    if (finding->op == 0)
        return;
    fprintf(stderr, "    %s (%s): %s: expected %.9g, found %.9g, %.3g of its bound%s%s\n",
            finding->node, heed_op_name((enum heed_op)finding->op),
            heed_check_fault_name((enum heed_check_fault)finding->alone.fault),
            finding->alone.expected, finding->alone.actual, finding->alone.hard,
            finding->alone.message[0] != '\0' ? "; " : "", finding->alone.message);
}

void heedi_tool_shadow_report(struct heed_shadow *shadow,
                              const struct heedi_tool_shadow_options *options) {
    struct heed_shadow_statistics counts = {.struct_size = sizeof counts};
    heed_shadow_drain(shadow);
    if (heed_shadow_statistics(shadow, &counts) != HEED_OK)
        return;
    fprintf(stderr,
            "heed: shadow %s: %s; %llu of %llu sub-graphs drawn (rate %g, seed %u), %llu compared, "
            "%llu disagree, %llu dropped, %llu declined, %llu failed\n",
            options->backend,
            counts.disagreed > 0 ? "DISAGREES"
            : counts.checked > 0 ? "agrees"
                                 : "nothing was compared",
            (unsigned long long)counts.drawn, (unsigned long long)counts.seen, options->rate,
            (unsigned)options->seed, (unsigned long long)counts.checked,
            (unsigned long long)counts.disagreed, (unsigned long long)counts.dropped,
            (unsigned long long)counts.declined, (unsigned long long)counts.failed);
    if (counts.checked > 0)
        fprintf(stderr,
                "  largest difference %.3g of what is tolerated ('%s'); %llu with choices between "
                "equals; %llu of %llu nodes run by the fallback\n",
                counts.worst, counts.worst_tensor, (unsigned long long)counts.ties,
                (unsigned long long)counts.fallback_nodes, (unsigned long long)counts.nodes);
    if (counts.skipped > 0)
        fprintf(stderr, "  %llu steps that a device took in series cannot be drawn\n",
                (unsigned long long)counts.skipped);
    if (counts.reason[0] != '\0')
        fprintf(stderr, "  the last that was not compared: %s\n", counts.reason);
    struct heed_shadow_finding finding = {.struct_size = sizeof finding};
    for (uint32_t i = 0; heed_shadow_finding(shadow, i, &finding) == HEED_OK; i++)
        print_finding(&finding);
}
