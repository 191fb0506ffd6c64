/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing results with references, and saying where they differ. */
#ifndef HEEDI_TESTS_SUPPORT_COMPARE_H
#define HEEDI_TESTS_SUPPORT_COMPARE_H

#include <stdint.h>

#include "runtime/ops/op.h"

/* What is being checked, for messages: an operator, and how to replay the case. */
void compare_where(const char *operator_name, const char *replay);
const char *compare_replay(void);

/* Rounds `value` to an element of a float type. */
void compare_store(void *data, enum heed_dtype dtype, int64_t offset_elems, float value);

/* Fails the test where an element of `actual` (contiguous) is further from the reference than its
 * bound allows. `largest` is the greatest finite magnitude among the inputs. */
void compare_output(const struct heedi_call *call, uint32_t output, const double *reference,
                    const double *magnitude, double largest, const void *actual);

#endif
