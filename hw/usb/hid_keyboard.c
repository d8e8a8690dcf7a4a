/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usb-kbd: a boot keyboard. Reports have the format of the boot protocol in both protocols
 * (HID 1.11, appendix B.1). Its power key is pressed by system_powerdown, as that of
 * virtio-keyboard-pci.
 */
#include <linux/input.h>
#include <string.h>

#include "hid_internal.h"
#include "hw/core/keyboard.h"
#include "hw/core/power_button.h"
#include "util/error.h"

enum {
    KBD_KEYS = 16,    /* keys that are pressed together */
    KBD_PENDING = 64, /* events that wait for a report */
    KBD_REPORT_KEYS = 6,
    KBD_UP = 0x100, /* of an event: the key was released */
    USAGE_ROLLOVER = 0x01,
    USAGE_LEFTCTRL = 0xe0,
    USAGE_LAST = 0xe7,
};

typedef struct USBKeyboard {
    USBHid hid;
    /* guest-visible state */
    uint8_t modifiers, leds;
    uint8_t n_keys, n_pending;
    uint8_t keys[KBD_KEYS];        /* usages, in the order in which they were pressed */
    uint16_t pending[KBD_PENDING]; /* usages with KBD_UP, oldest first */
} USBKeyboard;

/* Usages of the page Keyboard by the codes of linux/input.h (HID Usage Tables 1.12, chapter 10). */
static const uint8_t kbd_usages[] = {
    [KEY_A] = 0x04,          [KEY_B] = 0x05,
    [KEY_C] = 0x06,          [KEY_D] = 0x07,
    [KEY_E] = 0x08,          [KEY_F] = 0x09,
    [KEY_G] = 0x0a,          [KEY_H] = 0x0b,
    [KEY_I] = 0x0c,          [KEY_J] = 0x0d,
    [KEY_K] = 0x0e,          [KEY_L] = 0x0f,
    [KEY_M] = 0x10,          [KEY_N] = 0x11,
    [KEY_O] = 0x12,          [KEY_P] = 0x13,
    [KEY_Q] = 0x14,          [KEY_R] = 0x15,
    [KEY_S] = 0x16,          [KEY_T] = 0x17,
    [KEY_U] = 0x18,          [KEY_V] = 0x19,
    [KEY_W] = 0x1a,          [KEY_X] = 0x1b,
    [KEY_Y] = 0x1c,          [KEY_Z] = 0x1d,
    [KEY_1] = 0x1e,          [KEY_2] = 0x1f,
    [KEY_3] = 0x20,          [KEY_4] = 0x21,
    [KEY_5] = 0x22,          [KEY_6] = 0x23,
    [KEY_7] = 0x24,          [KEY_8] = 0x25,
    [KEY_9] = 0x26,          [KEY_0] = 0x27,
    [KEY_ENTER] = 0x28,      [KEY_ESC] = 0x29,
    [KEY_BACKSPACE] = 0x2a,  [KEY_TAB] = 0x2b,
    [KEY_SPACE] = 0x2c,      [KEY_MINUS] = 0x2d,
    [KEY_EQUAL] = 0x2e,      [KEY_LEFTBRACE] = 0x2f,
    [KEY_RIGHTBRACE] = 0x30, [KEY_BACKSLASH] = 0x31,
    [KEY_SEMICOLON] = 0x33,  [KEY_APOSTROPHE] = 0x34,
    [KEY_GRAVE] = 0x35,      [KEY_COMMA] = 0x36,
    [KEY_DOT] = 0x37,        [KEY_SLASH] = 0x38,
    [KEY_CAPSLOCK] = 0x39,   [KEY_F1] = 0x3a,
    [KEY_F2] = 0x3b,         [KEY_F3] = 0x3c,
    [KEY_F4] = 0x3d,         [KEY_F5] = 0x3e,
    [KEY_F6] = 0x3f,         [KEY_F7] = 0x40,
    [KEY_F8] = 0x41,         [KEY_F9] = 0x42,
    [KEY_F10] = 0x43,        [KEY_F11] = 0x44,
    [KEY_F12] = 0x45,        [KEY_SYSRQ] = 0x46,
    [KEY_SCROLLLOCK] = 0x47, [KEY_PAUSE] = 0x48,
    [KEY_INSERT] = 0x49,     [KEY_HOME] = 0x4a,
    [KEY_PAGEUP] = 0x4b,     [KEY_DELETE] = 0x4c,
    [KEY_END] = 0x4d,        [KEY_PAGEDOWN] = 0x4e,
    [KEY_RIGHT] = 0x4f,      [KEY_LEFT] = 0x50,
    [KEY_DOWN] = 0x51,       [KEY_UP] = 0x52,
    [KEY_NUMLOCK] = 0x53,    [KEY_KPSLASH] = 0x54,
    [KEY_KPASTERISK] = 0x55, [KEY_KPMINUS] = 0x56,
    [KEY_KPPLUS] = 0x57,     [KEY_KPENTER] = 0x58,
    [KEY_KP1] = 0x59,        [KEY_KP2] = 0x5a,
    [KEY_KP3] = 0x5b,        [KEY_KP4] = 0x5c,
    [KEY_KP5] = 0x5d,        [KEY_KP6] = 0x5e,
    [KEY_KP7] = 0x5f,        [KEY_KP8] = 0x60,
    [KEY_KP9] = 0x61,        [KEY_KP0] = 0x62,
    [KEY_KPDOT] = 0x63,      [KEY_102ND] = 0x64,
    [KEY_COMPOSE] = 0x65,    [KEY_POWER] = 0x66,
    [KEY_KPEQUAL] = 0x67,    [KEY_F13] = 0x68,
    [KEY_F14] = 0x69,        [KEY_F15] = 0x6a,
    [KEY_F16] = 0x6b,        [KEY_F17] = 0x6c,
    [KEY_F18] = 0x6d,        [KEY_F19] = 0x6e,
    [KEY_F20] = 0x6f,        [KEY_F21] = 0x70,
    [KEY_F22] = 0x71,        [KEY_F23] = 0x72,
    [KEY_F24] = 0x73,        [KEY_OPEN] = 0x74,
    [KEY_HELP] = 0x75,       [KEY_PROPS] = 0x76,
    [KEY_FRONT] = 0x77,      [KEY_STOP] = 0x78,
    [KEY_AGAIN] = 0x79,      [KEY_UNDO] = 0x7a,
    [KEY_CUT] = 0x7b,        [KEY_COPY] = 0x7c,
    [KEY_PASTE] = 0x7d,      [KEY_FIND] = 0x7e,
    [KEY_MUTE] = 0x7f,       [KEY_VOLUMEUP] = 0x80,
    [KEY_VOLUMEDOWN] = 0x81, [KEY_KPCOMMA] = 0x85,
    [KEY_RO] = 0x87,         [KEY_KATAKANAHIRAGANA] = 0x88,
    [KEY_YEN] = 0x89,        [KEY_HENKAN] = 0x8a,
    [KEY_MUHENKAN] = 0x8b,   [KEY_HANGEUL] = 0x90,
    [KEY_HANJA] = 0x91,      [KEY_KATAKANA] = 0x92,
    [KEY_HIRAGANA] = 0x93,   [KEY_LEFTCTRL] = 0xe0,
    [KEY_LEFTSHIFT] = 0xe1,  [KEY_LEFTALT] = 0xe2,
    [KEY_LEFTMETA] = 0xe3,   [KEY_RIGHTCTRL] = 0xe4,
    [KEY_RIGHTSHIFT] = 0xe5, [KEY_RIGHTALT] = 0xe6,
    [KEY_RIGHTMETA] = 0xe7,
};

