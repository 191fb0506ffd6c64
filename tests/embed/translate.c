/* SPDX-License-Identifier: Apache-2.0 */
/* A program that embeds the library: translates its arguments. */
#include <heed/translate.h>
#include <stdio.h>

int main(int argc, char **argv) {
    struct heed_context *context = NULL;
    struct heed_model *model = NULL;
    struct heed_translator *translator = NULL;
    int failed = heed_context_create(NULL, &context) != HEED_OK ||
                 heed_model_open(context, NULL, &model) != HEED_OK ||
                 heed_translator_create(context, model, NULL, &translator) != HEED_OK;
    for (int i = 1; i < argc && !failed; i++) {
        char *german = NULL;
        failed = heed_translate(translator, argv[i], &german) != HEED_OK;
        if (!failed)
            puts(german);
        heed_string_free(translator, german);
    }
    if (failed)
        fprintf(stderr, "%s\n", context ? heed_last_error(context) : "out of memory");
    heed_translator_destroy(translator);
    heed_model_close(model);
    heed_context_destroy(context);
    return failed;
}
