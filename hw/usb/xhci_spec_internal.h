/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers, contexts and TRBs of the eXtensible Host Controller Interface, revision 1.0. The
 * numbers in parentheses are sections of it.
 */
#ifndef HW_USB_XHCI_SPEC_INTERNAL_H
#define HW_USB_XHCI_SPEC_INTERNAL_H

#include <stdint.h>

/* Offsets in BAR 0. */
enum {
    XHCI_REG_CAPLENGTH = 0x00,
    XHCI_REG_HCIVERSION = 0x02,
    XHCI_REG_HCSPARAMS1 = 0x04,
    XHCI_REG_HCSPARAMS2 = 0x08,
    XHCI_REG_HCSPARAMS3 = 0x0c,
    XHCI_REG_HCCPARAMS1 = 0x10,
    XHCI_REG_DBOFF = 0x14,
    XHCI_REG_RTSOFF = 0x18,
    XHCI_REG_USB2 = 0x20, /* Supported Protocol Capabilities (7.2) */
    XHCI_REG_USB3 = 0x30,
    XHCI_REG_OPERATIONAL = 0x40, /* CAPLENGTH */
    XHCI_REG_USBCMD = 0x40,
    XHCI_REG_USBSTS = 0x44,
    XHCI_REG_PAGESIZE = 0x48,
    XHCI_REG_DNCTRL = 0x54,
    XHCI_REG_CRCR = 0x58,
    XHCI_REG_DCBAAP = 0x70,
    XHCI_REG_CONFIG = 0x78,
    XHCI_REG_PORTS = 0x440,
    XHCI_REG_RUNTIME = 0x1000,
    XHCI_REG_INTERRUPTERS = 0x1020,
    XHCI_REG_DOORBELLS = 0x2000,
    XHCI_REG_MSIX_TABLE = 0x3000,
    XHCI_REG_MSIX_PBA = 0x3800,
    XHCI_PORT_BYTES = 0x10,
    XHCI_INTERRUPTER_BYTES = 0x20,
};

/* USBCMD (5.4.1), USBSTS (5.4.2), CRCR (5.4.5) */
enum {
    XHCI_CMD_RUN = 1 << 0,
    XHCI_CMD_RESET = 1 << 1,
    XHCI_CMD_EIE = 1 << 2,
    XHCI_CMD_HSEIE = 1 << 3,
    XHCI_CMD_CSS = 1 << 8,
    XHCI_CMD_CRS = 1 << 9,
    XHCI_CMD_EWE = 1 << 10,
    XHCI_CMD_EU3S = 1 << 11,
    XHCI_CMD_KEPT = XHCI_CMD_RUN | XHCI_CMD_EIE | XHCI_CMD_HSEIE | XHCI_CMD_EWE | XHCI_CMD_EU3S,
    XHCI_STS_HALT = 1 << 0,
    XHCI_STS_FATAL = 1 << 2, /* Host System Error */
    XHCI_STS_EINT = 1 << 3,
    XHCI_STS_PORT = 1 << 4,
    XHCI_STS_SRE = 1 << 10,
    XHCI_CRCR_CYCLE = 1 << 0,
    XHCI_CRCR_STOP = 1 << 1,
    XHCI_CRCR_ABORT = 1 << 2,
    XHCI_CRCR_RUNNING = 1 << 3,
};

/* PORTSC (5.4.8) */
enum {
    XHCI_PORT_CONNECT = 1 << 0,
    XHCI_PORT_ENABLED = 1 << 1,
    XHCI_PORT_RESET = 1 << 4,
    XHCI_PORT_PLS_SHIFT = 5,
    XHCI_PORT_PLS = 15 << 5,
    XHCI_PORT_POWER = 1 << 9,
    XHCI_PORT_SPEED_SHIFT = 10,
    XHCI_PORT_SPEED = 15 << 10,
    XHCI_PORT_INDICATOR = 3 << 14,
    XHCI_PORT_LINK_STROBE = 1 << 16,
    XHCI_PORT_CSC = 1 << 17,
    XHCI_PORT_PEC = 1 << 18,
    XHCI_PORT_WRC = 1 << 19,
    XHCI_PORT_OCC = 1 << 20,
    XHCI_PORT_PRC = 1 << 21,
    XHCI_PORT_PLC = 1 << 22,
    XHCI_PORT_CEC = 1 << 23,
    XHCI_PORT_CHANGES = 0x7f << 17,
    XHCI_PORT_WAKES = 7 << 25,
    XHCI_PLS_U0 = 0,
    XHCI_PLS_U3 = 3,
    XHCI_PLS_DISABLED = 4,
    XHCI_PLS_RX_DETECT = 5,
    XHCI_PLS_POLLING = 7,
    XHCI_PLS_RESUME = 15,
    XHCI_SPEED_FULL = 1, /* (7.2.2.1.1) */
    XHCI_SPEED_HIGH = 3,
};

