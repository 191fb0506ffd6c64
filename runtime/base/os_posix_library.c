/* SPDX-License-Identifier: Apache-2.0 */
/* Shared objects on POSIX systems. */
#define _GNU_SOURCE /* ElfW */
#include "runtime/base/os.h"

#include <dlfcn.h>
#include <string.h>
#if defined(__ELF__)
#include <link.h>
#endif

#include "runtime/base/context.h"

/* The loader maps what a file's headers announce without looking at its length, and dies of SIGBUS
 * where the file ends early. So the announced segments are compared with the file first. What is
 * no shared object of this machine is left to the loader, which says so. */
static bool is_whole(const char *path, struct heed_error *error) {
#if defined(__ELF__)
    struct heedi_mapping mapping;
    ElfW(Ehdr) header;
    bool whole = true;
    if (!heedi_os_map(path, &mapping, error))
        return false;
    const unsigned char *file = mapping.data;
    if (mapping.bytes >= sizeof header && memcmp(file, ELFMAG, SELFMAG) == 0) {
        memcpy(&header, file, sizeof header);
        const size_t count = header.e_phentsize == sizeof(ElfW(Phdr)) ? header.e_phnum : 0;
        const size_t bytes = count * sizeof(ElfW(Phdr));
        whole = header.e_phoff <= mapping.bytes && bytes <= mapping.bytes - header.e_phoff;
        for (size_t i = 0; whole && i < count; i++) {
            ElfW(Phdr) segment;
            memcpy(&segment, file + header.e_phoff + i * sizeof segment, sizeof segment);
            whole =
                segment.p_type != PT_LOAD || (segment.p_offset <= mapping.bytes &&
                                              segment.p_filesz <= mapping.bytes - segment.p_offset);
        }
    }
    if (!whole)
        heedi_error(error, HEED_ERROR_FORMAT,
                    "%s: the file is cut off: its segments reach beyond its %zu bytes", path,
                    mapping.bytes);
    heedi_os_unmap(&mapping);
    return whole;
#else
    (void)path;
    (void)error;
    return true;
#endif
}

void *heedi_os_library_open(const char *path, struct heed_error *error) {
    if (!is_whole(path, error))
        return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror();
        heedi_error(error, HEED_ERROR_IO, "%s", why == NULL ? path : why);
    }
    return library;
}

void *heedi_os_library_symbol(void *library, const char *name) {
    return dlsym(library, name);
}

void heedi_os_library_close(void *library) {
    if (library != NULL)
        dlclose(library);
}

const char *heedi_os_library_suffix(void) {
    return ".so";
}
