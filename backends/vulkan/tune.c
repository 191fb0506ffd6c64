/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of workgroups that can be chosen: options such as "tile.large=16x8x8x4", and what was
 * found best for a device, kept in a text file beside its pipeline cache:
 *
 *     heed-vulkan-tuning 1
 *     device 1002:73bf 0200002a
 *     tile.large=16x8x8x4
 *
 * The second line has vendor, device and driver version. A file that holds anything else than what
 * this version writes for this device is left out with one line in the log. Only the choices of the
 * tables below are taken, and of those the ones that the device's limits allow. */
#include <stdio.h>
#include <string.h>

#include "tune.h"

static const char magic[] = "heed-vulkan-tuning 1";

struct choice {
    const char *text;
    uint32_t at[4];
};

/* tx, ty, tm, tn. tx ty is a multiple of ty tm, as quantised rows need it, ty at most 2 tn, which
 * leaves common/norm.glsl room, and tx tn at most 16 tm, which leaves it to choices. More than 32
 * elements of an invocation spill registers on some chips; a device in software has no lack of
 * them. The first three are those of matmul.c. */
static const struct choice tiles[HEED_TUNE_CHOICES] = {
    {"16x8x8x4", {16, 8, 8, 4}}, {"8x8x4x4", {8, 8, 4, 4}},   {"16x4x4x2", {16, 4, 4, 2}},
    {"16x8x4x4", {16, 8, 4, 4}}, {"16x4x4x4", {16, 4, 4, 4}}, {"32x4x8x4", {32, 4, 8, 4}},
    {"16x4x8x4", {16, 4, 8, 4}}, {"8x8x8x4", {8, 8, 8, 4}},
};
static const struct choice software_tiles[HEED_TUNE_CHOICES] = {
    {"8x8x8x8", {8, 8, 8, 8}},   {"8x4x8x8", {8, 4, 8, 8}},   {"8x2x8x8", {8, 2, 8, 8}},
    {"16x8x8x4", {16, 8, 8, 4}}, {"8x8x4x4", {8, 8, 4, 4}},   {"16x4x4x2", {16, 4, 4, 2}},
    {"16x4x4x4", {16, 4, 4, 4}}, {"16x4x8x4", {16, 4, 8, 4}},
};

/* Lanes, columns. Lanes are at least as many as there are rows, and all at least 128, which leaves
 * common/norm.glsl room. */
static const struct choice columns[HEED_TUNE_CHOICES] = {
    {"16x8", {16, 8}}, {"16x16", {16, 16}}, {"32x4", {32, 4}},   {"32x8", {32, 8}},
    {"64x2", {64, 2}}, {"64x4", {64, 4}},   {"128x1", {128, 1}}, {"128x2", {128, 2}},
};

static const struct choice widths[HEED_TUNE_CHOICES] = {
    {"128", {128}}, {"32", {32}}, {"64", {64}}, {"256", {256}}};

enum { TILE_LARGE, TILE_MEDIUM, TILE_SMALL, SKINNY, ATTENTION, KERNELS };

/* Cases that matmul.c takes the kernel for. */
static const struct kernel {
    const char *name;
    const struct choice *choices;
    struct heed_tune_case gpu[2], software[1];
} kernels[KERNELS] = {
    [TILE_LARGE] = {"tile.large",
                    tiles,
                    {{HEED_OP_MATMUL, HEED_F32, {1024, 512, 1024}},
                     {HEED_OP_MATMUL, HEED_F16, {1024, 512, 1024}}},
                    {{HEED_OP_MATMUL, HEED_F32, {64, 256, 256}}}},
    [TILE_MEDIUM] = {"tile.medium",
                     tiles,
                     {{HEED_OP_MATMUL, HEED_F32, {256, 512, 1024}},
                      {HEED_OP_MATMUL, HEED_F16, {256, 512, 1024}}},
                     {{HEED_OP_MATMUL, HEED_F32, {32, 256, 512}}}},
    [TILE_SMALL] = {"tile.small",
                    tiles,
                    {{HEED_OP_MATMUL, HEED_F32, {32, 512, 1024}},
                     {HEED_OP_MATMUL, HEED_F16, {32, 512, 1024}}},
                    {{HEED_OP_MATMUL, HEED_F32, {16, 512, 512}}}},
    [SKINNY] = {"skinny",
                columns,
                {{HEED_OP_MATMUL, HEED_F32, {4, 512, 2048}},
                 {HEED_OP_MATMUL, HEED_F16, {1, 512, 16384}}},
                {{HEED_OP_MATMUL, HEED_F32, {4, 512, 2048}}}},
    [ATTENTION] = {"attention",
                   widths,
                   {{HEED_OP_ATTENTION, HEED_F32, {1, 8, 1, 64, 64}},
                    {HEED_OP_ATTENTION, HEED_F32, {8, 8, 1, 256, 64}}},
                   {{HEED_OP_ATTENTION, HEED_F32, {1, 8, 1, 256, 64}}}},
};

