/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread of a VNC client.
 *
 * The library gets the messages that concern the picture. Those for keyboards, pointers and
 * clipboards are processed here, and all others end the connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "ui/keys.h"
#include "vnc_internal.h"

enum { VNC_MAX_CUT_TEXT = 1 << 20, VNC_QEMU_KEY = 0 };

/* --- the password --- */

/* Compare without a time that depends on the position of a difference. */
static bool vnc_same_bytes(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint8_t difference = 0;

    for (size_t i = 0; i < n; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

static rfbBool vnc_check_password(rfbClientPtr cl, const char *response, int len)
{
    VncServer *v = ((VncClient *)cl->screen->screenData)->v;
    uint8_t expected[CHALLENGESIZE];
    char password[VNC_MAX_PASSWORD + 1];
    bool valid;

    g_mutex_lock(&v->lock);
    memcpy(password, v->password, sizeof(password));
    valid = v->password_set && g_get_real_time() / G_USEC_PER_SEC < v->expires;
    g_mutex_unlock(&v->lock);
    memcpy(expected, cl->authChallenge, sizeof(expected));
    v->api.encrypt(expected, password);
    return len == CHALLENGESIZE &&
           (vnc_same_bytes(expected, (const uint8_t *)response, sizeof(expected)) & valid);
}

/* --- the QEMU extended key event --- */

/* The client announced the pseudo-encoding: confirm it with an empty rectangle. */
static rfbBool vnc_enable_keys(rfbClientPtr cl, void **data, int encoding)
{
    const VncClient *c = cl->screen->screenData;
    rfbFramebufferUpdateMsg update = { .type = rfbFramebufferUpdate, .nRects = htons(1) };
    rfbFramebufferUpdateRectHeader rect = { .encoding = htonl(rfbEncodingQemuExtendedKeyEvent) };
    uint8_t bytes[sz_rfbFramebufferUpdateMsg + sz_rfbFramebufferUpdateRectHeader];

    memcpy(bytes, &update, sz_rfbFramebufferUpdateMsg);
    memcpy(bytes + sz_rfbFramebufferUpdateMsg, &rect, sz_rfbFramebufferUpdateRectHeader);
    c->v->api.write(cl, (const char *)bytes, sizeof(bytes));
    return FALSE; /* the library would allocate data of the extension and never free it */
}

static int vnc_key_encodings[] = { (int)rfbEncodingQemuExtendedKeyEvent, 0 };

rfbProtocolExtension vnc_key_extension = { .pseudoEncodings = vnc_key_encodings,
                                           .enablePseudoEncoding = vnc_enable_keys };

/* --- messages --- */

static bool vnc_read(VncClient *c, void *to, int n)
{
    return c->v->api.read(c->cl, to, n) > 0;
}

static bool vnc_read_key(VncClient *c)
{
    rfbKeyEventMsg m;

    if (!vnc_read(c, &m, sz_rfbKeyEventMsg))
        return false;
    vnc_keys_send(c, vnc_key_code(ntohl(m.key)), m.down != 0);
    return true;
}

static bool vnc_read_qemu(VncClient *c)
{
    uint8_t m[12]; /* type, subtype, down (2), symbol (4), scan code (4) */
    uint32_t symbol, number;
    int code;

    if (!vnc_read(c, m, 2) || m[1] != VNC_QEMU_KEY || !vnc_read(c, m + 2, sizeof(m) - 2))
        return false;
    memcpy(&symbol, m + 4, sizeof(symbol));
    memcpy(&number, m + 8, sizeof(number));
    code = key_from_number(ntohl(number));
    vnc_keys_send(c, code > 0 ? (uint16_t)code : vnc_key_code(ntohl(symbol)), (m[2] | m[3]) != 0);
    return true;
}

static bool vnc_read_pointer(VncClient *c)
{
    rfbPointerEventMsg m;

    if (!vnc_read(c, &m, sz_rfbPointerEventMsg))
        return false;
    vnc_pointer_send(c, m.buttonMask, ntohs(m.x), ntohs(m.y));
    return true;
}

/* Guests have no clipboard. */
static bool vnc_skip_text(VncClient *c)
{
    rfbClientCutTextMsg m;
    char bytes[4096];
    uint32_t left;

    if (!vnc_read(c, &m, sz_rfbClientCutTextMsg))
        return false;
    left = ntohl(m.length);
    if (left > VNC_MAX_CUT_TEXT)
        return false;
    for (uint32_t n; left > 0; left -= n) {
        n = MIN(left, (uint32_t)sizeof(bytes));
        if (!vnc_read(c, bytes, (int)n))
            return false;
    }
    return true;
}

static bool vnc_set_encodings(VncClient *c)
{
    c->v->api.process(c->cl);
    if (!c->v->lossy)
        c->cl->tightQualityLevel = c->cl->turboQualityLevel = -1;
    return true;
}

/* Process the message that waits. False: disconnect. */
static bool vnc_message(VncClient *c)
{
    uint8_t type;
    ssize_t n = recv(c->cl->sock, &type, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    switch (type) {
    case rfbSetEncodings:
        return vnc_set_encodings(c);
    case rfbSetPixelFormat:
    case rfbFramebufferUpdateRequest:
    case rfbSetDesktopSize: /* the library responds that the size cannot be set */
        c->v->api.process(c->cl);
        return true;
    case rfbKeyEvent:
        return vnc_read_key(c);
    case rfbPointerEvent:
        return vnc_read_pointer(c);
    case rfbClientCutText:
        return vnc_skip_text(c);
    case rfbQemuEvent:
        return vnc_read_qemu(c);
    default:
        return false;
    }
}

/* --- the thread --- */

static void vnc_serve(VncClient *c)
{
    struct pollfd fds[] = { { .fd = c->cl->sock, .events = POLLIN },
                            { .fd = c->wake, .events = POLLIN } };
    eventfd_t count;

    while (c->cl->sock != RFB_INVALID_SOCKET) {
        if (!vnc_view_copy(c))
            return;
        c->v->api.update(c->cl);
        if (c->cl->sock == RFB_INVALID_SOCKET || (poll(fds, 2, -1) < 0 && errno != EINTR))
            return;
        if (fds[1].revents)
            eventfd_read(c->wake, &count);
        if (fds[0].revents && !vnc_message(c))
            return;
    }
}

gpointer vnc_client_thread(gpointer client)
{
    VncClient *c = client;
    VncServer *v = c->v;

    c->cl = NULL;
    c->screen->passwordCheck = vnc_check_password;
    c->screen->authPasswdData = v->needs_password ? v : NULL;
    if (vnc_view_size(c) && vnc_handshake(c))
        vnc_serve(c);
    if (c->cl) {
        if (c->cl->sock != RFB_INVALID_SOCKET)
            v->api.close_client(c->cl);
        g_mutex_lock(&v->library);
        v->api.client_gone(c->cl);
        g_mutex_unlock(&v->library);
    }
    shutdown(c->fd, SHUT_RDWR);
    g_clear_pointer(&c->pixels, g_free);
    vnc_client_finish(c);
    return NULL;
}
