/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The version of the library and of the plugin interface. */
#ifndef HEED_VERSION_H
#define HEED_VERSION_H

#include <stdint.h>

/** Version of the library; the C API may change while the major version is 0. */
#define HEED_VERSION_MAJOR 0
#define HEED_VERSION_MINOR 1
#define HEED_VERSION_PATCH 0
#define HEED_VERSION_STRING "0.1.0"

/** Symbols marked HEED_API are the only ones that libheed exports. */
#if defined(_WIN32)
#if defined(HEED_BUILDING_LIBRARY)
#define HEED_API __declspec(dllexport)
#elif defined(HEED_USING_SHARED_LIBRARY)
#define HEED_API __declspec(dllimport)
#else
#define HEED_API
#endif
#elif defined(__GNUC__)
#define HEED_API __attribute__((visibility("default")))
#else
#define HEED_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the library that is running (HEED_VERSION_STRING is that of the header).
 * The string is static. Callable from any thread. */
HEED_API const char *heed_version(void);

#ifdef __cplusplus
}
#endif
#endif
