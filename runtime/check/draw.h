/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing the operands of a case, in the order of the operator's inputs. */
#ifndef HEEDI_CHECK_DRAW_H
#define HEEDI_CHECK_DRAW_H

#include "runtime/check/case.h"

struct heedi_drawing {
    struct heed_context *context;
    struct heedi_random random;
    struct heedi_case *it;
    enum heed_status status; /* sticky */
    bool plain;              /* no views, no constants */
};

/* `axes` has a letter for every dimension: see struct heedi_case_operand. Returns the operand, or
 * NULL after a failure. */
struct heedi_case_operand *heedi_draw_float(struct heedi_drawing *drawing, enum heed_dtype dtype,
                                            uint32_t rank, const int64_t *dims, const char *axes,
                                            enum heedi_values values);
/* i8 or i32 with values from low to high. */
struct heedi_case_operand *heedi_draw_integer(struct heedi_drawing *drawing, enum heed_dtype dtype,
                                              uint32_t rank, const int64_t *dims, const char *axes,
                                              int64_t low, int64_t high);
/* A matrix of q8_0, always a plain constant; `dims` counts blocks along the last dimension. */
struct heedi_case_operand *heedi_draw_blocks(struct heedi_drawing *drawing, const int64_t dims[2],
                                             const char *axes);
/* A vector of i32 with these values, sometimes every other element of its storage. */
void heedi_draw_given(struct heedi_drawing *drawing, int64_t count, const char *axes,
                      const int32_t *values);
void heedi_draw_state(struct heedi_drawing *drawing, enum heed_dtype dtype, const int64_t dims[3],
                      const char *axes);
void heedi_draw_absent(struct heedi_drawing *drawing);

/* What fills the case of one operator, and how many cases make a check. */
struct heedi_draw_operator {
    enum heed_op op;
    void (*draw)(struct heedi_drawing *drawing);
    int64_t count;
};
extern const struct heedi_draw_operator heedi_draw_operators[];
extern const size_t heedi_draw_operator_count;

/* ---- draw_matmul.c, draw_attention.c, draw_operators.c ---- */
void heedi_draw_matmul(struct heedi_drawing *drawing);
void heedi_draw_attention(struct heedi_drawing *drawing);

#endif
