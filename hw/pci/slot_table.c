/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The transition table of hot-plug slots (contract in hw/pci/slot.h).
 *
 * The table has one cell per state and event. Each cell names the specification section or the
 * driver behaviour that it serves. Cells without a state change are listed too, so that a missing
 * cell is an error and not a silent no-op. docs/hotplug.md contains a picture and a table that the
 * unit test hw/pci/test-slot-table generates from this file.
 */
#include "hw/pci/slot.h"

/* GO(): another state. STAY(): the same state, no action. NEVER(): the event cannot occur in the
 * state; it has no effect. */
#define GO(next_, action_, status_, why_)                                                          \
    {                                                                                              \
        PCI_SLOT_##next_, PCI_SLOT_##action_, PCI_UNPLUG_##status_, why_                           \
    }
#define STAY(state_, why_)  GO(state_, NO_ACTION, KEEP, why_)
#define NEVER(state_, why_) STAY(state_, "cannot occur: " why_)
#define RESET_WHY                                                                                  \
    "PCIe 7.5.3.10, SHPC 4.11: reset ends a request; an occupied slot has power after it"
#define EMPTIED_WHY          "PCIe 6.7.3.1, SHPC 4.11: Presence Detect; a pulled device needs no consent"
#define ONE_DEVICE           "the slot is occupied"
#define NOT_EMPTY            "only function 0 in a slot makes a request that reaches the guest"
#define UNPOWERED            "a request for a slot without power is DEL_UNSEEN"
#define HAS_POWER            "the slot has power"
#define NO_DEADLINE          "the deadline is cancelled when REQUESTED or ACCEPTED ends"
#define EARLY_ONLY_REQUESTED "only an unanswered request is early"
#define NO_REQUEST                                                                                 \
    "PCIe 6.7.1.1.2, SHPC 2.5: an indicator without a request does not affect removal"
#define TO_CANCEL  "no request is under way"
#define BUSY       "one request per slot; a second press would cancel the first (PCIe 6.7.1.5, SHPC 2.5)"
#define PRESS_WHY  "PCIe 6.7.1.5, SHPC 2.5: the user presses the attention button to ask for removal"
#define UNSEEN_WHY "PCIe 6.7.1.1.2, SHPC 2.5: a device in a slot without power may be removed"
#define COLD_WHY   "PCIe 7.5.3.10, SHPC 3.5: a slot that is occupied at power-on is powered"
#define WAITS      "nothing is postponed"

