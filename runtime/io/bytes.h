/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian integers at any alignment, on any host. */
#ifndef HEEDI_IO_BYTES_H
#define HEEDI_IO_BYTES_H

#include <stdint.h>

static inline uint16_t heedi_load_u16(const unsigned char *bytes) {
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t heedi_load_u32(const unsigned char *bytes) {
    return (uint32_t)heedi_load_u16(bytes) | (uint32_t)heedi_load_u16(bytes + 2) << 16;
}

static inline uint64_t heedi_load_u64(const unsigned char *bytes) {
    return (uint64_t)heedi_load_u32(bytes) | (uint64_t)heedi_load_u32(bytes + 4) << 32;
}

static inline void heedi_store_u32(unsigned char *bytes, uint32_t value) {
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
}

static inline void heedi_store_u64(unsigned char *bytes, uint64_t value) {
    heedi_store_u32(bytes, (uint32_t)value);
    heedi_store_u32(bytes + 4, (uint32_t)(value >> 32));
}

#endif