/* ---- choices ---- */

static const struct choice *choices_of(const struct heed_plugin *plugin, uint32_t kernel) {
    return kernel <= TILE_SMALL && heedi_vk_suits_software(plugin) ? software_tiles
                                                                   : kernels[kernel].choices;
}

static bool fits(const struct vk_limits *limits, uint32_t kernel, const struct choice *choice) {
    const uint32_t *at = choice->at;
    uint32_t workgroup = at[0], shared_words = 0;
    if (kernel <= TILE_SMALL) {
        workgroup = at[0] * at[1];
        shared_words = 16 * (at[1] * at[2] + at[0] * at[3] + 2) + 2 * at[1] * at[2];
    } else if (kernel == SKINNY) {
        workgroup = at[0] * at[1];
        shared_words = 16 * at[1] * (at[0] + 1);
    }
    return choice->text != NULL && workgroup <= limits->workgroup && workgroup <= HEED_MAX_WIDTH &&
           4 * shared_words <= limits->shared_bytes;
}

const uint32_t *heedi_vk_choice(const struct heed_plugin *plugin, enum vk_choice_of of,
                                uint32_t index) {
    const uint32_t kernel = of == VK_CHOICE_TILE ? TILE_LARGE : SKINNY;
    const struct choice *choice = &choices_of(plugin, kernel)[index];
    return fits(&plugin->device.limits, kernel, choice) ? choice->at : NULL;
}

static void choose(struct vk_tuning *tuning, uint32_t kernel, const struct choice *choice) {
    const uint32_t *at = choice->at;
    if (kernel <= TILE_SMALL) {
        tuning->tiles[kernel] = (struct vk_tile){at[0], at[1], at[2], at[3]};
    } else if (kernel == SKINNY) {
        tuning->lanes = at[0];
        tuning->columns = at[1];
    } else {
        tuning->attention = at[0];
    }
}

/* Takes "key=value,key=value"; f16=0 or 1 only where `rounds` is not NULL. False, with a sentence:
 * a key or value that is unknown, or too much for the device. */
static bool take(const struct heed_plugin *plugin, struct vk_tuning *tuning, bool *rounds,
                 const char *options, struct heed_error *error) {
    while (*options != '\0') {
        const size_t length = strcspn(options, ","), key = strcspn(options, "=,");
        if (rounds != NULL && length == 5 &&
            (memcmp(options, "f16=0", 5) == 0 || memcmp(options, "f16=1", 5) == 0)) {
            *rounds = options[4] == '1';
            options += length + (options[length] == ',');
            continue;
        }
        const struct choice *found = NULL;
        uint32_t k = 0;
        while (k < KERNELS &&
               (strlen(kernels[k].name) != key || memcmp(kernels[k].name, options, key) != 0))
            k++;
        if (k == KERNELS || key == length) {
            heedi_common_fail(
                error, HEED_ERROR_INVALID_ARGUMENT,
                "unknown option '%.*s'; there are tile.large, tile.medium, tile.small, "
                "skinny and attention, each with '=' and a shape, and f16=0 and f16=1",
                (int)(length < 60 ? length : 60), options);
            return false;
        }
        const char *value = options + key + 1;
        const size_t rest = length - key - 1;
        for (uint32_t i = 0; i < HEED_TUNE_CHOICES; i++) {
            const struct choice *choice = &choices_of(plugin, k)[i];
            if (choice->text != NULL && strlen(choice->text) == rest &&
                memcmp(choice->text, value, rest) == 0)
                found = choice;
        }
        if (found == NULL || !fits(&plugin->device.limits, k, found)) {
            heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT, "option '%.*s': %s",
                              (int)(length < 60 ? length : 60), options,
                              found == NULL
                                  ? "there is no such shape"
                                  : "too many invocations, or too much shared memory, for "
                                    "this device");
            return false;
        }
        choose(tuning, k, found);
        options += length + (options[length] == ',');
    }
    return true;
}

/* ---- the file ---- */

static void write_device(const struct heed_plugin *plugin, char line[64]) {
    const VkPhysicalDeviceProperties *properties = &plugin->device.properties;
    (void)snprintf(line, 64, "device %04x:%04x %08x", (unsigned)properties->vendorID,
                   (unsigned)properties->deviceID, (unsigned)properties->driverVersion);
}

/* Reads a line without its end; 0 at the end of the file, -1 where a line is too long or cut off.
 */
static int read_line(FILE *file, char line[128]) {
    if (fgets(line, 128, file) == NULL)
        return ferror(file) ? -1 : 0;
    char *end = strchr(line, '\n');
    if (end == NULL)
        return -1;
    *end = '\0';
    return 1;
}

