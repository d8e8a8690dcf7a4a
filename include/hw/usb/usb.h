/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB: a bus of ports behind a host controller, and the devices in the ports (USB 2.0).
 *
 * A controller embeds a USBBus and provides its USBBusOps. A device is a Device in one port, with a
 * USBDeviceType: descriptors, class requests and data endpoints. The device core responds to the
 * standard requests of chapter 9 from the descriptors, and implements the stages of the default
 * pipe. The controller sends packets with usb_packet(), which always completes: a device without
 * data responds with USB_NAK, and calls usb_wakeup() when it has some.
 *
 * All devices are USB 2.0 devices of full or high speed. There are no hubs.
 *
 * Every function and every callback requires the machine lock.
 */
#ifndef HW_USB_USB_H
#define HW_USB_USB_H

#include <linux/usb/ch9.h>

#include "hw/core/device.h"

enum {
    USB_MAX_PORTS = 15,
    USB_ENDPOINTS = 16,
    USB_CONTROL_MAX = 1024, /* bytes of the data stage of a request */
    USB_SETUP_SIZE = 8,
};

typedef struct USBBus USBBus;
typedef struct USBDevice USBDevice;

typedef enum USBPid { USB_PID_SETUP, USB_PID_IN, USB_PID_OUT } USBPid;

/* The response to a packet. */
typedef enum USBResult {
    USB_DONE,   /* acknowledged; `actual` is set */
    USB_NAK,    /* nothing was transferred; see usb_wakeup() */
    USB_STALL,  /* the endpoint is halted, or the request is not supported */
    USB_BABBLE, /* the device has more data than `len` */
} USBResult;

typedef struct USBPacket {
    USBPid pid;
    uint8_t endpoint; /* number, without the direction */
    uint8_t *data;    /* USB_PID_IN: receives the data */
    uint32_t len;     /* bytes of data; for USB_PID_IN, at most */
    uint32_t actual;  /* bytes that were transferred */
} USBPacket;

/* The operations of a controller. */
typedef struct USBBusOps {
    /* A device was plugged into its port, or is being unplugged from it. */
    void (*attached)(USBBus *bus, USBDevice *dev);
    void (*detached)(USBBus *bus, USBDevice *dev);
    /* An IN endpoint has data after it responded with USB_NAK. Any context with the machine lock:
     * the controller schedules its work. */
    void (*wakeup)(USBBus *bus, USBDevice *dev, unsigned endpoint);
} USBBusOps;

struct USBBus {
    Bus bus;
    const USBBusOps *ops;
    unsigned n_ports; /* ports that accept devices, from 1 on */
};

/* A request of the default pipe (USB 2.0, 9.3), in the byte order of the host. */
typedef struct USBRequest {
    uint8_t type, request; /* bmRequestType, bRequest */
    uint16_t value, index, length;
} USBRequest;

/* An endpoint besides endpoint 0: of type interrupt. */
typedef struct USBEndpoint {
    uint8_t address; /* with USB_DIR_IN */
    uint16_t max_packet;
    uint8_t interval_full; /* milliseconds, 1 to 255 */
    uint8_t interval_high; /* 2^(n-1) microframes, 1 to 16 */
} USBEndpoint;

/* The descriptors of a device with one configuration and one interface. */
typedef struct USBDescriptors {
    uint16_t vendor, product, release;
    const char *manufacturer, *name;
    const char *serial; /* beginning of the default serial number */
    uint8_t attributes; /* USB_CONFIG_ATT_*, besides USB_CONFIG_ATT_ONE */
    uint8_t power;      /* in units of 2 mA */
    uint8_t interface_class, subclass, protocol;
    const uint8_t *class_descriptor; /* between the interface and its endpoint */
    uint8_t class_len;
    USBEndpoint endpoint;
} USBDescriptors;

/* The stage of the default pipe. Saved. */
typedef enum USBStage {
    USB_STAGE_IDLE,
    USB_STAGE_IN,  /* the device sends data; then the status stage */
    USB_STAGE_OUT, /* the device receives data; then the status stage executes the request */
    USB_STAGE_STALL,
    USB_STAGES
} USBStage;

/* An instance's structure starts with one. */
struct USBDevice {
    Device dev;
    /* properties */
    uint32_t port;        /* the planner chooses it */
    uint32_t usb_version; /* 1: full speed; 2: high speed */
    char *serial;
    /* guest-visible state */
    uint8_t address;       /* 0: default address */
    uint8_t configuration; /* 0: not configured */
    bool remote_wakeup;
    uint32_t halted; /* bit n: OUT endpoint n; bit 16 + n: IN endpoint n */
    uint8_t setup[USB_SETUP_SIZE];
    uint8_t stage; /* USBStage */
    uint16_t control_len, control_at;
    uint8_t control[USB_CONTROL_MAX];
};

typedef struct USBDeviceType {
    DeviceType base;
    const USBDescriptors *descriptors;
    /* Execute a request that chapter 9 does not define, or that is for the interface. @data: the
     * `length` bytes received, or room for `length` bytes to send, which is at most
     * USB_CONTROL_MAX. Return the bytes to send, or -1 to respond with USB_STALL. */
    int (*request)(USBDevice *dev, const USBRequest *r, uint8_t *data);
    /* Transfer a packet of an endpoint of the descriptors in the configured state. */
    USBResult (*transfer)(USBDevice *dev, USBPacket *p);
    /* Return to the state after a USB reset. */
    void (*bus_reset)(USBDevice *dev);
} USBDeviceType;

extern const DeviceKind usb_device_kind;

/* Entry of a type in the table of types; base_: the path to its DeviceType. */
#define USB_DEVICE_TYPE(t, base_)                                                                  \
    extern const DeviceType *const t##_entry;                                                      \
    const DeviceType *const t##_entry = &(t).base_

/* --- the bus, for controllers --- */

/**
 * usb_bus_init() - Create the bus of a controller, named after it.
 * @n_ports: at most USB_MAX_PORTS
 * @err:     names a bus that exists already
 *
 * Sets Device.child_bus. usb_bus_fini() undoes it.
 */
bool usb_bus_init(USBBus *bus, Device *owner, const USBBusOps *ops, unsigned n_ports, GError **err);
void usb_bus_fini(USBBus *bus);

/** usb_bus_find() - Get the device in a port; NULL: none. */
USBDevice *usb_bus_find(USBBus *bus, unsigned port);

/** usb_device_reset() - Return a device to the state after a USB reset (7.1.7.5): address 0. */
void usb_device_reset(USBDevice *dev);

/** usb_device_speed() - Get the speed at which a device operates. */
enum usb_device_speed usb_device_speed(const USBDevice *dev);

/**
 * usb_packet() - Send a packet to a device.
 * @p: for endpoint 0, `len` may exceed the packet size: the data of all packets of the stage
 *
 * Return: the response. p->actual is set, and is 0 unless the response is USB_DONE.
 */
USBResult usb_packet(USBDevice *dev, USBPacket *p);

/* --- for devices and monitors --- */

/** usb_wakeup() - Report that an IN endpoint has data. */
void usb_wakeup(USBDevice *dev, unsigned endpoint);

/** usb_device_name() - Get the product name; borrowed. */
const char *usb_device_name(const USBDevice *dev);

/* The saved state of the device core, as a row of a table of a type. */
extern const VmState usb_device_state;
#define VM_USB(T, m) VM_STRUCT(T, m, &usb_device_state)

#endif
