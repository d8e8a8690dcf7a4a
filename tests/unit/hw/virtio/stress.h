/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device whose driver, bus and machine do at random moments what they may: resets of each
 * kind, unplugging, Bus Master Enable and BARs that go, saving and loading, a broken ring, and then
 * another face and ring format. A test gives what its device is and what is lost with each of
 * them, and runs traffic between. `-m slow` makes it long; --seed repeats one.
 */
#ifndef TESTS_VIRTIO_STRESS_H
#define TESTS_VIRTIO_STRESS_H

#include "virtio-driver.h"

enum { STRESS_LONG = 40 }; /* how many times as long */

typedef struct Stress Stress;
struct Stress {
    Fixture f;
    Drv v;
    void (*plug)(Stress *s);   /* make s->v.d, at DRV_DEVFN */
    void (*forget)(Stress *s); /* nothing that was offered will be done any more */
    unsigned queues;           /* to set up */
    unsigned eager;            /* one from which the device takes as soon as it is told */
    bool running;              /* the driver has it set up */
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

/* Through any face and ring format, with what is offered of `features`. */
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

/* Every queue, since what a test loses is all that it offered. */
static void queue_reset(Stress *s)
{
    if (s->v.legacy || !s->running) {
        return;
    }
    for (unsigned q = 0; q < s->queues; q++) {
        set_com(&s->v, C_SELECT, 2, q);
        set_com(&s->v, C_RESET, 2, 1);
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
    set_cfg(&s->f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    drv_kick(&s->v, s->eager);
    stress_main_loop(3);
    drv_set_status(&s->v, 0);
    stress_forget(s);
}

static void bars_off(Stress *s)
{
    set_cfg(&s->f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    drv_kick(&s->v, s->eager);
    set_cfg(&s->f, DRV_DEVFN, PCI_COMMAND, 2,
            PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_MASTER);
}

/* Stopped, saved, reset as another machine would be, loaded, and on. */
static void move_on(Stress *s)
{
    g_autoptr(GByteArray) saved = NULL;
    g_autoptr(GError) err = NULL;

    machine_set_state(s->f.m, RUN_PAUSED);
    drv_kick(&s->v, s->eager); /* looked at when it runs again */
    saved = save_state(s->v.d);
    pci_device_reset(s->v.d, RESET_COLD);
    load_state(s->v.d, saved, &err);
    g_assert_no_error(err);
    machine_set_state(s->f.m, RUN_RUNNING);
}

/* A device that does not come to the bad chain, since it waits for its peer, is reset. */
static void break_ring(Stress *s)
{
    DrvSeg bad = { MMIO64, 512, true };

    if (!s->running) {
        return;
    }
    drv_offer(&s->v, s->eager, &bad, 1);
    drv_kick(&s->v, s->eager);
    stress_main_loop(3);
    if (!((VirtioPCI *)s->v.d)->virtio.broken) {
        drv_set_status(&s->v, 0);
    }
    stress_forget(s);
}

/* One of those, or of the test's own. */
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