static USBKeyboard *kbd_of(USBHid *h)
{
    return (USBKeyboard *)h;
}

/* --- events --- */

static bool kbd_pending(const USBHid *h)
{
    return ((const USBKeyboard *)h)->n_pending > 0;
}

/* Press or release a key in the report. */
static void kbd_apply(USBKeyboard *k, uint8_t usage, bool down)
{
    uint8_t bit = (uint8_t)(1u << (usage & 7));
    unsigned i = 0;

    if (usage >= USAGE_LEFTCTRL) {
        k->modifiers = (uint8_t)(down ? k->modifiers | bit : k->modifiers & ~bit);
        return;
    }
    while (i < k->n_keys && k->keys[i] != usage) {
        i++;
    }
    if (down && i == k->n_keys && k->n_keys < KBD_KEYS) {
        k->keys[k->n_keys++] = usage;
    } else if (!down && i < k->n_keys) {
        k->n_keys--;
        memmove(k->keys + i, k->keys + i + 1, k->n_keys - i);
    }
}

static void kbd_next(USBHid *h)
{
    USBKeyboard *k = kbd_of(h);
    uint16_t event = k->pending[0];

    if (k->n_pending == 0) {
        return;
    }
    k->n_pending--;
    memmove(k->pending, k->pending + 1, k->n_pending * sizeof(k->pending[0]));
    kbd_apply(k, (uint8_t)event, !(event & KBD_UP));
}

