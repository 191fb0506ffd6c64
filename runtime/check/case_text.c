/* SPDX-License-Identifier: Apache-2.0 */
/* Cases as text:
 *
 *   heed-check-case 1
 *   # notes
 *   op matmul
 *   random 0
 *   attrs 24 0 1 0 0 0                       (bytes, then words after the first)
 *   operand 0 f32 input sliced 2 3 4 mk      (type, source, form, rank, dims, axes)
 *   view 0 1 1 1 0 0 0                       (for each dimension perm, start, step, rest, repeated)
 *   values 1 -2.5 nan ...                    (any number of such lines; of q8_0, for each block
 *                                             its scale and its 32 values)
 *   end
 *
 * 9 significant digits tell all values of f32 apart. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/shape.h"
#include "runtime/check/case.h"
#include "runtime/ops/op.h"

static const char magic[] = "heed-check-case 1";
enum { VALUES_PER_LINE = 8 };
static const int64_t MOST_ELEMS = 1 << 24; /* of an operand that is read */

/* ---- writing ---- */

struct writer {
    struct heed_context *context;
    char *text;
    size_t bytes, capacity;
    bool failed;
};

static void put(struct writer *writer, const char *format, ...) HEEDI_PRINTF(2, 3);
static void put(struct writer *writer, const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (writer->failed || length < 0)
        return;
    const size_t count = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    if (writer->bytes + count + 1 > writer->capacity) {
        const size_t capacity = 2 * writer->capacity + sizeof line;
        char *grown = heedi_grow(&writer->context->env, writer->text, writer->bytes, capacity, 1);
        if (grown == NULL) {
            writer->failed = true;
            return;
        }
        writer->text = grown;
        writer->capacity = capacity;
    }
    memcpy(writer->text + writer->bytes, line, count + 1);
    writer->bytes += count;
}

static void put_notes(struct writer *writer, const char *notes) {
    while (notes != NULL && *notes != '\0') {
        const size_t length = strcspn(notes, "\n");
        put(writer, "# %.*s\n", (int)(length < 200 ? length : 200), notes);
        notes += length + (notes[length] == '\n');
    }
}

static void put_operand(struct writer *writer, const struct heedi_case_operand *operand,
                        uint32_t number) {
    const uint32_t rank = operand->desc.rank;
    put(writer, "operand %u %s %s %s %u", (unsigned)number, heed_dtype_name(operand->desc.dtype),
        heedi_source_name(operand->source), heedi_form_name(operand->form), (unsigned)rank);
    for (uint32_t i = 0; i < rank; i++)
        put(writer, " %lld", (long long)operand->desc.dims[i]);
    put(writer, rank > 0 ? " %.*s\n" : "%.*s\n", (int)rank, operand->axes);
    if (operand->form != HEEDI_FORM_PLAIN) {
        put(writer, "view");
        for (uint32_t i = 0; i < rank; i++)
            put(writer, " %u %lld %lld %lld %d", (unsigned)operand->perm[i],
                (long long)operand->start[i], (long long)operand->step[i],
                (long long)operand->rest[i], operand->repeated[i]);
        put(writer, "\n");
    }
    const int64_t numbers = heedi_operand_numbers(operand);
    for (int64_t i = 0; i < numbers; i++)
        put(writer, "%s %.9g%s", i % VALUES_PER_LINE == 0 ? "values" : "",
            heedi_load_number(operand, i),
            (i + 1) % VALUES_PER_LINE == 0 || i + 1 == numbers ? "\n" : "");
}

enum heed_status heedi_case_print(struct heed_context *context, const struct heedi_case *it,
                                  const char *notes, char **text, size_t *bytes) {
    struct writer writer = {.context = context};
    put(&writer, "%s\n", magic);
    put_notes(&writer, notes);
    put(&writer, "op %s\nrandom %d\nattrs %u", heed_op_name(it->op), it->random_data,
        (unsigned)it->attrs_size);
    for (uint32_t i = 1; i < it->attrs_size / 4; i++)
        put(&writer, " %lu", (unsigned long)it->attrs.words[i]);
    put(&writer, "\n");
    for (uint32_t i = 0; i < it->operand_count; i++)
        if (it->operands[i].source != HEEDI_SOURCE_ABSENT)
            put_operand(&writer, &it->operands[i], i);
    put(&writer, "end\n");
    *text = writer.text;
    *bytes = writer.bytes;
    if (!writer.failed)
        return HEED_OK;
    heedi_free(&context->env, writer.text);
    *text = NULL;
    return heedi_fail_memory(context, "the text of a case", writer.capacity);
}

