/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing results with references, and saying where they differ. */
#ifndef HEEDI_TESTS_SUPPORT_COMPARE_H
#define HEEDI_TESTS_SUPPORT_COMPARE_H

#include <stdint.h>

#include "runtime/check/check.h"

/* How to replay what is being checked, for messages; the string must live on. */
void compare_where(const char *replay);
const char *compare_replay(void);

/* Rounds `value` to an element of a float type. */
void compare_store(void *data, enum heed_dtype dtype, int64_t offset_elems, float value);

/* Fails the test where heedi_check_call() finds no agreement. */
void compare_call(struct heed_context *context, const struct heedi_call *call,
                  const void *const inputs[HEED_MAX_INPUTS],
                  const void *const outputs[HEED_MAX_OUTPUTS],
                  const struct heed_numeric_profile *numeric, bool random_data);

#endif
