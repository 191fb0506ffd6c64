/* SPDX-License-Identifier: Apache-2.0 */
/* A case of a check: one node with all its operands, as plain data that can be drawn, run, made
 * smaller, written to a file and read again. */
#ifndef HEEDI_CHECK_CASE_H
#define HEEDI_CHECK_CASE_H

#include "heed/graph.h"
#include "runtime/base/context.h"
#include "runtime/check/random.h"

/* How an operand lies in memory. */
enum heedi_form {
    HEEDI_FORM_PLAIN,
    HEEDI_FORM_TRANSPOSED,
    HEEDI_FORM_SLICED,
    HEEDI_FORM_STEPPED,
    HEEDI_FORM_BROADCAST,
    HEEDI_FORMS
};

/* Where an operand's elements come from. */
enum heedi_source {
    HEEDI_SOURCE_ABSENT,
    HEEDI_SOURCE_INPUT,
    HEEDI_SOURCE_CONSTANT,
    HEEDI_SOURCE_STATE
};

/* A view as an operator of a graph makes it; `attrs` stays whose it is. */
struct heedi_case_view {
    enum heed_op op;
    const void *attrs;
};
enum { HEEDI_CASE_VIEWS = 8 };

struct heedi_case_operand {
    enum heedi_source source;
    enum heedi_form form;
    struct heed_tensor_desc desc; /* as the node sees it (but for `views`), contiguous */
    /* Of a real graph: what lies between `desc` and `data` and the node; the last one first. */
    struct heedi_case_view views[HEEDI_CASE_VIEWS];
    uint32_t view_count;
    int64_t bound; /* as heed_graph_input() has it */
    /* The letter of each dimension: dimensions of one letter shrink together. A capital is one
     * longer than its small letter (offsets); '.' stands alone; one of size 1 may be broadcast. */
    char axes[HEED_MAX_RANK + 1];
    uint32_t perm[HEED_MAX_RANK]; /* transposed: y.dims[i] = storage.dims[perm[i]] */
    int64_t start[HEED_MAX_RANK]; /* sliced, stepped */
    int64_t step[HEED_MAX_RANK];  /* sliced, stepped: >= 1 */
    int64_t rest[HEED_MAX_RANK];  /* sliced, stepped: elements of the storage after the last */
    bool repeated[HEED_MAX_RANK]; /* broadcast: the storage has 1 */
    void *data;                   /* elements as the node sees them, row-major */
};

struct heedi_case {
    enum heed_op op;
    uint32_t attrs_size;
    union heed_op_attrs attrs;
    bool random_data; /* all values independent and normal: the statistical limit holds */
    uint32_t operand_count;
    struct heedi_case_operand operands[HEED_MAX_INPUTS];
};

size_t heedi_operand_bytes(const struct heedi_case_operand *operand);
/* Description of the storage that an operand is a view of. */
struct heed_tensor_desc heedi_operand_storage(const struct heedi_case_operand *operand);
/* Writes the storage. What lies between an operand's elements is NaN, or out of every range. */
void heedi_operand_store(const struct heedi_case_operand *operand, void *storage);

/* Sets element `index` to `value`, rounded to the type; nothing of q8_0. */
void heedi_store(void *data, enum heed_dtype dtype, int64_t index, double value);

/* An operand as a row of numbers: its elements; of q8_0 the scale and the values of each block. */
int64_t heedi_operand_numbers(const struct heedi_case_operand *operand);
double heedi_load_number(const struct heedi_case_operand *operand, int64_t index);
void heedi_store_number(struct heedi_case_operand *operand, int64_t index, double value);

enum heed_status heedi_case_copy(struct heed_context *context, const struct heedi_case *from,
                                 struct heedi_case *to);
/* Frees what the operands hold. */
void heedi_case_clear(const struct heedi_env *env, struct heedi_case *it);

/* A graph of the node "node" with what makes views of storages "x0", "x1", ..., results "y0", "y1".
 * `storages` has the contents of every present operand, to be kept until the graph is gone. */
struct heedi_case_graph {
    struct heed_graph *graph; /* frozen */
    heed_tensor inputs[HEED_MAX_INPUTS];
    heed_tensor outputs[HEED_MAX_OUTPUTS];
    void *storages[HEED_MAX_INPUTS];
    size_t storage_bytes[HEED_MAX_INPUTS];
};
/* Fails with the graph's message where the case has no meaning. */
enum heed_status heedi_case_build(struct heed_context *context, const struct heedi_case *it,
                                  struct heedi_case_graph *built);
void heedi_case_graph_clear(const struct heedi_env *env, struct heedi_case_graph *built);

/* Names that text and reports use. */
const char *heedi_form_name(enum heedi_form form);
const char *heedi_source_name(enum heedi_source source);

/* ---- draw.c ---- */

/* Case `number` of an operator. The numbers of a seed may be drawn in any order. */
enum heed_status heedi_case_draw(struct heed_context *context, enum heed_op op, uint64_t seed,
                                 int64_t number, struct heedi_case *it);
/* How many cases of an operator make a check; 0 for views and others that nothing runs. */
int64_t heedi_case_count(enum heed_op op);

/* ---- case_text.c ---- */

/* Writes a case as text that people can read and heedi_case_parse() reads back to the same bits
 * (but for the payload of a NaN). `notes` (may be NULL) goes on top as comments. The caller frees
 * *text with heedi_free(). */
enum heed_status heedi_case_print(struct heed_context *context, const struct heedi_case *it,
                                  const char *notes, char **text, size_t *bytes);
enum heed_status heedi_case_parse(struct heed_context *context, const char *text, size_t bytes,
                                  struct heedi_case *it);

#endif
