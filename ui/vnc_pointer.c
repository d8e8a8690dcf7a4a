/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointers of VNC clients: positions in the picture become positions of an absolute device, or
 * without one, movements of a relative device.
 */
#include "hw/core/pointer.h"
#include "vnc_internal.h"

/* Bits of a button mask (RFC 6143, 7.5.5). */
enum { BUTTON_LEFT, BUTTON_MIDDLE, BUTTON_RIGHT, WHEEL_UP, WHEEL_DOWN, VNC_BUTTONS };

static int32_t vnc_pointer_scale(unsigned at, unsigned size)
{
    return size > 1 ? (int32_t)((uint64_t)MIN(at, size - 1) * POINTER_MAX / (size - 1)) : 0;
}

static void vnc_pointer_place(VncClient *c, const VncKey *k)
{
    Machine *m = c->v->m;

    if (pointer_exists(m, true)) {
        pointer_move(m, true, POINTER_X, vnc_pointer_scale(k->x, k->width));
        pointer_move(m, true, POINTER_Y, vnc_pointer_scale(k->y, k->height));
    } else if (c->pointer_placed) {
        pointer_move(m, false, POINTER_X, k->x - c->pointer_x);
        pointer_move(m, false, POINTER_Y, k->y - c->pointer_y);
    }
    c->pointer_placed = true;
    c->pointer_x = k->x;
    c->pointer_y = k->y;
}

static void vnc_pointer_buttons(VncClient *c, unsigned mask)
{
    static const uint8_t buttons[] = { [BUTTON_LEFT] = POINTER_LEFT,
                                       [BUTTON_MIDDLE] = POINTER_MIDDLE,
                                       [BUTTON_RIGHT] = POINTER_RIGHT };

    for (unsigned i = 0; i < VNC_BUTTONS; i++) {
        bool down = mask >> i & 1;

        if (down == (c->pointer_buttons >> i & 1)) {
            continue;
        }
        if (i < WHEEL_UP) {
            pointer_button(c->v->m, buttons[i], down);
        } else if (down) {
            pointer_wheel(c->v->m, i == WHEEL_UP ? 1 : -1);
        }
    }
    c->pointer_buttons = (uint8_t)mask;
}

void vnc_pointer_report(const VncKey *k)
{
    if (machine_active(k->c->v->m)) {
        vnc_pointer_place(k->c, k);
        vnc_pointer_buttons(k->c, k->buttons);
        pointer_sync(k->c->v->m);
    }
}

void vnc_pointer_release(VncClient *c)
{
    vnc_pointer_buttons(c, 0);
    pointer_sync(c->v->m);
    c->pointer_placed = false;
}
