/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read a fuzzer input as operations.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Consume from the front. Reads past the end return zeroes. */
typedef struct Input {
    const uint8_t *data;
    size_t left;
} Input;

static inline uint64_t input_take(Input *in, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes && in->left; i++, in->left--) {
        v |= (uint64_t)*in->data++ << 8 * i;
    }
    return v;
}

#endif
