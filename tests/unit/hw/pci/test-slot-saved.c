/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots and their jobs across a save and a load: at each step, on another machine, and invalid
 * streams. Every test runs on a slot of each controller.
 */
#include "slot-rig.h"

/* A save and a load at each step give the same bytes, and the job continues. */
static void test_saved_at_each_step(gconstpointer opaque)
{
    const Controller *c = opaque;
    static const Say steps[] = { SAY_CLEAR, SAY_BLINK, SAY_ON, SAY_BLINK, SAY_OFF };

    for (unsigned n = 0; n <= G_N_ELEMENTS(steps); n++) {
        Fixture f;
        PCIDevice *br = slot_machine_start(c, &f), *d = slot_insert(c, &f);
        g_autoptr(GByteArray) one = NULL, two = NULL;
        g_autoptr(GError) err = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
            if (i == n) {
                g_autofree char *was = g_strdup(unplug_state(d));
                bool seen = guest_read(&f, ecam_address(1, c->devfn, 0), 4) == CARD_ID;

                f.m->migrating = 1;
                one = save_state(br);
                machine_reset(f.m, RESET_COLD);
                g_assert_cmpstr(unplug_state(d), ==, "none");
                g_assert_true(load_state(br, one, &err));
                g_assert_no_error(err);
                two = save_state(br);
                g_assert_cmpmem(one->data, one->len, two->data, two->len);
                g_assert_cmpstr(unplug_state(d), ==, was);
                g_assert_true(seen == (guest_read(&f, ecam_address(1, c->devfn, 0), 4) == CARD_ID));
                f.m->migrating = 0;
            }
            if (i == 3) {
                g_assert_true(pci_unplug_request(d, 5000, NULL));
            }
            c->say(&f, steps[i]);
        }
        run_pending();
        g_assert_false(slot_occupied(&f));
        fixture_fini(&f);
    }
}

/* The target restores the job of a stream, and its device according to the slot: none, or the
 * device in it. */
static void test_query_after_load(gconstpointer opaque)
{
    const Controller *c = opaque;

    for (unsigned gone = 0; gone < 2; gone++) {
        g_autoptr(GByteArray) bytes = NULL;
        g_autoptr(GError) err = NULL;
        g_autofree char *jobs = NULL;
        PCIDevice *d, *br;
        Fixture f;

        d = slot_with_device(c, &f);
        g_assert_true(pci_unplug_request(d, 1000, NULL));
        if (gone) {
            c->say(&f, SAY_OFF);
            run_pending();
        }
        bytes = save_state((PCIDevice *)device_find_id(f.m, "br"));
        fixture_fini(&f);
        br = slot_machine_start(c, &f);
        if (!gone) {
            slot_insert(c, &f);
        }
        g_assert_true(load_state(br, bytes, &err));
        g_assert_no_error(err);
        jobs = unplug_requests(f.m);
        g_assert_true(g_str_has_prefix(jobs, gone ? " " : "dut "));
        g_assert_true(g_str_has_suffix(jobs, gone ? " removed;" : " requested;"));
        fixture_fini(&f);
    }
}

/* A request that timed out before a migration, and that the guest is still processing after it, is
 * repeated without a press of the button, which the guest would interpret as a cancellation. */
static void test_late_answer(gconstpointer opaque)
{
    const Controller *c = opaque;
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    PCIDevice *d, *br;
    Fixture f;

    d = slot_with_device(c, &f);
    g_assert_true(pci_unplug_request(d, 1000, NULL));
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_CLEAR);
    clock_step_ns(&f, 1000000000);
    g_assert_cmpstr(unplug_state(d), ==, "timed-out");
    bytes = save_state((PCIDevice *)device_find_id(f.m, "br"));
    fixture_fini(&f);
    br = slot_machine_start(c, &f);
    d = slot_insert(c, &f);
    g_assert_true(load_state(br, bytes, &err));
    g_assert_no_error(err);
    g_assert_cmpstr(unplug_state(d), ==, "timed-out");
    g_assert_true(pci_unplug_request(d, 0, NULL));
    g_assert_false(c->pressed(&f));
    g_assert_cmpstr(unplug_state(d), ==, "accepted");
    fixture_fini(&f);
}

/* A bridge in a slot that is powered off: devices behind it have no power either, for any contents
 * of a stream for its own slots. */
