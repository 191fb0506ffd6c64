/* SPDX-License-Identifier: Apache-2.0 */
/* A shared object that is no plugin. */
int heed_not_a_backend(void);
int heed_not_a_backend(void) {
    return 0;
}
