/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The transition table of hot-plug slots: every pair of state and event, the invariants after each,
 * the same behaviour of both controllers, and the copy of the table in docs/hotplug.md.
 *
 * UPDATE_DOCS=1 in the environment rewrites the generated part of docs/hotplug.md.
 */
#include <string.h>

#include "slot-rig.h"

/* --- the table by itself --- */

/* Each cell is filled in, names a reference, and its parts agree with each other. */
static void test_complete(void)
{
    for (PCISlotState s = 0; s < PCI_SLOT_STATES; s++) {
        for (PCISlotEvent e = 0; e < PCI_SLOT_EVENTS; e++) {
            const PCISlotTransition *t = pci_slot_transition(s, e);
            bool never = t->why && g_str_has_prefix(t->why, "cannot occur");

            g_assert_nonnull(t->why);
            g_assert_cmpuint(strlen(t->why), >, 10);
            g_assert_cmpuint(t->next, <, PCI_SLOT_STATES);
            g_assert_cmpuint(t->action, <, PCI_SLOT_ACTIONS);
            g_assert_cmpuint(t->status, <=, PCI_UNPLUG_KEEP);
            if (never || t->action == PCI_SLOT_REJECT) { /* no effect */
                g_assert_cmpuint(t->next, ==, s);
                g_assert_cmpuint(t->status, ==, PCI_UNPLUG_KEEP);
            }
        }
    }
}

static bool asked(PCISlotState s)
{
    return s == PCI_SLOT_REQUESTED || s == PCI_SLOT_ACCEPTED;
}

/* The request status that belongs to a state; KEEP: any that is not under way. */
static PCIUnplugState status_of(PCISlotState s)
{
    static const PCIUnplugState status[PCI_SLOT_STATES] = {
        PCI_UNPLUG_KEEP,      PCI_UNPLUG_KEEP,     PCI_UNPLUG_KEEP,
        PCI_UNPLUG_REQUESTED, PCI_UNPLUG_ACCEPTED, PCI_UNPLUG_POWERED_OFF,
    };

    return status[s];
}

/* A status that is under way is set on entry to its state and replaced on leaving it. */
static void test_status(void)
{
    for (PCISlotState s = 0; s < PCI_SLOT_STATES; s++) {
        for (PCISlotEvent e = 0; e < PCI_SLOT_EVENTS; e++) {
            const PCISlotTransition *t = pci_slot_transition(s, e);

            if (t->next != s && status_of(t->next) != PCI_UNPLUG_KEEP) {
                g_assert_cmpuint(t->status, ==, status_of(t->next));
            }
            if (t->next != s && status_of(s) != PCI_UNPLUG_KEEP) {
                g_assert_cmpuint(t->status, !=, PCI_UNPLUG_KEEP);
            }
            if (status_of(t->next) == PCI_UNPLUG_KEEP && t->status != PCI_UNPLUG_KEEP) {
                g_assert_false(t->status >= PCI_UNPLUG_REQUESTED &&
                               t->status <= PCI_UNPLUG_POWERED_OFF);
            }
        }
    }
}

/* The permitted effects of each class of event, in all states. */
static void test_rules(void)
{
    for (PCISlotState s = 0; s < PCI_SLOT_STATES; s++) {
        g_assert_cmpuint(pci_slot_transition(s, PCI_SLOT_EV_EMPTIED)->next, ==, PCI_SLOT_EMPTY);
        g_assert_cmpuint(pci_slot_transition(s, PCI_SLOT_EV_RESET)->next, ==,
                         s == PCI_SLOT_EMPTY ? PCI_SLOT_EMPTY : PCI_SLOT_ON);
        for (PCISlotEvent e = 0; e < PCI_SLOT_EVENTS; e++) {
            const PCISlotTransition *t = pci_slot_transition(s, e);
            bool user = e >= PCI_SLOT_EV_DEL && e <= PCI_SLOT_EV_CANCEL;

            g_assert_true(t->next != PCI_SLOT_EMPTY || s == PCI_SLOT_EMPTY ||
                          e == PCI_SLOT_EV_EMPTIED);
            g_assert_true(s != PCI_SLOT_EMPTY || t->next == PCI_SLOT_EMPTY ||
                          e == PCI_SLOT_EV_INSERTED || e == PCI_SLOT_EV_INSERTED_COLD ||
                          e == PCI_SLOT_EV_INSERTED_POWERED);
            g_assert_true(t->action != PCI_SLOT_REJECT || user);
            g_assert_true(t->action != PCI_SLOT_PRESS || user);
            g_assert_true(t->action != PCI_SLOT_REMOVE || t->next == PCI_SLOT_EJECTING);
            g_assert_true(t->action != PCI_SLOT_FAIL || (asked(s) && t->next == PCI_SLOT_ON));
        }
    }
}

