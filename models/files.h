/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers for finding and mapping the files of a model. */
#ifndef HEEDI_MODELS_FILES_H
#define HEEDI_MODELS_FILES_H

#include "runtime/base/context.h"
#include "runtime/base/os.h"
#include "runtime/io/weights.h"

/* Maps a file; the message names it. */
enum heed_status heedi_map_file(struct heed_context *context, const char *path,
                                struct heedi_mapping *mapping);

static inline struct heedi_slice heedi_mapping_slice(const struct heedi_mapping *mapping) {
    const struct heedi_slice slice = {(const char *)mapping->data, mapping->bytes};
    return slice;
}

#endif