static const PCISlotTransition slot_table[PCI_SLOT_STATES][PCI_SLOT_EVENTS] = {
    [PCI_SLOT_EMPTY] = {
        [PCI_SLOT_EV_RESET] = GO(EMPTY, NO_ACTION, NONE, RESET_WHY),
        [PCI_SLOT_EV_INSERTED_COLD] = GO(ON, NO_ACTION, KEEP, COLD_WHY),
        [PCI_SLOT_EV_INSERTED] = GO(OFF, ANNOUNCE, KEEP,
            "PCIe 6.7.1.5, SHPC 2.5: the user inserts the device and presses the button"),
        [PCI_SLOT_EV_INSERTED_POWERED] = GO(ON, ANNOUNCE, KEEP,
            "pciehp powers the slot before it looks for a device; shpchp cannot (SHPC 3.5)"),
        [PCI_SLOT_EV_EMPTIED] = NEVER(EMPTY, "the slot is empty"),
        [PCI_SLOT_EV_DEL] = NEVER(EMPTY, NOT_EMPTY),
        [PCI_SLOT_EV_DEL_EARLY] = NEVER(EMPTY, EARLY_ONLY_REQUESTED),
        [PCI_SLOT_EV_DEL_LATE] = NEVER(EMPTY, NOT_EMPTY),
        [PCI_SLOT_EV_DEL_UNSEEN] = GO(EMPTY, DISCARD, KEEP,
            "PCI 3.2.2.3.4: functions without a function 0 are invisible to the guest"),
        [PCI_SLOT_EV_CANCEL] = GO(EMPTY, REJECT, KEEP, TO_CANCEL),
        [PCI_SLOT_EV_DEADLINE] = NEVER(EMPTY, NO_DEADLINE),
        [PCI_SLOT_EV_BLINK] = STAY(EMPTY, NO_REQUEST),
        [PCI_SLOT_EV_STEADY] = STAY(EMPTY, NO_REQUEST),
        [PCI_SLOT_EV_POWER_ON] = STAY(EMPTY,
            "PCIe 7.5.3.10: an empty slot may be powered; SHPC 3.5 forbids it"),
        [PCI_SLOT_EV_POWER_OFF] = STAY(EMPTY, "pciehp switches power off after a removal"),
        [PCI_SLOT_EV_RELEASED] = STAY(EMPTY, WAITS),
    },
    [PCI_SLOT_OFF] = {
        [PCI_SLOT_EV_RESET] = GO(ON, NO_ACTION, NONE, RESET_WHY),
        [PCI_SLOT_EV_INSERTED_COLD] = NEVER(OFF, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED] = NEVER(OFF, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED_POWERED] = NEVER(OFF, ONE_DEVICE),
        [PCI_SLOT_EV_EMPTIED] = GO(EMPTY, NO_ACTION, REMOVED, EMPTIED_WHY),
        [PCI_SLOT_EV_DEL] = NEVER(OFF, UNPOWERED),
        [PCI_SLOT_EV_DEL_EARLY] = NEVER(OFF, EARLY_ONLY_REQUESTED),
        [PCI_SLOT_EV_DEL_LATE] = NEVER(OFF, UNPOWERED),
        [PCI_SLOT_EV_DEL_UNSEEN] = GO(EJECTING, REMOVE, POWERED_OFF, UNSEEN_WHY),
        [PCI_SLOT_EV_CANCEL] = GO(OFF, REJECT, KEEP, TO_CANCEL),
        [PCI_SLOT_EV_DEADLINE] = NEVER(OFF, NO_DEADLINE),
        [PCI_SLOT_EV_BLINK] = STAY(OFF,
            "PCIe 6.7.1.1.2, SHPC 2.5: the indicator blinks while the guest powers the slot"),
        [PCI_SLOT_EV_STEADY] = STAY(OFF, NO_REQUEST),
        [PCI_SLOT_EV_POWER_ON] = GO(ON, NO_ACTION, KEEP,
            "PCIe 7.5.3.10 Power Controller Control, SHPC 3.5 Slot Operation"),
        [PCI_SLOT_EV_POWER_OFF] = NEVER(OFF, "the slot has no power"),
        [PCI_SLOT_EV_RELEASED] = STAY(OFF, WAITS),
    },
    [PCI_SLOT_ON] = {
        [PCI_SLOT_EV_RESET] = GO(ON, NO_ACTION, NONE, RESET_WHY),
        [PCI_SLOT_EV_INSERTED_COLD] = NEVER(ON, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED] = NEVER(ON, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED_POWERED] = NEVER(ON, ONE_DEVICE),
        [PCI_SLOT_EV_EMPTIED] = GO(EMPTY, NO_ACTION, REMOVED, EMPTIED_WHY),
        [PCI_SLOT_EV_DEL] = GO(REQUESTED, PRESS, REQUESTED, PRESS_WHY),
        [PCI_SLOT_EV_DEL_EARLY] = NEVER(ON, EARLY_ONLY_REQUESTED),
        [PCI_SLOT_EV_DEL_LATE] = GO(ACCEPTED, NO_ACTION, ACCEPTED,
            "pciehp and shpchp still process the first press; a second one would cancel it"),
        [PCI_SLOT_EV_DEL_UNSEEN] = GO(EJECTING, REMOVE, POWERED_OFF,
            "PCIe 6.7.1.1.2: without its bridge the guest does not use the device"),
        [PCI_SLOT_EV_CANCEL] = GO(ON, REJECT, KEEP, TO_CANCEL),
        [PCI_SLOT_EV_DEADLINE] = NEVER(ON, NO_DEADLINE),
        [PCI_SLOT_EV_BLINK] = STAY(ON, NO_REQUEST),
        [PCI_SLOT_EV_STEADY] = STAY(ON, NO_REQUEST),
        [PCI_SLOT_EV_POWER_ON] = NEVER(ON, HAS_POWER),
        [PCI_SLOT_EV_POWER_OFF] = GO(OFF, NO_ACTION, KEEP,
            "PCIe 7.5.3.10, SHPC 3.5: the guest switches the slot off of its own accord"),
        [PCI_SLOT_EV_RELEASED] = STAY(ON, WAITS),
    },
    [PCI_SLOT_REQUESTED] = {
        [PCI_SLOT_EV_RESET] = GO(ON, NO_ACTION, NONE, RESET_WHY),
        [PCI_SLOT_EV_INSERTED_COLD] = NEVER(REQUESTED, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED] = NEVER(REQUESTED, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED_POWERED] = NEVER(REQUESTED, ONE_DEVICE),
        [PCI_SLOT_EV_EMPTIED] = GO(EMPTY, NO_ACTION, REMOVED, EMPTIED_WHY),
        [PCI_SLOT_EV_DEL] = GO(REQUESTED, PRESS, REQUESTED,
            "a guest that has not blinked within 5 s did not see the button; it may have booted"),
        [PCI_SLOT_EV_DEL_EARLY] = GO(REQUESTED, REJECT, KEEP, BUSY),
        [PCI_SLOT_EV_DEL_LATE] = NEVER(REQUESTED, "the last request has not timed out"),
        [PCI_SLOT_EV_DEL_UNSEEN] = GO(EJECTING, REMOVE, POWERED_OFF, UNSEEN_WHY),
        [PCI_SLOT_EV_CANCEL] = GO(ON, PRESS, CANCELLED,
            "PCIe 6.7.1.5, SHPC 2.5: a second press within 5 s cancels the first"),
        [PCI_SLOT_EV_DEADLINE] = GO(ON, FAIL, TIMED_OUT, "unplug-timeout of device_del"),
        [PCI_SLOT_EV_BLINK] = GO(ACCEPTED, NO_ACTION, ACCEPTED,
            "PCIe 6.7.1.1.2, SHPC 2.5: a blinking power indicator acknowledges the button"),
        [PCI_SLOT_EV_STEADY] = STAY(REQUESTED, "the guest finishes an earlier operation first"),
        [PCI_SLOT_EV_POWER_ON] = NEVER(REQUESTED, HAS_POWER),
        [PCI_SLOT_EV_POWER_OFF] = GO(EJECTING, REMOVE, POWERED_OFF,
            "PCIe 6.7.1.1.2, SHPC 2.5: power off ends the removal sequence of the guest"),
        [PCI_SLOT_EV_RELEASED] = STAY(REQUESTED, WAITS),
    },
    [PCI_SLOT_ACCEPTED] = {
        [PCI_SLOT_EV_RESET] = GO(ON, NO_ACTION, NONE, RESET_WHY),
        [PCI_SLOT_EV_INSERTED_COLD] = NEVER(ACCEPTED, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED] = NEVER(ACCEPTED, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED_POWERED] = NEVER(ACCEPTED, ONE_DEVICE),
        [PCI_SLOT_EV_EMPTIED] = GO(EMPTY, NO_ACTION, REMOVED, EMPTIED_WHY),
        [PCI_SLOT_EV_DEL] = GO(ACCEPTED, REJECT, KEEP, BUSY),
        [PCI_SLOT_EV_DEL_EARLY] = NEVER(ACCEPTED, EARLY_ONLY_REQUESTED),
        [PCI_SLOT_EV_DEL_LATE] = NEVER(ACCEPTED, "the last request has not timed out"),
        [PCI_SLOT_EV_DEL_UNSEEN] = GO(ACCEPTED, REJECT, KEEP, BUSY),
        [PCI_SLOT_EV_CANCEL] = GO(ON, PRESS, CANCELLED,
            "PCIe 6.7.1.5, SHPC 2.5: a second press within 5 s cancels the first"),
        [PCI_SLOT_EV_DEADLINE] = GO(ON, FAIL, TIMED_OUT, "unplug-timeout of device_del"),
        [PCI_SLOT_EV_BLINK] = STAY(ACCEPTED, "the request is already acknowledged"),
        [PCI_SLOT_EV_STEADY] = GO(ON, FAIL, REFUSED,
            "PCIe 6.7.1.1.2, SHPC 2.5: a steady indicator means that the slot stays in use"),
        [PCI_SLOT_EV_POWER_ON] = NEVER(ACCEPTED, HAS_POWER),
        [PCI_SLOT_EV_POWER_OFF] = GO(EJECTING, REMOVE, POWERED_OFF,
            "PCIe 6.7.1.1.2, SHPC 2.5: power off ends the removal sequence of the guest"),
        [PCI_SLOT_EV_RELEASED] = STAY(ACCEPTED, WAITS),
    },
    [PCI_SLOT_EJECTING] = {
        [PCI_SLOT_EV_RESET] = GO(ON, NO_ACTION, NONE, RESET_WHY),
        [PCI_SLOT_EV_INSERTED_COLD] = NEVER(EJECTING, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED] = NEVER(EJECTING, ONE_DEVICE),
        [PCI_SLOT_EV_INSERTED_POWERED] = NEVER(EJECTING, ONE_DEVICE),
        [PCI_SLOT_EV_EMPTIED] = GO(EMPTY, NO_ACTION, REMOVED, EMPTIED_WHY),
        [PCI_SLOT_EV_DEL] = GO(EJECTING, REJECT, KEEP, BUSY),
        [PCI_SLOT_EV_DEL_EARLY] = NEVER(EJECTING, EARLY_ONLY_REQUESTED),
        [PCI_SLOT_EV_DEL_LATE] = NEVER(EJECTING, "the last request has not timed out"),
        [PCI_SLOT_EV_DEL_UNSEEN] = GO(EJECTING, REJECT, KEEP, BUSY),
        [PCI_SLOT_EV_CANCEL] = GO(EJECTING, REJECT, KEEP,
            "PCIe 6.7.1.1.2: the guest has released the device; a press would mean insertion"),
        [PCI_SLOT_EV_DEADLINE] = NEVER(EJECTING, NO_DEADLINE),
        [PCI_SLOT_EV_BLINK] = STAY(EJECTING, "the guest has released the device"),
        [PCI_SLOT_EV_STEADY] = STAY(EJECTING, "the guest has released the device"),
        [PCI_SLOT_EV_POWER_ON] = STAY(EJECTING,
            "the removal is only postponed; the guest then sees a surprise removal (PCIe 6.7.3.1)"),
        [PCI_SLOT_EV_POWER_OFF] = GO(EJECTING, REMOVE, POWERED_OFF,
            "as RELEASED; the guest powered the slot in between"),
        [PCI_SLOT_EV_RELEASED] = GO(EJECTING, REMOVE, KEEP,
            "PCIe 6.7.1.4: the interlock opened; or a migration that postponed the removal ended"),
    },
};

