/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usb-tablet, which reports positions, and usb-mouse, which reports movements and has the boot
 * protocol (HID 1.11, appendix B.2).
 */
#include "hid_internal.h"
#include "hw/core/pointer.h"
#include "util/error.h"

enum {
    HID_POINTER_PENDING = 16, /* states that wait for a report; later ones replace the last one */
    HID_POINTER_STEP = 127,   /* of a movement in one report */
    HID_POINTER_BUTTONS = (1 << POINTER_BUTTONS) - 1,
    HID_POINTER_PACKET = 8,
    HID_POINTER_BOOT_BYTES = 3,
};

/* A position or a movement, a movement of the wheel, and the buttons. */
typedef struct PointerReport {
    int32_t x, y, wheel;
    uint8_t buttons;
} PointerReport;

typedef struct USBPointer {
    USBHid hid;
    /* guest-visible state */
    PointerReport now;  /* the last report */
    PointerReport next; /* events since the last pointer_sync() */
    bool changed;       /* `next` has events */
    uint8_t n_pending;
    PointerReport pending[HID_POINTER_PENDING];
} USBPointer;

typedef struct USBPointerType {
    USBHidType hid;
    const PointerOps *ops;
} USBPointerType;

static USBPointer *hid_pointer_of(void *opaque)
{
    return opaque;
}

static const PointerOps *hid_pointer_class(const USBPointer *p)
{
    return ((const USBPointerType *)p->hid.usb.dev.type)->ops;
}

/* --- events --- */

static int32_t hid_pointer_sum(int32_t a, int32_t b)
{
    return (int32_t)CLAMP((int64_t)a + b, -POINTER_MAX, POINTER_MAX);
}

static void hid_pointer_move(void *opaque, PointerAxis axis, int32_t value)
{
    USBPointer *p = hid_pointer_of(opaque);
    int32_t *at = axis == POINTER_X ? &p->next.x : axis == POINTER_Y ? &p->next.y : &p->next.wheel;
    bool position = hid_pointer_class(p)->absolute && axis != POINTER_WHEEL;

    *at = position ? CLAMP(value, 0, POINTER_MAX) : hid_pointer_sum(*at, value);
    p->changed = true;
}

static void hid_pointer_button(void *opaque, PointerButton button, bool down)
{
    USBPointer *p = hid_pointer_of(opaque);
    uint8_t bit = (uint8_t)(1u << button);

    p->next.buttons = (uint8_t)(down ? p->next.buttons | bit : p->next.buttons & ~bit);
    p->changed = true;
}

/* Merge the new state with the last one that waits. */
static void hid_pointer_merge(const USBPointer *p, PointerReport *last)
{
    bool absolute = hid_pointer_class(p)->absolute;

    last->x = absolute ? p->next.x : hid_pointer_sum(last->x, p->next.x);
    last->y = absolute ? p->next.y : hid_pointer_sum(last->y, p->next.y);
    last->wheel = hid_pointer_sum(last->wheel, p->next.wheel);
    last->buttons = p->next.buttons;
}

static void hid_pointer_sync(void *opaque)
{
    USBPointer *p = hid_pointer_of(opaque);
    PointerReport *last = p->n_pending ? &p->pending[p->n_pending - 1] : NULL;

    if (!p->changed) {
        return;
    }
    p->changed = false;
    if (hid_configured(&p->hid)) {
        if (last && (last->buttons == p->next.buttons || p->n_pending == HID_POINTER_PENDING)) {
            hid_pointer_merge(p, last);
        } else {
            p->pending[p->n_pending++] = p->next;
        }
        hid_changed(&p->hid);
    }
    p->next.wheel = 0;
    if (!hid_pointer_class(p)->absolute) {
        p->next.x = p->next.y = 0;
    }
}

/* --- reports --- */

static bool hid_pointer_pending(const USBHid *h)
{
    return ((const USBPointer *)h)->n_pending > 0;
}

/* Move one step of a movement to the report. */
static int32_t hid_pointer_step(int32_t *left)
{
    int32_t step = CLAMP(*left, -HID_POINTER_STEP, HID_POINTER_STEP);

    *left -= step;
    return step;
}

static void hid_pointer_next(USBHid *h)
{
    USBPointer *p = hid_pointer_of(h);
    PointerReport *first = &p->pending[0];
    bool absolute = hid_pointer_class(p)->absolute;

    if (p->n_pending == 0) { /* the idle rate repeats buttons and positions, not movements */
        p->now.wheel = 0;
        p->now.x = absolute ? p->now.x : 0;
        p->now.y = absolute ? p->now.y : 0;
        return;
    }
    p->now.buttons = first->buttons;
    p->now.wheel = hid_pointer_step(&first->wheel);
    p->now.x = absolute ? first->x : hid_pointer_step(&first->x);
    p->now.y = absolute ? first->y : hid_pointer_step(&first->y);
    if (first->wheel || (!absolute && (first->x || first->y))) {
        return; /* the rest follows in the next report */
    }
    p->n_pending--;
    for (unsigned i = 0; i < p->n_pending; i++) {
        p->pending[i] = p->pending[i + 1];
    }
}

