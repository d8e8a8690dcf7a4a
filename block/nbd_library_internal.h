/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of libnbd that the NBD client uses. nbd_library_load() sets them.
 */
#ifndef BLOCK_NBD_LIBRARY_INTERNAL_H
#define BLOCK_NBD_LIBRARY_INTERNAL_H

#include <libnbd.h>

/* Each function is a member with its name without "nbd_". */
#define NBD_FUNCTIONS(X)                                                                           \
    X(create)                                                                                      \
    X(close)                                                                                       \
    X(get_error)                                                                                   \
    X(get_errno)                                                                                   \
    X(set_export_name)                                                                             \
    X(set_tls)                                                                                     \
    X(set_tls_certificates)                                                                        \
    X(set_tls_verify_peer)                                                                         \
    X(set_tls_username)                                                                            \
    X(set_tls_psk_file)                                                                            \
    X(aio_connect_tcp)                                                                             \
    X(aio_connect_socket)                                                                          \
    X(aio_disconnect)                                                                              \
    X(aio_get_fd)                                                                                  \
    X(aio_get_direction)                                                                           \
    X(aio_notify_read)                                                                             \
    X(aio_notify_write)                                                                            \
    X(aio_is_ready)                                                                                \
    X(aio_is_dead)                                                                                 \
    X(aio_is_closed)                                                                               \
    X(get_size)                                                                                    \
    X(get_block_size)                                                                              \
    X(is_read_only)                                                                                \
    X(can_flush)                                                                                   \
    X(can_fua)                                                                                     \
    X(can_trim)                                                                                    \
    X(can_zero)                                                                                    \
    X(aio_pread)                                                                                   \
    X(aio_pwrite)                                                                                  \
    X(aio_flush)                                                                                   \
    X(aio_trim)                                                                                    \
    X(aio_zero)

#define NBD_MEMBER(name) typeof(nbd_##name) *name;
typedef struct NbdApi {
    NBD_FUNCTIONS(NBD_MEMBER)
    int (*set_tls_hostname)(struct nbd_handle *h, const char *hostname); /* 1.22; NULL: absent */
} NbdApi;
#undef NBD_MEMBER

extern NbdApi nbd_api; /* process-wide: functions of the library, set once */

#endif
