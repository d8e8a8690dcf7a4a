/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The unplug job at each of its transitions. Every test runs on a slot of each controller: below an
 * Express port, and behind a conventional bridge with a Standard Hot-Plug Controller.
 */
#include "slot-rig.h"

static void test_unplug(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);
    g_autofree char *jobs = NULL;

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    g_assert_true(c->pressed(&f));
    g_assert_false(pci_unplug_request(d, 0, NULL));
    g_assert_cmpstr(unplug_state(d), ==, "requested");
    c->say(&f, SAY_BLINK);
    g_assert_cmpstr(unplug_state(d), ==, "accepted");
    c->say(&f, SAY_OFF);
    g_assert_true(slot_occupied(&f)); /* not removed inside the access */
    run_pending();
    g_assert_false(slot_occupied(&f));
    g_assert_cmpuint(failures, ==, 0);
    jobs = unplug_requests(f.m);
    g_assert_cmpstr(jobs, ==, c->devfn ? "dut br 3 removed;" : "dut br -1 removed;");
    clock_step_ns(&f, 2000000000);
    g_assert_cmpuint(failures, ==, 0);
    fixture_fini(&f);
}

/* A second request is rejected with the message that clients expect, until 5 s passed without a
 * response. */
static void test_ask_again(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);
    g_autoptr(GError) err = NULL;

    g_assert_true(pci_unplug_request(d, 0, NULL));
    clock_step_ns(&f, 4999999999);
    g_assert_false(pci_unplug_request(d, 0, &err));
    g_assert_nonnull(strstr(err->message, "Device dut is already in the process of unplug"));
    clock_step_ns(&f, 1);
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_request(d, 0, NULL));
    g_assert_true(c->pressed(&f));
    c->say(&f, SAY_BLINK); /* the guest has responded: further requests are rejected for any
                            * duration */
    clock_step_ns(&f, 60000000000);
    g_assert_false(pci_unplug_request(d, 0, NULL));
    g_assert_cmpstr(unplug_state(d), ==, "accepted");
    fixture_fini(&f);
}

/* A request that has timed out, for which the guest responded, is repeated without the button,
 * which the guest would interpret as a cancellation. */
static void test_late_answer(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_CLEAR);
    clock_step_ns(&f, 1000000000);
    g_assert_cmpstr(unplug_state(d), ==, "timed-out");
    g_assert_true(pci_unplug_request(d, 0, NULL));
    g_assert_false(c->pressed(&f));
    g_assert_cmpstr(unplug_state(d), ==, "accepted");
    c->say(&f, SAY_OFF);
    run_pending();
    g_assert_false(slot_occupied(&f));
    fixture_fini(&f);
}

/* The eject of a guest that was handed over is completed on the target. If the guest is returned,
 * the eject is completed here. */
static void test_given_away(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);

    g_assert_true(pci_unplug_request(d, 0, NULL));
    f.m->migrating = 1;
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_OFF);
    machine_set_state(f.m, RUN_FINISH_MIGRATE);
    f.m->migrating = 0;
    machine_set_state(f.m, RUN_POSTMIGRATE);
    pci_unplug_resume(f.m);
    run_pending();
    g_assert_true(slot_occupied(&f));
    g_assert_false(pci_unplug_request(d, 0, NULL)); /* still in progress */
    machine_set_state(f.m, RUN_RUNNING);
    pci_unplug_resume(f.m); /* once is enough */
    run_pending();
    g_assert_false(slot_occupied(&f));
    fixture_fini(&f);
}

/* A guest that has not arrived yet does not own the slots: a device without power is removed when
 * the guest runs. */
static void test_incoming(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);

    c->say(&f, SAY_OFF);
    f.m->state = RUN_INMIGRATE;
    g_assert_true(pci_unplug_request(d, 0, NULL));
    run_pending();
    g_assert_true(slot_occupied(&f));
    machine_set_state(f.m, RUN_RUNNING);
    run_pending();
    g_assert_false(slot_occupied(&f));
    fixture_fini(&f);
}

