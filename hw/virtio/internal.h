/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio inside hw/virtio: the state of a queue, the operations of the two ring formats
 * (virtio 1.2, 2.7 and 2.8), and what the core provides to transports.
 *
 * Names of bits and registers are those of Linux (linux/virtio_*.h).
 */
#ifndef HW_VIRTIO_INTERNAL_H
#define HW_VIRTIO_INTERNAL_H

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "hw/virtio/virtio.h"

/* Bits of the ISR status (4.1.4.5). A configuration interrupt sets both, because some drivers check
 * their queues only. Linux has no name for the first. */
enum { VIRTIO_PCI_ISR_QUEUE = 1 };

/* A descriptor of either format. Split: a is flags, b is next. Packed: a is id, b is flags. */
typedef struct VringDesc {
    uint64_t addr;
    uint32_t len;
    uint16_t a, b;
} VringDesc;
G_STATIC_ASSERT(sizeof(VringDesc) == 16);

struct VirtQueue {
    VirtioDevice *v;
    uint16_t index;
    uint16_t max_size, size; /* in descriptors; the driver chooses size, at most max_size */
    bool enabled;
    uint16_t vector;
    uint64_t desc, driver, device;  /* ring areas: guest addresses */
    uint16_t next_avail, next_used; /* split: free-running; packed: slots */
    bool avail_wrap, used_wrap;     /* packed */
    uint16_t signalled;             /* next_used when the driver was last interrupted */
    bool signalled_valid;
    bool unsignalled; /* a buffer was pushed since the last virtq_notify() */
    uint32_t epoch;   /* incremented by each reset; buffers of an earlier epoch are dropped */
    uint32_t in_use;  /* buffers that were popped and not returned */
};

/* One ring format. Functions that read the ring may break the device (virtio_broken()). */
typedef struct RingOps {
    bool (*available)(VirtQueue *vq);                 /* true if a chain is available */
    VirtqBuf *(*fetch)(VirtQueue *vq, uint16_t slot); /* build a chain; the ring is unchanged */
    VirtqBuf *(*pop)(VirtQueue *vq);
    void (*unpop)(VirtQueue *vq, const VirtqBuf *buf);
    void (*push)(VirtQueue *vq, const VirtqBuf *buf, uint32_t written);
    /* true if the driver requests an interrupt for the buffers pushed since `old` */
    bool (*wants_interrupt)(VirtQueue *vq, uint16_t old, bool old_valid);
} RingOps;

extern const RingOps ring_split, ring_packed;

/* Access ring memory. False: the address is not RAM, and the device is broken. */
bool ring_read(VirtQueue *vq, uint64_t addr, void *buf, size_t len);
bool ring_write(VirtQueue *vq, uint64_t addr, const void *buf, size_t len);
bool ring_read16(VirtQueue *vq, uint64_t addr, uint16_t *v);
bool ring_write16(VirtQueue *vq, uint64_t addr, uint16_t v);

/* --- chain.c --- */

/* Start a chain. chain_free() frees it. */
VirtqBuf *chain_new(VirtQueue *vq);
/* Append a descriptor. False: the device is broken; the caller frees the chain. */
bool chain_add(VirtqBuf *buf, uint64_t addr, uint32_t len, bool writable);
/* Append the entries of an indirect table of len bytes. linked: in the order of their next fields
 * (split); otherwise in the order of the table (packed). False as for chain_add(). */
bool chain_add_indirect(VirtqBuf *buf, uint64_t addr, uint32_t len, bool linked);
/* Unmap a chain, with the first `written` bytes of its writable part dirty, and free it. */
void chain_free(VirtqBuf *buf, size_t written);

/* --- queue.c --- */

/* Set a queue to its state after a device or queue reset. */
void virtq_reset(VirtQueue *vq);
/* The saved record of the common registers and of the queues that the driver set up; over
 * VirtioDevice. */
extern const VmOps virtio_record_ops;
/* The driver writes the size, one of the addresses, or the enable register of a queue. While the
 * queue is enabled, size and addresses are unchanged and a guest_error() is reported. */
void virtq_set_size(VirtQueue *vq, uint16_t size);
void virtq_set_area(VirtQueue *vq, uint64_t *area, uint64_t mask, uint64_t bits);
void virtq_enable(VirtQueue *vq);
/* The legacy queue address: the address of the descriptors determines the other areas; the used
 * ring is aligned to @align bytes, a power of two. Address 0 disables the queue. */
void virtq_set_legacy_area(VirtQueue *vq, uint64_t desc, uint32_t align);
/* The driver resets one queue (2.6.1). */
void virtq_driver_reset(VirtQueue *vq);

/* --- virtio.c --- */

/* Initialize the device of a transport. virtio_fini() frees what this allocates. */
bool virtio_init(VirtioDevice *v, const VirtioClass *cls, const VirtioTransport *t, void *instance,
                 Device *device, uint64_t transport_features);
void virtio_fini(VirtioDevice *v);
/* Reset the device (2.4). */
void virtio_reset(VirtioDevice *v);
/* Return 32 feature bits: those from bit 32 * word on; 0 for a word that does not exist. */
uint32_t virtio_features_word(uint64_t features, uint32_t word);
/* The driver writes 32 of its features. */
void virtio_set_features_word(VirtioDevice *v, uint32_t word, uint32_t bits);
/* The driver writes its features through a legacy interface. */
void virtio_set_legacy_features(VirtioDevice *v, uint32_t features);
/* Access the device configuration space (2.5). Bytes behind its end read as zero. */
uint64_t virtio_config_read(VirtioDevice *v, uint64_t at, unsigned size);
void virtio_config_write(VirtioDevice *v, uint64_t at, uint64_t value, unsigned size);
/* Set the vector of a queue or of the configuration (`where` is the member). */
void virtio_set_vector(VirtioDevice *v, uint16_t *where, uint16_t vector);
/* The driver wrote the device status (2.1). */
void virtio_set_status(VirtioDevice *v, uint8_t status);
/* The driver wrote its features (2.2). */
void virtio_set_guest_features(VirtioDevice *v, uint64_t features);

/* --- turn.c --- */

void virtio_turn_init(VirtioDevice *v);
/* Safe on a device that was never initialized. */
void virtio_turn_fini(VirtioDevice *v);
/* The driver notified a queue: handle it now for one turn, or in its next turn if it already waits
 * for one. */
void virtq_kick(VirtQueue *vq);
/* The driver set VIRTIO_CONFIG_S_DRIVER_OK: any queue may contain buffers. */
void virtio_kick_all(VirtioDevice *v);
/* DMA is possible again: give every ready queue a turn. */
void virtio_resume(VirtioDevice *v);

#endif
