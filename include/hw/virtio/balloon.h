/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory balloon, for monitors (virtio 1.2, 5.5).
 *
 * A machine has at most one balloon. Every function requires the machine lock.
 */
#ifndef HW_VIRTIO_BALLOON_H
#define HW_VIRTIO_BALLOON_H

#include "hw/core/device.h"

typedef struct VirtioBalloon VirtioBalloon;

enum { BALLOON_STATS = 10 };
#define BALLOON_STAT_UNKNOWN UINT64_MAX

/* Return the balloon of the machine, or NULL if there is none. */
VirtioBalloon *virtio_balloon_find(Machine *m);
/* Return the balloon that the device is; NULL: the device is not a balloon. */
VirtioBalloon *virtio_balloon_of_device(Device *dev);

/**
 * virtio_balloon_set_target() - Request that the guest keeps @bytes of its memory.
 * @bytes: more than the machine has counts as all of it
 *
 * Sets num_pages of the configuration space and interrupts the driver. The driver acts at its own
 * pace; virtio_balloon_guest_bytes() has the progress.
 */
void virtio_balloon_set_target(VirtioBalloon *b, uint64_t bytes);
/* Return the size in bytes of the memory that the guest has, as its driver reported last. */
uint64_t virtio_balloon_guest_bytes(const VirtioBalloon *b);

/* Request statistics from the driver now, and then every @seconds; 0: never. */
void virtio_balloon_set_interval(VirtioBalloon *b, uint32_t seconds);
/* Return the name of statistic @i, below BALLOON_STATS, as QEMU shows it. Static text. */
const char *virtio_balloon_stat_name(unsigned i);
/* Return statistic @i in its unit, or BALLOON_STAT_UNKNOWN if the driver did not report it. */
uint64_t virtio_balloon_stat(const VirtioBalloon *b, unsigned i);
/* Return the time of the last report in seconds since 1970; 0: none since the last reset. */
int64_t virtio_balloon_stats_time(const VirtioBalloon *b);

#endif