/* --- every pair on a slot of each controller --- */

/* Bring a new slot to a state. Returns the slot. */
static PCISlot *slot_in_state(const Controller *c, Fixture *f, PCISlotState want)
{
    PCIDevice *br = slot_machine_start(c, f), *d;
    PCISlot *s;

    if (want == PCI_SLOT_EMPTY) {
        return &((PCIBridge *)br)->slots[c->devfn ? SLOT - 1 : 0];
    }
    d = slot_insert(c, f);
    s = pci_slot_of(d);
    if (want >= PCI_SLOT_ON) {
        c->say(f, SAY_ON);
    }
    c->say(f, SAY_CLEAR);
    if (want >= PCI_SLOT_REQUESTED) {
        g_assert_true(pci_unplug_request(d, 1000, NULL));
    }
    if (want >= PCI_SLOT_ACCEPTED) {
        c->say(f, SAY_BLINK);
    }
    if (want == PCI_SLOT_EJECTING) {
        f->m->migrating = 1; /* postpones the removal */
        c->say(f, SAY_OFF);
    }
    g_assert_cmpstr(pci_slot_state_name(s->state), ==, pci_slot_state_name(want));
    g_assert_null(pci_slot_broken(s));
    return s;
}

static unsigned presses;

static void count_press(PCISlot *s)
{
    presses++;
}

/* The registers and devices that the controller would have updated before the event. */
static bool powered_after;

static bool fake_powered(const PCISlot *s)
{
    return powered_after;
}

/* The slot has the state, the status and the actions of the cell, and the deadline is armed in no
 * state but REQUESTED and ACCEPTED. */
static void check_pair(const Controller *c, PCISlotState state, PCISlotEvent event)
{
    static const PCISlotOps ops = { .powered = fake_powered,
                                    .press = count_press,
                                    .announce = count_press };
    const PCISlotTransition *t = pci_slot_transition(state, event);
    bool button = t->action == PCI_SLOT_PRESS || t->action == PCI_SLOT_ANNOUNCE;
    const PCISlotOps *real;
    uint32_t status;
    Fixture f;
    PCISlot *s = slot_in_state(c, &f, state);

    real = s->ops;
    status = s->job;
    s->ops = &ops;
    presses = failures = 0;
    g_assert_cmpuint(pci_slot_event(s, event), ==, t->action);
    g_assert_cmpuint(s->state, ==, t->next);
    g_assert_cmpuint(s->job, ==,
                     t->status == PCI_UNPLUG_KEEP || (t->status == PCI_UNPLUG_REMOVED && !status)
                         ? status
                         : t->status);
    g_assert_cmpuint(presses, ==, button);
    g_assert_cmpuint(failures, ==, t->action == PCI_SLOT_FAIL);
    g_assert_true(asked(s->state) || !timer_armed(&s->deadline));
    g_assert_true(asked(s->state) || s->job == PCI_UNPLUG_POWERED_OFF ||
                  s->state != PCI_SLOT_EJECTING);
    /* The invariants hold if the devices and the power are those that the event implies. */
    if (pci_slot_occupied(s) == (s->state != PCI_SLOT_EMPTY)) {
        powered_after = s->state != PCI_SLOT_OFF;
        g_assert_null(pci_slot_broken(s));
    }
    s->ops = real;
    s->state = state;
    s->job = status;
    fixture_fini(&f);
}

static void test_pairs(gconstpointer opaque)
{
    const Controller *c = opaque;

    for (PCISlotState s = 0; s < PCI_SLOT_STATES; s++) {
        for (PCISlotEvent e = 0; e < PCI_SLOT_EVENTS; e++) {
            check_pair(c, s, e);
        }
    }
}

/* --- the invariants --- */

static void test_broken(gconstpointer opaque)
{
    const Controller *c = opaque;

    for (PCISlotState state = 0; state < PCI_SLOT_STATES; state++) {
        Fixture f;
        PCISlot *s = slot_in_state(c, &f, state);
        uint32_t status = s->job;

        for (PCISlotState other = 0; other < PCI_SLOT_STATES; other++) {
            s->state = other;
            g_assert_true(!pci_slot_broken(s) == (other == state));
        }
        s->state = state;
        for (PCIUnplugState job = PCI_UNPLUG_REQUESTED; job <= PCI_UNPLUG_POWERED_OFF; job++) {
            s->job = job;
            g_assert_true(!pci_slot_broken(s) == (job == status));
        }
        s->job = status;
        fixture_fini(&f);
    }
}

/* --- both controllers in step --- */

