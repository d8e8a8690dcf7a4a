/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The unplug job at each of its turns. Every test runs on a slot of each controller: below an
 * Express port, and behind a conventional bridge with a Standard Hot-Plug Controller.
 */
#define FIXTURE_WITH_TYPES
#include "pci-fixture.h"

#include "hw/pci/exp_regs.h"
#include "hw/pci/shpc.h"

enum { BRIDGE = PCI_DEVFN(1, 0), EXP = 0x54, SLOT = 3, CARD_ID = 0x71c41234 };

/* What a guest says to a slot. */
typedef enum Say { SAY_ON, SAY_BLINK, SAY_OFF, SAY_CLEAR } Say;

typedef struct Controller {
    const char *name, *type;
    uint8_t devfn; /* of the card */
    void (*say)(Fixture *f, Say what);
    bool (*pressed)(Fixture *f);
} Controller;

static const PCIDeviceType *type(const char *name)
{
    return (const PCIDeviceType *)device_type_find(name);
}

static void express_say(Fixture *f, Say what)
{
    static const uint16_t control[] = {
        [SAY_ON] = EXP_SLTCTL_PIC_ON | EXP_SLTCTL_AIC_OFF,
        [SAY_BLINK] = EXP_SLTCTL_PIC_BLINK | EXP_SLTCTL_AIC_OFF,
        [SAY_OFF] = EXP_SLTCTL_PIC_OFF | EXP_SLTCTL_AIC_OFF | EXP_SLTCTL_PCC,
    };

    if (what == SAY_CLEAR) {
        set_cfg(f, BRIDGE, EXP + EXP_SLTSTA, 2, 0xffff);
    } else {
        set_cfg(f, BRIDGE, EXP + EXP_SLTCTL, 2, control[what]);
    }
}

static bool express_pressed(Fixture *f)
{
    return cfg(f, BRIDGE, EXP + EXP_SLTSTA, 2) & EXP_SLTSTA_ABP;
}

static void shpc_say(Fixture *f, Say what)
{
    static const uint8_t code[] = {
        [SAY_ON] = SHPC_ENABLED | PCI_INDICATOR_ON << 2,
        [SAY_BLINK] = SHPC_NO_CHANGE | PCI_INDICATOR_BLINK << 2,
        [SAY_OFF] = SHPC_DISABLED | PCI_INDICATOR_OFF << 2,
    };

    if (what == SAY_CLEAR) {
        wr(f, MMIO + SHPC_SLOT + 4 * (SLOT - 1), 4, SHPC_SLOT_EVENTS);
    } else {
        wr(f, MMIO + SHPC_COMMAND, 2, SLOT << 8 | code[what]);
    }
}

static bool shpc_pressed(Fixture *f)
{
    return rd(f, MMIO + SHPC_SLOT + 4 * (SLOT - 1), 4) & SHPC_SLOT_BUTTON_PRESSED;
}

static const Controller controllers[] = {
    { "express", "pcie-root-port", 0, express_say, express_pressed },
    { "shpc", "pci-bridge", PCI_DEVFN(SLOT, 0), shpc_say, shpc_pressed },
};

/* --- a running machine with a card in the slot --- */

static unsigned failures;

static void on_event(void *opaque, const char *name, struct json_object *data)
{
    failures += g_str_equal(name, "DEVICE_UNPLUG_GUEST_ERROR");
    json_object_put(data);
}

