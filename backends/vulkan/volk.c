/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of volk, which finds Vulkan when the program runs: nothing is linked. */
#define VOLK_IMPLEMENTATION
#include <volk.h>