static void test_bridge_without_power(gconstpointer opaque)
{
    const Controller *c = opaque;
    g_autoptr(GByteArray) on = NULL;
    g_autoptr(GError) err = NULL;
    PCIDevice *inner, *behind;
    Fixture f;

    slot_machine_start(c, &f);
    f.m->state = RUN_PRELAUNCH;
    inner = plug_function(&f, catalog_type(c->devfn ? "pci-bridge" : "pcie-pci-bridge"), "br",
                          "dut", c->devfn, NULL);
    behind = plug_function(&f, catalog_type("edu"), "dut", "edu", PCI_DEVFN(1, 0), NULL);
    on = save_state(inner);
    g_assert_true(behind->present);
    f.m->state = RUN_RUNNING;
    c->say(&f, SAY_OFF);
    g_assert_false(behind->present);
    g_assert_true(load_state(inner, on, &err));
    g_assert_no_error(err);
    g_assert_false(behind->present);
    f.m->state = RUN_PRELAUNCH;
    g_assert_false(
        plug_function(&f, catalog_type("edu"), "dut", "late", PCI_DEVFN(2, 0), NULL)->present);
    f.m->state = RUN_RUNNING;
    c->say(&f, SAY_ON);
    g_assert_true(behind->present);
    fixture_fini(&f);
}

/* A request with a deadline that becomes a removal without the guest, because the bridge has
 * disappeared meanwhile: the deadline ends with the request, and the stream loads. */
static void test_deadline(gconstpointer opaque)
{
    const Controller *c = opaque;
    g_autoptr(GByteArray) saved = NULL;
    g_autoptr(GError) err = NULL;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f), *br = (PCIDevice *)device_find_id(f.m, "br");
    PCISlot *s = pci_slot_of(d);

    g_assert_true(pci_unplug_request(d, 60000, NULL));
    g_assert_true(timer_armed(&s->deadline));
    pci_device_power(br, false, RESET_COLD);
    clock_step_ns(&f, 5000000000); /* the guest did not respond in time */
    g_assert_true(pci_unplug_request(d, 60000, NULL));
    g_assert_cmpstr(unplug_state(d), ==, "powered-off");
    g_assert_false(timer_armed(&s->deadline));
    saved = save_state(br);
    g_assert_true(load_state(br, saved, &err));
    g_assert_no_error(err);
    g_assert_false(timer_armed(&s->deadline));
    run_pending();
    g_assert_false(slot_occupied(&f));
    g_assert_cmpuint(failures, ==, 0);
    fixture_fini(&f);
}

/* A job of a stream that no source can have created. */
static void test_hostile(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);
    PCISlot *s = pci_slot_of(d);
    g_autoptr(GError) err = NULL, job_err = NULL, card_err = NULL;

    s->job = PCI_UNPLUG_REQUESTED;
    s->deadline.loaded = 5;
    g_assert_true(pci_slot_state.check(s, NULL));
    s->job = PCI_UNPLUG_REFUSED;
    s->deadline.loaded = 5;
    g_assert_false(pci_slot_state.check(s, &err));
    g_assert_nonnull(strstr(err->message, "deadline"));
    s->deadline.loaded = CLOCK_NEVER;
    s->br->n_slots = 0;
    g_assert_false(pci_slot_state.check(s, &job_err));
    s->br->n_slots = c->devfn ? SHPC_SLOTS : 1;
    g_assert_true(pci_slot_state.check(s, NULL));
    device_unplug(&d->dev);
    for (s->job = PCI_UNPLUG_REQUESTED; s->job <= PCI_UNPLUG_POWERED_OFF; s->job++) {
        g_clear_error(&card_err);
        g_assert_false(pci_slot_state.check(s, &card_err));
        g_assert_nonnull(strstr(card_err->message, "without a device"));
    }
    s->job = PCI_UNPLUG_NONE;
    fixture_fini(&f);
}

/* After a load that failed at any byte, the guest can use the slot until a reset: no invariant is
 * asserted on registers and states of two machines. */
static void test_failed_load(gconstpointer opaque)
{
    const Controller *c = opaque;
    g_autoptr(GByteArray) on = NULL;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f), *br = (PCIDevice *)device_find_id(f.m, "br");

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    on = save_state(br);
    machine_reset(f.m, RESET_COLD);
    for (unsigned cut = 0; cut < on->len; cut++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();

        config_write(&f, BRIDGE, PCI_BASE_ADDRESS_0, 4, MMIO);
        config_write(&f, BRIDGE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
        c->say(&f, SAY_OFF);
        g_byte_array_append(bytes, on->data, cut);
        g_assert_false(load_state(br, bytes, NULL));
        c->say(&f, SAY_BLINK);
        c->say(&f, SAY_OFF);
        c->say(&f, SAY_ON);
        machine_reset(f.m, RESET_COLD);
        g_assert_null(pci_slot_broken(pci_slot_of(d)));
    }
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(controllers); i++) {
        const Controller *c = &controllers[i];

        slot_test(c, "saved-at-each-step", test_saved_at_each_step);
        slot_test(c, "query-after-load", test_query_after_load);
        slot_test(c, "late-answer", test_late_answer);
        slot_test(c, "bridge-without-power", test_bridge_without_power);
        slot_test(c, "deadline", test_deadline);
        slot_test(c, "hostile", test_hostile);
        slot_test(c, "failed-load", test_failed_load);
    }
    return g_test_run();
}