static void settle(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static PCIDevice *start(const Controller *c, Fixture *f)
{
    PCIDevice *br;

    fixture_init(f);
    br = plug(f, type(c->type), "pcie.0", "br", BRIDGE, NULL);
    set_cfg(f, BRIDGE, PCI_PRIMARY_BUS, 4, 0x00010100);
    set_cfg(f, BRIDGE, PCI_BASE_ADDRESS_0, 4, MMIO);
    set_cfg(f, BRIDGE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    f->m->state = RUN_RUNNING;
    failures = 0;
    f->m->hooks.event = on_event;
    return br;
}

static PCIDevice *insert(const Controller *c, Fixture *f)
{
    return plug(f, type("ticker"), "br", "card", c->devfn, NULL);
}

static PCIDevice *running_card(const Controller *c, Fixture *f)
{
    PCIDevice *d;

    start(c, f);
    d = insert(c, f);
    c->say(f, SAY_ON);
    c->say(f, SAY_CLEAR);
    g_assert_cmphex(rd(f, ecam(1, c->devfn, 0), 4), ==, CARD_ID);
    return d;
}

static bool card(Fixture *f)
{
    return device_find_id(f->m, "card") != NULL;
}

static const char *job(PCIDevice *d)
{
    return pci_unplug_state_name(pci_slot_of(d)->job);
}

/* --- the tests --- */

static void test_unplug(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);
    struct json_object *jobs;

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    g_assert_true(c->pressed(&f));
    g_assert_false(pci_unplug_request(d, 0, NULL));
    g_assert_cmpstr(job(d), ==, "requested");
    c->say(&f, SAY_BLINK);
    g_assert_cmpstr(job(d), ==, "accepted");
    c->say(&f, SAY_OFF);
    g_assert_true(card(&f)); /* not from inside the access */
    settle();
    g_assert_false(card(&f));
    g_assert_cmpuint(failures, ==, 0);
    jobs = pci_unplug_query(f.m);
    g_assert_cmpstr(json_object_to_json_string_ext(jobs, JSON_C_TO_STRING_PLAIN), ==,
                    c->devfn
                        ? "[{\"device\":\"card\",\"port\":\"br\",\"slot\":3,\"state\":\"removed\"}]"
                        : "[{\"device\":\"card\",\"port\":\"br\",\"state\":\"removed\"}]");
    json_object_put(jobs);
    step_ns(&f, 2000000000);
    g_assert_cmpuint(failures, ==, 0);
    fixture_fini(&f);
}

/* A second request is refused in the words clients know, until 5 s passed without an answer. */
static void test_ask_again(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);
    g_autoptr(GError) err = NULL;

    g_assert_true(pci_unplug_request(d, 0, NULL));
    step_ns(&f, 4999999999);
    g_assert_false(pci_unplug_request(d, 0, &err));
    g_assert_nonnull(strstr(err->message, "Device card is already in the process of unplug"));
    step_ns(&f, 1);
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_request(d, 0, NULL));
    g_assert_true(c->pressed(&f));
    c->say(&f, SAY_BLINK); /* it is answered now: however long that takes, nobody asks again */
    step_ns(&f, 60000000000);
    g_assert_false(pci_unplug_request(d, 0, NULL));
    g_assert_cmpstr(job(d), ==, "accepted");
    fixture_fini(&f);
}

/* A guest that answers a request that has timed out is asked again without the button, which it
 * would take for a change of mind. */
static void test_late_answer(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_CLEAR);
    step_ns(&f, 1000000000);
    g_assert_cmpstr(job(d), ==, "timed-out");
    g_assert_true(pci_unplug_request(d, 0, NULL));
    g_assert_false(c->pressed(&f));
    g_assert_cmpstr(job(d), ==, "accepted");
    c->say(&f, SAY_OFF);
    settle();
    g_assert_false(card(&f));
    fixture_fini(&f);
}

/* A guest that was given away takes its eject along; one that came back has it done here. */
static void test_given_away(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);

    g_assert_true(pci_unplug_request(d, 0, NULL));
    f.m->migrating = 1;
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_OFF);
    machine_set_state(f.m, RUN_FINISH_MIGRATE);
    f.m->migrating = 0;
    machine_set_state(f.m, RUN_POSTMIGRATE);
    pci_unplug_resume(f.m);
    settle();
    g_assert_true(card(&f));
    g_assert_false(pci_unplug_request(d, 0, NULL)); /* under way still */
    machine_set_state(f.m, RUN_RUNNING);
    pci_unplug_resume(f.m); /* once is enough */
    settle();
    g_assert_false(card(&f));
    fixture_fini(&f);
}

/* A guest that has yet to arrive owns nothing: what its slot has no power for goes when it runs. */
static void test_incoming(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);

    c->say(&f, SAY_OFF);
    f.m->state = RUN_INMIGRATE;
    g_assert_true(pci_unplug_request(d, 0, NULL));
    settle();
    g_assert_true(card(&f));
    machine_set_state(f.m, RUN_RUNNING);
    settle();
    g_assert_false(card(&f));
    fixture_fini(&f);
}

/* The guest switched it off without being asked: the card stays, and goes without asking. */
static void test_powered_off_already(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);

    wr(&f, ecam(1, c->devfn, PCI_COMMAND), 2, PCI_COMMAND_MASTER);
    g_assert_cmpint(pci_dma_write(d, RAM, "ok", 2), ==, MEM_OK);
    c->say(&f, SAY_OFF);
    settle();
    g_assert_true(card(&f));
    g_assert_cmphex(rd(&f, ecam(1, c->devfn, 0), 4), ==, 0xffffffff);
    g_assert_cmpint(pci_dma_write(d, RAM, "no", 2), ==,
                    MEM_REFUSED); /* whatever its registers say */
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_request(d, 0, NULL));
    g_assert_false(c->pressed(&f));
    settle();
    g_assert_false(card(&f));
    fixture_fini(&f);
}

