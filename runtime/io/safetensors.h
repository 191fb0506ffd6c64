/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader of single safetensors files offers to the one of sharded models. */
#ifndef HEEDI_IO_SAFETENSORS_H
#define HEEDI_IO_SAFETENSORS_H

#include <cjson/cJSON.h>

#include "runtime/io/container.h"

/* Most bytes of JSON that are read, as in the reference implementation. */
enum { HEEDI_SAFETENSORS_HEADER_LIMIT = 100 * 1000 * 1000 };

/* Parses JSON that fills `bytes`; NULL, and the reason in the context, if it is not sound. The
 * caller releases the result with cJSON_Delete(). */
cJSON *heedi_safetensors_parse_json(struct heed_context *context, const char *path,
                                    const char *text, size_t bytes);

/* Adds the tensors of one shard; its __metadata__, which every shard repeats, is left out. */
enum heed_status heedi_safetensors_read_shard(struct heed_context *context,
                                              struct heedi_weights *weights,
                                              struct heedi_source *source);

#endif
