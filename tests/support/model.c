/* SPDX-License-Identifier: Apache-2.0 */
/* A context and the default model for a group of tests. */
#include "tests/support/model.h"

#include "tests/support/memory.h"

struct heed_model *support_model;

int support_model_setup(void **state) {
    *state = test_context(NULL, NULL, HEED_LOG_ERROR);
    return *state == NULL || heed_model_open(*state, NULL, &support_model) != HEED_OK;
}

int support_model_teardown(void **state) {
    heed_model_close(support_model);
    support_model = NULL;
    heed_context_destroy(*state);
    return 0;
}