/* Adds what a file says to the tuning. */
static bool read_file(const struct heed_plugin *plugin, FILE *file, struct vk_tuning *tuning,
                      struct heed_error *error) {
    char line[128], device[64];
    int got = 0;
    write_device(plugin, device);
    if (read_line(file, line) != 1 || strcmp(line, magic) != 0) {
        heedi_common_fail(error, HEED_ERROR_FORMAT, "it does not begin with '%s'", magic);
        return false;
    }
    if (read_line(file, line) != 1 || strcmp(line, device) != 0) {
        heedi_common_fail(error, HEED_ERROR_FORMAT, "it is not for '%s'", device);
        return false;
    }
    while ((got = read_line(file, line)) == 1)
        if (!take(plugin, tuning, NULL, line, error))
            return false;
    if (got != 0)
        heedi_common_fail(error, HEED_ERROR_FORMAT, "a line is too long or cut off");
    return got == 0;
}

static void load(struct heed_plugin *plugin) {
    char path[VK_PATH_BYTES], message[VK_PATH_BYTES + 400];
    struct vk_tuning tuning = plugin->tuning;
    struct heed_error error;
    FILE *file = heedi_vk_cache_path(&plugin->device, ".tune", path) ? fopen(path, "r") : NULL;
    if (file == NULL)
        return;
    memset(&error, 0, sizeof error);
    if (read_file(plugin, file, &tuning, &error)) {
        plugin->tuning = tuning;
    } else {
        (void)snprintf(message, sizeof message, "%s is left out: %.300s", path, error.message);
        plugin->host->log(plugin->host->handle, HEED_LOG_WARNING, message);
    }
    (void)fclose(file);
}

enum heed_status heedi_vk_tuning_open(struct heed_plugin *plugin, const char *options,
                                      struct heed_error *error) {
    /* these fit every device that Vulkan 1.1 allows */
    choose(&plugin->tuning, SKINNY, &columns[0]);
    choose(&plugin->tuning, ATTENTION, &widths[0]);
    load(plugin);
    return options == NULL || take(plugin, &plugin->tuning, &plugin->rounds_to_f16, options, error)
               ? HEED_OK
               : HEED_ERROR_INVALID_ARGUMENT;
}

/* ---- the extension ---- */

static uint32_t describe(const struct heed_plugin *plugin, uint32_t index,
                         struct heed_tune_kernel *kernel) {
    struct heed_tune_kernel it;
    if (index >= KERNELS)
        return 0;
    memset(&it, 0, sizeof it);
    it.struct_size = kernel->struct_size;
    it.name = kernels[index].name;
    for (uint32_t i = 0; i < HEED_TUNE_CHOICES; i++) {
        const struct choice *choice = &choices_of(plugin, index)[i];
        if (!fits(&plugin->device.limits, index, choice))
            continue;
        if (i == (index <= TILE_SMALL ? index : 0)) /* matmul.c's own; else the first */
            it.standard = it.choice_count;
        it.choices[it.choice_count++] = choice->text;
    }
    it.case_count = heedi_vk_suits_software(plugin) ? 1 : 2;
    memcpy(it.cases, heedi_vk_suits_software(plugin) ? kernels[index].software : kernels[index].gpu,
           it.case_count * sizeof it.cases[0]);
    memcpy(kernel, &it, it.struct_size < sizeof it ? it.struct_size : sizeof it);
    return 1;
}

static bool write_file(const struct heed_plugin *plugin, const char *path, const char *choices) {
    char device[64];
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    write_device(plugin, device);
    fprintf(file, "%s\n%s\n", magic, device);
    for (; *choices != '\0'; choices++)
        fputc(*choices == ',' ? '\n' : *choices, file);
    fputc('\n', file);
    const bool written = ferror(file) == 0;
    return fclose(file) == 0 && written;
}

static enum heed_status save(const struct heed_plugin *plugin, const char *choices,
                             struct heed_error *error) {
    char path[VK_PATH_BYTES], part[VK_PATH_BYTES + 40];
    struct vk_tuning tuning = plugin->tuning;
    if (!take(plugin, &tuning, NULL, choices, error))
        return HEED_ERROR_INVALID_ARGUMENT;
    if (!heedi_vk_cache_path(&plugin->device, ".tune", path))
        return heedi_common_fail(
            error, HEED_ERROR_NOT_FOUND,
            "there is no folder to keep choices in: HOME and XDG_CACHE_HOME are "
            "not set, or HEED_VULKAN_CACHE is off");
    if (choices[0] == '\0') {
        (void)remove(path);
        return HEED_OK;
    }
    (void)snprintf(part, sizeof part, "%s.%ld.part", path, heedi_vk_process());
    if (write_file(plugin, part, choices) && rename(part, path) == 0)
        return HEED_OK;
    (void)remove(part);
    return heedi_common_fail(error, HEED_ERROR_IO, "cannot write %.300s", path);
}

const struct heed_tune_extension heedi_vk_tune = {
    .struct_size = sizeof heedi_vk_tune, .kernel = describe, .save = save};
