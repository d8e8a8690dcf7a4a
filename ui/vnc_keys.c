/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys of VNC clients. A client sends symbols of X11; the keyboard of the guest has the layout of
 * the US.
 */
#include <linux/input.h>
#include <string.h>

#include "hw/core/keyboard.h"
#include "vnc_internal.h"

/* The characters of the keys from KEY_1 on, without and with Shift; a blank: no character. */
static const struct {
    uint16_t first;
    const char *plain, *shifted;
} vnc_key_rows[] = {
    { KEY_1, "1234567890-=", "!@#$%^&*()_+" },
    { KEY_Q, "qwertyuiop[]", "QWERTYUIOP{}" },
    { KEY_A, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
    { KEY_BACKSLASH, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
};

/* Key symbols outside ASCII (X11/keysymdef.h) and the codes of their keys. */
static const struct {
    uint16_t symbol, code;
} vnc_key_symbols[] = {
    { ' ', KEY_SPACE },         { 0xff08, KEY_BACKSPACE },  { 0xff09, KEY_TAB },
    { 0xfe20, KEY_TAB }, /* with Shift */
    { 0xff0d, KEY_ENTER },      { 0xff13, KEY_PAUSE },      { 0xff14, KEY_SCROLLLOCK },
    { 0xff15, KEY_SYSRQ },      { 0xff1b, KEY_ESC },        { 0xff50, KEY_HOME },
    { 0xff51, KEY_LEFT },       { 0xff52, KEY_UP },         { 0xff53, KEY_RIGHT },
    { 0xff54, KEY_DOWN },       { 0xff55, KEY_PAGEUP },     { 0xff56, KEY_PAGEDOWN },
    { 0xff57, KEY_END },        { 0xff61, KEY_SYSRQ },      { 0xff63, KEY_INSERT },
    { 0xff67, KEY_MENU },       { 0xff7f, KEY_NUMLOCK },    { 0xff8d, KEY_KPENTER },
    { 0xffaa, KEY_KPASTERISK }, { 0xffab, KEY_KPPLUS },     { 0xffad, KEY_KPMINUS },
    { 0xffae, KEY_KPDOT },      { 0xffaf, KEY_KPSLASH },    { 0xffb0, KEY_KP0 },
    { 0xffb1, KEY_KP1 },        { 0xffb2, KEY_KP2 },        { 0xffb3, KEY_KP3 },
    { 0xffb4, KEY_KP4 },        { 0xffb5, KEY_KP5 },        { 0xffb6, KEY_KP6 },
    { 0xffb7, KEY_KP7 },        { 0xffb8, KEY_KP8 },        { 0xffb9, KEY_KP9 },
    { 0xffbe, KEY_F1 },         { 0xffbf, KEY_F2 },         { 0xffc0, KEY_F3 },
    { 0xffc1, KEY_F4 },         { 0xffc2, KEY_F5 },         { 0xffc3, KEY_F6 },
    { 0xffc4, KEY_F7 },         { 0xffc5, KEY_F8 },         { 0xffc6, KEY_F9 },
    { 0xffc7, KEY_F10 },        { 0xffc8, KEY_F11 },        { 0xffc9, KEY_F12 },
    { 0xffe1, KEY_LEFTSHIFT },  { 0xffe2, KEY_RIGHTSHIFT }, { 0xffe3, KEY_LEFTCTRL },
    { 0xffe4, KEY_RIGHTCTRL },  { 0xffe5, KEY_CAPSLOCK },   { 0xffe7, KEY_LEFTMETA },
    { 0xffe8, KEY_RIGHTMETA },  { 0xffe9, KEY_LEFTALT },    { 0xffea, KEY_RIGHTALT },
    { 0xffeb, KEY_LEFTMETA },   { 0xffec, KEY_RIGHTMETA },  { 0xfe03, KEY_RIGHTALT },
    { 0xffff, KEY_DELETE },
};

uint16_t vnc_key_code(uint32_t symbol)
{
    for (size_t i = 0; symbol > ' ' && symbol < 0x7f && i < G_N_ELEMENTS(vnc_key_rows); i++) {
        const char *plain = strchr(vnc_key_rows[i].plain, (int)symbol);
        const char *shifted = strchr(vnc_key_rows[i].shifted, (int)symbol);

        if (plain)
            return (uint16_t)(vnc_key_rows[i].first + (plain - vnc_key_rows[i].plain));
        if (shifted)
            return (uint16_t)(vnc_key_rows[i].first + (shifted - vnc_key_rows[i].shifted));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(vnc_key_symbols); i++) {
        if (vnc_key_symbols[i].symbol == symbol)
            return vnc_key_symbols[i].code;
    }
    return 0;
}

static void vnc_key_pass(const VncKey *k)
{
    VncServer *v = k->c->v;

    g_mutex_lock(&v->lock);
    while (v->n_keys == VNC_MAX_KEYS && !v->stopping)
        g_cond_wait(&v->keys_taken, &v->lock);
    if (!v->stopping)
        v->keys[v->n_keys++] = *k;
    g_mutex_unlock(&v->lock);
    vnc_wake_main_any(v);
}

void vnc_keys_send(VncClient *c, uint16_t code, bool down)
{
    VncKey k = { .c = c, .code = code, .down = down };

    if (code > 0 && code < VNC_MAX_CODE)
        vnc_key_pass(&k);
}

void vnc_pointer_send(VncClient *c, uint8_t buttons, uint16_t x, uint16_t y)
{
    VncKey k = { .c = c,
                 .pointer = true,
                 .buttons = buttons,
                 .x = x,
                 .y = y,
                 .width = (uint32_t)c->screen->width,
                 .height = (uint32_t)c->screen->height };

    vnc_key_pass(&k);
}

/* --- the main loop --- */

/* Return whether a client holds a key, and change that. */
static bool vnc_key_hold(VncClient *c, unsigned code, bool down)
{
    uint8_t *held = &c->pressed[code / 8], bit = (uint8_t)(1u << code % 8);
    bool before = *held & bit;

    *held = (uint8_t)(down ? *held | bit : *held & ~bit);
    return before;
}

/* Report a key to the guest. A key that the client does not hold is not released. False: try again
 * later. */
static bool vnc_key_report(const VncKey *k)
{
    bool held = k->c->pressed[k->code / 8] >> k->code % 8 & 1;

    if (k->pointer) {
        vnc_pointer_report(k);
        return true;
    }
    if (!keyboard_ready(k->c->v->m, NULL) || (!k->down && !held))
        return true;
    if (!keyboard_report(k->c->v->m, k->code, k->down))
        return false;
    vnc_key_hold(k->c, k->code, k->down);
    return true;
}

static void vnc_key_release_later(VncServer *v, unsigned code)
{
    v->releases[code / 8] |= (uint8_t)(1u << code % 8);
}

/* Report the releases that wait. False: some still do. */
static bool vnc_releases_report(VncServer *v)
{
    for (unsigned code = 0; code < VNC_MAX_CODE; code++) {
        uint8_t *byte = &v->releases[code / 8], bit = (uint8_t)(1u << code % 8);

        if (*byte & bit && !keyboard_report(v->m, (uint16_t)code, false))
            return false;
        *byte &= (uint8_t)~bit;
    }
    return true;
}

static void vnc_keys_retry(void *opaque)
{
    timer_cancel(&((VncServer *)opaque)->keys_timer);
    vnc_keys_report(opaque);
    vnc_clients_report(opaque); /* a client ends after its keys */
}

static void vnc_keys_arm(VncServer *v, unsigned ms)
{
    timer_setup_plain(&v->keys_timer, v->m, CLOCK_KIND_REALTIME, vnc_keys_retry, v);
    timer_arm_ns(&v->keys_timer, ms * UINT64_C(1000000));
}

void vnc_keys_report(VncServer *v)
{
    VncKey keys[VNC_MAX_KEYS];
    unsigned n, done = 0;
    bool released, lost;

    if (timer_armed(&v->keys_timer))
        return;
    g_mutex_lock(&v->lock);
    n = v->n_keys;
    memcpy(keys, v->keys, n * sizeof(keys[0]));
    g_mutex_unlock(&v->lock);
    /* A machine that does not run receives the releases when it continues. */
    released = !machine_active(v->m) || vnc_releases_report(v);
    while (released && done < n && vnc_key_report(&keys[done]))
        done++;
    v->keys_waits = done || (released && !n) ? 0 : v->keys_waits + 1;
    lost = v->keys_waits > VNC_KEY_LIMIT_MS / VNC_KEY_RETRY_MS;
    for (; lost && done < n; done++) {
        if (!keys[done].down && vnc_key_hold(keys[done].c, keys[done].code, false)) {
            vnc_key_release_later(v, keys[done].code);
            released = false;
        }
    }
    if (done < n || !released)
        vnc_keys_arm(v, lost ? VNC_RELEASE_RETRY_MS : VNC_KEY_RETRY_MS);
    g_mutex_lock(&v->lock);
    v->n_keys -= done;
    memmove(v->keys, v->keys + done, v->n_keys * sizeof(v->keys[0]));
    g_cond_broadcast(&v->keys_taken);
    g_mutex_unlock(&v->lock);
}

/* Drop the keys of a client that wait. */
static void vnc_keys_drop(VncClient *c)
{
    VncServer *v = c->v;
    unsigned kept = 0;

    g_mutex_lock(&v->lock);
    for (unsigned i = 0; i < v->n_keys; i++) {
        if (v->keys[i].c != c)
            v->keys[kept++] = v->keys[i];
    }
    v->n_keys = kept;
    g_cond_broadcast(&v->keys_taken);
    g_mutex_unlock(&v->lock);
}

bool vnc_keys_waiting(VncClient *c)
{
    VncServer *v = c->v;
    bool found = false;

    g_mutex_lock(&v->lock);
    for (unsigned i = 0; i < v->n_keys; i++)
        found = found || v->keys[i].c == c;
    g_mutex_unlock(&v->lock);
    return found;
}

void vnc_keys_release(VncClient *c)
{
    vnc_keys_drop(c);
    for (unsigned code = 0; code < VNC_MAX_CODE; code++) {
        if (vnc_key_hold(c, code, false))
            vnc_key_release_later(c->v, code);
    }
    vnc_pointer_release(c);
}

void vnc_keys_stop(VncServer *v)
{
    for (unsigned i = 0; i < v->n_clients; i++)
        vnc_keys_release(&v->clients[i]);
    vnc_releases_report(v);
}
