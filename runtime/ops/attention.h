/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the attention operator share. */
#ifndef HEEDI_OPS_ATTENTION_H
#define HEEDI_OPS_ATTENTION_H

#include "runtime/ops/op.h"

/* An input by HEED_ATTENTION_*, NULL where it is absent. */
const struct heed_tensor_desc *heedi_attention_input(const struct heedi_call *call, uint32_t index);
/* The factor of the scores. */
float heedi_attention_scale(const struct heedi_call *call);
void heedi_attention_reference(const struct heedi_reference *reference);

#endif
