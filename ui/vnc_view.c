/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The picture of the VNC server.
 *
 * While clients are connected, a timer copies the bands of the framebuffer whose pages the guest
 * wrote and whose pixels changed. Each band has the number of its last change, so that a client
 * copies what changed since it looked last. The main loop does not wait for clients: if one of them
 * copies, it tries again later.
 */
#include <string.h>

#include "hw/core/cpu.h"
#include "internal.h"
#include "vnc_internal.h"

enum {
    VNC_VIEW_MS = 40,
    VNC_RETRY_MS = 2,
    VNC_PIXEL = 4,
    VNC_PASS_BYTES = 2 << 20, /* pixels that one pass copies: about a millisecond */
    VNC_LONG_BITS = 8 * sizeof(long),
};

/* --- dirty pages --- */

typedef struct VncPages {
    RamBlock *ram;
    Machine *m;
    uint64_t first, n;
    unsigned long *bitmap;
    bool on;
} VncPages;

static void vnc_flush_writes(Machine *m)
{
    for (unsigned i = 0; i < m->cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(m->cpus, i);

        cpu->type->flush_writes(cpu);
    }
}

static void vnc_pages_fetch(void *opaque)
{
    VncPages *p = opaque;

    ram_view_fetch(p->ram, p->first, p->n, p->bitmap);
    vnc_flush_writes(p->m);
}

static void vnc_pages_track(void *opaque)
{
    VncPages *p = opaque;

    ram_view_track(p->ram, p->on);
    vnc_flush_writes(p->m);
}

/* Track writes to the block of the current mode, or to none. */
static void vnc_track(VncServer *v, RamBlock *ram)
{
    VncView *view = &v->view;

    if (view->tracked == ram)
        return;
    if (view->tracked) {
        cpus_exclusive(v->m, vnc_pages_track, &(VncPages){ .ram = view->tracked, .m = v->m });
        ram_block_unref_any(view->tracked);
    }
    view->tracked = ram;
    if (ram) {
        ram_block_ref_any(ram);
        cpus_exclusive(v->m, vnc_pages_track, &(VncPages){ .ram = ram, .m = v->m, .on = true });
    }
}

/* --- copying on the main loop, view->lock held --- */

static uint32_t vnc_bands(uint32_t height)
{
    return (height + VNC_BAND - 1) / VNC_BAND;
}

static size_t vnc_row_bytes(uint32_t width)
{
    return (size_t)width * VNC_PIXEL;
}

/* Compare a band with the framebuffer and copy it if it differs. */
static void vnc_copy_band(VncView *view, uint32_t band)
{
    DisplayMode mode = view->mode;
    size_t row = vnc_row_bytes(mode.width);
    uint32_t first = band * VNC_BAND, rows = MIN(VNC_BAND, mode.height - first);
    uint8_t *to = view->pixels + first * row;

    mode.offset += (uint64_t)first * mode.stride;
    mode.height = rows;
    if (!pixels_convert(&mode, view->scratch, (uint32_t)row, false, 0, rows, NULL) ||
        memcmp(to, view->scratch, rows * row) == 0)
        return;
    memcpy(to, view->scratch, rows * row);
    view->band_seq[band] = ++view->seq;
}

/* Return whether one of the pages of a band was written. */
static bool vnc_band_written(const DisplayMode *mode, const VncPages *p, uint32_t band)
{
    uint32_t row = band * VNC_BAND, end = MIN(row + VNC_BAND, mode->height);
    uint64_t start = mode->offset + (uint64_t)row * mode->stride;
    uint64_t last = mode->offset + (uint64_t)(end - 1) * mode->stride + vnc_row_bytes(mode->width);

    for (uint64_t i = start >> RAM_PAGE_BITS; i <= (last - 1) >> RAM_PAGE_BITS; i++) {
        uint64_t bit = i - p->first;

        if (p->bitmap[bit / VNC_LONG_BITS] >> bit % VNC_LONG_BITS & 1)
            return true;
    }
    return false;
}

/* Copy the bands [first, end) that were written. False: none of their pages was. */
static bool vnc_copy_written(VncServer *v, uint32_t first, uint32_t end)
{
    const DisplayMode *mode = &v->view.mode;
    uint64_t start = mode->offset + (uint64_t)first * VNC_BAND * mode->stride;
    uint64_t last = mode->offset +
                    (uint64_t)(MIN(end * VNC_BAND, mode->height) - 1) * mode->stride +
                    vnc_row_bytes(mode->width);
    VncPages p = { .ram = mode->ram, .m = v->m, .first = start >> RAM_PAGE_BITS };

    p.n = ((last - 1) >> RAM_PAGE_BITS) - p.first + 1;
    if (!ram_view_changed_any(p.ram, p.first, p.n))
        return false;
    p.bitmap = g_new(unsigned long, p.n / VNC_LONG_BITS + 1);
    cpus_exclusive(v->m, vnc_pages_fetch, &p);
    for (uint32_t band = first; band < end; band++) {
        if (vnc_band_written(mode, &p, band))
            vnc_copy_band(&v->view, band);
    }
    g_free(p.bitmap);
    return true;
}