/* The guest powered the slot off without a request: the device stays, and a later request completes
 * immediately. */
static void test_powered_off_already(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);

    guest_write(&f, ecam_address(1, c->devfn, PCI_COMMAND), 2, PCI_COMMAND_MASTER);
    g_assert_cmpint(pci_dma_write(d, RAM, "ok", 2), ==, MEM_OK);
    c->say(&f, SAY_OFF);
    run_pending();
    g_assert_true(slot_occupied(&f));
    g_assert_cmphex(guest_read(&f, ecam_address(1, c->devfn, 0), 4), ==, 0xffffffff);
    g_assert_cmpint(pci_dma_write(d, RAM, "no", 2), ==, MEM_REFUSED); /* with any register values */
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_request(d, 0, NULL));
    g_assert_false(c->pressed(&f));
    run_pending();
    g_assert_false(slot_occupied(&f));
    fixture_fini(&f);
}

static void test_refused_by_guest(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_ON);
    g_assert_cmpstr(unplug_state(d), ==, "refused");
    g_assert_cmpuint(failures, ==, 1);
    clock_step_ns(&f, 2000000000);
    g_assert_cmpuint(failures, ==, 1);
    g_assert_true(pci_unplug_request(d, 0, NULL)); /* and again */
    fixture_fini(&f);
}

static void test_timeout_then_force(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    clock_step_ns(&f, 999999999);
    g_assert_cmpstr(unplug_state(d), ==, "requested");
    clock_step_ns(&f, 1);
    g_assert_cmpstr(unplug_state(d), ==, "timed-out");
    g_assert_cmpuint(failures, ==, 1);
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_request(d, 0, NULL)); /* the guest never blinked: press again */
    g_assert_true(c->pressed(&f));
    g_assert_true(pci_unplug_force(d, NULL));
    g_assert_false(slot_occupied(&f));
    g_assert_cmphex(guest_read(&f, ecam_address(1, c->devfn, 0), 4), ==, 0xffffffff);
    fixture_fini(&f);
}

static void test_cancel(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);

    g_assert_false(pci_unplug_cancel(d, NULL));
    g_assert_true(pci_unplug_request(d, 0, NULL));
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_cancel(d, NULL));
    g_assert_true(c->pressed(&f));
    g_assert_cmpstr(unplug_state(d), ==, "cancelled");
    c->say(&f, SAY_OFF); /* the guest continues nevertheless: the device stays */
    run_pending();
    g_assert_true(slot_occupied(&f));
    c->say(&f, SAY_ON);
    g_assert_true(pci_unplug_request(d, 0, NULL)); /* also after a response of the guest */
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_cancel(d, NULL));
    g_assert_true(c->pressed(&f));
    g_assert_cmpstr(unplug_state(d), ==, "cancelled");
    fixture_fini(&f);
}

/* A deadline beyond the range of clocks does not wrap. Without an id the device is identified by
 * its path. */
static void test_endless(gconstpointer opaque)
{
    const Controller *c = opaque;
    g_autofree char *jobs = NULL;
    Fixture f;
    PCIDevice *d;

    slot_machine_start(c, &f);
    d = plug_function(&f, catalog_type("ticker"), "br", NULL, c->devfn, NULL);
    c->say(&f, SAY_ON);
    g_assert_true(pci_unplug_request(d, UINT64_MAX, NULL));
    clock_step_ns(&f, 1ll << 59); /* 18 years */
    g_assert_cmpstr(unplug_state(d), ==, "requested");
    jobs = unplug_requests(f.m);
    g_assert_true(g_str_has_prefix(jobs, d->dev.path));
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_ON); /* rejected: reported with the path only */
    g_assert_cmpuint(failures, ==, 1);
    fixture_fini(&f);
}

