/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Standard Hot-Plug Controller of conventional bridges (SHPC = PCI Standard Hot-Plug
 * Controller and Subsystem Specification 1.0; docs/specs/shpc.md describes the registers).
 *
 * The instance of a type that can have a controller starts with PCIShpcBridge, and the type lists
 * PCI_CAP_SHPC in its capability table. With the capability the bridge has an interrupt pin, BAR 0
 * with the working registers, and a hot-plug slot for each device number from 1 on. Device number 0
 * belongs to the controller and cannot be used. The bus runs at 33 MHz conventional and supports no
 * other mode. A command is carried out inside the write that issues it, so Controller Busy is never
 * set.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_PCI_SHPC_H
#define HW_PCI_SHPC_H

#include "hw/pci/slot.h"

enum { SHPC_SLOTS = 31, SHPC_FIRST_DEVICE = 1, SHPC_BAR = 0, SHPC_BAR_SIZE = 256 };

/* the capability (SHPC 4.1) */
enum {
    SHPC_CAP_SELECT = 2,  /* DWORD Select */
    SHPC_CAP_PENDING = 3, /* Controller SERR and Interrupt Pending */
    SHPC_CAP_DATA = 4,    /* DWORD Data: the selected dword of the working registers */
    SHPC_CAP_SIZEOF = 8,
    SHPC_CSP = 1 << 6,
    SHPC_CIP = 1 << 7,
};

/* the working registers (SHPC 4.2 to 4.11) */
enum {
    SHPC_BASE_OFFSET = 0x00,
    SHPC_SLOTS_AVAILABLE_1 = 0x04,
    SHPC_SLOTS_AVAILABLE_2 = 0x08,
    SHPC_SLOT_CONFIG = 0x0c,
    SHPC_BUS_CONFIG = 0x10,
    SHPC_COMMAND = 0x14,
    SHPC_TARGET = 0x15,
    SHPC_STATUS = 0x16,
    SHPC_INT_LOCATOR = 0x18,
    SHPC_SERR_LOCATOR = 0x1c,
    SHPC_SERR_INT = 0x20,
    SHPC_SLOT = 0x24, /* the first of the logical slot registers */
    SHPC_END = SHPC_SLOT + 4 * SHPC_SLOTS,
};
/* Slot Configuration */
#define SHPC_CONFIG_FIRST_SHIFT  8
#define SHPC_CONFIG_NUMBER_SHIFT 16
#define SHPC_CONFIG_NUMBERS_UP   (1u << 29)
#define SHPC_CONFIG_MRL          (1u << 30)
#define SHPC_CONFIG_BUTTON       (1u << 31)
/* Command: operations on a slot are 00 aa pp ss (attention, power indicator, state) */
enum {
    SHPC_CMD_STATE = 3 << 0,
    SHPC_CMD_POWER_SHIFT = 2,
    SHPC_CMD_ATTENTION_SHIFT = 4,
    SHPC_CMD_SLOT_LAST = 0x3f,
    SHPC_CMD_SPEED_33 = 0x40,
    SHPC_CMD_SPEED_LAST = 0x47,
    SHPC_CMD_POWER_ONLY_ALL = 0x48,
    SHPC_CMD_ENABLE_ALL = 0x49,
};
/* Command Status */
enum {
    SHPC_STATUS_BUSY = 1 << 0,
    SHPC_STATUS_MRL_OPEN = 1 << 1,
    SHPC_STATUS_INVALID_COMMAND = 1 << 2,
    SHPC_STATUS_INVALID_SPEED = 1 << 3,
};
/* Controller SERR-INT */
enum {
    SHPC_GLOBAL_INT_MASK = 1 << 0,
    SHPC_GLOBAL_SERR_MASK = 1 << 1,
    SHPC_COMMAND_INT_MASK = 1 << 2,
    SHPC_ARBITER_SERR_MASK = 1 << 3,
    SHPC_COMMAND_COMPLETE = 1 << 16,
    SHPC_ARBITER_TIMEOUT = 1 << 17,
};
/* a logical slot register */
enum {
    SHPC_SLOT_STATE = 3 << 0,
    SHPC_SLOT_POWER_SHIFT = 2,
    SHPC_SLOT_ATTENTION_SHIFT = 4,
    SHPC_SLOT_POWER_FAULT = 1 << 6,
    SHPC_SLOT_BUTTON = 1 << 7,
    SHPC_SLOT_MRL_OPEN = 1 << 8,
    SHPC_SLOT_66MHZ = 1 << 9,
    SHPC_SLOT_EMPTY = 3 << 10, /* neither PRSNT1# nor PRSNT2# is grounded */
    SHPC_SLOT_PRESENCE_CHANGED = 1 << 16,
    SHPC_SLOT_ISOLATED_FAULT = 1 << 17,
    SHPC_SLOT_BUTTON_PRESSED = 1 << 18,
    SHPC_SLOT_MRL_CHANGED = 1 << 19,
    SHPC_SLOT_CONNECTED_FAULT = 1 << 20,
    SHPC_SLOT_EVENTS = 0x1f << 16,
    SHPC_SLOT_INT_MASK_SHIFT = 8, /* from an event to its interrupt mask */
    SHPC_SLOT_MRL_SERR_MASK = 1 << 29,
    SHPC_SLOT_FAULT_SERR_MASK = 1 << 30,
    SHPC_SLOT_MASKS = 0x7f << 24,
};
typedef enum ShpcState {
    SHPC_NO_CHANGE,
    SHPC_POWER_ONLY, /* power, but not connected to the bus */
    SHPC_ENABLED,
    SHPC_DISABLED,
} ShpcState;

typedef struct PCIShpcBridge {
    PCIBridge br;
    uint16_t shpc_pos; /* the capability; 0: no controller */
    uint8_t command, target;
    uint16_t status;
    uint32_t serr_int;
    uint32_t slot_reg[SHPC_SLOTS]; /* logical slot registers */
    bool serr;                     /* SERR# is asserted. Derived, not saved */
    PCISlot slots[SHPC_SLOTS];
} PCIShpcBridge;

#define PCI_CAP_SHPC                                                                               \
    {                                                                                              \
        .id = 0x0c, .prop = "shpc"                                                                 \
    }

/* --- for the types of the bridges --- */

/**
 * pci_shpc_init() - Set up the controller and its slots.
 *
 * Called by realize(). Without the capability (shpc=off) the slots have a state to save, but do not
 * support hot plug. pci_shpc_fini() undoes it.
 */
void pci_shpc_init(PCIShpcBridge *b);
void pci_shpc_fini(PCIShpcBridge *b);

/* Reset the slots: occupied ones have power afterwards. Called by the type's reset(). */
void pci_shpc_reset(PCIShpcBridge *b);

/* Saved state of a PCIShpcBridge without the record of its function. */
extern const VmState pci_shpc_state;

#endif