static unsigned kbd_report(const USBHid *h, uint8_t *data)
{
    const USBKeyboard *k = (const USBKeyboard *)h;

    data[0] = k->modifiers;
    data[1] = 0;
    for (unsigned i = 0; i < KBD_REPORT_KEYS; i++) {
        data[2 + i] = k->n_keys > KBD_REPORT_KEYS ? USAGE_ROLLOVER : i < k->n_keys ? k->keys[i] : 0;
    }
    return HID_MAX_REPORT;
}

static void kbd_output(USBHid *h, uint8_t value)
{
    kbd_of(h)->leds = value;
}

/* A key that has no usage, or that nothing would receive, is dropped. */
static bool kbd_key(void *opaque, uint16_t code, bool down)
{
    USBKeyboard *k = opaque;
    uint8_t usage = code < G_N_ELEMENTS(kbd_usages) ? kbd_usages[code] : 0;

    if (!usage || !hid_configured(&k->hid)) {
        return true;
    }
    if (k->n_pending == KBD_PENDING) {
        return false;
    }
    k->pending[k->n_pending++] = (uint16_t)(usage | (down ? 0 : KBD_UP));
    hid_changed(&k->hid);
    return true;
}

static void kbd_press_power(void *opaque)
{
    kbd_key(opaque, KEY_POWER, true);
    kbd_key(opaque, KEY_POWER, false);
}

/* --- life --- */

static void kbd_clear(USBHid *h)
{
    USBKeyboard *k = kbd_of(h);

    k->modifiers = k->leds = k->n_keys = k->n_pending = 0;
    memset(k->keys, 0, sizeof(k->keys));
    memset(k->pending, 0, sizeof(k->pending));
}

static bool kbd_realize(void *dev, GError **err)
{
    USBKeyboard *k = dev;
    Machine *m = k->hid.usb.dev.machine;

    keyboard_register(m, kbd_key, k);
    power_button_add(m, kbd_press_power, k);
    return hid_realize(dev, err);
}

static void kbd_unrealize(void *dev)
{
    USBKeyboard *k = dev;
    Machine *m = k->hid.usb.dev.machine;

    power_button_remove(m, kbd_press_power, k);
    keyboard_unregister(m, kbd_key, k);
    hid_unrealize(dev);
}

/* --- saved state --- */

static bool kbd_check(void *obj, GError **err)
{
    const USBKeyboard *k = obj;

    for (unsigned i = 0; i < k->n_pending; i++) {
        if ((k->pending[i] & 0xff) > USAGE_LAST) {
            return error_set(err, ERROR_GUEST, "usage 0x%x is not a key", k->pending[i]);
        }
    }
    return true;
}