/* ---- reading ---- */

struct reader {
    struct heed_context *context;
    const char *at, *end;
    int line;
    char word[40];
    struct heedi_case *it;
};

static enum heed_status wrong(struct reader *reader, const char *expected) {
    return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                      "line %d of a case: expected %s, got '%s'", reader->line, expected,
                      reader->word);
}

/* The next word, "" at the end; comments and lines do not matter between words. */
static const char *next(struct reader *reader) {
    bool comment = false;
    size_t length = 0;
    for (; reader->at < reader->end; reader->at++) {
        const char c = *reader->at;
        reader->line += c == '\n';
        comment = c == '#' || (comment && c != '\n');
        if (!comment && c != ' ' && c != '\t' && c != '\n' && c != '\r')
            break;
    }
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) == NULL &&
           length + 1 < sizeof reader->word)
        reader->word[length++] = *reader->at++;
    reader->word[length] = '\0';
    return reader->word;
}

static bool next_number(struct reader *reader, int64_t low, int64_t high, int64_t *number) {
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(next(reader), &end, 10);
    *number = value;
    return end != reader->word && *end == '\0' && errno == 0 && value >= low && value <= high;
}

static bool next_name(struct reader *reader, const char *(*name)(int), int count, int *found) {
    const char *word = next(reader);
    for (*found = 0; *found < count; (*found)++)
        if (strcmp(word, name(*found)) == 0)
            return true;
    return false;
}

static const char *op_name(int op) {
    return heed_op_name((enum heed_op)op);
}

static const char *dtype_name(int dtype) {
    return dtype == HEED_DTYPE_NONE ? "" : heed_dtype_name((enum heed_dtype)dtype);
}

static const char *form_name(int form) {
    return heedi_form_name((enum heedi_form)form);
}

static const char *source_name(int source) {
    return source == HEEDI_SOURCE_ABSENT ? "" : heedi_source_name((enum heedi_source)source);
}

static enum heed_status read_head(struct reader *reader) {
    struct heedi_case *it = reader->it;
    int op;
    int64_t number;
    if (strcmp(next(reader), "heed-check-case") != 0 || !next_number(reader, 1, 1, &number))
        return wrong(reader, "'heed-check-case 1'");
    if (strcmp(next(reader), "op") != 0)
        return wrong(reader, "'op'");
    if (!next_name(reader, op_name, HEED_OP_COUNT_PLUS_ONE, &op) ||
        heedi_case_count((enum heed_op)op) == 0)
        return wrong(reader, "an operator that can be run");
    it->op = (enum heed_op)op;
    if (strcmp(next(reader), "random") != 0)
        return wrong(reader, "'random'");
    if (!next_number(reader, 0, 1, &number))
        return wrong(reader, "0 or 1");
    it->random_data = number == 1;
    const uint32_t size = heedi_op_find(it->op)->attrs_size;
    if (strcmp(next(reader), "attrs") != 0)
        return wrong(reader, "'attrs'");
    if (!next_number(reader, size, size, &number))
        return wrong(reader, "the size of this operator's attributes");
    it->attrs_size = size;
    it->attrs.words[0] = size;
    for (uint32_t i = 1; i < size / 4; i++) {
        if (!next_number(reader, 0, UINT32_MAX, &number))
            return wrong(reader, "a word of attributes");
        it->attrs.words[i] = (uint32_t)number;
    }
    return HEED_OK;
}

