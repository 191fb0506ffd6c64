/* SPDX-License-Identifier: Apache-2.0 */
/* The results of `heed check` as JSON. Infinite fractions are null. */
#include <string.h>

#include "tools/check/check.h"
#include "tools/json.h"

static bool add_finding(cJSON *parent, const char *name, const struct heed_check_finding *finding) {
    cJSON *object = cJSON_AddObjectToObject(parent, name);
    bool ok = object != NULL;
    JSON_TEXT(object, "fault", heed_check_fault_name((enum heed_check_fault)finding->fault));
    JSON_NUMBER(object, "case", finding->number);
    JSON_NUMBER(object, "output", finding->output);
    ok = ok && heedi_tool_json_i64s(object, "index", finding->index, finding->rank);
    JSON_NUMBER(object, "expected", finding->expected);
    JSON_NUMBER(object, "actual", finding->actual);
    JSON_NUMBER(object, "hard", finding->hard);
    JSON_NUMBER(object, "statistical", finding->statistical);
    JSON_NUMBER(object, "ulp", finding->ulp);
    JSON_TEXT(object, "message", finding->message);
    return ok;
}

static bool add_row(cJSON *object, const struct heed_check_row *row) {
    bool ok = object != NULL;
    JSON_TEXT(object, "op", heed_op_name((enum heed_op)row->op));
    JSON_TEXT(object, "dtype", heed_dtype_name((enum heed_dtype)row->dtype));
    JSON_NUMBER(object, "cases", row->cases);
    JSON_NUMBER(object, "declined", row->declined);
    JSON_NUMBER(object, "failed", row->failed);
    JSON_NUMBER(object, "statistical", row->statistical);
    JSON_NUMBER(object, "largest_ulp", row->largest_ulp);
    JSON_TEXT(object, "declined_reason", row->declined_reason);
    ok = ok && heedi_tool_json_i64s(object, "histogram", row->histogram,
                                    sizeof row->histogram / sizeof row->histogram[0]);
    return ok && (row->cases == 0 || add_finding(object, "worst", &row->worst));
}

/* What is declined of an operator, over all its types, beside what may be. */
static bool add_declined(cJSON *list, const struct heedi_checked_backend *backend,
                         enum heed_op op) {
    int64_t cases, declined;
    heedi_check_count(backend, op, &cases, &declined);
    if (declined == 0)
        return true;
    cJSON *object = heedi_tool_json_append(list);
    bool ok = object != NULL;
    JSON_TEXT(object, "op", heed_op_name(op));
    JSON_NUMBER(object, "declined", declined);
    JSON_NUMBER(object, "share", (double)declined / (double)(cases + declined));
    JSON_NUMBER(object, "most_share", heedi_check_may_decline(backend->name, op));
    JSON_FLAG(object, "too_much", heedi_check_declines_too_much(backend, op));
    JSON_TEXT(object, "reason", heedi_check_declined_reason(backend, op));
    return ok;
}

static bool add_backend(cJSON *object, const struct heedi_checked_backend *backend) {
    bool ok = object != NULL;
    JSON_TEXT(object, "backend", backend->entry);
    JSON_TEXT(object, "description", backend->description);
    JSON_FLAG(object, "holds", heedi_check_holds(backend));
    JSON_NUMBER(object, "seconds", backend->seconds);
    if (backend->precision.name[0] != '\0') {
        JSON_TEXT(object, "precision", backend->precision.name);
        JSON_NUMBER(object, "operand_bits", backend->precision.operand_bits);
        JSON_NUMBER(object, "sum_bits", backend->precision.sum_bits);
    }
    cJSON *rows = cJSON_AddArrayToObject(object, "rows");
    for (size_t i = 0; ok && i < backend->row_count; i++)
        ok = add_row(heedi_tool_json_append(rows), &backend->rows[i]);
    cJSON *declined = cJSON_AddArrayToObject(object, "declined");
    for (int op = 1; ok && op < HEED_OP_COUNT_PLUS_ONE; op++)
        ok = add_declined(declined, backend, (enum heed_op)op);
    cJSON *failures = cJSON_AddArrayToObject(object, "failures");
    for (size_t i = 0; ok && i < backend->failure_count; i++) {
        const struct heedi_checked_failure *failure = &backend->failures[i];
        cJSON *it = heedi_tool_json_append(failures);
        ok = it != NULL;
        JSON_TEXT(it, "op", heed_op_name((enum heed_op)failure->smallest.op));
        JSON_TEXT(it, "replay", failure->path);
        ok = ok && add_finding(it, "drawn", &failure->drawn) &&
             add_finding(it, "smallest", &failure->smallest);
    }
    return ok;
}

bool heedi_check_json(const struct heedi_checking *checking, FILE *stream) {
    cJSON *root = cJSON_CreateObject();
    bool ok = root != NULL, holds = true;
    for (size_t i = 0; i < checking->backend_count; i++)
        holds = holds && heedi_check_holds(&checking->backends[i]);
    JSON_NUMBER(root, "seed", checking->seed);
    JSON_FLAG(root, "holds", holds);
    cJSON *backends = cJSON_AddArrayToObject(root, "backends");
    for (size_t i = 0; ok && i < checking->backend_count; i++)
        ok = add_backend(heedi_tool_json_append(backends), &checking->backends[i]);
    char *text = ok ? cJSON_Print(root) : NULL;
    if (text != NULL)
        fprintf(stream, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(root);
    return text != NULL;
}