static void test_refused_by_guest(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_ON);
    g_assert_cmpstr(job(d), ==, "refused");
    g_assert_cmpuint(failures, ==, 1);
    step_ns(&f, 2000000000);
    g_assert_cmpuint(failures, ==, 1);
    g_assert_true(pci_unplug_request(d, 0, NULL)); /* and again */
    fixture_fini(&f);
}

static void test_timeout_then_force(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    step_ns(&f, 999999999);
    g_assert_cmpstr(job(d), ==, "requested");
    step_ns(&f, 1);
    g_assert_cmpstr(job(d), ==, "timed-out");
    g_assert_cmpuint(failures, ==, 1);
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_request(d, 0, NULL)); /* it never blinked: the button again */
    g_assert_true(c->pressed(&f));
    g_assert_true(pci_unplug_force(d, NULL));
    g_assert_false(card(&f));
    g_assert_cmphex(rd(&f, ecam(1, c->devfn, 0), 4), ==, 0xffffffff);
    fixture_fini(&f);
}

static void test_cancel(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);

    g_assert_false(pci_unplug_cancel(d, NULL));
    g_assert_true(pci_unplug_request(d, 0, NULL));
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_cancel(d, NULL));
    g_assert_true(c->pressed(&f));
    g_assert_cmpstr(job(d), ==, "cancelled");
    c->say(&f, SAY_OFF); /* the guest goes on all the same: the card stays */
    settle();
    g_assert_true(card(&f));
    c->say(&f, SAY_ON);
    g_assert_true(pci_unplug_request(d, 0, NULL)); /* the same once the guest has answered */
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_CLEAR);
    g_assert_true(pci_unplug_cancel(d, NULL));
    g_assert_true(c->pressed(&f));
    g_assert_cmpstr(job(d), ==, "cancelled");
    fixture_fini(&f);
}

/* A deadline beyond all clocks does not wrap; without an id the device goes by its path. */
static void test_endless(gconstpointer opaque)
{
    const Controller *c = opaque;
    struct json_object *jobs, *o;
    Fixture f;
    PCIDevice *d;

    start(c, &f);
    d = plug(&f, type("ticker"), "br", NULL, c->devfn, NULL);
    c->say(&f, SAY_ON);
    g_assert_true(pci_unplug_request(d, UINT64_MAX, NULL));
    step_ns(&f, 1ll << 59); /* 18 years */
    g_assert_cmpstr(job(d), ==, "requested");
    jobs = pci_unplug_query(f.m);
    o = json_object_object_get(json_object_array_get_idx(jobs, 0), "device");
    g_assert_cmpstr(json_object_get_string(o), ==, d->dev.path);
    json_object_put(jobs);
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_ON); /* refused: told by the path alone */
    g_assert_cmpuint(failures, ==, 1);
    fixture_fini(&f);
}

/* While a migration runs nothing is taken out, and what the guest ejects waits. */
static void test_migrating(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);
    g_autoptr(GError) err = NULL;

    g_assert_true(pci_unplug_request(d, 0, NULL));
    f.m->migrating = 1;
    c->say(&f, SAY_BLINK);
    c->say(&f, SAY_OFF);
    settle();
    g_assert_true(card(&f));
    g_assert_cmpstr(job(d), ==, "powered-off");
    g_assert_false(pci_unplug_force(d, &err));
    g_assert_nonnull(strstr(err->message, "migration"));
    f.m->migrating = 0;
    pci_unplug_resume(f.m);
    settle();
    g_assert_false(card(&f));
    fixture_fini(&f);
}