/* During a migration no device is removed, and an eject is postponed. */
static void test_migrating(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);
    g_autoptr(GError) err = NULL;

    g_assert_true(pci_unplug_request(d, 0, NULL));
    f.m->migrating = 1;
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_OFF);
    run_pending();
    g_assert_true(slot_occupied(&f));
    g_assert_cmpstr(unplug_state(d), ==, "powered-off");
    g_assert_false(pci_unplug_force(d, &err));
    g_assert_nonnull(strstr(err->message, "migration"));
    f.m->migrating = 0;
    pci_unplug_resume(f.m);
    run_pending();
    g_assert_false(slot_occupied(&f));
    fixture_fini(&f);
}

/* A bridge in the slot: devices behind it lose power with it, and are reset when power returns. */
static void test_bridge(gconstpointer opaque)
{
    const Controller *c = opaque;
    uint64_t edu = ecam_address(2, PCI_DEVFN(1, 0), 0);
    unsigned pin = c->devfn ? (1 + SLOT + 1) % 4 : 2; /* swizzled on the path upstream */
    Fixture f;

    slot_machine_start(c, &f);
    f.m->state = RUN_PRELAUNCH;
    plug_function(&f, catalog_type(c->devfn ? "pci-bridge" : "pcie-pci-bridge"), "br", "dut",
                  c->devfn, NULL);
    plug_function(&f, catalog_type("edu"), "dut", "edu", PCI_DEVFN(1, 0), NULL);
    f.m->state = RUN_RUNNING;
    for (unsigned round = 0; round < 2; round++) {
        config_write(&f, BRIDGE, PCI_PRIMARY_BUS, 4, 0x00020100);
        config_write(&f, BRIDGE, PCI_MEMORY_BASE, 4, 0x40104010);
        guest_write(&f, ecam_address(1, c->devfn, PCI_PRIMARY_BUS), 4, 0x00020201);
        guest_write(&f, ecam_address(1, c->devfn, PCI_MEMORY_BASE), 4, 0x40104010);
        guest_write(&f, ecam_address(1, c->devfn, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
        g_assert_cmphex(guest_read(&f, edu, 4), ==, 0x11e81234);
        g_assert_cmphex(guest_read(&f, edu + PCI_COMMAND, 2), ==, 0);
        guest_write(&f, edu + PCI_BASE_ADDRESS_0, 4, MMIO + 0x100000);
        guest_write(&f, edu + PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
        guest_write(&f, MMIO + 0x100060, 4, 1); /* raise */
        g_assert_true(f.line[pin]);
        c->say(&f, SAY_OFF);
        g_assert_false(f.line[pin]);
        g_assert_cmphex(guest_read(&f, MMIO + 0x100000, 4), ==, 0xffffffff);
        c->say(&f, SAY_ON);
        g_assert_false(f.line[pin]);
    }
    fixture_fini(&f);
}

/* On a running machine function 0 is plugged last and completes the device: the guest is then
 * notified of it, with all functions. Other functions alone can be removed without the guest. */
static void test_function_0_last(gconstpointer opaque)
{
    const Controller *c = opaque;
    PCIDevice *first;
    Fixture f;

    slot_machine_start(c, &f);
    for (unsigned round = 0; round < 2; round++) {
        first = plug_function(&f, catalog_type("ticker"), "br", "second", c->devfn + 1,
                              "multifunction=on");
        g_assert_false(c->pressed(&f));
        if (round == 0) {
            g_assert_true(pci_unplug_request(first, 0, NULL));
            g_assert_false(c->pressed(&f));
            run_pending();
            g_assert_null(device_find_id(f.m, "second"));
        }
    }
    plug_function(&f, catalog_type("ticker"), "br", "dut", c->devfn, "multifunction=on");
    g_assert_true(c->pressed(&f));
    c->say(&f, SAY_ON);
    g_assert_cmphex(guest_read(&f, ecam_address(1, c->devfn, 0), 4), ==, CARD_ID);
    g_assert_cmphex(guest_read(&f, ecam_address(1, c->devfn + 1, 0), 4), ==, CARD_ID);
    fixture_fini(&f);
}

/* Before the machine runs, all functions are present and powered, in any order. */
static void test_function_0_last_cold(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;

    for (unsigned incoming = 0; incoming < 2; incoming++) {
        slot_machine_start(c, &f);
        f.m->state = incoming ? RUN_INMIGRATE : RUN_PRELAUNCH;
        plug_function(&f, catalog_type("ticker"), "br", "second", c->devfn + 1, "multifunction=on");
        plug_function(&f, catalog_type("ticker"), "br", "dut", c->devfn, "multifunction=on");
        f.m->state = RUN_RUNNING;
        g_assert_false(c->pressed(&f));
        g_assert_cmphex(guest_read(&f, ecam_address(1, c->devfn, 0), 4), ==, CARD_ID);
        g_assert_cmphex(guest_read(&f, ecam_address(1, c->devfn + 1, 0), 4), ==, CARD_ID);
        fixture_fini(&f);
    }
}

/* A function added to a slot that is powered is present immediately. */
static void test_function_added(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;

    slot_machine_start(c, &f);
    plug_function(&f, catalog_type("ticker"), "br", "dut", c->devfn, "multifunction=on");
    c->say(&f, SAY_ON);
    plug_function(&f, catalog_type("ticker"), "br", "second", c->devfn + 1, NULL);
    g_assert_cmphex(guest_read(&f, ecam_address(1, c->devfn + 1, 0), 4), ==, CARD_ID);
    fixture_fini(&f);
}

/* All functions of the slot are removed, and no others. */
static void test_functions(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d, *second;

    slot_machine_start(c, &f);
    d = plug_function(&f, catalog_type("ticker"), "br", "dut", c->devfn, "multifunction=on");
    second = plug_function(&f, catalog_type("ticker"), "br", "second", c->devfn + 1, NULL);
    if (c->devfn) {
        plug_function(&f, catalog_type("ticker"), "br", "other", PCI_DEVFN(SLOT + 1, 0), NULL);
    }
    c->say(&f, SAY_ON);
    g_assert_cmphex(guest_read(&f, ecam_address(1, c->devfn + 1, 0), 4), ==, CARD_ID);
    g_assert_true(pci_slot_of(d) == pci_slot_of(second));
    g_assert_true(pci_unplug_request(second, 0, NULL));
    g_assert_false(pci_unplug_request(d, 0, NULL));
    c->say(&f, SAY_OFF);
    run_pending();
    g_assert_false(slot_occupied(&f));
    g_assert_null(device_find_id(f.m, "second"));
    g_assert_true(!c->devfn || device_find_id(f.m, "other"));
    fixture_fini(&f);
}

/* Remove the device by force at each step of a plug and an unplug, or its bridge. */
static void test_pulled_at_each_step(gconstpointer opaque)
{
    const Controller *c = opaque;
    static const Say steps[] = { SAY_CLEAR, SAY_BLINK, SAY_ON, SAY_BLINK, SAY_OFF };

    for (unsigned n = 0; n <= G_N_ELEMENTS(steps); n++) {
        for (unsigned what = 0; what < 2; what++) {
            Fixture f;
            PCIDevice *br = slot_machine_start(c, &f), *d = slot_insert(c, &f);

            for (unsigned i = 0; i < n; i++) {
                if (i == 3) {
                    pci_unplug_request(d, 5, NULL);
                }
                c->say(&f, steps[i]);
            }
            device_unplug(what ? &br->dev : &d->dev);
            run_pending();
            clock_step_ns(&f, 10000000);
            fixture_fini(&f);
        }
    }
}

/* No guest to ask: the message names a slot where it is possible. */
static void test_no_slot(void)
{
    static const struct {
        const char *type, *settings, *says;
        uint8_t devfn;
    } rows[] = {
        { NULL, NULL, "pcie-root-port", PCI_DEVFN(3, 0) },
        { NULL, NULL, "pci-bridge", PCI_DEVFN(3, 0) },
        { "pcie-root-port", "hotplug=off", "hotplug=off", 0 },
        { "pci-bridge", "shpc=off", "shpc=off", PCI_DEVFN(3, 0) },
        { "pcie-pci-bridge", "shpc=off", "shpc=off", PCI_DEVFN(3, 0) },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;
        PCIDevice *d;
        Fixture f;

        fixture_init(&f);
        if (rows[i].type) {
            plug_function(&f, catalog_type(rows[i].type), "pcie.0", "br", BRIDGE, rows[i].settings);
        }
        f.m->state = RUN_RUNNING;
        d = plug_function(&f, catalog_type("ticker"), rows[i].type ? "br" : "pcie.0", "x",
                          rows[i].devfn, NULL);
        g_assert_null(pci_slot_of(d));
        g_assert_false(pci_unplug_request(d, 0, &err));
        g_assert_nonnull(strstr(err->message, "'x'"));
        g_assert_nonnull(strstr(err->message, rows[i].says));
        g_assert_false(pci_unplug_cancel(d, NULL));
        g_assert_false(pci_unplug_force(d, NULL));
        fixture_fini(&f);
    }
}

/* A function that was removed from its bus and still has references is in no slot. */
static void test_detached(void)
{
    const Controller *c = &controllers[0];
    g_autoptr(GError) err = NULL;
    Fixture f;
    PCIDevice *d = slot_with_device(c, &f);

    device_pin_any(&d->dev);
    device_unplug(&d->dev);
    g_assert_null(pci_slot_of(d));
    g_assert_false(pci_unplug_request(d, 0, &err));
    g_assert_nonnull(strstr(err->message, "cannot be unplugged"));
    device_unpin_any(&d->dev);
    fixture_fini(&f);
}

/* A button pressed for a device that was removed again is not pressed for the next. */
static void test_button_of_removed(gconstpointer opaque)
{
    const Controller *c = opaque;
    PCIDevice *d;
    Fixture f;

    slot_machine_start(c, &f);
    d = slot_insert(c, &f);
    g_assert_true(c->pressed(&f)); /* the slot has no power: the device announces itself */
    g_assert_true(pci_unplug_request(d, 0, NULL));
    run_pending();
    g_assert_false(slot_occupied(&f));
    g_assert_false(c->pressed(&f));
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(controllers); i++) {
        const Controller *c = &controllers[i];

        slot_test(c, "unplug", test_unplug);
        slot_test(c, "ask-again", test_ask_again);
        slot_test(c, "late-answer", test_late_answer);
        slot_test(c, "given-away", test_given_away);
        slot_test(c, "powered-off-already", test_powered_off_already);
        slot_test(c, "refused-by-guest", test_refused_by_guest);
        slot_test(c, "timeout-then-force", test_timeout_then_force);
        slot_test(c, "cancel", test_cancel);
        slot_test(c, "migrating", test_migrating);
        slot_test(c, "bridge", test_bridge);
        slot_test(c, "functions", test_functions);
        slot_test(c, "function-0-last", test_function_0_last);
        slot_test(c, "function-0-last-cold", test_function_0_last_cold);
        slot_test(c, "pulled-at-each-step", test_pulled_at_each_step);
        slot_test(c, "incoming", test_incoming);
        slot_test(c, "endless", test_endless);
        slot_test(c, "function-added", test_function_added);
        slot_test(c, "button-of-removed", test_button_of_removed);
    }
    g_test_add_func("/slot/none", test_no_slot);
    g_test_add_func("/slot/detached", test_detached);
    return g_test_run();
}
