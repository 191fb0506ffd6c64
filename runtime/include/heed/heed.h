/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Umbrella of the runtime: graphs, executors, plugins. To translate text, heed/translate.h is the
 * one header to read. */
#ifndef HEED_HEED_H
#define HEED_HEED_H

#include "heed/backend.h"
#include "heed/executor.h"
#include "heed/graph.h"
#include "heed/ops.h"
#include "heed/status.h"
#include "heed/tensor.h"
#include "heed/version.h"

#endif
