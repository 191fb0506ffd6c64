/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target once over each file that is named, where there is no libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int replay(const char *path) {
    FILE *file = fopen(path, "rb");
    long bytes = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        bytes = ftell(file);
    uint8_t *data = bytes < 0 ? NULL : malloc((size_t)bytes + 1);
    int failed = 1;
    if (data != NULL && fseek(file, 0, SEEK_SET) == 0 &&
        fread(data, 1, (size_t)bytes, file) == (size_t)bytes)
        failed = LLVMFuzzerTestOneInput(data, (size_t)bytes);
    else
        (void)fprintf(stderr, "%s: cannot be read\n", path);
    free(data);
    if (file != NULL)
        (void)fclose(file);
    return failed;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) != 0)
            return 1;
    return 0;
}
