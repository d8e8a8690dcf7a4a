/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server of a build without libvncserver (contract in ui/vnc.h).
 */
#include "ui/vnc.h"

#include "internal.h"
#include "util/error.h"

static bool vnc_absent(GError **err)
{
    return error_set(err, ERROR_USER,
                     "-vnc: this build has no VNC server: it was configured without libvncserver");
}

bool vnc_start(Machine *m, const VncOptions *options, GError **err)
{
    return pixels_prepare(err) && vnc_absent(err);
}

void vnc_stop(Machine *m)
{
}

bool vnc_set_password(Machine *m, const char *password, GError **err)
{
    return vnc_absent(err);
}

bool vnc_expire_password(Machine *m, int64_t seconds, GError **err)
{
    return vnc_absent(err);
}

const char *vnc_query(Machine *m, bool *password)
{
    return NULL;
}

void vnc_foreach_address(Machine *m, void (*fn)(void *opaque, const VncPeer *peer), void *opaque)
{
}

void vnc_foreach_client(Machine *m, void (*fn)(void *opaque, const VncPeer *peer), void *opaque)
{
}