/* A bridge in the slot: what is behind it loses power with it, and comes up fresh. */
static void test_bridge(gconstpointer opaque)
{
    const Controller *c = opaque;
    uint64_t edu = ecam(2, PCI_DEVFN(1, 0), 0);
    unsigned pin = c->devfn ? (1 + SLOT + 1) % 4 : 2; /* swizzled on the way up */
    Fixture f;

    start(c, &f);
    f.m->state = RUN_PRELAUNCH;
    plug(&f, type(c->devfn ? "pci-bridge" : "pcie-pci-bridge"), "br", "card", c->devfn, NULL);
    plug(&f, type("edu"), "card", "edu", PCI_DEVFN(1, 0), NULL);
    f.m->state = RUN_RUNNING;
    for (unsigned round = 0; round < 2; round++) {
        set_cfg(&f, BRIDGE, PCI_PRIMARY_BUS, 4, 0x00020100);
        set_cfg(&f, BRIDGE, PCI_MEMORY_BASE, 4, 0x40104010);
        wr(&f, ecam(1, c->devfn, PCI_PRIMARY_BUS), 4, 0x00020201);
        wr(&f, ecam(1, c->devfn, PCI_MEMORY_BASE), 4, 0x40104010);
        wr(&f, ecam(1, c->devfn, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
        g_assert_cmphex(rd(&f, edu, 4), ==, 0x11e81234);
        g_assert_cmphex(rd(&f, edu + PCI_COMMAND, 2), ==, 0);
        wr(&f, edu + PCI_BASE_ADDRESS_0, 4, MMIO + 0x100000);
        wr(&f, edu + PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
        wr(&f, MMIO + 0x100060, 4, 1); /* raise */
        g_assert_true(f.line[pin]);
        c->say(&f, SAY_OFF);
        g_assert_false(f.line[pin]);
        g_assert_cmphex(rd(&f, MMIO + 0x100000, 4), ==, 0xffffffff);
        c->say(&f, SAY_ON);
        g_assert_false(f.line[pin]);
    }
    fixture_fini(&f);
}

/* A bridge in a slot that is off: what comes behind it, and what a stream says of its own slots,
 * has no power either. */
static void test_bridge_without_power(gconstpointer opaque)
{
    const Controller *c = opaque;
    g_autoptr(GByteArray) on = NULL;
    g_autoptr(GError) err = NULL;
    PCIDevice *inner, *behind;
    Fixture f;

    start(c, &f);
    f.m->state = RUN_PRELAUNCH;
    inner =
        plug(&f, type(c->devfn ? "pci-bridge" : "pcie-pci-bridge"), "br", "card", c->devfn, NULL);
    behind = plug(&f, type("edu"), "card", "edu", PCI_DEVFN(1, 0), NULL);
    on = save_state(inner);
    g_assert_true(behind->present);
    f.m->state = RUN_RUNNING;
    c->say(&f, SAY_OFF);
    g_assert_false(behind->present);
    g_assert_true(load_state(inner, on, &err));
    g_assert_no_error(err);
    g_assert_false(behind->present);
    f.m->state = RUN_PRELAUNCH;
    g_assert_false(plug(&f, type("edu"), "card", "late", PCI_DEVFN(2, 0), NULL)->present);
    f.m->state = RUN_RUNNING;
    c->say(&f, SAY_ON);
    g_assert_true(behind->present);
    fixture_fini(&f);
}

/* On a running machine function 0 comes last, and it is the card: the guest hears of it, and of all
 * functions, then. Alone the others can go again without a guest. */
static void test_function_0_last(gconstpointer opaque)
{
    const Controller *c = opaque;
    PCIDevice *first;
    Fixture f;

    start(c, &f);
    for (unsigned round = 0; round < 2; round++) {
        first = plug(&f, type("ticker"), "br", "second", c->devfn + 1, "multifunction=on");
        g_assert_false(c->pressed(&f));
        if (round == 0) {
            g_assert_true(pci_unplug_request(first, 0, NULL));
            g_assert_false(c->pressed(&f));
            settle();
            g_assert_null(device_find_id(f.m, "second"));
        }
    }
    plug(&f, type("ticker"), "br", "card", c->devfn, "multifunction=on");
    g_assert_true(c->pressed(&f));
    c->say(&f, SAY_ON);
    g_assert_cmphex(rd(&f, ecam(1, c->devfn, 0), 4), ==, CARD_ID);
    g_assert_cmphex(rd(&f, ecam(1, c->devfn + 1, 0), 4), ==, CARD_ID);
    fixture_fini(&f);
}

/* The same before the machine runs: all of it is there, powered, whatever the order. */
static void test_function_0_last_cold(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;

    for (unsigned incoming = 0; incoming < 2; incoming++) {
        start(c, &f);
        f.m->state = incoming ? RUN_INMIGRATE : RUN_PRELAUNCH;
        plug(&f, type("ticker"), "br", "second", c->devfn + 1, "multifunction=on");
        plug(&f, type("ticker"), "br", "card", c->devfn, "multifunction=on");
        f.m->state = RUN_RUNNING;
        g_assert_false(c->pressed(&f));
        g_assert_cmphex(rd(&f, ecam(1, c->devfn, 0), 4), ==, CARD_ID);
        g_assert_cmphex(rd(&f, ecam(1, c->devfn + 1, 0), 4), ==, CARD_ID);
        fixture_fini(&f);
    }
}

/* Into a slot that is on, a function more is there at once. */
static void test_function_added(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;

    start(c, &f);
    plug(&f, type("ticker"), "br", "card", c->devfn, "multifunction=on");
    c->say(&f, SAY_ON);
    plug(&f, type("ticker"), "br", "second", c->devfn + 1, NULL);
    g_assert_cmphex(rd(&f, ecam(1, c->devfn + 1, 0), 4), ==, CARD_ID);
    fixture_fini(&f);
}

/* Every function of the slot goes, and only those. */
static void test_functions(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d, *second;

    start(c, &f);
    d = plug(&f, type("ticker"), "br", "card", c->devfn, "multifunction=on");
    second = plug(&f, type("ticker"), "br", "second", c->devfn + 1, NULL);
    if (c->devfn) {
        plug(&f, type("ticker"), "br", "other", PCI_DEVFN(SLOT + 1, 0), NULL);
    }
    c->say(&f, SAY_ON);
    g_assert_cmphex(rd(&f, ecam(1, c->devfn + 1, 0), 4), ==, CARD_ID);
    g_assert_true(pci_slot_of(d) == pci_slot_of(second));
    g_assert_true(pci_unplug_request(second, 0, NULL));
    g_assert_false(pci_unplug_request(d, 0, NULL));
    c->say(&f, SAY_OFF);
    settle();
    g_assert_false(card(&f));
    g_assert_null(device_find_id(f.m, "second"));
    g_assert_true(!c->devfn || device_find_id(f.m, "other"));
    fixture_fini(&f);
}

/* Pull the card at each step of a plug and an unplug; its bridge may go at any of them too. */
static void test_pulled_at_each_step(gconstpointer opaque)
{
    const Controller *c = opaque;
    static const Say steps[] = { SAY_CLEAR, SAY_BLINK, SAY_ON, SAY_BLINK, SAY_OFF };

    for (unsigned n = 0; n <= G_N_ELEMENTS(steps); n++) {
        for (unsigned what = 0; what < 2; what++) {
            Fixture f;
            PCIDevice *br = start(c, &f), *d = insert(c, &f);

            for (unsigned i = 0; i < n; i++) {
                if (i == 3) {
                    pci_unplug_request(d, 5, NULL);
                }
                c->say(&f, steps[i]);
            }
            device_unplug(what ? &br->dev : &d->dev);
            settle();
            step_ns(&f, 10000000);
            fixture_fini(&f);
        }
    }
}

/* Saved and loaded again at each step, the bytes are the same and the job goes on. */
static void test_saved_at_each_step(gconstpointer opaque)
{
    const Controller *c = opaque;
    static const Say steps[] = { SAY_CLEAR, SAY_BLINK, SAY_ON, SAY_BLINK, SAY_OFF };

    for (unsigned n = 0; n <= G_N_ELEMENTS(steps); n++) {
        Fixture f;
        PCIDevice *br = start(c, &f), *d = insert(c, &f);
        g_autoptr(GByteArray) one = NULL, two = NULL;
        g_autoptr(GError) err = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
            if (i == n) {
                g_autofree char *was = g_strdup(job(d));
                bool seen = rd(&f, ecam(1, c->devfn, 0), 4) == CARD_ID;

                f.m->migrating = 1;
                one = save_state(br);
                machine_reset(f.m, RESET_COLD);
                g_assert_cmpstr(job(d), ==, "none");
                g_assert_true(load_state(br, one, &err));
                g_assert_no_error(err);
                two = save_state(br);
                g_assert_cmpmem(one->data, one->len, two->data, two->len);
                g_assert_cmpstr(job(d), ==, was);
                g_assert_true(seen == (rd(&f, ecam(1, c->devfn, 0), 4) == CARD_ID));
                f.m->migrating = 0;
            }
            if (i == 3) {
                g_assert_true(pci_unplug_request(d, 5000, NULL));
            }
            c->say(&f, steps[i]);
        }
        settle();
        g_assert_false(card(&f));
        fixture_fini(&f);
    }
}

/* The target knows the job of a stream, and its device by what stands in the slot: none any more,
 * or the card. */
static void test_query_after_load(gconstpointer opaque)
{
    const Controller *c = opaque;

    for (unsigned gone = 0; gone < 2; gone++) {
        g_autoptr(GByteArray) bytes = NULL;
        g_autoptr(GError) err = NULL;
        struct json_object *jobs, *o;
        PCIDevice *d, *br;
        Fixture f;

        d = running_card(c, &f);
        g_assert_true(pci_unplug_request(d, 1000, NULL));
        if (gone) {
            c->say(&f, SAY_OFF);
            settle();
        }
        bytes = save_state((PCIDevice *)device_find_id(f.m, "br"));
        fixture_fini(&f);
        br = start(c, &f);
        if (!gone) {
            insert(c, &f);
        }
        g_assert_true(load_state(br, bytes, &err));
        g_assert_no_error(err);
        jobs = pci_unplug_query(f.m);
        o = json_object_array_get_idx(jobs, 0);
        g_assert_cmpstr(json_object_get_string(json_object_object_get(o, "device")), ==,
                        gone ? "" : "card");
        g_assert_cmpstr(json_object_get_string(json_object_object_get(o, "state")), ==,
                        gone ? "removed" : "requested");
        json_object_put(jobs);
        fixture_fini(&f);
    }
}

/* A job of a stream that no source can have had. */
static void test_hostile(gconstpointer opaque)
{
    const Controller *c = opaque;
    Fixture f;
    PCIDevice *d = running_card(c, &f);
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
        g_assert_nonnull(strstr(card_err->message, "without a card"));
    }
    s->job = PCI_UNPLUG_NONE;
    fixture_fini(&f);
}

/* Nobody to ask: the sentence says where one could. */
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
            plug(&f, type(rows[i].type), "pcie.0", "br", BRIDGE, rows[i].settings);
        }
        f.m->state = RUN_RUNNING;
        d = plug(&f, type("ticker"), rows[i].type ? "br" : "pcie.0", "x", rows[i].devfn, NULL);
        g_assert_null(pci_slot_of(d));
        g_assert_false(pci_unplug_request(d, 0, &err));
        g_assert_nonnull(strstr(err->message, "'x'"));
        g_assert_nonnull(strstr(err->message, rows[i].says));
        g_assert_false(pci_unplug_cancel(d, NULL));
        g_assert_false(pci_unplug_force(d, NULL));
        fixture_fini(&f);
    }
}

