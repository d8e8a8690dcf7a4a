/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device whose driver, bus and machine perform all permitted operations at random moments:
 * resets of each type, unplugging, clearing Bus Master Enable and BARs, saving and loading, a
 * broken ring, and then another register interface and ring format. A test defines its device and
 * what is lost with each operation, and runs traffic in between. `-m slow` runs longer; --seed
 * repeats a run.
 */
#ifndef TESTS_VIRTIO_STRESS_H
#define TESTS_VIRTIO_STRESS_H

#include "virtio-driver.h"

enum { STRESS_LONG = 40 }; /* factor of the duration */

typedef struct Stress Stress;
struct Stress {
    Fixture f;
    Drv v;
    void (*plug)(Stress *s);   /* create s->v.d, at DRV_DEVFN */
    void (*forget)(Stress *s); /* nothing that was made available will be processed any more */
    unsigned queues;           /* to set up */
    unsigned eager;            /* one from which the device reads as soon as it is notified */
    bool running;              /* the driver has initialised it */
    unsigned disturbed;
};
typedef void StressEvent(Stress *s);

static inline unsigned stress_rounds(unsigned quick)
{
    return g_test_slow() ? quick * STRESS_LONG : quick;
}

static inline void stress_main_loop(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
}

static inline void stress_forget(Stress *s)
{
    s->forget(s);
    s->running = false;
}

/* Initialise through any interface and ring format, with what is offered of `features`. */
static inline void stress_set_up(Stress *s, uint64_t features)
{
    features |= F_BIT(VIRTIO_F_RING_RESET);
    drv_find(&s->v, &s->f, s->v.d, g_test_rand_bit());
    drv_msix(&s->v, g_test_rand_bit());
    features |= g_test_rand_bit() ? F_BIT(VIRTIO_F_RING_PACKED) : 0;
    features |= g_test_rand_bit() ? F_BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0;
    features |= g_test_rand_bit() ? F_BIT(VIRTIO_RING_F_EVENT_IDX) : 0;
    drv_start(&s->v, features, s->queues);
    s->running = true;
}

/* --- what may happen at any moment --- */

static void unplug(Stress *s)
{
    device_unplug(&s->v.d->dev);
    stress_forget(s);
    s->plug(s);
}

static void driver_reset(Stress *s)
{
    drv_set_status(&s->v, 0);
    stress_forget(s);
}

/* Every queue, since a test loses everything that it made available. */
static void queue_reset(Stress *s)
{
    if (s->v.legacy || !s->running) {
        return;
    }
    for (unsigned q = 0; q < s->queues; q++) {
        drv_common_write(&s->v, C_SELECT, 2, q);
        drv_common_write(&s->v, C_RESET, 2, 1);
    }
    stress_forget(s);
    for (unsigned q = 0; q < s->queues; q++) {
        drv_queue(&s->v, q, 0, q + 1);
    }
    s->running = true;
}

static void function_reset(Stress *s)
{
    static const ResetKind kinds[] = { RESET_FUNCTION, RESET_HOT, RESET_COLD, RESET_D3HOT };

    pci_device_reset(s->v.d, kinds[g_test_rand_int_range(0, 4)]);
    stress_forget(s);
}

static void machine_hot_reset(Stress *s)
{
    machine_reset(s->f.m, RESET_HOT);
    stress_forget(s);
}

/*
 * The driver clears Bus Master Enable and then resets the device. Without the reset, the device
 * still owns the buffers and may fill them once Bus Master Enable is set again.
 */
static void master_off(Stress *s)
{
    config_write(&s->f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    drv_kick(&s->v, s->eager);
    stress_main_loop(3);
    drv_set_status(&s->v, 0);
    stress_forget(s);
}

static void bars_off(Stress *s)
{
    config_write(&s->f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    drv_kick(&s->v, s->eager);
    config_write(&s->f, DRV_DEVFN, PCI_COMMAND, 2,
                 PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_MASTER);
}

/* Stop, save, reset as another machine would do, load, and continue. */
static void move_on(Stress *s)
{
    g_autoptr(GByteArray) saved = NULL;
    g_autoptr(GError) err = NULL;

    machine_set_state(s->f.m, RUN_PAUSED);
    drv_kick(&s->v, s->eager); /* processed when it runs again */
    saved = save_state(s->v.d);
    pci_device_reset(s->v.d, RESET_COLD);
    load_state(s->v.d, saved, &err);
    g_assert_no_error(err);
    machine_set_state(s->f.m, RUN_RUNNING);
}

/* A device that does not reach the malformed chain, since it waits for its peer, is reset. */
static void break_ring(Stress *s)
{
    DrvSeg bad = { MMIO64, 512, true };

    if (!s->running) {
        return;
    }
    drv_offer(&s->v, s->eager, &bad, 1);
    drv_kick(&s->v, s->eager);
    stress_main_loop(3);
    if (!((VirtioBase *)s->v.d)->virtio.broken) {
        drv_set_status(&s->v, 0);
    }
    stress_forget(s);
}

/* Run one of those operations, or one of the test's. */
static inline void stress_disturb(Stress *s, StressEvent *const *own, unsigned n_own)
{
    static StressEvent *const events[] = { unplug,         driver_reset,      queue_reset,
                                           function_reset, machine_hot_reset, master_off,
                                           bars_off,       move_on,           break_ring };
    unsigned n = g_test_rand_int_range(0, (int)(G_N_ELEMENTS(events) + n_own));

    (n < n_own ? own[n] : events[n - n_own])(s);
    s->disturbed++;
}

#endif