/* Type, source, form, shape. */
static enum heed_status read_shape(struct reader *reader, struct heedi_case_operand *operand) {
    int dtype, source, form;
    int64_t rank, dims[HEED_MAX_RANK] = {0}, elems;
    if (!next_name(reader, dtype_name, HEED_Q8_0 + 1, &dtype))
        return wrong(reader, "a type");
    if (!next_name(reader, source_name, HEEDI_SOURCE_STATE + 1, &source))
        return wrong(reader, "input, constant or state");
    if (!next_name(reader, form_name, HEEDI_FORMS, &form))
        return wrong(reader, "a form");
    if (!next_number(reader, 0, HEED_MAX_RANK, &rank))
        return wrong(reader, "a rank");
    for (int64_t i = 0; i < rank; i++)
        if (!next_number(reader, 0, MOST_ELEMS, &dims[i]))
            return wrong(reader, "a dimension");
    if (!heedi_shape_check((enum heed_dtype)dtype, (uint64_t)rank, dims, &elems, NULL) ||
        elems > MOST_ELEMS)
        return wrong(reader, "a smaller shape");
    if (dtype == HEED_Q8_0 && (source != HEEDI_SOURCE_CONSTANT || form != HEEDI_FORM_PLAIN))
        return wrong(reader, "q8_0 only as a plain constant");
    if (source == HEEDI_SOURCE_STATE &&
        (operand != &reader->it->operands[0] || reader->it->op != HEED_OP_CACHE_APPEND ||
         form != HEEDI_FORM_PLAIN))
        return wrong(reader, "a state only where an operator updates one");
    operand->source = (enum heedi_source)source;
    operand->form = (enum heedi_form)form;
    operand->desc = heed_desc((enum heed_dtype)dtype, (uint32_t)rank, dims);
    if (rank > 0 && strlen(next(reader)) != (size_t)rank)
        return wrong(reader, "a letter for each dimension");
    if (rank > 0)
        memcpy(operand->axes, reader->word, (size_t)rank);
    return HEED_OK;
}

static enum heed_status read_view(struct reader *reader, struct heedi_case_operand *operand) {
    uint32_t seen = 0;
    if (strcmp(next(reader), "view") != 0)
        return wrong(reader, "'view'");
    for (uint32_t i = 0; i < operand->desc.rank; i++) {
        int64_t perm, repeated;
        if (!next_number(reader, 0, operand->desc.rank - 1, &perm) ||
            !next_number(reader, 0, 1024, &operand->start[i]) ||
            !next_number(reader, 1, 1024, &operand->step[i]) ||
            !next_number(reader, 0, 1024, &operand->rest[i]) ||
            !next_number(reader, 0, 1, &repeated))
            return wrong(reader, "perm, start, step, rest and repeated of a view");
        operand->perm[i] = (uint32_t)perm;
        operand->repeated[i] = repeated == 1;
        seen |= 1u << perm;
    }
    if (operand->form == HEEDI_FORM_TRANSPOSED && seen != (1u << operand->desc.rank) - 1)
        return wrong(reader, "a permutation");
    const struct heed_tensor_desc storage = heedi_operand_storage(operand);
    int64_t elems;
    if (!heedi_shape_check(storage.dtype, storage.rank, storage.dims, &elems, NULL) ||
        elems > MOST_ELEMS)
        return wrong(reader, "a smaller storage");
    return HEED_OK;
}

static enum heed_status read_operand(struct reader *reader) {
    int64_t number;
    if (!next_number(reader, 0, HEED_MAX_INPUTS - 1, &number))
        return wrong(reader, "the number of an operand");
    struct heedi_case_operand *operand = &reader->it->operands[number];
    if (operand->source != HEEDI_SOURCE_ABSENT)
        return wrong(reader, "each operand once");
    if ((uint32_t)number >= reader->it->operand_count)
        reader->it->operand_count = (uint32_t)number + 1;
    enum heed_status status = read_shape(reader, operand);
    if (status == HEED_OK && operand->form != HEEDI_FORM_PLAIN)
        status = read_view(reader, operand);
    if (status != HEED_OK)
        return status;
    const int64_t numbers = heedi_operand_numbers(operand);
    operand->data = heedi_calloc(&reader->context->env, heedi_operand_bytes(operand), 1);
    if (operand->data == NULL)
        return heedi_fail_memory(reader->context, "an operand", heedi_operand_bytes(operand));
    for (int64_t i = 0; i < numbers; i++) {
        char *end = NULL;
        if (i % VALUES_PER_LINE == 0 && strcmp(next(reader), "values") != 0)
            return wrong(reader, "'values'");
        const double value = strtod(next(reader), &end);
        if (end == reader->word || *end != '\0')
            return wrong(reader, "a value");
        heedi_store_number(operand, i, value);
    }
    return HEED_OK;
}

enum heed_status heedi_case_parse(struct heed_context *context, const char *text, size_t bytes,
                                  struct heedi_case *it) {
    struct reader reader = {
        .context = context, .at = text, .end = text + bytes, .line = 1, .it = it};
    *it = (struct heedi_case){.op = HEED_OP_NONE};
    enum heed_status status = read_head(&reader);
    while (status == HEED_OK && strcmp(next(&reader), "end") != 0)
        status = strcmp(reader.word, "operand") == 0 ? read_operand(&reader)
                                                     : wrong(&reader, "'operand' or 'end'");
    if (status != HEED_OK)
        heedi_case_clear(&context->env, it);
    return status;
}