static unsigned tablet_report(const USBHid *h, uint8_t *data)
{
    const PointerReport *r = &((const USBPointer *)h)->now;

    data[0] = r->buttons;
    data[1] = (uint8_t)r->x;
    data[2] = (uint8_t)(r->x >> 8);
    data[3] = (uint8_t)r->y;
    data[4] = (uint8_t)(r->y >> 8);
    data[5] = (uint8_t)r->wheel;
    return 6;
}

static unsigned mouse_report(const USBHid *h, uint8_t *data)
{
    const PointerReport *r = &((const USBPointer *)h)->now;

    data[0] = r->buttons;
    data[1] = (uint8_t)r->x;
    data[2] = (uint8_t)r->y;
    data[3] = (uint8_t)r->wheel;
    return h->protocol == HID_PROTOCOL_BOOT ? HID_POINTER_BOOT_BYTES : 4;
}

/* --- life --- */

static void hid_pointer_clear(USBHid *h)
{
    USBPointer *p = hid_pointer_of(h);

    p->now = p->next = (PointerReport){ 0 };
    p->changed = false;
    p->n_pending = 0;
    for (unsigned i = 0; i < HID_POINTER_PENDING; i++) {
        p->pending[i] = (PointerReport){ 0 };
    }
}

static bool hid_pointer_realize(void *dev, GError **err)
{
    USBPointer *p = hid_pointer_of(dev);

    pointer_register(p->hid.usb.dev.machine, hid_pointer_class(p), p);
    return hid_realize(dev, err);
}

static void hid_pointer_unrealize(void *dev)
{
    USBPointer *p = hid_pointer_of(dev);

    pointer_unregister(p->hid.usb.dev.machine, hid_pointer_class(p), p);
    hid_unrealize(dev);
}

/* --- saved state --- */

static bool hid_pointer_check(void *obj, GError **err)
{
    const USBPointer *p = obj;
    const PointerReport *all[HID_POINTER_PENDING + 2] = { &p->now, &p->next };

    for (unsigned i = 0; i < HID_POINTER_PENDING; i++) {
        all[i + 2] = &p->pending[i];
    }
    for (size_t i = 0; i < G_N_ELEMENTS(all) && hid_pointer_class(p)->absolute; i++) {
        if (all[i]->x < 0 || all[i]->y < 0) {
            return error_set(err, ERROR_GUEST, "position %d, %d is not on a display", all[i]->x,
                             all[i]->y);
        }
    }
    return true;
}

static const VmField hid_pointer_report_fields[] = {
    VM_I32(PointerReport, x, .min = (uint64_t)-POINTER_MAX, .max = POINTER_MAX),
    VM_I32(PointerReport, y, .min = (uint64_t)-POINTER_MAX, .max = POINTER_MAX),
    VM_I32(PointerReport, wheel, .min = (uint64_t)-POINTER_MAX, .max = POINTER_MAX),
    VM_U8(PointerReport, buttons, .mask = HID_POINTER_BUTTONS),
};
static const VmState hid_pointer_report_state = { .name = "usb-pointer-report",
                                                  .version = 1,
                                                  .fields = LIST(hid_pointer_report_fields) };
static const VmField hid_pointer_fields[] = {
    VM_STRUCT(USBPointer, hid, &hid_state),
    VM_STRUCT(USBPointer, now, &hid_pointer_report_state),
    VM_STRUCT(USBPointer, next, &hid_pointer_report_state),
    VM_BOOL(USBPointer, changed),
    VM_U8(USBPointer, n_pending, .max = HID_POINTER_PENDING),
    VM_STRUCT_ARRAY(USBPointer, pending, &hid_pointer_report_state),
};
static const VmState hid_pointer_state = { .name = "usb-pointer",
                                           .version = 1,
                                           .fields = LIST(hid_pointer_fields),
                                           .check = hid_pointer_check };

/* --- the types --- */

/* clang-format off */
#define REPORT_BUTTONS                                                                             \
    0x05, 0x09, 0x19, 0x01, 0x29, POINTER_BUTTONS, /* Usage Page (Button), 1 to 5 */               \
    0x15, 0x00, 0x25, 0x01, 0x95, POINTER_BUTTONS, 0x75, 0x01, 0x81, 0x02, /* Input (Variable) */  \
    0x95, 0x01, 0x75, 8 - POINTER_BUTTONS, 0x81, 0x01                      /* Input (Constant) */
