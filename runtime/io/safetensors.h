/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader of single safetensors files offers to the one of sharded models. */
#ifndef HEEDI_IO_SAFETENSORS_H
#define HEEDI_IO_SAFETENSORS_H

#include "runtime/io/container.h"

/* Most bytes of JSON that are read, as in the reference implementation. */
enum { HEEDI_SAFETENSORS_HEADER_LIMIT = 100 * 1000 * 1000 };

/* Adds the tensors of one shard; its __metadata__, which every shard repeats, is left out. */
enum heed_status heedi_safetensors_read_shard(struct heed_context *context,
                                              struct heedi_weights *weights,
                                              struct heedi_source *source);

#endif