static const VmField kbd_fields[] = {
    VM_STRUCT(USBKeyboard, hid, &hid_state),
    VM_U8(USBKeyboard, modifiers),
    VM_U8(USBKeyboard, leds),
    VM_U8(USBKeyboard, n_keys, .max = KBD_KEYS),
    VM_U8(USBKeyboard, n_pending, .max = KBD_PENDING),
    VM_U8_ARRAY(USBKeyboard, keys, .max = USAGE_LEFTCTRL - 1),
    VM_U16_ARRAY(USBKeyboard, pending, .max = 0x1ff),
};
static const VmState kbd_state = {
    .name = "usb-kbd", .version = 1, .fields = LIST(kbd_fields), .check = kbd_check
};

/* --- the type --- */

/* The keyboard of HID 1.11, appendix B.1: modifiers, a reserved byte, LEDs, six keys. */
static const uint8_t kbd_report_descriptor[] = {
    0x05, 0x01,                                           /* Usage Page (Generic Desktop) */
    0x09, 0x06,                                           /* Usage (Keyboard) */
    0xa1, 0x01,                                           /* Collection (Application) */
    0x75, 0x01, 0x95, 0x08, 0x05, 0x07,                   /* 8 bits of the page Keyboard */
    0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01,       /* the modifiers */
    0x81, 0x02,                                           /* Input (Data, Variable, Absolute) */
    0x95, 0x01, 0x75, 0x08, 0x81, 0x01,                   /* Input (Constant): one byte */
    0x95, 0x05, 0x75, 0x01, 0x05, 0x08,                   /* 5 bits of the page LEDs */
    0x19, 0x01, 0x29, 0x05, 0x91, 0x02,                   /* Output (Data, Variable, Absolute) */
    0x95, 0x01, 0x75, 0x03, 0x91, 0x01,                   /* Output (Constant): 3 bits */
    0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x26, 0xff, 0x00, /* 6 bytes, 0 to 255 */
    0x05, 0x07, 0x19, 0x00, 0x2a, 0xff, 0x00,             /* of the page Keyboard */
    0x81, 0x00,                                           /* Input (Data, Array) */
    0xc0,                                                 /* End Collection */
};
static const uint8_t kbd_class_descriptor[] = { HID_CLASS_DESCRIPTOR(
    sizeof(kbd_report_descriptor)) };

static const USBDescriptors kbd_descriptors = {
    .vendor = 0x0627,
    .product = 0x0001,
    .manufacturer = "QEMU",
    .name = "QEMU USB Keyboard",
    .serial = "68284",
    .attributes = USB_CONFIG_ATT_WAKEUP,
    .power = 50,
    .interface_class = USB_CLASS_HID,
    .subclass = HID_SUBCLASS_BOOT,
    .protocol = 1, /* keyboard */
    .class_descriptor = kbd_class_descriptor,
    .class_len = sizeof(kbd_class_descriptor),
    .endpoint = { USB_DIR_IN | HID_ENDPOINT, HID_MAX_REPORT, 10, 7 },
};

static const USBHidType kbd_type = {
    .usb = { .base = { .name = "usb-kbd",
                       .doc = "USB keyboard",
                       .kind = &usb_device_kind,
                       .size = sizeof(USBKeyboard),
                       .vmstate = &kbd_state,
                       .hotpluggable = true,
                       .realize = kbd_realize,
                       .unrealize = kbd_unrealize },
             .descriptors = &kbd_descriptors,
             .request = hid_request,
             .transfer = hid_transfer,
             .bus_reset = hid_bus_reset },
    .report_descriptor = kbd_report_descriptor,
    .report_len = sizeof(kbd_report_descriptor),
    .pending = kbd_pending,
    .next = kbd_next,
    .report = kbd_report,
    .output = kbd_output,
    .clear = kbd_clear,
};
USB_DEVICE_TYPE(kbd_type, usb.base);