typedef enum Step {
    STEP_INSERT,
    STEP_DEL,
    STEP_DEL_TIMEOUT,
    STEP_CANCEL,
    STEP_FORCE,
    STEP_BLINK,
    STEP_ON,
    STEP_OFF,
    STEP_SECOND,
    STEP_MIGRATE,
    STEP_RESET,
    STEP_RELOAD,
    STEPS
} Step;

static void reload(Fixture *f)
{
    PCIDevice *br = (PCIDevice *)device_find_id(f->m, "br");
    g_autoptr(GByteArray) bytes = save_state(br);
    g_autoptr(GError) err = NULL;

    g_assert_true(load_state(br, bytes, &err));
    g_assert_no_error(err);
}

/* A guest never powers an empty slot, which only the Express controller permits. */
static void guest(const Controller *c, Fixture *f, Say what)
{
    c->say(f, slot_occupied(f) ? what : SAY_OFF);
}

/* Carry out a step. Returns whether a command succeeded. */
static bool take_step(const Controller *c, Fixture *f, Step step)
{
    PCIDevice *d = (PCIDevice *)device_find_id(f->m, "dut");
    bool ok = true;

    switch (step) {
    case STEP_INSERT:
        ok = !d && slot_insert(c, f);
        break;
    case STEP_DEL:
        ok = d && pci_unplug_request(d, 0, NULL);
        break;
    case STEP_DEL_TIMEOUT:
        ok = d && pci_unplug_request(d, 1500, NULL);
        break;
    case STEP_CANCEL:
        ok = d && pci_unplug_cancel(d, NULL);
        break;
    case STEP_FORCE:
        ok = d && pci_unplug_force(d, NULL);
        break;
    case STEP_BLINK:
        guest(c, f, SAY_BLINK);
        break;
    case STEP_ON:
        guest(c, f, SAY_ON);
        break;
    case STEP_OFF:
        guest(c, f, SAY_OFF);
        break;
    case STEP_SECOND:
        clock_step_ns(f, 1000000000);
        break;
    case STEP_MIGRATE:
        f->m->migrating = !f->m->migrating;
        pci_unplug_resume(f->m);
        break;
    case STEP_RESET:
        machine_reset(f->m, RESET_COLD);
        config_write(f, BRIDGE, PCI_PRIMARY_BUS, 4, 0x00010100);
        config_write(f, BRIDGE, PCI_BASE_ADDRESS_0, 4, MMIO);
        config_write(f, BRIDGE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
        break;
    default:
        reload(f);
    }
    run_pending();
    if (!slot_occupied(f)) {
        c->say(f, SAY_OFF);
    }
    return ok;
}

static PCISlot *the_slot(const Controller *c, Fixture *f)
{
    return &((PCIBridge *)device_find_id(f->m, "br"))->slots[c->devfn ? SLOT - 1 : 0];
}

/* Express blinks and power are one register, so the Express guest keeps the power in a blink. */
static void blink_with_power(Fixture *f, bool on)
{
    config_write(f, BRIDGE, EXP + PCI_EXP_SLTCTL, 2,
                 PCI_EXP_SLTCTL_PWR_IND_BLINK | PCI_EXP_SLTCTL_ATTN_IND_OFF |
                     (on ? 0 : PCI_EXP_SLTCTL_PCC));
}

static bool step_both(const Controller *c, Fixture *f, Step step)
{
    PCISlot *s = the_slot(c, f);

    if (step == STEP_BLINK && !c->devfn && slot_occupied(f)) {
        blink_with_power(f, s->ops->powered(s));
        run_pending();
        return true;
    }
    return take_step(c, f, step);
}

/* States and request statuses that the sequences reached. */
static unsigned seen_states, seen_statuses;

static void run_sequence(unsigned length)
{
    const Controller *a = &controllers[0], *b = &controllers[1];
    Fixture fa, fb;
    unsigned failed[2] = { 0, 0 };

    slot_machine_start(a, &fa);
    slot_machine_start(b, &fb);
    for (unsigned i = 0; i < length; i++) {
        Step step = g_test_rand_int_range(0, STEPS);
        PCISlot *sa, *sb;
        bool ok_a, ok_b;

        failures = 0;
        ok_a = step_both(a, &fa, step);
        failed[0] = failures;
        failures = 0;
        ok_b = step_both(b, &fb, step);
        failed[1] = failures;
        sa = the_slot(a, &fa);
        sb = the_slot(b, &fb);
        seen_states |= 1u << sa->state;
        seen_statuses |= 1u << sa->job;
        g_assert_true(ok_a == ok_b);
        g_assert_cmpstr(pci_slot_state_name(sa->state), ==, pci_slot_state_name(sb->state));
        g_assert_cmpstr(pci_unplug_state_name(sa->job), ==, pci_unplug_state_name(sb->job));
        g_assert_cmpuint(failed[0], ==, failed[1]);
        g_assert_true(timer_armed(&sa->deadline) == timer_armed(&sb->deadline));
        g_assert_true(slot_occupied(&fa) == slot_occupied(&fb));
        g_assert_null(pci_slot_broken(sa));
        g_assert_null(pci_slot_broken(sb));
    }
    fa.m->migrating = fb.m->migrating = 0;
    fixture_fini(&fa);
    fixture_fini(&fb);
}

/* At least 100 random sequences, continued until every state and status was reached. */
static void test_same_behaviour(void)
{
    const unsigned states = (1u << PCI_SLOT_STATES) - 1, statuses = (1u << PCI_UNPLUG_STATES) - 1;

    seen_states = seen_statuses = 0;
    for (unsigned i = 0; i < 100 || seen_states != states || seen_statuses != statuses; i++) {
        g_assert_cmpuint(i, <, 10000);
        run_sequence(60);
    }
}

/* --- the documentation --- */

/* Insertions, requests and the guest's answers; what every state shares is left out. */
static void draw_arrow(GString *out, PCISlotState s, PCISlotEvent e)
{
    const PCISlotTransition *t = pci_slot_transition(s, e);

    if (t->next == s || e == PCI_SLOT_EV_RESET ||
        (e == PCI_SLOT_EV_EMPTIED && s != PCI_SLOT_EJECTING)) {
        return;
    }
    g_string_append_printf(out, "    %s --> %s: %s%s%s\n", pci_slot_state_name(s),
                           pci_slot_state_name(t->next), pci_slot_event_name(e),
                           t->action ? " / " : "", pci_slot_action_name(t->action));
}

static void write_row(GString *out, PCISlotState s, PCISlotEvent e)
{
    const PCISlotTransition *t = pci_slot_transition(s, e);

    g_string_append_printf(
        out, "| %s | %s | %s | %s | %s | %s |\n", pci_slot_state_name(s), pci_slot_event_name(e),
        t->next == s ? "" : pci_slot_state_name(t->next), pci_slot_action_name(t->action),
        t->status == PCI_UNPLUG_KEEP ? "" : pci_unplug_state_name(t->status), t->why);
}

static char *generated_part(void)
{
    GString *out = g_string_new("```mermaid\nstateDiagram-v2\n    [*] --> EMPTY\n");

    for (PCISlotState s = 0; s < PCI_SLOT_STATES; s++) {
        for (PCISlotEvent e = 0; e < PCI_SLOT_EVENTS; e++) {
            draw_arrow(out, s, e);
        }
    }
    g_string_append(out, "```\n\n| state | event | next state | action | status | reference |\n"
                         "|---|---|---|---|---|---|\n");
    for (PCISlotState s = 0; s < PCI_SLOT_STATES; s++) {
        for (PCISlotEvent e = 0; e < PCI_SLOT_EVENTS; e++) {
            if (!g_str_has_prefix(pci_slot_transition(s, e)->why, "cannot occur")) {
                write_row(out, s, e);
            }
        }
    }
    return g_string_free(out, FALSE);
}

static void test_document(void)
{
    static const char begin[] = "<!-- generated: begin -->\n", end[] = "<!-- generated: end -->";
    g_autofree char *path = g_build_filename(SOURCE_ROOT, "docs", "hotplug.md", NULL);
    g_autofree char *text = NULL, *made = generated_part(), *new = NULL;
    g_autoptr(GError) err = NULL;
    char *from, *to;

    g_file_get_contents(path, &text, NULL, &err);
    g_assert_no_error(err);
    from = strstr(text, begin);
    to = strstr(text, end);
    g_assert_true(from && to && from < to);
    new = g_strdup_printf("%.*s%s%s%s", (int)(from - text), text, begin, made, to);
    if (g_getenv("UPDATE_DOCS")) {
        g_assert_true(g_file_set_contents(path, new, -1, NULL));
    } else {
        g_assert_cmpstr(text, ==, new);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/slot-table/complete", test_complete);
    g_test_add_func("/slot-table/status", test_status);
    g_test_add_func("/slot-table/rules", test_rules);
    for (size_t i = 0; i < G_N_ELEMENTS(controllers); i++) {
        slot_test(&controllers[i], "pairs", test_pairs);
        slot_test(&controllers[i], "invariants", test_broken);
    }
    g_test_add_func("/slot-table/same-behaviour", test_same_behaviour);
    g_test_add_func("/slot-table/document", test_document);
    return g_test_run();
}
