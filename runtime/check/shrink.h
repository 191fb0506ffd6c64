/* SPDX-License-Identifier: Apache-2.0 */
/* Making failing cases small. */
#ifndef HEEDI_CHECK_SHRINK_H
#define HEEDI_CHECK_SHRINK_H

#include "runtime/check/trial.h"

/* Looks for the smallest case that fails in the same way as `it`, which `finding` is of: shape
 * first, then values, then attributes, again and again until nothing helps any more or too much
 * time is gone. Replaces both; *shrunk says whether there was something to gain. */
enum heed_status heedi_shrink(struct heedi_target *target, int32_t repeat, struct heedi_case *it,
                              struct heed_check_finding *finding, bool *shrunk);

#endif
