/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers that the guest can see: seeds in the device tree, and entropy devices without a
 * back end of their own.
 */
#ifndef HW_CORE_RANDOM_H
#define HW_CORE_RANDOM_H

#include "hw/core/machine.h"

/**
 * machine_seed() - Make the random numbers of a machine a fixed sequence (-seed).
 * @m: the machine, before it is built
 *
 * Without a seed they come from the kernel of the host. The sequence is not suitable for
 * cryptography. Its position is not migrated. Lock.
 */
void machine_seed(Machine *m, uint64_t seed);
/**
 * machine_random() - Fill a buffer with random bytes.
 *
 * Does not wait for the host's generator to be initialised. Lock.
 *
 * Return: the number of bytes; fewer than @len only without a seed, if the host has none.
 */
size_t machine_random(Machine *m, void *buf, size_t len);

#endif