const PCISlotTransition *pci_slot_transition(PCISlotState state, PCISlotEvent event)
{
    return &slot_table[state][event];
}

/* --- names --- */

const char *pci_unplug_state_name(PCIUnplugState s)
{
    static const char *const names[PCI_UNPLUG_STATES] = {
        "none",    "requested", "accepted",  "powered-off",
        "removed", "refused",   "timed-out", "cancelled",
    };

    return names[s];
}

const char *pci_slot_state_name(PCISlotState s)
{
    static const char *const names[PCI_SLOT_STATES] = {
        "EMPTY", "OFF", "ON", "REQUESTED", "ACCEPTED", "EJECTING",
    };

    return names[s];
}

const char *pci_slot_event_name(PCISlotEvent e)
{
    static const char *const names[PCI_SLOT_EVENTS] = {
        "RESET",     "INSERTED_COLD", "INSERTED",   "INSERTED_POWERED", "EMPTIED",  "DEL",
        "DEL_EARLY", "DEL_LATE",      "DEL_UNSEEN", "CANCEL",           "DEADLINE", "BLINK",
        "STEADY",    "POWER_ON",      "POWER_OFF",  "RELEASED",
    };

    return names[e];
}

const char *pci_slot_action_name(PCISlotAction a)
{
    static const char *const names[PCI_SLOT_ACTIONS] = {
        "", "ANNOUNCE", "PRESS", "FAIL", "REMOVE", "REJECT", "DISCARD",
    };

    return names[a];
}