/* Begin a mode: allocate its pixels. Its bands are copied because tracking marks all pages. */
static void vnc_set_mode(VncServer *v, const DisplayMode *mode)
{
    VncView *view = &v->view;
    uint32_t width = mode->ram ? mode->width : DISPLAY_BLANK_WIDTH;
    uint32_t height = mode->ram ? mode->height : DISPLAY_BLANK_HEIGHT;
    size_t row = vnc_row_bytes(width);
    uint8_t *pixels = g_try_malloc0(row * height), *scratch = g_try_malloc(row * VNC_BAND);

    if (!pixels || !scratch) { /* the picture stays as it is */
        g_free(pixels);
        g_free(scratch);
        return;
    }
    g_free(view->pixels);
    g_free(view->scratch);
    view->pixels = pixels;
    view->scratch = scratch;
    view->width = width;
    view->height = height;
    view->mode = *mode;
    view->next_band = 0;
    view->seq++;
    for (uint32_t band = 0; band < vnc_bands(height); band++)
        view->band_seq[band] = view->seq;
    vnc_track(v, NULL);
    vnc_track(v, mode->ram);
}

static bool vnc_same_mode(const DisplayMode *a, const DisplayMode *b)
{
    return a->ram == b->ram && a->offset == b->offset && a->width == b->width &&
           a->height == b->height && a->stride == b->stride && a->big_endian == b->big_endian;
}

/* One pass. Return the milliseconds until the next one. */
static unsigned vnc_pass(VncServer *v)
{
    VncView *view = &v->view;
    const Display *d = display_first(v->m);
    DisplayMode mode = { 0 };
    uint32_t step, bands;
    uint64_t seq = view->seq;
    bool copied;

    if (!d || !d->mode(d->dev, &mode))
        mode = (DisplayMode){ 0 };
    if (!view->pixels || !vnc_same_mode(&mode, &view->mode))
        vnc_set_mode(v, &mode);
    if (view->mode.ram) {
        bands = vnc_bands(view->mode.height);
        step = (uint32_t)(1 + VNC_PASS_BYTES / (VNC_BAND * vnc_row_bytes(view->width)));
        do {
            uint32_t first = view->next_band, end = MIN(bands, first + step);

            copied = vnc_copy_written(v, first, end);
            view->next_band = end < bands ? end : 0;
        } while (!copied && view->next_band);
    }
    if (view->seq != seq)
        vnc_wake_clients(v);
    return view->next_band ? VNC_RETRY_MS : VNC_VIEW_MS;
}

static void vnc_refresh(void *opaque)
{
    VncServer *v = opaque;
    unsigned ms = VNC_RETRY_MS;

    if (g_mutex_trylock(&v->view.lock)) {
        ms = vnc_pass(v);
        g_mutex_unlock(&v->view.lock);
    }
    timer_arm_ns(&v->view.timer, ms * UINT64_C(1000000));
}

void vnc_view_start(VncServer *v)
{
    if (timer_armed(&v->view.timer))
        return;
    timer_setup_plain(&v->view.timer, v->m, CLOCK_KIND_REALTIME, vnc_refresh, v);
    vnc_refresh(v);
}

void vnc_view_stop(VncServer *v)
{
    VncView *view = &v->view;

    timer_cancel(&view->timer);
    vnc_track(v, NULL);
    view->mode = (DisplayMode){ 0 };
    view->width = view->height = 0;
    g_clear_pointer(&view->pixels, g_free);
    g_clear_pointer(&view->scratch, g_free);
}

/* --- clients --- */

bool vnc_view_size(VncClient *c)
{
    VncView *view = &c->v->view;

    g_mutex_lock(&view->lock);
    c->screen->width = (int)view->width;
    c->screen->height = (int)view->height;
    g_mutex_unlock(&view->lock);
    c->screen->paddedWidthInBytes = c->screen->width * VNC_PIXEL;
    c->screen->frameBuffer = NULL;
    c->screen->serverFormat = (rfbPixelFormat){
        .bitsPerPixel = 8 * VNC_PIXEL,
        .depth = 24,
        .bigEndian = G_BYTE_ORDER == G_BIG_ENDIAN,
        .trueColour = 1,
        .redMax = 255,
        .greenMax = 255,
        .blueMax = 255,
        .redShift = 16,
        .greenShift = 8,
    };
    c->width = c->height = 0;
    c->seen = 0;
    return c->screen->width > 0;
}

/* Give the library a picture of another size. */
static bool vnc_resize(VncClient *c, uint32_t width, uint32_t height)
{
    size_t size = vnc_row_bytes(width) * height;
    uint8_t *pixels = g_try_malloc0(size);
    rfbPixelFormat format = c->screen->serverFormat;

    if (!pixels)
        return false;
    if ((int)width == c->screen->width && (int)height == c->screen->height) {
        c->screen->frameBuffer = (char *)pixels;
    } else {
        c->v->api.new_framebuffer(c->screen, (char *)pixels, (int)width, (int)height, 8, 3,
                                  VNC_PIXEL);
        c->screen->serverFormat = format; /* the library sets another one */
        c->v->api.set_translate(c->cl);
    }
    g_free(c->pixels);
    c->pixels = pixels;
    c->width = width;
    c->height = height;
    c->seen = 0;
    return true;
}

bool vnc_view_copy(VncClient *c)
{
    VncView *view = &c->v->view;
    size_t row;
    bool done;

    g_mutex_lock(&view->lock);
    done = (c->width == view->width && c->height == view->height) ||
           vnc_resize(c, view->width, view->height);
    row = vnc_row_bytes(view->width);
    for (uint32_t band = 0; done && c->seen != view->seq && band < vnc_bands(view->height);
         band++) {
        uint32_t first = band * VNC_BAND, rows = MIN(VNC_BAND, view->height - first);

        if (view->band_seq[band] <= c->seen)
            continue;
        memcpy(c->pixels + first * row, view->pixels + first * row, rows * row);
        c->v->api.mark(c->screen, 0, (int)first, (int)view->width, (int)(first + rows));
    }
    c->seen = view->seq;
    g_mutex_unlock(&view->lock);
    return done;
}
