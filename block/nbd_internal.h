/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The NBD client: a node whose data are on a server (docs/disks.md).
 *
 *   nbd.c          the block driver
 *   nbd_server.c   addresses: options, URLs and names
 *   nbd_link.c     the thread of a node: connecting, waiting for the server, reconnecting
 *   nbd_command.c  requests as commands of libnbd
 *   nbd_library.c  libnbd, which is loaded with the first node
 *   nbd_absent.c   the driver of a build without libnbd
 *
 * Each node has a thread, which alone uses the connection. Requests are passed to it through a
 * queue, and complete from any thread. The thread needs neither the machine lock nor the main loop,
 * so that a server which is slow or does not answer stops neither.
 */
#ifndef BLOCK_NBD_INTERNAL_H
#define BLOCK_NBD_INTERNAL_H

#include "hw/core/host_object.h"
#include "internal.h"

struct nbd_handle;

/* --- nbd_server.c --- */

typedef struct NbdServer {
    char *host, *port; /* NULL: a unix socket */
    int family;
    char *path;
    bool abstract;
    char *export;
    char *tls_dir;      /* NULL: no TLS */
    char *tls_user;     /* of a key in keys.psk; NULL: certificates */
    char *tls_hostname; /* of the certificate; NULL: the host, if there is one */
    bool tls_verify;    /* check the certificate of the server */
    char *name;         /* a URL for messages and queries */
} NbdServer;

/* All options of a node, NULL-terminated. */
extern const char *const nbd_keys[];
/* Read the address in the options of a node. NULL with *err; nbd_server_free(). */
NbdServer *nbd_server_read(struct json_object *options, GError **err);
/* Read the TLS options. creds: the object that `tls-creds` names; NULL: none. False with *err. */
bool nbd_server_read_tls(NbdServer *s, struct json_object *options, const HostTls *creds,
                         GError **err);
void nbd_server_free(NbdServer *s);

/* --- nbd_library.c --- */

/* Load libnbd. False with *err. */
bool nbd_library_load(GError **err);
/* Return whether the library can check the certificate of a server for any name. */
bool nbd_library_checks_names(void);

/* --- nbd_command.c --- */

typedef struct NbdInfo {
    uint64_t size;
    uint32_t payload; /* bytes of the largest read or write */
    bool read_only, flush, fua, trim, zero;
} NbdInfo;

/* A request in progress. */
typedef struct NbdJob NbdJob;
struct NbdJob {
    BlockRequest *req;
    BlockQueue *queue;                      /* of the request, with a reference; private to nbd.c */
    void (*ended)(NbdJob *job, int result); /* called by the thread; 0 or -errno */
    void *opaque;
    GList link;               /* in a queue of the link; data: the job */
    uint64_t len, done, part; /* bytes within the export; completed; of the running command */
    void *bounce;
    size_t bounce_size;
    bool flushing; /* the data are written, and the flush that replaces FUA runs */
    bool answered; /* by the server */
    int error;     /* positive: of the answer */
};

typedef enum NbdStep { NBD_RUNS, NBD_ENDED } NbdStep;

/* Read the properties of an export after the handshake. False with *err if they are not usable. */
bool nbd_info_read(struct nbd_handle *h, NbdInfo *info, GError **err);
/* Begin a job again from its start. */
void nbd_job_rewind(NbdJob *job);
/* Send the next command of a job. NBD_ENDED: the job is complete, with *result. */
NbdStep nbd_job_advance(NbdJob *job, struct nbd_handle *h, const NbdInfo *info, int *result);
/* Use the answer to the last command. */
void nbd_job_accept(NbdJob *job);

/* --- nbd_link.c --- */

typedef struct NbdLink NbdLink;

/*
 * Connect to a server, which the link owns also on failure, and wait for the result.
 * delay_ms: how long requests wait for a new connection; open_ms: how long the first one is tried
 * draining: a counter that is not 0 while a caller waits for the requests
 * NULL with *err.
 */
NbdLink *nbd_link_new(NbdServer *server, uint64_t delay_ms, uint64_t open_ms, const int *draining,
                      GError **err);
/* Disconnect and free. No job may be left. */
void nbd_link_free(NbdLink *l);
/* The export as the server described it last. Its size is the same at each connection. */
const NbdInfo *nbd_link_info(const NbdLink *l);
/* Pass a job to the thread, which calls `ended`. Any thread. */
void nbd_link_add_any(NbdLink *l, NbdJob *job);
/* Perform a request in the calling thread. hurried: the thread holds the machine lock, so that a
 * lost connection does not delay it by reconnect-delay. Returns 0 or -errno. */
int nbd_link_perform_any(NbdLink *l, BlockRequest *req, bool hurried);
/* Connect again, for what another client has written. False with *err. No job may be left. */
bool nbd_link_renew(NbdLink *l, GError **err);

#endif
