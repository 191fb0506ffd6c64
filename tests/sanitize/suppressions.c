/* SPDX-License-Identifier: Apache-2.0 */
/* Linked into the programs of a build with sanitizers: what ThreadSanitizer is not to report.
 * Mesa's driver in software destroys a mutex of its own that another of its threads has just let
 * go. */
const char *__tsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void) {
    return "race:libvulkan_lvp.so\n";
}
