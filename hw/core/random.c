/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers for guests (contract in hw/core/random.h). The fixed sequence is SplitMix64.
 */
#include "hw/core/random.h"

#include <string.h>
#include <sys/random.h>

void machine_seed(Machine *m, uint64_t seed)
{
    m->seeded = true;
    m->random_state = seed;
}

static uint64_t random_next(Machine *m)
{
    uint64_t z = m->random_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

size_t machine_random(Machine *m, void *buf, size_t len)
{
    uint8_t *bytes = buf;

    if (!m->seeded) {
        ssize_t got = getrandom(buf, len, GRND_NONBLOCK);

        return got > 0 ? (size_t)got : 0;
    }
    for (size_t at = 0; at < len; at += 8) {
        uint64_t value = random_next(m);

        memcpy(bytes + at, &value, MIN(len - at, 8));
    }
    return len;
}