/* A function that left its bus, and lives on only for who still uses it, is in no slot. */
static void test_detached(void)
{
    const Controller *c = &controllers[0];
    g_autoptr(GError) err = NULL;
    Fixture f;
    PCIDevice *d = running_card(c, &f);

    device_pin_any(&d->dev);
    device_unplug(&d->dev);
    g_assert_null(pci_slot_of(d));
    g_assert_false(pci_unplug_request(d, 0, &err));
    g_assert_nonnull(strstr(err->message, "cannot be unplugged"));
    device_unpin_any(&d->dev);
    fixture_fini(&f);
}

static void add(const Controller *c, const char *name, GTestDataFunc fn)
{
    g_autofree char *path = g_strdup_printf("/slot/%s/%s", c->name, name);

    g_test_add_data_func(path, c, fn);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(controllers); i++) {
        const Controller *c = &controllers[i];

        add(c, "unplug", test_unplug);
        add(c, "ask-again", test_ask_again);
        add(c, "late-answer", test_late_answer);
        add(c, "given-away", test_given_away);
        add(c, "powered-off-already", test_powered_off_already);
        add(c, "refused-by-guest", test_refused_by_guest);
        add(c, "timeout-then-force", test_timeout_then_force);
        add(c, "cancel", test_cancel);
        add(c, "migrating", test_migrating);
        add(c, "bridge", test_bridge);
        add(c, "functions", test_functions);
        add(c, "function-0-last", test_function_0_last);
        add(c, "function-0-last-cold", test_function_0_last_cold);
        add(c, "pulled-at-each-step", test_pulled_at_each_step);
        add(c, "saved-at-each-step", test_saved_at_each_step);
        add(c, "incoming", test_incoming);
        add(c, "endless", test_endless);
        add(c, "function-added", test_function_added);
        add(c, "bridge-without-power", test_bridge_without_power);
        add(c, "query-after-load", test_query_after_load);
        add(c, "hostile", test_hostile);
    }
    g_test_add_func("/slot/none", test_no_slot);
    g_test_add_func("/slot/detached", test_detached);
    return g_test_run();
}
