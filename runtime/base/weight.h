/* SPDX-License-Identifier: Apache-2.0 */
/* Weights from the inside. */
#ifndef HEEDI_BASE_WEIGHT_H
#define HEEDI_BASE_WEIGHT_H

#include <stdbool.h>

#include "heed/tensor.h"
#include "runtime/base/context.h"
#include "runtime/base/refcount.h"

struct heed_weight {
    struct heedi_env env;
    struct heedi_refcount references;
    uint64_t id; /* unique in the process, never 0 */
    char *name;
    struct heed_tensor_desc desc;
    const void *data;
    heed_release_fn release;
    void *user;
    bool mapped; /* data lies in a file mapping: heedi_os_discard is allowed */
};

#endif