static const uint8_t tablet_report_descriptor[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, /* Generic Desktop, Mouse, Collection (Application) */
    0x09, 0x01, 0xa1, 0x00,             /* Pointer, Collection (Physical) */
    REPORT_BUTTONS,
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, /* Generic Desktop, X, Y */
    0x15, 0x00, 0x26, 0xff, 0x7f, 0x35, 0x00, 0x46, 0xff, 0x7f, /* 0 to 32767 */
    0x75, 0x10, 0x95, 0x02, 0x81, 0x02, /* Input (Data, Variable, Absolute) */
    0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x35, 0x00, 0x45, 0x00, /* Wheel, -127 to 127 */
    0x75, 0x08, 0x95, 0x01, 0x81, 0x06, /* Input (Data, Variable, Relative) */
    0xc0, 0xc0,
};
static const uint8_t mouse_report_descriptor[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,
    REPORT_BUTTONS,
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09, 0x38, /* X, Y, Wheel */
    0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x03, 0x81, 0x06,
    0xc0, 0xc0,
};
/* clang-format on */

static const uint8_t tablet_class_descriptor[] = { HID_CLASS_DESCRIPTOR(
    sizeof(tablet_report_descriptor)) };
static const uint8_t mouse_class_descriptor[] = { HID_CLASS_DESCRIPTOR(
    sizeof(mouse_report_descriptor)) };

static const USBDescriptors tablet_descriptors = {
    .vendor = 0x0627,
    .product = 0x0001,
    .manufacturer = "QEMU",
    .name = "QEMU USB Tablet",
    .serial = "28754",
    .attributes = USB_CONFIG_ATT_WAKEUP,
    .power = 50,
    .interface_class = USB_CLASS_HID,
    .class_descriptor = tablet_class_descriptor,
    .class_len = sizeof(tablet_class_descriptor),
    .endpoint = { USB_DIR_IN | HID_ENDPOINT, HID_POINTER_PACKET, 10, 4 },
};
static const USBDescriptors mouse_descriptors = {
    .vendor = 0x0627,
    .product = 0x0001,
    .manufacturer = "QEMU",
    .name = "QEMU USB Mouse",
    .serial = "89126",
    .attributes = USB_CONFIG_ATT_WAKEUP,
    .power = 50,
    .interface_class = USB_CLASS_HID,
    .subclass = HID_SUBCLASS_BOOT,
    .protocol = 2, /* mouse */
    .class_descriptor = mouse_class_descriptor,
    .class_len = sizeof(mouse_class_descriptor),
    .endpoint = { USB_DIR_IN | HID_ENDPOINT, HID_POINTER_PACKET, 10, 7 },
};

static const PointerOps tablet_ops = { true, hid_pointer_move, hid_pointer_button,
                                       hid_pointer_sync };
static const PointerOps mouse_ops = { false, hid_pointer_move, hid_pointer_button,
                                      hid_pointer_sync };

#define USB_POINTER_TYPE(name_, doc_, which)                                                       \
    {                                                                                              \
        .hid = { .usb = { .base = { .name = (name_),                                               \
                                    .doc = (doc_),                                                 \
                                    .kind = &usb_device_kind,                                      \
                                    .size = sizeof(USBPointer),                                    \
                                    .vmstate = &hid_pointer_state,                                 \
                                    .hotpluggable = true,                                          \
                                    .realize = hid_pointer_realize,                                \
                                    .unrealize = hid_pointer_unrealize },                          \
                          .descriptors = &which##_descriptors,                                     \
                          .request = hid_request,                                                  \
                          .transfer = hid_transfer,                                                \
                          .bus_reset = hid_bus_reset },                                            \
                 .report_descriptor = which##_report_descriptor,                                   \
                 .report_len = sizeof(which##_report_descriptor),                                  \
                 .pending = hid_pointer_pending,                                                   \
                 .next = hid_pointer_next,                                                         \
                 .report = which##_report,                                                         \
                 .clear = hid_pointer_clear },                                                     \
        .ops = &which##_ops                                                                        \
    }
static const USBPointerType tablet_type = USB_POINTER_TYPE("usb-tablet", "USB tablet", tablet);
static const USBPointerType mouse_type = USB_POINTER_TYPE("usb-mouse", "USB mouse", mouse);
USB_DEVICE_TYPE(tablet_type, hid.usb.base);
USB_DEVICE_TYPE(mouse_type, hid.usb.base);