/* Runtime registers (5.5) */
enum {
    XHCI_IMAN_IP = 1 << 0,
    XHCI_IMAN_IE = 1 << 1,
    XHCI_ERDP_EHB = 1 << 3,
    XHCI_MFINDEX_NS = 125000,
    XHCI_MFINDEX_MASK = 0x3fff,
};

/* TRBs (6.4) */
enum {
    XHCI_TRB_BYTES = 16,
    XHCI_TRB_CYCLE = 1 << 0,
    XHCI_TRB_TC = 1 << 1, /* Toggle Cycle of a Link TRB */
    XHCI_TRB_ISP = 1 << 2,
    XHCI_TRB_CHAIN = 1 << 4,
    XHCI_TRB_IOC = 1 << 5,
    XHCI_TRB_IDT = 1 << 6,
    XHCI_TRB_BEI = 1 << 9,
    XHCI_TRB_BSR = 1 << 9,  /* of Address Device */
    XHCI_TRB_DC = 1 << 9,   /* of Configure Endpoint */
    XHCI_TRB_DIR = 1 << 16, /* of Data Stage and Status Stage */
    XHCI_EVENT_ED = 1 << 2,
    XHCI_TRB_MAX_LEN = 0x10000,
    XHCI_TRB_LEN = 0x1ffff,
};
typedef enum XhciTrbType {
    XHCI_TRB_NORMAL = 1,
    XHCI_TRB_SETUP = 2,
    XHCI_TRB_DATA = 3,
    XHCI_TRB_STATUS = 4,
    XHCI_TRB_LINK = 6,
    XHCI_TRB_EVENT_DATA = 7,
    XHCI_TRB_NOOP = 8,
    XHCI_TRB_ENABLE_SLOT = 9,
    XHCI_TRB_DISABLE_SLOT = 10,
    XHCI_TRB_ADDRESS_DEVICE = 11,
    XHCI_TRB_CONFIGURE_ENDPOINT = 12,
    XHCI_TRB_EVALUATE_CONTEXT = 13,
    XHCI_TRB_RESET_ENDPOINT = 14,
    XHCI_TRB_STOP_ENDPOINT = 15,
    XHCI_TRB_SET_DEQUEUE = 16,
    XHCI_TRB_RESET_DEVICE = 17,
    XHCI_TRB_GET_BANDWIDTH = 21,
    XHCI_TRB_NOOP_COMMAND = 23,
    XHCI_EVENT_TRANSFER = 32,
    XHCI_EVENT_COMMAND = 33,
    XHCI_EVENT_PORT = 34,
    XHCI_EVENT_HOST = 37,
    XHCI_EVENT_MFINDEX_WRAP = 39,
} XhciTrbType;

/* Completion codes (6.4.5) */
typedef enum XhciCode {
    XHCI_CODE_NONE = 0, /* not complete */
    XHCI_CODE_SUCCESS = 1,
    XHCI_CODE_BABBLE = 3,
    XHCI_CODE_TRANSACTION = 4,
    XHCI_CODE_TRB = 5,
    XHCI_CODE_STALL = 6,
    XHCI_CODE_NO_SLOTS = 9,
    XHCI_CODE_SLOT_NOT_ENABLED = 11,
    XHCI_CODE_ENDPOINT_NOT_ENABLED = 12,
    XHCI_CODE_SHORT_PACKET = 13,
    XHCI_CODE_PARAMETER = 17,
    XHCI_CODE_CONTEXT_STATE = 19,
    XHCI_CODE_RING_FULL = 21,
    XHCI_CODE_RING_STOPPED = 24,
    XHCI_CODE_STOPPED = 26,
} XhciCode;

/* Contexts of 32 bytes (6.2) */
enum {
    XHCI_CONTEXT_BYTES = 32,
    XHCI_CONTEXT_WORDS = 8,
    XHCI_SLOT_DISABLED = 0, /* not in the Slot Context: the slot is free */
    XHCI_SLOT_ENABLED,      /* the Slot Context contains 0 */
    XHCI_SLOT_DEFAULT,
    XHCI_SLOT_ADDRESSED,
    XHCI_SLOT_CONFIGURED,
    XHCI_EP_DISABLED = 0,
    XHCI_EP_RUNNING,
    XHCI_EP_HALTED,
    XHCI_EP_STOPPED,
    XHCI_EP_ERROR,
    XHCI_EP_STATES,
    XHCI_EP_CONTROL = 4, /* EP Type: bit 2 is the direction IN, bits 1:0 the transfer type */
    XHCI_EP_BULK_OUT = 2,
    XHCI_EP_INTERRUPT_OUT = 3,
    XHCI_EP_BULK_IN = 6,
    XHCI_EP_INTERRUPT_IN = 7,
};

#endif
